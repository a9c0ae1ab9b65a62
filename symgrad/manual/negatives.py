"""``w += rate*step``: what is added to a parameter is meant to be the negative gradient. Where nothing is right as a
gradient, it is looked at as that; and where several lines are it up to one number, as the gradient of so many losses:
the sum of squares is made smaller, and their mean is printed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

from symgrad.diagnose.deciding.loss import convention
from symgrad.diagnose.deciding.prepared import prepare
from symgrad.diagnose.engine import Diagnosis
from symgrad.diagnose.meaning.evidence import SAME_RATIO, scaled
from symgrad.diagnose.observing.subject import Subject
from symgrad.diagnose.text.source import source_map
from symgrad.diagnose.values.quiet import quiet
from symgrad.manual.work import Account
from symgrad.ops import sign_of


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
    # What is added is meant so: where a change puts either right, it is this one.
    return again if explains and _open(other) <= _open(found) else taken


def _with(taken: Account, seed: Fraction) -> Account:
    return taken.against(replace(taken.subject, seed=seed, convention=convention(seed)))


def of_losses_only_printed(taken: Account) -> Account:
    """The account under which the parameters are moved by the gradient of so many losses, where the loss is worked out
    afterwards only, to be printed: the sum over the samples is made smaller, and its mean is shown."""
    found, subject = taken.diagnosis, taken.subject
    if not found.blames or subject.seed != 1 or subject.made_up or not subject.moves:
        return taken
    if taken.work.what != "script" or not _comes_later(subject):
        return taken
    name = subject.names.get(subject.loss, "the loss")
    best = taken
    factors, common = _factors(subject)
    if len(found.blames) < 2 and not common:
        return taken  # one line that is off by a number is a slip, unless all are that are anything
    sources = {m.source for m in subject.moves}
    moving = {u.name for u in subject.units if u.step in sources}
    right = moving & {u.name for u in found.right} - {b.step for b in found.blames}
    if right and 2 * len(right) >= len(moving):
        return taken  # as many are right for the loss as it is
    for factor in factors:
        words = (
            f"every result is the gradient times {float(factor):g}: right where {name}, which is worked out after the "
            f"parameters are moved, times {float(factor):g} is what is made smaller"
        )
        again = taken.against(replace(subject, seed=factor, convention=words))
        told = again.diagnosis.right or all(b.edits for b in again.diagnosis.blames)
        if told and _open(again.diagnosis) < _open(best.diagnosis):
            best = again
    return best


def _comes_later(subject: Subject) -> bool:
    """The loss is worked out once all parameters are moved: after the last round, or in the text below the lines that
    move them, in the same function."""
    if all(m.source < subject.loss for m in subject.moves):
        return True
    made = subject.graph.steps[subject.loss].span
    call = subject.callers.get(subject.loss, made)
    statements = source_map(subject.source).statements
    named = {m.name for m in subject.moves}
    lines = [u.line for u in subject.units if u.name in named]
    if call is None or not lines or call.line <= max(lines):
        return False
    return {statements.function_around(line) for line in lines} == {statements.function_around(call.line)}


@quiet()
def _factors(subject: Subject) -> tuple[list[Fraction], bool]:
    """The whole numbers, or one over them, by which what moves a parameter is its gradient, and whether all have the
    first that are it up to a number. A mistake may have changed some: also the number by which the loss is divided."""
    prepared = prepare(subject)
    times = [f for _, f in scaled(prepared.layout) if f > 0] if prepared is not None else []
    found = Counter(f for t in times if (f := _whole(t)) is not None)
    common = len(found) == 1 and found.total() == len(times)
    if not common or len(times) < len(subject.moves):
        found.update(f for t in _divisors(subject) if (f := _whole(t)) is not None)
    return [f for f, _ in found.most_common(2)], common


def _whole(f: float) -> Fraction | None:
    """A whole number above one, or one over it; ``None`` for others."""
    whole = round(max(f, 1 / f))
    if whole <= 1 or abs(max(f, 1 / f) / whole - 1) > SAME_RATIO:
        return None
    return Fraction(whole) if f > 1 else Fraction(1, whole)


def _divisors(subject: Subject) -> Iterator[float]:
    """6, of ``total / 6`` and of ``1 / 6 * total``."""
    step = subject.graph.steps[subject.loss]
    divides = sign_of(step.op) == "/"
    for j in step.inputs[1:] if divides else step.inputs if sign_of(step.op) == "*" else ():
        row = subject.graph.steps[j]
        value = row.value if row.is_const else None if row.shape else subject.point.get(j)
        if isinstance(value, Fraction) and value > 0:
            yield float(value if divides else 1 / value)


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


__all__ = ["of_losses_only_printed", "of_the_negative"]
