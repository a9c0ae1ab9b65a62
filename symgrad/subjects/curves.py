"""A curve given by a parameter: ``x = t - sin(t)``, ``y = 1 - cos(t)``, and ``dy_dx = dy_dt / dx_dt``.

Neither of the two is made of the other, so no one of them is all that is differentiated. Their sum is.
"""

from __future__ import annotations

from collections.abc import Sequence

from symgrad.diagnose.meaning.curves import parameters
from symgrad.diagnose.text.naming import claims, normal
from symgrad.frontends.trace.data import Trace
from symgrad.graph import Graph
from symgrad.subjects.upstream import extended


def of_curves(trace: Trace, results: Sequence[int]) -> tuple[Trace, list[int]]:
    """The run, and what may be differentiated in it: with a sum of x and y, where there are dx_dt, dy_dt and dy_dx."""
    held: dict[str, set[int]] = {}
    for b in trace.bindings:
        held.setdefault(normal(b.name), set()).add(b.step)
    alone = {name: min(steps) for name, steps in held.items() if len(steps) == 1}
    names = {b.name for b in trace.bindings}
    for c in (c for name in sorted(names) for c in claims(name)):
        top, bottom = alone.get(c.top, -1), alone.get(c.bottom, -1)
        if min(top, bottom) < 0 or any(trace.graph.steps[i].is_leaf for i in (top, bottom)):
            continue
        by = next((alone[p] for p in parameters(c, names) if p in alone), -1)
        if by < 0 or not all(_is_made_of(trace, *pair) for pair in ((top, by), (bottom, by))):
            continue
        if any(_is_made_of(trace, *pair) for pair in ((top, bottom), (bottom, top))):
            continue
        known = (Graph(trace.graph.steps, i, trace.graph.source).ancestors(i) for i in results)
        if not any(k[top] and k[bottom] for k in known):
            trace, total = extended(trace, "add", (min(top, bottom), max(top, bottom)))
            return trace, [total]
    return trace, list(results)


def _is_made_of(trace: Trace, step: int, other: int) -> bool:
    return Graph(trace.graph.steps, step, trace.graph.source).ancestors(step)[other]


__all__ = ["of_curves"]
