"""What functions were called with, in words, and how to say it better."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from symgrad.frontends.kinds import ARRAY, COUNT, COUNTS, DERIVED, DICT, FUNCTION, LABELS, VALUE, Kind
from symgrad.frontends.lengths import Lengths
from symgrad.frontends.trace.data import Given

#: An array of more numbers than this is shown as its shape.
SHOWN = 8


def given(name: str, kind: Kind, lengths: Lengths) -> Given:
    """What a parameter of this kind was given."""
    shaped = kind.what in (ARRAY, LABELS)
    shape = tuple(lengths.size(d, len(kind.dims) > 3) for d in kind.dims) if shaped else None
    inside = kind.items if kind.what == DICT else {}
    plain = all(v.what == ARRAY for v in inside.values())
    parts = {k: tuple(lengths.size(d, len(v.dims) > 3) for d in v.dims) for k, v in inside.items() if plain}
    return Given(name, _shown(kind, lengths), shape, kind.what == LABELS, parts)


def _shown(kind: Kind, lengths: Lengths) -> str:
    if kind.what == VALUE:
        value = kind.value.tolist() if isinstance(kind.value, np.ndarray) else kind.value
        lengths_of = _lengths(kind.value)
        return "x".join(map(str, lengths_of)) if math.prod(lengths_of) > SHOWN else repr(value)[:60]
    if kind.what in (FUNCTION, DERIVED):
        return "tanh" if kind.what == FUNCTION else "the derivative of tanh"
    if kind.what == DICT:
        return "{" + ", ".join(f"{k}: {_shown(v, lengths)}" for k, v in kind.items.items()) + "}"
    if kind.what in (COUNT, COUNTS):
        return ",".join(str(lengths.size(d)) for d in kind.dims)
    small = len(kind.dims) > 3
    shape = "x".join(str(lengths.size(d, small)) for d in kind.dims) or "a number"
    return shape + (" whole numbers" if kind.what == LABELS else "")


def _lengths(value: object) -> tuple[int, ...]:
    """The lengths of nested lists, as far as they are one array's: ``[[0.1, 0.2], 0.5]`` is a list of two."""
    if isinstance(value, np.ndarray):
        return tuple(value.shape)
    if not isinstance(value, list):
        return ()
    inner = {_lengths(v) for v in value}
    return (len(value), *(inner.pop() if len(inner) == 1 else ()))


def advice(inputs: Sequence[Given]) -> str:
    """What was tried, and how its user says what it should have been."""
    tried = f"tried {', '.join(map(str, inputs))}; " if inputs else ""
    return f"{tried}say what it takes: --shape NAME=4x3, --value NAME=VALUE"
