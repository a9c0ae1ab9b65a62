"""The ops that are not elementwise, each against torch's autograd, differences in Arb, and SymPy entry by entry."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch

from symgrad import evaluate
from symgrad.backward import backward
from symgrad.errors import InternalError, Span
from symgrad.graph import Graph, GraphBuilder
from symgrad.ops import OPS, Formula, Ref, Rule, ShapeError, TensorOp, typed
from symgrad.ops.tensor import broadcast, declare
from symgrad.ops.values import function
from tests.tensor_witnesses import (
    CPU,
    TENSOR,
    Case,
    application,
    autograd_of,
    by_numpy,
    by_torch,
    cases,
    differences_of,
    floats,
    in_arb,
    near,
    numbers,
    rejects_autograd,
    rejects_differences,
    reverse,
    small,
    strided,
    sympy_of,
    tensors,
)

every_op = pytest.mark.parametrize("name", TENSOR)


def row(name: str) -> TensorOp:
    op = OPS[name]
    assert isinstance(op, TensorOp)
    return op


# --- values ------------------------------------------------------------------------------------------------------


@every_op
def test_values_agree(name: str) -> None:
    """NumPy, torch and Arb give one value, of the shape that the rule says, from contiguous and strided arrays."""
    for case in cases(name):
        shape = case.graph[case.result].shape
        (plain,) = by_numpy(case.graph, case.values, [case.result])
        assert np.shape(plain) == shape, case
        assert np.asarray(plain).dtype == np.float64, case
        (turned,) = by_numpy(case.graph, {i: strided(v) for i, v in case.values.items()}, [case.result])
        assert near(turned, plain), case
        assert near(by_torch(case.graph, case.values, [case.result])[0], plain), case
        (enclosed,) = in_arb(case.graph, case.values, [case.result])
        assert near(floats(enclosed), plain), case


@every_op
def test_inputs_are_not_written(name: str) -> None:
    for case in cases(name):
        before = {i: np.array(v) for i, v in case.values.items()}
        back = reverse(case)
        by_numpy(back.graph, case.values, range(len(back.graph)))
        assert all(np.array_equal(before[i], v) for i, v in case.values.items())


@every_op
def test_steps_survive_json(name: str) -> None:
    for case in cases(name):
        graph = reverse(case).graph
        assert Graph.from_json(json.loads(json.dumps(graph.to_json()))) == graph


@every_op
def test_canonical_parameters_stay(name: str) -> None:
    for case in cases(name):
        step = case.graph[case.result]
        shapes = [case.graph[i].shape for i in case.inputs]
        assert typed(name, shapes, dict(step.params)) == (step.params, step.shape)


# --- derivatives -------------------------------------------------------------------------------------------------


def smooth(case: Case) -> bool:
    """torch's second derivative of a norm at zero entries and of an empty inverse are no witness."""
    return all(np.size(v) for v in case.values.values())


@every_op
def test_shapes_of_cotangents_and_contributions(name: str) -> None:
    for case in cases(name):
        back = reverse(case)
        found = by_numpy(back.graph, case.values, range(len(back.graph)))
        for i, cotangent in back.cotangents.items():
            assert back.graph[cotangent].shape == case.graph[i].shape == np.shape(found[cotangent]), case
        for edge in back.edges:
            source = case.graph[case.graph[edge.step].inputs[edge.input]]
            assert back.graph[edge.contribution].shape == source.shape == np.shape(found[edge.contribution]), case
            assert (edge.local < 0) == (not OPS[case.graph[edge.step].op].elementwise)


@every_op
def test_vjp_against_autograd(name: str) -> None:
    for case in cases(name):
        assert not rejects_autograd(case, autograd_of(case)), case


@every_op
def test_vjp_against_differences(name: str) -> None:
    for case in cases(name):
        assert not rejects_differences(case, differences_of(case)), case


