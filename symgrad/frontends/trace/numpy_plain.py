"""NumPy's functions whose result is no step: places, orders, truths, rounded numbers, shapes; and torch's."""

# A handler has the signature of the function that it stands for, used or not.
# ruff: noqa: ARG001

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from symgrad.frontends.trace.arrays import Array, Tensor
from symgrad.frontends.trace.claims import claim
from symgrad.frontends.trace.lib_math import raw
from symgrad.frontends.trace.registry import HANDLERS, as_array, lift, traced
from symgrad.frontends.trace.shaped import call as call_library
from symgrad.frontends.trace.tracer import Tracer
from symgrad.frontends.trace.values import NUMPY, Value, number, rewrap


def as_data(name: str) -> Callable[..., Any]:
    """A function whose result is places, counts or an order: data, not a step."""
    function = getattr(np, name)

    def call(tr: Tracer, *args: Any, **options: Any) -> Any:
        if any(isinstance(a, Value) and a.step is not None and tr.varies[a.step] for a in args):
            tr.note(f"the result of {name} is taken as a constant")
        found = function(*(bare(a) for a in args), **{k: raw(v) for k, v in options.items()})
        if isinstance(found, tuple | list):
            return tuple(Array(tr, v) if np.ndim(v) else int(v) for v in found)
        return Array(tr, found) if np.ndim(found) else found.item()

    return call


for _name in (
    "argsort", "nonzero", "flatnonzero", "argwhere", "unique", "unravel_index", "ravel_multi_index", "isin",
    "searchsorted", "bincount", "count_nonzero", "triu_indices", "tril_indices", "indices", "meshgrid", "digitize",
    "lexsort", "intersect1d", "union1d", "setdiff1d", "histogram", "diag_indices", "diag_indices_from", "ix_",
    "tril_indices_from", "triu_indices_from", "nanargmax", "nanargmin", "argpartition", "logspace", "geomspace", "tri",
    "hanning", "hamming", "blackman", "bartlett", "signbit", "floor_divide", "fix",
):  # fmt: skip
    HANDLERS[f"numpy.{_name}"] = as_data(_name)


def _places(name: str) -> Callable[..., Any]:
    """The same of torch, where it is called so and takes the same arguments."""
    run = as_data(name)

    def call(tr: Tracer, *args: Any, **options: Any) -> Any:
        for word in ("device", "dtype"):
            options.pop(word, None)
        found = run(tr, *args, **options)
        if isinstance(found, tuple):
            return tuple(Tensor(tr, v.data) for v in found)
        return Tensor(tr, found.data if isinstance(found, Array) else np.asarray(found))

    return call


for _name in ("argwhere", "bincount", "isin", "searchsorted", "unravel_index", "signbit", "unique"):
    HANDLERS[f"torch.{_name}"] = _places(_name)


@traced("torch.nonzero")
def _nonzero(tr: Tracer, input: Any, as_tuple: Any = False) -> Any:
    return _places("nonzero" if as_tuple else "argwhere")(tr, input)


@traced("torch.tril_indices")
def _tril_indices(tr: Tracer, row: Any, col: Any, offset: Any = 0, **options: Any) -> Any:
    return Tensor(tr, np.array(np.tril_indices(int(row), int(offset), int(col))))


@traced("torch.triu_indices")
def _triu_indices(tr: Tracer, row: Any, col: Any, offset: Any = 0, **options: Any) -> Any:
    return Tensor(tr, np.array(np.triu_indices(int(row), int(offset), int(col))))


@traced("torch.meshgrid")
def _meshgrid(tr: Tracer, *tensors: Any, indexing: Any = "ij") -> Any:
    several = tensors[0] if len(tensors) == 1 and isinstance(tensors[0], list | tuple) else tensors
    shape = tuple(np.size(raw(t)) for t in several)
    found = []
    for axis, t in enumerate(several):
        along = call_library(tr, "torch.reshape", t, tuple(-1 if a == axis else 1 for a in range(len(shape))))
        wide = call_library(tr, "torch.broadcast_to", along, shape)
        found.append(call_library(tr, "torch.swapaxes", wide, 0, 1) if indexing == "xy" else wide)
    return tuple(found)


HANDLERS["torch.argsort"] = lambda tr, x, dim=-1: Tensor(tr, np.argsort(raw(x), axis=int(dim)))


def bare(value: Any) -> Any:
    """Nested lists of traced numbers as plain ones."""
    return [bare(v) for v in value] if isinstance(value, list | tuple) else raw(value)


#: Of these the script says that its operands should be equal.
_EQUALITIES = frozenset({np.isclose, np.allclose, np.array_equal})


