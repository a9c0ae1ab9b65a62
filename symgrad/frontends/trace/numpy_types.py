"""NumPy's types of numbers, as names of dtypes and as what makes a number."""

# A handler has the signature of the function that it stands for, used or not.
# ruff: noqa: ARG001

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from operator import index
from typing import Any

from symgrad.frontends.trace.arrays import Array, Tensor
from symgrad.frontends.trace.lib_math import raw
from symgrad.frontends.trace.registry import CONSTANTS, Marker, as_array, constant
from symgrad.frontends.trace.tracer import Tracer
from symgrad.frontends.trace.values import NUMPY, NumpyFloat, TracedInt, Value, exact, number

#: No array of the script's may have more elements: memory is the sandbox's last word, this is the friendly one.
LARGEST = 1 << 24


def size_of(tr: Tracer, shape: Any) -> tuple[int, ...]:
    """A shape that a script asks for, within reason."""
    given = shape if isinstance(shape, list | tuple) else (shape,)
    plain = tuple(index(raw(n)) for n in given)
    total = 1
    for n in plain:
        total *= max(n, 1)
    if total > LARGEST:
        tr.stop("limit", f"an array of {total:,} numbers is too large")
    return plain


def dtype_name(dtype: Any, default: str) -> str:
    """``np.float32``, ``"float32"``, ``float``, ``torch.double`` as a dtype's name."""
    if dtype is None:
        return default
    name = dtype.short if isinstance(dtype, Marker) else getattr(dtype, "__name__", str(dtype))
    known = {
        "float": "float64",
        "double": "float64",
        "int": "int64",
        "long": "int64",
        "half": "float16",
        "single": "float32",
    }
    return known.get(name, name)


def scalar(tr: Tracer, value: Any) -> Any:
    """``np.float64(x)``: the same step as a NumPy number."""
    value = as_array(tr, value) if isinstance(value, list | tuple) else value
    if isinstance(value, Array):
        return value if value.data.ndim else number(tr, value.data.item(), value.place, NUMPY)
    if isinstance(value, str):
        return float(value)
    step = value.step if isinstance(value, Value) else None
    made = number(tr, float(raw(value)), step, NUMPY)
    return exact(tr, float(value), value.exact) if hasattr(value, "exact") else made


def kind(name: str, *, whole: bool = False) -> Marker:
    """One of NumPy's scalar types."""

    def test(x: Any) -> bool:
        return isinstance(x, TracedInt) if whole else isinstance(x, NumpyFloat)

    return Marker(f"numpy.{name}", test)


def _float_type(name: str) -> Callable[[Tracer], Any]:
    def make(tr: Tracer) -> Any:
        made = kind(name)
        made.make = partial(scalar, tr)
        return made

    return make


def _whole(tr: Tracer, value: Any, name: str) -> Any:
    """``np.int64(x)``: of an array every entry, as ``astype`` does it."""
    from symgrad.frontends.trace.attributes import get

    value = as_array(tr, value) if isinstance(value, list | tuple) else value
    return get(value, "astype")(name) if isinstance(value, Array) and value.data.ndim else int(raw(value))


def _whole_type(name: str) -> Callable[[Tracer], Any]:
    def make(tr: Tracer) -> Any:
        made = kind(name, whole=True)
        made.make = lambda value=0, /: _whole(tr, value, name)
        return made

    return make


for _name in ("float64", "float32", "float16", "double", "single", "float_", "longdouble"):
    CONSTANTS[f"numpy.{_name}"] = _float_type(_name)


for _name in ("int64", "int32", "int8", "uint8", "int_", "intp"):
    CONSTANTS[f"numpy.{_name}"] = _whole_type(_name)


@constant("numpy.bool_")
def _bool(tr: Tracer) -> Any:
    return Marker("numpy.bool_", lambda x: isinstance(x, bool), bool)


@constant("numpy.ndarray")
def _ndarray(tr: Tracer) -> Any:
    return Marker("numpy.ndarray", lambda x: isinstance(x, Array) and not isinstance(x, Tensor))


def _abstract(name: str) -> Callable[[Tracer], Any]:
    return lambda tr: kind(name)


for _name in ("number", "generic", "floating", "inexact"):
    CONSTANTS[f"numpy.{_name}"] = _abstract(_name)


for _name in ("integer", "signedinteger"):
    CONSTANTS[f"numpy.{_name}"] = lambda tr, name=_name: kind(name, whole=True)  # type: ignore[misc]


@constant("numpy.newaxis")
def _newaxis(tr: Tracer) -> Any:
    return None