@every_op
def test_vjp_against_sympy(name: str) -> None:
    case = small(name)
    if case is None:
        assert name in ("iota", "inv", "det", "solve"), "too large for SymPy"
        return
    back = reverse(case)
    if name in ("argmax", "argmin"):  # SymPy cannot say which symbol is the largest
        return
    for got, expected in zip(by_numpy(back.graph, case.values, back.gradients), sympy_of(case), strict=True):
        assert near(got, expected), case


@every_op
def test_backward_in_torch_is_the_same(name: str) -> None:
    for case in cases(name):
        back = reverse(case)
        for a, b in zip(
            by_torch(back.graph, case.values, back.gradients), by_numpy(back.graph, case.values, back.gradients),
            strict=True,
        ):  # fmt: skip
            assert near(a, b), case


@every_op
def test_second_derivatives_against_autograd(name: str) -> None:
    """A vjp is written in ops of the table, so it can be differentiated again."""
    for case in cases(name):
        if not smooth(case) or not case.inputs:
            continue
        first = reverse(case)
        builder = GraphBuilder(first.graph, share=True)
        m = Formula(builder)
        total = m.constant(0)
        weights = {}
        for i, g in zip(case.inputs, first.gradients, strict=True):
            v = builder.add("input", name=f"v{i}", shape=case.graph[i].shape)
            weights[v] = numbers(case.graph[i].shape, f"v{i}")
            total = total + m.sum(m.ref(g) * m.ref(v))
        second = backward(builder.build(total.index), case.wrt)
        got = by_numpy(second.graph, {**case.values, **weights}, second.gradients)
        leaves = {i: t.requires_grad_(i in case.inputs) for i, t in tensors(case.values).items()}
        (out,) = evaluate.run(case.graph, leaves, [case.graph.output], dtype=torch.float64, device=CPU)
        variables = [leaves[i] for i in case.inputs]
        if not out.requires_grad:
            assert not any(map(np.any, got))
            continue
        grads = torch.autograd.grad(out, variables, create_graph=True, allow_unused=True)
        scalar = sum(
            ((g * torch.as_tensor(w)).sum() for g, w in zip(grads, weights.values(), strict=True) if g is not None),
            torch.zeros(()),
        )
        if not scalar.requires_grad:
            assert all(near(g, np.zeros(np.shape(g))) for g in got), case
            continue
        expected = torch.autograd.grad(scalar, variables, allow_unused=True)
        for a, t, x in zip(got, expected, variables, strict=True):
            assert near(a, torch.zeros_like(x).numpy() if t is None else t.numpy(), 1e-9), case


# --- the checks are checked ----------------------------------------------------------------------------------------


class Careless(Formula):
    """Makes one mistake in a rule: at the ``skip``-th call of an op it does not do what it should.

    A sum takes the first entry only, a transposition is left out where the shape allows it, everything else returns its
    last input, where that has the right shape.
    """

    def __init__(self, builder: Any, skip: int) -> None:
        super().__init__(builder)
        self.skip, self.count, self.made = skip, 0, False

    def call(self, name: str, *args: Any, label: str = "", **params: Any) -> Ref:
        right = super().call(name, *args, label=label, **params)
        self.count += 1
        if self.count - 1 != self.skip:
            return right
        wrong = self._wrong(name, [a for a in args if isinstance(a, Ref)], params)
        if wrong is not None and wrong.shape == right.shape and wrong.index != right.index:
            self.made = True
            return wrong
        return right

    def _wrong(self, name: str, args: list[Ref], params: dict[str, Any]) -> Ref | None:
        if name == "sum" and args[0].shape:
            axes = dict(typed("sum", [args[0].shape], params)[0])["axis"]
            spec = tuple(("slice", 0, 1 if a in axes else None, None) for a in range(len(args[0].shape)))
            return super().call("sum", super().call("index", args[0], spec=spec), **params)
        for arg in reversed(args):
            return arg
        return None


def careless(rule: Rule, skip: int) -> Rule:
    def corrupted(m: Formula, *refs: Ref, **params: Any) -> Any:
        mine = Careless(m.builder, skip)
        mine.of = m.of
        return rule(mine, *(mine.ref(r.index) for r in refs), **params)

    return corrupted


