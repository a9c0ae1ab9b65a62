"""The value of every op in float64, by NumPy: what a traced run and the diagnosis of arrays compute with.

The table of ops says how NumPy and ``math`` spell an op; where they lack it, its ``lower`` rule composes it from
others. What is left has its value in ``floats.py``, because torch must not be imported for it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from functools import cache, partial
from typing import Any

import numpy as np

from symgrad.errors import InternalError
from symgrad.ops.base import OPS
from symgrad.ops.floats import EXTRA, PYTHON, quiet
from symgrad.ops.tensor import TensorOp, typed


def lookup(module: Any, dotted: str) -> Callable[..., Any]:
    """``lookup(np, "numpy.linalg.norm")``."""
    for part in dotted.split(".")[1:]:
        module = getattr(module, part)
    found: Callable[..., Any] = module
    return found


@cache
def function(name: str) -> Callable[..., Any]:
    """The value of op ``name`` on floats and float64 arrays; it never raises for a value outside the domain.

    A comparison gives booleans. An op that is not elementwise takes its parameters, in canonical form, as keywords.
    """
    op = OPS[name]
    if isinstance(op, TensorOp):
        return partial(op.run, np)
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


def applied(name: str, inputs: Sequence[Any], shape: tuple[int, ...], params: Iterable[tuple[str, Any]]) -> Any:
    """The float64 value of an op: an array of ``shape``, or a plain number where that is empty.

    Args:
        inputs: the values of its operands, as arrays of their shapes.
        params: of the step that applies it.
    """
    value = np.asarray(function(name)(*inputs, **dict(params)))
    return value.astype(np.float64) if shape else float(value)


@cache
def scalar(name: str) -> Callable[..., Any]:
    """The value of op ``name`` on plain floats: fast, where Python or ``math`` has it, and raising what these raise."""
    op = OPS[name]
    if op.renames:
        return _itself
    if name in PYTHON:
        return PYTHON[name]
    return lookup(math, op.math) if op.math is not None else function(name)


def _itself(x: Any) -> Any:
    return x


class Numeric:
    """The namespace ``m`` of the table's rules, over float64 numbers and arrays."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name not in OPS:
            raise AttributeError(name)
        op, run = OPS[name], function(name)

        def call(*args: Any, **params: Any) -> Any:
            if not op.elementwise:
                settled, _ = typed(name, [np.shape(a) for a in args], params)
                return run(*(np.asarray(a) for a in args), **dict(settled))
            missing = op.arity - len(args)
            return run(*args, *(float(d) for d in op.defaults[len(op.defaults) - missing :] if missing))

        return call

    @staticmethod
    def constant(value: Fraction | int | str) -> Any:
        return np.float64(number(Fraction(value) if isinstance(value, int) else value))


NUMERIC = Numeric()


def number(value: Fraction | str) -> float:
    """A constant of a graph, rounded to a float; beyond the range, an infinity."""
    if isinstance(value, str):
        return {"pi": math.pi, "E": math.e}[value]
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf
