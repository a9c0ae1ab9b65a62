"""``dy_dx`` where y is not made of x: both are made of a parameter, or x of y.

Along a curve it is ``dy_dt / dx_dt``, and of an inverse function ``1 / dy_dx``.
"""

from __future__ import annotations

from collections.abc import Iterator

from symgrad.diagnose.observing.replay import Layout
from symgrad.diagnose.observing.subject import BITS
from symgrad.diagnose.observing.truth import Quantity
from symgrad.diagnose.text.naming import Claim, claims, is_some_loss, normal
from symgrad.enclosure import precision
from symgrad.ops import sign_of


def slopes(layout: Layout) -> dict[int, Quantity]:
    """For assignments that are meant as such slopes, what they should be."""
    subject, truth = layout.subject, layout.truth
    if subject.is_shaped:
        return {}
    held: dict[str, set[int]] = {}
    for name, i in subject.aliases:
        held.setdefault(normal(name), set()).add(i)
    alone = {name: min(steps) for name, steps in held.items() if len(steps) == 1}
    known = alone.keys() - {normal(subject.names.get(i, "")) for i in subject.leaves()}
    told = {u.name for u in subject.units}
    out: dict[int, Quantity] = {}
    for unit in subject.units:
        for c in claims(unit.name):
            top, bottom = alone.get(c.top, -1), alone.get(c.bottom, -1)
            if min(top, bottom) < 0 or top == bottom or truth.reaches(bottom, top) or c.bottom not in known:
                continue
            if truth.reaches(top, bottom):
                # Who calls dL/dw dw_dL does not divide.
                means = subject.graph.steps[top].is_input and not is_some_loss(c.bottom)
                by = top if means and _divides(layout, unit.step) else -1
            else:
                by = next((alone[p] for p in parameters(c, told) if p in alone and _is_input(layout, alone[p])), -1)
            tangents = truth.tangents(by) if by >= 0 else {}
            if top in tangents and bottom in tangents and not tangents[bottom].is_zero:
                with precision(BITS):
                    out[unit.step] = Quantity("helper", -1, -1, tangents[top] / tangents[bottom])
    return out


def parameters(slope: Claim, names: set[str]) -> Iterator[str]:
    """What both x and y are derived by, by the names of other derivatives: t, where there are dx_dt and dy_dt."""
    by: dict[str, set[str]] = {slope.top: set(), slope.bottom: set()}
    for c in (c for name in sorted(names) for c in claims(name)):
        if c.top in by:
            by[c.top].add(c.bottom)
    yield from sorted(by[slope.top] & by[slope.bottom] - by.keys())


def _is_input(layout: Layout, step: int) -> bool:
    return layout.graph.steps[step].is_input


def _divides(layout: Layout, step: int) -> bool:
    steps, i = layout.graph.steps, layout.original(step)
    while len(steps[i].inputs) == 1:
        i = layout.original(steps[i].inputs[0])
    return sign_of(steps[i].op) == "/" and not layout.is_forward(i)


__all__ = ["parameters", "slopes"]
