"""What a parameter of a function may be: an array of these lengths, labels, a count, a function; and what is usual."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

#: A length: a number, a symbol, or a sum or multiple of these.
Dim = int | str | tuple[str, ...]
#: The kinds of a parameter. ``array``; ``labels``: whole numbers; ``value``: given; ``dict``: of further parameters.
ARRAY, LABELS, VALUE, DICT, DEFAULT = "array", "labels", "value", "dict", "default"
#: Whole numbers that are lengths themselves: one of them, or a list.
COUNT, COUNTS = "count", "counts"
#: Several arrays of one shape in a list.
LIST = "list"
#: A function of one array, and the derivative of that.
FUNCTION, DERIVED = "function", "derived"


@dataclass(frozen=True, slots=True)
class Kind:
    """What a parameter is taken to be.

    Attributes:
        what: one of the kinds above; ``default``: it is left out.
        dims: of an array or of labels.
        value: a given value.
        items: of a dictionary.
    """

    what: str
    dims: tuple[Dim, ...] = ()
    value: Any = None
    items: Mapping[str, Kind] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a function: its name, whether it may be left out, its default where that is a literal, and what
    is written of its type."""

    name: str
    optional: bool = False
    default: Any = None
    annotation: str = ""


#: What is usual for a dictionary's keys and for parameters that are no arrays.
USUAL: dict[str, Any] = {
    "mode": "train", "train_flg": True, "training": True, "is_training": True, "train": True, "p": 0.6, "dropout": 0.6,
    "keep_prob": 0.6, "seed": 3, "stride": 1, "pad": 1, "padding": 0, "eps": 1e-5, "epsilon": 1e-5, "momentum": 0.9,
    "pool_height": 2, "pool_width": 2, "pool_h": 2, "pool_w": 2, "f": 2, "reg": 0.3, "lambd": 0.7, "lamda": 0.7,
    "lambda_": 0.7, "alpha": 0.3, "lr": 0.1, "learning_rate": 0.1, "delta": 1.0, "dropout_ratio": 0.4, "c": 0.7,
    "weight_decay": 0.3, "verbose": False, "debug": False, "stateful": False, "axis": -1, "dropout_rate": 0.4,
    "dropout_p": 0.4, "kernel_shape": (2, 2), "filter_shape": (2, 2), "pool_shape": (2, 2), "kernel_width": 2,
    "kernel_size": 2, "pool_size": 2, "dilation": 0,
}  # fmt: skip
BIAS = re.compile(r"(?:b|bias|beta|gamma|mu|mean|scale|shift|theta0?|b[a-z0-9]{1,3}|\w+_b|bias\w*|\w+_bias)$")
WEIGHT = re.compile(r"(?:[WUV]\w*|w|w\d|w_\w+|weights?\w*|kernel\w*|theta\d?|Theta\d?|k[xhqv]?|embed\w*|filters?)$")
LABELLED = re.compile(
    r"(?:y|t|labels?|targets?|y_true|ground_truth|idx|indices|ids?|classes|y_batch|ts|actual"
    r"|\w+_(?:idx|indices|ids?)|\w+(?:Idx|Indices|Ids?))$"
)


def usual(name: str) -> Kind | None:
    return Kind(VALUE, value=USUAL[name.lower()]) if name.lower() in USUAL else None
