"""Names of ``math`` and ``random``, and of Python's standard library, that are not ops of the table."""

# A handler has the signature of the function that it stands for, used or not.
# ruff: noqa: ARG001

from __future__ import annotations

import collections
import functools
import itertools
import math
import operator
import random
from collections.abc import Callable, Iterable
from typing import Any

from symgrad.frontends.trace.arrays import Array
from symgrad.frontends.trace.claims import claim
from symgrad.frontends.trace.records import Record
from symgrad.frontends.trace.registry import CONSTANTS, HANDLERS, Marker, constant, lift, traced
from symgrad.frontends.trace.tracer import Tracer
from symgrad.frontends.trace.values import FLOAT, INT_BITS, Value, apply, check_power, exact, rounding
from symgrad.ops.base import COPY

#: math.factorial and its kin of an argument above this would be a bomb.
LARGEST = 2000


def raw(value: Any) -> Any:
    """The concrete value of an argument. An object of the script's own goes no further: NumPy would ask it questions.

    Raises:
        TypeError: it is such an object.
    """
    if isinstance(value, Value):
        return value.raw
    if value is None or isinstance(value, int | float | str | list | tuple | dict | range | Marker):
        return value
    raise TypeError(f"a number is needed, not {type(value).__name__}")


def add_up(tr: Tracer, items: Iterable[Any], start: Any = 0) -> Any:
    """``sum``: one addition a term."""
    total = start
    first = not isinstance(start, Value) and type(start) in (int, float) and start == 0
    for item in items:
        tr.alive()
        total = item if first else total + item
        first = False
    return total


@traced("math.fsum")
def _fsum(tr: Tracer, items: Iterable[Any]) -> Any:
    return add_up(tr, items)


@traced("math.prod")
def _prod(tr: Tracer, items: Iterable[Any], *, start: Any = 1) -> Any:
    total = start
    first = type(start) is int and start == 1
    for item in items:
        total = item if first else total * item
        first = False
        if type(total) is int and total.bit_length() > INT_BITS:
            tr.stop("limit", "a product of whole numbers is too large to compute")
    return total


@traced("math.log")
def _log(tr: Tracer, value: Any, base: Any = None) -> Any:
    top = apply("log", (lift(tr, value, FLOAT),), math.log, FLOAT)
    return top if base is None else top / apply("log", (lift(tr, base, FLOAT),), math.log, FLOAT)


def _as_constant(name: str) -> Callable[..., Any]:
    """A function of ``math`` whose result is piecewise constant, or of no interest as a step."""
    function = getattr(math, name)

    def call(tr: Tracer, *args: Any, **kwargs: Any) -> Any:
        if name in ("factorial", "comb", "perm") and any(abs(raw(a)) > LARGEST for a in args):
            tr.stop("limit", f"math.{name} of a number this large would not end")
        if any(isinstance(a, Value) and a.flavour >= FLOAT for a in args) and not name.startswith("is"):
            tr.note(f"the result of math.{name} is taken as a constant")
        made = function(*(raw(a) for a in args), **{k: raw(v) for k, v in kwargs.items()})
        return rounding(tr, args[0], made) if name in ("floor", "ceil", "trunc") else made

    return call


for _name in (
    "floor ceil trunc isclose isfinite isinf isnan factorial comb perm gcd lcm copysign fmod modf frexp ldexp isqrt "
    "remainder nextafter ulp dist"
).split():
    HANDLERS[f"math.{_name}"] = _as_constant(_name)


@traced("math.degrees")
def _degrees(tr: Tracer, value: Any) -> Any:
    return value * (180 / pi(tr))


@traced("math.radians")
def _radians(tr: Tracer, value: Any) -> Any:
    return value * (pi(tr) / 180)


@constant("math.pi", "numpy.pi", "torch.pi")
def pi(tr: Tracer) -> Any:
    return exact(tr, math.pi, "pi")


@constant("math.e", "numpy.e", "torch.e")
def _e(tr: Tracer) -> Any:
    return exact(tr, math.e, "E")


@constant("math.tau")
def _tau(tr: Tracer) -> Any:
    return 2 * math.pi


@constant("math.inf", "numpy.inf", "numpy.Inf", "torch.inf")
def _inf(tr: Tracer) -> Any:
    return math.inf


@constant("math.nan", "numpy.nan", "numpy.NaN", "torch.nan")
def _nan(tr: Tracer) -> Any:
    return math.nan


# --- random -----------------------------------------------------------------------------------------------------


@constant("random.Random")
def _random_class(tr: Tracer) -> Any:
    return Marker("random.Random", lambda x: False)


