"""The witnesses of gradients by arrays: what each would say if another were wrong, and bounds that hold."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from flint import arb
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import symgrad
from symgrad.backward import backward
from symgrad.enclosure import precision
from symgrad.errors import SymgradError
from symgrad.formats import get_format
from symgrad.graph import Graph, GraphBuilder
from symgrad.ops import OPS, Formula, TensorOp
from symgrad.ops.balls import run_balls
from symgrad.ops.entries import spread
from symgrad.ops.gathering import TOTAL
from symgrad.rounding import ErrorModel
from symgrad.shaped.judging import proven
from tests.tensor_witnesses import TENSOR, Case, cases

#: Ops whose value decides what is read, or that need a pivot: expressions do not have them.
NOT_SPREAD = {"argmax", "argmin", "inv", "solve", "det"}


def exact(array: Any) -> Any:
    array = np.asarray(array)
    out = np.empty(array.size, dtype=object)
    out[:] = [Fraction(float(v)) for v in array.reshape(-1)]
    return out.reshape(array.shape)


def autograd(case: Case) -> list[Any]:
    from symgrad import evaluate

    values = {i: torch.tensor(np.asarray(v), dtype=torch.float64) for i, v in case.values.items()}
    _, found = evaluate.autograd(case.graph, values, case.wrt, dtype=torch.float64, device=torch.device("cpu"))
    return [f.numpy() for f in found]


@pytest.mark.parametrize("name", sorted(set(TENSOR) - NOT_SPREAD - {"iota"}))
def test_every_op_entry_by_entry(name: str) -> None:
    """The chain rule by single numbers knows no vjp of the table; torch knows neither."""
    for case in cases(name):
        values = {i: exact(v) for i, v in case.values.items()}
        names = [s.name for s in case.graph]
        found = proven(case.graph, case.graph.output, case.wrt, values, names)
        for truths, theirs in zip(found.gradients, autograd(case), strict=True):
            assert truths.shape == theirs.shape
            for truth, number in zip(truths.reshape(-1), theirs.reshape(-1), strict=True):
                assert truth.defined, truth.reason
                assert float(truth.ball) == pytest.approx(float(number), rel=1e-10, abs=1e-12), (case, name)


@pytest.mark.parametrize("name", sorted(set(TENSOR) - NOT_SPREAD - {"iota"}))
def test_the_pass_that_is_shown_entry_by_entry(name: str) -> None:
    """A reverse pass made of the table's vjp rules has the same values whether its arrays are spread or not."""
    for case in cases(name)[:4]:
        reverse = backward(case.graph, case.wrt)
        values = {i: exact(v) for i, v in case.values.items()}
        with precision(128):
            numbers = spread(reverse.graph, reverse.gradients, values, gathered=True)
            at = {
                int(p): arb(float(v)) for i, array in values.items() if numbers.place[i] is not None
                for p, v in zip(numbers.place[i].reshape(-1), array.reshape(-1), strict=True)
            }  # fmt: skip
            balls = run_balls(numbers.graph, at)
        for target, theirs in zip(reverse.gradients, autograd(case), strict=True):
            place = numbers.place[target]
            for p, number in zip(np.broadcast_to(place, theirs.shape).reshape(-1), theirs.reshape(-1), strict=True):
                assert float(balls[p]) == pytest.approx(float(number), rel=1e-10, abs=1e-12), (case, name)


