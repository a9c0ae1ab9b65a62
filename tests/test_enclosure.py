"""Proofs: digits against mpmath, domains, kinks with their one-sided derivatives, and limits of effort."""

from __future__ import annotations

import math
from fractions import Fraction

import mpmath
import pytest
from flint import arb, ctx

from symgrad import SymgradError
from symgrad.backward import backward
from symgrad.enclosure import FIRST_BITS, LAST_BITS, PROVEN_BITS, Proof, precision, prove
from symgrad.formats import FORMATS
from symgrad.frontends.expression import parse
from symgrad.points import read_point


def proof(text: str, at: str, fmt: str = "float64") -> Proof:
    graph = parse(text)
    return prove(backward(graph, list(graph.variables.values()), "accurate"), read_point(graph, at, FORMATS[fmt]))


#: The text, its variable, the point, the same in mpmath, and the digits of that: 600 where the value may be 1e-260, and
#: fewer where it is slow.
MPMATH = [
    ("40*tanh(w*tanh(w*0.5))", "w", 20, lambda w: 40 * mpmath.tanh(w * mpmath.tanh(w / 2)), 600),
    ("exp(-x^2)*erf(x)", "x", 3, lambda x: mpmath.exp(-(x**2)) * mpmath.erf(x), 600),
    ("gamma(x)/x", "x", 4.5, lambda x: mpmath.gamma(x) / x, 100),
    ("sin(x)-x", "x", 2.0**-20, lambda x: mpmath.sin(x) - x, 600),  # the derivative is -x**2/2: cancels
    ("log(1+exp(x))", "x", -200, lambda x: mpmath.log(1 + mpmath.exp(x)), 600),
    ("tanh(x)", "x", 300, mpmath.tanh, 600),  # 1e-260
    ("cos(1e22*x)", "x", 1, lambda x: mpmath.cos(mpmath.mpf(10) ** 22 * x), 600),
    ("atan2(x, 2)*hypot(x, 1)", "x", 0.75, lambda x: mpmath.atan2(x, 2) * mpmath.hypot(x, 1), 600),
]


