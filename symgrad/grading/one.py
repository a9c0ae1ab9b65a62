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
from symgrad.files.passes import check_pass
from symgrad.files.programs import Code
from symgrad.frontends.cells import read_cell
from symgrad.frontends.notebook import Notebook, notebook_of
from symgrad.frontends.plan import Plan
from symgrad.frontends.siblings import Siblings, siblings_among
from symgrad.frontends.texts import MAX_SOURCE, decode
from symgrad.frontends.trace.data import Trace
from symgrad.grading.assignment import Assignment
from symgrad.grading.entry import FAILED, REFUSED, STOPPED, UNREADABLE, entry, plain, stopped, unjudged
from symgrad.grading.submissions import Submission, Unreadable, main_file, unpacked
from symgrad.grading.truth import MISSING, REVIEW, RIGHT, WRONG, Held, Outcome, Runner, Truth, outcomes
from symgrad.manual import check_source
from symgrad.report.marks import marked_steps
from symgrad.report.model import Finding, Report
from symgrad.report.moving import moved

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
        return unjudged(submission, assignment, truth, UNREADABLE, error)

    try:
        source = _complete(work, assignment)
        given, trace, held, found = _run(source, work, assignment, truth, run)
    except SymgradError as error:
        return unjudged(submission, assignment, truth, _kind(error), _located(error, work))
    found = [_unless_ours(o, trace, held) for o in found]
    runner = _runner(work, assignment, run, given)
    start = entry(submission, assignment, truth, found, (), None, stop=stopped(trace))
    early(start | {"note": "the steps were not checked: that took too long, or too much memory"})
    report, note = _report(source, work, assignment, truth, trace, held, found, runner)
    steps = () if report is None else marked_steps(report, assignment.rubric)
    own = report is not None and _same_function(report, truth, held)
    made = entry(submission, assignment, truth, found, steps, report, own=own, stop=stopped(trace))
    return made | {"note": note}


def _unless_ours(outcome: Outcome, trace: Trace, held: Held) -> Outcome:
    """A gradient that is missing since symgrad could not follow is for a person to judge."""
    if outcome.status != MISSING:
        return outcome
    error = trace.error
    if error is not None and (error.kind == "unsupported" or "traced file" in error.message):
        return replace(outcome, status=REVIEW, note=plain(f"not seen: symgrad stopped before it: {error.message}"))
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
        return None, f"the steps were not checked, by a bug in symgrad: {type(error).__name__}: {plain(str(error))}"
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
