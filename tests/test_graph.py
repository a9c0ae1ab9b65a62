"""The graph: names, sharing, reachability, what verify() refuses, and the JSON round trip."""

from __future__ import annotations

import json
import pickle
from dataclasses import FrozenInstanceError, dataclass, field, replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from symgrad.backward import backward
from symgrad.errors import InternalError, Span
from symgrad.frontends.expression import parse
from symgrad.graph import Graph, GraphBuilder, Step
from symgrad.swift import swift

X = Step("x", "input")


@pytest.mark.parametrize(
    ("steps", "output", "message"),
    [
        ((X, Step("x", "input")), 0, "two steps are called x"),
        ((X, Step("y", "sin", (1,))), 1, "does not stand before it"),
        ((X, Step("y", "sin", (2,)), Step("z", "sin", (0,))), 1, "does not stand before it"),
        ((X, Step("y", "sin", (-1,))), 1, "does not stand before it"),
        ((X, Step("y", "input", (0,))), 1, "the leaf y has inputs"),
        ((X, Step("c", "const", (0,), (("value", Fraction(1)),))), 1, "the leaf c has inputs"),
        ((X,), 1, "no output"),
        ((X,), -1, "no output"),
        ((), 0, "no output"),
    ],
)
def test_verify_refuses(steps: tuple[Step, ...], output: int, message: str) -> None:
    with pytest.raises(InternalError, match=message):
        Graph(steps, output).verify()


def test_verify_accepts_and_returns_the_graph() -> None:
    graph = parse("q = x + y; f = q*x")
    assert graph.verify() is graph


def test_only_constants_have_a_value() -> None:
    assert Step("c", "const", params=(("value", "pi"),)).value == "pi"
    with pytest.raises(InternalError, match="no constant"):
        _ = X.value
    with pytest.raises(InternalError, match="no constant"):
        _ = Step("c", "const").value


def test_names_that_are_assigned_again_stay_apart() -> None:
    graph = parse("x = w; x = tanh(w*x); x = tanh(w*x)")
    names = [s.name for s in graph if not s.is_hidden]
    assert names == ["w", "x", "x#2"] or names == ["w", "x", "x#2", "x#3"]
    assert len({s.name for s in graph}) == len(graph)
    assert graph.find("x") < graph.find("x#2")
    with pytest.raises(KeyError):
        graph.find("nothing")


def test_ancestors_and_dependents() -> None:
    graph = parse("a = sin(x); b = cos(y); f = a*a")
    a, b, x, y = (graph.find(n) for n in "abxy")
    needed, moved = graph.ancestors(graph.output), graph.dependents(x)
    assert needed[a]
    assert needed[x]
    assert not needed[b]
    assert not needed[y]
    assert moved[a]
    assert moved[graph.output]
    assert not moved[b]
    assert graph.dependents(y)[b]
    assert not any(graph.dependents())


def test_sharing() -> None:
    plain, sharing = GraphBuilder(), GraphBuilder(share=True)
    for builder in (plain, sharing):
        x = builder.add("input", name="x")
        assert builder.const(Fraction(1, 2)) == builder.const(Fraction(1, 2))
        builder.add("sin", (x,))
        builder.add("sin", (x,))
    assert len(plain.steps) == 4
    assert len(sharing.steps) == 3
    # What has a name is a step of the user's and is never merged away.
    first, second = (sharing.add("cos", (x,), name=n) for n in ("u", "u"))
    assert [sharing.steps[i].name for i in (first, second)] == ["u", "u#2"]


def test_a_backward_graph_extends_a_forward_one() -> None:
    graph = parse("x*sin(x)")
    longer = backward(graph, [0]).graph
    assert longer.steps[: len(graph)] == graph.steps
    assert longer.output == graph.output
    assert all(s.of is not None for s in longer.steps[len(graph) :] if not s.is_const)


# --- JSON ---------------------------------------------------------------------------------------------------------

