"""The whole pipeline: random expressions agree in every dtype, corrupted rules are caught, and points of every kind."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import sympy as sp
import torch
from flint import arb
from hypothesis import assume, example, given, settings

import symgrad
from symgrad import SymgradError, evaluate
from symgrad.formats import FORMATS
from symgrad.graph import Graph
from symgrad.ops import OPS
from symgrad.report.model import Report
from tests.expressions import COORDINATES, EXPRESSIONS

WITNESSES = ("symbolic", "autograd", "backward")


def check(text: Any, at: Any, **options: Any) -> Report:
    return symgrad.check(text, at=at, simplify_seconds=0.05, **options)


# --- random expressions -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", FORMATS)
@settings(max_examples=60, deadline=None)
@given(text=EXPRESSIONS, x=COORDINATES, y=COORDINATES)
def test_every_witness_agrees_or_rounds(dtype: str, text: str, x: float, y: float) -> None:
    try:
        names = symgrad.derive(text).variables
        report = check(text, {"x": x, "y": y} if len(names) == 2 else {names[0]: x}, dtype=dtype)
    except SymgradError:  # out of a domain, or no variable is left
        assume(False)
    for gradient in report.gradients:
        assert set(gradient.witnesses) == set(WITNESSES)
        for name, witness in gradient.witnesses.items():
            assert witness.verdict != "disagree", (name, gradient.wrt, text)
            if witness.verdict == "undefined":
                assert gradient.reason or not gradient.exact
            elif witness.verdict == "agree":
                truth = float(gradient.exact)
                smallest = float(FORMATS[dtype].tiny)
                assert witness.difference <= witness.bound * 1.0001 or witness.difference <= smallest
                # Half of the digits at least.
                assert abs(witness.value - truth) <= abs(truth) * 2.0 ** (-FORMATS[dtype].digits / 2) + smallest
    assert report.exit_code in (0, 2)


@settings(max_examples=40, deadline=None)
@given(text=EXPRESSIONS, x=COORDINATES, y=COORDINATES)
@example(text="x^3*y", x=2.0, y=3.0)
def test_second_derivatives_too(text: str, x: float, y: float) -> None:
    try:
        values = {"x": x, "y": y}
        report = check(text, {n: values[n] for n in symgrad.derive(text).variables}, order=2)
    except SymgradError:
        assume(False)
    assert report.verdict != "disagree", [(g.wrt, dict(g.witnesses)) for g in report.gradients]


# --- a corrupted rule is caught ------------------------------------------------------------------------------------


@pytest.fixture
def corrupt(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Replaces fields of an op of the table for one test; what is cached of ops is forgotten before and after."""
    modules = [m for name, m in sys.modules.items() if name.startswith("symgrad.symbolic")]

    def forget() -> None:
        evaluate.function.cache_clear()
        for module in modules:
            for thing in list(vars(module).values()):
                if hasattr(thing, "cache_clear"):
                    thing.cache_clear()

    def change(name: str, **fields: Any) -> None:
        monkeypatch.setitem(OPS, name, replace(OPS[name], **fields))
        forget()

    yield change
    monkeypatch.undo()
    forget()


def blamed(report: Report) -> set[str]:
    return {n for g in report.gradients for n, w in g.witnesses.items() if w.verdict == "disagree"}


#: op, expression, point, corrupted partial. The taught rule is what "backward" runs, and nobody else where the op has
#: an accurate and an autograd rule of its own.
PARTIALS = [
    ("tanh", "40*tanh(w*tanh(w*0.5))", "w=2", lambda m, y, x: 1 - x**2),
    ("tanh", "tanh(x)", "x=0.5", lambda m, y, x: (1 - y**2) * (1 + m.constant(Fraction(1, 10**6)))),
    ("sigmoid", "sigmoid(x*y)", "x=1.5,y=0.5", lambda m, y, x: y),
    ("gelu", "gelu(x)^2", "x=0.7", lambda m, y, x: m.sigmoid(x)),
    ("silu", "silu(x)", "x=1.1", lambda m, y, x: m.sigmoid(x)),
    ("asin", "asin(x)", "x=0.3", lambda m, y, x: 1 / m.sqrt(1 + x**2)),
    ("acosh", "acosh(x)", "x=1.3", lambda m, y, x: 1 / x),
    ("asinh", "asinh(x)*x", "x=1.3", lambda m, y, x: 1 / m.sqrt(x**2)),
]


