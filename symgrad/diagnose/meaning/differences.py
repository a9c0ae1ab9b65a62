"""Difference quotients in a script: what they differentiate, by what, and what is compared with them."""

from __future__ import annotations

from collections.abc import Iterator

from symgrad.diagnose.meaning.evidence import Pair
from symgrad.diagnose.meaning.following import original
from symgrad.frontends.trace.data import Trace
from symgrad.graph import Graph
from symgrad.ops import OPS, is_sum, sign_of
from symgrad.ops.slips import is_place
from symgrad.ops.tensor import TensorOp

#: The step of a difference quotient is at most this.
SMALL = 0.02


def _quotients(trace: Trace) -> Iterator[tuple[int, int, set[int]]]:
    """Difference quotients: the step of (f(x + h) - f(x - h))/(2*h), the input h, and what is subtracted."""
    graph = trace.graph
    small = {
        leaf.step for leaf in trace.leaves
        if leaf.literal and isinstance(v := trace.values[leaf.step], float) and 0 < abs(v) <= SMALL
    }  # fmt: skip
    shifted_by = {h: graph.dependents(h) for h in small}
    for i, step in enumerate(graph.steps if small else ()):
        if sign_of(step.op) != "/":
            continue
        top, bottom = (original(graph, j) for j in step.inputs)
        if sign_of(graph.steps[top].op) != "-":
            continue
        below = {h for h in small if shifted_by[h][bottom]}
        if len(below) == 1:
            h = next(iter(below))
            sides = {original(graph, j) for j in graph.steps[top].inputs}
            if any(shifted_by[h][side] for side in sides):
                yield i, h, sides


def shifted_values(trace: Trace) -> list[int]:
    """The f(x + h) and f(x - h) of difference quotients: what is differentiated, where nothing else says."""
    return sorted({side for _, _, sides in _quotients(trace) for side in sides if not trace.graph.steps[side].is_leaf})


def quotients(trace: Trace) -> set[int]:
    """The steps that are difference quotients, and so nothing that is differentiated."""
    return {i for i, _, _ in _quotients(trace)}


def beside(trace: Trace) -> list[bool] | None:
    """For each step, whether it is worked out beside the point, with the step of a difference quotient in it; ``None``
    where there are no quotients."""
    steps = {h for _, h, _ in _quotients(trace)}
    return trace.graph.dependents(*steps) if steps else None


def step_size(trace: Trace, loss: int) -> int:
    """The input h of (f(x + h) - f(x - h))/(2*h), where the loss is such an f(x + h) or f(x - h); -1 if it is none."""
    loss = original(trace.graph, loss)
    return next((h for _, h, sides in _quotients(trace) if loss in sides), -1)


def shifted(graph: Graph, loss: int, h: int) -> list[int]:
    """The inputs to which the step of a difference quotient is added, or to one entry of which it is."""
    needed, moved = graph.ancestors(loss), graph.dependents(h)
    out: dict[int, None] = {}
    for i, step in enumerate(graph.steps):
        if needed[i] and is_sum(step.op) and any(moved[j] for j in step.inputs):
            other = next((_taken_from(graph, j) for j in step.inputs if not moved[j]), -1)
            if other >= 0 and graph.steps[other].is_input:
                out[other] = None
    return list(out)


def _taken_from(graph: Graph, i: int) -> int:
    """The array of which a value is an entry, or a copy."""
    while not (step := graph.steps[i]).is_leaf:
        op = OPS[step.op]
        if not op.renames and not (isinstance(op, TensorOp) and op.write is not None):
            break
        i = step.inputs[0]
    return i


def _is_read(graph: Graph, i: int) -> bool:
    """It is data, or a part of it: ``old = x[i]``, which is put back when the difference has been taken."""
    step = graph.steps[i]
    return step.is_leaf or (is_place(step.op) and graph.steps[original(graph, step.inputs[0])].is_leaf)


def beside_quotients(trace: Trace, loss: int, h: int) -> dict[str, tuple[Pair, ...]]:
    """The names of what is compared with a difference quotient of the loss."""
    graph = trace.graph
    by = [(loss, i) for i in shifted(graph, loss, h)]
    moved = graph.dependents(h)
    named = {b.step: b.name for b in trace.bindings}
    out: dict[str, tuple[Pair, ...]] = {}
    for i, step in enumerate(graph.steps):
        if moved[i] and sign_of(step.op) == "-" and by:
            a, b = (original(graph, j) for j in step.inputs)
            for mine, other in ((a, b), (b, a)):
                name = named.get(mine)
                if name and not moved[mine] and moved[other] and not _is_read(graph, mine):
                    out[name] = tuple(by)
    return out