def _random(name: str) -> Callable[..., Any]:
    def call(tr: Tracer, *args: Any, **kwargs: Any) -> Any:
        source = tr.__dict__.setdefault("python_random", random.Random(0))
        plain = [raw(a) for a in args]
        if (
            name in ("choices", "sample")
            and max([0, *(a for a in (*plain, *kwargs.values()) if type(a) is int)]) > 10**6
        ):
            tr.stop("limit", f"random.{name} of this many items")
        return getattr(source, name)(*plain, **{k: raw(v) for k, v in kwargs.items()})

    return call


for (
    _name
) in "random uniform gauss normalvariate randint randrange choice choices sample shuffle seed expovariate".split():
    HANDLERS[f"random.{_name}"] = _random(_name)

# --- functools, itertools, collections, operator: pure, and their objects' attributes are guarded ---------------

for _name in (
    "accumulate chain combinations count cycle dropwhile filterfalse groupby islice pairwise permutations product "
    "repeat starmap takewhile zip_longest"
).split():
    CONSTANTS[f"itertools.{_name}"] = functools.partial(lambda tr, found: found, found=getattr(itertools, _name))
for _name in ("OrderedDict", "defaultdict", "deque", "Counter"):
    CONSTANTS[f"collections.{_name}"] = functools.partial(lambda tr, found: found, found=getattr(collections, _name))
for _name in (
    "add sub mul truediv neg pos abs lt le gt ge eq ne itemgetter getitem floordiv mod not_ truth contains is_ is_not"
).split():
    CONSTANTS[f"operator.{_name}"] = functools.partial(lambda tr, found: found, found=getattr(operator, _name))


@traced("operator.pow")
def power(tr: Tracer, base: Any, exponent: Any) -> Any:
    if isinstance(base, int | float | Value) and isinstance(exponent, int | float | Value):
        check_power(tr, raw(base), raw(exponent))
    return base**exponent  # of a class of the script's own its __pow__


@traced("functools.reduce")
def _reduce(tr: Tracer, function: Any, *args: Any) -> Any:
    return functools.reduce(function, *args)


@traced("functools.partial")
def _partial(tr: Tracer, function: Any, /, *args: Any, **kwargs: Any) -> Any:
    return lambda *more, **extra: function(*args, *more, **{**kwargs, **extra})


@traced("functools.wraps")
def _wraps(tr: Tracer, function: Any) -> Any:
    return lambda wrapper: wrapper


@traced("functools.lru_cache", "functools.cache")
def _cache(tr: Tracer, function: Any = None, **options: Any) -> Any:
    def decorate(inner: Any) -> Any:
        # The script never sees this object's own attributes: the guard knows no type of it.
        return functools.cache(inner)

    return decorate(function) if callable(function) else decorate


@traced("collections.namedtuple")
def _namedtuple(tr: Tracer, typename: Any, field_names: Any, *, defaults: Any = ()) -> Any:
    names = field_names.replace(",", " ").split() if isinstance(field_names, str) else list(field_names)
    if any(type(n) is not str or not n.isidentifier() or n.startswith("_") for n in names):
        raise ValueError("field names must be identifiers that do not begin with an underscore")
    extra = list(defaults)

    def make(cls: Any, *args: Any, **kwargs: Any) -> Any:
        given = dict(zip(names, args, strict=False)) | kwargs
        for name, value in zip(names[len(names) - len(extra) :], extra, strict=True):
            given.setdefault(name, value)
        if len(args) > len(names) or set(given) != set(names):
            raise TypeError(f"{typename}() takes the arguments {', '.join(names)}")
        return tuple.__new__(cls, [given[n] for n in names])

    return type(str(typename), (Record,), {"__slots__": (), "__new__": make, "fields": tuple(names)})


def _of_fields(value: Any) -> dict[str, Any]:
    """The fields of what was made by a class that `declared` has written out."""
    if not callable(made := getattr(type(value), "_asdict", None)):
        raise TypeError("a dataclass is needed")
    found: dict[str, Any] = made(value)
    return found


@traced("dataclasses.asdict")
def _asdict(tr: Tracer, value: Any) -> dict[str, Any]:
    found = _of_fields(value)
    return {n: _asdict(tr, v) if hasattr(type(v), "_asdict") else v for n, v in found.items()}


@traced("dataclasses.astuple")
def _astuple(tr: Tracer, value: Any) -> tuple[Any, ...]:
    return tuple(_asdict(tr, value).values())


@traced("dataclasses.replace")
def _replaced(tr: Tracer, value: Any, **changes: Any) -> Any:
    return type(value)(**{**_of_fields(value), **changes})


@traced("dataclasses.field", "dataclasses.dataclass")
def _only_in_classes(tr: Tracer, *args: Any, **options: Any) -> Any:
    return tr.unsupported("dataclass and field, but in a class statement,")


