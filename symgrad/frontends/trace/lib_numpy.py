"""Names of ``numpy`` that are not ops of the table."""

# A handler has the signature of the function that it stands for, used or not.
# ruff: noqa: ARG001

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np

from symgrad.frontends.trace.arrays import Array, Tensor
from symgrad.frontends.trace.lib_math import copied, raw
from symgrad.frontends.trace.numpy_plain import as_data, bare
from symgrad.frontends.trace.numpy_types import dtype_name, size_of
from symgrad.frontends.trace.registry import HANDLERS, SPELLED, as_array, constant, elementwise, lift, traced
from symgrad.frontends.trace.shaped import add_at, given_out
from symgrad.frontends.trace.shaped import call as library
from symgrad.frontends.trace.tracer import Tracer
from symgrad.frontends.trace.values import NUMPY, Scalar, Value, apply

# --- making arrays ----------------------------------------------------------------------------------------------


@traced(
    "numpy.array", "numpy.asarray", "numpy.copy", "numpy.ascontiguousarray", "numpy.atleast_1d",
    "numpy.asanyarray", "numpy.asfortranarray", "numpy.asarray_chkfinite",
)  # fmt: skip
def array(tr: Tracer, value: Any, dtype: Any = None, **options: Any) -> Any:
    name = dtype_name(dtype, "")
    if isinstance(value, Array):
        made = copied(value)
        if name.startswith(("bool", "int")):
            made.dtype = name
        return Array(tr, made.data, made.place, made.dtype) if isinstance(value, Tensor) else made
    if isinstance(value, Scalar):
        data = np.asarray(raw(value), dtype=np.float64)
        return Array(tr, data, value.step if not hasattr(value, "exact") else value.place)
    kind = next((k for k in (bool, int, float) if name.startswith(k.__name__)), None)
    made = as_array(tr, value, kind)
    made.dtype = name or made.dtype
    return made


def _filled(name: str, value: float) -> None:
    def call(tr: Tracer, shape: Any, dtype: Any = None, **options: Any) -> Any:
        return Array(tr, np.full(size_of(tr, shape), value), dtype=dtype_name(dtype, ""))

    def like(tr: Tracer, model: Any, dtype: Any = None, **options: Any) -> Any:
        return Array(tr, np.full(np.shape(bare(model)), value), dtype=dtype_name(dtype, ""))

    HANDLERS[f"numpy.{name}"] = call
    HANDLERS[f"numpy.{name}_like"] = like


_filled("zeros", 0.0)
_filled("ones", 1.0)
_filled("empty", 0.0)


@traced("numpy.full")
def _full(tr: Tracer, shape: Any, fill_value: Any, dtype: Any = None, **options: Any) -> Any:
    sizes = size_of(tr, shape)
    if isinstance(fill_value, Value) and fill_value.step is not None:
        return copied(library(tr, "numpy.broadcast_to", fill_value, sizes))
    return Array(tr, np.full(sizes, float(raw(fill_value))), dtype=dtype_name(dtype, ""))


@traced("numpy.full_like")
def _full_like(tr: Tracer, model: Any, fill_value: Any, dtype: Any = None, **options: Any) -> Any:
    return _full(tr, np.shape(bare(model)), fill_value, dtype)


@traced("numpy.arange")
def _arange(tr: Tracer, *args: Any, **options: Any) -> Any:
    plain = [raw(a) for a in args]
    if len(plain) == 1:
        size_of(tr, max(math.ceil(plain[0]), 0))
    elif plain[1:]:
        step = plain[2] if len(plain) > 2 else 1
        size_of(tr, max(int((plain[1] - plain[0]) / step), 0))
    return Array(tr, np.arange(*plain))


@traced("numpy.linspace")
def _linspace(tr: Tracer, start: Any, stop: Any, num: Any = 50, endpoint: Any = True, **options: Any) -> Any:
    if options.get("retstep"):
        tr.unsupported("numpy.linspace with retstep")
    return Array(tr, np.linspace(raw(start), raw(stop), size_of(tr, num)[0], endpoint=bool(endpoint)))


