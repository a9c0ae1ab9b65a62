"""The values of ops in float64, for a traced run: what NumPy and ``math`` have no name for, and what Python spells."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

#: Ops that Python itself spells: on plain floats these raise ZeroDivisionError and OverflowError as the script's would.
PYTHON: dict[str, Callable[..., Any]] = {
    "add": operator.add, "sub": operator.sub, "mul": operator.mul, "div": operator.truediv, "pow": operator.pow,
    "neg": operator.neg, "abs": abs, "lt": operator.lt, "gt": operator.gt, "le": operator.le, "ge": operator.ge,
    "eq": operator.eq, "ne": operator.ne, "max": max, "min": min,
}  # fmt: skip

#: Ops whose value is a truth.
COMPARISONS = frozenset({"lt", "gt", "le", "ge", "eq", "ne"})
#: ... those that compare by size.
ORDERINGS = COMPARISONS - {"eq", "ne"}


def _decay(x: Any) -> Any:
    return np.exp(-np.abs(x))


def _sigmoid(x: Any) -> Any:
    e = _decay(x)
    return np.where(np.asarray(x) >= 0, 1.0, e) / (1.0 + e)


def _softplus(x: Any) -> Any:
    return np.maximum(x, 0.0) + np.log1p(_decay(x))


def quiet(function: Callable[..., float]) -> Callable[..., Any]:
    """``function`` elementwise, with NaN where ``math`` raises: NumPy and torch do not raise there."""

    def safe(*args: float) -> float:
        try:
            return float(function(*(float(a) for a in args)))
        except (ValueError, ZeroDivisionError):
            return math.nan
        except OverflowError:
            return math.inf

    return np.vectorize(safe, otypes=[np.float64])


_erfc = quiet(math.erfc)


#: The recurrence takes a step for each whole number between x and 15; and (n - 1)! is no float from here on.
FARTHEST, HIGHEST = -1e5, 171


def _polygamma(order: float, x: float) -> float:
    """Upward recurrence to x >= 15, then the asymptotic series (Abramowitz and Stegun 6.4.11, 6.3.18)."""
    n = int(order)
    bernoulli = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6)
    total = 0.0
    if (x <= 0 and x == math.floor(x)) or x < FARTHEST or not math.isfinite(x):
        return math.nan
    if n > HIGHEST:
        raise OverflowError
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
    "digamma": quiet(lambda x: _polygamma(0, x)),
    "trigamma": quiet(lambda x: _polygamma(1, x)),
    "polygamma": quiet(_polygamma),
}
