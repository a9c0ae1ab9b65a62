"""Values at several points at once: the user's point first, then random ones near it.

Everything in a diagnosis is compared through these vectors. They hold Arb balls of high precision, so that a difference
is never rounding; a match is a match at every point, which random points make practically impossible to happen by luck.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from fractions import Fraction
from functools import cache, lru_cache
from typing import Any

import numpy as np
from flint import arb, ctx

from symgrad.effort import spend
from symgrad.errors import InternalError
from symgrad.ops import OPS, Op, TensorOp, sign_of
from symgrad.ops.balls import NAN, ArbMath, exact_ball
from symgrad.ops.inverses import INVERSES
from symgrad.ops.values import scalar

#: Working precision: enough that cancellation in a saturated function never looks like a mistake.
PRECISION = 256

#: Two values are the same if they differ by less than this, relatively. Looser than the arithmetic needs, since people
#: write 0.3989 for 1/sqrt(2*pi) and 1e-8 into denominators; tighter than any mistake.
TOLERANCE = 1e-6
#: Values that differ by more than this, relatively, are different however their floats were come by.
ROUGH = 1e-3
#: Only values beyond this are told apart by floats: what is smaller may be a zero that cancellation left.
PLAIN = 1e-12
#: Operands and values between these are multiplied in floats; a sum that is less than this part of its terms, and a
#: function that magnifies a change (of NUDGE) of its arguments by more than this, have lost too many digits.
LOW, HIGH, CANCELLED, NUDGE, MAGNIFIED = 1e-30, 1e30, 1e-6, 1e-9, 1e5
_M = ArbMath()


class Vec:
    """One step's value at each point. Immutable; ``floats`` are for comparing, ``balls`` for computing.

    Most values that a diagnosis asks for are looked at once, found to be nothing that is known, and dropped. So sums,
    products and the values of ops are worked out when they are asked for, and :meth:`rough` tells from the floats of
    the operands that a value is not another one. Only what that leaves open is computed in balls.
    """

    __slots__ = ("_balls", "_constant", "_floats", "_how", "_lifted")
    #: Whether it holds arrays: see :class:`symgrad.diagnose.values.shaped.Shaped`.
    shaped = False

    def __init__(self, balls: Sequence[Any]) -> None:
        self._balls: tuple[Any, ...] | None = tuple(balls)
        self._floats: tuple[float, ...] | None = None
        self._how: _How | None = None

    @property
    def balls(self) -> tuple[Any, ...]:
        """The value at every point, enclosed; NaN where there is none."""
        if self._balls is None:
            assert self._how is not None  # what has no balls yet knows how to make them
            self._balls, self._how = _made(self._how), None
        return self._balls

    @property
    def floats(self) -> tuple[float, ...]:
        """The value at every point, rounded."""
        if self._floats is None:
            self._floats = tuple([float(b) if b.is_finite() else math.nan for b in self.balls])
        return self._floats

    @property
    def lifted(self) -> Any:
        """The same as arrays, where that was asked for; see :func:`symgrad.diagnose.values.shaped.lifted`."""
        return getattr(self, "_lifted", None)

    @lifted.setter
    def lifted(self, arrays: Any) -> None:
        self._lifted = arrays

    @property
    def is_function(self) -> bool:
        """It is the value of a function, and not worked out yet."""
        return self._how is not None and self._how[0] == "f"

    @property
    def _is_plain(self) -> bool:
        """It is a sum or the like, and not worked out yet: what has a rough value has an exact one, too."""
        return self._how is not None and self._how[0] != "f"

    @property
    def one(self) -> float:
        """The value at the first random point, as far as it is told from others by what costs least."""
        return self.floats[1] if self.is_function else self.rough(1)

    def rough(self, k: int) -> float:
        """The value at one point to some nine digits, by what costs least; NaN where floats cannot tell it."""
        if self._floats is not None:
            return self._floats[k]
        return self.floats[k] if self._how is None else _rough(self._how, k)

    def __add__(self, other: Vec) -> Vec:
        return _later("+", None, (self, other))

    def __sub__(self, other: Vec) -> Vec:
        return _later("-", None, (self, other))

    def __mul__(self, other: Vec) -> Vec:
        return _later("*", None, (self, other))

    def __truediv__(self, other: Vec) -> Vec:
        return _later("/", None, (self, other))

    def __neg__(self) -> Vec:
        return _later("~", None, (self,))

    @property
    def shape(self) -> tuple[int, ...]:
        return ()

    @property
    def at_user(self) -> float:
        """The value at the user's own point."""
        return self.floats[0]

    @property
    def is_zero(self) -> bool:
        """Zero as far as the arithmetic can tell: a gradient that has vanished to 1e-200 is not."""
        if self._is_plain and abs(self.rough(1)) > PLAIN:
            return False
        return all(b.contains(0) for b, x in zip(self.balls, self.floats, strict=True) if math.isfinite(x))

    @property
    def usable(self) -> bool:
        """Finite at two random points at least."""
        if self._is_plain and math.isfinite(self.rough(1)) and math.isfinite(self.rough(2)):
            return True
        return sum(math.isfinite(x) for x in self.floats[1:]) >= 2

    def same(self, other: Vec) -> bool:
        """Equal at every point where both are finite (two random points at least)."""
        if other.shaped:
            return other.same(self)
        if self._how is not None or other._how is not None:
            first, then = (differ(self.rough(k), other.rough(k)) for k in (1, 2))
            # A function may have a value in floats and none in balls; at three points, two must have one.
            if (first and then) or ((first or then) and not (self.is_function or other.is_function)):
                return False
        shared = 0
        for k, (a, b) in enumerate(zip(self.floats, other.floats, strict=True)):
            apart = abs(a - b)
            if not apart < math.inf and not (math.isfinite(a) and math.isfinite(b)):
                continue
            if apart and apart > TOLERANCE * max(abs(a), abs(b)) and not (
                self.balls[k].contains(0) and other.balls[k].contains(0)
            ):
                return False
            shared += k > 0
        return shared >= 2

    def same_at_user(self, other: Vec) -> bool:
        if other.shaped:
            return other.same_at_user(self)
        a, b = self.floats[0], other.floats[0]
        return math.isfinite(a) and math.isfinite(b) and abs(a - b) <= TOLERANCE * max(abs(a), abs(b))

    def alike(self, other: Vec) -> bool:
        """The same but for the shape."""
        return other.alike(self) if other.shaped else self.same(other)

    def run(self, op: Op, args: Sequence[Vec], params: Mapping[str, Any]) -> Vec:  # noqa: ARG002
        """One step, computed as this vector is."""
        return _later(kind_of(op.name), op, tuple(args))

    def each(self, compute: Callable[..., Any], args: Sequence[Vec]) -> Vec:
        """A function of the values at every point; NaN where it has none."""
        return Vec(_balls_of(compute, args))

    def rule(self, rule: Any, y: Vec, args: Sequence[Vec]) -> Vec:
        """A local derivative of the table."""
        return self.each(lambda y, *x: rule(_M, y, *x), (y, *args))

    def constant(self) -> Fraction | None:
        """The value as a simple rational, if it is the same one at every point."""
        try:
            return self._constant
        except AttributeError:  # it is asked for the first time
            self._constant: Fraction | None = self._number()
            return self._constant

    def _number(self) -> Fraction | None:
        if self._is_plain and differ(self.rough(1), self.rough(2)):
            return None
        finite = [x for x in self.floats if math.isfinite(x)]
        if len(finite) < 3 or any(abs(x - finite[0]) > TOLERANCE * abs(finite[0]) for x in finite):
            return None
        simple = Fraction(finite[0]).limit_denominator(1000)
        # Far tighter than a match: 167/296 is not pi, however close.
        if simple == 0 or abs(float(simple) - finite[0]) > 1e-13 * abs(finite[0]):
            return None
        return simple


