"""Verdicts: what is agreement, rounding, a mistake, and no derivative at all."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from flint import arb
from hypothesis import given
from hypothesis import strategies as st

from symgrad.enclosure import Proven
from symgrad.formats import FORMATS
from symgrad.judge import AGREE, DISAGREE, ROUNDING, UNDEFINED, VERDICTS, Judgement, judge, worst
from symgrad.ops.balls import exact_ball
from symgrad.rounding import Bound

F64, F32, F16 = FORMATS["float64"], FORMATS["float32"], FORMATS["float16"]
U = 2.0**-53


def bound(value: float | arb) -> Bound:
    return Bound(arb(value), 0, -1)


def verdict(value: float, truth: float | arb | Fraction, limit: float | arb, fmt=F64, **kind) -> str:
    ball = exact_ball(truth) if isinstance(truth, Fraction) else arb(truth)
    return judge(value, Proven(ball, **kind), bound(limit), fmt).verdict


def test_within_a_sharp_bound_is_agreement() -> None:
    assert verdict(1.0, 1, U) == AGREE
    assert verdict(1.0 + 2 * U, 1, 4 * U) == AGREE
    assert verdict(-3.0, -3, 4 * U) == AGREE


def test_beyond_the_bound_is_a_mistake_however_small() -> None:
    assert verdict(1.0 + 2 * U, 1, U) == DISAGREE
    assert verdict(1.0 + 1e-6, 1, 1e3 * U) == DISAGREE
    assert verdict(-1.0, 1, 1e3 * U) == DISAGREE
    assert verdict(0.0, 1e-300, 1e-310) == DISAGREE
    # A hair beyond and a hair within.
    assert verdict(1.0 + 2 * U, 1, 2 * U * (1 - 1e-12)) == DISAGREE
    assert verdict(1.0 + 2 * U, 1, 2 * U * (1 + 1e-12)) == AGREE


@pytest.mark.parametrize("fmt", FORMATS.values(), ids=FORMATS)
def test_a_bound_that_leaves_less_than_half_of_the_digits_is_rounding(fmt) -> None:
    half = 2.0 ** (-fmt.digits / 2)
    assert verdict(1.0, 1, half * 0.99, fmt) == AGREE
    assert verdict(1.0, 1, half * 1.01, fmt) == ROUNDING
    assert verdict(0.0, 1, 2.0, fmt) == ROUNDING


def test_a_proven_zero() -> None:
    assert verdict(0.0, 0, 0) == AGREE
    assert verdict(-0.0, 0, 0) == AGREE
    assert verdict(0.0, 0, 1e-10) == AGREE  # exactly right, whatever the bound
    assert verdict(1e-17, 0, 1e-16) == ROUNDING
    assert verdict(1e-15, 0, 1e-16) == DISAGREE


def test_a_truth_below_the_normal_range_needs_its_nearest_neighbours_only() -> None:
    tiny = Fraction(1, 2**1074)
    assert verdict(0.0, tiny / 3, 0) == AGREE
    assert verdict(5e-324, tiny / 3, 0) == AGREE
    assert verdict(float(3 * tiny), tiny * 5 / 2, 0) == AGREE
    assert verdict(float(9 * tiny), tiny * 5 / 2, 0) == DISAGREE
    # The smallest normal number is not below the range: there, the bound counts.
    assert verdict(math.nextafter(2.0**-1022, 1), Fraction(1, 2**1022), 0) == DISAGREE
    # 6e-8 is the smallest subnormal of float16.
    assert verdict(0.0, 5e-8, 0, F16) == AGREE
    assert verdict(0.0, 5e-8, 0, F32) == DISAGREE


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
def test_a_value_that_is_not_finite(value: float) -> None:
    assert verdict(value, 1, 1e-10) == DISAGREE
    assert verdict(value, 0, 0) == DISAGREE
    assert verdict(value, 1, math.inf) == ROUNDING  # the computation leaves the range on its way
    assert verdict(value, 1e39, 1e30, F32) == ROUNDING  # the truth itself is out of range
    assert verdict(value, 1e38, 1e30, F32) == DISAGREE
    assert math.isinf(judge(value, Proven(arb(1)), bound(U), F64).difference)


def test_an_infinite_bound_never_condemns() -> None:
    assert verdict(12345.0, 1, math.inf) == ROUNDING


def test_no_derivative_is_undefined_whatever_was_computed() -> None:
    for value in (0.0, 1.0, math.nan, math.inf):
        found = judge(value, Proven(arb("nan"), reason="relu has a kink here"), bound(U), F64)
        assert found.verdict == UNDEFINED
        assert math.isnan(found.difference)


def test_at_a_kink_whose_sides_agree_a_framework_is_free() -> None:
    assert verdict(0.0, 1, U, kink=3, left=arb(1), right=arb(1)) == UNDEFINED
    assert verdict(math.nan, 1, U, kink=3) == UNDEFINED
    assert verdict(math.nan, 1, math.inf, kink=3) == UNDEFINED
    assert verdict(1.0, 1, U, kink=3) == AGREE
    assert verdict(0.0, 1, U) == DISAGREE


def test_an_uncertain_truth_is_given_the_benefit_of_its_doubt() -> None:
    truth = arb(1, 1e-3)
    assert verdict(1.0005, truth, 0) == ROUNDING or verdict(1.0005, truth, 0) == AGREE
    assert verdict(1.002, truth, 0) == DISAGREE
    assert judge(1.0005, Proven(truth), bound(0), F64).difference == 0


def test_units_of_the_bound() -> None:
    assert Judgement(AGREE, 0.0, 0.0).in_bounds == 0
    assert Judgement(AGREE, 1.0, 4.0).in_bounds == 0.25
    assert Judgement(DISAGREE, 1.0, 0.0).in_bounds == math.inf
    found = judge(1.0 + 2 * U, Proven(arb(1)), bound(4 * U), F64)
    assert found.difference == 2 * U
    assert found.bound == 4 * U
    # A bound too small for a float does not become 0, nor one too large a number.
    assert judge(1.0, Proven(arb(1)), bound(arb((1, -5000))), F64).bound == 5e-324
    assert judge(1.0, Proven(arb(1)), bound(arb((1, 5000))), F64).bound == math.inf


def test_the_worst_verdict() -> None:
    assert worst([]) == AGREE
    assert worst([AGREE, ROUNDING, AGREE]) == ROUNDING
    assert worst([UNDEFINED, ROUNDING]) == UNDEFINED
    assert worst([UNDEFINED, DISAGREE, AGREE]) == DISAGREE
    assert [worst([v]) for v in VERDICTS] == list(VERDICTS)


SEVERITY = {AGREE: 0, ROUNDING: 0, UNDEFINED: 1, DISAGREE: 1}


@given(
    truth=st.floats(-1e300, 1e300, allow_nan=False),
    value=st.floats(allow_nan=False, allow_infinity=False),
    small=st.floats(0, 1e300),
    factor=st.floats(1, 1e6),
)
def test_a_wider_bound_never_makes_a_mistake_of_what_was_none(
    truth: float, value: float, small: float, factor: float
) -> None:
    tight, wide = verdict(value, truth, small), verdict(value, truth, small * factor)
    assert SEVERITY[wide] <= SEVERITY[tight]
    exactly = verdict(truth, truth, small)
    assert exactly in (AGREE, ROUNDING)