# --- functions composed of ops ----------------------------------------------------------------------------------


@traced("numpy.square", "torch.square")
def square(tr: Tracer, x: Any) -> Any:
    return apply("pow", (lift(tr, x, NUMPY), 2), floor=NUMPY)


@traced("numpy.reciprocal", "torch.reciprocal")
def reciprocal(tr: Tracer, x: Any) -> Any:
    return apply("div", (1, lift(tr, x, NUMPY)), floor=NUMPY)


@traced("torch.rsqrt")
def rsqrt(tr: Tracer, x: Any) -> Any:
    return apply("div", (1, apply("sqrt", (lift(tr, x, NUMPY),), floor=NUMPY)), floor=NUMPY)


@traced("numpy.exp2", "torch.exp2")
def _exp2(tr: Tracer, x: Any) -> Any:
    return apply("pow", (2, lift(tr, x, NUMPY)), floor=NUMPY)


@traced("numpy.positive", "torch.positive")
def _positive(tr: Tracer, x: Any) -> Any:
    return x


@traced("numpy.clip")
def clip(tr: Tracer, x: Any, a_min: Any = None, a_max: Any = None, out: Any = None, **other: Any) -> Any:
    found = lift(tr, x, NUMPY)
    low, high = other.get("min", a_min), other.get("max", a_max)
    if low is not None:
        found = apply("max", (found, low), floor=NUMPY)
    if high is not None:
        found = apply("min", (found, high), floor=NUMPY)
    return found if out is None else given_out(out, found)


@traced("numpy.add.at")
def _add_at(tr: Tracer, x: Any, index: Any, value: Any) -> None:
    """``np.add.at(G, i, v)``: what is named twice is added twice."""
    add_at(x, index, value)


@traced("numpy.nansum")
def _without_nan(tr: Tracer, a: Any, *args: Any, **options: Any) -> Any:
    """``np.nansum(x)`` where nothing is NaN, as in the cost of a net that is not sure of anything yet."""
    if np.isnan(np.asarray(bare(a), dtype=np.float64)).any():
        tr.unsupported("numpy.nansum of what has a NaN in it")
    return library(tr, "numpy.sum", a, *args, **options)


@traced("numpy.fill_diagonal")
def _fill_diagonal(tr: Tracer, a: Any, val: Any, wrap: Any = False) -> None:
    """``np.fill_diagonal(P, 0)``: in place, as ``P[range(n), range(n)] = 0``."""
    shape = np.shape(bare(a))
    if len(shape) != 2 or wrap:
        tr.unsupported("numpy.fill_diagonal" + (" with wrap" if wrap else " of anything but a matrix"))
    places = np.arange(min(shape))
    a[places, places] = val


@traced("numpy.logical_and", "torch.logical_and")
def _and(tr: Tracer, a: Any, b: Any) -> Any:
    return truth(tr, a) & truth(tr, b)


@traced("numpy.logical_or", "torch.logical_or")
def _or(tr: Tracer, a: Any, b: Any) -> Any:
    return truth(tr, a) | truth(tr, b)


@traced("numpy.logical_not", "torch.logical_not")
def _not(tr: Tracer, a: Any) -> Any:
    return apply("eq", (lift(tr, a, NUMPY), 0))


def truth(tr: Tracer, x: Any) -> Any:
    value = lift(tr, x, NUMPY)
    return value if np.asarray(raw(value)).dtype == bool else apply("ne", (value, 0))


@traced("numpy.eye", "numpy.identity")
def _eye(tr: Tracer, n: Any, m: Any = None, k: Any = 0, dtype: Any = None, **options: Any) -> Any:
    rows, columns = size_of(tr, (n, n if m is None else m))
    return Array(tr, np.eye(rows, columns, int(k)), dtype=dtype_name(dtype, ""))


