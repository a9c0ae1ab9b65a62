"""``w += rate*step``: what is added to a parameter is meant to be the negative gradient. Where nothing is right as a
gradient, it is looked at as that; and where several lines are it up to one number, as the gradient of so many losses:
the sum of squares is made smaller, and their mean is printed."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from symgrad.diagnose.deciding.loss import convention
from symgrad.diagnose.deciding.prepared import prepare
from symgrad.diagnose.engine import Diagnosis
from symgrad.diagnose.meaning.evidence import SAME_RATIO, scaled
from symgrad.diagnose.observing.subject import Subject
from symgrad.diagnose.values.quiet import quiet
from symgrad.manual.work import Account


def of_the_negative(taken: Account) -> Account:
    """The account under which the negative gradient was meant, if that leaves less wrong and open."""
    found, subject = taken.diagnosis, taken.subject
    if found.right or subject.seed != 1 or not (found.blames or found.unchecked):
        return taken
    if not subject.moves or not all(m.up for m in subject.moves):
        return taken
    again = _with(taken, Fraction(-1))
    other = again.diagnosis
    if other.right:
        return again
    # One line that is off by a number is a slip; several that are off by the same one have another loss in mind.
    factor = _factor(subject) if min(len(found.blames), len(other.blames)) > 1 else None
    if factor is not None and not (so_many := _with(taken, factor)).diagnosis.blames:
        return so_many
    explains = other.blames and all(b.edits for b in other.blames)
    return again if explains and _open(other) < _open(found) else taken


def _with(taken: Account, seed: Fraction) -> Account:
    return taken.against(replace(taken.subject, seed=seed, convention=convention(seed)))


@quiet()
def _factor(subject: Subject) -> Fraction | None:
    """The negative number by which everything that moves a parameter is its gradient; ``None`` where it is not one."""
    prepared = prepare(subject)
    found = [f for _, f in scaled(prepared.layout)] if prepared is not None else []
    if len(found) != len(subject.moves) or not found[0] < 0:
        return None
    if any(abs(f / found[0] - 1) > SAME_RATIO for f in found):
        return None
    return Fraction(found[0]).limit_denominator(10**6)


def _open(found: Diagnosis) -> int:
    return len(found.blames) + len(found.unchecked)


__all__ = ["of_the_negative"]
