"""Arrays at several points at once: what :class:`symgrad.diagnose.values.vectors.Vec` is for numbers.

They hold NumPy float64. What cancels is set to exactly zero as it is computed, on both sides of every comparison, so
that a gradient that vanishes (of a bias before a softmax, of x in ``sum(x - mean(x))``) is never 1e-17 against -2e-17.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from functools import cache, lru_cache
from typing import Any

import numpy as np

from symgrad.diagnose.values.closeness import FEW, SMALL, agree, agree_at_once, are_apart, close, signature, weights
from symgrad.diagnose.values.quiet import is_quiet, unwarned
from symgrad.diagnose.values.rests import adds, without_rests, without_rests_at_once
from symgrad.diagnose.values.vectors import TOLERANCE, Vec
from symgrad.effort import spend
from symgrad.ops import OPS, Op
from symgrad.ops.base import Rule
from symgrad.ops.stacked import stacked
from symgrad.ops.tensor import ShapeError, typed
from symgrad.ops.values import NUMERIC, function

#: Arrays of so many entries, at all points together, are computed at once.
AT_ONCE = 1 << 14
#: Of so many entries, a few are compared before all are.
MANY = 1 << 10
#: What a computation on arrays that do not fit raises.
MISFITS = (
    ValueError, TypeError, IndexError, AttributeError, ZeroDivisionError, MemoryError, np.linalg.LinAlgError, ShapeError
)  # fmt: skip

Shape = tuple[int, ...]

#: Of all arrays here; NumPy has one such object.
FLOAT = np.dtype(np.float64)
#: What stands where arrays do not fit.
NOWHERE = np.asarray(math.nan)


class Shaped(Vec):
    """One step's array at each point. Immutable: do not write into ``arrays``.

    Arrays of one shape, which are not large, are kept as one stack, and computed with as one.
    """

    __slots__ = ("_arrays", "_slim", "_stack", "_top", "_tops")
    shaped = True
    _slim: Shaped

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

    @staticmethod
    def at_one(array: Any) -> Shaped:
        """A float64 array at one point."""
        out = Shaped.__new__(Shaped)
        out._arrays, out._stack = (array,), False
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
    def slim(self) -> Shaped:
        """The first random point alone, or the one point that there is."""
        if self.points == 1:
            return self
        try:
            return self._slim
        except AttributeError:  # it is asked for the first time
            self._slim = Shaped(self.arrays[1:2])
            return self._slim

    @property
    def numbers(self) -> int:
        """How many entries there are, at all points together."""
        size: int = self._stack.size if self._arrays is None else self._arrays[0].size * len(self._arrays)
        return size

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
                    self._floats = tuple((flat @ weights(flat.shape[1])).tolist())
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
            finite = math.isfinite(most)
            if finite and abs(a - b) > 2 * most:
                return False
            # The sums of a long series are alike in many entries, and seldom in all of a few.
            if finite and mine.size > MANY and are_apart(mine, theirs, max(self.top, found.top)):
                return False
            equal = agree_at_once(mine, theirs)
            if equal is not None:
                return equal
        return agree(self.arrays, found.arrays)

    def same_at_user(self, other: Vec) -> bool:
        a, b = self.arrays[0], lifted(other).arrays[0]
        return a.shape == b.shape and close(a, b) is True

    def alike(self, other: Vec) -> bool:
        """The same numbers in the same order, whatever the shape; or one number where it stands in every entry."""
        mine, theirs = self.arrays, lifted(other).arrays
        if mine[0].size == theirs[0].size:
            return agree([a.ravel() for a in mine], [b.ravel() for b in theirs])
        if 1 in (mine[0].size, theirs[0].size) and mine[0].size and theirs[0].size:
            pairs = [np.broadcast_arrays(a.ravel(), b.ravel()) for a, b in zip(mine, theirs, strict=True)]
            return agree([a for a, _ in pairs], [b for _, b in pairs])
        return False

    def has_entries_of(self, other: Vec) -> bool:
        """The same numbers, in whatever order and shape."""
        mine, theirs = self.arrays, lifted(other).arrays
        sizes = mine[0].size == theirs[0].size
        return sizes and agree([np.sort(a.ravel()) for a in mine], [np.sort(b.ravel()) for b in theirs])

    def _number(self) -> Fraction | None:
        some = self.arrays[0].flat[:FEW]
        if math.isfinite(some.sum()) and (np.abs(some - some[:1]) > TOLERANCE * np.abs(some[:1])).any():
            return None  # most are told by a few entries
        parts = [a[~np.isnan(a)].ravel() for a in self.arrays]
        values = np.concatenate(parts)
        # 0/0 may be anything; what is something divided by nothing is no multiple.
        if values.size < 3 or not all(p.size for p in parts) or not np.isfinite(values).all():
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


def run(op: Op, args: Sequence[Shaped], params: Mapping[str, Any]) -> Shaped:
    """One step of a graph; NaN at the points where the arrays do not fit."""
    spend(1, args[0].numbers)
    if is_quiet():
        return _run(op, args, params)
    with unwarned():
        return _run(op, args, params)


def _run(op: Op, args: Sequence[Shaped], params: Mapping[str, Any]) -> Shaped:
    compute = function(op.name)
    if args[0].points == 1:
        return _glimpse(compute, args, params)
    sums = adds(op.name)
    if (found := _at_once(op, args, params, sums)) is not None:
        return found
    out = []
    for k, arrays in enumerate(zip(*[a.arrays for a in args], strict=True)):
        try:
            value = np.asarray(compute(*arrays, **params), dtype=np.float64)
            if sums and value.size:
                value = without_rests(value, arrays, [a.tops[k] for a in args], compute, params, op)
        except MISFITS:
            value = NOWHERE
        out.append(value)
    return Shaped(out)


def _glimpse(compute: Callable[..., Any], args: Sequence[Shaped], params: Mapping[str, Any]) -> Shaped:
    """One step at one point; what cancels is left as it is, since this is no proof."""
    arrays = [array for a in args for array in a.arrays]
    if len(arrays) != len(args):
        raise ValueError("not at one point")
    try:
        value = compute(*arrays, **params)
        if type(value) is not np.ndarray or value.dtype is not FLOAT:
            value = np.asarray(value, dtype=np.float64)
    except MISFITS:
        value = NOWHERE
    return Shaped.at_one(value)


@cache
def _stacked(name: str) -> Callable[..., Any] | None:
    return stacked(OPS[name])


def _at_once(op: Op, args: Sequence[Shaped], params: Mapping[str, Any], sums: bool) -> Shaped | None:
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
        if not sums:
            return Shaped.of(value)
        rid = without_rests_at_once(value, stacks, [a.top for a in args], compute, params, op)
        if rid is None:
            return None
        out = Shaped.of(rid[0])
        out._top = rid[1]
        return out
    except MISFITS:
        return None  # where the shapes do not fit, that is said point by point


def is_nowhere(vec: Vec) -> bool:
    """The value of a step whose inputs do not fit, at any point: the program would end there."""
    return isinstance(vec, Shaped) and vec._arrays is not None and all(a is NOWHERE for a in vec._arrays)


def shape_of(op: Op, shapes: Sequence[Shape], params: Mapping[str, Any]) -> Shape | None:
    """The shape of an op's value; ``None`` where the inputs do not fit."""
    try:
        return _shape_of(op.name, tuple(shapes), tuple(params.items()))
    except TypeError:  # a parameter that has no hash
        return _shape_of.__wrapped__(op.name, tuple(shapes), tuple(params.items()))


@lru_cache(maxsize=1 << 14)
def _shape_of(name: str, shapes: tuple[Shape, ...], params: tuple[tuple[str, Any], ...]) -> Shape | None:
    """What changes are tried with is of few shapes: each is found out once."""
    try:
        return typed(name, shapes, dict(params))[1]
    except MISFITS:
        return None


def _attempt(compute: Callable[..., Any], arrays: Sequence[Any]) -> Any:
    with unwarned():
        try:
            return np.asarray(compute(*arrays), dtype=np.float64)
        except MISFITS:
            return np.asarray(math.nan)