# --- values that are worked out when they are asked for -------------------------------------------------------------

#: How a value is made: what it is (a sum, a product, ...), the op where there is one, and the operands.
_How = tuple[str, Op | None, tuple[Vec, ...]]


def _later(kind: str, op: Op | None, args: tuple[Vec, ...]) -> Vec:
    """A value that is not worked out yet. Its operands are: so there are never chains of such values."""
    for a in args:
        if a._balls is None:
            a.balls  # noqa: B018  (worked out now)
    out = Vec.__new__(Vec)
    out._balls = out._floats = None
    out._how = (kind, op, args)
    return out


def _made(how: _How) -> tuple[Any, ...]:
    """The balls of a value, at the precision of all diagnoses, whenever that may be."""
    kind, op, args = how
    spend(1)
    before = ctx.prec
    if before != PRECISION:
        ctx.prec = PRECISION
    try:
        if op is not None:
            return tuple(_balls_of(op.enclose, args))
        a = args[0].balls
        if kind == "~":
            return tuple([-x for x in a])
        b = args[1].balls
        if len(a) != len(b):
            raise InternalError("values at different points")
        pairs = zip(a, b, strict=True)
        if kind == "*":
            return tuple([x * y for x, y in pairs])
        if kind == "+":
            return tuple([x + y for x, y in pairs])
        if kind == "-":
            return tuple([x - y for x, y in pairs])
        return tuple([x / y if not y.contains(0) else NAN for x, y in pairs])
    finally:
        if before != PRECISION:
            ctx.prec = before


def _balls_of(compute: Callable[..., Any], args: Sequence[Vec]) -> list[Any]:
    out = []
    for balls in zip(*[a.balls for a in args], strict=True):
        try:
            value = compute(*balls)
            out.append(value if isinstance(value, arb) else arb(value))
        except (ValueError, ZeroDivisionError, OverflowError):
            out.append(NAN)
    return out