@pytest.mark.parametrize(("text", "name", "at", "function", "digits"), MPMATH, ids=[m[0] for m in MPMATH])
def test_digits_against_mpmath(text: str, name: str, at: float, function, digits: int) -> None:
    found = proof(text, f"{name}={at!r}")
    with mpmath.workdps(digits + 100):
        x = mpmath.mpf(at)
        value, slope = function(x), mpmath.diff(function, x, h=mpmath.mpf(10) ** -(digits // 2 + 40))
        # The central difference errs by h**2 times the third derivative: below 10**-digits here.
        for ball, truth in ((found.output.ball, value), (found.gradients[0].ball, slope)):
            with precision(2000):
                allowed = abs(ball) * arb((1, -PROVEN_BITS)) + arb(f"1e-{digits - 10}")
                assert abs(ball - arb(mpmath.nstr(truth, digits))) <= allowed
    assert found.gradients[0].defined
    assert found.gradients[0].kink is None


def test_precision_is_doubled_as_far_as_needed_and_put_back() -> None:
    before = ctx.prec
    assert proof("x*x", "x=3").bits == FIRST_BITS
    assert proof("(x+1e50)-1e50", "x=1").bits > FIRST_BITS
    assert proof("exp(x)-exp(-x)*0", "x=1").bits == FIRST_BITS
    assert ctx.prec == before
    with pytest.raises(RuntimeError), precision(777):
        raise RuntimeError
    assert ctx.prec == before


def test_what_cannot_be_proven_is_said_so() -> None:
    """An exact zero that only algebra could prove, beyond any precision."""
    found = proof("exp(log(x)*2) - x^2", "x=3").gradients[0]
    # d/dx is 0; balls around it shrink below 2**-4096, where no format could tell.
    assert found.defined
    assert found.ball.contains(0)
    assert abs(found.ball).abs_upper() < arb((1, -4096))


OUTSIDE = [
    ("log(x)", "x=-1", "log needs a positive argument; here it is given -1", "1:1"),
    ("y = x; f = 1 + log(y - 3)", "x=2", "log needs a positive argument; here it is given -1", "1:16"),
    ("sqrt(x)", "x=-0.25", "sqrt needs an argument that is not negative; here it is given -0.25", "1:1"),
    ("x^0.5", "x=-2", "a base that is not negative when the exponent is not an integer", "1:1"),
    ("asin(x)", "x=1.5", "asin needs", "1:1"),
    ("acosh(x)", "x=0.5", "acosh needs", "1:1"),
    ("atanh(x)", "x=-3", "atanh needs", "1:1"),
]


@pytest.mark.parametrize(("text", "at", "message", "place"), OUTSIDE)
def test_outside_the_domain_is_bad_input_with_a_place(text: str, at: str, message: str, place: str) -> None:
    with pytest.raises(SymgradError) as caught:
        proof(text, at)
    assert message in caught.value.message
    assert str(caught.value.span) == f"expression:{place}"


EDGES = [
    ("log(x)", "x=0", "log needs a positive argument, and is given 0, the edge of its domain"),
    ("1/x", "x=0", "needs a denominator other than zero, and is given 1 and 0"),
    ("x/(y-2)", "x=0,y=2", "denominator other than zero"),
    ("sqrt(x)", "x=0", "sqrt has no finite derivative at 0"),
    ("x^0.5", "x=0", "has no finite derivative"),
    ("cbrt(x)", "x=0", "cbrt has no finite derivative"),
    ("asin(x)", "x=1", "asin has no finite derivative at 1"),
    ("x^-2", "x=0", "base other than zero when the exponent is negative"),
    ("atan2(x, x)", "x=0", "not both zero"),
    ("hypot(x, y)", "x=0,y=0", "hypot has no finite derivative"),
    ("exp(exp(exp(exp(x))))", "x=5", "too large to be enclosed"),
]


@pytest.mark.parametrize(("text", "at", "reason"), EDGES, ids=[e[0] for e in EDGES])
def test_at_the_edge_there_is_no_derivative(text: str, at: str, reason: str) -> None:
    found = proof(text, at).gradients[0]
    assert not found.defined
    assert reason in found.reason
    assert found.where is not None


#: text, left and right derivative at x = 0; ``None`` where that side has no finite one.
KINKS: list[tuple[str, float | None, float | None]] = [
    ("relu(x)", 0, 1),
    ("relu(-x)", -1, 0),
    ("abs(x)", -1, 1),
    ("abs(3x)", -3, 3),
    ("1e-30*abs(x)", -1e-30, 1e-30),
    ("1e30*relu(x)", 0, 1e30),
    ("max(x, 2x)", 1, 2),
    ("max(x, 2x, 3x)", 1, 3),
    ("min(x, -x)", 1, -1),
    ("hardtanh(x-1)", 0, 1),
    ("hardtanh(x+1)", 1, 0),
    ("leaky_relu(x, 1/4)", 0.25, 1),
    ("elu(x, 2)", 2, 1),
    ("where(x < 0, -x, x)", -1, 1),
    ("where(x <= 0, sin(x), 3x)", 1, 3),
    ("relu(relu(x))", 0, 1),
    ("exp(abs(x))", -1, 1),
    ("relu(x) + relu(-x)", -1, 1),
    ("relu(sin(x))", 0, 1),
    ("relu(x)*relu(x + 1)", 0, 1),
    ("abs(x) + relu(x - sin(x))", -1, 1),
]


@pytest.mark.parametrize(("text", "left", "right"), KINKS, ids=[k[0] for k in KINKS])
def test_kinks_have_two_derivatives(text: str, left: float, right: float) -> None:
    found = proof(text, "x=0").gradients[0]
    assert not found.defined
    assert "kink" in found.reason
    assert float(found.left) == pytest.approx(left, rel=1e-15)
    assert float(found.right) == pytest.approx(right, rel=1e-15)


SMOOTH = [
    ("relu(x) - relu(-x)", 1),
    ("relu(x)^2", 0),
    ("max(x, x)", 1),
    ("abs(x)*x", 0),
    ("abs(x)^1.5", 0),
    ("min(x, sin(x))", 1),
    ("max(x, -x)*x", 0),
    ("where(x < 0, x, sin(x))", 1),
    ("where(x < 0, x^2, x^3)", 0),
    ("1e-40*(relu(x) - relu(-x))", 1e-40),
    ("relu(x) + min(x, 0)", 1),
    ("cos(abs(x))", 0),
    ("where(x != 0, sin(x)/x, 1)", 0),
    ("relu(x - sin(x))", 0),
    ("relu(x^3)", 0),
]


@pytest.mark.parametrize(("text", "slope"), SMOOTH, ids=[s[0] for s in SMOOTH])
def test_where_both_sides_agree_there_is_a_derivative(text: str, slope: float) -> None:
    found = proof(text, "x=0").gradients[0]
    assert found.defined
    assert found.kink is not None
    assert float(found.ball) == pytest.approx(slope, rel=1e-15, abs=0)
    assert float(found.left) == float(found.right) == float(found.ball)


JUMPS = [
    ("sign(x)", "sign jumps here: -1 on the left, 0 at the point, 1 on the right"),
    ("heaviside(x)", "heaviside jumps here: 0 on the left, 0.5 at the point, 1 on the right"),
    ("heaviside(x, 1)", "heaviside jumps here: 0 on the left, 1 on the right"),
    ("where(x < 0, 1, 2)", "'<' jumps here: 1 on the left, 2 on the right"),
    ("where(x == 0, 1, x)", "'==' jumps here: 0 on the left, 1 at the point, 0 on the right"),
    ("1e-50*sign(x) + x", "jumps here: -1e-50 on the left, 0 at the point, 1e-50 on the right"),
]


@pytest.mark.parametrize(("text", "reason"), JUMPS, ids=[j[0] for j in JUMPS])
def test_jumps(text: str, reason: str) -> None:
    found = proof(text, "x=0").gradients[0]
    assert not found.defined
    assert reason in found.reason


def test_a_kink_is_no_jump_where_the_value_is_not_exact() -> None:
    """sin(2) is known to so many digits only; the values beside the point must not be held against those."""
    kinked = proof("relu(x - 2) + sin(x)", "x=2").gradients[0]
    assert "relu has a kink here: the derivative is -0.416147 on the left, 0.583853 on the right" in kinked.reason
    smooth = proof("relu(x - 2) - relu(2 - x) + sin(x)", "x=2").gradients[0]
    assert smooth.defined
    assert float(smooth.ball) == pytest.approx(math.cos(2) + 1, rel=1e-15)


def test_a_jump_that_is_multiplied_away_is_none() -> None:
    found = proof("x^2*sign(x)", "x=0").gradients[0]
    assert found.defined
    assert found.ball.is_zero()


def test_one_side_without_a_finite_derivative() -> None:
    found = proof("where(x < 0, x, sqrt(abs(x)))", "x=0").gradients[0]
    assert not found.defined
    assert found.reason


def test_a_tie_that_no_precision_can_prove_is_said_so() -> None:
    found = proof("max(x, x/3*3)", "x=0").gradients[0]
    assert not found.defined
    assert "could be proven" in found.reason


def test_a_kink_that_a_variable_does_not_move_is_none_for_it() -> None:
    found = proof("relu(x)*z + z^2", "x=0,z=3").gradients
    dx, dz = found
    assert not dx.defined
    assert (float(dx.left), float(dx.right)) == (0, 3)
    assert dz.defined
    assert float(dz.ball) == 6


def test_next_to_a_kink_there_is_none() -> None:
    """The smallest number that float64 has is no zero."""
    for x, slope in (("5e-324", 1), ("-5e-324", 0)):
        found = proof("relu(x)", f"x={x}").gradients[0]
        assert found.defined
        assert float(found.ball) == slope
    near = proof("relu(x - 0.1)", "x=0.1").gradients[0]  # 0.1 in binary is above one tenth
    assert near.defined
    assert float(near.ball) == 1


def test_a_kink_in_what_the_output_does_not_use_is_none() -> None:
    found = proof("unused = relu(x); f = x^2", "x=0").gradients[0]
    assert found.defined
    assert found.kink is None


def test_many_steps_lower_the_limit_of_precision() -> None:
    """9**9**9 has 369,693,100 digits; a float is not asked for them, and nothing takes long."""
    found = proof("x*9**9**9", "x=1")
    assert found.bits <= LAST_BITS
    assert found.gradients[0].defined


@pytest.mark.parametrize("fmt", FORMATS)
def test_the_point_is_what_the_format_holds(fmt: str) -> None:
    found = proof("x", "x=0.1", fmt)
    rounded = FORMATS[fmt].round(Fraction(1, 10))
    assert rounded is not None
    assert found.output.ball == arb(rounded.numerator) / rounded.denominator
