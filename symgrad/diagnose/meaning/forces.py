"""Forces: ``fx = -dU_dx`` is the negative derivative of an energy, by what the rest of its name says.

``fx`` and ``F_y`` are by ``x`` and ``y``, or by ``dx`` and ``dy``, the distance that a pair of particles is apart; a
``force`` is by what the derivative that it is made of is by. On which of the two particles it acts is told by what the
forces are: of several, each acts on the same one. Of numbers only.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping

from symgrad.diagnose.observing.replay import Layout
from symgrad.diagnose.observing.subject import BITS, Unit
from symgrad.diagnose.observing.truth import Quantity
from symgrad.diagnose.text.naming import claims, normal
from symgrad.enclosure import precision

#: What an energy is called of which there is a force.
_ENERGY = re.compile(r"[uve]|[uve]_?(?:pot|lj|total|tot|pair|spring|morse|coul\w*)|pe|phi|pot\w*|\w*energy|hamiltonian")
#: A force, and along what: ``fx``, ``F_r``, ``force_y``, ``force``.
_FORCE = re.compile(r"(?:f|force|forces)_?(?P<along>[a-z]\d?|theta|phi)?")
#: What a coordinate may be called in the energy: itself, the distance, or that of one of two particles.
_FORMS = ("{0}", "d{0}", "r{0}", "{0}ij", "{0}12", "{0}1", "{0}2", "{0}i", "{0}j")


def forces(layout: Layout) -> dict[int, Quantity]:
    """For assignments that are meant as forces, what they should be."""
    subject, truth = layout.subject, layout.truth
    if subject.is_shaped or _ENERGY.fullmatch(subject.names.get(subject.loss, "").lower()) is None:
        return {}
    known: dict[str, int] = {normal(name): i for name, i in subject.aliases if i in truth.cotangents}
    found = {unit: dict(_by(unit, known, layout)) for unit in layout.last.values()}
    found = {unit: by for unit, by in found.items() if by}
    # Of a variable f that has nothing to do with it, nothing is said.
    if not any(_is_derived(unit, by, layout) for unit, by in found.items()):
        return {}
    out: dict[int, Quantity] = {}
    with precision(BITS):
        votes: dict[str, int] = defaultdict(int)
        for unit, by in found.items():
            actual = layout.actual(unit.step)
            for form, i in by.items():
                votes[form] += actual.same(-truth.cotangents[i])
        for unit, by in found.items():
            form = max(by, key=lambda f: votes[f])
            out[unit.step] = Quantity("helper", -1, -1, -truth.cotangents[by[form]])
    return out


def _by(unit: Unit, known: Mapping[str, int], layout: Layout) -> Iterator[tuple[str, int]]:
    """The coordinates that a force may be by, with the form of their names."""
    match = _FORCE.fullmatch(unit.name.lower())
    if match is None or layout.is_forward(unit.step) or layout.graph.steps[unit.step].is_leaf:
        return
    if (along := match["along"]) is not None:
        for form in _FORMS:
            if (i := known.get(form.format(along))) is not None:
                yield form, i
        return
    for derivative in _derivatives(unit, layout):
        for claim in claims(derivative.name):
            if claim.top and claim.bottom in known:
                yield claim.bottom, known[claim.bottom]


def _derivatives(unit: Unit, layout: Layout) -> Iterator[Unit]:
    """The derivatives of the energy that an assignment is made of."""
    top = normal(layout.subject.names[layout.subject.loss])
    for i in layout.feeding((unit.step,)) - {unit.step}:
        for other in () if layout.is_forward(i) else layout.units_at.get(i, ()):
            if any(c.top == top for c in claims(other.name)):
                yield other


def _is_derived(unit: Unit, by: Mapping[str, int], layout: Layout) -> bool:
    """It has the value of a derivative or of its negative, or is made of what is called one."""
    actual = layout.actual(unit.step)
    with precision(BITS):
        rights = [layout.truth.cotangents[i] for i in by.values()]
        same = any(actual.same(r) or actual.same(-r) for r in rights)
    return same or next(_derivatives(unit, layout), None) is not None


__all__ = ["forces"]
