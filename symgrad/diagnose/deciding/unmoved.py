"""A gradient that is still zero where a parameter is moved by it: ``b_new = b - score/info`` gives b again.

Nothing is wrong with such a line, and every result is right: what is missing is all that should be added to the score.
"""

from __future__ import annotations

from collections.abc import Iterator

from symgrad.diagnose.observing.subject import Unit
from symgrad.diagnose.observing.truth import Quantity
from symgrad.diagnose.walking.blame import Walk
from symgrad.diagnose.walking.verdicts import Root


def still_zero(walk: Walk) -> Iterator[tuple[Root, Unit]]:
    """The names that are zero to the end, with the assignment that moves a parameter by them."""
    subject, layout, truth = walk.subject, walk.layout, walk.truth
    if subject.is_shaped or subject.stopped or walk.brief or walk.out.roots:
        return
    meant = ((i, q) for i, q in walk.out.meaning.items() if q.kind == "cotangent" and q.top == subject.loss)
    known = {q.bottom for i, q in meant if layout.actual(i).same(q.vec)}
    zeros = [u for u in subject.units if _is_zero_to_the_end(u, walk)]
    for bottom in truth.leaves if zeros else ():
        name, vec, cotangent = subject.names.get(bottom, ""), truth.values[bottom], truth.cotangents.get(bottom)
        if not name or vec is None or cotangent is None or cotangent.is_zero or bottom in known:
            continue
        for unit in subject.units:
            moves = unit.name == name or unit.name.startswith(f"{name}_")
            if not moves or layout.is_forward(unit.step) or layout.original(unit.step) == bottom:
                continue
            mine = set(walk.line(unit).used())
            zero = next((z for z in zeros if z.step in mine), None)
            adds = zero is not None and any(_adds(u, walk) for u in subject.units if zero.step < u.step < unit.step)
            if zero is not None and adds and bottom in mine and layout.actual(unit.step).same(vec):
                target = Quantity("cotangent", subject.loss, bottom, cotangent)
                yield Root(zero, target, layout.actual(zero.step), (), frozenset((zero.line,))), unit
                return


def _is_zero_to_the_end(unit: Unit, walk: Walk) -> bool:
    """A number that was set to zero once the loss was there, and is no input of it."""
    step = walk.layout.graph.steps[unit.step]
    once = len(walk.layout.by_name[unit.name]) == 1 and not unit.augmented and unit.step > walk.subject.loss
    return once and step.is_leaf and unit.name.isidentifier() and walk.layout.actual(unit.step).is_zero


def _adds(unit: Unit, walk: Walk) -> bool:
    """Something else is added up in the meantime: without that a zero is a step that is not taken, and may be meant."""
    return unit.augmented in ("+=", "-=") and len(walk.layout.by_name[unit.name]) > 2
