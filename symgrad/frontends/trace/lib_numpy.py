"""Names of ``numpy`` that are not ops of the table."""

# A handler has the signature of the function that it stands for, used or not.
# ruff: noqa: ARG001

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from symgrad.frontends.trace.arrays import Array, Tensor
from symgrad.frontends.trace.lib_math import copied, raw
from symgrad.frontends.trace.registry import (
    CONSTANTS,
    HANDLERS,
    SPELLED,
    Facade,
    Marker,
    as_array,
    constant,
    elementwise,
    lift,
    traced,
)
from symgrad.frontends.trace.shaped import add_at, given_out
from symgrad.frontends.trace.shaped import call as library
from symgrad.frontends.trace.tracer import Tracer
from symgrad.frontends.trace.values import NUMPY, NumpyFloat, Scalar, TracedInt, Value, apply, exact, number, rewrap

#: No array of the script's may have more elements: memory is the sandbox's last word, this is the friendly one.
LARGEST = 1 << 24


def size_of(tr: Tracer, shape: Any) -> tuple[int, ...]:
    """A shape that a script asks for, within reason."""
    plain = tuple(int(n) for n in shape) if isinstance(shape, list | tuple) else (int(shape),)
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


def _whole_type(name: str) -> Callable[[Tracer], Any]:
    def make(tr: Tracer) -> Any:
        made = kind(name, whole=True)
        made.make = lambda value=0, /: int(raw(value))
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


# --- making arrays ----------------------------------------------------------------------------------------------


@traced("numpy.array", "numpy.asarray", "numpy.copy", "numpy.ascontiguousarray", "numpy.atleast_1d")
def array(tr: Tracer, value: Any, dtype: Any = None, **options: Any) -> Any:
    if isinstance(value, Array):
        made = copied(value)
        return Array(tr, made.data, made.place, made.dtype) if isinstance(value, Tensor) else made
    if isinstance(value, Scalar):
        data = np.asarray(raw(value), dtype=np.float64)
        return Array(tr, data, value.step if not hasattr(value, "exact") else value.place)
    name = dtype_name(dtype, "")
    made = as_array(tr, value, int if name.startswith("int") else float if name.startswith("float") else None)
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
    return Array(tr, np.full(size_of(tr, shape), float(raw(fill_value))), dtype=dtype_name(dtype, ""))


@traced("numpy.full_like")
def _full_like(tr: Tracer, model: Any, fill_value: Any, **options: Any) -> Any:
    return Array(tr, np.full(np.shape(bare(model)), float(raw(fill_value))))


@traced("numpy.arange")
def _arange(tr: Tracer, *args: Any, **options: Any) -> Any:
    plain = [raw(a) for a in args]
    if len(plain) == 1:
        size_of(tr, max(plain[0], 0))
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
):  # fmt: skip
    HANDLERS[f"numpy.{_name}"] = as_data(_name)
HANDLERS["torch.argsort"] = lambda tr, x, dim=-1: Tensor(tr, np.argsort(raw(x), axis=int(dim)))


@traced("numpy.sort")
def _sort(tr: Tracer, x: Any, axis: Any = -1) -> Any:
    """In the order that the entries have at the user's point."""
    value = as_array(tr, x)
    return library(tr, "numpy.take_along_axis", value, np.argsort(raw(value), axis=int(axis)), int(axis))


# --- constants ----------------------------------------------------------------------------------------------


def bare(value: Any) -> Any:
    """Nested lists of traced numbers as plain ones."""
    return [bare(v) for v in value] if isinstance(value, list | tuple) else raw(value)


def compare(function: Callable[..., Any]) -> Callable[..., Any]:
    """A comparison of numbers that the script only looks at."""

    def call(tr: Tracer, *args: Any, **kwargs: Any) -> Any:
        if not set(kwargs) <= {"rtol", "atol", "equal_nan", "axis"}:
            tr.unsupported(f"{function.__name__} with these options")
        plain = [bare(a) for a in args]
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
        return number(tr, found, None, NUMPY) if type(found) is float else found

    return call


for _name in ("round", "floor", "ceil", "trunc", "rint"):
    HANDLERS[f"numpy.{_name}"] = HANDLERS[f"torch.{_name}"] = as_constant(_name)
HANDLERS["numpy.around"] = HANDLERS["numpy.round"]


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


@traced("numpy.isscalar")
def _isscalar(tr: Tracer, x: Any) -> bool:
    return isinstance(x, int | float)


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