def turned(m: Formula, x: Ref) -> Ref:
    """Transposed where that keeps the shape, else turned round along every axis."""
    if len(x.shape) > 1 and x.shape[-1] == x.shape[-2] > 1:
        rank = len(x.shape)
        return m.transpose(x, axes=(*range(rank - 2), rank - 1, rank - 2))
    return m.index(x, spec=(("slice", None, None, -1),) * len(x.shape)) if any(n > 1 for n in x.shape) else x


def corruptions(rule: Rule | None) -> Iterator[tuple[str, Rule]]:
    if rule is None:
        yield "present", lambda m, g, y, *x, **p: m.broadcast_to(m.constant(1), shape=x[p.get("index", 0)].shape)
        return

    def after(change: Callable[[Formula, Ref], Ref]) -> Rule:
        def corrupted(m: Formula, g: Ref, y: Ref, *x: Ref, **p: Any) -> Any:
            found = rule(m, g, y, *x, **p)
            return None if found is None else change(m, found)

        return corrupted

    yield "scaled", after(lambda m, v: v * 1001 / 1000)
    yield "negated", after(lambda m, v: -(v + 0))
    yield "transposed", after(turned)
    for skip in range(8):
        yield f"call {skip}", careless(rule, skip)


@cache
def known(name: str) -> list[tuple[Case, list[Any], list[Any]]]:
    """The applications that a corruption is tried on, with what the witnesses say."""
    return [(c, autograd_of(c), differences_of(c)) for c in cases(name) if sum(map(np.size, c.values.values())) < 70]


def changes(name: str, wrong: Any, monkeypatch: pytest.MonkeyPatch) -> list[tuple[Case, list[Any], list[Any]]]:
    """The applications at which a corrupted rule gives other gradients than the right one."""
    out = []
    for case, *witnesses in known(name):
        back = reverse(case)
        right = by_numpy(back.graph, case.values, back.gradients)
        with monkeypatch.context() as patch:
            patch.setitem(OPS, name, wrong)
            other = reverse(case)
            got = by_numpy(other.graph, case.values, other.gradients)
        if not all(near(a, b, 1e-9) for a, b in zip(got, right, strict=True)):
            out.append((case, *witnesses))
    return out


