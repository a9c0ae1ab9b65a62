"""The reverse pass: a graph in, and out of it the graph of its derivative, one chain-rule factor a step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from symgrad.graph import Graph, GraphBuilder
from symgrad.ops import OPS, Formula, Op, Ref, Rule

#: Chooses the rule for (op, input position).
Chooser = Callable[[Op, int], Rule | None]


@dataclass(frozen=True, slots=True)
class Edge:
    """One chain-rule factor: how the step at ``step`` depends on its input number ``input``.

    Attributes:
        step: position of the forward step.
        input: which of its inputs.
        local: position of the local derivative d step / d input.
        contribution: position of cotangent(step) * local, what flows to that input along this edge.
    """

    step: int
    input: int
    local: int
    contribution: int


@dataclass(frozen=True, slots=True)
class Backward:
    """A graph extended by its own reverse pass.

    Attributes:
        graph: the forward steps at their old positions, then the backward steps; its output is unchanged.
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


def backward(graph: Graph, wrt: Sequence[int], rules: Chooser | str = "taught") -> Backward:
    """Differentiate ``graph.output`` with respect to the steps at ``wrt``.

    Only steps on a path from a variable to the output are visited. Cost and size are linear in the number of
    steps; nothing recurses. A variable that the output does not depend on gets the constant 0.

    Args:
        graph: any graph, itself the result of :func:`backward` for higher orders.
        wrt: positions of the variables, usually inputs.
        rules: a style of the table, or a function that picks the rule of each (op, input).
    """
    pick = choose(rules) if isinstance(rules, str) else rules
    depends = graph.dependents(*wrt)
    needed = graph.ancestors(graph.output)
    builder = GraphBuilder(graph, share=True)
    math = Formula(builder)
    pending: dict[int, list[Ref]] = {graph.output: [math.constant(1)]}
    cotangents: dict[int, int] = {}
    edges: list[Edge] = []
    for index in range(graph.output, -1, -1):
        if not (depends[index] and needed[index]) or index not in pending:
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
            rule = pick(op, position)
            if rule is None:
                continue
            math.of = (index, position)
            factor = rule(math, math.ref(index), *inputs)
            local = factor if isinstance(factor, Ref) else math.constant(factor)
            contribution = total * local
            edges.append(Edge(index, position, local.index, contribution.index))
            pending.setdefault(j, []).append(contribution)
    math.of = None
    zero = math.constant(0).index if any(w not in cotangents for w in wrt) else -1
    gradients = tuple(cotangents.get(w, zero) for w in wrt)
    return Backward(builder.build(graph.output), len(graph), cotangents, tuple(edges), tuple(wrt), gradients)


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
