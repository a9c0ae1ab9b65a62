"""How the results of a derivation stand: what is quick to find out where many texts are tried."""

from __future__ import annotations

from dataclasses import dataclass

from symgrad.diagnose.deciding.outcomes import results
from symgrad.diagnose.deciding.prepared import prepare, truth_of
from symgrad.diagnose.meaning.reading import Reading
from symgrad.diagnose.meaning.updates import updates
from symgrad.diagnose.observing.replay import Layout
from symgrad.diagnose.observing.subject import Subject
from symgrad.diagnose.values.quiet import quiet


@dataclass(frozen=True, slots=True)
class Standing:
    """How many results that names tell are right, and how many there are; ``judged`` unless the forward pass has no
    values."""

    right: int = 0
    count: int = 0
    judged: bool = True

    @property
    def is_refuted(self) -> bool:
        """Some result is wrong."""
        return not self.judged or self.right < self.count

    @property
    def is_settled(self) -> bool:
        """All results are right, and there are some: enough where nothing else was wrong."""
        return 0 < self.count == self.right


@quiet()
def standing(subject: Subject) -> Standing:
    """How the results of a derivation stand, as its names alone tell them; mistakes are not looked for."""
    truth = truth_of(subject)
    if truth is None:
        return Standing(judged=False)
    layout, reading = Layout(subject, truth), Reading(subject, truth)
    found = results(layout, reading, updates(layout, reading))
    return Standing(sum(r.is_right(r.actual) for r in found), len(found))


@quiet()
def wrong_results(subject: Subject) -> list[int]:
    """The steps of the results that are wrong as they stand, of a subject that has been diagnosed."""
    prepared = prepare(subject)
    if prepared is None:
        return []
    found = results(prepared.layout, prepared.reading, prepared.moves)
    return [r.unit.step for r in found if not r.is_right(r.actual)]


@quiet()
def ends(subject: Subject) -> set[str]:
    """The names of gradients by inputs in which the derivation ends: nothing more need be made of them."""
    prepared = prepare(subject)
    if prepared is None:
        return set()
    found = results(prepared.layout, prepared.reading, prepared.moves)
    return {r.unit.name for r in found if prepared.reading.by_inputs(r.unit.name)}
