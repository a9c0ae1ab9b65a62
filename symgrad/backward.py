"""The reverse pass: a graph in, and out of it the graph of its derivative, one chain-rule factor a step.

An elementwise op multiplies the cotangent by its local factor; any other op pulls the cotangent back by its ``vjp``.
Either way, what an input gets has that input's shape: where it was broadcast, its copies are added up here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from symgrad.errors import InternalError
from symgrad.graph import Graph, GraphBuilder
from symgrad.ops import OPS, Formula, Op, Ref, Rule, Shape, TensorOp
from symgrad.swift import swift

#: The ``local`` of an edge through an op that is not elementwise.
NO_LOCAL = -1

#: Chooses the rule for (op, input position).
Chooser = Callable[[Op, int], Rule | None]


@swift
@dataclass(frozen=True, slots=True)
class Edge:
    """One chain-rule factor: how the step at ``step`` depends on its input number ``input``.

    Attributes:
        step: position of the forward step.
        input: which of its inputs.
        local: position of the local derivative d step / d input, an elementwise factor; :data:`NO_LOCAL` where the op
            is not elementwise and its derivative no factor but a linear map.
        contribution: position of what flows to that input along this edge: cotangent(step) * local or the op's vjp,
            summed over the axes along which the input was broadcast. It has the input's shape.
    """

    step: int
    input: int
    local: int
    contribution: int


@dataclass(frozen=True, slots=True)
class Backward:
    """A graph extended by its own reverse pass.

    Attributes:
        graph: the forward steps at their old positions, then the backward steps; its output is unchanged. The
            cotangent of a step has the step's shape.
        forward: how many of the steps are forward steps.
        cotangents: forward position -> position of d output / d step, for steps on a path from ``wrt``.
        edges: in the order in which the reverse pass walks them.
        wrt: the positions of the variables asked for.
        gradients: for each of them, the position of d output / d variable.
    """

    graph: Graph
    forward: int
    cotangents: dict[int, int]
    edges: tuple[Edge, ...]
    wrt: tuple[int, ...]
    gradients: tuple[int, ...]


def choose(style: str) -> Chooser:
    """The chooser of one of the table's styles: ``"taught"``, ``"accurate"`` or ``"autograd"``."""
    return lambda op, index: op.rule(index, style)


def same_rules(reverse: Backward, one: str, other: str) -> bool:
    """Whether two styles of the table have the same rule for everything that ``reverse`` differentiates."""
    steps = reverse.graph.steps
    used = {(s.op, n) for s in steps[: reverse.forward] for n, j in enumerate(s.inputs) if not steps[j].is_const}
    return all(OPS[name].rule(n, one) is OPS[name].rule(n, other) for name, n in used)


def unbroadcast(m: Formula, g: Ref, shape: Shape) -> Ref:
    """Bring a cotangent to the shape of an input that was broadcast: its copies' cotangents are added up.

    The axes that the input lacks are summed away, those where it has length 1 are summed and kept. A cotangent that is
    the same everywhere may come smaller than the input; it is spread.
    """
    while len(g.shape) < len(shape) or g.shape != shape:
        given = g.shape
        extra = len(given) - len(shape)
        if extra > 0:
            g = m.call("sum", g, axis=tuple(range(extra)))
        elif extra < 0:
            g = m.call("reshape", g, shape=(1,) * -extra + given)
        else:
            stretched = tuple(a for a, n in enumerate(shape) if n == 1 and given[a] != 1)
            if not stretched:
                return m.call("broadcast_to", g, shape=shape)
            g = m.call("sum", g, axis=stretched, keepdims=True)
    return g


