"""Partial derivatives that hold fixed what is itself made of the others.

``P = V**2/R`` where ``R = V/I``: the uncertainty of P is made of ``dP_dV`` and ``dP_dR`` in one formula, and so is a
total differential. There the one by V holds R fixed, for what comes by way of R is in the other.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Collection, Set

from symgrad.diagnose.meaning.following import ends_of
from symgrad.diagnose.meaning.reading import Reading
from symgrad.diagnose.observing.replay import Layout
from symgrad.diagnose.observing.subject import BITS, Unit
from symgrad.diagnose.observing.truth import Quantity, Truth
from symgrad.diagnose.values.vectors import Vec, constant
from symgrad.enclosure import precision


def partials(layout: Layout, reading: Reading) -> dict[int, Quantity]:
    """For assignments that are meant as such partial derivatives, what they should be."""
    if layout.subject.is_shaped:
        return {}
    families: dict[int, dict[int, Unit]] = defaultdict(dict)
    for unit in layout.subject.units:
        pairs = reading.pairs(unit.name)
        if len(pairs) == 1 and not reading.is_topless(unit.name):
            families[pairs[0][0]][pairs[0][1]] = unit
    out: dict[int, Quantity] = {}
    for top, family in families.items():
        made = {b for b in family if any(a != b and layout.truth.reaches(a, b) for a in family)}
        together = _together(top, family, made, layout, reading) if made else {}
        if not together:
            continue
        values = held_fixed(layout.truth, top, together)
        for bottom, unit in together.items():
            if any(bottom != b and layout.truth.reaches(bottom, b) for b in together) and bottom in values:
                out[unit.step] = Quantity("helper", -1, -1, values[bottom])
    return out


def _together(
    top: int, family: dict[int, Unit], made: Set[int], layout: Layout, reading: Reading
) -> dict[int, Unit]:
    """Those of a family that one formula is made of which is no derivative of the same thing: a gradient by what both
    are made of would be a sum of them, too."""
    own = {u.step: b for b, u in family.items()}
    named = {u.step for u in layout.subject.units}
    for unit in layout.subject.units:
        if unit.step in own or any(t == top for t, _ in reading.pairs(unit.name)):
            continue
        found = {own[i]: family[own[i]] for i in ends_of(layout.graph, unit.step, named.__contains__) if i in own}
        if len(found) > 1 and not made.isdisjoint(found):
            return found
    return {}


def held_fixed(truth: Truth, top: int, frozen: Collection[int]) -> dict[int, Vec]:
    """d top by each of some steps, the others of them held fixed."""
    pending: dict[int, Vec] = {top: constant(1, truth.points)}
    out: dict[int, Vec] = {}
    order = [-top]
    with precision(BITS):
        while order:
            i = -heapq.heappop(order)
            arriving = pending.pop(i)
            if i in frozen:
                out[i] = arriving
                continue
            for link in truth.elementary.get(i, ()):
                if link.local is None:
                    continue
                flow = arriving * link.local
                if link.bottom in pending:
                    pending[link.bottom] = pending[link.bottom] + flow
                else:
                    pending[link.bottom] = flow
                    heapq.heappush(order, -link.bottom)
    return out
