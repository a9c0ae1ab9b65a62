"""Values at several points at once: the user's point first, then random ones near it.

Everything in a diagnosis is compared through these vectors. They hold Arb balls of high precision, so that a difference
is never rounding; a match is a match at every point, which random points make practically impossible to happen by luck.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from typing import Any

from flint import arb

from symgrad.ops import OPS, Op
from symgrad.ops.balls import NAN, ArbMath, exact_ball
from symgrad.ops.inverses import INVERSES

#: Two values are the same if they differ by less than this, relatively. Looser than the arithmetic needs, since people
#: write 0.3989 for 1/sqrt(2*pi) and 1e-8 into denominators; tighter than any mistake.
TOLERANCE = 1e-6
_M = ArbMath()


class Vec:
    """One step's value at each point. Immutable; ``floats`` are for comparing, ``balls`` for computing."""

    __slots__ = ("balls", "floats")

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
        a, b = self.floats[0], other.floats[0]
        return math.isfinite(a) and math.isfinite(b) and abs(a - b) <= TOLERANCE * max(abs(a), abs(b))

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
    """Apply a function of balls at every point; NaN where it has no value."""
    out = []
    for balls in zip(*(a.balls for a in args), strict=True):
        try:
            value = function(*balls)
            out.append(value if isinstance(value, arb) else arb(value))
        except (ValueError, ZeroDivisionError, OverflowError):
            out.append(NAN)
    return Vec(out)


def apply(name: str, args: Sequence[Vec]) -> Vec:
    """One step of a graph."""
    return each(OPS[name].enclose, *args)


def apply_rule(rule: Any, y: Vec, args: Sequence[Vec]) -> Vec:
    """A local derivative of the table."""
    return each(lambda y, *x: rule(_M, y, *x), y, *args)


def inverses(op: Op, args: Sequence[Vec], slot: int, wanted: Vec) -> Iterator[Vec]:
    """What the input at ``slot`` would have to be for ``op`` to give ``wanted``, the other inputs as they are."""
    for branch in INVERSES.get((op.name, slot), ()):
        found = each(lambda w, *x, branch=branch: branch(w, *x), wanted, *args)
        if found.usable:
            yield found
