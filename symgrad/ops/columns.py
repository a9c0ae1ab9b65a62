"""Some columns of a large array: what an op gives there, from no more of its inputs than that takes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from symgrad.ops.base import Op


def _matmul(args: Sequence[Any], picked: Any, length: int) -> list[Any] | None:
    a, b = args
    return [a, b[..., picked]] if b.ndim > 1 and b.shape[-1] == length else None


def _outer(args: Sequence[Any], picked: Any, length: int) -> list[Any] | None:
    a, b = args
    return [a, b[picked]] if b.shape == (length,) else None


#: ``(inputs, columns, how many there are) -> inputs``, for ops that are not elementwise.
_COLUMNS: dict[str, Callable[[Sequence[Any], Any, int], list[Any] | None]] = {"matmul": _matmul, "outer": _outer}


def has_columns(op: Op) -> bool:
    """Whether some columns of its value can be had without the others."""
    return op.elementwise or op.name in _COLUMNS


def for_columns(op: Op, args: Sequence[Any], taken: Sequence[bool], picked: Any, length: int) -> list[Any] | None:
    """What an op is to be given to get some columns of its value; ``None`` where that cannot be told.

    Args:
        args: arrays. ``taken``: for each, whether it has no other columns than these.
        picked: the columns, by their numbers: along the last axis, which is ``length`` long in the whole value.
    """
    if not op.elementwise:
        find = _COLUMNS.get(op.name)
        return None if find is None or any(taken) else find(args, picked, length)
    out = []
    for a, done in zip(args, taken, strict=True):
        if done or a.ndim == 0 or a.shape[-1] == 1:
            out.append(a)
        elif a.shape[-1] == length:
            out.append(a[..., picked])
        else:
            return None
    return out
