"""A graph without what neither its result nor what is differentiated by needs."""

from __future__ import annotations

from collections.abc import Sequence

from symgrad.graph import INPUT, Graph, Step
from symgrad.ops import OPS


def pruned(graph: Graph, wrt: Sequence[int]) -> tuple[Graph, dict[int, int]]:
    """Only what the result depends on, and what is differentiated by; renamings are seen through."""
    needed = _above(graph, wrt)
    place: dict[int, int] = {}
    steps: list[Step] = []
    known: dict[tuple[object, ...], int] = {}
    for i, step in enumerate(graph.steps):
        if not needed[i]:
            continue
        if not step.is_leaf and OPS[step.op].renames:
            place[i] = place[step.inputs[0]]
            continue
        if i in wrt and not step.is_input:
            step = Step(step.name if not step.is_hidden else "x", INPUT, shape=step.shape, span=step.span)
        inputs = tuple(place[j] for j in step.inputs)
        key = (step.op, inputs, step.params)
        if step.is_hidden and not step.is_leaf and key in known:
            place[i] = known[key]
            continue
        place[i] = len(steps)
        known.setdefault(key, len(steps))
        steps.append(Step(step.name, step.op, inputs, step.params, step.shape, step.span))
    return Graph(tuple(steps), place[graph.output], graph.source), place


def _above(graph: Graph, wrt: Sequence[int]) -> list[bool]:
    """What the result depends on, but nothing that only leads to what is differentiated by."""
    needed, ends = [False] * len(graph), set(wrt)
    for i in (graph.output, *wrt):
        needed[i] = True
    for i in range(len(graph) - 1, -1, -1):
        for j in graph.steps[i].inputs if needed[i] and i not in ends else ():
            needed[j] = True
    return needed
