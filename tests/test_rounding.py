"""Rounding bounds: never exceeded by torch, never vacuous, and the step that is blamed did lose the digits."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
import torch
from flint import arb
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from symgrad import SymgradError, evaluate
from symgrad.enclosure import precision
from symgrad.formats import FORMATS, Format
from symgrad.frontends.expression import parse
from symgrad.graph import Graph
from symgrad.ops import lower
from symgrad.ops.balls import exact_ball, run_balls
from symgrad.points import read_point
from symgrad.rounding import BITS, ErrorModel
from tests.expressions import COORDINATES, EXPRESSIONS

CPU = torch.device("cpu")


def model(text: str, at: str, fmt: Format = FORMATS["float64"]) -> tuple[Graph, ErrorModel]:
    graph = lower(parse(text)).graph
    point = {graph.find(n): v for n, v in named(text, at, fmt).items()}
    return graph, ErrorModel(graph, point, fmt, [graph.output])


def named(text: str, at: str, fmt: Format) -> dict[str, Fraction]:
    graph = parse(text)
    return {graph.steps[i].name: v for i, v in read_point(graph, at, fmt).items()}


def bound(text: str, at: str, fmt: str = "float64") -> float:
    graph, errors = model(text, at, FORMATS[fmt])
    found = errors.bound(graph.output).value
    return float(found) if found.is_finite() else math.inf


def name_of(graph: Graph, index: int) -> str:
    return graph.steps[index].name if not graph.steps[index].is_hidden else graph.steps[index].op


# --- sound --------------------------------------------------------------------------------------------------------


def checked(text: str, values: dict[str, float], fmt: Format) -> None:
    """torch's value of an expression is within the bound of the enclosed one."""
    graph = lower(parse(text)).graph
    names = graph.variables
    point = {i: fmt.round(Fraction(values[n])) for n, i in names.items()}
    assert None not in point.values()
    with precision(400):
        truth = run_balls(graph, {i: exact_ball(v) for i, v in point.items()})[graph.output]
    assume(truth.is_finite() and truth.rel_accuracy_bits() > 100)
    dtype = evaluate.torch_dtype(fmt)
    tensors = {i: torch.tensor(float(v), dtype=dtype) for i, v in point.items()}
    (computed,) = evaluate.run(graph, tensors, [graph.output], dtype=dtype, device=CPU)
    found = ErrorModel(graph, point, fmt, [graph.output]).bound(graph.output)
    if not found.value.is_finite():
        return
    assert torch.isfinite(computed), text
    with precision(400):
        off = abs(arb(float(computed)) - truth)
        # Below the normal range, the nearest number may be half a subnormal away.
        assert off.abs_lower() <= found.value + exact_ball(fmt.tiny), text


@pytest.mark.parametrize("fmt", FORMATS.values(), ids=FORMATS)
@settings(max_examples=150, deadline=None)
@given(text=EXPRESSIONS, x=COORDINATES, y=COORDINATES)
def test_torch_never_exceeds_the_bound(fmt: Format, text: str, x: float, y: float) -> None:
    try:
        checked(text, {"x": x, "y": y}, fmt)
    except SymgradError:  # one of its functions is used as a name, or there is no variable
        assume(False)


@given(st.lists(st.floats(-1e10, 1e10), min_size=3, max_size=12))
def test_sums_never_exceed_theirs(terms: list[float]) -> None:
    """Python's floats are the witness: added one by one, and exactly."""
    text = " + ".join(f"x{i}" for i in range(len(terms)))
    total = 0.0
    for term in terms:
        total += term
    off = abs(Fraction(total) - sum(map(Fraction, terms)))
    assert off <= Fraction(bound(text, ",".join(f"x{i}={v!r}" for i, v in enumerate(terms))))


# --- not vacuous --------------------------------------------------------------------------------------------------

WELL_CONDITIONED = [
    ("x*y/z", "x=1.1,y=2.3,z=0.7"),
    ("tanh(x)*sigmoid(y)", "x=0.7,y=-1.3"),
    ("exp(sin(x)) + log(y)", "x=0.5,y=3.3"),
    ("sqrt(x^2 + y^2)", "x=3.1,y=4.2"),
    ("erf(x)*gelu(y)", "x=0.3,y=1.7"),
    ("gamma(x) + lgamma(y)", "x=3.3,y=5.5"),
    ("softplus(x)/hypot(x,y)", "x=1.5,y=2.5"),
    ("x^3.5", "x=1.9"),
]


@pytest.mark.parametrize("fmt", FORMATS)
@pytest.mark.parametrize(("text", "at"), WELL_CONDITIONED, ids=[w[0] for w in WELL_CONDITIONED])
def test_well_conditioned_expressions_have_sharp_bounds(text: str, at: str, fmt: str) -> None:
    """A few operations of a few ulp each, conditions below 10: 1000 u leaves all but three digits."""
    graph, _ = model(text, at)
    with precision(BITS):
        values = {graph.find(n): exact_ball(v) for n, v in named(text, at, FORMATS[fmt]).items()}
        truth = abs(float(run_balls(graph, values)[graph.output]))
    u = FORMATS[fmt].roundoff
    assert u / 2 * truth <= bound(text, at, fmt) <= 1e3 * u * truth


