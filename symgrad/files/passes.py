"""Forward and backward passes of a file, called and checked: one, or all that it holds."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from symgrad.callables import call_subject, missing_finding
from symgrad.errors import Span, SymgradError
from symgrad.files.asked import at_its_calls, made_with, parameters_of, returns_at_the_first
from symgrad.files.costs import with_its_cost
from symgrad.files.elsewhere import lines_not_reached, points_elsewhere
from symgrad.files.programs import Code
from symgrad.frontends.plan import Plan
from symgrad.frontends.roles import is_upstream
from symgrad.frontends.trace.data import Call, Given, Trace
from symgrad.frontends.trace.passes import input_of, is_force, is_guessed, is_hessian
from symgrad.manual import Work, check_work
from symgrad.manual.accounts import account
from symgrad.picturing import renumbered
from symgrad.report.model import Finding, Report

#: Functions that are a derivative, and no backward pass.
#: What a matrix of derivatives is called.
_JACOBIAN = re.compile(r"(?:\w+_)?(?:jac|jacobian|J|Jac|Jacobian)(?:_\w+)?")
_HELPER = re.compile(r"deriv|prime|grad|^d_?[a-z]")
#: Of a function that returns one derivative, so many parameters are looked at.
MOST_PARAMETERS = 5
#: Among the options: only a report under which all is right is of use.
_RIGHT = "right"
#: What a branch of a function leaves out, of its value, is on purpose.
LEFT_OUT = 2e-3
#: More passes than this are named and not called.
MOST_PASSES = 40


def called(code: Code, plan: Plan) -> tuple[Trace, Call]:
    """The run of a forward pass, and of its backward pass as far as that came.

    Raises:
        SymgradError: they cannot be called.
    """
    trace = code.run(code.source, plan)
    if trace.call is not None and trace.call.loss:
        return trace, trace.call
    if trace.error is not None:
        raise trace.error.exception(code.source)
    raise SymgradError("forward could not be called")


def check_pass(code: Code, plan: Plan, options: Mapping[str, Any]) -> Report:
    """One forward and its backward.

    Raises:
        SymgradError: they cannot be called.
    """
    return _pass(*with_its_cost(code, plan), options)[0]


def _pass(code: Code, plan: Plan, options: Mapping[str, Any]) -> tuple[Report, Call]:
    """The same, with what was called."""
    trace, call = called(code, plan)
    settled = replace(plan, known=_known(call.inputs))

    def run(text: str) -> Trace:
        return code.run(text, settled)

    if trace.error is not None and trace.error.kind == "exception" and not _after(trace):
        raise trace.error.exception(code.source)
    work = Work(code.source, code.name, run, _chosen, code.original, what="backward pass")
    found = [missing_finding(name, span) for name, span in call.missing]
    strict, witnesses = bool(options.get("strict")), bool(options.get("witnesses"))
    verify = bool(options.get("verify", True))
    report: Report | None = None
    if not options.get(_RIGHT) or not account(work, trace, brief=True).diagnosis.blames:
        report = check_work(work, trace, strict=strict, witnesses=witnesses, found=found, verify=verify)
    is_wrong = report is None or report.exit_code == 1
    if is_wrong and (matrix := _jacobian(trace, call)):
        message = f"{call.backward} returns an array of shape {matrix}: a Jacobian, and only gradients are judged"
        raise SymgradError(message, hint="check one output at a time, as a function and its gradient")
    helper = is_wrong and call.backward and not plan.of_output and _HELPER.search(call.backward)
    if helper and not plan.of_input and len(call.inputs) == 1:
        # A helper may be a function of the output: a*(1 - a) for the sigmoid.
        again = _attempt(code, replace(settled, of_output=True), {**options, _RIGHT: True})
        if again is not None and again.ok:
            message = f"{call.backward} takes the output of {call.forward}, not its input"
            return replace(again, findings=(*again.findings, Finding("note", message))), call
    if is_wrong and not plan.shapes and not plan.values:
        for given in _one_hot(call.inputs):
            # Labels that are multiplied with logarithms of probabilities: one row for each sample.
            again = _attempt(code, replace(settled, values=given, lenient=True), options)
            if again is None:
                continue
            roots = [f for f in again.findings if f.root]
            if again.confirmed if not roots else all(f.fix_verified for f in roots):
                return again, call
        if other := _as_gradients(trace, call):
            # A layer for rows, which was given one without its first axis.
            again = _if_right(code, replace(settled, shapes=other, lenient=True), options)
            if again is not None:
                return again, call
        for given in _columns(call.inputs):
            # (np.identity(n) - s.T)*s is for a column s.
            again = _if_right(code, replace(settled, shapes=given, lenient=True), options)
            if again is not None:
                return again, call
        alone = _one_entry(code, trace, call) if plan.upstream is None else None
        if alone is not None:
            again = _if_right(code, replace(settled, upstream=alone), options)
            if again is not None:
                message = f"{call.backward} is right where one entry only of the gradient that flows in is not 0"
                return replace(again, findings=(*again.findings, Finding("note", message))), call
    if is_wrong and not plan.values and plan.upstream is None:
        # What is explained as it is gives way only to what is right.
        tried = _if_right if report is None or _is_explained(report) else _attempt
        meanings = [p for p in _other_meanings(plan, settled) if not (p.of_inputs and _says_of_what(call))]
        others = [again for p in meanings if (again := tried(code, p, options)) is not None]
        for again in others:
            if again.ok and again.confirmed:
                return again, call
        if report is not None:
            report = next((r for r in others if _is_explained(r) > _is_explained(report)), report)
    if report is None:
        raise SymgradError("it is not right so, and that is all that was asked")
    if not plan.shapes and not plan.values:
        labelled = any(g.whole for g in call.inputs)
        found_out = tuple(_if_it_was_called_so(f, labelled=labelled) for f in report.findings)
        plain = report.verdict == "disagree" and not any(f.root for f in found_out)
        report = replace(report, findings=found_out, verdict="agree" if plain else report.verdict)
    names = f"{call.forward} and {call.backward}" if call.backward else call.forward
    said = Finding("note", f"{names}: called with {', '.join(map(str, call.inputs))}")
    notes = [Finding("note", message, span if span.file else None) for message, span in call.notes]
    return replace(report, findings=(*report.findings, *notes, said)), call


def _jacobian(trace: Trace, call: Call) -> str:
    """The shape of what a function that is called a Jacobian returns, where that is no gradient of anything given."""
    if not _JACOBIAN.fullmatch(call.backward.rpartition(".")[2]):
        return ""
    steps = trace.graph.steps
    of = call.gradients
    found = [(steps[b.step].shape, steps[of[b.name]].shape) for b in trace.bindings if b.name in of]
    if not found or any(mine == of or not mine for mine, of in found):
        return ""
    return "x".join(map(str, found[-1][0]))


def _attempt(code: Code, plan: Plan, options: Mapping[str, Any]) -> Report | None:
    """:func:`check_pass`; ``None`` where the functions cannot be called so."""
    try:
        return check_pass(code, plan, options)
    except SymgradError:
        return None


def _if_right(code: Code, plan: Plan, options: Mapping[str, Any]) -> Report | None:
    """:func:`check_pass`, where all is right so; else mistakes are not looked for, which takes long."""
    again = _attempt(code, plan, {**options, _RIGHT: True})
    return again if again is not None and again.ok and again.confirmed else None


def _one_hot(inputs: Sequence[Given]) -> Iterator[dict[str, Any]]:
    """For labels that were whole numbers, labels as rows with a single 1, of the shape of another input."""
    rows = next((g.shape for g in inputs if not g.whole and g.shape is not None and len(g.shape) == 2), None)
    for g in inputs:
        if g.whole and rows is not None and g.shape is not None and len(g.shape) == 1:
            yield {g.name: [[float((3 * i + 1) % rows[1] == j) for j in range(rows[1])] for i in range(rows[0])]}


def _columns(inputs: Sequence[Given]) -> Iterator[dict[str, tuple[int, ...]]]:
    """For an input that was one row of numbers, a column; and for all that were."""
    found: dict[str, tuple[int, ...]] = {}
    found |= {g.name: (*g.shape, 1) for g in inputs if not g.whole and g.shape is not None and len(g.shape) == 1}
    for name, shape in found.items():
        yield {name: shape}
    if len(found) > 1:
        yield found


def _known(inputs: Sequence[Given]) -> dict[str, tuple[int, ...]]:
    """The shapes of arrays of numbers that fitted: where the same functions are called once more, a little differently,
    to look for others takes longer than all the rest."""
    parts = {f"{g.name}.{key}": shape for g in inputs for key, shape in g.parts.items()}
    return {g.name: g.shape for g in inputs if g.shape is not None and not g.whole} | parts


def _one_entry(code: Code, trace: Trace, call: Call) -> Any:
    """An upstream gradient of one entry, for a pass that passes over zeros in a loop and returns within it; ``None``
    for any other."""
    if not returns_at_the_first(code.source, call.backward):
        return None
    named = {b.name: trace.graph.steps[b.step].shape for b in trace.bindings}
    shape = next((named[n] for n in parameters_of(code.source, call.backward) if is_upstream(n) and n in named), ())
    if len(shape) != 1 or shape[0] < 2:
        return None
    return [[0.0, -1.0, *([0.0] * (shape[0] - 2))]]  # whole numbers stay as they are at nearby points


def _other_meanings(plan: Plan, settled: Plan) -> Iterator[Plan]:
    """The same functions, meant in another way: a loss for each sample, of which the mean is meant; predictions under
    the name of a gradient, which other labels may fit."""
    if plan.mean or plan.of_inputs:
        return
    for mean, of_inputs in ((True, False), (False, True), (True, True)):
        yield replace(plan if of_inputs else settled, mean=mean, of_inputs=of_inputs)


def _says_of_what(call: Call) -> bool:
    """The name says by which of the inputs: ``dkernel_dx1``."""
    return bool(input_of(call.backward, {g.name for g in call.inputs}))


def _is_explained(report: Report) -> bool:
    """With the fixes that are offered everything is right, and none of them is all that was to be worked out: that
    explains nothing."""
    roots = [f for f in report.findings if f.root]
    return bool(roots) and all(f.fix_verified and f.mistake != "wrong-formula" for f in roots)


def _as_gradients(trace: Trace, call: Call) -> dict[str, tuple[int, ...]]:
    """The shapes of the gradients of inputs that differ from those of the inputs by axes of length one only."""
    bound = {b.name: b.step for b in trace.bindings}
    names = {leaf.step: leaf.name for leaf in trace.leaves}
    out = {}
    for name, leaf in call.gradients.items():
        have, held = (trace.graph.steps[i].shape for i in (bound.get(name, leaf), leaf))
        if have != held and [n for n in have if n != 1] == [n for n in held if n != 1]:
            out[names.get(leaf, "")] = have
    known = {g.name for g in call.inputs}
    return {n: shape for n, shape in out.items() if n in known}


def _is_slip(report: Report) -> bool:
    """One small change makes all right, and no term is added: an approximation is not so near to the exact matrix."""
    roots = [f for f in report.findings if f.root]
    return bool(roots) and all(f.fix_verified and f.mistake not in ("missing-term", "wrong-formula") for f in roots)


def _if_it_was_called_so(finding: Finding, *, labelled: bool) -> Finding:
    """What no change puts right, where the inputs were guessed, may be right for others: one-hot labels, or two classes
    where there were more."""
    if not finding.root or finding.fix or not (labelled or finding.code in ("wrong-value", "unknown")):
        return finding
    message = f"{finding.message}, for the inputs that were tried"
    hint = "say what it takes: --shape NAME=4x3, --value NAME=VALUE"
    return Finding("unchecked", message, finding.span, hint=hint)


def _after(trace: Trace) -> bool:
    """Something was computed after forward had ended."""
    assert trace.call is not None
    loss = next(b for b in reversed(trace.bindings) if b.name == trace.call.loss)
    return any(b.order > loss.order and b.step > loss.step for b in trace.bindings)


def _chosen(trace: Trace, _like: Any) -> Any:
    call = trace.call
    if call is None or not call.loss:
        raise SymgradError("forward could not be called")
    return call_subject(trace, call.loss, call.gradients)


def check_passes(code: Code, plan: Plan, trace: Trace, options: Mapping[str, Any]) -> tuple[Report, set[str]]:
    """Every pass that the file holds; one that cannot be called is said, and the others are checked.

    Returns:
        The report, and the names of the parameters that were given something.
    """
    reports: list[tuple[str, Report]] = []
    errors: list[tuple[str, SymgradError]] = []
    parameters: set[str] = set()
    backwards = {backward for _, backward in trace.passes if backward}
    # A second derivative comes after the first one.
    for forward, backward in sorted(trace.passes[:MOST_PASSES], key=lambda pair: pair[0] in backwards):
        try:
            mine = replace(fitting(plan, forward, backward), made=made_with(trace, forward))
            whole_text, joint = with_its_cost(code, mine)
            at = at_its_calls(mine, code.source, trace) if joint is mine else [joint]
            found = _at_points(whole_text, at, options)
            report, call = next((f for f in found if not f[0].ok), found[0])
            left = lines_not_reached(whole_text.source, joint, [r for r, _ in found]) if report.ok else []
            said = (_not_reached(line, joint.backward, report) for line in left)
            report = replace(report, findings=(*report.findings, *said))
            if not report.ok and any(name == forward and not first.ok for name, first in reports):
                raise SymgradError(f"it is held against {forward}, which is wrong itself")
            if not report.ok and is_hessian(backward) and not _is_slip(report):
                raise SymgradError(f"it is not the Jacobian of {forward}; an approximation may be meant (Gauss-Newton)")
        except SymgradError as error:
            errors.append((backward or forward, error))
        else:
            reports.append((backward or forward, report))
            parameters.update(g.name for g in call.inputs)
    if not reports:
        raise errors[0][1]
    findings = [f for _, report in reports for f in report.findings if f.root]
    findings += [f for _, report in reports for f in report.findings if not f.root]
    findings += [_unchecked(name, error) for name, error in errors]
    findings += [Finding("note", f"not called: {b or f}") for f, b in trace.passes[MOST_PASSES:]]
    right = [f"{name}: {', '.join(r.confirmed)}" for name, r in reports if r.confirmed]
    if len(reports) == 1:
        right = list(reports[0][1].confirmed)
    worst: Callable[[Report], int] = lambda r: {"disagree": 2, "undefined": 1}.get(r.verdict, 0)  # noqa: E731
    base = max((r for _, r in reports), key=worst)
    gradients = tuple(g for _, r in reports for g in r.gradients)
    merged = tuple(dict.fromkeys(findings))
    # One pass is drawn: that with a mistake, where there is one.
    drawing = base.drawing.changed(lambda p: renumbered(p, base.findings, merged))
    whole = replace(
        base, findings=merged, confirmed=tuple(right), gradients=gradients, target=code.name, drawing=drawing,
        judged=tuple(j for _, r in reports for j in r.judged),
    )  # fmt: skip
    return whole, parameters


def _at_points(code: Code, plans: Sequence[Plan], options: Mapping[str, Any]) -> list[tuple[Report, Call]]:
    """One pair at several points; one at which nothing can be judged is left out: a descent that runs away ends there.

    Raises:
        SymgradError: nothing can be judged at any of them.
    """
    found, failed = [], None
    for plan in plans:
        try:
            found.append(_of_pair(code, plan, options))
        except SymgradError as error:
            failed = failed or error
    if not found and failed is not None:
        raise failed
    if all(report.ok for report, _ in found):
        found += _elsewhere(code, plans[0], found[0][1], options)
    return found


def _elsewhere(code: Code, plan: Plan, call: Call, options: Mapping[str, Any]) -> Iterator[tuple[Report, Call]]:
    """The same pair at points where its functions go other ways; to the first at which it is wrong."""
    for other in points_elsewhere(code.source, plan, call):
        try:
            report, called = _of_pair(code, other, options)
        except SymgradError:
            continue  # a logarithm of what is negative here
        if _is_rounded_off(report):
            continue
        if report.ok or any(f.root for f in report.findings):
            yield report, called
        if not report.ok:
            return


def _is_rounded_off(report: Report) -> bool:
    """``if x > 10: return x`` of a logarithm of 1 + e**x: its derivative may go on as if nothing were left out."""
    roots = [f for f in report.findings if f.root]
    values = [(f.found_value, f.expected_value) for f in roots]
    return bool(roots) and all(
        a is not None and b is not None and abs(a - b) <= LEFT_OUT * max(abs(a), abs(b)) for a, b in values
    )


def _of_pair(code: Code, plan: Plan, options: Mapping[str, Any]) -> tuple[Report, Call]:
    """One forward and its backward; by whichever parameter it is, and of a force, whichever of an energy's gradient and
    its negative."""
    report, call = _pass(code, plan, options)
    if report.ok:
        return report, call
    # A derivative may be the one by another parameter than the first.
    unsaid = bool(plan.values) and not _says_of_what(call)
    for name in parameters_of(code.source, plan.forward)[1:MOST_PARAMETERS] if unsaid else ():
        again = _if_right(code, replace(plan, returns=(f"d{name}",)), options)
        if again is not None:
            return again, call
    if not is_guessed(plan.forward, plan.backward):
        return report, call
    again = _if_right(code, replace(plan, positive=True), options) if is_force(plan.backward) else None
    if again is not None:
        message = f"{plan.backward} is the gradient of {plan.forward}, and not its negative, which a force would be"
        return replace(again, findings=(*again.findings, Finding("note", message))), call
    roots = [f for f in report.findings if f.root]
    if len(roots) == 1 and roots[0].fix_verified and roots[0].mistake != "wrong-formula":
        return report, call
    # That these belong together is only what their names say.
    raise SymgradError(f"{plan.backward} is no derivative of {plan.forward}, which its name may not say either")


def _not_reached(line: int, backward: str, report: Report) -> Finding:
    file = next((j.span.file for j in report.judged), report.target)
    return Finding("unchecked", f"{backward} was not checked here: no point that was tried leads to this line",
                   Span(file, line, 1, line, 1))  # fmt: skip


def _unchecked(name: str, error: SymgradError) -> Finding:
    return Finding("unchecked", f"{name} was not checked: {error.message}", error.span, hint=error.hint)


def fitting(plan: Plan, forward: str, backward: str) -> Plan:
    return replace(plan, forward=forward, backward=backward, lenient=True)