def compare(function: Callable[..., Any]) -> Callable[..., Any]:
    """A comparison of numbers that the script only looks at."""

    def call(tr: Tracer, *args: Any, **kwargs: Any) -> Any:
        if not set(kwargs) <= {"rtol", "atol", "equal_nan", "axis"}:
            tr.unsupported(f"{function.__name__} with these options")
        plain = [bare(a) for a in args]
        if function in _EQUALITIES and len(args) >= 2:
            claim(tr, args[0], args[1])
        value = function(*plain, **{k: raw(v) for k, v in kwargs.items()})
        return bool(value) if np.ndim(value) == 0 else Array(tr, value)

    return call


for _name in ("isclose", "allclose", "array_equal", "isnan", "isinf", "isfinite", "all", "any"):
    HANDLERS[f"numpy.{_name}"] = HANDLERS[f"torch.{_name}"] = compare(getattr(np, _name))


def _as_tensor(function: Callable[..., Any]) -> Callable[..., Any]:
    """torch gives a tensor of truths, if of one only: scripts take its ``.item()``."""
    run = compare(function)

    def call(tr: Tracer, *args: Any, dim: Any = None, **kwargs: Any) -> Any:
        found = run(tr, *args, **kwargs) if dim is None else run(tr, *args, axis=dim, **kwargs)
        return Tensor(tr, found.data if isinstance(found, Array) else np.asarray(found))

    return call


for _name in ("isclose", "isnan", "isinf", "isfinite", "all", "any"):
    HANDLERS[f"torch.{_name}"] = _as_tensor(getattr(np, _name))


HANDLERS["torch.equal"] = compare(np.array_equal)


def as_constant(name: str) -> Callable[..., Any]:
    """A function with no derivative worth tracing: its result is a number like one that was typed in."""
    function = getattr(np, name)

    def call(tr: Tracer, x: Any, decimals: Any = None) -> Any:
        args = () if decimals is None else (decimals,)
        value = lift(tr, x, NUMPY)
        if isinstance(x, Value):
            tr.note(f"the result of {name} is taken as a constant")
        found = rewrap(tr, (value,), function(raw(value), *(raw(a) for a in args)))
        if isinstance(found, Array) and value.step is not None and tr.varies[value.step]:
            # A step of its own, so that what is made of it can be differentiated by it.
            found.step = tr.rounded(value.step, found.data, tr.here(), found.dtype)
        return number(tr, found, None, NUMPY) if type(found) is float else found

    return call


for _name in ("round", "floor", "ceil", "trunc", "rint"):
    HANDLERS[f"numpy.{_name}"] = HANDLERS[f"torch.{_name}"] = as_constant(_name)


HANDLERS["numpy.around"] = HANDLERS["numpy.round"]


@traced("numpy.shape")
def _shape(tr: Tracer, x: Any) -> Any:
    return np.shape(raw(as_array(tr, x)))


@traced("numpy.size")
def _size(tr: Tracer, a: Any, axis: int | None = None) -> int:
    return int(np.size(raw(as_array(tr, a)), axis))


@traced("numpy.ndim")
def _ndim(tr: Tracer, a: Any) -> int:
    return int(np.ndim(raw(as_array(tr, a))))


@traced("numpy.ndindex")
def _ndindex(tr: Tracer, *shape: Any) -> Any:
    return iter(list(np.ndindex(*(raw(n) for n in shape))))


class Entries:
    """``np.nditer(x, flags=["multi_index"])``: the places of an array's entries, the last index changing fastest."""

    def __init__(self, array: Any) -> None:
        self.array, self.at, self.begun = array, 0, False
        self.places = list(np.ndindex(*np.shape(raw(array))))

    def __iter__(self) -> Entries:
        return self

    def __next__(self) -> Any:
        self.at, self.begun = self.at + self.begun, True
        if self.finished:
            raise StopIteration
        return self.array[self.places[self.at]]

    @property
    def finished(self) -> bool:
        return self.at >= len(self.places)

    @property
    def multi_index(self) -> tuple[int, ...]:
        return self.places[self.at]

    @property
    def index(self) -> int:
        return self.at

    def iternext(self) -> bool:
        self.at += 1
        return not self.finished

    def reset(self) -> None:
        self.at, self.begun = 0, False


ENTRIES_METHODS = frozenset({"finished", "multi_index", "index", "iternext", "reset"})


@traced("numpy.nditer")
def _nditer(tr: Tracer, op: Any, flags: Any = (), op_flags: Any = (), **options: Any) -> Entries:
    if options or isinstance(op, list | tuple):
        tr.unsupported("numpy.nditer over several arrays, or with these options")
    return Entries(as_array(tr, op))


@traced("numpy.isscalar")
def _isscalar(tr: Tracer, x: Any) -> bool:
    return isinstance(x, int | float)
