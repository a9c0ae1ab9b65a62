"""``w += rate*step``: what is added to a parameter is meant to be the negative gradient. Where nothing is right as a
gradient, it is looked at as that."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from symgrad.diagnose.engine import Diagnosis
from symgrad.diagnose.loss import convention
from symgrad.diagnosing.work import Account


def of_the_negative(taken: Account) -> Account:
    """The account under which the negative gradient was meant, if that leaves less wrong and open."""
    found, subject = taken.diagnosis, taken.subject
    if found.right or subject.seed != 1 or not (found.blames or found.unchecked):
        return taken
    if not subject.moves or not all(m.up for m in subject.moves):
        return taken
    again = taken.against(replace(subject, seed=Fraction(-1), convention=convention(Fraction(-1))))
    other = again.diagnosis
    if other.right:
        return again
    explains = other.blames and all(b.edits for b in other.blames)
    return again if explains and _open(other) < _open(found) else taken


def _open(found: Diagnosis) -> int:
    return len(found.blames) + len(found.unchecked)


__all__ = ["of_the_negative"]