def draw(tr: Tracer, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """One draw from NumPy's old generator, so that a seed gives the numbers that it gives outside."""
    source = tr.__dict__.setdefault("numpy_random", np.random.RandomState(0))
    shape = kwargs.get("size", args if name in ("rand", "randn") else ())
    if shape not in ((), None):
        size_of(tr, shape)
    plain = [tuple(int(n) for n in a) if isinstance(a, tuple | list) else raw(a) for a in args]
    for a in plain[2:]:
        size_of(tr, a)
    value = getattr(source, name)(*plain, **{k: raw(v) for k, v in kwargs.items()})
    if isinstance(value, np.ndarray):
        return Array(tr, value)
    return int(value) if isinstance(value, int | np.integer) else number(tr, float(value), None, NUMPY)


def _draws(name: str) -> Callable[..., Any]:
    def call(tr: Tracer, *args: Any, **kwargs: Any) -> Any:
        return draw(tr, name, args, kwargs)

    return call


for _name in ("rand", "randn", "random", "random_sample", "uniform", "normal", "standard_normal", "randint"):
    HANDLERS[f"numpy.random.{_name}"] = _draws(_name)


@traced("numpy.random.permutation", "numpy.random.choice")
def _chosen(tr: Tracer, x: Any, size: Any = None, replace: Any = True, p: Any = None) -> Any:
    """A permutation of so many numbers or entries, or so many of them: which ones they are is data."""
    source = tr.__dict__.setdefault("numpy_random", np.random.RandomState(0))
    if not isinstance(x, int):
        items = list(x) if isinstance(x, list | tuple | range) else x
        count = len(items)
        if size is None and p is None and not isinstance(x, list | tuple | range):
            return library(tr, "numpy.take", x, source.permutation(count), 0)
        found = source.choice(count, size, bool(replace), None if p is None else bare(p))
        if np.ndim(found):
            return as_array(tr, [items[int(i)] for i in np.ravel(found)])
        return items[int(found)]
    if size is None and p is None:
        return Array(tr, source.permutation(size_of(tr, x)[0]))
    found = source.choice(size_of(tr, x)[0], size, bool(replace), None if p is None else bare(p))
    return Array(tr, found) if np.ndim(found) else int(found)


@traced("numpy.random.default_rng")
def _generator(tr: Tracer, seed: Any = None) -> Any:
    tr.__dict__["numpy_generator"] = np.random.default_rng(0 if seed is None else int(seed))
    return Facade(tr, "numpy.random.Generator")


def _generates(name: str) -> Callable[..., Any]:
    def call(tr: Tracer, *args: Any, **kwargs: Any) -> Any:
        source = tr.__dict__["numpy_generator"]
        size = kwargs.get("size", args[0] if args and name in ("standard_normal", "random") else None)
        if size is not None:
            size_of(tr, size)
        plain = [tuple(int(n) for n in a) if isinstance(a, tuple | list) else raw(a) for a in args]
        for a in plain[2:]:
            size_of(tr, a)
        value = getattr(source, name)(*plain, **{k: raw(v) for k, v in kwargs.items() if k != "dtype"})
        if isinstance(value, np.ndarray):
            return Array(tr, value)
        return int(value) if isinstance(value, int | np.integer) else number(tr, float(value), None, NUMPY)

    return call


for _name in ("standard_normal", "normal", "uniform", "random", "integers"):
    HANDLERS[f"numpy.random.Generator.{_name}"] = _generates(_name)


@traced("numpy.random.RandomState")
def _state(tr: Tracer, seed: Any = None) -> Any:
    """A generator of its own; a second one takes the place of the first, whose later draws are then other numbers."""
    tr.__dict__["numpy_state"] = np.random.RandomState(0 if seed is None else int(seed))
    return Facade(tr, "numpy.random.mtrand.RandomState")


def _stateful(name: str) -> Callable[..., Any]:
    """The same draw as from NumPy's one generator, from the one that was made last."""
    run = HANDLERS[f"numpy.random.{name}"]

    def call(tr: Tracer, *args: Any, **kwargs: Any) -> Any:
        held = tr.__dict__.get("numpy_random")
        tr.__dict__["numpy_random"] = tr.__dict__["numpy_state"]
        try:
            return run(tr, *args, **kwargs)
        finally:
            if held is None:
                del tr.__dict__["numpy_random"]
            else:
                tr.__dict__["numpy_random"] = held

    return call


for _name in (
    "rand", "randn", "random", "random_sample", "uniform", "normal", "standard_normal", "randint", "permutation",
    "choice",
):  # fmt: skip
    HANDLERS[f"numpy.random.mtrand.RandomState.{_name}"] = _stateful(_name)


@traced("numpy.random.seed")
def _seed(tr: Tracer, seed: Any = 0) -> None:
    tr.__dict__["numpy_random"] = np.random.RandomState(int(seed or 0))
