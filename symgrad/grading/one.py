"""Grading one submission: its results against the truth, its steps by the diagnosis, and both together as marks.

What decides is the value of each gradient, at several points. The diagnosis of the submission's own derivation gives
partial credit where a gradient is wrong: each step judged given its own inputs. What cannot be told is left *open*: it
earns nothing by itself, and is said, for a person to decide.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from symgrad.errors import SymgradError, Unsupported
from symgrad.frontends.cells import read_cell
from symgrad.frontends.notebook import Notebook, notebook_of
from symgrad.frontends.plan import Plan
from symgrad.frontends.siblings import Siblings, siblings_among
from symgrad.frontends.texts import MAX_SOURCE, decode
from symgrad.frontends.trace.data import Trace
from symgrad.grading.assignment import Assignment
from symgrad.grading.submissions import Submission, Unreadable, main_file, unpacked
from symgrad.grading.truth import MISSING, REVIEW, RIGHT, WRONG, Held, Outcome, Runner, Truth, outcomes
from symgrad.manual import check_source
from symgrad.passes import check_pass
from symgrad.programs import Code
from symgrad.report.document import document, place
from symgrad.report.hints import hinted
from symgrad.report.marks import Mark, marked_steps, shares
from symgrad.report.model import Finding, Report
from symgrad.report.moving import moved

SCHEMA = "symgrad-grade/1"

#: What may have become of a submission.
GRADED, UNREADABLE, REFUSED, STOPPED, FAILED = "graded", "unreadable", "refused", "stopped", "failed"

_MAGIC = re.compile(r"^[ \t]*[%!]\w", re.M)


@dataclass(frozen=True, slots=True)
class Work:
    """A submission's text, ready to be run."""

    source: str
    name: str
    notebook: Notebook | None = None
    beside: Siblings = field(default_factory=Siblings)


@dataclass(frozen=True, slots=True)
class _Warm(Code):
    """A file's text that is run by whoever grades."""

    runner: Callable[[str, Plan | None], Trace] | None = None

    def run(self, text: str, plan: Plan | None = None) -> Trace:
        assert self.runner is not None
        return self.runner(text, plan)


def grade(
    submission: Submission, assignment: Assignment, truth: Truth, run: Runner,
    early: Callable[[dict[str, Any]], None] = lambda document: None,
) -> dict[str, Any]:  # fmt: skip
    """Grade one submission. Whatever it holds, the answer is a document and no exception.

    Args:
        run: runs a text in the sandbox.
        early: is given the document as far as it is known before the diagnosis, which may take long.
    """
    try:
        if submission.trouble:
            raise Unreadable(submission.trouble)
        work = _work(submission, assignment)
    except SymgradError as error:
        return _without(submission, assignment, truth, UNREADABLE, error)

    try:
        source = _complete(work, assignment)
        given, trace, held, found = _run(source, work, assignment, truth, run)
    except SymgradError as error:
        return _without(submission, assignment, truth, _kind(error), _located(error, work))
    found = [_unless_ours(o, trace, held) for o in found]
    runner = _runner(work, assignment, run, given)
    start = _document(submission, assignment, truth, found, (), None, stopped=_stop(trace))
    early(start | {"note": "the steps were not checked: that took too long, or too much memory"})
    report, note = _report(source, work, assignment, truth, trace, held, found, runner)
    steps = () if report is None else marked_steps(report, assignment.rubric)
    own = report is not None and _same_function(report, truth, held)
    made = _document(submission, assignment, truth, found, steps, report, own=own, stopped=_stop(trace))
    return made | {"note": note}


def _unless_ours(outcome: Outcome, trace: Trace, held: Held) -> Outcome:
    """A gradient that is missing since symgrad could not follow is for a person to judge."""
    if outcome.status != MISSING:
        return outcome
    error = trace.error
    if error is not None and (error.kind == "unsupported" or "traced file" in error.message):
        return replace(outcome, status=REVIEW, note=_plain(f"not seen: symgrad stopped before it: {error.message}"))
    if error is None and held.result < 0:
        return replace(outcome, status=REVIEW, note="neither the function nor this gradient was recognised")
    return outcome


def _runner(work: Work, assignment: Assignment, run: Runner, given: Mapping[str, Any]) -> Callable[..., Trace]:
    """What runs a text as this submission."""

    def runner(text: str, plan: Plan | None = None) -> Trace:
        return run(
            text, work.name, timeout=assignment.timeout, memory_mb=assignment.memory_mb, plan=plan,
            beside=work.beside, given=None if plan is not None else given,
        )  # fmt: skip

    return runner


