"""``w += rate*step``: what is added to a parameter is meant to be the negative gradient, and where nothing is right and
nothing explained as a gradient, it is looked at as that."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from symgrad.diagnose.loss import convention
from symgrad.diagnosing.work import Account


def of_the_negative(taken: Account) -> Account:
    """The account under which the negative gradient was meant, if that explains what is not explained without."""
    found, subject = taken.diagnosis, taken.subject
    if found.right or found.blames or not found.unchecked or subject.seed != 1:
        return taken
    if not subject.moves or not all(m.up for m in subject.moves):
        return taken
    again = taken.against(replace(subject, seed=Fraction(-1), convention=convention(Fraction(-1))))
    blames = again.diagnosis.blames
    return again if again.diagnosis.right or (blames and all(b.edits for b in blames)) else taken


__all__ = ["of_the_negative"]
