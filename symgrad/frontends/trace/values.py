"""Traced values: numbers that remember which step they are.

A traced Python number is a subclass of ``float`` or ``int``, so that ``isinstance``, f-strings, ``range``, indexing and
hashing work by themselves. Arrays are in ``arrays.py``. Every operator of either goes through :func:`apply`.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from symgrad.frontends.trace import numeric
from symgrad.ops import OPS
from symgrad.ops.floats import COMPARISONS, PYTHON

if TYPE_CHECKING:
    from symgrad.frontends.trace.tracer import Tracer

#: How a result is packaged: the highest flavour among the operands wins, as in Python, NumPy and torch.
INT, FLOAT, NUMPY, ARRAY, TENSOR = range(5)

#: How a result of a shaped flavour is packaged: ``(recorder, op, operands, their concrete values, result, step)``.
#: With no op and no step it is plain data. ``arrays.py`` and ``autograd.py`` fill it; a further kind of array needs an
#: entry here.
PACKAGERS: dict[int, Callable[..., Any]] = {}


class Value:  # noqa: PLW1641  (every subclass hashes in its own way)
    """What all traced values share: the operators, and a place in the graph.

    Attributes (of the subclasses):
        tr: the recorder.
        step: position in the graph, or ``None`` for data that no step stands for yet: it becomes a named leaf when it
            is assigned, and a constant when it is used before.
    """

    __slots__ = ()
    flavour = FLOAT
    tr: Tracer
    step: int | None

    @property
    def raw(self) -> Any:
        """The concrete value: a plain number or an ndarray."""
        raise NotImplementedError

    def materialise(self) -> int:
        """A step for data that has none, since it is used without ever having got a name."""
        return self.tr.constant(self.raw)

    @property
    def place(self) -> int:
        return self.step if self.step is not None else self.materialise()

    def __add__(self, other: Any) -> Any:
        return binary("add", self, other)

    def __radd__(self, other: Any) -> Any:
        return binary("add", other, self)

    def __sub__(self, other: Any) -> Any:
        return binary("sub", self, other)

    def __rsub__(self, other: Any) -> Any:
        return binary("sub", other, self)

    def __mul__(self, other: Any) -> Any:
        return binary("mul", self, other)

    def __rmul__(self, other: Any) -> Any:
        return binary("mul", other, self)

    def __truediv__(self, other: Any) -> Any:
        return binary("div", self, other)

    def __rtruediv__(self, other: Any) -> Any:
        return binary("div", other, self)

    def __pow__(self, other: Any, modulus: Any = None) -> Any:
        return binary("pow", self, other) if modulus is None else NotImplemented

    def __rpow__(self, other: Any, modulus: Any = None) -> Any:
        return binary("pow", other, self) if modulus is None else NotImplemented

    def __floordiv__(self, other: Any) -> Any:
        return untraced(operator.floordiv, "//", self, other)

    def __rfloordiv__(self, other: Any) -> Any:
        return untraced(operator.floordiv, "//", other, self)

    def __mod__(self, other: Any) -> Any:
        return untraced(operator.mod, "%", self, other)

    def __rmod__(self, other: Any) -> Any:
        return untraced(operator.mod, "%", other, self)

    def __divmod__(self, other: Any) -> Any:
        return self // other, self % other

    def __rdivmod__(self, other: Any) -> Any:
        return other // self, other % self

    def __matmul__(self, other: Any) -> Any:
        return matmul(self, other)

    def __rmatmul__(self, other: Any) -> Any:
        return matmul(other, self)

    def __neg__(self) -> Any:
        return apply("neg", (self,))

    def __pos__(self) -> Any:
        return self

    def __abs__(self) -> Any:
        return apply("abs", (self,))

    def __lt__(self, other: Any) -> Any:
        return binary("lt", self, other)

    def __le__(self, other: Any) -> Any:
        return binary("le", self, other)

    def __gt__(self, other: Any) -> Any:
        return binary("gt", self, other)

    def __ge__(self, other: Any) -> Any:
        return binary("ge", self, other)

    def __eq__(self, other: Any) -> Any:
        return binary("eq", self, other)

    def __ne__(self, other: Any) -> Any:
        return binary("ne", self, other)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        """NumPy's own functions on a traced value: only a trusted callable has them; a script has the facade."""
        op = UFUNCS.get(ufunc.__name__)
        if method != "__call__" or kwargs or op is None:
            self.tr.unsupported(f"numpy.{ufunc.__name__}")
        return apply(op, inputs, floor=NUMPY)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        from symgrad.frontends.trace.registry import HANDLERS

        name = f"numpy.{function.__name__}"
        if name not in HANDLERS:
            self.tr.unsupported(name)
        return HANDLERS[name](self.tr, *args, **kwargs)


