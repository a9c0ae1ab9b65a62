"""The value of an op, and of its local derivatives, in float64: what a traced run computes with.

The table of ops says how NumPy and ``math`` spell an op; where they lack it, its ``lower`` rule composes it from
others. What is left has its value here, because torch must not be imported for it.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np

from symgrad.errors import InternalError
from symgrad.ops import OPS

#: Ops that Python itself spells: on plain floats these raise ZeroDivisionError and OverflowError as the script's would.
PYTHON: dict[str, Callable[..., Any]] = {
    "add": operator.add, "sub": operator.sub, "mul": operator.mul, "div": operator.truediv, "pow": operator.pow,
    "neg": operator.neg, "abs": abs, "lt": operator.lt, "gt": operator.gt, "le": operator.le, "ge": operator.ge,
    "eq": operator.eq, "ne": operator.ne, "max": max, "min": min,
}  # fmt: skip

#: Ops whose value is a truth.
COMPARISONS = frozenset({"lt", "gt", "le", "ge", "eq", "ne"})


def _decay(x: Any) -> Any:
    return np.exp(-np.abs(x))


def _sigmoid(x: Any) -> Any:
    e = _decay(x)
    return np.where(np.asarray(x) >= 0, 1.0, e) / (1.0 + e)


def _softplus(x: Any) -> Any:
    return np.maximum(x, 0.0) + np.log1p(_decay(x))


def _quiet(function: Callable[..., float]) -> Callable[..., Any]:
    """``function`` elementwise, with NaN where ``math`` raises: NumPy and torch do not raise there."""

    def safe(*args: float) -> float:
        try:
            return float(function(*(float(a) for a in args)))
        except (ValueError, ZeroDivisionError):
            return math.nan
        except OverflowError:
            return math.inf

    return np.vectorize(safe, otypes=[np.float64])


_erfc = _quiet(math.erfc)


def _polygamma(order: float, x: float) -> float:
    """Upward recurrence to x >= 15, then the asymptotic series (Abramowitz and Stegun 6.4.11, 6.3.18)."""
    n = int(order)
    bernoulli = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6)
    total = 0.0
    if x <= 0 and x == math.floor(x):
        return math.nan
    while x < 15:
        total += x ** -(n + 1)
        x += 1.0
    if n == 0:
        tail = math.log(x) - 1 / (2 * x) - sum(b / (2 * k * x ** (2 * k)) for k, b in enumerate(bernoulli, 1))
        return tail - total
    factorial = math.factorial(n)
    tail = math.factorial(n - 1) / x**n + factorial / (2 * x ** (n + 1))
    tail += sum(
        b * math.factorial(2 * k + n - 1) / (math.factorial(2 * k) * x ** (2 * k + n))
        for k, b in enumerate(bernoulli, 1)
    )
    return (-1.0) ** (n + 1) * (tail + factorial * total)


#: Values of ops for which neither NumPy nor ``math`` nor a composition has a name. A test holds that no op is missing.
EXTRA: dict[str, Callable[..., Any]] = {
    "sigmoid": _sigmoid,
    "logsigmoid": lambda x: np.minimum(x, 0.0) - np.log1p(_decay(x)),
    "softplus": _softplus,
    "relu": lambda x: np.maximum(x, 0.0),
    "leaky_relu": lambda x, a: np.where(np.asarray(x) > 0, x, np.multiply(a, x)),
    "elu": lambda x, a: np.where(np.asarray(x) > 0, x, a * np.expm1(np.minimum(x, 0.0))),
    "silu": lambda x: x * _sigmoid(x),
    "mish": lambda x: x * np.tanh(_softplus(x)),
    "gelu": lambda x: x * _erfc(-np.asarray(x) / math.sqrt(2.0)) / 2.0,
    "gelu_tanh": lambda x: x * _sigmoid(2.0 * math.sqrt(2.0 / math.pi) * (x + 0.044715 * x**3)),
    "sech": lambda x: 2.0 * _decay(x) / (1.0 + _decay(2.0 * np.asarray(x))),
    "csch": lambda x: np.divide(np.sign(x) * 2.0 * _decay(x), -np.expm1(-2.0 * np.abs(x))),
    "hardtanh": lambda x: np.clip(x, -1.0, 1.0),
    "digamma": _quiet(lambda x: _polygamma(0, x)),
    "trigamma": _quiet(lambda x: _polygamma(1, x)),
    "polygamma": _quiet(_polygamma),
}


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
        return _quiet(lookup(math, op.math))
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