def backward(
    graph: Graph,
    wrt: Sequence[int],
    rules: Chooser | str = "taught",
    *,
    seeds: Mapping[int, int] | None = None,
) -> Backward:
    """Differentiate ``graph.output`` with respect to the steps at ``wrt``.

    Only steps on a path from a variable to the output are visited. Cost and size are linear in the number of
    steps; nothing recurses. A variable that the output does not depend on gets the constant 0.

    Args:
        graph: any graph, itself the result of :func:`backward` for higher orders.
        wrt: positions of the variables, usually inputs.
        rules: a style of the table, or a function that picks the rule of each (op, input) where the op is elementwise.
        seeds: where the pass starts: the cotangent (a step of ``graph``) of each of several results. Without it, the
            cotangent of ``graph.output`` is 1 in every entry: the sum of its entries is differentiated.

    Raises:
        InternalError: a seed's shape is not that of the step it belongs to.
    """
    pick = choose(rules) if isinstance(rules, str) else rules
    depends = graph.dependents(*wrt)
    starts = {graph.output: -1} if seeds is None else dict(seeds)
    needed = graph.ancestors(*starts)
    builder = GraphBuilder(graph, share=True)
    math = Formula(builder)
    pending: dict[int, list[Ref]] = {}
    for start, seed in starts.items():
        given = math.constant(1) if seed < 0 else math.ref(seed)
        shape = graph.steps[start].shape
        if seed >= 0 and given.shape != shape:
            raise InternalError(f"a cotangent of shape {given.shape} is no cotangent of shape {shape}")
        pending[start] = [given if given.shape == shape else math.call("broadcast_to", given, shape=shape)]
    cotangents: dict[int, int] = {}
    edges: list[Edge] = []
    visited = [i for i in range(max(starts, default=-1), -1, -1) if depends[i] and needed[i]]
    for index in visited:
        if index not in pending:
            continue
        math.of = (index, -1)
        total, *rest = pending.pop(index)
        for extra in rest:
            total = total + extra
        cotangents[index] = total.index
        step = graph.steps[index]
        if step.is_leaf:
            continue
        op = OPS[step.op]
        inputs = [math.ref(j) for j in step.inputs]
        for position, j in enumerate(step.inputs):
            if not depends[j]:
                continue
            rule = op.pull(position) if isinstance(op, TensorOp) else pick(op, position)
            if rule is None:
                continue
            math.of = (index, position)
            if isinstance(op, TensorOp):
                flow = rule(math, total, math.ref(index), *inputs, **dict(step.params))
                if flow is None:
                    continue
                local = NO_LOCAL
            else:
                factor = rule(math, math.ref(index), *inputs)
                factor = factor if isinstance(factor, Ref) else math.constant(factor)
                local, flow = factor.index, total * factor
            shape = graph.steps[j].shape
            contribution = flow if flow.shape == shape else unbroadcast(math, flow, shape)
            edges.append(Edge(index, position, local, contribution.index))
            pending.setdefault(j, []).append(contribution)
    math.of = None
    gradients = tuple(cotangents[w] if w in cotangents else _zeros(math, graph.steps[w].shape) for w in wrt)
    return Backward(builder.build(graph.output), len(graph), cotangents, tuple(edges), tuple(wrt), gradients)


def _zeros(math: Formula, shape: Shape) -> int:
    nothing = math.constant(0)
    return math.call("broadcast_to", nothing, shape=shape).index if shape else nothing.index


@dataclass(frozen=True, slots=True)
class Row:
    """One reverse pass, and which of its steps are derivatives that were asked for.

    Attributes:
        reverse: the pass; of order 2 it differentiates one entry of the gradient.
        labels: what each target is a derivative with respect to: ``"x"``, or ``"x,z"`` of order 2.
        targets: positions in ``reverse.graph``.
    """

    reverse: Backward
    labels: tuple[str, ...]
    targets: tuple[int, ...]


def rows(graph: Graph, wrt: Sequence[int], order: int, rules: Chooser | str) -> tuple[Row, ...]:
    """The reverse passes that give the gradient (order 1), or the upper triangle of the Hessian (order 2)."""
    names = [graph.steps[i].name for i in wrt]
    first = backward(graph, wrt, rules)
    if order == 1:
        return (Row(first, tuple(names), first.gradients),)
    out = []
    for n, gradient in enumerate(first.gradients):
        inner = Graph(first.graph.steps, gradient, graph.source)
        second = backward(inner, wrt[n:], rules)
        out.append(Row(second, tuple(f"{names[n]},{m}" for m in names[n:]), second.gradients))
    return tuple(out)
