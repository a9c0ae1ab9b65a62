"""Carrying a rounding error through a step: to first order, with whatever does the arithmetic."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from symgrad.ops.base import OPS


def carried(t: Any, m: Any, name: str, y: Any, args: Sequence[Any], errors: Sequence[Any]) -> Any:
    """The first-order error of ``y = op(args)``: its own rounding, and what the inputs' errors do to it.

    A correction that is not finite, or larger than a few roundings could be, is dropped: it is an estimate, and must
    never make a result worse.

    Args:
        t: torch, or a namespace that stands for it.
        m: the namespace of rules over the same values.
        errors: one per input; the number 0.0 where there is none.

    Returns:
        a value of the same kind as ``y``, or the number 0.0.
    """
    op = OPS[name]
    total: Any = 0.0
    if op.residual is not None:
        total = op.residual(t, y, *args)
    for position, error in enumerate(errors):
        if isinstance(error, float) and error == 0.0:
            continue
        rule = op.rule(position, "accurate")
        if rule is not None:
            total = total + rule(m, y, *args) * error
    if isinstance(total, t.Tensor):
        return t.nan_to_num(total, nan=0.0, posinf=0.0, neginf=0.0)
    return total
