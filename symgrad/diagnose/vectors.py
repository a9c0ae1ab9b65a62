"""Values at several points at once: the user's point first, then random ones near it.

Everything in a diagnosis is compared through these vectors. They hold Arb balls of high precision, so that a difference
is never rounding; a match is a match at every point, which random points make practically impossible to happen by luck.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any

from flint import arb

from symgrad.ops import OPS, Op, TensorOp
from symgrad.ops.balls import NAN, ArbMath, exact_ball
from symgrad.ops.inverses import INVERSES

#: Two values are the same if they differ by less than this, relatively. Looser than the arithmetic needs, since people
#: write 0.3989 for 1/sqrt(2*pi) and 1e-8 into denominators; tighter than any mistake.
TOLERANCE = 1e-6
_M = ArbMath()


class Vec:
    """One step's value at each point. Immutable; ``floats`` are for comparing, ``balls`` for computing."""

    __slots__ = ("balls", "floats")
    #: Whether it holds arrays: see :class:`symgrad.diagnose.shaped.Shaped`.
    shaped = False

    def __init__(self, balls: Sequence[Any]) -> None:
        self.balls = tuple(balls)
        self.floats = tuple(_float(b) for b in self.balls)

    def __add__(self, other: Vec) -> Vec:
        return Vec([a + b for a, b in zip(self.balls, other.balls, strict=True)])

    def __sub__(self, other: Vec) -> Vec:
        return Vec([a - b for a, b in zip(self.balls, other.balls, strict=True)])

    def __mul__(self, other: Vec) -> Vec:
        return Vec([a * b for a, b in zip(self.balls, other.balls, strict=True)])

    def __truediv__(self, other: Vec) -> Vec:
        return Vec([a / b if not b.contains(0) else NAN for a, b in zip(self.balls, other.balls, strict=True)])

    def __neg__(self) -> Vec:
        return Vec([-a for a in self.balls])

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
        return all(b.contains(0) for b, x in zip(self.balls, self.floats, strict=True) if math.isfinite(x))

    @property
    def usable(self) -> bool:
        """Finite at two random points at least."""
        return sum(math.isfinite(x) for x in self.floats[1:]) >= 2

    def same(self, other: Vec) -> bool:
        """Equal at every point where both are finite (two random points at least)."""
        if other.shaped:
            return other.same(self)
        shared = 0
        for k, (a, b) in enumerate(zip(self.floats, other.floats, strict=True)):
            if not (math.isfinite(a) and math.isfinite(b)):
                continue
            if abs(a - b) > TOLERANCE * max(abs(a), abs(b)):
                first, second = self.balls[k], other.balls[k]
                if not (first.contains(0) and second.contains(0)):
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
        return each(op.enclose, *args)

    def each(self, compute: Callable[..., Any], args: Sequence[Vec]) -> Vec:
        """A function of the values at every point; NaN where it has none."""
        out = []
        for balls in zip(*(a.balls for a in args), strict=True):
            try:
                value = compute(*balls)
                out.append(value if isinstance(value, arb) else arb(value))
            except (ValueError, ZeroDivisionError, OverflowError):
                out.append(NAN)
        return Vec(out)

    def rule(self, rule: Any, y: Vec, args: Sequence[Vec]) -> Vec:
        """A local derivative of the table."""
        return self.each(lambda y, *x: rule(_M, y, *x), (y, *args))

    def constant(self) -> Fraction | None:
        """The value as a simple rational, if it is the same one at every point."""
        finite = [x for x in self.floats if math.isfinite(x)]
        if len(finite) < 3 or any(abs(x - finite[0]) > TOLERANCE * abs(finite[0]) for x in finite):
            return None
        simple = Fraction(finite[0]).limit_denominator(1000)
        # Far tighter than a match: 167/296 is not pi, however close.
        if simple == 0 or abs(float(simple) - finite[0]) > 1e-13 * abs(finite[0]):
            return None
        return simple


def _float(ball: Any) -> float:
    if not ball.is_finite():
        return math.nan
    try:
        return float(ball.mid())
    except OverflowError:
        return math.inf


def constant(value: Fraction | int | str, points: int) -> Vec:
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
        from symgrad.diagnose.shaped import lifted

        kind = lifted(args[0])
    return kind.run(op, args, dict(params))


def apply_rule(rule: Any, y: Vec, args: Sequence[Vec]) -> Vec:
    """A local derivative of the table."""
    return _kind((y, *args)).rule(rule, y, args)


def inverses(op: Op, args: Sequence[Vec], slot: int, wanted: Vec) -> Iterator[Vec]:
    """What the input at ``slot`` would have to be for ``op`` to give ``wanted``, the other inputs as they are."""
    for branch in INVERSES.get((op.name, slot), ()):
        found = each(lambda w, *x, branch=branch: branch(w, *x), wanted, *args)
        if found.usable and found.shape == args[slot].shape:
            yield found


def _kind(args: Sequence[Vec]) -> Vec:
    """The argument that says how to compute: arrays, where there is one."""
    return next((a for a in args if a.shaped), args[0])
