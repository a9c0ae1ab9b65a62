"""The report of a file of several exercises, each of which is judged by itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

from symgrad.cutting.problems import problems
from symgrad.errors import SymgradError
from symgrad.frontends.trace.data import Trace
from symgrad.manual.work import Work
from symgrad.report.model import Finding, Report

#: What judges one run.
Judge = Callable[[Work, Trace], Report]


def of_each(work: Work, trace: Trace, judge: Judge) -> Report | None:
    """The report of all exercises of a run; ``None`` where there are no several, or one of them is not understood by
    itself: then the run is taken as a whole."""
    parts = problems(trace)
    if not parts:
        return None
    try:
        return _joined([judge(_alone(work, n, len(parts)), part) for n, part in enumerate(parts)])
    except SymgradError:
        return None


def _alone(work: Work, n: int, count: int) -> Work:
    """The work on one exercise: what runs in place of the file is cut as the file was."""

    def run(text: str) -> Trace:
        trace = work.run(text)
        parts = problems(trace) if trace.error is None or not trace.error.fatal else ()
        return parts[n] if len(parts) == count else trace

    return replace(work, run=run)


def _joined(reports: Sequence[Report]) -> Report | None:
    if not all(r.confirmed or r.verdict == "disagree" for r in reports):
        return None
    # Of a name that several exercises have it is said which line is meant.
    times = Counter(name for r in reports for name in r.confirmed)
    confirmed: list[str] = []
    for r in reports:
        lines = {j.name: j.span.line for j in r.judged if j.status == "right"}
        confirmed += [f"{n} (line {lines[n]})" if times[n] > 1 and n in lines else n for n in r.confirmed]
    own = [f for r in reports for f in r.findings if f.code != "note"]
    notes = [f for r in reports for f in r.findings if f.code == "note"]
    wrong = [r for r in reports if r.verdict == "disagree"]
    findings: list[Finding] = sorted(own, key=lambda f: (f.span.line, f.span.column) if f.span is not None else (0, 0))
    return replace(
        (wrong or reports)[-1],
        verdict="disagree" if wrong else reports[-1].verdict,
        gradients=tuple(g for r in reports for g in r.gradients),
        findings=tuple(dict.fromkeys((*findings, *notes))),
        confirmed=tuple(dict.fromkeys(confirmed)),
        unchecked=tuple(dict.fromkeys(u for r in reports for u in r.unchecked)),
        judged=tuple(j for r in reports for j in r.judged),
        assumed=next((r.assumed for r in reports if r.assumed), ""),
    )


__all__ = ["of_each"]
