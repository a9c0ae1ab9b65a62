"""Mistakes that another text leaves as they are: such a text need not be run."""

from __future__ import annotations

import ast

from symgrad.diagnose.engine import Diagnosis
from symgrad.diagnose.telling.frames import Blame
from symgrad.errors import Span

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
        if subject is None:
            return
        for i, step in enumerate(subject.graph.steps):
            if step.span is not None:
                self._first.setdefault(step.span.line, i)
        for unit in subject.units:
            self._last[unit.name, unit.line] = self._last[unit.name, unit.span.line] = unit.step
        unset = (b for b in self._blames if b.mistake == UNSET)
        self._unset = {(b.step, b.span.line) for b in unset if not _is_set(subject.source, b.step, b.span.line)}

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

    def _stays(self, blame: Blame, begin: int) -> bool:
        place = blame.step, blame.span.line
        if blame.mistake == UNSET:
            return place in self._unset  # else it is what comes later that is missing
        return self._last.get(place, begin) < begin


def _is_set(source: str, name: str, line: int) -> bool:
    """A name may be given a value by another line of the function in which it begins."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return True
    functions = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)]
    around = [f for f in functions if f.lineno <= line <= (f.end_lineno or 0)]
    if not name.isidentifier() or not around:
        return True
    home = max(around, key=lambda f: f.lineno)
    # What changes it in place counts as well: dW[i] += g, np.add.at(dW, i, g). In a return nothing is done to it.
    returned: set[ast.AST] = set()
    for n in ast.walk(home):
        if isinstance(n, ast.Return) and n.value is not None:
            returned |= {n.value, *(n.value.elts if isinstance(n.value, ast.Tuple | ast.List) else ())}
    return any(
        isinstance(n, ast.Name) and n.id == name and n.lineno != line and n not in returned for n in ast.walk(home)
    )
