"""Mistakes that one run does not show: other texts are run, and one after which all is right is the explanation.

Lines in the wrong order, a return inside a loop, a cache unpacked in another order make no step that could be changed.
What is tried is few and near to what is written, and nothing is believed but what makes the whole derivation right.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import replace

from symgrad.diagnose.deciding.standing import ends, standing
from symgrad.diagnose.engine import Diagnosis
from symgrad.diagnose.observing.subject import Subject
from symgrad.diagnose.telling.frames import Blame
from symgrad.diagnose.text.rewordings import Rewording, rewordings
from symgrad.diagnose.text.source import source_map
from symgrad.effort import is_spent
from symgrad.errors import Span, SymgradError
from symgrad.frontends.trace.data import Trace
from symgrad.manual.accounts import account
from symgrad.manual.lasting import Lasting, leaves_wrong
from symgrad.manual.verifying import patched
from symgrad.manual.work import Work

#: So many texts are run at most, and so many assignments in them all in all.
MOST = 30
ASSIGNMENTS = 12_000
#: ... where nothing is wrong for certain, and something was not recognised.
MOST_UNASKED = 8
#: What is said of a line of which nothing is known but that it is wrong.
UNKNOWN = "unknown"
#: Kinds of mistakes that lines in the wrong order are often taken for.
LIKE_ORDER = frozenset({"scale", "missing-factor", "extra-factor", "wrong-formula", "wrong-variable", "missing-term"})


def reworded(
    work: Work, trace: Trace, subject: Subject, diagnosis: Diagnosis, verified: Collection[int]
) -> tuple[Diagnosis, set[int]]:
    """The diagnosis in which what no change of a formula puts right is a slip of the text, if one puts all right.

    Returns:
        The diagnosis, and the numbers of its findings whose fixes are verified.
    """
    same = diagnosis, set(verified)
    blames = diagnosis.blames
    if not subject.is_shaped or trace.error is not None or not (blames or diagnosis.unchecked):
        return same
    explained = bool(blames) and len(verified) == len(blames)
    if explained and not any(b.mistake in LIKE_ORDER and not _takes_out(b) for b in blames):
        return same
    open_names = {u.name.partition("[")[0] for u in diagnosis.unchecked}
    asked = {b.span.line for b in blames} | {u.line for u in subject.units if u.name.partition("[")[0] in open_names}
    manual = _lines(subject)
    steps = subject.graph.steps
    held = (*((name, i) for name, i, _ in subject.bound), *subject.aliases)
    ranks = {name: len(steps[i].shape) for name, i in held}
    most = MOST if blames else MOST_UNASKED
    tries = Tries(replace(work, like=subject), diagnosis, min(most, ASSIGNMENTS // max(len(trace.bindings), 1)))
    known = tries.lasting.for_good
    kept = ends(diagnosis.subject or subject)
    options = [] if known else rewordings(work.source, manual, asked, ranks, kept, explained=explained)
    found = tries.first(work.source, options)
    if found is not None:
        return _told(diagnosis, blames, found, subject), {0}
    for n, blame in enumerate(blames if not explained and len(blames) > 1 else ()):
        # What is left to say once one of them is mended may be nothing.
        base = patched(work.source, blame.edits)
        if base is not None and not leaves_wrong(diagnosis.subject or subject, blame) and tries.is_right(base):
            others = {b.span.line for b in blames} - {blame.span.line}
            only = replace(blame, inherited=tuple(sorted({*blame.inherited, *others})))
            return replace(diagnosis, blames=(only,)), {0}
        if n == MOST_ALONE:
            break
    for n, blame in enumerate(blames if not explained and len(blames) <= 2 else ()):
        # One of two is understood: with its fix made, the other is looked for, which may not have shown as yet.
        base = patched(work.source, blame.edits)
        beside = blames[:n] + blames[n + 1 :]
        if not blame.edits or base is None or base.count("\n") != work.source.count("\n"):
            continue
        lines = {b.span.line for b in beside or blames}
        options = [r for r in rewordings(base, manual, lines, ranks, kept) if blame.span.line not in _of(r)]
        found = tries.first(base, options)
        if found is not None:
            return _told(diagnosis, beside, found, subject), {0, 1}
    open_lines = bool(blames) and not known and all(b.mistake == UNKNOWN for b in blames)
    open_lines = open_lines and len(subject.graph) <= MOST_STEPS
    both = tries.with_another(rewordings(work.source, manual, asked, ranks, kept)) if open_lines else None
    if both is not None:
        told = _told(diagnosis, blames, both[0], subject)
        mine = tuple(sorted((*told.blames, *both[1]), key=lambda b: b.span.line))
        told = replace(told, blames=tuple(replace(b, inherited=_inherited(b, mine, told)) for b in mine))
        return told, set(range(len(mine)))
    return same


def _inherited(blame: Blame, among: Collection[Blame], diagnosis: Diagnosis) -> tuple[int, ...]:
    """The lines that are wrong only because of others are named with the last finding before them."""
    lines = [b.span.line for b in among]
    wrong = {n for b in among for n in b.inherited} | {u.line for u in diagnosis.inherited}
    owners = {n: max((k for k in lines if k <= n), default=min(lines)) for n in wrong - set(lines)}
    return tuple(sorted(n for n, owner in owners.items() if owner == blame.span.line))


def _takes_out(blame: Blame) -> bool:
    """The fix does nothing but leave out a part of what is written: no order of lines is likelier than that."""
    left = iter(blame.found)
    return len(blame.fix) < len(blame.found) and all(c in left for c in blame.fix)


def _of(r: Rewording) -> range:
    return range(r.span.line, r.span.end_line + 1)


#: So many of several findings are tried alone; after so many slips the rest is diagnosed anew.
MOST_ALONE = 4
MOST_ANEW = 5
#: ... in runs of so many steps at most,
MOST_STEPS = 300
#: ... and this is believed of so many mistakes besides.
MOST_BESIDE = 2


class Tries:
    """Runs other texts, a limited number of them."""

    def __init__(self, work: Work, diagnosis: Diagnosis, left: int) -> None:
        self.work, self.diagnosis, self.left = work, diagnosis, left
        self.lasting = Lasting(diagnosis)

    def _is_over(self) -> bool:
        return self.left <= 0 or is_spent()

    def first(self, source: str, options: list[Rewording]) -> Rewording | None:
        """The first of some changes after which all is right."""
        for r in options:
            if self._is_over():
                return None
            if self.lasting.stay(r.span, whole=source == self.work.source):
                continue
            self.left -= 1
            text = patched(source, [(r.span, r.text)])
            if text is not None and self.is_right(text):
                return r
        return None

    def with_another(self, options: list[Rewording]) -> tuple[Rewording, tuple[Blame, ...]] | None:
        """A slip, and what else is wrong then: with both mended all is right, and with neither alone."""
        left = MOST_ANEW
        for r in options:
            text = patched(self.work.source, [(r.span, r.text)])
            if self._is_over() or not left or text is None or text.count("\n") != self.work.source.count("\n"):
                continue
            self.left -= 1
            try:
                trace = self.work.run(text)
                if trace.error is not None:
                    continue
                left -= 1
                found = account(replace(self.work, source=text), trace).diagnosis.blames
            except SymgradError:
                continue
            apart = all(b.edits and b.span.line not in _of(r) for b in found)
            mended = patched(text, [edit for b in found for edit in b.edits]) if found and apart else None
            if mended is not None and len(found) <= MOST_BESIDE and self.is_right(mended):
                return r, found
        return None

    def is_right(self, text: str) -> bool:
        if is_spent():
            return False
        try:
            trace = self.work.run(text)
            if trace.error is not None and trace.error.kind == "time":
                self.left = 0  # others may take as long
            if trace.error is not None or standing(self.work.subject(trace)).is_refuted:
                return False
            found = account(self.work, trace, brief=True).diagnosis
        except SymgradError:
            return False
        known = {u.name for u in (*found.right, *found.inherited)}
        # Of an array that is right as a whole the parts may be written one after the other.
        lost = {n for u in self.diagnosis.right if (n := u.name) not in known and n.partition("[")[0] not in known}
        return not found.blames and not found.unchecked and bool(found.right) and not lost


def _lines(subject: Subject) -> set[int]:
    """The lines of the derivation, and of none of the forward pass."""
    needed = subject.graph.ancestors(subject.loss)
    forward = {s.span.line for i, s in enumerate(subject.graph.steps) if needed[i] and s.span is not None}
    manual = {s.span.line for i, s in enumerate(subject.graph.steps) if not needed[i] and s.span is not None}
    lines = {u.line for u in subject.units} | {u.span.line for u in subject.units} | manual
    return lines - forward


def _told(diagnosis: Diagnosis, instead: tuple[Blame, ...], r: Rewording, subject: Subject) -> Diagnosis:
    """The diagnosis with a slip of the text in the place of some findings."""
    gone = {b.span.line for b in instead} | {line for b in instead for line in b.inherited}
    gone |= {u.line for u in diagnosis.unchecked}
    unit = next((u for u in subject.units if u.line in _of(r)), None)
    old = instead[0] if instead else None
    name = unit.name if unit is not None else old.step if old is not None else ""
    first = subject.source.split("\n")[r.span.line - 1]
    end = r.span.end_column if r.span.line == r.span.end_line else len(first.rstrip()) + 1
    begin = max(r.span.column, len(first) - len(first.lstrip()) + 1)
    file = next((s.span.file for s in subject.graph.steps if s.span is not None), "")
    shown = Span(file, r.span.line, begin, r.span.line, end)
    have, want = (old.found_value, old.expected_value) if old is not None else (math.nan, math.nan)
    factor, fix = old.factor if old is not None else name, r.text.strip()
    blame = Blame(
        r.mistake, r.mistake, r.message, "with this change every result is right", shown, name, factor,
        source_map(subject.source).text(shown), fix, have, want, None, fix, ((r.span, r.text),), "", None,
        tuple(sorted(gone - set(_of(r)))), 0, False,
    )  # fmt: skip
    kept = [b for b in diagnosis.blames if b not in instead]
    carried = [u for u in (*diagnosis.inherited, *diagnosis.unchecked) if u.line not in _of(r)]
    blames = tuple(sorted((*kept, blame), key=lambda b: b.span.line))
    return replace(diagnosis, blames=blames, inherited=tuple(dict.fromkeys(carried)), unchecked=())


__all__ = ["reworded"]
