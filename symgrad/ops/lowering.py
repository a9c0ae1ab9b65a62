"""Replacing ops that torch lacks by the ops that they are composed of."""

from __future__ import annotations

from dataclasses import dataclass

from symgrad.graph import Graph, GraphBuilder
from symgrad.ops.base import OPS
from symgrad.ops.build import Formula


@dataclass(frozen=True, slots=True)
class Lowered:
    """A graph of ops that torch has.

    Attributes:
        graph: the lowered graph.
        place: for each step of the original graph, the position of its value in the lowered one.
        origin: for each step of the lowered graph, the original step that it computes or helps to compute.
    """

    graph: Graph
    place: tuple[int, ...]
    origin: tuple[int, ...]


def lower(graph: Graph) -> Lowered:
    """Rewrite every step whose op has a ``lower`` rule; repeated until none is left. Linear in the steps."""
    if all(s.is_leaf or OPS[s.op].lower is None for s in graph.steps):
        identity = tuple(range(len(graph)))
        return Lowered(graph, identity, identity)
    builder = GraphBuilder(source=graph.source)
    math = Formula(builder)
    place: list[int] = []
    origin: list[int] = []
    for index, step in enumerate(graph.steps):
        inputs = tuple(place[j] for j in step.inputs)
        rule = None if step.is_leaf else OPS[step.op].lower
        if rule is None:
            # A constant may be shared with one that a lowering made earlier; everything else is a new step.
            position = builder.add(
                step.op, inputs, name="" if step.is_const else step.name, params=step.params,
                shape=step.shape, span=step.span, of=step.of,
            )  # fmt: skip
        else:
            math.span, math.of = step.span, step.of
            position = rule(math, *(math.ref(j) for j in inputs), **dict(step.params)).index
        place.append(position)
        origin.extend([index] * (len(builder.steps) - len(origin)))
    lowered = Lowered(builder.build(place[graph.output]), tuple(place), tuple(origin))
    if any(not s.is_leaf and OPS[s.op].lower is not None for s in lowered.graph.steps):
        again = lower(lowered.graph)
        return Lowered(
            again.graph,
            tuple(again.place[p] for p in lowered.place),
            tuple(lowered.origin[o] for o in again.origin),
        )
    return lowered