def broken(name: str, index: int, rule: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    op = OPS[name]
    assert isinstance(op, TensorOp)
    rules = tuple(rule if i == index else r for i, r in enumerate(op.vjp))
    monkeypatch.setitem(OPS, name, replace(op, vjp=rules))


@pytest.mark.parametrize(("name", "index", "rule", "text", "shapes", "wrong"), [
    ("matmul", 0, lambda m, g, y, a, b: m.matmul(b, m.transpose(g)), "sum(A @ B)", "A=3x3 B=3x3", "A"),
    ("matmul", 1, lambda m, g, y, a, b: m.matmul(a, g), "sum((A @ B)**2)", "A=3x3 B=3x3", "B"),
    ("sum", 0, lambda m, g, y, x, axis, keepdims: 2 * m.broadcast_to(g, shape=x.shape), "sum(x)", "x=3", "x"),
    ("mean", 0, lambda m, g, y, x, axis, keepdims: m.broadcast_to(g, shape=x.shape), "mean(x)", "x=3", "x"),
    ("softmax", 0, lambda m, g, y, x, axis: y * (1 - y) * g, "softmax(x)", "x=3", "x"),
    ("transpose", 0, lambda m, g, y, x, axes: g, "sum(A.T**3 @ B)", "A=3x3 B=3x2", "A"),
    ("cumsum", 0, lambda m, g, y, x, axis: m.cumsum(g, axis=axis), "sum(cumsum(x)**2)", "x=3", "x"),
    ("norm", 0, lambda m, g, y, x, axis, keepdims: x, "norm(x)", "x=3", "x"),
])  # fmt: skip
def test_a_wrong_rule_of_the_table_is_seen(
    name: str, index: int, rule: Any, text: str, shapes: str, wrong: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = symgrad.check(text, shapes=shapes.split())
    broken(name, index, rule, monkeypatch)
    report = symgrad.check(text, shapes=shapes.split())
    assert right.exit_code == 0
    assert report.exit_code == 1
    g = report[wrong]
    assert g.exact == right[wrong].exact
    assert g.witnesses["backward"].verdict == "disagree"
    assert g.witnesses["symbolic"].verdict == "agree"
    # Torch's numbers stay right; how far they may be off is modelled by the rule that is broken here.
    np.testing.assert_allclose(g.witnesses["autograd"].values, right[wrong].witnesses["autograd"].values, rtol=1e-12)
    assert g.witnesses["backward"].entry.startswith(f"{wrong}[")
    finding = next(f for f in report.findings if "by backward" in f.message)
    assert f"d{wrong} by backward is wrong in " in finding.message
    assert all(other.verdict == "agree" for other in report.gradients if other.wrt != wrong)


def test_only_the_wrong_entries_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    keep = ("slice", 1, None, None)
    broken("cumsum", 0, lambda m, g, y, x, axis: m.set(
        m.index(m.cumsum(m.index(g, spec=(("slice", None, None, -1),)), axis=0), spec=(("slice", None, None, -1),)),
        m.constant(0), spec=(keep,)), monkeypatch)  # fmt: skip
    report = symgrad.check("sum(cumsum(x)**2)", shapes=["x=4"])
    witness = report["x"].witnesses["backward"]
    assert witness.verdicts == {"agree": 1, "disagree": 3}
    assert witness.entries == ("x[1]", "x[2]", "x[3]")


# --- sums in an unknown order ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
@pytest.mark.parametrize("seed", range(6))
def test_a_sum_in_any_order_is_within_its_bound(dtype: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    kind = getattr(torch, dtype)
    spread_of = 10.0 ** rng.integers(-2, 3, 24)
    x = torch.tensor(rng.standard_normal(24) * spread_of, dtype=torch.float64).to(kind)
    builder = GraphBuilder()
    inputs = [builder.add("input", name=f"x{i}") for i in range(24)]
    target = builder.add(TOTAL, inputs)
    point = {i: Fraction(float(v)) for i, v in zip(inputs, x.double(), strict=True)}
    bound = ErrorModel(builder.build(target), point, get_format(dtype), [target]).bound(target)
    truth = sum(point.values())
    worst = 0.0
    for _ in range(40):
        total = torch.tensor(0, dtype=kind)
        for v in x[torch.from_numpy(rng.permutation(24))]:
            total = total + v
        worst = max(worst, float(abs(Fraction(float(total)) - truth)))
    assert 0 < worst <= float(bound.value)


def test_the_rough_bound_is_wider_but_not_wild() -> None:
    builder = GraphBuilder()
    x, y = (builder.add("input", name=n) for n in "xy")
    product = builder.add("mul", (x, y))
    target = builder.add("tanh", (builder.add(TOTAL, (product, x, y)),))
    model = ErrorModel(builder.build(target), {x: Fraction(1, 3), y: Fraction(2, 7)}, get_format("float32"), [target])
    fine, rough = float(model.bound(target).value), float(model.rough(target).value)
    assert fine <= rough * 1.001
    assert rough < 10 * fine


def test_large_graphs_are_bounded_by_one_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    from symgrad.shaped import judging

    fine = symgrad.check("sum(tanh(A @ B)**2)", shapes=["A=3x4", "B=4x2"], dtype="float32")
    monkeypatch.setattr(judging, "SWEEPS", 0)
    rough = symgrad.check("sum(tanh(A @ B)**2)", shapes=["A=3x4", "B=4x2"], dtype="float32")
    for a, b in zip(fine.gradients, rough.gradients, strict=True):
        assert a.exact == b.exact
        assert b.verdict in ("agree", "rounding")
        assert b.witnesses["autograd"].bound >= 0.1 * a.witnesses["autograd"].bound


def test_what_is_too_large_for_sympy_is_skipped_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    from symgrad.shaped import judging

    monkeypatch.setattr(judging, "SYMBOLIC_STEPS", 10)
    report = symgrad.check("sum(A @ B)", shapes=["A=2x3", "B=3x2"])
    witness = report["A"].witnesses["symbolic"]
    assert (witness.verdict, witness.values) == ("skipped", None)
    assert "not attempted" in witness.note
    assert report.verdict == "agree"
    assert "not attempted" in report.explain()
    assert report.to_json()["gradients"][0]["witnesses"]["symbolic"]["values"] is None


def test_too_large_to_be_proven() -> None:
    graph, values = large(100)
    with pytest.raises(SymgradError, match="too large to be proven"):
        spread(graph, [graph.output], values)


def large(n: int) -> tuple[Graph, dict[int, Any]]:
    builder = GraphBuilder()
    m = Formula(builder)
    a, b = (m.ref(builder.add("input", name=c, shape=(n, n))) for c in "ab")
    graph = builder.build(m.sum(m.matmul(a, b)).index)
    return graph, {i: exact(np.ones((n, n))) for i in (0, 1)}


# --- random expressions ----------------------------------------------------------------------------------------------

VARIABLES = {"A": (2, 3), "B": (3, 2), "C": (2, 2), "x": (3,), "y": (2,), "s": ()}
NAMESPACE = {
    "tanh": torch.tanh, "sin": torch.sin, "sigmoid": torch.sigmoid, "exp": torch.exp, "sum": torch.sum,
    "mean": torch.mean, "softmax": torch.softmax, "logsumexp": torch.logsumexp,
    "outer": torch.outer, "concatenate": torch.concatenate,
    "reshape": lambda t, shape: t.reshape(shape), "max": lambda t, axis: t.amax(axis), "norm": torch.linalg.norm,
    "where": torch.where, "diag": torch.diag, "prod": torch.prod,
}  # fmt: skip


@st.composite
def expressions(draw: Any, shape: tuple[int, ...], depth: int = 3) -> str:
    """An expression of this shape; Python with torch's functions reads it in the same way."""

    def sub(wanted: tuple[int, ...]) -> str:
        return str(draw(expressions(wanted, depth - 1)))

    names = [n for n, s in VARIABLES.items() if s == shape]
    if depth == 0 or draw(st.integers(0, 9)) == 0:
        return str(draw(st.sampled_from(names)))
    unary = [f"{f}({{}})" for f in ("tanh", "sin", "sigmoid")] + ["exp(0.3*{})", "({})**2", "-({})", "(2*{} + 1)"]
    ways: list[Callable[[], str]] = [
        lambda: draw(st.sampled_from(unary)).format(sub(shape)),
        lambda: f"({sub(shape)} {draw(st.sampled_from('+-*'))} {sub(shape)})",
        lambda: f"({sub(shape)} * {sub(())})",
        lambda: f"where({sub(shape)} > 0.1, {sub(shape)}, {sub(shape)})",
    ]
    if len(shape) == 2:
        n, k = shape
        inner = draw(st.sampled_from([2, 3]))
        if {(n, inner), (inner, k)} <= set(VARIABLES.values()):
            ways.append(lambda: f"({sub((n, inner))} @ {sub((inner, k))})")
        if (k, n) in VARIABLES.values():
            ways.append(lambda: f"({sub((k, n))}).T")
            ways.append(lambda: f"reshape({sub((k, n))}, {shape})")
        ways += [
            lambda: f"({sub(shape)} + {sub((k,))})", lambda: f"outer({sub((n,))}, {sub((k,))})",
            lambda: f"softmax({sub(shape)}, dim={draw(st.integers(0, 1))})",
            lambda: f"({sub(shape)} - mean({sub(shape)}, axis=1, keepdims=True))",
        ]  # fmt: skip
    if len(shape) == 1:
        n = shape[0]
        other = 5 - n
        ways += [
            lambda: f"({sub((n, other))} @ {sub((other,))})", lambda: f"({sub((other,))} @ {sub((other, n))})",
            lambda: f"sum({sub((other, n))}, axis=0)", lambda: f"max({sub((other, n))}, axis=0)",
            lambda: f"logsumexp({sub((n, other))}, axis=1)",
            lambda: f"({sub((n, other))})[:, {draw(st.integers(0, 1))}]",
            lambda: f"concatenate([({sub((3,))})[1:], ({sub((2,))})[:{n - 2}]], axis=0)",
        ]  # fmt: skip
    if not shape:
        ways += [
            lambda: f"sum({sub((2, 3))})", lambda: f"({sub((3,))} @ {sub((3,))})", lambda: f"({sub((2,))})[-1]",
            lambda: f"mean({sub((2,))})", lambda: f"prod({sub((3,))})", lambda: f"norm({sub((3,))})",
        ]  # fmt: skip
    return draw(st.sampled_from(ways))()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.data())
def test_random_expressions(data: Any) -> None:
    shape = data.draw(st.sampled_from([(), (2,), (3,), (2, 2), (2, 3)]))
    text = data.draw(expressions(shape))
    report = symgrad.check(text, shapes={n: s for n, s in VARIABLES.items() if occurs(n, text)})
    tensors = {
        n: torch.tensor(v, dtype=torch.float64).reshape(report.shapes[n]).requires_grad_() for n, v in report.at.items()
    }  # fmt: skip
    out = eval(text, {**NAMESPACE, **tensors})
    assert tuple(out.shape) == report.shape
    upstream = tensors[report.upstream].detach() if report.upstream else torch.tensor(1.0)
    (out * upstream).sum().backward()
    for g in report.gradients:
        leaf = tensors[g.wrt].grad
        theirs = np.zeros(g.shape) if leaf is None else leaf.numpy()
        if g.undefined:
            continue
        ours = np.array(g.exact, dtype=object).reshape(g.shape).astype(float)
        assert g.verdict in ("agree", "rounding"), text
        scale = max(1.0, float(np.abs(theirs).max(initial=0.0)))
        np.testing.assert_allclose(ours, theirs, rtol=1e-8, atol=1e-9 * scale, err_msg=text)


def occurs(name: str, text: str) -> bool:
    return re.search(rf"(?<![A-Za-z_]){name}(?![A-Za-z_(])", text) is not None


def test_bounds_are_near_the_errors() -> None:
    """A bound that is met by everything says nothing: it stays within some thousand times the error of float32."""
    report = symgrad.check("sum(tanh(W @ X + b)**2)", shapes=["W=4x6", "X=6x5", "b=4x1"], dtype="float32")
    for g in report.gradients:
        for name in ("autograd", "backward"):
            w = g.witnesses[name]
            assert 1e-3 < w.in_bounds <= 1, (g.symbol, name)
            assert math.isfinite(w.bound)
