"""Mistakes that another text leaves as they are: such a text need not be run."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from symgrad.diagnose.deciding.standing import wrong_results
from symgrad.diagnose.engine import Diagnosis
from symgrad.diagnose.observing.subject import Subject
from symgrad.diagnose.telling.frames import Blame
from symgrad.diagnose.text.syntax import nodes
from symgrad.errors import Span
from symgrad.frontends.trace.trees import walk
from symgrad.ops import OPS

#: The mistake of what is zeros to the end.
UNSET = "never-assigned"


class Lasting:
    """What is wrong before the place where a text differs is wrong with it as well."""

    def __init__(self, diagnosis: Diagnosis) -> None:
        subject = diagnosis.subject
        self._blames = diagnosis.blames if subject is not None else ()
        #: The first step that a line makes, and the last that a name is given on a line.
        self._first: dict[int, int] = {}
        self._last: dict[tuple[str, int], int] = {}
        #: What is zero to the end; what is added to, and where: a term that is missing may be one that came too late.
        self._unset: set[tuple[str, int]] = set()
        self._added: set[tuple[str, int]] = set()
        if subject is None:
            return
        for i, step in enumerate(subject.graph.steps):
            # What a function hands back has its step where it is called: the text may end it earlier.
            back = not step.is_leaf and OPS[step.op].renames and i in subject.callers
            if step.span is not None and not back:
                self._first.setdefault(step.span.line, i)
        for unit in subject.units:
            self._last[unit.name, unit.line] = self._last[unit.name, unit.span.line] = unit.step
        self._added = {(u.name, u.line) for u in subject.units if u.augmented}
        unset = (b for b in self._blames if b.mistake == UNSET)
        self._unset = {(b.step, b.span.line) for b in unset if not _is_set(subject.source, b.step, b.span.line)}

    @property
    def for_good(self) -> bool:
        """A mistake stays whatever is written in the place of what is there."""
        return bool(self._unset)

    def stay(self, span: Span, *, whole: bool) -> bool:
        """With another text there not all is right, for sure: a mistake is what it was.

        ``whole``: each of them counts; else one of them has been put right, whichever that may be.
        """
        lines = range(span.line, span.end_line + 1)
        begins = [self._first[n] for n in lines if n in self._first]
        # Each line of it makes steps: so it is known when it is run first.
        known = len(begins) == len(lines)
        staying = [self._stays(b, min(begins) if known else -1) for b in self._blames]
        return any(staying) if whole else bool(staying) and all(staying)

    def _is_last(self, name: str, line: int) -> bool:
        """Nothing comes after what a line gives a name."""
        return self._last.get((name, line), 0) == max(self._last.values())

    def _stays(self, blame: Blame, begin: int) -> bool:
        place = blame.step, blame.span.line
        if blame.mistake == UNSET:
            return place in self._unset  # else it is what comes later that is missing
        if blame.mistake == "scale" and not self._is_last(*place):
            return False  # a count that a later line may divide by, or should
        if blame.mistake == "missing-term" and any(n == place[0] and at > place[1] for n, at in self._added):
            return False
        return self._last.get(place, begin) < begin


def affected(subject: Subject, fixed: Sequence[Blame]) -> list[bool] | None:
    """For each step, whether the fixes of some findings may change it; ``None`` where they change what is
    differentiated."""
    # A line that is added changes the name that it is for, and no line that is there.
    lines = {
        n for b in fixed for span, _ in b.edits
        if (span.line, span.column) != (span.end_line, span.end_column)
        for n in range(span.line, span.end_line + 1)
    }  # fmt: skip
    names = {b.step for b in fixed}
    changed = {u.step for u in subject.units if u.name in names or u.line in lines or u.span.line in lines}
    out: list[bool] = []
    for i, step in enumerate(subject.graph.steps):
        written = step.span is not None and step.span.line in lines
        out.append(written or i in changed or any(out[j] for j in step.inputs))
    forward = subject.graph.ancestors(subject.loss)
    if any(a and f and not s.is_leaf for a, f, s in zip(out, forward, subject.graph.steps, strict=True)):
        return None
    return out


def leaves_wrong(subject: Subject, blame: Blame) -> bool:
    """A result that is wrong is what it was after the fix of one finding: nothing that it changes leads to it."""
    reached = affected(subject, [blame])
    return reached is not None and any(not reached[i] for i in wrong_results(subject))


def _is_set(source: str, name: str, line: int) -> bool:
    """A name may be given a value by another line of the function in which it begins."""
    functions = [n for n in nodes(source) if isinstance(n, ast.FunctionDef)]
    around = [f for f in functions if f.lineno <= line <= (f.end_lineno or 0)]
    if not name.isidentifier() or not around:
        return True
    home = max(around, key=lambda f: f.lineno)
    # What changes it in place counts as well: dW[i] += g, np.add.at(dW, i, g). In a return nothing is done to it.
    inside = walk(home)
    returned: set[ast.AST] = set()
    for n in inside:
        if isinstance(n, ast.Return) and n.value is not None:
            returned |= {n.value, *(n.value.elts if isinstance(n.value, ast.Tuple | ast.List) else ())}
    return any(
        isinstance(n, ast.Name) and n.id == name and n.lineno != line and n not in returned for n in inside
    )
