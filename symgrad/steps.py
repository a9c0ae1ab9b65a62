"""The steps of a derivation as a report lists them: formulas, and proven values where there is a point."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from symgrad.backward import Row
from symgrad.graph import Graph
from symgrad.printing import expression_text, step_text
from symgrad.report.model import BackwardStep, ForwardStep

#: Formulas of more characters than this are given as named steps.
READABLE = 600


def as_float(balls: Sequence[Any] | None, index: int) -> float | None:
    """A proven value as the nearest float; ``None`` where it was not computed."""
    if balls is None or balls[index] is None:
        return None
    if not balls[index].is_finite():
        return math.nan
    try:
        return float(balls[index])
    except OverflowError:
        return math.inf if balls[index] > 0 else -math.inf


def forward_steps(graph: Graph, names: Sequence[str], balls: Sequence[Any] | None) -> tuple[ForwardStep, ...]:
    needed = graph.ancestors(graph.output)
    shown = {i: n for i, n in enumerate(names) if n}
    return tuple(
        ForwardStep(names[i], step_text(graph, i, shown), as_float(balls, i), step.span)
        for i, step in enumerate(graph.steps)
        if needed[i] and not step.is_leaf
    )


def backward_steps(
    row: Row, names: Sequence[str], proven: tuple[Row, Sequence[Any]] | None
) -> tuple[BackwardStep, ...]:
    """The chain-rule factors as taught, with values from the accurate pass, which has the same edges."""
    reverse = row.reverse
    graph = reverse.graph
    shown = {i: n for i, n in enumerate(names) if n}
    last = {graph.steps[e.step].inputs[e.input]: n for n, e in enumerate(reverse.edges)}
    forward = set(shown)
    out = []
    for n, edge in enumerate(reverse.edges):
        target = graph.steps[edge.step].inputs[edge.input]
        formula = shown.get(edge.local) or expression_text(graph, edge.local, stop=forward, names=shown, limit=READABLE)
        factor = contribution = total = None
        if proven is not None:
            twin, balls = proven[0].reverse.edges[n], proven[1]
            factor = as_float(balls, twin.local)
            contribution = as_float(balls, twin.contribution)
            total = as_float(balls, proven[0].reverse.cotangents[target]) if last[target] == n else None
        out.append(BackwardStep(names[edge.step], names[target], formula, factor, contribution, total))
    return tuple(out)