def _run(
    source: str, work: Work, assignment: Assignment, truth: Truth, run: Runner
) -> tuple[Mapping[str, Any], Trace, Held, list[Outcome]]:
    """Run a submission as it stands, at its own values; and, where that does not show all gradients to be right and
    its values are not the assignment's, at those of the assignment.

    Raises:
        SymgradError: it cannot be run, either way.
    """
    tried = []
    problem: SymgradError | None = None
    for given in ({}, truth.given) if truth.plan is None and truth.given else ({},):
        try:
            trace = _runner(work, assignment, run, given)(source, truth.plan)
            if trace.error is not None and (trace.error.kind == "time" or not trace.bindings):
                raise trace.error.exception(source)
        except SymgradError as error:
            if error.kind in ("limit", "time", "syntax", "refused"):
                raise
            problem = problem or error
            continue
        held = Held(trace, truth)
        tried.append((given, trace, held, outcomes(trace, truth, assignment)))
        right = all(o.status == RIGHT for o in tried[-1][3])
        if right or (trace.error is None and held.is_complete and held.result >= 0):
            break
    if not tried:
        assert problem is not None
        raise problem
    return max(tried, key=lambda t: (sum(o.status == RIGHT for o in t[3]), t[2].result >= 0, t[2].is_complete))


# --- reading --------------------------------------------------------------------------------------------------------


def _work(submission: Submission, assignment: Assignment) -> Work:
    """The text of a submission.

    Raises:
        SymgradError: it cannot be read.
    """
    files = unpacked(submission.files)
    path = main_file(files, assignment.file)
    data, name = files[path], PurePosixPath(path).name
    beside = siblings_among(files, path) if len(files) > 1 else Siblings()
    if not data.strip():
        raise Unreadable("it is empty")
    if path.lower().endswith(".ipynb"):
        notebook = notebook_of(data, name)
        return Work(notebook.source, name, notebook, beside)
    if len(data) > MAX_SOURCE:
        raise Unreadable(f"it is too large: {len(data) / 1e6:.0f} MB of code")
    source, _ = decode(data, name)
    if "\0" in source:
        raise Unreadable("it is no text: it holds zero bytes")
    if _MAGIC.search(source):  # a notebook that was saved as a file
        source = read_cell(1, source).python
    return Work(source, name, None, beside)


def _complete(work: Work, assignment: Assignment) -> str:
    """The text with the forward pass that was handed out, where the submission has none of its own."""
    if not assignment.provided:
        return work.source
    name = re.escape(assignment.forward.partition(".")[0])
    # Told by looking: the text is parsed in the sandbox only.
    if re.search(rf"^(?:def|class)[ \t]+{name}\b|^{name}[ \t]*=|\bimport\b.*\b{name}\b", work.source, re.M):
        return work.source
    return f"{work.source.rstrip()}\n\n\n{_only(assignment)}"


def _only(assignment: Assignment) -> str:
    """The reference without the solution: its text, cut where the definition of backward begins and ends."""
    import ast

    tree = ast.parse(assignment.reference)  # the teacher's own text
    hidden = assignment.backward.partition(".")[0]
    lines = assignment.reference.split("\n")
    for node in tree.body:
        if getattr(node, "name", "") == hidden and hidden != assignment.forward.partition(".")[0]:
            for n in range(node.lineno - 1, (node.end_lineno or node.lineno)):
                lines[n] = ""
    return "\n".join(lines)


def _located(error: SymgradError, work: Work) -> SymgradError:
    return work.notebook.located(error) if work.notebook is not None else error


def _kind(error: SymgradError) -> str:
    """What an error of the run says of the submission."""
    known = {"limit": STOPPED, "time": STOPPED, "syntax": UNREADABLE, "refused": REFUSED, "unsupported": REFUSED}
    if "traced file" in error.message or isinstance(error, Unsupported):
        return REFUSED
    return known.get(error.kind, FAILED)


# --- the diagnosis --------------------------------------------------------------------------------------------------


def _report(
    source: str, work: Work, assignment: Assignment, truth: Truth, trace: Trace, held: Held, found: list[Outcome],
    runner: Callable[..., Trace],
) -> tuple[Report | None, str]:  # fmt: skip
    """The diagnosis of a submission's own derivation, and why there is none."""
    code = _Warm(source, "", work.name, "", assignment.timeout, {}, runner)
    # Half of the time: only who is shown a fix needs to know that it works.
    verify = assignment.hint == "fix"
    try:
        if truth.plan is not None:
            report = check_pass(code, truth.plan, {"strict": True, "verify": verify})
        else:
            bound = [b.name for b in trace.bindings]
            loss = next((b.name for b in reversed(trace.bindings) if b.step == held.result), None)
            loss = truth.result if truth.result in bound and _holds(truth.result, trace, held) else loss
            mapped = _mapping(trace, held, found, assignment)
            report = check_source(
                source, work.name, loss=loss, mapping=mapped, run=runner, trace=trace, verify=verify
            )  # fmt: skip
    except SymgradError as error:
        return None, f"the steps were not checked: {_located(error, work).message}"
    except (ArithmeticError, AttributeError, LookupError, RecursionError, RuntimeError, TypeError, ValueError) as error:
        # A bug of ours must not cost a student anything: the results stand, and what the steps are worth is open.
        return None, f"the steps were not checked, by a bug in symgrad: {type(error).__name__}: {_plain(str(error))}"
    if work.notebook is not None:
        report = moved(report, work.notebook.place, work.notebook.texts)
        notes = [Finding("note", message, span) for message, span in work.notebook.notes()]
        report = replace(report, findings=(*report.findings, *notes))
    return report, ""


