"""What is written of one submission: its marks, what is open, and why; as one document."""

from __future__ import annotations

import re
from typing import Any

from symgrad.errors import SymgradError
from symgrad.frontends.trace.data import Trace
from symgrad.grading.assignment import Assignment
from symgrad.grading.submissions import Submission, Unreadable
from symgrad.grading.truth import MISSING, REVIEW, RIGHT, Outcome, Truth
from symgrad.report.document import document, place
from symgrad.report.hints import hinted
from symgrad.report.marks import Mark, shares
from symgrad.report.model import Finding, Report

SCHEMA = "symgrad-grade/1"

#: What may have become of a submission.
GRADED, UNREADABLE, REFUSED, STOPPED, FAILED = "graded", "unreadable", "refused", "stopped", "failed"
#: The function in ``h1 = tanh(h1_raw)``.
_CALL = re.compile(r"=\s*(?:\w+\.)*(\w+)\(")


def points_of(assignment: Assignment, truth: Truth) -> dict[str, float]:
    """How many marks each gradient is worth."""
    rubric = assignment.rubric
    weights = {name: rubric.gradients.get(name, 1.0) if rubric.gradients else 1.0 for name in truth.gradients}
    whole = sum(weights.values())
    return {name: rubric.points * w / whole if whole else 0.0 for name, w in weights.items()}


def entry(
    submission: Submission, assignment: Assignment, truth: Truth, found: list[Outcome], steps: tuple[Mark, ...],
    report: Report | None, *, own: bool = False, stop: str = "",
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
        "reason": stop,
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


def unjudged(
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
        "reason": plain(reason), "marks": 0.0, "open": _round(assignment.rubric.points) if undecided else 0.0,
        "review": [plain(reason)] if undecided else [], "gradients": rows, "steps": [], "mistakes": [],
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


def stopped(trace: Trace) -> str:
    if trace.error is None:
        return ""
    where = f"{trace.error.span}: " if trace.error.span is not None else ""
    return plain(f"it stopped: {where}{trace.error.message}")


def _step(s: Mark) -> dict[str, Any]:
    return {
        "name": s.name, "status": s.status, "gradients": list(s.gradients), "weight": s.weight, "earned": s.earned,
        "open": s.open, "mistakes": list(s.mistakes), **place(s.span),
    }  # fmt: skip


def _mistake(f: Finding) -> dict[str, Any]:
    """A mistake as it is counted over all submissions: its kind, and the function whose derivative it is."""
    match = _CALL.search(f.forward or "")
    return {
        "kind": f.mistake or f.code, "at": match[1] if match else "", "step": f.step, "message": plain(f.message),
        **place(f.span),
    }  # fmt: skip


def plain(text: str) -> str:
    """Text from a submission, without what drives a terminal, and not without end."""
    clean = "".join(c if c.isprintable() else " " for c in text)
    return clean if len(clean) <= 500 else clean[:497] + "..."


def _round(x: float) -> float:
    return round(x, 2) + 0.0