@traced("numpy.where")
def _where(tr: Tracer, condition: Any, *choices: Any) -> Any:
    if not choices:
        return as_data("nonzero")(tr, condition)
    op, run, floor = SPELLED["numpy.where"]
    return elementwise(tr, "numpy.where", op, run, floor, condition, *choices)


class Joined:
    """``np.c_[a, b]`` and ``np.r_[a, b]``."""

    def __init__(self, tr: Tracer, name: str) -> None:
        self.tr, self.name = tr, name

    def __getitem__(self, parts: Any) -> Any:
        arrays = list(parts) if isinstance(parts, tuple) else [parts]
        if any(isinstance(p, slice | str) for p in arrays):
            self.tr.unsupported(f"numpy.{self.name} of slices")
        known = [as_array(self.tr, p if isinstance(p, Array | list) else [p]) for p in arrays]
        return library(self.tr, "numpy.column_stack" if self.name == "c_" else "numpy.concatenate", known)


@constant("numpy.c_")
def _columns(tr: Tracer) -> Any:
    return Joined(tr, "c_")


@constant("numpy.r_")
def _rows(tr: Tracer) -> Any:
    return Joined(tr, "r_")


@traced("numpy.sort")
def _sort(tr: Tracer, x: Any, axis: Any = -1) -> Any:
    """In the order that the entries have at the user's point."""
    value = as_array(tr, x)
    return library(tr, "numpy.take_along_axis", value, np.argsort(raw(value), axis=int(axis)), int(axis))


# --- constants ----------------------------------------------------------------------------------------------


@traced("numpy.vectorize")
def _vectorize(tr: Tracer, function: Any, *args: Any, **kwargs: Any) -> Any:
    """A function that is called for each entry; several arrays are broadcast first."""

    def call(*values: Any) -> Any:
        arrays = [as_array(tr, v) for v in values]
        shape = np.broadcast_shapes(*(np.shape(raw(a)) for a in arrays))
        if not shape:
            return function(*values)
        wide = [library(tr, "numpy.broadcast_to", a, shape) for a in arrays]
        found = [function(*(a[place] for a in wide)) for place in np.ndindex(*shape)]
        return library(tr, "numpy.reshape", as_array(tr, found), shape)

    return call


@traced("numpy.apply_along_axis")
def _apply_along_axis(tr: Tracer, func1d: Any, axis: Any, arr: Any, *args: Any, **kwargs: Any) -> Any:
    """A function that is called for each line of an array along an axis; what it gives stands in that line's place."""
    value = as_array(tr, arr)
    shape = np.shape(raw(value))
    if not shape:
        raise ValueError("apply_along_axis of a number: it has no axis")
    along = range(len(shape))[operator.index(axis)]
    found = [
        as_array(tr, func1d(value[(*place[:along], slice(None), *place[along:])], *args, **kwargs))
        for place in np.ndindex(*shape[:along], *shape[along + 1 :])
    ]
    if not found:
        raise ValueError("apply_along_axis of an array without entries")
    own = np.shape(raw(found[0]))
    outer = (*shape[:along], *shape[along + 1 :])
    whole = library(tr, "numpy.reshape", as_array(tr, found), (*outer, *own))
    # What a line gives comes last, and belongs where the line was.
    ends = [len(outer) + k for k in range(len(own))]
    order = [*range(along), *ends, *range(along, len(outer))]
    return library(tr, "numpy.transpose", whole, tuple(order)) if own and order != sorted(order) else whole


@traced("numpy.set_printoptions", "numpy.seterr")
def _ignored(tr: Tracer, *args: Any, **kwargs: Any) -> None:
    return None


@traced("numpy.errstate")
def _errstate(tr: Tracer, *args: Any, **kwargs: Any) -> Any:
    return Nothing()


class Nothing:
    """A ``with`` block that changes nothing."""

    def __enter__(self) -> Nothing:
        return self

    def __exit__(self, *details: object) -> None:
        return None


# --- random -----------------------------------------------------------------------------------------------------
