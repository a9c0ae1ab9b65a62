"""Arrays at several points at once: what :class:`symgrad.diagnose.vectors.Vec` is for numbers.

They hold NumPy float64. What cancels is set to exactly zero as it is computed, on both sides of every comparison, so
that a gradient that vanishes (of a bias before a softmax, of x in ``sum(x - mean(x))``) is never 1e-17 against -2e-17.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np

from symgrad.diagnose.vectors import TOLERANCE, Vec
from symgrad.ops import OPS, Op, TensorOp
from symgrad.ops.base import Rule
from symgrad.ops.floats import COMPARISONS
from symgrad.ops.stacked import aligned, never_adds, stacked
from symgrad.ops.tensor import ShapeError, typed
from symgrad.ops.values import NUMERIC, function

#: What is left of a sum after rounding, relative to its terms.
CANCELLED = 1e-13
#: Entries are compared as if they were at least this large, relative to the largest of their array.
SMALL = 1e-11
#: Arrays of so many entries, at all points together, are computed at once.
AT_ONCE = 1 << 14
#: A product of vectors that are longer than this is done by several threads, which on a busy machine wait for one
#: another a thousand times as long as they work.
ALONE = 8192
#: Of larger arrays so many entries are compared first.
FEW = 64
#: What a computation on arrays that do not fit raises.
MISFITS = (ValueError, TypeError, IndexError, AttributeError, ZeroDivisionError, np.linalg.LinAlgError, ShapeError)

Shape = tuple[int, ...]

#: Of all arrays here; NumPy has one such object.
FLOAT = np.dtype(np.float64)
#: What stands where arrays do not fit.
NOWHERE = np.asarray(math.nan)
#: A block of many steps is under way, in which NumPy does not warn.
_QUIET: ContextVar[bool] = ContextVar("quiet", default=False)
_NOTHING = contextlib.nullcontext()


class Shaped(Vec):
    """One step's array at each point. Immutable: do not write into ``arrays``.

    Arrays of one shape, which are not large, are kept as one stack, and computed with as one.
    """

    __slots__ = ("_arrays", "_stack", "_top", "_tops")
    shaped = True

    def __init__(self, arrays: Sequence[Any]) -> None:
        self._arrays: tuple[Any, ...] | None = tuple([
            a if type(a) is np.ndarray and a.dtype is FLOAT else np.asarray(a, dtype=np.float64) for a in arrays
        ])  # fmt: skip
        #: ``False`` as long as it is not known whether there is one.
        self._stack: Any = False
        self._floats = self._how = None
        self._tops: tuple[float, ...] | None = None
        self._top: float | None = None

    @staticmethod
    def of(stack: Any) -> Shaped:
        """From a float64 array with the points along its first axis."""
        out = Shaped.__new__(Shaped)
        out._arrays, out._stack = None, stack
        out._floats = out._how = out._tops = out._top = None
        return out

    @property
    def arrays(self) -> tuple[Any, ...]:
        """The array at each point."""
        if self._arrays is None:
            stack = self._stack
            self._arrays = tuple([stack[k, ...] for k in range(len(stack))])
        return self._arrays

    @property
    def stack(self) -> Any:
        """The arrays of all points in one; ``None`` where they differ in shape, are large, or have no entries."""
        if self._stack is False:
            assert self._arrays is not None  # there is the one or the other
            self._stack = _stack_of(self._arrays)
        return self._stack

    @property
    def points(self) -> int:
        """How many points there are."""
        return len(self._stack) if self._arrays is None else len(self._arrays)

    @property
    def floats(self) -> tuple[float, ...]:
        """One number a point, that any two different arrays differ in: the entries, weighted at random.

        The weights know nothing of the shape: (n,) and (n, 1) give the same.
        """
        if self._floats is None:
            stack = self.stack
            if stack is None or stack.ndim == 1:
                self._floats = tuple([signature(a) for a in self.arrays])
            else:
                with unwarned():
                    flat = stack.reshape(len(stack), -1)
                    self._floats = tuple((flat @ _weights(flat.shape[1])).tolist())
        return self._floats

    def rough(self, k: int) -> float:  # noqa: ARG002
        """Arrays are not told apart by one number."""
        return math.nan

    @property
    def balls(self) -> tuple[Any, ...]:
        raise TypeError("arrays hold no balls")

    @property
    def one(self) -> float:
        """What ``floats`` has for the first random point, up to rounding: most are told apart by that."""
        return self._floats[1] if self._floats is not None else signature(self.arrays[1])

    @property
    def tops(self) -> tuple[float, ...]:
        """The largest size of an entry at each point; 0 where there is none."""
        if self._tops is None:
            stack = self.stack
            if stack is None:
                self._tops = tuple([float(np.abs(a).max()) if a.size else 0.0 for a in self.arrays])
            else:
                self._tops = tuple(np.abs(stack).reshape(len(stack), -1).max(1).tolist())
        return self._tops

    @property
    def top(self) -> float:
        """The largest size of an entry at any point; NaN where one has no value."""
        if self._top is None:
            if self._stack is None or self._stack is False or self._tops is not None:
                self._top = math.nan if any(map(math.isnan, self.tops)) else max(self.tops)
            else:
                self._top = float(np.maximum.reduce(np.abs(self._stack), axis=None))
        return self._top

    @property
    def shape(self) -> Shape:
        shape: Shape = self._stack.shape[1:] if self._arrays is None else self._arrays[0].shape
        return shape

    @property
    def at_user(self) -> float:
        """The entry that is largest at the user's own point; NaN where there is none."""
        a = self.arrays[0]
        return float(a.ravel()[np.abs(a).argmax()]) if a.size else math.nan

    @property
    def is_zero(self) -> bool:
        stack = self.stack
        if stack is None:
            return all(not a[np.isfinite(a)].any() for a in self.arrays)
        # nan and infinities count as true, and are none: so what has no entry that is true is zero for sure.
        return not 0.0 < abs(stack.item(0)) < math.inf and (
            not stack.any() or not stack[np.isfinite(stack)].any()
        )

    @property
    def usable(self) -> bool:
        stack = self.stack
        if stack is not None and np.isfinite(stack).all():
            return len(stack) > 2
        return sum(bool(np.isfinite(a).all()) for a in self.arrays[1:]) >= 2

    def same(self, other: Vec) -> bool:
        found = lifted(other)
        mine, theirs = self.stack, found.stack
        if mine is not None and theirs is not None:
            if mine.shape != theirs.shape:
                return False
            # One entry at a random point tells most of them apart, since none may differ by more than this.
            n = mine.size // len(mine)
            a, b = (mine.item(n), theirs.item(n)) if len(mine) > 1 else (0.0, 0.0)
            most = TOLERANCE * max(abs(a), abs(b)) + SMALL * max(self.top, found.top)
            if math.isfinite(most) and abs(a - b) > 2 * most:
                return False
            close = _agree_at_once(mine, theirs)
            if close is not None:
                return close
        return _agree(self.arrays, found.arrays)

    def same_at_user(self, other: Vec) -> bool:
        a, b = self.arrays[0], lifted(other).arrays[0]
        return a.shape == b.shape and _close(a, b) is True

    def alike(self, other: Vec) -> bool:
        """The same numbers in the same order, whatever the shape; or one number where it stands in every entry."""
        mine, theirs = self.arrays, lifted(other).arrays
        if mine[0].size == theirs[0].size:
            return _agree([a.ravel() for a in mine], [b.ravel() for b in theirs])
        if 1 in (mine[0].size, theirs[0].size) and mine[0].size and theirs[0].size:
            pairs = [np.broadcast_arrays(a.ravel(), b.ravel()) for a, b in zip(mine, theirs, strict=True)]
            return _agree([a for a, _ in pairs], [b for _, b in pairs])
        return False

    def constant(self) -> Fraction | None:
        some = self.arrays[0].flat[:FEW]
        if math.isfinite(some.sum()) and (np.abs(some - some[:1]) > TOLERANCE * np.abs(some[:1])).any():
            return None  # most are told by a few entries
        parts = [a[np.isfinite(a)].ravel() for a in self.arrays]
        values = np.concatenate(parts)
        if values.size < 3 or not all(p.size for p in parts):
            return None
        first = float(values[0])
        if not (np.abs(values - first) <= TOLERANCE * abs(first)).all():
            return None
        simple = Fraction(first).limit_denominator(1000)
        spread = float(np.abs(values - float(simple)).max())
        return simple if simple != 0 and spread <= 1e-9 * abs(first) else None

    def reshaped(self, shape: Shape) -> Shaped:
        return Shaped([np.broadcast_to(a.reshape(()), shape) if a.size == 1 else a.reshape(shape) for a in self.arrays])

    def run(self, op: Op, args: Sequence[Vec], params: Mapping[str, Any]) -> Shaped:
        return run(op, [lifted(a) for a in args], params)

    def each(self, compute: Callable[..., Any], args: Sequence[Vec]) -> Shaped:
        found = [lifted(a).arrays for a in args]
        return Shaped([_attempt(compute, arrays) for arrays in zip(*found, strict=True)])

    def rule(self, rule: Rule, y: Vec, args: Sequence[Vec]) -> Shaped:
        return self.each(lambda y, *x: rule(NUMERIC, y, *x), (y, *args))

    def _binary(self, name: str, a: Vec, b: Vec) -> Shaped:
        return run(OPS[name], (lifted(a), lifted(b)), {})

    def __add__(self, other: Vec) -> Vec:
        return self._binary("add", self, other)

    def __radd__(self, other: Vec) -> Vec:
        return self._binary("add", other, self)

    def __sub__(self, other: Vec) -> Vec:
        return self._binary("sub", self, other)

    def __rsub__(self, other: Vec) -> Vec:
        return self._binary("sub", other, self)

    def __mul__(self, other: Vec) -> Vec:
        return self._binary("mul", self, other)

    def __rmul__(self, other: Vec) -> Vec:
        return self._binary("mul", other, self)

    def __truediv__(self, other: Vec) -> Vec:
        return self._binary("div", self, other)

    def __rtruediv__(self, other: Vec) -> Vec:
        return self._binary("div", other, self)

    def __neg__(self) -> Vec:
        return Shaped([-a for a in self.arrays]) if self.stack is None else Shaped.of(-self.stack)