def _holds(name: str, trace: Trace, held: Held) -> bool:
    last = [b.step for b in trace.bindings if b.name == name][-1:]
    return bool(last) and held.is_right(last[0], held.truth.reference.results)


def _mapping(trace: Trace, held: Held, found: list[Outcome], assignment: Assignment) -> dict[str, str]:
    """What names stand for that the assignment gives gradients: ``{"delta1": "w_h"}``."""
    own = {name: leaf.name for leaf in trace.leaves if (name := held.mapped.get(leaf.step)) is not None}
    return {
        o.found_as: own[o.name]
        for o in found
        if o.name in own and o.found_as in assignment.names.get(o.name, ()) and o.status == WRONG
    }


def _same_function(report: Report, truth: Truth, held: Held) -> bool:
    """What the diagnosis took for the function is the one that was asked for."""
    from symgrad.arrays import evaluate
    from symgrad.reference import same

    if truth.plan is not None:
        return held.result >= 0
    graph = report.graph
    for n, point in enumerate(truth.reference.points):
        values = {}
        for i, step in enumerate(graph.steps):
            if step.is_input:
                known = held.mapped.get(i) if i < len(held.trace.graph) else None
                known = known or (step.name if step.name in point else None)
                raw = point[known] if known is not None else held.trace.values[i] if i < len(held.trace.values) else 0.0
                if np.shape(raw) != step.shape:
                    return False
                values[i] = raw
        try:
            (result,) = evaluate(graph, values, [graph.output])
        except SymgradError:
            return False
        if not same(result, truth.reference.results[n], truth.scale):
            return False
    return True


# --- marks ----------------------------------------------------------------------------------------------------------


def points_of(assignment: Assignment, truth: Truth) -> dict[str, float]:
    """How many marks each gradient is worth."""
    rubric = assignment.rubric
    weights = {name: rubric.gradients.get(name, 1.0) if rubric.gradients else 1.0 for name in truth.gradients}
    whole = sum(weights.values())
    return {name: rubric.points * w / whole if whole else 0.0 for name, w in weights.items()}


def _document(
    submission: Submission, assignment: Assignment, truth: Truth, found: list[Outcome], steps: tuple[Mark, ...],
    report: Report | None, *, own: bool = False, stopped: str = "",
) -> dict[str, Any]:  # fmt: skip
    """The whole of what is known of a submission."""
    points = points_of(assignment, truth)
    rows = [_row(o, points[o.name], steps, assignment, known=report is not None, own=own) for o in found]
    right = all(o.status == RIGHT for o in found)
    said = "" if report is None or right else hinted(report, assignment.hint)
    roots = [] if report is None else [f for f in report.findings if f.root]
    review = [f"{r['name']}: {r['note'] or 'it was not checked'}" for r in rows if r["open"]]
    if right and roots:
        lines = ", ".join(str(f.span) for f in roots if f.span)
        review.append(f"every gradient is right, and symgrad calls something wrong that is not asked for: {lines}")
    unchecked = [] if report is None else [f"{u.name} ({u.span.where})" for u in report.unchecked]
    return _base(submission, assignment, GRADED) | {
        "reason": stopped,
        "marks": _round(sum(r["marks"] for r in rows)),
        "open": _round(sum(r["open"] for r in rows)),
        "review": review,
        "gradients": [r | {k: _round(r[k]) for k in ("marks", "open", "out_of")} for r in rows],
        "steps": [_step(s) for s in steps],
        "mistakes": [] if right else [_mistake(f) for f in roots],
        "not_checked": unchecked,
        "hinted": said,
        "report": None if report is None else document(report),
    }


