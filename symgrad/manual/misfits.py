"""Arrays that do not fit: the line at which a run stopped, with a change after which it goes on and is right.

A run that stops says nothing of what comes after, and the person is left with two shapes. Where the derivation before
it is right, the line that stopped it is looked at: changes of it are run, and the one is told that makes the derivative
right that is worked out there. All that follows is then checked as if it had been written so.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from dataclasses import replace

from symgrad.diagnose.engine import Diagnosis
from symgrad.diagnose.text.fitting import fittings
from symgrad.diagnose.text.naming import claims, is_bare, normal
from symgrad.diagnose.text.source import source_map
from symgrad.diagnose.text.syntax import module
from symgrad.diagnose.text.texts import Rewording
from symgrad.effort import is_spent
from symgrad.errors import Span, SymgradError
from symgrad.frontends.trace.data import Trace, TraceError
from symgrad.manual.accounts import account
from symgrad.manual.edits import patched
from symgrad.manual.work import Work
from symgrad.report.model import Finding, Report

#: So many texts are run.
MOST = 40
#: After so many changes that let the run go on, no more are looked for.
MOST_KEPT = 4
#: So many assignments are looked at besides the line that stopped the run.
MOST_SOURCES = 3
#: How NumPy, torch and this program say that shapes do not fit.
_SHAPES = re.compile(
    r"shapes?\b|broadcast|inner length|size mismatch|must match|dimensions?\b|aligned|boolean index|mask", re.I
)


def with_fitting_shapes(
    work: Work, trace: Trace, judged: Callable[[Work, Trace], Report], first: Callable[[], Report]
) -> Report:
    """The report of a run; where it stopped at arrays that do not fit, and no change is known that makes right what is
    wrong before, that of the run that goes on.

    Args:
        judged: another work and its run -> its report; ``first``: the report of this one.

    Raises:
        SymgradError: as ``first`` does.
    """
    error = trace.error
    if error is None or error.kind != "exception" or error.span is None or not _SHAPES.search(error.message):
        return first()
    problem: SymgradError | None = None
    report: Report | None = None
    try:
        report = first()
    except SymgradError as raised:
        problem = raised
    if report is None or not any(f.root and f.fix_verified for f in report.findings):
        found = _mended(work, trace, error, error.span, judged)
        if found is not None:
            return found
    if report is None:
        assert problem is not None
        raise problem
    return report


def _mended(
    work: Work, trace: Trace, error: TraceError, span: Span, judged: Callable[[Work, Trace], Report]
) -> Report | None:
    """The report of the run with the change that makes it right, and with what was wrong; ``None`` if there is none."""
    shapes = {b.name: trace.graph.steps[b.step].shape for b in trace.bindings}
    places = [span, *_sources(work.source, span, trace)]
    options = [r for place in places for r in fittings(work.source, place, shapes)]
    kept: list[tuple[int, Rewording, str, Trace]] = []
    for r in options[:MOST]:
        text = patched(work.source, [(r.span, r.text)])
        if text is None or is_spent() or len(kept) == MOST_KEPT:
            continue
        wrong = _goes_on(work, text, span, r.line)
        if wrong is None:
            continue
        kept.append((wrong[0], r, text, wrong[1]))
        if not wrong[0]:
            break
    for _, r, text, again in sorted(kept, key=lambda k: k[0]):
        try:
            report = judged(replace(work, source=text, like=None), again)
        except SymgradError:
            continue
        others = [f for f in report.findings if f.root]
        # Who is blamed besides must be blamed for certain: a change that leads astray puts later lines in the wrong.
        if all(f.fix_verified and f.span is not None and f.span.line != r.line for f in others):
            return _told(report, work, error, r)
    return None


def _sources(source: str, span: Span, trace: Trace) -> list[Span]:
    """Where the variables were assigned that the line reads: one of them may be what has the wrong shape."""
    tree = module(source)
    here = (n for n in (ast.walk(tree) if tree is not None else ()) if getattr(n, "lineno", 0) == span.line)
    read = {ast.unparse(n) for n in here if isinstance(n, ast.Name | ast.Attribute)}
    last = {b.name: b.span for b in trace.bindings if b.name in read and b.span.line != span.line}
    return sorted(last.values(), key=lambda s: -s.line)[:MOST_SOURCES]


def _goes_on(work: Work, text: str, span: Span, line: int) -> tuple[int, Trace] | None:
    """How much is wrong in the run of a text, if it goes on beyond a place, and what is assigned in a line is right."""
    try:
        trace = work.run(text)
        stopped = trace.error.span.line if trace.error is not None and trace.error.span is not None else -1
        if trace.error is not None and stopped <= span.line:
            return None
        found = account(replace(work, source=text, like=None), trace).diagnosis
    except SymgradError:
        return None
    fits = _is_right_at(found, text, line, ended=trace.error is None)
    return (len(found.blames) + len(found.unchecked), trace) if fits else None


def _is_right_at(found: Diagnosis, text: str, line: int, *, ended: bool) -> bool:
    """What a line assigns is right; of what is only a part of a result, all that the run works out to its end."""
    if any(b.span.line == line for b in found.blames):
        return False
    tree = module(text)
    if any(u.line == line and _is_meant(u.name, found, tree, line) for u in found.right):
        return True
    mine = [n for n in (ast.walk(tree) if tree is not None else ()) if getattr(n, "lineno", 0) == line]
    part = any(isinstance(n, ast.AugAssign | ast.Return) for n in mine)
    # grad_h = ..., and what it comes to is right: grad_h[h < 0] = 0.
    names = {u.name.partition("[")[0] for u in found.right if u.line != line}
    part = part or any(isinstance(n, ast.Assign) and ast.unparse(n.targets[0]).partition("[")[0] in names for n in mine)
    return ended and part and not found.blames and not found.unchecked and bool(found.right)


def _is_meant(name: str, found: Diagnosis, tree: ast.Module | None, line: int) -> bool:
    """A name that says what it is the derivative of, or that is used further down: any product of matrices that fit is
    the derivative of something, and ``dq`` may be meant for nothing."""
    known = {normal(n) for n, _ in found.subject.aliases} if found.subject is not None else set()
    if any(c.bottom in known for c in claims(name)) or is_bare(name):
        return True
    nodes = ast.walk(tree) if tree is not None else ()
    later = (n for n in nodes if isinstance(n, ast.Name | ast.Attribute) and n.lineno > line)
    return any(ast.unparse(n) == name.partition("[")[0] for n in later)


def _told(report: Report, work: Work, error: TraceError, r: Rewording) -> Report:
    """The report of the changed text as one of the text that stands there."""
    file = error.span.file if error.span is not None else ""
    span = replace(r.span, file=file, cell=error.span.cell if error.span is not None else 0)
    code = "wrong-factor" if r.mistake != "wrong-variable" else r.mistake
    finding = Finding(
        code, r.message, span, label=f"the run stops here: {error.message}", mistake=r.mistake,
        found=source_map(work.source).text(span), expected=r.text, fix=r.text, edits=((span, r.text),),
        fix_verified=True, root=True,
    )  # fmt: skip
    findings = sorted([finding, *(f for f in report.findings if f.root)], key=lambda f: f.span.line if f.span else 0)
    rest = [f for f in report.findings if not f.root]
    here = {j.name for j in report.judged if j.span.line == r.line}
    # What comes after it is right for what it would have been given.
    became = {r.line: "wrong"} | {j.span.line: "carried" for j in report.judged if j.span.line > r.line}
    judged = [replace(j, status=became.get(j.span.line, j.status) if j.status == "right" else j.status)
              for j in report.judged]  # fmt: skip
    return replace(
        report, findings=(*findings, *rest), verdict="disagree", source=work.source, original=work.original,
        manual_source=report.manual_source and work.source, judged=tuple(judged),
        confirmed=tuple(n for n in report.confirmed if n not in here),
    )  # fmt: skip


__all__ = ["with_fitting_shapes"]