def lifted(vec: Vec) -> Shaped:
    """A number at each point as arrays without axes."""
    if isinstance(vec, Shaped):
        return vec
    found: Shaped | None = vec.lifted
    if found is None:
        found = vec.lifted = Shaped.of(np.array(vec.floats, dtype=np.float64))
    return found


def _stack_of(arrays: Sequence[Any]) -> Any:
    """Arrays of one shape as one array; ``None`` where they are none, or large, or empty."""
    first = arrays[0]
    if not 0 < first.size * len(arrays) <= AT_ONCE:
        return None
    for a in arrays:
        if a.shape != first.shape:
            return None
    return np.array(arrays)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """No warnings of NumPy in a block of many steps: asked for once, and not for every step."""
    before = _QUIET.set(True)
    try:
        with np.errstate(all="ignore"):
            yield
    finally:
        _QUIET.reset(before)


def unwarned() -> contextlib.AbstractContextManager[object]:
    """No warnings of NumPy in a block, which costs nothing inside of :func:`quiet`."""
    return _NOTHING if _QUIET.get() else np.errstate(all="ignore")


def run(op: Op, args: Sequence[Shaped], params: Mapping[str, Any]) -> Shaped:
    """One step of a graph; NaN at the points where the arrays do not fit."""
    with unwarned():
        return _run(op, args, params)