def _row(
    outcome: Outcome, points: float, steps: tuple[Mark, ...], assignment: Assignment, *, known: bool, own: bool
) -> dict[str, Any]:
    """The marks of one gradient."""
    earned = still = 0.0
    note = outcome.note
    mine = [s for s in steps if outcome.name in {*s.gradients, *(g.split(".")[-1] for g in s.gradients)}]
    if outcome.status == MISSING:
        mine = [s for s in steps if not s.gradients]
    if outcome.status == RIGHT:
        earned = points
    elif outcome.status == REVIEW:
        still = points
    elif not known:
        still = points
        note = note or "its steps were not checked"
    elif outcome.status == MISSING:
        # What was done on the way to it counts; the gradient itself is one step more.
        whole = sum(s.weight for s in mine) + assignment.rubric.weight(outcome.name)
        earned = points * sum(s.earned for s in mine) / whole if own and whole else 0.0
    elif not own:
        still = points
        note = note or "it is the gradient of another function than the assignment's"
    elif not mine or all(s.status in ("right", "carried") for s in mine):
        still = points
        note = note or "no step of it was found to be wrong"
    else:
        share, open_share = shares(mine)
        earned, still = points * share, points * open_share
        note = note or ("some of its steps were not checked" if still else "")
    return {
        "name": outcome.name, "status": outcome.status, "found_as": outcome.found_as or None, "note": note,
        "marks": earned, "open": still, "out_of": points,
    }  # fmt: skip


def _without(
    submission: Submission, assignment: Assignment, truth: Truth, status: str, error: SymgradError
) -> dict[str, Any]:
    """A submission of which nothing can be judged. What symgrad cannot run may be right: a person looks."""
    points = points_of(assignment, truth)
    reason = error.message if isinstance(error, Unreadable) or error.span is None else str(error)
    undecided = status in (REFUSED, FAILED)
    rows: list[dict[str, Any]] = [
        {"name": n, "status": REVIEW if undecided else MISSING, "found_as": None, "note": "", "marks": 0.0,
         "open": _round(p) if undecided else 0.0, "out_of": _round(p)}
        for n, p in points.items()
    ]  # fmt: skip
    return _base(submission, assignment, status) | {
        "reason": _plain(reason), "marks": 0.0, "open": _round(assignment.rubric.points) if undecided else 0.0,
        "review": [_plain(reason)] if undecided else [], "gradients": rows, "steps": [], "mistakes": [],
        "not_checked": [], "hinted": "", "report": None, "note": "",
    }  # fmt: skip


def lost(submission: Submission, assignment: Assignment, truth: Truth | None, reason: str) -> dict[str, Any]:
    """The document of a submission whose grading was ended: it took too long, or too much memory."""
    points = points_of(assignment, truth) if truth is not None else {}
    return _base(submission, assignment, STOPPED) | {
        "reason": reason, "marks": 0.0, "open": 0.0, "review": [reason],
        "gradients": [
            {"name": n, "status": MISSING, "found_as": None, "note": "", "marks": 0.0, "open": 0.0, "out_of": _round(p)}
            for n, p in points.items()
        ],
        "steps": [], "mistakes": [], "not_checked": [], "hinted": "", "report": None, "note": "",
    }  # fmt: skip


def _base(submission: Submission, assignment: Assignment, status: str) -> dict[str, Any]:
    return {
        "schema": SCHEMA, "submission": submission.name, "content": submission.fingerprint,
        "assignment": assignment.fingerprint, "title": assignment.name, "hint": assignment.hint, "status": status,
        "out_of": assignment.rubric.points, "note": "",
    }  # fmt: skip


def _stop(trace: Trace) -> str:
    if trace.error is None:
        return ""
    where = f"{trace.error.span}: " if trace.error.span is not None else ""
    return _plain(f"it stopped: {where}{trace.error.message}")


def _step(s: Mark) -> dict[str, Any]:
    return {
        "name": s.name, "status": s.status, "gradients": list(s.gradients), "weight": s.weight, "earned": s.earned,
        "open": s.open, "mistakes": list(s.mistakes), **place(s.span),
    }  # fmt: skip


#: The function in ``h1 = tanh(h1_raw)``.
_CALL = re.compile(r"=\s*(?:\w+\.)*(\w+)\(")


def _mistake(f: Finding) -> dict[str, Any]:
    """A mistake as it is counted over all submissions: its kind, and the function whose derivative it is."""
    match = _CALL.search(f.forward or "")
    return {
        "kind": f.mistake or f.code, "at": match[1] if match else "", "step": f.step, "message": _plain(f.message),
        **place(f.span),
    }  # fmt: skip


def _plain(text: str) -> str:
    """Text from a submission, without what drives a terminal, and not without end."""
    clean = "".join(c if c.isprintable() else " " for c in text)
    return clean if len(clean) <= 500 else clean[:497] + "..."


def _round(x: float) -> float:
    return round(x, 2) + 0.0


__all__ = ["FAILED", "GRADED", "REFUSED", "SCHEMA", "STOPPED", "UNREADABLE", "grade", "lost", "points_of"]
