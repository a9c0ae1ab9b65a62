"""Whole graphs of arrays: the NumPy runner, the reverse pass and its seeds, balls and torch beside them."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch

from symgrad import evaluate
from symgrad.arrays import Program
from symgrad.arrays import evaluate as run
from symgrad.backward import backward
from symgrad.errors import InternalError, Span, SymgradError
from symgrad.frontends.expression import parse
from symgrad.graph import Graph, GraphBuilder
from symgrad.ops import Formula, Ref
from symgrad.ops.balls import exact_ball, run_balls
from symgrad.printing import expression_text
from tests.tensor_witnesses import CPU, floats, in_arb, near, numbers, tensors
from tests.work import counted

Build = Callable[..., Ref]


def made(build: Build, **shapes: tuple[int, ...]) -> Graph:
    builder = GraphBuilder()
    m = Formula(builder)
    inputs = {n: m.ref(builder.add("input", name=n, shape=s)) for n, s in shapes.items()}
    return builder.build(build(m, **inputs).index)


def values_of(graph: Graph, salt: str = "") -> dict[int, Any]:
    return {i: numbers(s.shape, s.name + salt) for i, s in enumerate(graph) if s.is_input}


def perceptron(m: Any, x: Any, w1: Any, b1: Any, w2: Any, b2: Any, t: Any) -> Any:
    h = m.tanh(x @ w1 + b1)
    logits = h @ w2 + b2
    return -m.mean(m.sum(t * m.log_softmax(logits, axis=1), axis=1))


def layer_norm(m: Any, x: Any, gamma: Any, beta: Any, w: Any) -> Any:
    mu = m.mean(x, axis=-1, keepdims=True)
    centred = x - mu
    var = m.mean(centred**2, axis=-1, keepdims=True)
    out = gamma * (centred / m.sqrt(var + Fraction(1, 100000))) + beta
    return m.sum(out * w)


def attention(m: Any, q: Any, k: Any, v: Any, w: Any) -> Any:
    scores = q @ m.transpose(k, axes=(0, 2, 1)) / 2
    return m.sum((m.softmax(scores, axis=-1) @ v) * w)


def recurrent(m: Any, x: Any, wx: Any, wh: Any, b: Any) -> Any:
    h = m.broadcast_to(m.constant(0), shape=b.shape)
    for t in range(x.shape[0]):
        h = m.tanh(wx @ m.index(x, spec=(t,)) + wh @ h + b)
    return m.sum(h * h)


def embedding(m: Any, e: Any, w: Any) -> Any:
    rows = m.index(e, spec=(("ints", (5,), (0, 2, 2, 1, 2)),))
    stacked = m.concatenate(rows, rows * rows, axis=1)
    return m.logsumexp(m.sum(stacked * w, axis=1))


def pooling(m: Any, x: Any, w: Any) -> Any:
    windows = m.index(x, spec=(("ints", (3, 2), (0, 1, 1, 2, 2, 3)),))
    return m.sum(m.amax(windows, axis=1) * w)


MODELS: dict[str, tuple[Build, dict[str, tuple[int, ...]]]] = {
    "perceptron": (perceptron, {"x": (4, 3), "w1": (3, 5), "b1": (5,), "w2": (5, 2), "b2": (2,), "t": (4, 2)}),
    "layer norm": (layer_norm, {"x": (4, 3), "gamma": (3,), "beta": (3,), "w": (4, 3)}),
    "attention": (attention, {"q": (2, 3, 4), "k": (2, 5, 4), "v": (2, 5, 3), "w": (2, 3, 3)}),
    "recurrent": (recurrent, {"x": (6, 2), "wx": (3, 2), "wh": (3, 3), "b": (3,)}),
    "embedding": (embedding, {"e": (4, 2), "w": (5, 4)}),
    "pooling": (pooling, {"x": (4, 2), "w": (3, 2)}),
}

every_model = pytest.mark.parametrize("model", sorted(MODELS))


@every_model
def test_gradients_of_models(model: str) -> None:
    """symgrad's reverse pass in NumPy, in torch and in balls, and torch's own."""
    build, shapes = MODELS[model]
    graph = made(build, **shapes)
    wrt = list(graph.variables.values())
    back = backward(graph, wrt)
    values = values_of(graph)
    targets = [graph.output, *back.gradients]
    found = run(back.graph, values, targets)
    out, expected = evaluate.autograd(graph, tensors(values), wrt, dtype=torch.float64, device=CPU)
    for got, right in zip(found, [out, *expected], strict=True):
        assert near(got, right.numpy())
    for got, ball in zip(found, in_arb(back.graph, values, targets), strict=True):
        assert near(got, floats(ball))
    again = evaluate.run(back.graph, tensors(values), targets, dtype=torch.float64, device=CPU)
    assert all(near(a, b.numpy()) for a, b in zip(found, again, strict=True))


@every_model
def test_models_in_float32(model: str) -> None:
    build, shapes = MODELS[model]
    graph = made(build, **shapes)
    back = backward(graph, list(graph.variables.values()))
    values = values_of(graph)
    exact = run(back.graph, values, back.gradients)
    narrow = {i: t.to(torch.float32) for i, t in tensors(values).items()}
    found = evaluate.run(back.graph, narrow, back.gradients, dtype=torch.float32, device=CPU)
    assert all(f.dtype == torch.float32 for f in found)
    assert all(near(f.double().numpy(), e, 1e-4) for f, e in zip(found, exact, strict=True))


def test_a_program_runs_at_many_points() -> None:
    build, shapes = MODELS["perceptron"]
    graph = made(build, **shapes)
    back = backward(graph, list(graph.variables.values()))
    program = Program(back.graph, back.gradients)
    assert program.inputs == tuple(graph.variables.values())
    for salt in "abc":
        values = values_of(graph, salt)
        once = run(back.graph, values, back.gradients)
        assert all(near(a, b, 0.0) for a, b in zip(program(values), once, strict=True))
    every = Program(back.graph)(values_of(graph))
    assert len(every) == len(back.graph)
    assert all(np.shape(v) == s.shape for v, s in zip(every, back.graph, strict=True))


def test_scalars_run_as_arrays_do() -> None:
    graph = parse("u = tanh(x*y); f = where(x < y, u^2, u/y) + max(x, y)*pi")
    back = backward(graph, list(graph.variables.values()))
    at = {graph.find("x"): 0.75, graph.find("y"): 1.5}
    found = run(back.graph, at, [graph.output, *back.gradients])
    balls = run_balls(back.graph, {i: exact_ball(Fraction(v)) for i, v in at.items()})
    assert all(near(f, float(balls[t])) for f, t in zip(found, [graph.output, *back.gradients], strict=True))


def test_comparisons_are_numbers() -> None:
    graph = made(lambda m, x, y: m.sum(1 - m.lt(x, y) - m.gt(x, y)), x=(3,), y=(3,))
    assert run(graph, {0: [1, 2, 3], 1: [3, 2, 1]}, [graph.output]) == [1.0]


def test_seeds_start_the_pass() -> None:
    """A given upstream gradient, and two results at once."""
    builder = GraphBuilder()
    m = Formula(builder)
    x, w = (m.ref(builder.add("input", name=n, shape=s)) for n, s in (("x", (2, 3)), ("w", (3, 4))))
    y = x @ w
    z = m.sum(x * x, axis=0)
    dy, dz = (m.ref(builder.add("input", name=n, shape=s)) for n, s in (("dy", (2, 4)), ("dz", (3,))))
    graph = builder.build(y.index)
    back = backward(graph, [x.index, w.index], seeds={y.index: dy.index, z.index: dz.index})
    values = values_of(graph)
    dx, dw = run(back.graph, values, back.gradients)
    at = {s.name: values[i] for i, s in enumerate(graph) if s.is_input}
    assert near(dx, at["dy"] @ at["w"].T + 2 * at["x"] * at["dz"])
    assert near(dw, at["x"].T @ at["dy"])
    only = backward(graph, [x.index], seeds={y.index: dy.index})
    assert near(run(only.graph, values, only.gradients)[0], at["dy"] @ at["w"].T)
    with pytest.raises(InternalError, match=r"shape \(3,\) is no cotangent of shape \(2, 4\)"):
        backward(graph, [x.index], seeds={y.index: dz.index})


def test_without_seeds_the_entries_are_summed() -> None:
    graph = made(lambda m, x: x * x, x=(2, 3))
    back = backward(graph, [0])
    x = numbers((2, 3), "x")
    assert near(run(back.graph, {0: x}, back.gradients)[0], 2 * x)


def test_what_the_result_does_not_depend_on_has_zeros_of_its_shape() -> None:
    graph = made(lambda m, x, y: m.sum(x), x=(2,), y=(3, 1))
    back = backward(graph, [0, 1])
    assert [np.shape(v) for v in run(back.graph, {0: [1, 2], 1: np.ones((3, 1))}, back.gradients)] == [(2,), (3, 1)]
    assert not np.any(run(back.graph, {0: [1, 2], 1: np.ones((3, 1))}, back.gradients)[1])


def test_zero_times_an_array_keeps_its_shape() -> None:
    graph = made(lambda m, x: m.sum(x * 0 + x**0, axis=0), x=(2, 3))
    assert graph[graph.output].shape == (3,)
    assert run(graph, {0: numbers((2, 3), "x")}, [graph.output])[0].tolist() == [2, 2, 2]


def test_the_bias_gradient_is_a_sum_over_the_batch() -> None:
    """What is shown is what is taught: db = sum(dz, axis=0), dW = x^T dz, dx = dz W^T."""
    builder = GraphBuilder()
    m = Formula(builder)
    shapes = {"x": (4, 3), "w": (3, 2), "b": (2,)}
    x, w, b = (m.ref(builder.add("input", name=n, shape=s)) for n, s in shapes.items())
    z = m.call("add", m.call("matmul", x, w, label="xw"), b, label="z")
    graph = builder.build(m.sum(z * z).index)
    back = backward(graph, [x.index, w.index, b.index])
    steps = [back.graph[g] for g in back.gradients]
    assert [s.op for s in steps] == ["matmul", "matmul", "sum"]
    assert dict(steps[2].params) == {"axis": (0,), "keepdims": False}
    dz = back.cotangents[z.index]
    assert steps[2].inputs == (dz,)
    assert steps[0].inputs[0] == dz == steps[1].inputs[1]


@pytest.mark.parametrize(
    ("build", "text"),
    [
        (lambda m, x, w: m.sum(m.tanh(x @ w) * 2, axis=0), "sum(tanh(x@w)*2, axis=0)"),
        (lambda m, x, w: m.sum(x), "sum(x)"),
        (lambda m, x, w: m.mean(x + 1, axis=1, keepdims=True), "mean(x + 1, axis=1, keepdims=True)"),
        (lambda m, x, w: m.transpose(x + x), "(x + x).T"),
        (lambda m, x, w: m.transpose(x) @ x @ w, "x.T@x@w"),
        (lambda m, x, w: x @ (w @ x), "x@(w@x)"),
        (lambda m, x, w: m.index(x * 2, spec=(("slice", None, 1, None), -1)), "(x*2)[:1, -1]"),
        (lambda m, x, w: m.index(x, spec=(("ints", (2,), (0, 1)), None)), "x[[0, 1], None]"),
        (lambda m, x, w: m.set(x, 0, spec=(0,)), "set(x, [0], 0)"),
        (lambda m, x, w: m.reshape(x, shape=(3, -1)), "x.reshape(3, 2)"),
        (lambda m, x, w: m.concatenate(x, x, axis=-1), "concatenate([x, x], axis=1)"),
        (lambda m, x, w: m.einsum(x, w, spec="ij,jk"), "einsum('ij,jk->ik', x, w)"),
    ],
)
def test_steps_as_text(build: Build, text: str) -> None:
    graph = made(build, x=(2, 3), w=(3, 2))
    assert expression_text(graph, graph.output) == text


def test_what_is_plain_is_not_written() -> None:
    """Ones times x is x, a transposition undone is none, and a reshaped constant is a constant."""
    graph = made(lambda m, x: m.transpose(m.transpose(x)) * m.broadcast_to(m.constant(1), shape=(2, 3)), x=(2, 3))
    assert graph[graph.output].is_input
    graph = made(lambda m, x: m.reshape(m.broadcast_to(m.constant(3), shape=(2, 3)), shape=(6,)) - 1, x=())
    assert (graph[graph.output].op, graph[graph.output].shape) == ("broadcast_to", (6,))
    assert run(graph, {0: 0.0}, [graph.output])[0].tolist() == [2.0] * 6


def test_an_error_says_where() -> None:
    builder = GraphBuilder(source="y = inv(x)")
    x = builder.add("input", name="x", shape=(2, 2))
    m = Formula(builder)
    m.span = Span("f.py", 1, 5, 1, 11)
    graph = builder.build(m.inv(m.ref(x)).index)
    with pytest.raises(SymgradError, match="inv: Singular matrix") as caught:
        run(graph, {x: np.zeros((2, 2))})
    assert caught.value.span == m.span


@pytest.mark.parametrize("steps", [2000])
def test_time_and_size_are_linear(steps: int) -> None:
    def chain(n: int) -> tuple[int, int]:
        def build(m: Any, x: Any, w: Any) -> Any:
            h = x
            for _ in range(n):
                h = m.tanh(h @ w)
            return m.sum(h)

        graph = made(build, x=(2, 3), w=(3, 3))
        with counted() as work:
            back = backward(graph, [0, 1])
            run(back.graph, values_of(graph), back.gradients)
        return work.calls, len(back.graph)

    few, small = chain(steps // 4)
    many, large = chain(steps)
    assert 3.9 < large / small < 4.1
    assert many / few < 4.4
