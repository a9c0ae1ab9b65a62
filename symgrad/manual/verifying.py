"""Whether the fixes make it right: they are put into the text, which is run and diagnosed again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from symgrad.diagnose.deciding.prepared import prepare
from symgrad.diagnose.deciding.standing import standing
from symgrad.diagnose.engine import Diagnosis
from symgrad.diagnose.observing.subject import Subject
from symgrad.diagnose.telling.frames import Blame
from symgrad.effort import is_spent
from symgrad.errors import SymgradError
from symgrad.frontends.trace.data import Trace
from symgrad.manual.accounts import account
from symgrad.manual.edits import patched
from symgrad.manual.lasting import affected
from symgrad.manual.work import Work

#: In a run of more assignments than this, fixes count as verified if they make every result right.
MANY = 1000


def verified_fixes(work: Work, before: Trace, diagnosis: Diagnosis) -> set[int]:
    """Which findings are gone once all fixes are put into the text and the whole script is run and diagnosed again."""
    blames = diagnosis.blames
    fixed = patched(work.source, [edit for b in blames for edit in b.edits]) if blames else None
    if fixed is None or (len(before.bindings) <= MANY and stays(diagnosis)):
        return set()
    try:
        trace = work.run(fixed)
        if _stops_earlier(trace, fixed, before, work.source):
            return set()
        repaired = replace(work, source=fixed, like=diagnosis.subject)
        if len(before.bindings) > MANY and standing(repaired.choose(trace, repaired.like)).is_settled:
            return {n for n, b in enumerate(blames) if b.edits}
        again = account(repaired, trace, brief=True).diagnosis
    except SymgradError:
        return set()
    if again.blames or not (again.right or again.conventions) or _leaves_open(again, blames):
        return set()
    # Of arrays one walk without repairs may leave a wrong result open, and blame nobody.
    left = again.subject if again.unchecked and not again.conventions else None
    if left is not None and left.is_shaped and standing(left).is_refuted:
        return set()
    return {n for n, b in enumerate(blames) if b.edits}


def _leaves_open(again: Diagnosis, blames: Sequence[Blame]) -> bool:
    """Of scalars: what a mended line goes into is not understood with it either, so that nothing tells it to be right;
    not even that in the end it holds the one derivative that it is called after.
    """
    subject = again.subject
    if subject is None or subject.is_shaped or not again.unchecked:
        return False
    lines = {b.span.line for b in blames}
    mended = {u.step for u in subject.units if u.line in lines} - {u.step for u in again.unchecked}
    prepared = prepare(subject)
    if prepared is not None and (reading := prepared.reading):
        last = prepared.layout.last
        ends = [u for u in again.right if u.line in lines and last[u.name] is u and len(reading.pairs(u.name)) == 1]
        named = {u.name for u in ends if prepared.layout.actual(u.step).same(reading.vec(reading.pairs(u.name)[0]))}
        mended -= {u.step for u in subject.units if u.name in named}
    made = subject.graph.dependents(*mended)
    return any(made[u.step] for u in again.unchecked)


def without_effects(work: Work, diagnosis: Diagnosis, verified: set[int]) -> tuple[Diagnosis, set[int]]:
    """The diagnosis without findings that have no fix, and are right once the fixes of the others are made.

    Returns:
        The diagnosis, and the numbers of its findings whose fixes are verified.
    """
    blames = diagnosis.blames
    fixed = patched(work.source, [edit for b in blames for edit in b.edits]) if verified else None
    if fixed is None or len(verified) == len(blames) or is_spent():
        return diagnosis, verified
    try:
        mended = replace(work, source=fixed, like=diagnosis.subject)
        fine = {u.name for u in account(mended, work.run(fixed), brief=True).diagnosis.right}
    except SymgradError:
        return diagnosis, verified
    effects = [b for n, b in enumerate(blames) if n not in verified and b.step in fine]
    kept = [b for b in blames if b not in effects]
    lines = {b.span.line for b in effects} - {b.span.line for b in kept}
    last = replace(kept[-1], inherited=tuple(sorted({*kept[-1].inherited, *lines})))
    done = {n for n, b in enumerate(kept) if b in [blames[k] for k in verified]}
    return replace(diagnosis, blames=(*kept[:-1], last)), done


def stays(diagnosis: Diagnosis) -> bool:
    """A mistake without a fix is there after the fixes of the others as well: nothing that they change leads to it."""
    subject, blames = diagnosis.subject, diagnosis.blames
    if subject is None or all(b.edits for b in blames):
        return False
    reached = affected(subject, [b for b in blames if b.edits])
    return reached is not None and any(_is_apart(b, subject, reached) for b in blames if not b.edits)


def _is_apart(blame: Blame, subject: Subject, reached: Sequence[bool]) -> bool:
    """No value that was judged in a line is affected."""
    mine = [u.step for u in subject.units if u.name == blame.step and blame.span.line in (u.line, u.span.line)]
    return bool(mine) and not any(reached[i] for i in mine)


def _stops_earlier(after: Trace, fixed: str, before: Trace, source: str) -> bool:
    """With the fixes in it the script ends where it did not end without them.

    What stopped before may stop again: that is another trouble than a wrong derivative, and what ran is checked. Lines
    are counted from the end, since a fix may join some.
    """
    if after.error is None:
        return False
    if before.error is None or after.error.span is None or before.error.span is None:
        return True
    return fixed.count("\n") - after.error.span.line > source.count("\n") - before.error.span.line


__all__ = ["patched", "verified_fixes", "without_effects"]
