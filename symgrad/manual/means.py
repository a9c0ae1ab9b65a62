"""``dW = x.T @ dz / m`` in a layer by itself: the mean over the samples is taken there, and ``dz`` is of their sum.

A layer is called with a gradient of our own choice, or with that of a demo, so nobody knows whether it was divided by
the number of samples already. Where all of a layer's parameters agree that it was not, that is a convention; where one
of them only is divided, it is a slip.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from symgrad.diagnose.deciding.outcomes import results
from symgrad.diagnose.deciding.prepared import prepare
from symgrad.diagnose.observing.replay import Result
from symgrad.diagnose.observing.subject import BITS, Subject
from symgrad.diagnose.values.quiet import quiet
from symgrad.enclosure import precision
from symgrad.frontends.roles import is_upstream
from symgrad.manual.work import Account

#: Two ratios that differ by less are one.
SAME = 1e-9


def of_means_taken_late(taken: Account) -> Account:
    """The account in which a mean that every parameter's gradient takes over the samples is no mistake, and is said."""
    subject, found = taken.subject, taken.diagnosis
    scaled = [b for b in found.blames if b.mistake == "scale"]
    others = tuple(b for b in found.blames if b.mistake != "scale")
    if not scaled:
        return taken
    arriving = [i for i in subject.leaves() if is_upstream(subject.names.get(i, "")) and subject.graph.steps[i].shape]
    if (taken.work.what == "script" and not subject.made_up) or len(arriving) != 1:
        return taken
    late = _late(subject, subject.graph.steps[arriving[0]].shape)
    if late is None or {b.step for b in scaled} - {r.unit.name for r in late[1]}:
        return taken
    count, ends = late
    units = {u.step: u for u in subject.units}
    steps = {r.unit.step for r in ends}
    inherited = tuple(u for u in found.inherited if u.step not in steps) if others else ()
    fine = steps | {u.step for u in (*found.right, *found.inherited)} - {u.step for u in inherited}
    called = dict.fromkeys(r.unit.name for r in ends)
    names = ", ".join([n for n in called if not n.startswith("return")] or called)
    said = (
        f"{names}: divided by {count}, the number of samples: right where their mean is what is made smaller, and "
        f"{subject.names[arriving[0]]} is not divided by it yet"
    )
    told = replace(
        found, blames=others, inherited=inherited, right=tuple(units[i] for i in sorted(fine & units.keys())),
        conventions=(*found.conventions, said),
    )  # fmt: skip
    return replace(taken, diagnosis=told)


@quiet()
def _late(subject: Subject, arriving: Sequence[int]) -> tuple[int, list[Result]] | None:
    """The number of samples by which the gradients of all parameters are divided, and these; ``None`` where that is not
    so. A parameter is what has no axis of samples; what has one is right as it stands."""
    prepared = prepare(subject)
    every = results(prepared.layout, prepared.reading, prepared.moves) if prepared is not None else []
    ends = [r for r in every if not subject.graph.steps[r.unit.step].is_leaf]  # data for another function is no result
    divisors = {r.unit.step: _divisor(r) for r in ends if not r.is_right(r.actual)}
    counts = set(divisors.values()) - {None}
    count = counts.pop() if len(counts) == 1 else None
    if count is None or count not in arriving:
        return None
    parameters = [r for r in ends if count not in r.actual.shape]
    divided = [r for r in ends if divisors.get(r.unit.step) is not None]
    # What has an axis of samples may be wrong for a reason of its own.
    return (count, divided) if parameters == divided else None


def _divisor(r: Result) -> int | None:
    """The whole number by which a result is divided."""
    with precision(BITS):
        for right in r.rights:
            ratio = (right / r.actual).constant() if right.shape == r.actual.shape else None
            if ratio is not None and ratio > 1 + SAME and abs(ratio - round(ratio)) <= SAME * ratio:
                return round(ratio)
    return None


__all__ = ["of_means_taken_late"]
