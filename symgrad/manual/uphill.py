"""``w = w + rate*dw`` where ``dw`` is the gradient of the loss: each round makes that larger.

No derivative is wrong then, so nobody is blamed; yet it is what the reader will look for next, and it is said.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from symgrad.diagnose.deciding.prepared import prepare
from symgrad.diagnose.observing.subject import BITS, Subject
from symgrad.diagnose.text.naming import is_gain, is_surely_loss
from symgrad.diagnose.values.quiet import quiet
from symgrad.diagnose.values.shaped import lifted
from symgrad.enclosure import precision
from symgrad.manual.work import Account


def of_steps_uphill(taken: Account) -> Account:
    """The account with a note on the parameters that are moved up a loss by its gradient."""
    subject, found = taken.subject, taken.diagnosis
    name = subject.assumed if subject.made_up else subject.names.get(subject.loss, "")
    known = bool(name) if subject.made_up else is_surely_loss(name) and not is_gain(name)
    if found.blames or taken.brief or subject.seed != 1 or not known:
        return taken
    told = dict.fromkeys(_uphill(subject))
    notes = (
        f"line {line}: {w} is moved along its gradient, which makes {name} larger; to make it smaller, subtract"
        for w, line in told
    )
    return replace(taken, diagnosis=replace(found, notes=(*found.notes, *notes))) if told else taken


@quiet()
def _uphill(subject: Subject) -> list[tuple[str, int]]:
    """The parameters that go the way of their gradients, and the lines in which they do."""
    prepared = prepare(subject)
    if prepared is None:
        return []
    layout, truth, found = prepared.layout, prepared.truth, list[tuple[str, int]]()
    with precision(BITS):
        named = set(subject.aliases)
        for m in subject.moves:
            if (m.name, m.bottom) not in named:
                continue  # dh = s, and then dh += h: no parameter of that name
            true = truth.cotangents.get(m.bottom)
            made = subject.graph.dependents(m.source)
            unit = next((u for u in layout.by_name.get(m.name, ()) if made[u.step]), None)
            if true is None or unit is None or true.is_zero:
                continue
            wanted, way = lifted(true).arrays[1], lifted(layout.actual(unit.step) - layout.actual(m.bottom)).arrays[1]
            rate = np.vdot(way, wanted) / np.vdot(wanted, wanted) if way.shape == wanted.shape else -1.0
            if rate > 0 and np.allclose(way, rate * wanted):
                found.append((m.name, unit.line))
    return found


__all__ = ["of_steps_uphill"]
