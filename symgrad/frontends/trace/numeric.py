"""The value of an op, and of its local derivatives, in float64: what a traced run computes with.

The table of ops says how NumPy and ``math`` spell an op; where they lack it, its ``lower`` rule composes it from
others. What is left has its value here, because torch must not be imported for it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np

from symgrad.errors import InternalError
from symgrad.ops import OPS
from symgrad.ops.floats import EXTRA, quiet


def lookup(module: Any, dotted: str) -> Callable[..., Any]:
    """``lookup(np, "numpy.linalg.norm")``."""
    for part in dotted.split(".")[1:]:
        module = getattr(module, part)
    found: Callable[..., Any] = module
    return found


@cache
def function(name: str) -> Callable[..., Any]:
    """The value of op ``name`` on floats and float64 arrays; it never raises for a value outside the domain."""
    op = OPS[name]
    if op.numpy is not None:
        return lookup(np, op.numpy)
    if name in EXTRA:
        return EXTRA[name]
    if op.lower is not None:
        rule = op.lower
        return lambda *args: rule(NUMERIC, *args)
    if op.math is not None:
        return quiet(lookup(math, op.math))
    if callable(op.torch):
        # Written for torch, but in functions that NumPy has under the same names.
        run = op.torch
        return lambda *args: run(np, *args)
    raise InternalError(f"the op {name} has no value in float64")


class Numeric:
    """The namespace ``m`` of the table's rules, over float64 numbers and arrays."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name not in OPS:
            raise AttributeError(name)
        op, run = OPS[name], function(name)

        def call(*args: Any) -> Any:
            missing = op.arity - len(args)
            return run(*args, *(float(d) for d in op.defaults[len(op.defaults) - missing :] if missing))

        return call

    @staticmethod
    def constant(value: Fraction | int | str) -> Any:
        named = {"pi": math.pi, "E": math.e}
        return np.float64(named[value] if isinstance(value, str) else float(value))


NUMERIC = Numeric()


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
