"""How the results of a derivation stand: what is quick to find out where many texts are tried."""

from __future__ import annotations

from dataclasses import dataclass

from symgrad.diagnose.deciding.outcomes import results
from symgrad.diagnose.deciding.prepared import truth_of
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
