"""Local derivatives in float64, as torch's autograd evaluates them: what a traced ``backward()`` multiplies with."""

from __future__ import annotations

from typing import Any

import numpy as np

from symgrad.ops import OPS
from symgrad.ops.values import NUMERIC, Numeric, function, lookup

__all__ = ["NUMERIC", "Numeric", "function", "lookup", "partial", "unbroadcast"]


def partial(name: str, index: int, output: Any, inputs: tuple[Any, ...]) -> Any:
    """The local derivative that torch's autograd multiplies with, or ``None`` where there is none."""
    rule = OPS[name].rule(index, "autograd")
    # numpy's own scalars: a division by zero must give inf, as torch's does, not raise.
    return None if rule is None else rule(NUMERIC, np.float64(output), *(np.float64(x) for x in inputs))


def unbroadcast(value: Any, shape: tuple[int, ...]) -> Any:
    """Sum ``value`` over the axes along which something of ``shape`` was broadcast to it."""
    array = np.asarray(value, dtype=np.float64)
    array = array.sum(axis=tuple(range(array.ndim - len(shape))))
    axes = tuple(i for i, n in enumerate(shape) if n == 1 and array.shape[i] != 1)
    return array.sum(axis=axes, keepdims=True) if axes else array
