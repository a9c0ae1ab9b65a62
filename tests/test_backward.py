"""The reverse pass: edges, shared steps, zero gradients, and linear growth; central differences are the witness."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from flint import arb

from symgrad.backward import Backward, backward, choose, rows
from symgrad.enclosure import precision
from symgrad.frontends.expression import parse
from symgrad.graph import Graph
from symgrad.ops import OPS
from symgrad.ops.balls import exact_ball, run_balls


def values(graph: Graph, at: dict[str, float]) -> list[arb]:
    with precision(200):
        return run_balls(graph, {graph.find(n): exact_ball(Fraction(v)) for n, v in at.items()})


def gradient(text: str, at: dict[str, float], rules: str = "taught") -> dict[str, float]:
    graph = parse(text)
    names = list(graph.variables)
    back = backward(graph, [graph.find(n) for n in names], rules)
    balls = values(back.graph, at)
    return {n: float(balls[g]) for n, g in zip(names, back.gradients, strict=True)}


def difference(text: str, at: dict[str, float], name: str) -> float:
    """The central difference with step 2**-60 at 200 bits: it errs by some 2**-120 times the third derivative."""
    graph = parse(text)
    with precision(200):
        h = arb((1, -60))
        point = {graph.find(n): exact_ball(Fraction(v)) for n, v in at.items()}
        where = graph.find(name)
        up = run_balls(graph, {**point, where: point[where] + h})[graph.output]
        down = run_balls(graph, {**point, where: point[where] - h})[graph.output]
        return float((up - down) / (2 * h))


@pytest.mark.parametrize("rules", ["taught", "accurate", "autograd"])
@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("x*x*x", {"x": 1.25}),
        ("u = sin(x); f = u*u + u*y - y/u", {"x": 0.5, "y": 2.0}),  # u is used four times
        ("a = x+y; b = a*a; c = b*a; f = b + c + a", {"x": 0.5, "y": -1.5}),
        ("where(x < y, x*y, x/y)", {"x": 1.0, "y": 2.0}),
        ("where(x < y, x*y, x/y)", {"x": 2.0, "y": 1.0}),
        ("max(x, y)*min(x, y^2)", {"x": 1.5, "y": 0.75}),
        ("x^y", {"x": 1.5, "y": 0.75}),
        ("tanh(x)*sigmoid(y)*gelu(x*y)", {"x": 0.75, "y": -1.25}),
    ],
)
def test_against_differences(text: str, at: dict[str, float], rules: str) -> None:
    found = gradient(text, at, rules)
    for name in at:
        # Both sides are known to far more than 53 bits; the difference quotient's error is below 2**-100.
        assert math.isclose(found[name], difference(text, at, name), rel_tol=2.0**-50, abs_tol=2.0**-100)


def test_contributions_add_up_to_the_cotangent() -> None:
    """Of every forward step: the sum over its outgoing edges is d output / d step."""
    graph = parse("u = sin(x); v = u*u; f = v*u + exp(v) - x*u")
    back = backward(graph, [0])
    balls = values(back.graph, {"x": 0.75})
    sums: dict[int, arb] = {}
    for edge in back.edges:
        source = back.graph[edge.step].inputs[edge.input]
        with precision(200):
            upstream = balls[back.cotangents[edge.step]] * balls[edge.local]
            assert upstream.overlaps(balls[edge.contribution])
            sums[source] = sums.get(source, arb(0)) + balls[edge.contribution]
    assert sums.keys() == back.cotangents.keys() - {graph.output}
    for source, total in sums.items():
        assert total.overlaps(balls[back.cotangents[source]])
        assert total.rel_accuracy_bits() > 150


def test_every_step_says_whose_factor_it_is() -> None:
    graph = parse("a = x*y; f = tanh(a)")
    back = backward(graph, [0, 1])
    for edge in back.edges:
        step = back.graph[edge.contribution]
        if edge.contribution >= back.forward and not step.is_const:
            assert step.of == (edge.step, edge.input)


def zero(back: Backward, n: int) -> bool:
    step = back.graph[back.gradients[n]]
    return step.is_const and step.value == 0


def test_a_variable_without_influence_gets_the_constant_zero() -> None:
    graph = parse("unused = z; c = sign(y); f = x*x + c")
    x, y, z = (graph.find(n) for n in "xyz")
    back = backward(graph, [x, y, z])
    assert [zero(back, n) for n in range(3)] == [False, True, True]
    assert back.wrt == (x, y, z)
    only = backward(graph, [z])
    assert zero(only, 0)
    assert only.edges == ()


def test_only_the_path_from_the_variables_is_visited() -> None:
    graph = parse("a = sin(x); b = exp(y); f = a*b")
    visited = {back_edge.step for back_edge in backward(graph, [graph.find("x")]).edges}
    assert graph.find("b") not in visited
    assert graph.find("a") in visited


def test_the_output_may_be_the_variable_itself() -> None:
    back = backward(parse("x"), [0])
    assert back.graph[back.gradients[0]].value == 1


def test_styles() -> None:
    op = OPS["tanh"]
    assert choose("taught")(op, 0) is op.partials[0]
    assert choose("accurate")(op, 0) is op.accurate[0]
    # No formula of its own for autograd: the taught one.
    assert choose("autograd")(op, 0) is (op.autograd[0] if op.autograd else op.partials[0])


def test_second_order_rows_are_the_upper_triangle() -> None:
    graph = parse("x*y*z")
    found = rows(graph, [graph.find(n) for n in "xyz"], 2, "taught")
    assert [r.labels for r in found] == [("x,x", "x,y", "x,z"), ("y,y", "y,z"), ("z,z",)]
    at = {"x": 2.0, "y": 3.0, "z": 5.0}
    entries = {
        label: float(values(row.reverse.graph, at)[target])
        for row in found
        for label, target in zip(row.labels, row.targets, strict=True)
    }
    assert entries == {"x,x": 0, "x,y": 5, "x,z": 3, "y,y": 0, "y,z": 2, "z,z": 0}


@pytest.mark.parametrize("rules", ["taught", "accurate", "autograd"])
def test_the_size_is_linear_in_the_depth(rules: str) -> None:
    """Each of the chain's steps adds the same number of steps to the backward pass: not one more."""

    def size(depth: int) -> int:
        return len(backward(parse("x = w;" + "x = tanh(w*x);" * depth), [0], rules).graph)

    assert size(300) - size(200) == size(200) - size(100) > 0
    assert size(3000) - size(2900) == size(200) - size(100)