@pytest.mark.parametrize(("name", "text", "at", "wrong"), PARTIALS, ids=[f"{p[0]}-{p[1]}" for p in PARTIALS])
def test_a_corrupted_taught_rule(corrupt: Any, name: str, text: str, at: str, wrong: Any) -> None:
    assert check(text, at).verdict == "agree"
    op = OPS[name]
    corrupt(name, partials=(wrong,), accurate=op.accurate, autograd=op.autograd or op.partials)
    report = check(text, at)
    assert report.exit_code == 1
    assert blamed(report) == {"backward"}
    assert any("backward gives" in f.message for f in report.findings)


ACCURATE = [
    ("tanh", "tanh(x)", "x=0.5", lambda m, y, x: 1 - x**2),
    ("sigmoid", "sigmoid(x)*3", "x=0.5", lambda m, y, x: y * (1 + y)),
    ("acosh", "acosh(x)", "x=1.5", lambda m, y, x: 1 / (x - 1)),
]


@pytest.mark.parametrize(("name", "text", "at", "wrong"), ACCURATE, ids=[a[0] for a in ACCURATE])
def test_a_corrupted_accurate_rule_is_the_judge_s_own_and_all_others_protest(
    corrupt: Any, name: str, text: str, at: str, wrong: Any
) -> None:
    corrupt(name, accurate=(wrong,), autograd=OPS[name].autograd or OPS[name].partials)
    report = check(text, at)
    assert report.exit_code == 1
    assert {"autograd", "backward"} <= blamed(report)


def test_a_corrupted_rule_of_an_op_with_one_rule_only(corrupt: Any) -> None:
    """sin has one rule, for judge and backward pass alike: autograd and SymPy stand against both."""
    corrupt("sin", partials=(lambda m, y, x: m.cos(x) * 2,))
    report = check("sin(x)*x", "x=0.7")
    assert report.exit_code == 1
    assert "autograd" in blamed(report)
    assert "backward" not in blamed(report)


TORCH = [
    ("tanh", "tanh(x)", "x=0.5", lambda t, x: t.sin(x), {"autograd", "backward"}),
    ("exp", "exp(x)", "x=0.5", lambda t, x: t.exp(x) * (1 + 1e-12), {"autograd", "backward", "symbolic"}),
    ("mul", "x*y*x", "x=0.5,y=3", lambda t, a, b: a * b * (1 + 1e-12), {"autograd", "backward", "symbolic"}),
]


@pytest.mark.parametrize(("name", "text", "at", "wrong", "who"), TORCH, ids=[t[0] for t in TORCH])
def test_a_corrupted_torch_function_is_caught_by_all_who_run_it(
    corrupt: Any, name: str, text: str, at: str, wrong: Any, who: set[str]
) -> None:
    corrupt(name, torch=wrong, residual=None)
    report = check(text, at)
    assert report.exit_code == 1
    assert who & blamed(report) == who


ENCLOSE = [
    ("exp", "exp(x)", "x=0.5", lambda x: x.exp() * (1 + arb("1e-10"))),
    ("add", "sin(x + 1)", "x=0.5", lambda a, b: a + b + arb("1e-9")),
    ("sech", "tanh(x)", "x=0.5", lambda x: x.sech() + arb("1e-9")),
]


@pytest.mark.parametrize(("name", "text", "at", "wrong"), ENCLOSE, ids=[e[0] for e in ENCLOSE])
def test_a_corrupted_enclosure_has_every_witness_against_it(
    corrupt: Any, name: str, text: str, at: str, wrong: Any
) -> None:
    corrupt(name, enclose=wrong)
    report = check(text, at)
    assert report.exit_code == 1
    assert blamed(report) == set(WITNESSES)


SYMPY = [
    ("tanh", "tanh(x)^2*x", sp.sin),
    ("sigmoid", "sigmoid(x)^2*x", lambda x: 1 / (1 + sp.exp(-2 * x))),
    ("gelu", "gelu(x)^2*x", lambda x: x),
    ("hypot", "hypot(x, 2)", lambda a, b: sp.sqrt(a**2 + 2 * b**2)),
]


