"""The report of a file of several exercises, each of which is judged by itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from symgrad.cutting.losses import by_losses
from symgrad.cutting.problems import problems
from symgrad.diagnose.observing.subject import Subject
from symgrad.errors import Span, SymgradError
from symgrad.frontends.trace.data import Trace
from symgrad.manual.work import Work
from symgrad.report.model import Finding, Judged, Report
from symgrad.subjects.chosen import choose

#: What judges one run.
Judge = Callable[[Work, Trace], Report]


def of_each(work: Work, trace: Trace, judge: Judge) -> Report | None:
    """The report of all exercises of a run; ``None`` where there are no several, or one of them is not understood by
    itself: then the run is taken as a whole."""
    named = _parts(trace)
    if not named:
        return None
    parts = [part for _, part in named]
    found = [_judged(_alone(work, n, named), part, judge) for n, part in enumerate(parts)]
    # Of the rounds of one loop some may have nothing to be judged, where x is 0; of each exercise there is one.
    lines = [{b.line for b in part.bindings if not part.graph.steps[b.step].is_leaf} for part in parts]
    told = set().union(*(mine for mine, report in zip(lines, found, strict=True) if report is not None))
    if not all(mine <= told for mine in lines):
        return None
    return _joined([report for report in found if report is not None])


def _judged(work: Work, part: Trace, judge: Judge) -> Report | None:
    try:
        report = judge(work, part)
    except SymgradError:
        return None
    return report if report.confirmed or report.verdict == "disagree" else None


def _parts(trace: Trace) -> Sequence[tuple[str, Trace]]:
    """The exercises of a run, each with the name of what is differentiated, where that is known."""
    return [("", part) for part in problems(trace)] or by_losses(trace)


def _alone(work: Work, n: int, parts: Sequence[tuple[str, Trace]]) -> Work:
    """The work on one exercise: what runs in place of the file is cut as the file was."""
    name = parts[n][0]

    def run(text: str) -> Trace:
        trace = work.run(text)
        again = _parts(trace) if trace.error is None or not trace.error.fatal else ()
        return again[n][1] if len(again) == len(parts) else trace

    def its_own(trace: Trace, like: Subject | None) -> Subject:
        return choose(trace, name, {}, like)

    return replace(work, run=run, choose=its_own) if name else replace(work, run=run)


def _joined(reports: Sequence[Report]) -> Report:
    wrong = [r for r in reports if r.verdict == "disagree"]
    findings = _once([f for r in reports for f in r.findings])
    blamed = {f.span.line for f in findings if f.root and f.span is not None}
    # Of a name that several exercises have it is said which line is meant.
    at: dict[str, set[int]] = {}
    for j in (j for r in reports for j in r.judged if j.status == "right"):
        at.setdefault(j.name, set()).add(j.span.line)
    confirmed: dict[str, None] = {}
    for r in reports:
        lines = {j.name: j.span.line for j in r.judged if j.status == "right"}
        for name in r.confirmed:
            if lines.get(name) not in blamed:
                confirmed[f"{name} (line {lines[name]})" if len(at.get(name, ())) > 1 else name] = None
    judged: dict[tuple[str, Span], Judged] = {}
    for j in (j for r in reports for j in r.judged):
        held = judged.setdefault((j.name, j.span), j)
        if _WORST.index(j.status) < _WORST.index(held.status):
            judged[j.name, j.span] = j
    told = {key for key, j in judged.items() if j.status != "unchecked"}
    return replace(
        (wrong or reports)[-1],
        verdict="disagree" if wrong else reports[-1].verdict,
        gradients=tuple({(_lines(r), g.wrt): g for r in reports for g in r.gradients}.values()),
        findings=tuple(findings),
        confirmed=tuple(confirmed),
        unchecked=tuple(dict.fromkeys(u for r in reports for u in r.unchecked if (u.name, u.span) not in told)),
        judged=tuple(judged.values()),
        assumed=next((r.assumed for r in reports if r.assumed), ""),
    )


#: What became of a line, the worst first: of the rounds of a loop it is that.
_WORST = ("wrong", "carried", "right", "unchecked")


def _once(findings: Sequence[Finding]) -> list[Finding]:
    """In the order of the lines, with what belongs to no line at the end; what is wrong in many rounds is told once,
    with the fix if that is right in all of them."""
    out: dict[object, Finding] = {}
    for f in findings:
        key: object = (f.span, f.mistake) if f.root else f
        held = out.setdefault(key, f)
        if held is not f and held.fix_verified and not f.fix_verified:
            out[key] = replace(held, fix_verified=False)
    placed = sorted((f for f in out.values() if f.code != "note" and f.span), key=lambda f: _place(f.span))
    return [*placed, *(f for f in out.values() if f.code == "note" or not f.span)]


def _lines(report: Report) -> frozenset[int]:
    """The lines of the derivation: the same in all rounds of a loop."""
    return frozenset(j.span.line for j in report.judged)


def _place(span: Span | None) -> tuple[int, int]:
    return (span.line, span.column) if span is not None else (0, 0)


__all__ = ["of_each"]
