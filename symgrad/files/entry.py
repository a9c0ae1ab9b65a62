"""Files of Python code: a script or notebook that works out a derivative when it runs, or functions that are called."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from symgrad.diagnose.text.naming import claims, is_loss
from symgrad.effort import within
from symgrad.errors import SymgradError
from symgrad.files.asked import lines_of, only_made, parts_of, results_of
from symgrad.files.passes import check_pass, check_passes
from symgrad.files.programs import Code, opened
from symgrad.files.unrun import lines_never_run, with_unrun
from symgrad.frontends.notebook import read_notebook
from symgrad.frontends.plan import Plan
from symgrad.frontends.siblings import siblings
from symgrad.frontends.trace.data import Trace
from symgrad.manual import check_source
from symgrad.manual.reporting import with_what_lacked
from symgrad.report.model import Finding, Report
from symgrad.report.moving import moved

#: A class that is not inside another one.
_CLASS = re.compile(r"^class +(\w+)", re.M)


def check_file(
    path: str | os.PathLike[str],
    *,
    timeout: float = 20.0,
    forward: str = "",
    backward: str = "",
    shapes: Mapping[str, Sequence[int]] | None = None,
    values: Mapping[str, Any] | None = None,
    upstream: Any = None,
    returns: Sequence[str] | None = None,
    **options: Any,
) -> Report:
    """Run a script or a notebook in the sandbox and check the derivative that it works out by hand.

    A file that runs nothing is a file of functions: its forward and backward passes are found by their names
    (``affine_forward`` and ``affine_backward``, classes with both, functions that return a loss and its gradients) and
    called, at shapes that are found by trying. What is right at some of them only is not right.

    Args:
        path: of a ``.py`` or ``.ipynb`` file.
        timeout: seconds that the code may take.
        forward, backward: functions of the file to call, with a dot for methods.
        shapes: input -> its shape. ``values``: input -> its value.
        upstream: the gradient of the output; random if not given.
        returns: what backward returns, in order.
        options: as for :func:`symgrad.manual.check_source`.

    Raises:
        SymgradError: the file cannot be read, is no notebook, or cannot be used; see
            :func:`symgrad.manual.check_source`. The functions cannot be found or called.
    """
    plan = _plan(forward, backward, shapes, values, upstream, returns)
    wanted = plan != Plan()
    if os.fspath(path).endswith(".ipynb"):
        notebook = read_notebook(path)
        code = Code(notebook.source, "", notebook.file, os.fspath(path), timeout)
        try:
            report = _check(code, plan, wanted, options)
        except SymgradError as error:
            raise notebook.located(error) from None
        report = moved(report, notebook.place, notebook.texts)
        notes = [Finding("note", message, span) for message, span in notebook.notes()]
        return replace(report, findings=(*report.findings, *notes))
    return _check(opened(path, timeout)[1], plan, wanted, options)


def check_text(
    source: str,
    *,
    timeout: float = 20.0,
    forward: str = "",
    backward: str = "",
    shapes: Mapping[str, Sequence[int]] | None = None,
    values: Mapping[str, Any] | None = None,
    upstream: Any = None,
    returns: Sequence[str] | None = None,
    **options: Any,
) -> Report:
    """The same of a script's text, called ``<source>`` in messages; it has no files beside it to import.

    Raises:
        SymgradError: as for :func:`check_file`.
    """
    plan = _plan(forward, backward, shapes, values, upstream, returns)
    return _check(Code(source, source, "<source>", "", timeout), plan, plan != Plan(), options)


def _plan(
    forward: str, backward: str, shapes: Mapping[str, Sequence[int]] | None, values: Mapping[str, Any] | None,
    upstream: Any, returns: Sequence[str] | None,
) -> Plan:  # fmt: skip
    sizes = {n: tuple(s) for n, s in (shapes or {}).items()}
    return Plan(forward, backward, sizes, dict(values or {}), upstream, returns)


def _check(code: Code, plan: Plan, wanted: bool, options: Mapping[str, Any]) -> Report:
    if not code.source.strip():
        raise SymgradError(f"{code.name} is empty: there is nothing to check")
    if plan.forward or plan.backward:
        with within(code.timeout) as effort:
            report = check_pass(code, plan, options)
        return with_what_lacked(report, effort)
    given = {n: {"shape": list(s)} for n, s in plan.shapes.items()} | {n: {"value": v} for n, v in plan.values.items()}
    trace = replace(code, given=given).run(code.source)
    with within(code.timeout) as effort:
        report = _of_run(code, plan, wanted, trace, options)
    report = with_what_lacked(report, effort)
    asked = wanted or options.get("loss") or options.get("mapping")
    return report if asked else with_unrun(report, code.source, trace)


def _of_run(code: Code, plan: Plan, wanted: bool, trace: Trace, options: Mapping[str, Any]) -> Report:
    """What is said of a file that has been run: of what it works out itself, or of the functions that it only holds."""
    given = {n: {"shape": list(s)} for n, s in plan.shapes.items()} | {n: {"value": v} for n, v in plan.values.items()}
    if trace.passes and not options.get("loss") and not options.get("mapping"):
        return check_passes(code, plan, trace, options)[0]
    if wanted:
        code = replace(code, given=given)
    known = {**options, "timeout": code.timeout, "original": code.original}
    asked = options.get("loss") or options.get("mapping") or wanted
    try:
        report = check_source(code.source, code.name, run=code.run, trace=trace, **known)
    except SymgradError as error:
        found = _of_functions(code, plan, trace, options) if trace.offered and not asked else None
        if found is None:
            raise _kept_elsewhere(code, trace) or error from None
        return found
    if asked or not trace.offered:
        return report
    guessed = bool(report.assumed)
    if not guessed and report.verdict == "disagree":
        right = _right_alone(code, plan, trace, report, options)
        return right or _of_layers(code, plan, trace, report, options) or report
    if not guessed and any(claims(n) for n in report.confirmed):
        return _with_layers(code, plan, trace, report, options)
    found = _of_functions(code, plan, trace, options)
    if found is None:
        return report
    if guessed and report.verdict == "disagree":
        # What is held against a loss that nobody wrote is less than what is held against the one of the functions.
        judged = {j.span.line for j in found.judged if j.status != "unchecked"}
        blamed = {f.span.line for f in report.findings if f.root and f.span is not None}
        return found if blamed <= judged else report
    # What is right only as a step that moves something is less as well.
    alone = found.verdict == "disagree" if guessed else len(found.confirmed) > len(report.confirmed)
    if not guessed and any(f.mistake for f in report.findings):
        return beside(report, found)  # the gradient times 2, as a convention
    return found if alone or not report.confirmed else beside(report, found)


def _right_alone(code: Code, plan: Plan, trace: Trace, report: Report, options: Mapping[str, Any]) -> Report | None:
    """What is said of the functions by themselves, where all that is blamed stands in some that return what is right.

    ``return -score`` of a gradient that nothing takes, since it is only printed, is no result of the run: there the
    score itself is held against the derivative, whose negative it is. (What methods return is kept by their objects.)
    """
    blamed = {f.span.line for f in report.findings if f.root and f.span is not None}
    plain = (p[1] for p in trace.offered if "." not in p[1])
    names = {name for name in plain if not blamed.isdisjoint(lines_of(code.source, name))}
    if not blamed or not blamed <= {n for name in names for n in lines_of(code.source, name)}:
        return None
    found = _of_functions(code, plan, replace(trace, offered=tuple(p for p in trace.offered if p[1] in names)), options)
    if found is None or found.verdict != "agree" or any(f.code == "unchecked" for f in found.findings):
        return None
    right = {j.span.line for j in found.judged if j.status == "right"}
    if not all(not right.isdisjoint(lines_of(code.source, name)) for name in names):
        return None
    # What the run makes of these was misread: so the other functions are asked by themselves as well.
    others = tuple(p for p in trace.offered if p[1] not in names and "." not in p[1])
    rest = _of_functions(code, plan, replace(trace, offered=others), options)
    return found if rest is None else beside(found, rest)


def beside(report: Report, found: Report) -> Report:
    """The report of what a script runs, with what was found of its functions by themselves."""
    confirmed = tuple(dict.fromkeys((*report.confirmed, *found.confirmed)))
    verdict = found.verdict if found.verdict == "disagree" else report.verdict
    judged = {j.span.line for j in report.judged if j.status != "unchecked"}
    # What could not be called by itself is checked where the script calls it.
    others = [
        f for f in found.findings
        if f.code != "unchecked" or judged.isdisjoint(lines_of(report.manual_source, f.message.partition(" ")[0]))
    ]  # fmt: skip
    findings = (*(f for f in others if f.root), *report.findings, *(f for f in others if not f.root))
    told = {j.span.line for j in found.judged if j.status != "unchecked"}
    left = [u for u in report.unchecked if u.span.line not in told]
    judgements = [j for j in report.judged if j.status != "unchecked" or j.span.line not in told]
    here = {j.span.line for j in judgements}
    return replace(
        report, confirmed=confirmed, verdict=verdict, findings=tuple(dict.fromkeys(findings)), unchecked=tuple(left),
        judged=(*judgements, *(j for j in found.judged if j.span.line not in here)),
    )  # fmt: skip


def _of_functions(code: Code, plan: Plan, trace: Trace, options: Mapping[str, Any]) -> Report | None:
    """What a script runs tells nothing of its derivatives: ``x -= lr*df(x)`` without ``f`` ever being called. So the
    functions are called by themselves; ``None`` where that tells nothing either."""
    known = _as_called(plan, trace)
    if not trace.offered:
        return None
    try:
        report, parameters = check_passes(code, known, replace(trace, passes=trace.offered), options)
    except SymgradError:
        return None
    said = known.shapes.keys() | {parameter for _, call in trace.asked for parameter in call}
    if report.verdict == "disagree" and not parameters <= said:
        # Numbers may have been taken for arrays, and nobody is blamed on a guess.
        called = {name for name, _ in trace.asked}
        left = tuple(p for p in trace.offered if p[1] in called)
        return _of_functions(code, plan, replace(trace, offered=left), options) if left != trace.offered else None
    if report.verdict == "disagree" and any(map(_is_mixed, (v for _, call in trace.asked for v in call.values()))):
        return None  # the gradients by the parts of params = (w, b) may have been taken for those by others
    return report if report.confirmed or report.verdict == "disagree" else None


def _is_mixed(value: Any) -> bool:
    """A list of things of several shapes."""
    return isinstance(value, list) and (len({_form(v) for v in value}) > 1 or any(map(_is_mixed, value)))


def _form(value: Any) -> tuple[Any, ...]:
    return (len(value), *map(_form, value[:1])) if isinstance(value, list) else ()


def _with_layers(code: Code, plan: Plan, trace: Trace, report: Report, options: Mapping[str, Any]) -> Report:
    """The report, and with it the layers of which no line was judged: a demo only prints what comes of them. Of a
    function that is the derivative of another one, what it returns is to be judged: a step of training may be taken
    with any multiple of that."""
    judged = {j.span.line for j in report.judged}
    told = {j.span.line for j in report.judged if j.status != "unchecked"}
    apart = [p for p in trace.offered if p[1] and "." not in p[1]]
    if bare := tuple(p for p in apart if told.isdisjoint(results_of(code.source, p[1]))):
        found = _of_functions(code, plan, replace(trace, offered=bare), options)
        if found is not None and found.verdict == "disagree":
            return beside(report, found)
    left = tuple(p for p in trace.offered if "." in p[1] and judged.isdisjoint(lines_of(code.source, p[1])))
    if left:
        try:
            alone = check_passes(code, plan, replace(only_made(trace), passes=left), options)[0]
        except SymgradError:
            return report
        report = beside(report, alone)
    return _with_the_rest(code, plan, trace, report, options)


def _with_the_rest(code: Code, plan: Plan, trace: Trace, report: Report, options: Mapping[str, Any]) -> Report:
    """The report, and with it the backward passes of which some lines were judged and others were not: a demo without a
    bias never comes to ``grad_bias``, and one without a loss does not say what ``dx`` is to be."""
    status = {j.span.line: j.status for j in report.judged}
    unsaid = {line for line, said in status.items() if said == "unchecked"}
    for names in trace.offered if report.verdict != "disagree" else ():
        own = lines_of(code.source, names[1])
        idle = {line for line in lines_never_run(code.source, names[1], trace) if line not in status}
        seen = any(status.get(line, "unchecked") != "unchecked" for line in own)
        if not seen or not (idle or unsaid & set(own)):
            continue
        once = replace(only_made(trace) if idle else trace, passes=(names,))
        try:
            found = check_passes(code, plan if idle else _as_called(plan, trace), once, options)[0]
        except SymgradError:
            continue
        blamed = {f.span.line for f in found.findings if f.root and f.span is not None}
        # What the script's own run shows to be right is so: where the call by itself denies it, that was not meant.
        if not any(status.get(line, "unchecked") != "unchecked" for line in blamed):
            report = beside(report, found)
    return report


def _of_layers(code: Code, plan: Plan, trace: Trace, report: Report, options: Mapping[str, Any]) -> Report | None:
    """A demo hands any array to ``layer.backward``, its own output even, and no loss has that for its gradient. So
    where nothing is called a loss, and all that seems wrong stands in such functions, these are called by themselves.
    ``None`` where that is not so, or explains no more."""
    roots = [f for f in report.findings if f.root]
    lines = [lines_of(code.source, name) for names in trace.offered for name in names]
    if is_loss(report.result) or not all(f.span and any(f.span.line in r for r in lines) for f in roots):
        return None
    try:
        found = check_passes(code, _as_called(plan, trace), replace(trace, passes=trace.offered), options)[0]
    except SymgradError:
        return None
    judged = {j.span.line for j in found.judged if j.status != "unchecked"}
    for f in roots:
        if not any(f.span and f.span.line in own and judged & set(own) for own in lines):
            return None  # by itself it could not be called, and so says nothing
    # What flows in is told there, and here it was guessed from values.
    explains = all(f.fix_verified for f in found.findings if f.root) or not any(f.fix_verified for f in roots)
    return found if (found.confirmed and found.ok) or (found.verdict == "disagree" and explains) else None


def _as_called(plan: Plan, trace: Trace) -> Plan:
    """With the shapes that the script's own variables have, for the parameters that are called as these are."""
    whole = {leaf.step for leaf in trace.leaves if not leaf.dtype.startswith("float")}
    shapes: dict[str, tuple[int, ...]] = {}
    for b in trace.bindings:
        if not b.scope and b.name.isidentifier() and b.step not in whole:
            shapes.setdefault(b.name, trace.graph.steps[b.step].shape)
    for _, call in trace.asked:
        for name, shape in parts_of(call).items():
            shapes.setdefault(name, shape)
    return replace(plan, shapes={**shapes, **plan.shapes}, lenient=True)


def _kept_elsewhere(code: Code, trace: Trace) -> SymgradError | None:
    """What is to be said where numbers are kept by a class of another file, as by an imported autograd engine, and so
    none has a name of this one; ``None`` otherwise."""
    if trace.error is not None or len(trace.graph) or not code.path:
        return None
    beside = siblings(code.path, code.source)
    known = beside.found.get("", {})
    found = [(m[1], module) for module in known for m in _CLASS.finditer(beside.texts[known[module]])]
    used = [(name, module) for name, module in found if re.search(rf"\b{name}\(", code.source)]
    if not used:
        return None
    name, module = used[0]
    return SymgradError(
        f"no number in {code.name} has a name of its own: the class {name} keeps them, which is in {module}, and "
        "the names in imported files are not followed",
        hint=f"put the text of {module} in the place of its import, and check that",
    )