@pytest.mark.parametrize(("name", "text", "wrong"), SYMPY, ids=[s[0] for s in SYMPY])
def test_a_corrupted_sympy_definition_is_caught_by_all_others(corrupt: Any, name: str, text: str, wrong: Any) -> None:
    corrupt(name, sympy=wrong)
    report = check(text, "x=0.5")
    assert report.exit_code == 1
    assert blamed(report) == {"symbolic"}


# --- a wrong value is a mistake, however little ---------------------------------------------------------------------


@pytest.mark.parametrize("relative", [1e-6, 1e-9, 1e-12])
@pytest.mark.parametrize("witness", WITNESSES)
def test_a_witness_off_by_little_disagrees(monkeypatch: pytest.MonkeyPatch, witness: str, relative: float) -> None:
    from symgrad import judging

    real = judging._witnesses

    def bent(*args: Any) -> Any:
        for name, found in real(*args):
            yield name, [replace(c, value=c.value * (1 + relative)) for c in found] if name == witness else found

    monkeypatch.setattr(judging, "_witnesses", bent)
    report = check("40*tanh(w*tanh(w*0.5))", "w=2")
    assert blamed(report) == {witness}
    assert report.exit_code == 1
    assert report["w"].witnesses[witness].in_bounds > 1


# --- kinks and edges, as reported ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "at", "words"),
    [
        ("0^x", "x=0", "no value on the left"),
        ("x^y", "x=0,y=0", "no value on the left"),
        ("0^(x^2)", "x=0", "jumps here: 0 on the left, 1 at the point, 0 on the right"),
    ],
)
def test_zero_to_the_zero_has_no_slope_in_the_exponent(text: str, at: str, words: str) -> None:
    report = check(text, at)
    assert report.exit_code == 2
    assert report.gradients[-1].verdict == "undefined"
    assert words in report.gradients[-1].reason


@pytest.mark.parametrize("text", ["x^0", "x^2", "x^1", "2^x", "(x + 1)^x"])
def test_powers_at_zero_that_have_a_slope(text: str) -> None:
    report = check(text, "x=0")
    assert report.verdict == "agree"
    assert report.exit_code == 0


@pytest.mark.parametrize(("text", "at"), [("polygamma(n, y)", "n=1.5,y=2"), ("polygamma(1.5, y)", "y=2")])
def test_an_order_of_polygamma_that_is_no_integer_is_refused(text: str, at: str) -> None:
    with pytest.raises(SymgradError, match=r"an order that is a natural number; here it is given 1\.5") as caught:
        check(text, at)
    assert caught.value.span is not None
    assert check("polygamma(n/3, y)", "n=3,y=2").verdict == "agree"


@pytest.mark.parametrize(
    ("text", "verdict", "exact", "left", "right"),
    [
        ("relu(x)", "undefined", "", "0", "1"),
        ("abs(x)", "undefined", "", "-1", "1"),
        ("max(x, 2x)", "undefined", "", "1", "2"),
        ("hardtanh(x - 1)", "undefined", "", "0", "1"),
        ("leaky_relu(x)", "undefined", "", "0.01", "1"),
        ("relu(x)^2", "agree", "0", "0", "0"),
        ("max(x, x)", "agree", "1", "1", "1"),
        ("abs(x)*x", "agree", "0", "0", "0"),
        ("relu(x) - relu(-x)", "undefined", "1", "1", "1"),  # torch says 0
        ("where(x != 0, sin(x)/x, 1)", "undefined", "0", "0", "0"),  # torch says nan
        ("elu(x)", "agree", "1", "", ""),
    ],
)
def test_kinks(text: str, verdict: str, exact: str, left: str, right: str) -> None:
    report = check(text, "x=0")
    found = report["x"]
    assert (report.verdict, found.exact, found.left, found.right) == (verdict, exact, left, right)
    assert report.exit_code == (2 if verdict == "undefined" else 0)
    if verdict == "undefined":
        assert "torch picks" in found.reason
        assert found.span is not None
        assert report.findings


def test_relu_s_reason_has_both_sides_and_torch_s_choice() -> None:
    reason = check("relu(x)", "x=0")["x"].reason
    assert reason == "relu has a kink here: the derivative is 0 on the left, 1 on the right; torch picks 0"