#: NumPy's own name of a ufunc (``np.abs`` calls itself ``absolute``) -> op.
UFUNCS: dict[str, str] = {
    numeric.lookup(np, op.numpy).__name__: op.name
    for op in OPS.values()
    if op.elementwise and op.numpy is not None
}


class Scalar(Value):
    """A traced Python or NumPy number."""

    __slots__ = ()

    def __round__(self, digits: Any = None) -> Any:
        if digits is not None:
            return untraced(round, "round", self, digits)
        return rounding(self.tr, self, untraced(round, "round", self))


class TracedFloat(Scalar, float):
    """A Python float."""

    __slots__ = ("step", "tr")

    @property
    def raw(self) -> float:
        return float(self)

    def __format__(self, spec: str) -> str:
        self.tr.words(self.step)
        return float.__format__(self, spec)

    __hash__ = float.__hash__


class NumpyFloat(TracedFloat):
    """A NumPy scalar: dividing by zero gives infinity instead of raising."""

    __slots__ = ()
    flavour = NUMPY


class Exact(TracedFloat):
    """A constant known exactly: ``math.pi``, or ``1/3`` as written."""

    __slots__ = ("exact",)
    exact: Fraction | str

    def materialise(self) -> int:
        # Not kept: the step's span is that of this use, and the graph shares equal constants anyway.
        return self.tr.exact(self.exact, float(self))


class TracedInt(Scalar, int):
    """A whole number that was assigned to a name: still an index, a count and a key."""

    flavour = INT

    @property
    def raw(self) -> int:
        return int(self)

    __hash__ = int.__hash__


class Mask(TracedInt):
    """The outcome of a comparison: prints as a bool, multiplies as 1 or 0."""

    def __repr__(self) -> str:
        return "True" if self else "False"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format(bool(self), spec)

    def __invert__(self) -> Any:
        return apply("eq", (self, 0))

    def __and__(self, other: Any) -> Any:
        return binary("mul", self, other)

    def __or__(self, other: Any) -> Any:
        return binary("max", self, other)

    __rand__ = __and__
    __ror__ = __or__


def number(tr: Tracer, value: float | bool, step: int | None, flavour: int = FLOAT) -> Any:
    """A traced scalar of the class that fits the value."""
    made: Any
    if isinstance(value, bool | np.bool_):
        made = int.__new__(Mask, bool(value))
    elif isinstance(value, int | np.integer):
        made = int.__new__(TracedInt, int(value))
    elif isinstance(value, complex | np.complexfloating):
        tr.unsupported("a complex number")
    else:
        made = float.__new__(NumpyFloat if flavour >= NUMPY else TracedFloat, value)
    made.tr = tr
    made.step = step
    return made


def exact(tr: Tracer, value: float, name: Fraction | str) -> Exact:
    """A constant of which more is known than its float64 value."""
    made = float.__new__(Exact, value)
    made.tr = tr
    made.step = None
    made.exact = name
    return made


def is_number(value: object) -> bool:
    return isinstance(value, int | float | Value)


def binary(op: str, left: Any, right: Any) -> Any:
    """An operator with at least one traced operand."""
    if not is_number(left) or not is_number(right):
        holder, other = (left, right) if isinstance(left, Value) else (right, left)
        if holder.flavour < ARRAY or not isinstance(other, list | tuple):
            return NotImplemented
        wrapped = PACKAGERS[holder.flavour](holder.tr, "", (), (), np.asarray(other), None)
        return apply(op, (left, wrapped) if other is right else (wrapped, right))
    return apply(op, (left, right))


def step_of(tr: Tracer, value: Any) -> int:
    """The step of an operand."""
    if isinstance(value, Value):
        return value.place
    return tr.constant(int(value) if isinstance(value, bool) else value)


