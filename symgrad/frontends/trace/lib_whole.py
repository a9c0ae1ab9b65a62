"""Functions in which a whole number is a constant (remainders, fractions), and those that only matter for NaN."""

# A handler has the signature of the function that it stands for, used or not.
# ruff: noqa: ARG001

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from symgrad.frontends.trace.arrays import Array, Tensor
from symgrad.frontends.trace.lib_math import raw
from symgrad.frontends.trace.lib_numpy import truth
from symgrad.frontends.trace.numpy_plain import bare
from symgrad.frontends.trace.registry import HANDLERS, as_array, lift, traced
from symgrad.frontends.trace.shaped import call
from symgrad.frontends.trace.tracer import Tracer
from symgrad.frontends.trace.values import NUMPY, TENSOR, Value, number


def _data(tr: Tracer, found: Any, *of: Any) -> Any:
    """Numbers that stand for no step, of the kind of what they were made of."""
    if any(isinstance(v, Tensor) for v in of):
        return Tensor(tr, np.asarray(found))
    return Array(tr, np.asarray(found)) if np.ndim(found) else number(tr, float(found), None, NUMPY)


def _rest(rounded: Any, flavour: int) -> Callable[..., Any]:
    """What is left of ``x`` when whole multiples of ``y`` are taken off: how many they are is a constant."""

    def run(tr: Tracer, x: Any, y: Any) -> Any:
        a, b = lift(tr, x, flavour), lift(tr, y, flavour)
        return a - _data(tr, rounded(np.divide(raw(a), raw(b))), a, b) * b

    return run


for _name, _rounded in (("fmod", np.trunc), ("remainder", np.floor)):
    HANDLERS[f"torch.{_name}"] = _rest(_rounded, TENSOR)
    HANDLERS[f"numpy.{_name}"] = _rest(_rounded, NUMPY)
HANDLERS["numpy.mod"] = HANDLERS["numpy.remainder"]


@traced("torch.frac")
def _frac(tr: Tracer, input: Any) -> Any:
    return input - _data(tr, np.trunc(raw(input)), input)


@traced("numpy.nan_to_num", "torch.nan_to_num")
def _nan_to_num(tr: Tracer, x: Any, *args: Any, **options: Any) -> Any:
    """Of numbers nothing is changed."""
    value = as_array(tr, x) if isinstance(x, list | tuple) else x
    if not np.isfinite(np.asarray(raw(value), dtype=np.float64)).all():
        tr.unsupported("nan_to_num of what has a NaN or an infinity in it")
    return value


def _without_nan(dotted: str, plain: str) -> None:
    def run(tr: Tracer, x: Any, *args: Any, **options: Any) -> Any:
        if np.isnan(np.asarray(bare(x), dtype=np.float64)).any():
            tr.unsupported(f"{dotted} of what has a NaN in it")
        return call(tr, plain, x, *args, **options)

    HANDLERS[dotted] = run


for _name in ("mean", "std", "var", "prod", "cumsum", "cumprod"):
    _without_nan(f"numpy.nan{_name}", f"numpy.{_name}")
for _name in ("mean", "sum"):
    _without_nan(f"torch.nan{_name}", f"torch.{_name}")


@traced("numpy.real", "numpy.conj", "numpy.conjugate", "torch.real", "torch.conj", "numpy.real_if_close")
def _real(tr: Tracer, x: Any, *args: Any) -> Any:
    return x


@traced("numpy.extract")
def _extract(tr: Tracer, condition: Any, arr: Any) -> Any:
    return call(tr, "numpy.ravel", as_array(tr, arr))[np.nonzero(np.ravel(bare(condition)))[0]]


@traced("numpy.compress")
def _compress(tr: Tracer, condition: Any, a: Any, axis: Any = None) -> Any:
    return call(tr, "numpy.take", as_array(tr, a), np.nonzero(bare(condition))[0], axis)


@traced("numpy.copysign", "torch.copysign")
def _copysign(tr: Tracer, x: Any, y: Any) -> Any:
    """The sign is a constant."""
    value = lift(tr, x, NUMPY)
    turn = np.copysign(1.0, raw(value)) * np.copysign(1.0, np.asarray(bare(y), dtype=np.float64))
    return value * _data(tr, turn, value)


@traced("numpy.broadcast_arrays", "torch.broadcast_tensors")
def _broadcast_arrays(tr: Tracer, *arrays: Any) -> Any:
    several = [as_array(tr, a) for a in arrays]
    shape = np.broadcast_shapes(*(np.shape(raw(a)) for a in several))
    return tuple(call(tr, "numpy.broadcast_to", a, shape) for a in several)


@traced("numpy.logical_xor", "torch.logical_xor")
def _xor(tr: Tracer, a: Any, b: Any) -> Any:
    return truth(tr, a) != truth(tr, b)


@traced("numpy.imag")
def _imag(tr: Tracer, x: Any) -> Any:
    return _data(tr, np.zeros(np.shape(bare(x))), x)


def _of_data(name: str, function: Callable[..., Any], whole: bool) -> None:
    """A function of SciPy whose result is data: of whole numbers, or else of what is data itself."""

    def run(tr: Tracer, *args: Any, **options: Any) -> Any:
        if any(isinstance(a, Value) and a.step is not None and tr.varies[a.step] for a in args):
            if not whole:
                tr.unsupported(f"scipy.special.{name} of what may be differentiated")
            tr.note(f"the result of {name} is taken as a constant")
        if options:
            plain = {k: raw(v) for k, v in options.items()}
            if any(v not in (False, True) for v in plain.values()) or plain.get("repetition"):
                tr.unsupported(f"scipy.special.{name} with {next(iter(options))}")
        found = np.vectorize(function, otypes=[np.float64])(*(np.asarray(bare(a), dtype=np.float64) for a in args))
        return int(found) if options.get("exact", False) and not np.ndim(found) else _data(tr, found)

    HANDLERS[f"scipy.special.{name}"] = run


def _ways(n: float, k: float) -> float:
    if not float(n).is_integer() or not float(k).is_integer():
        raise ValueError("comb of numbers that are not whole")
    return float(math.comb(int(n), int(k))) if 0 <= k <= n else 0.0


def _factorial(n: float) -> float:
    if not float(n).is_integer():
        raise ValueError("factorial of a number that is not whole")
    return math.gamma(n + 1) if n >= 0 else 0.0


def _quantile(p: float) -> float:
    from statistics import NormalDist

    if p in (0.0, 1.0):
        return math.copysign(math.inf, p - 0.5)
    return NormalDist().inv_cdf(p) if 0 < p < 1 else math.nan


_of_data("comb", _ways, whole=True)
_of_data("binom", _ways, whole=True)
_of_data("factorial", _factorial, whole=True)
_of_data("ndtri", _quantile, whole=False)
_of_data("erfinv", lambda x: _quantile((1 + x) / 2) / math.sqrt(2), whole=False)
_of_data("erfcinv", lambda x: -_quantile(x / 2) / math.sqrt(2), whole=False)
