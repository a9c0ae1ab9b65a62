"""Local derivatives in float64, as torch's autograd evaluates them: what a traced ``backward()`` multiplies with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from symgrad.ops import OPS, TensorOp
from symgrad.ops.values import NUMERIC, Numeric, function, lookup

__all__ = ["NUMERIC", "Numeric", "function", "lookup", "partial", "pull", "unbroadcast"]


def partial(name: str, index: int, output: Any, inputs: tuple[Any, ...]) -> Any:
    """The local derivative that torch's autograd multiplies with, or ``None`` where there is none."""
    rule = OPS[name].rule(index, "autograd")
    # numpy's own scalars: a division by zero must give inf, as torch's does, not raise.
    return None if rule is None else rule(NUMERIC, np.float64(output), *(np.float64(x) for x in inputs))


def pull(
    name: str, index: int, total: Any, output: Any, inputs: tuple[Any, ...], params: Mapping[str, Any]
) -> Any:
    """What flows to input ``index``, given the gradient ``total`` of the output; ``None`` where nothing does."""
    op = OPS[name]
    with np.errstate(all="ignore"):
        if not isinstance(op, TensorOp):
            local = partial(name, index, output, inputs)
            return None if local is None else total * local
        rule = op.pull(index)
        if rule is None:
            return None
        arrays = [np.asarray(x, dtype=np.float64) for x in inputs]
        return rule(NUMERIC, np.asarray(total), np.asarray(output, dtype=np.float64), *arrays, **params)


def unbroadcast(value: Any, shape: tuple[int, ...]) -> Any:
    """Sum ``value`` over the axes along which something of ``shape`` was broadcast to it."""
    array = np.asarray(value, dtype=np.float64)
    if array.ndim < len(shape):
        array = array.reshape((1,) * (len(shape) - array.ndim) + array.shape)
    array = array.sum(axis=tuple(range(array.ndim - len(shape))))
    axes = tuple(i for i, n in enumerate(shape) if n == 1 and array.shape[i] != 1)
    return array.sum(axis=axes, keepdims=True) if axes else array