def test_one_correctly_rounded_operation_has_the_textbook_bound() -> None:
    """|fl(x op y) - x op y| <= u |x op y|, and 1 % for what is of second order."""
    u = 2.0**-53
    for text, value in (("x*y", 3.3), ("x+y", 4.1), ("x/y", 1.1 / 3)):
        found = bound(text, "x=1.1,y=3")
        assert u * value * 0.999 <= found <= 1.02 * u * value


def test_exact_things_have_no_error() -> None:
    assert bound("x", "x=0.1") == 0
    assert bound("-x", "x=0.1") == 0
    assert bound("max(x, -y)", "x=0.1,y=3") == 0
    assert bound("x - x", "x=0.1") == 0
    assert bound("x*y", "x=0,y=5") == 0
    assert bound("relu(x)", "x=-2") == 0


@pytest.mark.parametrize(
    ("constant", "fmt", "exact"),
    [("0.5", "float64", True), ("3", "bfloat16", True), ("257", "bfloat16", False), ("256", "bfloat16", True),
     ("0.1", "float64", False), ("pi", "float64", False), ("16777217", "float32", False),
     ("16777217", "float64", True), ("65504", "float16", True)],
)  # fmt: skip
def test_constants_err_by_what_the_format_cannot_hold(constant: str, fmt: str, exact: bool) -> None:
    found = bound(f"max(x, {constant})", "x=-1", fmt)
    assert (found == 0) == exact


def test_cancellation_is_seen() -> None:
    """(1 + x) - 1 at x = 2**-40 keeps 13 of 53 bits."""
    found = bound("(1 + x) - 1", f"x={2.0**-40!r}")
    assert 2.0**-53 <= found <= 1.1 * 2.0**-52
    assert bound("(x + y) - y", "x=1e-20,y=1") > 1e-20  # no digit is left


def test_overflow_is_named() -> None:
    for text, at, fmt, where in (
        ("a = x*x; f = 1/a", "x=1e200", "float64", "a"),
        ("a = exp(x); f = a/a", "x=100", "float32", "a"),
        ("a = x*x; f = sqrt(a)", "x=300", "float16", "a"),
    ):
        graph, errors = model(text, at, FORMATS[fmt])
        found = errors.bound(graph.output)
        assert not found.value.is_finite()
        assert name_of(graph, found.overflow) == where


def test_underflow_costs_what_it_costs() -> None:
    """x*x = 1e-400 is 0 in float64; scaled back up by 1e300, up to half the smallest subnormal times 1e300 is lost."""
    found = bound("a = x*x; f = a*1e300", "x=1e-200")
    assert 0.5 * 5e-324 * 1e300 <= found <= 3 * 5e-324 * 1e300


def test_a_step_that_lost_all_its_digits_widens_what_follows() -> None:
    """(x + 1e17) - 1e17 at x = 1 may be anything within 16 or so of 1: so may log's argument, down to 0."""
    assert math.isinf(bound("log((x + 1e17) - 1e17)", "x=1"))
    assert bound("exp((x + 1e17) - 1e17)", "x=1") > math.e * 100


def test_a_jump_next_to_an_uncertain_argument_is_allowed_for() -> None:
    text = "where((x + 0.1) - 0.3 < 0, 0, 1)"
    assert bound(text, "x=0.2") >= 1  # who knows on which side of 0 this comes out
    assert bound(text, "x=0.5") == 0


# --- who lost the digits ------------------------------------------------------------------------------------------

LOST = [
    ("a = 1 + x; f = a - 1", {"x": 1.1e-5}, "a"),
    ("s = sigmoid(x); f = 1 - s", {"x": 20.0}, "s"),
    ("t = tanh(x); q = t^2; f = 1 - q", {"x": 12.0}, "t"),
    ("a = x + 1e9; b = a*1; f = b - 1e9", {"x": 0.1}, "a"),
    ("c = cos(x); f = 1 - c", {"x": 1e-4}, "c"),
]


@pytest.mark.parametrize("fmt", ["float32", "float64"])
@pytest.mark.parametrize(("text", "values", "step"), LOST, ids=[c[0] for c in LOST])
def test_the_culprit_is_the_step_that_rounded(text: str, values: dict[str, float], step: str, fmt: str) -> None:
    form = FORMATS[fmt]
    graph = lower(parse(text)).graph
    point = {graph.find(n): form.round(Fraction(v)) for n, v in values.items()}
    errors = ErrorModel(graph, point, form, [graph.output])
    dtype = evaluate.torch_dtype(form)
    tensors = {i: torch.tensor(float(v), dtype=dtype) for i, v in point.items()}
    steps = evaluate.run(graph, tensors, [graph.output], dtype=dtype, device=CPU, keep=True)
    computed = [None if s is None else float(s) for s in steps]
    assert graph.steps[errors.culprit(graph.output, computed)].name == step
    # The bound cannot know who did round, but blames nobody who could not.
    assert not graph.steps[errors.bound(graph.output).lost_at].is_leaf


def test_the_culprit_of_an_infinity_is_where_it_appears() -> None:
    text = "a = x*x; b = a + 1; f = 1/b"
    graph, errors = model(text, "x=1e200")
    found = errors.culprit(graph.output, [1e200, math.inf, 1.0, math.inf, 0.0][: len(graph)])
    assert name_of(graph, found) == "a"


def test_nothing_lost_nobody_to_blame() -> None:
    graph, errors = model("x*y", "x=2,y=4")
    assert errors.culprit(graph.output, [2.0, 4.0, 8.0]) == -1