@pytest.mark.parametrize(
    ("text", "verdict", "reason"),
    [
        ("relu(x)", "undefined", "the first derivative is not defined: relu has a kink here"),
        ("sign(x)", "undefined", "the first derivative is not defined: sign jumps here"),
        ("abs(x)*x", "undefined", "the derivative is -2 on the left, 2 on the right"),
        ("relu(x)^3", "agree", ""),
        ("sqrt(x)", "undefined", "the first derivative is not defined: sqrt has no finite derivative at 0"),
    ],
)
def test_second_derivatives_at_kinks(text: str, verdict: str, reason: str) -> None:
    report = check(text, "x=0", order=2)
    assert report.verdict == verdict
    assert reason in report["x,x"].reason


def test_the_second_backward_of_logsigmoid_is_judged_as_torch_works_it_out() -> None:
    report = check("logsigmoid(x*y)", "x=0.85,y=4", order=2)
    assert report.verdict == "agree", report.explain()


def test_only_the_variable_at_the_kink_is_undefined() -> None:
    report = check("relu(x)*z + z^2", "x=0,z=3")
    assert report["x"].verdict == "undefined"
    assert report["z"].verdict == "agree"
    assert report["z"].exact == "6"
    second = check("relu(x) + z^2", "x=0,z=3", order=2)
    assert second["z,z"].exact == "2"
    assert second["x,z"].verdict == "undefined"


def test_overflow_and_underflow_are_rounding() -> None:
    huge = check("exp(x)*exp(-x)*x", "x=100", dtype="float32")
    assert huge.verdict == "rounding"
    assert any("overflows" in w.note for w in huge["x"].witnesses.values())
    tiny = check("exp(-x)", "x=744")  # 9.9e-324, two subnormals
    assert tiny.verdict == "agree"
    assert check("exp(-x)", "x=800")["x"].witnesses["autograd"].value == 0
    assert check("exp(-x)", "x=800").exit_code == 0
    assert check("exp(x)", "x=1000").exit_code == 0  # too large for float64, and said so


# --- variables --------------------------------------------------------------------------------------------------------


def test_unused_statements_and_variables() -> None:
    report = check("y = z; f = x*x", {"x": 3})
    assert (report["x"].exact, report["z"].exact) == ("6", "0")
    assert report.verdict == "agree"
    assert dict(report.at) == {"x": 3}
    assert [g.wrt for g in check("y = z; f = x*x", {"x": 3}, wrt="z").gradients] == ["z"]
    # A value outside of a domain that does not matter does not matter.
    assert check("bad = log(q); f = x*x", {"x": 3}).verdict == "agree"


@pytest.mark.parametrize("text", ["x - x", "0*x", "x^0", "sign(x)"])
def test_a_zero_derivative_is_agreed_on(text: str) -> None:
    report = check(text, "x=3")
    assert report["x"].exact == "0"
    assert report.verdict == "agree"
    assert all(w.value == 0 for w in report["x"].witnesses.values())


def test_wrt_subsets() -> None:
    report = check("x*y*z", "x=2,y=3,z=5", wrt=["z", "x"])
    assert {g.wrt: g.exact for g in report.gradients} == {"z": "6", "x": "15"}
    with pytest.raises(SymgradError, match="'q'"):
        check("x*y", "x=2,y=3", wrt="q")


def test_hessian_by_hand() -> None:
    report = check("x^2*y^3", "x=2,y=3", order=2)
    assert {g.wrt: g.exact for g in report.gradients} == {"x,x": "54", "x,y": "108", "y,y": "72"}
    assert report.verdict == "agree"
    assert report.value == "108"
    with pytest.raises(KeyError):
        report["x"]


def test_backward_steps_have_all_their_values() -> None:
    """Factors of 1 and 0, which are folded away, included."""
    for text in ("sin(x) + x", "x - y", "relu(x) - relu(-x)", "0*x + y", "-(-x)"):
        report = check(text, {"x": 0.5, "y": 1} if "y" in text else {"x": 0.5})
        assert report.backward
        for step in report.backward:
            assert step.factor is not None
            assert step.contribution is not None


