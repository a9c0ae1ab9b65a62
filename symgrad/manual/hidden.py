"""Mistakes that another one hides: they show once the fixes that are known are put into the text, and it is run again.

A line that is wrong in two results takes part in each; what one change puts right of them is told, and what is wrong
besides shows only in the result that is left. So where the fixes do not make all right, the mended text is diagnosed
anew: what is wrong there, in lines that no fix has touched, was wrong before.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Sequence
from dataclasses import replace

from symgrad.diagnose.deciding.standing import standing
from symgrad.diagnose.engine import Diagnosis
from symgrad.diagnose.observing.subject import Subject
from symgrad.diagnose.telling.frames import Blame
from symgrad.effort import is_spent
from symgrad.errors import SymgradError
from symgrad.frontends.trace.data import Trace
from symgrad.manual.accounts import account
from symgrad.manual.edits import patched
from symgrad.manual.verifying import MANY
from symgrad.manual.work import Account, Work

#: So often the text is mended and looked at again.
ROUNDS = 2


def uncovered(
    work: Work, trace: Trace, subject: Subject, diagnosis: Diagnosis, verified: Collection[int]
) -> tuple[Diagnosis, set[int]]:
    """The diagnosis with the mistakes that others hid, and the numbers of its findings whose fixes are verified.

    They are believed where the fixes made further results right, or where all is right with theirs made as well.
    """
    same = believed = diagnosis, set(verified)
    known = diagnosis.blames
    settled = len(verified) == len(known) or not all(b.edits for b in known)
    if settled or trace.error is not None or len(trace.bindings) > MANY:
        return same
    right = standing(subject).right
    for n in range(ROUNDS + 1):
        if is_spent():
            break
        found = _mended(work, subject, known)
        if found is None:
            break
        more = found.diagnosis.blames
        if not more:
            well = n > 0 and (found.diagnosis.right or found.diagnosis.conventions)
            return (_with(diagnosis, known), set(range(len(known)))) if well else believed
        touched = {n for b in known for span, _ in b.edits for n in range(span.line, span.end_line + 1)}
        if n == ROUNDS or any(b.span.line in touched for b in more):
            break
        known = tuple(sorted((*known, *more), key=lambda b: (b.span.line, b.span.column)))
        now = standing(found.subject).right
        if now > right:
            right, believed = now, (_with(diagnosis, known), set[int]())
        if not all(b.edits for b in more):
            break
    return believed


def _mended(work: Work, subject: Subject, blames: Sequence[Blame]) -> Account | None:
    """The account of the text with all fixes made, line by line the same; ``None`` where there is none."""
    fixed = patched(work.source, [edit for b in blames for edit in b.edits])
    if fixed is None or fixed.count("\n") != work.source.count("\n") or _is_same(fixed, work.source):
        return None  # what is the same program is wrong in the same lines
    try:
        trace = work.run(fixed)
        return account(replace(work, source=fixed, like=subject), trace) if trace.error is None else None
    except SymgradError:
        return None


def _is_same(text: str, other: str) -> bool:
    """Two texts are one program: ``(coef)`` for ``coef``."""
    try:
        return ast.dump(ast.parse(text)) == ast.dump(ast.parse(other))
    except SyntaxError:
        return False


def _with(diagnosis: Diagnosis, blames: tuple[Blame, ...]) -> Diagnosis:
    """The diagnosis with these mistakes in it: what they are to blame for is neither right nor another's."""
    lines = {b.span.line for b in blames}
    return replace(
        diagnosis,
        blames=tuple(replace(b, inherited=tuple(n for n in b.inherited if n not in lines)) for b in blames),
        right=tuple(u for u in diagnosis.right if u.line not in lines),
        inherited=tuple(u for u in diagnosis.inherited if u.line not in lines),
        unchecked=tuple(u for u in diagnosis.unchecked if u.line not in lines),
    )


__all__ = ["uncovered"]
