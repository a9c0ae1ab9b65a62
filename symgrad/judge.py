"""From values to verdicts: each witness is held against the proven value and its own rounding bound."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from flint import arb

from symgrad.enclosure import Proven, precision
from symgrad.formats import Format
from symgrad.ops.balls import exact_ball
from symgrad.rounding import BITS, Bound

#: The verdicts, mildest first; a report is as bad as its worst.
AGREE, ROUNDING, UNDEFINED, DISAGREE = "agree", "rounding", "undefined", "disagree"
VERDICTS = (AGREE, ROUNDING, UNDEFINED, DISAGREE)


@dataclass(frozen=True, slots=True)
class Judgement:
    """What is said of one witness for one derivative.

    Attributes:
        verdict: one of :data:`VERDICTS`.
        difference: |value - exact| (NaN where there is no exact value).
        bound: the rounding bound of the witness's own computation.
    """

    verdict: str
    difference: float
    bound: float

    @property
    def in_bounds(self) -> float:
        """The difference in units of the bound."""
        if self.difference == 0:
            return 0.0
        return self.difference / self.bound if self.bound else math.inf


def worst(verdicts: list[str]) -> str:
    """The worst of several verdicts; ``agree`` for none."""
    return max(verdicts, key=VERDICTS.index, default=AGREE)


def judge(value: float, exact: Proven, bound: Bound, fmt: Format) -> Judgement:
    """Hold one computed value against the truth.

    ``agree`` needs more than being within the bound: the bound must leave at least half of the format's digits, or the
    value must be the nearest that the format has to a truth below its normal range. Where the two one-sided derivatives
    agree but the point lies on a kink, a framework's choice at the kink is no mistake.
    """
    with precision(BITS):
        size = _float(bound.value)
        if not exact.defined:
            return Judgement(UNDEFINED, math.nan, size)
        truth = exact.ball
        if not math.isfinite(value):
            lost = not bound.value.is_finite() or abs(truth).abs_upper() > exact_ball(fmt.largest)
            return Judgement(ROUNDING if lost and exact.kink is None else _blame(exact), math.inf, size)
        difference = abs(arb(value) - truth)
        gap = _float(difference.abs_upper()) if not difference.contains(0) else 0.0
        below = abs(truth).abs_upper() < exact_ball(fmt.smallest_normal)
        if below and difference.abs_lower() <= exact_ball(fmt.tiny):
            return Judgement(AGREE, gap, size)
        if difference.abs_lower() > bound.value:
            return Judgement(_blame(exact), gap, size)
        half = abs(truth) * arb(2) ** arb(-fmt.digits / 2)
        sharp = difference.is_zero() if truth.is_zero() else bool(bound.value <= half)
        return Judgement(AGREE if sharp else ROUNDING, gap, size)


def _blame(exact: Proven) -> str:
    return UNDEFINED if exact.kink is not None else DISAGREE


def _float(ball: Any) -> float:
    """The nearest float, rounded so that a positive bound never becomes 0."""
    if not ball.is_finite():
        return math.inf
    try:
        out = float(ball)
    except OverflowError:
        return math.inf
    return 5e-324 if out == 0 and not ball.is_zero() else out