def apply(op: str, args: tuple[Any, ...], run: Callable[..., Any] | None = None, floor: int = INT) -> Any:
    """Compute ``op`` on traced and plain numbers, record it, and package the result.

    Args:
        run: what computes the concrete value; by default Python's own operator for Python numbers, NumPy otherwise.
        floor: the least flavour of the result: ``np.tanh(0.5)`` is a NumPy number though 0.5 is not.
    """
    tr: Tracer | None = None
    flavour = floor
    raw = []
    for a in args:
        if isinstance(a, Value):
            tr = a.tr
            flavour = max(flavour, a.flavour)
            raw.append(a.raw)
        else:
            raw.append(a)
    assert tr is not None
    tr.alive()
    if run is None:
        run = PYTHON.get(op) if flavour < NUMPY else None
        if run is operator.pow:
            check_power(tr, raw[0], raw[1])
        run = run or numeric.function(op)
    try:
        value = run(*raw)
    except ValueError:
        tr.misfit = (op, [np.shape(r) for r in raw], {})
        raise
    if op in COMPARISONS and np.ndim(value) == 0:
        value = bool(value)
    if flavour >= ARRAY and is_data(tr, args):
        return PACKAGERS[flavour](tr, "", args, (), np.asarray(value), None)
    steps = [step_of(tr, a) for a in args]
    if flavour < ARRAY or (flavour == ARRAY and np.ndim(value) == 0):
        if isinstance(value, np.ndarray):
            value = value.item()
        elif isinstance(value, complex | np.complexfloating):
            tr.unsupported("a complex number")
        try:
            recorded = float(value)
        except OverflowError:
            return value  # a whole number beyond float64: a count, and no step of a derivative
        return number(tr, value, tr.emit(op, steps, recorded), flavour)
    data = np.asarray(value)
    return PACKAGERS[flavour](tr, op, args, raw, data, tr.emit(op, steps, data if data.ndim else float(data)))


def is_data(tr: Tracer, args: Iterable[Any]) -> bool:
    """Whether an array is computed from data alone: ``np.random.randn(3, 4) * 0.1`` is as good as a literal, and so is
    ``np.random.randn(n, m) / np.sqrt(n)``. (``np.ones(n) / n`` is a mean that somebody wrote out.)

    The result gets no step, so that it becomes a named input where it is assigned.
    """
    arrays = scaled = False
    for a in args:
        if not isinstance(a, Value):
            continue
        step = a.step
        if getattr(a, "node", None) is not None:
            return False
        if step is not None and tr.varies[step]:
            if a.flavour >= ARRAY or not tr.is_count(step):
                return False
            scaled = True
        arrays = arrays or a.flavour >= ARRAY
    return arrays and (not scaled or any(isinstance(a, Value) and _is_uneven(a) for a in args))


def _is_uneven(a: Value) -> bool:
    """An array whose entries are not all the same."""
    return a.flavour >= ARRAY and bool(np.any(a.raw != np.ravel(a.raw)[:1]))


def untraced(function: Callable[..., Any], name: str, *args: Any) -> Any:
    """Evaluate something that has no derivative worth tracing; say so if it was more than index arithmetic."""
    if not all(is_number(a) for a in args):
        return NotImplemented
    raw = [a.raw if isinstance(a, Value) else a for a in args]
    tr = next(a.tr for a in args if isinstance(a, Value))
    tr.alive()
    if any(isinstance(a, Value) and a.flavour != INT for a in args):
        tr.note(f"the result of {name} is taken as a constant")
    return rewrap(tr, args, function(*raw))


def rounding(tr: Tracer, x: Any, made: Any) -> Any:
    """A number that was rounded: a step of its own that is a function of nothing, so that what is made of it can be
    differentiated by it."""
    step = x.step if isinstance(x, Scalar) and x.flavour != INT else None
    if step is None or not tr.varies[step] or not isinstance(made, int | float):
        return made
    span = tr.here()
    index = tr.rounded(step, float(made), span, "int64" if isinstance(made, int) else "float64")
    return number(tr, made, index, x.flavour)


def rewrap(tr: Tracer, args: tuple[Any, ...], value: Any) -> Any:
    """Plain data in the packaging of the operands, with no step."""
    flavour = max((a.flavour for a in args if isinstance(a, Value)), default=INT)
    if flavour == TENSOR or (isinstance(value, np.ndarray) and value.ndim):
        return PACKAGERS[max(flavour, ARRAY)](tr, "", (), (), np.asarray(value), None)
    return value.item() if isinstance(value, np.generic | np.ndarray) else value


def matmul(left: Any, right: Any) -> Any:
    """``@``: on scalars an error as in NumPy."""
    from symgrad.frontends.trace.shaped import Recorder

    tr = (left if isinstance(left, Value) else right).tr
    if max(v.flavour for v in (left, right) if isinstance(v, Value)) < ARRAY:
        return NotImplemented
    return Recorder(tr).matmul(left, right)


#: A whole number may grow to this many bits.
INT_BITS = 1 << 16


def check_power(tr: Tracer, base: Any, exponent: Any) -> None:
    """Refuse a power of whole numbers that would take minutes and gigabytes."""
    whole = isinstance(base, int) and isinstance(exponent, int) and abs(base) > 1 and exponent > 0
    if whole and base.bit_length() * exponent > INT_BITS:
        tr.stop("limit", "a power of whole numbers is too large to compute")
