"""Gradients that are clipped: entry by entry, or by their norm. That is a deliberate difference, and no mistake.

A gradient that is only made smaller, under its own name, is told by the values: no entry grows, changes its sign, or
becomes 0. At the end of a pass such a line is left out of account; where the pass goes on from it (``dhnext`` in a
loop), what follows is judged as if nothing had been clipped.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from symgrad.diagnose.meaning.reading import Reading
from symgrad.diagnose.observing.replay import Layout
from symgrad.diagnose.observing.subject import BITS, Subject, Unit
from symgrad.diagnose.values.shaped import lifted
from symgrad.diagnose.values.vectors import Vec
from symgrad.enclosure import precision
from symgrad.graph import Graph
from symgrad.ops import OPS, sign_of
from symgrad.ops.base import COPY

#: How much larger a clipped gradient may be, by rounding.
SLACK = 1 + 1e-9
#: Products of more parts than this are not looked at.
MOST_PARTS = 12


def limits(layout: Layout, reading: Reading) -> frozenset[Unit]:
    """The assignments that clip a gradient which is there already, and with which the pass ends."""
    return frozenset(unit for unit, _, _ in _clipping(layout) if _ends(unit, layout, reading))


def unclipped(layout: Layout, reading: Reading) -> tuple[Subject, tuple[str, ...]] | None:
    """The subject without what clips gradients on their way, and what to say of that; ``None`` if nothing does."""
    steps, told = list(layout.graph.steps), []
    for unit, before, plainly in _clipping(layout):
        # On the way da*(1 - da**2) is rather a wrong variable than a gradient that is made smaller by itself.
        if plainly and not _ends(unit, layout, reading):
            steps[unit.step] = replace(steps[unit.step], op=COPY, inputs=(before,), params=())
            told.append(clipped_note(unit))
    if not told:
        return None
    graph = Graph(tuple(steps), layout.graph.output, layout.graph.source)
    return replace(layout.subject, graph=graph), tuple(dict.fromkeys(told))


def clipped_note(unit: Unit) -> str:
    return f"line {unit.line}: {unit.name} is clipped here: a deliberate difference"


def is_smaller(vec: Vec, other: Vec) -> bool:
    """No entry is larger than in another value, or has another sign, or is 0 where that is not: ``max(dw, 0)`` does
    more than clip."""
    have, old = lifted(vec), lifted(other)
    if have.shape != old.shape or have.same(old):
        return False
    pairs = zip(have.arrays, old.arrays, strict=True)
    return all(bool(np.all((np.sign(a) == np.sign(b)) & (np.abs(a) <= np.abs(b) * SLACK))) for a, b in pairs)


def _ends(unit: Unit, layout: Layout, reading: Reading) -> bool:
    return reading.by_inputs(unit.name) or not layout.dependents(unit.step)


def _clipping(layout: Layout) -> Iterator[tuple[Unit, int, bool]]:
    """The assignments that clip what their name held before, the step that this was, and whether they do it entry by
    entry."""
    before: dict[str, Unit] = {}
    with precision(BITS):
        for unit in layout.subject.units:
            earlier, before[unit.name] = before.get(unit.name), unit
            if earlier is None or layout.is_forward(unit.step) or layout.graph.steps[unit.step].is_leaf:
                continue
            plainly = _is_limited(unit.step, earlier.step, layout)
            way = plainly or _is_scaled_by_itself(unit.step, earlier.step, layout)
            if way and is_smaller(layout.actual(unit.step), layout.actual(earlier.step)):
                yield unit, earlier.step, plainly


def _is_limited(step: int, before: int, layout: Layout) -> bool:
    """Nothing but limits, with numbers and values of their own, lies between two steps."""
    steps, limited = layout.graph.steps, False
    while step != before:
        op, inputs = OPS[steps[step].op], [j for j in steps[step].inputs if not steps[j].is_leaf or j == before]
        if len(inputs) != 1 or layout.is_forward(step) or not (op.limits or op.renames):
            return False
        limited, step = limited or op.limits, inputs[0]
    return limited


def _is_scaled_by_itself(step: int, before: int, layout: Layout) -> bool:
    """``dw *= most/norm``: a product of what was there and numbers, one of them made from it. Of a single number that
    is a division by what is not smaller: ``dw*(1 - dw**2)`` is a slip."""
    steps, step = layout.graph.steps, layout.original(step)
    own = layout.original(before)
    if layout.is_forward(step) or layout.is_forward(own):
        return False
    numerator, denominator = _parts(step, own, layout)
    if numerator.count(own) != 1:
        return False  # db += -da is a sum of two
    scales = [j for j in (*numerator, *denominator) if j != own and layout.feeds(own, {j})]
    if len(scales) != 1 or steps[scales[0]].shape:
        return False
    if steps[own].shape:
        return True
    below = denominator if scales[0] in denominator else _parts(scales[0], own, layout)[1]
    value = layout.actual(own).floats
    return any(
        all(abs(v) <= abs(d) * SLACK for v, d in zip(value, layout.actual(j).floats, strict=True))
        for j in below if layout.feeds(own, {j})
    )  # fmt: skip


def _parts(step: int, own: int, layout: Layout) -> tuple[list[int], list[int]]:
    """What a product is made of, and what it is divided by."""
    above, below = list[int](), list[int]()
    stack = [(step, False)]
    while stack and len(above) + len(below) < MOST_PARTS:
        at, under = stack.pop()
        at = layout.original(at)
        sign = sign_of(layout.graph.steps[at].op) if at != own else ""
        if sign not in ("*", "/") or len(layout.graph.steps[at].inputs) != 2:
            (below if under else above).append(at)
            continue
        first, second = layout.graph.steps[at].inputs
        stack += [(first, under), (second, under != (sign == "/"))]
    return above, below
