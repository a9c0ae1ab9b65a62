"""What is left where terms cancel is set to exactly zero as it is computed: it is a rest of rounding, and no number."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np

from symgrad.ops import OPS, Op, TensorOp, is_sum
from symgrad.ops.floats import COMPARISONS
from symgrad.ops.stacked import aligned, never_adds

#: What is left of a sum after rounding, relative to its terms.
CANCELLED = 1e-13


@cache
def adds(name: str) -> bool:
    """The op adds numbers up, so that they may cancel."""
    op = OPS[name]
    if isinstance(op, TensorOp):
        return op.define is None and not op.whole and not never_adds(op)
    return is_sum(name) and name not in COMPARISONS


def without_rests(
    value: Any, arrays: Sequence[Any], tops: Sequence[float], compute: Callable[..., Any], params: Mapping[str, Any],
    op: Op,
) -> Any:  # fmt: skip
    """The value, with exact zeros where terms have cancelled to rounding; ``tops`` are the arrays' largest sizes."""
    sizes = np.abs(value)
    bound = 1.0
    if op.elementwise:
        bound = max(tops)
    else:
        for a, top in zip(arrays, tops, strict=True):
            bound *= max(top, 1e-300) if a.size else 1.0
            bound *= max(a.size, 1)
    if not (sizes < CANCELLED * bound).any() or not math.isfinite(bound):
        return value
    if op.elementwise:
        terms = np.maximum(np.abs(arrays[0]), np.abs(arrays[1]))
    else:
        terms = np.abs(np.asarray(compute(*(np.abs(a) for a in arrays), **params)))
    rests = sizes < CANCELLED * terms
    return np.where(rests, 0.0, value) if rests.any() else value


def without_rests_at_once(
    value: Any, stacks: Sequence[Any], tops: Sequence[float], compute: Callable[..., Any], params: Mapping[str, Any],
    op: Op,
) -> tuple[Any, float | None] | None:  # fmt: skip
    """As :func:`without_rests`, of all points in one array, and the largest size of an entry where that is known.

    ``None`` where not all is finite.
    """
    if op.elementwise:
        bound = max(tops)
    else:
        bound = 1.0
        for stack, top in zip(stacks, tops, strict=True):
            bound *= max(top, 1e-300) * (stack.size // len(stack))
    sizes = np.abs(value)
    least, most = float(np.minimum.reduce(sizes, axis=None)), float(np.maximum.reduce(sizes, axis=None))
    if not math.isfinite(sum(tops) + bound + most):
        return None
    # The bound is one for all points, and at least that of each: what is below it is looked at.
    if least < CANCELLED * bound:
        if op.elementwise:
            axes = max([x.ndim for x in stacks])
            a, b = (np.abs(aligned(x, axes)) for x in stacks)
            terms = np.maximum(a, b)
        else:
            terms = np.abs(compute(*(np.abs(x) for x in stacks), **params))
        rests = sizes < CANCELLED * terms
        if rests.any():
            return np.where(rests, 0.0, value), None
    return value, most