@every_op
def test_a_corrupted_vjp_is_rejected(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    op = row(name)
    for position, rule in enumerate(op.vjp):
        caught = set()
        for mistake, wrong in corruptions(rule):
            rules = list(op.vjp)
            rules[position] = wrong
            corrupted = dataclasses.replace(op, vjp=tuple(rules))
            found = changes(name, corrupted, monkeypatch)
            with monkeypatch.context() as patch:
                patch.setitem(OPS, name, corrupted)
                for case, by_autograd, by_differences in found:
                    assert rejects_autograd(case, by_autograd), (mistake, case)
                    assert rejects_differences(case, by_differences), (mistake, case)
            if found:
                caught.add(mistake)
        must = {"present"} if rule is None else {"scaled", "negated", "transposed"}
        assert must <= caught, (position, must - caught)


#: Ops whose rule adds entries up, so that leaving the sum out must be seen; un-broadcasting is tried below.
SUMMING = ("softmax", "log_softmax")


@pytest.mark.parametrize("name", SUMMING)
def test_a_dropped_reduction_is_rejected(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    op = row(name)
    seen = 0
    for skip in range(8):
        tries: list[bool] = []

        def wrong(m: Formula, *refs: Ref, skip: int = skip, tries: list[bool] = tries, **params: Any) -> Any:
            mine = Careless(m.builder, skip)
            result = op.vjp[0](mine, *(mine.ref(r.index) for r in refs), **params)  # type: ignore[misc]
            tries.append(mine.made)
            return result

        corrupted = dataclasses.replace(op, vjp=(wrong,))
        seen += bool(changes(name, corrupted, monkeypatch)) and any(tries)
    assert seen >= 2


@pytest.mark.parametrize(
    ("a", "b"), [((2, 3), (3,)), ((2, 1), (1, 3)), ((), (2, 2)), ((4, 1, 3), (2, 1)), ((1,), (5, 1))]
)
def test_a_dropped_unbroadcast_is_rejected(a: Any, b: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Taking one copy's cotangent for the sum of all is seen by both witnesses."""
    case = application_of("mul", a, b)
    expected, slopes = autograd_of(case), differences_of(case)
    assert not rejects_autograd(case, expected)
    assert not rejects_differences(case, slopes)

    def first(np_: Any, x: Any, axis: Any, keepdims: bool) -> Any:
        for n in reversed(axis):
            x = x.take([0], n) if keepdims else x.take(0, n)
        return x

    back = reverse(case)
    monkeypatch.setattr(
        "symgrad.arrays.function",
        lambda name: (lambda *v, **p: first(np, *v, **p)) if name == "sum" else function(name),
    )
    got = by_numpy(back.graph, case.values, back.gradients)
    assert not all(near(g, e) for g, e in zip(got, expected, strict=True))


def application_of(name: str, *shapes: Any) -> Case:
    """An elementwise op on arrays: the sum of its weighted values."""
    op = OPS[name]
    builder = GraphBuilder()
    m = Formula(builder)
    refs = [m.ref(builder.add("input", name=f"x{i}", shape=s)) for i, s in enumerate(shapes)]
    y = m.call(name, *refs, label="y")
    weight = builder.add("input", name="w", shape=y.shape)
    graph = builder.build(m.sum(y * m.ref(weight)).index)
    values: dict[int, Any] = {}
    # Where each entry lies in the op's domain whichever entries it meets: points that differ in one input only.
    for n, (i, shape) in enumerate(zip((r.index for r in refs), shapes, strict=True)):
        size = int(np.prod(shape))
        base = op.points[0][n]
        nudge = 0.0 if name == "polygamma" and n == 0 else 1e-3
        values[i] = (base * (1 + nudge * np.arange(size))).reshape(shape)
    values[weight] = numbers(y.shape, name)
    return Case(name, graph, tuple(r.index for r in refs), y.index, values)


ELEMENTWISE = sorted(n for n, op in OPS.items() if op.elementwise)
SHAPES: dict[int, list[tuple[Any, ...]]] = {
    1: [((2, 3),), ((0, 2),), ((1, 1),)],
    2: [((2, 1), (3,)), ((), (2, 2)), ((1,), (1, 1)), ((0, 3), (3,)), ((2, 3), (2, 3))],
    3: [((2, 1), (3,), ()), ((1,), (2, 2), (2, 1)), ((0,), (), (1,))],
}


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_elementwise_ops_broadcast(name: str) -> None:
    """The taught rules on arrays: values and gradients against torch and differences, on strided inputs too."""
    for shapes in SHAPES[OPS[name].arity]:
        case = application_of(name, *shapes)
        if OPS[name].lower is not None:
            from symgrad.ops import lower

            low = lower(case.graph)
            torch_case = Case(name, low.graph, tuple(low.place[i] for i in case.inputs), low.place[case.result], {
                low.place[i]: v for i, v in case.values.items()})  # fmt: skip
        else:
            torch_case = case
        back = reverse(case)
        got = by_numpy(back.graph, {i: strided(v) for i, v in case.values.items()}, [case.result, *back.gradients])
        (value,) = by_torch(torch_case.graph, torch_case.values, [torch_case.result])
        assert near(got[0], value), shapes
        assert [np.shape(g) for g in got[1:]] == [tuple(s) for s in shapes]
        if name == "polygamma":  # torch has no derivative by its order, nor is there one
            continue
        for g, t in zip(got[1:], autograd_of(torch_case), strict=True):
            assert near(g, t, 1e-9), shapes
        if name != "heaviside":
            assert not rejects_differences(case, differences_of(case)), shapes


# --- conventions ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["amax", "amin"])
def test_equal_extremes_share_evenly(name: str) -> None:
    case = application(name, [(2, 3)], {"axis": 1})
    case.values[case.inputs[0]] = np.array([[1.0, 1.0, 1.0], [2.0, -1.0, 2.0]])
    assert not rejects_autograd(case, autograd_of(case))


def test_products_with_zeros() -> None:
    for zeros in (1, 2):
        case = application("prod", [(2, 4)], {"axis": 1})
        case.values[case.inputs[0]][0, :zeros] = 0.0
        assert not rejects_autograd(case, autograd_of(case))
        assert not rejects_differences(case, differences_of(case))


@pytest.mark.parametrize("name", ["logsumexp", "softmax", "log_softmax"])
def test_large_numbers_do_not_overflow(name: str) -> None:
    case = application(name, [(2, 3)], {"axis": 1})
    case.values[case.inputs[0]] = np.array([[1000.0, 1001.0, -5.0], [-1000.0, -1001.0, -1002.0]])
    assert not rejects_autograd(case, autograd_of(case))


def test_computed_indices() -> None:
    """An index that is a step: max-pooling by argmax, labels given as an array. Its values choose, nothing flows."""
    for op, first in (("index", 1), ("set", 2), ("add_at", 2)):
        shapes = [(4, 3), *[(2,)] * (first + 1)]
        spec = (("input", first), ("input", first + 1))
        case = application(op, shapes, {"spec": spec})
        case.values[case.inputs[first]] = np.array([1.0, 1.0])
        case.values[case.inputs[first + 1]] = np.array([2.0, 2.0])
        (value,) = by_numpy(case.graph, case.values, [case.result])
        assert near(by_torch(case.graph, case.values, [case.result])[0], value)
        assert near(floats(in_arb(case.graph, case.values, [case.result])[0]), value)
        assert not rejects_autograd(case, autograd_of(case))
        back = reverse(case)
        gradients = by_numpy(back.graph, case.values, back.gradients)
        assert all(not np.any(g) for g in gradients[first:])


def test_the_last_of_several_values_for_one_place_counts() -> None:
    case = application("set", [(5,), (4,)], {"spec": (("ints", (4,), (1, 1, -4, 3)),)})
    back = reverse(case)
    _, v = by_numpy(back.graph, case.values, back.gradients)
    assert [bool(x) for x in v] == [False, False, True, True]
    assert not rejects_differences(case, differences_of(case))


# --- what is refused -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "shapes", "params", "words"),
    [
        ("matmul", [(2, 3), (4, 5)], {}, "@ of shapes (2, 3) and (4, 5): the inner lengths 3 and 4 differ"),
        ("matmul", [(), (4, 5)], {}, "@ of shapes () and (4, 5)"),
        ("matmul", [(2, 2, 3), (5, 3, 4)], {}, "the stacks (2,) and (5,) do not fit"),
        ("sum", [(2, 3)], {"axis": 2}, "sum over axis 2 of shape (2, 3), which has 2 axes"),
        ("sum", [(2, 3)], {"axis": (0, -2)}, "an axis is given twice"),
        ("mean", [(0, 3)], {"axis": 0}, "there is no mean of no numbers"),
        ("amax", [(0, 3)], {}, "there is no max of no numbers"),
        ("reshape", [(2, 3)], {"shape": (4, -1)}, "reshape of shape (2, 3) (6 numbers) to (4, -1)"),
        ("transpose", [(2, 3)], {"axes": (0, 0)}, "each axis is needed once"),
        ("broadcast_to", [(2, 3)], {"shape": (3, 2)}, "broadcast of shape (2, 3) to (3, 2)"),
        ("concatenate", [(2, 3), (3, 2)], {}, "concatenate of shapes (2, 3) and (3, 2) along axis 0"),
        ("concatenate", [(2, 3), (3,)], {}, "different numbers of axes"),
        ("concatenate", [(), ()], {}, "no axes"),
        ("pad", [(2, 3)], {"widths": ((1, 1),)}, "one pair of widths for each axis"),
        ("diag", [(2, 3)], {}, "here is shape (2, 3)"),
        ("triu", [(3,)], {}, "here is shape (3,)"),
        ("diagonal", [(2, 2)], {"k": 5}, "there is none"),
        ("outer", [(2, 3), (3,)], {}, "it needs two vectors"),
        ("einsum", [(2, 3), (4, 5)], {"spec": "ij,jk->ik"}, "'j' is both 3 and 4"),
        ("einsum", [(2, 3)], {"spec": "ij,jk->ik"}, "it names 2 arrays, there are 1"),
        ("einsum", [(2, 3)], {"spec": "ij->k"}, "no array has the axis 'k'"),
        ("einsum", [(2, 3)], {"spec": "ijk->k"}, "does not fit shape (2, 3)"),
        ("index", [(2, 3)], {"spec": (5,)}, "out of bounds"),
        ("index", [(2, 3)], {"spec": (0, 0, 0)}, "too many indices"),
        ("set", [(2, 3), (2,)], {"spec": (0,)}, "a value of shape (2,) does not fit the region of shape (3,)"),
        ("add_at", [(2, 3), (2,)], {"spec": (0,)}, "a value of shape (2,) does not fit the region of shape (3,)"),
        ("inv", [(2, 3)], {}, "needs a square matrix; here is shape (2, 3)"),
        ("solve", [(2, 2), (3,)], {}, "solve of shapes (2, 2) and (3,)"),
        ("softmax", [()], {}, "needs an axis"),
        ("add", [(2, 3), (2,)], {}, "'+' of shapes (2, 3) and (2,): they cannot be broadcast together"),
    ],
)  # fmt: skip
def test_shapes_that_do_not_fit(name: str, shapes: Any, params: Any, words: str) -> None:
    builder = GraphBuilder(source="z = x @ y")
    m = Formula(builder)
    inputs = [m.ref(builder.add("input", name=f"x{i}", shape=s)) for i, s in enumerate(shapes)]
    m.span = Span("f.py", 1, 5, 1, 10)
    with pytest.raises(ShapeError) as caught:
        m.call(name, *inputs, **params)
    assert words in caught.value.message
    assert caught.value.span == m.span
    assert "^^^^^" in caught.value.render()


def test_broadcasting_is_numpys() -> None:
    for shapes in ([(2, 3), (3,)], [(), ()], [(0,), (1,)], [(4, 1), (1, 5), (5,)], [(1, 0), (3, 1)]):
        assert broadcast(*shapes) == np.broadcast_shapes(*shapes)
    with pytest.raises(ShapeError, match=r"shapes \(2,\) and \(3,\)"):
        broadcast((2,), (3,))
    with pytest.raises(ShapeError):
        broadcast((2,), (0,))


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"name": "sum"}, "declared twice"),
        ({"vjp": ()}, "1 inputs but 0 vjp rules"),
        ({"torch": None}, "needs a torch function"),
        ({"examples": ()}, "no examples"),
        ({"examples": ((((2,), (2,)), {}),)}, "examples of another arity"),
        ({"latex": "x"}, "leaves out an input"),
    ],
)
def test_an_incomplete_op_is_an_import_error(changes: dict[str, Any], complaint: str) -> None:
    given: dict[str, Any] = {
        "name": "not_yet_taken", "arity": 1, "vjp": (None,), "shape": lambda x: x, "run": lambda np, x: x,
        "torch": lambda t, x: x, "latex": "{0}", "examples": ((((2,),), {}),),
    }  # fmt: skip
    before = dict(OPS)
    try:
        with pytest.raises(InternalError, match=complaint):
            declare(**{**given, **changes})
    finally:
        OPS.clear()
        OPS.update(before)


# --- writing -------------------------------------------------------------------------------------------------------


@every_op
def test_latex(name: str) -> None:
    op = row(name)
    for case in cases(name):
        text = op.tex([f"<{i}>" for i in range(len(case.inputs))], dict(case.graph[case.result].params))
        assert text.count("{") == text.count("}")
        assert len(re.findall(r"\\left\W", text)) == len(re.findall(r"\\right\W", text))
        shown = len(case.inputs) if not op.variadic or name in ("concatenate", "einsum") else op.arity
        assert all(f"<{i}>" in text for i in range(shown))