def _rough(how: _How, k: int) -> float:
    """A value at one point from the floats of its operands; NaN where these have lost its digits, or might have."""
    kind, op, args = how
    first = args[0]
    x = (first._floats or first.floats)[k]
    if kind == "~":
        return -x
    if kind == "f":
        assert op is not None  # functions are ops
        return _rough_function(op.name, tuple([a.floats[k] for a in args]))
    then = args[1]
    y = (then._floats or then.floats)[k]
    if kind == "*":
        return x * y if LOW < abs(x) < HIGH and LOW < abs(y) < HIGH else math.nan
    if kind == "/":
        return quotient(x, y)
    return _summed(x, y if kind == "+" else -y)


def quotient(x: float, y: float) -> float:
    """As :meth:`Vec.rough`, of a quotient."""
    return x / y if LOW < abs(x) < HIGH and LOW < abs(y) < HIGH else math.nan


def _summed(x: float, y: float) -> float:
    if not (LOW < abs(x) < HIGH and LOW < abs(y) < HIGH):
        return math.nan
    value = x + y
    return value if abs(value) > CANCELLED * max(abs(x), abs(y)) else math.nan


def difference(x: float, y: float) -> float:
    """As :meth:`Vec.rough`, of a difference."""
    return _summed(x, -y)


def differ(a: float, b: float) -> bool:
    """Two rough values are surely not those of the same number; NaN never is."""
    return abs(a - b) > ROUGH * max(abs(a), abs(b), PLAIN)


def is_other(name: str, args: Sequence[Vec], wanted: Vec) -> bool:
    """The value of an op is surely not this one."""
    if wanted.shaped or any(a.shaped for a in args):
        return False
    how = (kind_of(name), OPS[name], tuple(args))
    return all(differ(_rough(how, k), wanted.rough(k)) for k in (1, 2))


@lru_cache(maxsize=50_000)
def _rough_function(name: str, at: tuple[float, ...]) -> float:
    """A function, where it does not magnify the rounding of its arguments."""
    run = scalar(name)
    try:
        with np.errstate(all="ignore"):
            value = float(run(*at))
            moved = float(run(*[x + NUDGE * abs(x) for x in at]))
    except (ArithmeticError, ValueError, TypeError):
        return math.nan
    sound = LOW < abs(value) < HIGH and abs(moved - value) <= MAGNIFIED * NUDGE * abs(value)
    return value if sound else math.nan


@cache
def kind_of(name: str) -> str:
    """``+``, ``-``, ``*`` or ``/`` for the ops between two numbers, ``f`` for any other."""
    sign = sign_of(name)
    return sign if sign in ("+", "-", "*", "/") else "f"


def constant(value: Fraction | int | str, points: int) -> Vec:
    """A number, at every point; one that is asked for again is the same object."""
    return _constant(value, type(value).__name__, points, ctx.prec)


@lru_cache(maxsize=4096)
def _constant(value: Fraction | int | str, _kind: Hashable, points: int, _bits: int) -> Vec:
    return Vec([exact_ball(value)] * points)


def each(function: Callable[..., Any], *args: Vec) -> Vec:
    """Apply a function of the values (balls, or arrays) at every point; NaN where it has no value."""
    return _kind(args).each(function, args)


def apply(name: str, args: Sequence[Vec], params: Sequence[tuple[str, Any]] = ()) -> Vec:
    """One step of a graph, with its parameters in canonical form."""
    op = OPS[name]
    kind = _kind(args)
    if isinstance(op, TensorOp) and not kind.shaped:
        # Arrays made of numbers: zeros, a stack of scalars.
        from symgrad.diagnose.values.shaped import lifted

        kind = lifted(args[0])
    return kind.run(op, args, dict(params))


def apply_rule(rule: Any, y: Vec, args: Sequence[Vec]) -> Vec:
    """A local derivative of the table."""
    return _kind((y, *args)).rule(rule, y, args)


def inverses(op: Op, args: Sequence[Vec], slot: int, wanted: Vec) -> Iterator[Vec]:
    """What the input at ``slot`` would have to be for ``op`` to give ``wanted``, the other inputs as they are."""
    later = kind_of(op.name) != "f" and not wanted.shaped and not any(a.shaped for a in args)
    for branch in INVERSES.get((op.name, slot), ()):
        # The inverses of sums and products are such, too, and so need not be worked out yet.
        found = branch(wanted, *args) if later else each(branch, wanted, *args)
        if found.usable and found.shape == args[slot].shape:
            yield found


def _kind(args: Sequence[Vec]) -> Vec:
    """The argument that says how to compute: arrays, where there is one."""
    return next((a for a in args if a.shaped), args[0])
