"""Whether the fixes make it right: they are put into the text, which is run and diagnosed again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from symgrad.diagnose.deciding.standing import standing
from symgrad.diagnose.engine import Diagnosis
from symgrad.diagnose.observing.subject import Subject
from symgrad.diagnose.telling.frames import Blame
from symgrad.errors import SymgradError
from symgrad.frontends.trace.data import Trace
from symgrad.manual.accounts import account
from symgrad.manual.edits import patched
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
    if again.blames or not (again.right or again.conventions):
        return set()
    return {n for n, b in enumerate(blames) if b.edits}


def stays(diagnosis: Diagnosis) -> bool:
    """A mistake without a fix is there after the fixes of the others as well: nothing that they change leads to it."""
    subject, blames = diagnosis.subject, diagnosis.blames
    if subject is None or all(b.edits for b in blames):
        return False
    steps = subject.graph.steps
    fixed = [b for b in blames if b.edits]
    # A line that is added changes the name that it is for, and no line that is there.
    lines = {
        n for b in fixed for span, _ in b.edits
        if (span.line, span.column) != (span.end_line, span.end_column)
        for n in range(span.line, span.end_line + 1)
    }  # fmt: skip
    names = {b.step for b in fixed}
    changed = {u.step for u in subject.units if u.name in names or u.line in lines or u.span.line in lines}
    affected: list[bool] = []
    for i, step in enumerate(steps):
        written = step.span is not None and step.span.line in lines
        affected.append(written or i in changed or any(affected[j] for j in step.inputs))
    forward = subject.graph.ancestors(subject.loss)
    if any(a and f and not s.is_leaf for a, f, s in zip(affected, forward, steps, strict=True)):
        return False  # what is differentiated becomes something else
    return any(_is_apart(b, subject, affected) for b in blames if not b.edits)


def _is_apart(blame: Blame, subject: Subject, affected: Sequence[bool]) -> bool:
    """No value that was judged in a line is affected."""
    mine = [u.step for u in subject.units if u.name == blame.step and blame.span.line in (u.line, u.span.line)]
    return bool(mine) and not any(affected[i] for i in mine)


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


__all__ = ["patched", "verified_fixes"]