@traced("dataclasses.make_dataclass")
def _make_dataclass(tr: Tracer, *args: Any, **options: Any) -> Any:
    return tr.refuse("make_dataclass is not available in a traced file: it runs text as code")


@traced("statistics.mean", "statistics.fmean")
def _mean(tr: Tracer, data: Any) -> Any:
    items = list(data)
    if not items:
        raise ValueError("mean requires at least one data point")
    total = items[0]
    for item in items[1:]:
        total = total + item
    return total / len(items)


def _spread(name: str, less: int, *, root: bool) -> None:
    def call(tr: Tracer, data: Any, centre: Any = None) -> Any:
        items = list(data)
        if len(items) <= less:
            raise ValueError(f"{name} requires more data points")
        middle = _mean(tr, items) if centre is None else centre
        found = _mean(tr, [(x - middle) ** 2 for x in items]) * len(items) / (len(items) - less)
        return found**0.5 if root else found

    HANDLERS[f"statistics.{name}"] = call


for _name, _less, _root in (
    ("variance", 1, False), ("stdev", 1, True), ("pvariance", 0, False), ("pstdev", 0, True),
):  # fmt: skip
    _spread(_name, _less, root=_root)


# --- the rest ---------------------------------------------------------------------------------------------------


@traced("time.time", "time.perf_counter", "time.process_time", "time.monotonic")
def _time(tr: Tracer) -> float:
    return 0.0


@traced("time.sleep", "warnings.filterwarnings", "warnings.simplefilter", "warnings.warn")
def _nothing(tr: Tracer, *args: Any, **kwargs: Any) -> None:
    return None


@traced("time.strftime", "time.ctime", "time.asctime")
def _date(tr: Tracer, *args: Any) -> str:
    return ""


@traced(*(
    f"numpy.testing.assert_{name}"
    for name in "allclose almost_equal approx_equal array_almost_equal array_equal equal".split()
))  # fmt: skip
def _compared(tr: Tracer, actual: Any, desired: Any, *args: Any, **kwargs: Any) -> None:
    """A comparison of the script's own ends no run; what it compares with autograd's gradient is claimed to be that."""
    claim(tr, actual, desired)


@traced("copy.copy")
def _copy(tr: Tracer, value: Any) -> Any:
    if type(value) in (list, dict, set, tuple) or isinstance(value, float | int | str):
        return value.copy() if type(value) in (list, dict, set) else value
    if isinstance(value, Array):
        return copied(value)
    return tr.unsupported(f"copy.copy of {type(value).__name__}")


@traced("copy.deepcopy")
def _deepcopy(tr: Tracer, value: Any) -> Any:
    if type(value) in (list, tuple, set):
        return type(value)(_deepcopy(tr, v) for v in value)
    if type(value) is dict:
        return {k: _deepcopy(tr, v) for k, v in value.items()}
    return _copy(tr, value) if value is not None else None


def copied(array: Array) -> Array:
    """The same numbers in an object of its own: what is done to the copy is not done to the original.

    A copy of an array is a step of its own, since it may be written into; a copy of a number is the same step, and so
    is one of what has no name: nobody can write into that, and the line that worked it out is the one to be judged.
    """
    if not isinstance(array, Array):
        return array
    step = array.step
    if step is not None and array.data.ndim and array.tr.varies[step] and not array.tr.builder.steps[step].is_hidden:
        step = array.tr.emit(COPY, (step,), array.data)
    made = type(array)(array.tr, array.data, step, array.dtype)
    node = getattr(array, "node", None)
    if node is not None:
        setattr(made, "node", node)  # noqa: B010  (only a tensor has it)
    return made


class Anything:
    """What ``typing`` holds: annotations are never evaluated, so its names need only exist."""

    def __getitem__(self, key: Any) -> Any:
        return self

    def __or__(self, other: Any) -> Any:
        return self

    def __ror__(self, other: Any) -> Any:
        return self


for _name in (
    "Any Callable Dict Iterable Iterator List Literal Mapping Optional Sequence Set Tuple Type Union Final ClassVar "
    "Generic Self TypeAlias"
).split():
    CONSTANTS[f"typing.{_name}"] = lambda tr: Anything()


@constant("typing.TypeVar", "typing.NewType", "typing.NamedTuple", "typing.Protocol")
def _type_variable(tr: Tracer) -> Any:
    return lambda *args, **kwargs: Anything()


@constant("numbers.Number", "numbers.Real")
def _number(tr: Tracer) -> Any:
    return Marker("numbers.Number", lambda x: isinstance(x, int | float) and not isinstance(x, Array))
