"""Numbers that are put together to one gradient: ``w -= rate*np.array([g0, g1, g2])``.

Whatever they are called, each is meant to be its entry.
"""

from __future__ import annotations

import numpy as np

from symgrad.diagnose.observing.replay import Layout
from symgrad.diagnose.observing.truth import Quantity
from symgrad.diagnose.values.shaped import Shaped, lifted
from symgrad.ops.writing import is_joined, number_at


def joined(layout: Layout) -> dict[int, Quantity]:
    """For assignments of numbers that move the entries of a parameter, what they should be: where at least one of the
    others is what it should be."""
    subject, out = layout.subject, dict[int, Quantity]()
    if not subject.is_shaped:
        return out
    for move in subject.moves:
        step, right = subject.graph.steps[move.source], layout.truth.cotangents.get(move.bottom)
        if right is None or not is_joined(step) or right.shape != (len(step.inputs),):
            continue
        found: dict[int, Quantity] = {}
        for k, j in enumerate(step.inputs):
            i = number_at(subject.graph.steps, j)
            if i in layout.units_at and not subject.graph.steps[i].shape:
                entry = Shaped([np.asarray(a[k]) for a in lifted(right).arrays])
                found[i] = Quantity("sum", -1, move.bottom, entry)
        if any(layout.actual(i).same(q.vec) for i, q in found.items()):
            out |= found
    return out


__all__ = ["joined"]
