"""Values of a kind to call a function with: random, not symmetric, nothing special about any entry."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from symgrad.frontends.kinds import COUNT, COUNTS, DICT, LABELS, LIST, VALUE, Kind
from symgrad.frontends.lengths import Lengths

_POSITIVE = re.compile(
    r"(?:\w*var\w*|sigma\w*|std\w*|p_?hat|ps?|preds?|prob\w*|y_?hat\w*|AL|y_pred\w*|A2|a2|output\w*)$"
)


def make(name: str, kind: Kind, lengths: Lengths, source: np.random.Generator, *, positive: bool, classes: int) -> Any:
    """A value of a kind: random, not symmetric, nothing special about any entry."""
    if kind.what == VALUE:
        return kind.value
    if kind.what == DICT:
        return {k: make(k, v, lengths, source, positive=positive, classes=classes) for k, v in kind.items.items()}
    if kind.what == COUNT:
        return lengths.size(kind.dims[0])
    if kind.what == LIST:
        return [random(tuple(lengths.size(d) for d in kind.dims), source, positive=positive) for _ in range(2)]
    if kind.what == COUNTS:
        return [lengths.size(d) for d in kind.dims]
    small = len(kind.dims) > 3
    shape = tuple(lengths.size(d, small) for d in kind.dims)
    if kind.what == LABELS:
        total = int(np.prod(shape)) if shape else 1
        picked = np.arange(total)[::-1] % max(classes, 1)
        return picked.reshape(shape)
    return random(shape, source, positive=positive or bool(_POSITIVE.match(name)))


def random(shape: tuple[int, ...], source: np.random.Generator, *, positive: bool = False) -> Any:
    """Random numbers with six digits, so that they can be shown; a plain number for no axes."""
    numbers = source.uniform(0.15, 0.85, shape) if positive else source.standard_normal(shape)
    rounded = np.round(numbers, 6)
    return float(rounded) if not shape else rounded
