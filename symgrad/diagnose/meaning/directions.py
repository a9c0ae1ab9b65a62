"""Derivatives of numbers that are carried forward by what is itself worked out from the inputs: ``p = g/L``.

``dp = 1`` is such a beginning, and ``dloss_dp`` such an end: then the ``dx`` between them is x by p, and no gradient.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from symgrad.diagnose.meaning.following import original
from symgrad.diagnose.meaning.names import Pair
from symgrad.diagnose.meaning.reading import TANGENT_WORK, Reading
from symgrad.diagnose.observing.replay import Layout
from symgrad.diagnose.observing.subject import Unit
from symgrad.diagnose.text.naming import claims, normal
from symgrad.diagnose.values.vectors import constant

#: By so many steps, at most, it is looked at whether something is carried forward.
MOST = 4


def directions(layout: Layout, reading: Reading) -> dict[str, Sequence[Pair]]:
    """What the names of such derivatives say: (x, p), where ``dx`` by itself says (loss, x)."""
    subject, steps = layout.subject, layout.graph.steps
    if subject.is_shaped or subject.stopped:
        return {}
    loss, one = subject.loss, constant(1, layout.truth.points)
    topless = {name: units for name, units in layout.by_name.items() if reading.is_topless(name)}

    def is_open(i: int) -> bool:
        return not (reading.is_input(i) or i == loss or reading.vec((loss, i)).same(one))

    ones = [n for n, us in topless.items() if any(steps[u.step].is_leaf and subject.point.get(u.step) == 1 for u in us)]
    seeds = sorted({b for name in ones for _, b in reading.pairs(name) if is_open(b)})
    if ones and _flows_back(min(u.step for n in ones for u in topless[n]), topless, layout, reading):
        seeds = []  # a factor that was forgotten leaves a 1 as well
    if len(seeds) != 1:
        ends = {b for n in layout.by_name if n not in topless for t, b in reading.pairs(n) if t == loss and is_open(b)}
        few = topless and len(ends) <= MOST and len(ends) * len(layout.graph) <= TANGENT_WORK
        seeds = [b for b in sorted(ends) if few and _is_carried(b, layout, reading)]
    if len(seeds) != 1:
        return {}
    reaches, by = layout.truth.reaches, seeds[0]
    held: dict[str, set[int]] = {}
    for called, step, _ in subject.bound:  # in the last round as well, of which the loss may be no more made
        held.setdefault(normal(called), set()).add(original(layout.graph, step))
    told: dict[str, list[Pair]] = {}
    for name in topless:
        steps_of = {b for _, b in reading.pairs(name)}.union(*(held.get(c.bottom, ()) for c in claims(name)))
        told[name] = [(b, by) for b in sorted(steps_of) if b in layout.truth.cotangents and reaches(by, b)]
    begun = [u.step for name, pairs in told.items() if pairs for u in topless[name]]
    made = layout.graph.dependents(*begun) if begun else ()
    # What is made of those, where no x that the loss knows is made of p: by p as well, if there were anything to say.
    return {name: pairs for name, pairs in told.items() if pairs or any(made and made[u.step] for u in topless[name])}


def _flows_back(before: int, topless: Mapping[str, Sequence[Unit]], layout: Layout, reading: Reading) -> bool:
    """Something was a gradient of the loss by then, and is no number that anything may be."""
    earlier = ((name, layout.actual(u.step)) for name, units in topless.items() for u in units if u.step < before)
    return any(v.constant() is None and any(v.same(r) for r in reading.rights(name)) for name, v in earlier)


def other_directions(layout: Layout, reading: Reading) -> set[str]:
    """``ddrag = 0`` beside ``dthrust = 1``, both inputs, and what both go into: the one is carried forward by the
    other, and says nothing of the loss."""
    subject, steps = layout.subject, layout.graph.steps
    if subject.is_shaped or subject.stopped:
        return set()
    held: dict[str, set[int]] = {}
    for name, units in layout.by_name.items():
        given = [subject.point[u.step] for u in units if steps[u.step].is_input and layout.dependents(u.step)]
        fixed = len(given) == len(units) and set(given) in ({0}, {1})
        if fixed and reading.is_topless(name) and (not reading.pairs(name) or reading.by_inputs(name)):
            held[name] = {k for u in units for k in layout.dependents(u.step)}
    ones = {name for name in held if subject.point[layout.by_name[name][0].step] == 1}
    return {name for name in held.keys() - ones if any(held[name] & held[other] for other in ones)}


def _is_carried(bottom: int, layout: Layout, reading: Reading) -> bool:
    """Some ``dx`` has the value of x by this step, which is no gradient."""
    tangents = layout.truth.tangents(bottom)
    for name, units in layout.by_name.items():
        tops = [t for _, t in reading.pairs(name) if t in tangents and t != bottom] if reading.is_topless(name) else []
        for unit in units if tops else ():
            vec = layout.actual(unit.step)
            if vec.constant() is None and any(vec.same(tangents[t]) for t in tops):
                return not any(vec.same(v) for v in reading.rights(name))
    return False


__all__ = ["directions", "other_directions"]