NAMES = st.text(st.characters(blacklist_categories=["Cs"]), min_size=1, max_size=8)
PARAMS = st.one_of(
    st.fractions(), st.integers(), st.booleans(), st.none(), st.text(max_size=5),
    st.lists(st.integers(0, 9), max_size=3).map(tuple),
)  # fmt: skip
POSITION = st.integers(1, 99)
SPANS = st.none() | st.builds(Span, st.text(max_size=5), POSITION, POSITION, POSITION, POSITION)


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    names = draw(st.lists(NAMES, min_size=1, max_size=12, unique=True))
    steps: list[Step] = []
    for i, name in enumerate(names):
        params = tuple(sorted(draw(st.dictionaries(NAMES, PARAMS, max_size=2)).items()))
        shape = tuple(draw(st.lists(st.integers(0, 4), max_size=3)))
        span = draw(SPANS)
        of = draw(st.none() | st.tuples(st.integers(0, 9), st.integers(0, 3)))
        ins = tuple(draw(st.lists(st.integers(0, i - 1), max_size=3))) if i else ()
        op = "input" if not ins else draw(st.sampled_from(["add", "sin", "where"]))
        steps.append(Step(name, op, ins, params, shape, span, of))
    return Graph(tuple(steps), draw(st.integers(0, len(steps) - 1)), draw(st.text(max_size=9)))


@given(graphs())
def test_json_round_trip(graph: Graph) -> None:
    text = json.dumps(graph.to_json())
    back = Graph.from_json(json.loads(text))
    assert back == graph
    # 1 == True == Fraction(1): equality alone would let a type slip.
    for old, new in zip(graph, back, strict=True):
        assert [type(v) for _, v in old.params] == [type(v) for _, v in new.params]


def test_json_keeps_numbers_of_any_size() -> None:
    graph = parse("x * 1e2900 + 1/3 + pi")
    assert Graph.from_json(json.loads(json.dumps(graph.to_json()))) == graph


def test_json_of_a_deep_graph_does_not_recurse() -> None:
    graph = parse("x = w;" + "x = tanh(w*x);" * 5000)
    assert Graph.from_json(json.loads(json.dumps(graph.to_json()))) == graph


def test_json_of_another_schema_or_a_broken_graph_is_refused() -> None:
    document = parse("x*y").to_json()
    with pytest.raises(InternalError, match="schema 99"):
        Graph.from_json({**document, "schema": 99})
    with pytest.raises(InternalError, match="no output"):
        Graph.from_json({**document, "output": 7})
    broken = Graph((X, replace(X, name="y", op="sin", inputs=(1,))), 0).to_json()
    with pytest.raises(InternalError, match="before"):
        Graph.from_json(broken)
    odd = {**document, "steps": [{"name": "x", "op": "input", "params": {"a": 1.5}}]}
    with pytest.raises(InternalError, match=r"1\.5 is no step parameter"):
        Graph.from_json({**odd, "output": 0})


def test_swift_dataclasses_are_plain_frozen_ones() -> None:
    span = Span("a.py", 1, 2, 1, 5)
    assert span == Span(file="a.py", line=1, column=2, end_line=1, end_column=5, cell=0)
    assert hash(span) == hash(replace(span, line=1))
    assert repr(span).endswith("Span(file='a.py', line=1, column=2, end_line=1, end_column=5, cell=0)")
    with pytest.raises(FrozenInstanceError):
        span.line = 3  # type: ignore[misc]
    step = Step("w", "input", span=span)
    assert (step.is_leaf, step.is_input, step.is_const) == (True, True, False)
    other = replace(step, op="tanh", inputs=(0,))
    assert (other.is_leaf, other.is_input, other.is_const) == (False, False, False)
    assert pickle.loads(pickle.dumps(step)) == step
    assert pickle.loads(pickle.dumps(step)).is_leaf

    @dataclass(frozen=True, slots=True)
    class Listed:
        held: list[int] = field(default_factory=list)

    with pytest.raises(TypeError, match="Listed"):
        swift(Listed)