# --- points -----------------------------------------------------------------------------------------------------------



@pytest.mark.parametrize(
    ("value", "exact"),
    [(3, 3), (-2.5, -2.5), (Fraction(1, 4), 0.25), ("pi/4", math.pi / 4), ("1e-3", 1e-3), (np.float64(2.5), 2.5),
     (np.float32(0.1), float(np.float32(0.1))), (np.int64(7), 7), (np.uint8(200), 200), (np.array(2.5), 2.5),
     (np.array([2.5]), 2.5), (torch.tensor(2.5), 2.5), (torch.tensor([4]), 4), (torch.tensor(0.5).half(), 0.5),
     (sp.Rational(3, 8), 0.375), (sp.pi, math.pi), (sp.Integer(5), 5), (1e-320, 1e-320), (10**300, 1e300)],
    ids=lambda v: f"{type(v).__module__}.{type(v).__name__}:{v}"[:50],
)  # fmt: skip
def test_points_of_every_kind(value: Any, exact: float) -> None:
    assert check("x + 1", {"x": value}).at["x"] == exact


@pytest.mark.parametrize(
    ("value", "message"),
    [(True, "no number: True"), (np.bool_(False), "no number: False"), (torch.tensor(True), "no number: True"),
     (None, "no number: None"), (1 + 2j, "no number"), (object, "no number"),
     (math.nan, "needs a finite number"), (math.inf, "needs a finite number"), (np.float64("-inf"), "finite number"),
     (10**400, "too large"),
     ("", "has no value"), ("y", "uses the variable 'y'"), ("log(0)", "no finite number"), ("1/0", "no finite number"),
     (list(range(10**5)), "too large to be proven")],
    ids=lambda v: repr(v)[:30],
)  # fmt: skip
def test_points_that_are_none(value: Any, message: str) -> None:
    with pytest.raises(SymgradError, match=message) as caught:
        check("x + 1", {"x": value})
    assert len(caught.value.message) < 1000


def test_missing_and_unknown_variables_are_named() -> None:
    with pytest.raises(SymgradError, match=r"no value for y and z: add --at y=\.\.\.,z=\.\.\."):
        check("x*y*z", {"x": 1})
    with pytest.raises(SymgradError, match="'wieght', which is no variable of the expression; did you mean 'weight'"):
        check("weight*2", {"wieght": 1})
    with pytest.raises(SymgradError, match="no value for e") as caught:
        check("e^x", {"x": 1})
    assert "E" in caught.value.hint
    with pytest.raises(SymgradError, match="too large for float16"):
        check("x", {"x": 70000}, dtype="float16")


def test_points_as_text() -> None:
    for at in ("x=3,y=2", ["x=3", "y=2"], ("y=2", "x=3"), {"x": 3, "y": "4/2"}):
        assert check("x*y", at)["y"].exact == "3"


def test_targets() -> None:
    graph: Graph = symgrad.derive("x*y").graph
    assert check(graph, "x=3,y=2")["x"].exact == "2"
    for target in (3, None, b"x", ["x"]):
        with pytest.raises(SymgradError, match="cannot check a"):
            check(target, "x=1")
    with pytest.raises(SymgradError, match="unknown dtype 'int8'"):
        check("x", "x=1", dtype="int8")


def test_without_a_point_nothing_is_evaluated() -> None:
    report = symgrad.check("x*tanh(x)")
    assert report.at == {}
    assert report.verdict == "agree"
    assert report["x"].exact == ""
    assert report["x"].witnesses == {}
    assert all(s.value is None for s in report.steps)


# --- depth ------------------------------------------------------------------------------------------------------------


def test_a_deep_chain_is_derived_run_and_judged() -> None:
    """In one run, without recursion. How time and memory grow is measured in tests/benchmarks/depth.py."""
    depth = 10_000
    report = symgrad.check("x = w;" + "x = tanh(w*x);" * depth, at="w=1.5")
    assert report.verdict == "agree"
    assert set(report["w"].witnesses) == set(WITNESSES)
    text = report.explain()
    assert "too large to be read as one formula" in text
    assert len(text.splitlines()) < 250
    assert len(report.to_json()["steps"]) >= 2 * depth - 1
    assert report.latex().count("\\\\") < 1000