def _run(op: Op, args: Sequence[Shaped], params: Mapping[str, Any]) -> Shaped:
    compute = function(op.name)
    if args[0].points == 1:
        return _glimpse(compute, args, params)
    adds = _adds(op.name)
    if (found := _at_once(op, args, params, adds)) is not None:
        return found
    out = []
    for k, arrays in enumerate(zip(*[a.arrays for a in args], strict=True)):
        try:
            value = np.asarray(compute(*arrays, **params), dtype=np.float64)
            if adds and value.size:
                value = _without_rests(value, arrays, [a.tops[k] for a in args], compute, params, op)
        except MISFITS:
            value = NOWHERE
        out.append(value)
    return Shaped(out)


def _glimpse(compute: Callable[..., Any], args: Sequence[Shaped], params: Mapping[str, Any]) -> Shaped:
    """One step at one point; what cancels is left as it is, since this is no proof."""
    (arrays,) = zip(*[a.arrays for a in args], strict=True)
    try:
        return Shaped((np.asarray(compute(*arrays, **params), dtype=np.float64),))
    except MISFITS:
        return Shaped((NOWHERE,))


@cache
def _stacked(name: str) -> Callable[..., Any] | None:
    return stacked(OPS[name])


def _at_once(op: Op, args: Sequence[Shaped], params: Mapping[str, Any], adds: bool) -> Shaped | None:
    """One step at all points in one; ``None`` where that cannot be, or would not be what comes out point by point."""
    compute = _stacked(op.name)
    if compute is None:
        return None
    stacks = []
    for a in args:
        if (stack := a.stack) is None:
            return None
        stacks.append(stack)
    points = len(stacks[0])
    for stack in stacks:
        if len(stack) != points:
            return None
    try:
        value = compute(*stacks, **params)
        if value is None or value.shape[:1] != (points,) or not value.size:
            return None
        if value.dtype is not FLOAT:
            value = value.astype(np.float64)
        return _without_rests_at_once(value, args, compute, params, op) if adds else Shaped.of(value)
    except MISFITS:
        return None  # where the shapes do not fit, that is said point by point


