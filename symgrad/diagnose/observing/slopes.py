"""The slope of what is written out in several steps without a name: ``where(small, r, delta*sign(r))`` for the inside
of Huber's loss. Whoever works it out by hand starts with that, and multiplies by what surrounds it later."""

from __future__ import annotations

from collections.abc import Mapping

from symgrad.diagnose.observing.subject import BITS
from symgrad.diagnose.observing.truth import Truth
from symgrad.diagnose.values.vectors import Vec
from symgrad.enclosure import precision


def slopes(truth: Truth) -> list[Vec]:
    """The derivatives, entry by entry, of steps without a name by those with one, along more than one step."""
    steps, found = truth.subject.graph.steps, list[Vec]()
    by: dict[int, dict[int, Vec] | None] = {}
    with precision(BITS):
        for top in sorted(truth.owner):
            made: dict[int, Vec] = {}
            deep, lost = False, False
            for link in truth.elementary.get(top, ()):
                if not steps[link.bottom].shape:
                    continue
                inner = by.get(link.bottom, {}) if link.bottom in truth.owner else None
                below: Mapping[int, Vec | None] | None = inner if link.bottom in truth.owner else {link.bottom: None}
                if link.local is None or below is None or link.local.shape not in ((), steps[top].shape):
                    lost = True  # no function of single entries
                    break
                deep = deep or link.bottom in truth.owner
                for bottom, slope in below.items():
                    flow = link.local if slope is None else link.local * slope
                    made[bottom] = made[bottom] + flow if bottom in made else flow
            by[top] = None if lost else made
            if deep and not lost:
                found += [v for v in made.values() if v.usable and v.shape and v.constant() is None]
    return found