def _without_rests_at_once(
    value: Any, args: Sequence[Shaped], compute: Callable[..., Any], params: Mapping[str, Any], op: Op
) -> Shaped | None:
    """As :func:`_without_rests`, at all points; ``None`` where not all is finite."""
    tops = [a.top for a in args]
    if op.elementwise:
        bound = max(tops)
    else:
        bound = 1.0
        for a, top in zip(args, tops, strict=True):
            bound *= max(top, 1e-300) * (a.stack.size // len(a.stack))
    sizes = np.abs(value)
    least, most = float(np.minimum.reduce(sizes, axis=None)), float(np.maximum.reduce(sizes, axis=None))
    if not math.isfinite(sum(tops) + bound + most):
        return None
    # The bound is one for all points, and at least that of each: what is below it is looked at.
    if least < CANCELLED * bound:
        stacks = [a.stack for a in args]
        if op.elementwise:
            axes = max([x.ndim for x in stacks])
            a, b = (np.abs(aligned(x, axes)) for x in stacks)
            terms = np.maximum(a, b)
        else:
            terms = np.abs(compute(*(np.abs(x) for x in stacks), **params))
        rests = sizes < CANCELLED * terms
        if rests.any():
            return Shaped.of(np.where(rests, 0.0, value))
    out = Shaped.of(value)
    out._top = most
    return out


def is_nowhere(vec: Vec) -> bool:
    """The value of a step whose inputs do not fit, at any point: the program would end there."""
    return isinstance(vec, Shaped) and vec._arrays is not None and all(a is NOWHERE for a in vec._arrays)


def shape_of(op: Op, shapes: Sequence[Shape], params: Mapping[str, Any]) -> Shape | None:
    """The shape of an op's value; ``None`` where the inputs do not fit."""
    try:
        return typed(op.name, shapes, params)[1]
    except MISFITS:
        return None


def _attempt(compute: Callable[..., Any], arrays: Sequence[Any]) -> Any:
    with unwarned():
        try:
            return np.asarray(compute(*arrays), dtype=np.float64)
        except MISFITS:
            return np.asarray(math.nan)


@cache
def _adds(name: str) -> bool:
    """The op adds numbers up, so that they may cancel."""
    op = OPS[name]
    if isinstance(op, TensorOp):
        return op.define is None and not op.whole and not never_adds(op)
    return op.infix is not None and op.infix.symbol in ("+", "-") and not op.infix.prefix and op.name not in COMPARISONS


def _without_rests(
    value: Any, arrays: Sequence[Any], tops: Sequence[float], compute: Callable[..., Any], params: Mapping[str, Any],
    op: Op,
) -> Any:  # fmt: skip
    """The value, with exact zeros where terms have cancelled to rounding; ``tops`` are the arrays' largest sizes."""
    sizes = np.abs(value)
    bound = 1.0
    if op.elementwise:
        bound = max(tops)
    else:
        for a, top in zip(arrays, tops, strict=True):
            bound *= max(top, 1e-300) if a.size else 1.0
            bound *= max(a.size, 1)
    if not (sizes < CANCELLED * bound).any() or not math.isfinite(bound):
        return value
    if op.elementwise:
        terms = np.maximum(np.abs(arrays[0]), np.abs(arrays[1]))
    else:
        terms = np.abs(np.asarray(compute(*(np.abs(a) for a in arrays), **params)))
    rests = sizes < CANCELLED * terms
    return np.where(rests, 0.0, value) if rests.any() else value


def _agree(first: Sequence[Any], second: Sequence[Any]) -> bool:
    """Equal at every point where both have values (two random points at least)."""
    shared = 0
    for k, (a, b) in enumerate(zip(first, second, strict=True)):
        if a.shape != b.shape:
            return False
        close = _close(a, b)
        if close is False:
            return False
        shared += k > 0 and close is True
    return shared >= 2


def _agree_at_once(a: Any, b: Any) -> bool | None:
    """As :func:`_agree`, of two stacks of one shape; ``None`` where not all is finite."""
    x, y = np.abs(a), np.abs(b)
    larger = np.maximum(x, y, out=x)
    points = len(a)
    tops = larger.reshape(points, -1).max(1)
    if not math.isfinite(float(tops.sum())):
        return None
    allowed = TOLERANCE * larger
    allowed += SMALL * tops.reshape(points, *(1,) * (a.ndim - 1))
    return points > 2 and bool((np.abs(a - b) <= allowed).all())


def _close(a: Any, b: Any) -> bool | None:
    """``None`` where there is nothing to compare."""
    if not a.size:
        return True
    x, y = np.abs(a), np.abs(b)
    if a.size > FEW:
        # A few entries tell most of them apart, since none may differ by more than this.
        some, there = a.flat[:: a.size // FEW], b.flat[:: a.size // FEW]
        apart = float((np.abs(some - there) - TOLERANCE * np.maximum(np.abs(some), np.abs(there))).max())
        if apart > SMALL * max(float(x.max()), float(y.max())):
            return False
    larger = np.maximum(x, y)
    top = float(larger.max())
    if math.isfinite(top):
        return bool((np.abs(a - b) <= TOLERANCE * larger + SMALL * top).all())
    known, too = np.isfinite(a), np.isfinite(b)
    if not (known & too).any():
        return None
    if (known != too).any():
        return False
    if not known.all():
        a, b = a[known], b[known]
    x, y = np.abs(a), np.abs(b)
    larger = np.maximum(x, y)
    return bool((np.abs(a - b) <= TOLERANCE * larger + SMALL * larger.max()).all())


@cache
def _weights(size: int) -> Any:
    return np.random.default_rng(size).uniform(0.5, 1.5, size) * np.random.default_rng(size + 1).choice((-1, 1), size)


def signature(a: Any) -> float:
    """A number that any two arrays of one size differ in: the entries, weighted at random. It is linear."""
    if a.ndim == 0:
        return float(a)
    if not a.size:
        return 0.0
    flat, weights = a.ravel(), _weights(a.size)
    with unwarned():
        if a.size <= ALONE:
            return float(flat @ weights)
        return float(sum([flat[k : k + ALONE] @ weights[k : k + ALONE] for k in range(0, a.size, ALONE)]))
