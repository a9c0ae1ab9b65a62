"""Manual derivations: a script or formulas in, a Report out that names the wrong factors."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise
from typing import Any

from symgrad.arrays import Program
from symgrad.backward import backward
from symgrad.checking import Manual, check_expression, read_target
from symgrad.diagnose.engine import Diagnosis, diagnose, is_settled
from symgrad.diagnose.evidence import sign_of
from symgrad.diagnose.frames import Blame
from symgrad.diagnose.naming import LOSS_NAMES, SURELY_LOSS, claims, is_bare, normal
from symgrad.diagnose.source import FORMULA, SourceMap
from symgrad.diagnose.subject import Subject, Unit
from symgrad.epsilons import without_epsilons
from symgrad.errors import SymgradError, did_you_mean
from symgrad.formats import get_format
from symgrad.frontends import expression
from symgrad.frontends.trace.data import Trace
from symgrad.graph import CONST, Graph, GraphBuilder, Step
from symgrad.imported import in_imported
from symgrad.naming import display_names
from symgrad.objectives import objectives, trained
from symgrad.ops import OPS
from symgrad.picturing import held as as_held
from symgrad.picturing import judged, picture
from symgrad.points import Point, read_point
from symgrad.report.model import Finding, Forms, GradientReport, Judged, Report, Unchecked
from symgrad.report.picture import Picture
from symgrad.softmaxes import named_softmax
from symgrad.subjects import choose, further, names_result, still_open

#: Where a formula is diagnosed if no point is given: generic values, no two alike.
_DEFAULTS = (Fraction(7, 10), Fraction(13, 10), Fraction(9, 20), Fraction(17, 10), Fraction(3, 5), Fraction(11, 10))
#: In a run of more assignments than this, fixes count as verified if they make every result right.
MANY = 1000


# --- formulas -------------------------------------------------------------------------------------------------------


def check_formulas(
    target: Any, manual: Mapping[str, str] | str, at: Point | None = None, *, strict: bool = False, **options: Any
) -> Report:
    """Check derivatives that the user wrote as formulas.

    Args:
        target: the function, as for ``symgrad.check``.
        manual: variable -> formula of the derivative; a plain text where there is one variable.
        at: the point; without one the formulas are diagnosed at generic values.
        strict: conventions, such as a negative gradient, count as findings.
        options: as for ``symgrad.check``: wrt, dtype, device, simplify_seconds.

    Raises:
        SymgradError: as for ``symgrad.check``; a formula is of no variable, or uses one that the function has not.
    """
    graph = read_target(target)
    formulas = _formulas(graph, manual)
    fmt = get_format(options.get("dtype", "float64"))
    if at is not None:
        point = read_point(graph, at, fmt)
    else:
        positions = graph.variables.values()
        point = {i: _DEFAULTS[n % len(_DEFAULTS)] + n // len(_DEFAULTS) for n, i in enumerate(positions)}
    merged = {name: merged_formula(graph, name, text) for name, text in formulas.items()}
    witnesses = {name: Manual(m, m.output, point) for name, m in merged.items()}
    wrt = options.pop("wrt", None) or list(formulas)
    report = check_expression(target, at, wrt=wrt, manual=witnesses if at is not None else None, **options)
    findings: list[Finding] = []
    confirmed: list[str] = []
    marked: list[Judged] = []
    for name, m in merged.items():
        subject = _formula_subject(graph, m, name, point, formulas[name])
        diagnosis = diagnose(subject)
        found = [_finding(b, True) for b in diagnosis.blames]
        checked = {b.span: b for b in diagnosis.blames}
        findings += [
            replace(f, fix_verified=_formula_fixed(graph, name, point, formulas[name], checked.values())) for f in found
        ]
        found = [*_conventions(diagnosis, strict)]
        findings += found
        if not any(f.root for f in found) and not diagnosis.blames:
            confirmed.append(f"d/d{name}")
            findings += [Finding("note", note) for note in diagnosis.notes]
        status = "wrong" if diagnosis.blames or any(f.root for f in found) else "right"
        marked.append(Judged(f"d/d{name}", subject.units[0].span, status, (name,)))
    report = _with_findings(report, findings, "\n".join(formulas.values()), tuple(confirmed))
    report = replace(report, judged=tuple(marked))
    if report.picture is None:
        return report
    right: dict[str, tuple[int, ...]] = {n.removeprefix("d/d"): () for n in confirmed}
    return replace(report, picture=judged(report.picture, report.findings, right, {}, {}, {}))


def _conventions(diagnosis: Diagnosis, strict: bool) -> list[Finding]:
    """Deliberate differences: notes, or findings where the caller wants none of them."""
    code = "convention" if strict else "note"
    return [
        Finding(code, text, mistake="sign" if "negative" in text else "scale", root=strict)
        for text in diagnosis.conventions
    ]


def _formulas(graph: Graph, manual: Mapping[str, str] | str) -> dict[str, str]:
    variables = graph.variables
    if isinstance(manual, str):
        if len(variables) != 1:
            names = ", ".join(variables)
            raise SymgradError(f"say whose derivative the formula is: the variables are {names}", hint="x=FORMULA")
        return {next(iter(variables)): manual}
    for name in manual:
        if name not in variables:
            known = ", ".join(variables)
            raise SymgradError(
                f"'{name}' is no variable of the expression{did_you_mean(name, variables)}",
                hint=f"the variables are {known}",
            )
    return dict(manual)


def merged_formula(graph: Graph, name: str, text: str) -> Graph:
    """The function's graph, and after it the formula's steps; its output is the formula's value."""
    formula = expression.parse(text, file=FORMULA + name)
    builder = GraphBuilder(graph)
    place: list[int] = []
    named = {s.name: i for i, s in enumerate(graph.steps) if not s.is_hidden}
    for step in formula.steps:
        if step.is_input:
            if step.name not in named:
                raise SymgradError(
                    f"the formula uses '{step.name}', which is no variable of the expression"
                    f"{did_you_mean(step.name, named)}",
                    step.span,
                    source=text,
                )
            place.append(named[step.name])
        elif step.is_const:
            place.append(builder.const(step.value, step.span))
        else:
            place.append(builder.add(step.op, (place[j] for j in step.inputs), params=step.params, span=step.span))
    return Graph(tuple(builder.steps), place[formula.output], text)


def _formula_subject(graph: Graph, merged: Graph, name: str, point: Mapping[int, Fraction], text: str) -> Subject:
    variable = graph.variables[name]
    span = merged.steps[merged.output].span
    if span is None or merged.output < len(graph):
        formula = expression.parse(text, file=FORMULA + name)
        span = formula.steps[formula.output].span
    assert span is not None  # every parsed step has a place
    names = {i: s.name for i, s in enumerate(graph.steps) if not s.is_hidden}
    whole = Graph(merged.steps, graph.output, text)
    unit = Unit(f"d/d{name}", merged.output, span, span.line)
    return Subject(
        whole, point, names, tuple((n, i) for i, n in names.items()), (unit,), text,
        mapped={unit.name: (graph.output, variable)},
    )  # fmt: skip


def _formula_fixed(graph: Graph, name: str, point: Mapping[int, Fraction], text: str, blames: Any) -> bool:
    """The formula with all fixes put in, read and diagnosed again."""
    edits = [edit for b in blames for edit in b.edits]
    fixed = _patched(text, edits)
    if fixed is None:
        return False
    try:
        merged = merged_formula(graph, name, fixed)
    except SymgradError:
        return False
    return not diagnose(_formula_subject(graph, merged, name, point, fixed)).blames


# --- scripts --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Work:
    """A person's work: a text that can be run, and run again with repairs in it.

    Attributes:
        source: the text; ``filename``: its name in messages.
        run: a text -> what happens when it runs in place of ``source``.
        choose: a run -> what of it is the forward pass, and what the derivation.
        original: the text with the line ends of the file, where they are not all ``\\n``.
        what: what it is.
        guesses: the loss may be one that the script does not compute.
    """

    source: str
    filename: str
    run: Callable[[str], Trace]
    choose: Callable[[Trace], Subject]
    original: str = ""
    what: str = "script"
    guesses: bool = False


def check_source(
    source: str,
    filename: str = "script.py",
    *,
    loss: str | None = None,
    mapping: Mapping[str, str] | None = None,
    sandbox: bool = True,
    timeout: float = 20.0,
    strict: bool = False,
    witnesses: bool = False,
    original: str = "",
    run: Callable[[str], Trace] | None = None,
    trace: Trace | None = None,
    verify: bool = True,
) -> Report:
    """Check the derivative that a Python script works out by hand.

    Args:
        source: the script's text.
        filename: the name to use in messages.
        loss: name of the variable that is differentiated; found out if not given.
        mapping: name -> the step whose cotangent it holds, where names and values do not tell.
        sandbox: run the code in a locked-down child process. ``False`` runs it in this process: for trusted code only.
        timeout: seconds that the child may take.
        strict: conventions (a negative gradient, a deferred factor) count as findings.
        witnesses: also hold every gradient against the proven value, autograd and symgrad's own pass (imports torch).
        original: the text as it is in its file, where that has other line ends.
        run: what runs a text in place of the sandbox; ``trace``: the run of ``source``, where it has been run.
        verify: run the script again with the fixes made; without it none counts as verified.

    Raises:
        SymgradError: the script cannot be used: it does not parse, is refused by the sandbox, or holds no function, or
            no derivative of one.
    """

    def ours(text: str) -> Trace:
        return _run(text, filename, sandbox=sandbox, timeout=timeout)

    work = Work(source, filename, run or ours, lambda t: choose(t, loss, mapping or {}), original, guesses=not loss)
    trace = work.run(source) if trace is None else trace
    _refuse_unknown(trace, mapping or {})
    return check_work(work, trace, strict=strict, witnesses=witnesses, verify=verify)


def check_work(
    work: Work, trace: Trace, *, strict: bool = False, witnesses: bool = False, found: Sequence[Finding] = (),
    verify: bool = True,
) -> Report:  # fmt: skip
    """Diagnose a run of somebody's work.

    Args:
        work: what ran.
        trace: of ``work.source``.
        strict, witnesses, verify: as for :func:`check_source`.
        found: mistakes that are known already.

    Raises:
        SymgradError: as for :func:`check_source`.
    """
    source = work.source
    if trace.error is not None and (trace.error.fatal or not trace.bindings):
        raise trace.error.exception(source)
    subject, diagnosis = _diagnosed(work, trace)
    findings = [_finding(b, True) for b in diagnosis.blames]
    # Training without a loss: it is a guess what is differentiated, and nobody is blamed on a guess alone.
    guessed = subject.made_up and work.what == "script" and bool(diagnosis.blames) and bool(trained(trace))
    verified = _script_fixed(work, trace, diagnosis) if verify or guessed else set()
    if guessed and len(verified) < len(findings):
        units = {(u.name, u.line): u for u in subject.units}
        left = [units[at] for b in diagnosis.blames if (at := (b.step, b.span.line)) in units]
        diagnosis = replace(diagnosis, blames=(), unchecked=(*diagnosis.unchecked, *left))
        findings, verified = [], set()
    findings = [replace(f, fix_verified=n in verified) for n, f in enumerate(findings)]
    findings += [*found, *_conventions(diagnosis, strict)]
    findings += [Finding("note", note) for note in (*diagnosis.notes, *(n.message for n in trace.notes))]
    if trace.error is not None:
        e = trace.error
        findings.append(
            Finding(
                "stopped",
                f"the {work.what} stopped here: {e.message}; what ran before it was checked",
                e.span,
                hint=e.hint,
            )
        )
    if not diagnosis.understood and not diagnosis.conventions and not found:
        findings.append(_nothing_found(trace, subject, diagnosis))
    report = _script_report(source, work.filename, subject, diagnosis, findings, witnesses=witnesses)
    return replace(report, original=work.original)


def _diagnosed(work: Work, trace: Trace, *, brief: bool = False) -> tuple[Subject, Diagnosis]:
    """What is differentiated, and what of a run is right and wrong; what the main result leaves open is held against
    the other results: a Jacobian has several, and a second derivative is the first one's."""
    try:
        subject = work.choose(trace)
        if trace.error is not None:
            subject = replace(subject, stopped=True, frames=tuple(f.line for f in trace.error.frames))
    except SymgradError:
        if trace.error is not None:
            # Nothing is a function of anything since the script stopped first: that is what there is to say.
            raise trace.error.exception(work.source) from None
        raise
    found = diagnose(subject, brief=brief)
    named = normal(subject.names.get(subject.loss, "")) in SURELY_LOSS or trace.backward_calls
    if work.guesses and not found.right and not named and trace.error is None:
        subject, found = _of_an_objective(trace, subject, found)
    if (found.blames or found.unchecked) and (plain := without_epsilons(trace)) is not None:
        other = replace(work.choose(plain[0]), stopped=trace.error is not None)
        again = diagnose(other, brief=brief)
        if len(again.right) >= len(found.right) and _told(again) > _told(found):
            subject, found = other, replace(again, notes=(*again.notes, plain[1]))
    subject = found.subject or subject
    found = in_imported(trace, named_softmax(subject, found))
    others = further(trace, subject, found.unchecked, found.right) if found.unchecked else []
    for other in others:
        left = {u.step: u for u in found.unchecked}
        if not left:
            break
        explicit = {u.name for u in left.values() if names_result(u.name, other)}
        more = diagnose(other)
        right = [left[u.step] for u in more.right if u.step in left and u.step > other.loss]
        blames = [b for b in more.blames if b.step in explicit]
        told = {other.loss} if right or blames else set()
        done = told | {u.step for u in right} | {u.step for u in left.values() if u.name in {b.step for b in blames}}
        found = replace(
            found,
            blames=tuple(sorted((*found.blames, *blames), key=lambda b: (b.span.line, b.span.column))),
            right=(*(u for u in found.right if u.step not in told), *right),
            unchecked=tuple(u for u in found.unchecked if u.step not in done),
        )
    return subject, found if not others else replace(found, unchecked=still_open(subject, found.unchecked, found.right))


def _of_an_objective(trace: Trace, subject: Subject, found: Diagnosis) -> tuple[Subject, Diagnosis]:
    """The diagnosis against what the script may be making smaller without computing it, where that explains more."""
    best = (subject, found)
    nothing = not found.understood or _is_made_for(trace, subject)
    if not nothing:
        return subject, found

    def rank(d: Diagnosis) -> tuple[int, int]:
        return len(d.right) - len(d.blames), -len(d.blames)

    for objective in objectives(trace):
        other = choose(objective.trace, objective.name, {})
        again = diagnose(other, brief=True)
        if again.right and (best[1] is found or rank(again) > rank(best[1])):
            note = f"no loss is computed: the derivatives are held against that of {objective.text}"
            other = replace(other, made_up=True)
            best = (other, replace(diagnose(other), notes=(*again.notes, note)))
    if best[1] is found and found.blames:
        return subject, replace(found, blames=(), right=(), inherited=(), unchecked=(), conventions=())
    return best


def _is_made_for(trace: Trace, subject: Subject) -> bool:
    """What was taken for the loss stands there for want of one: a parameter after its update, or a mere difference
    of what a training script compares."""
    names = trained(trace)
    step = subject.graph.steps[subject.loss]
    while not step.is_leaf and OPS[step.op].renames:
        step = subject.graph.steps[step.inputs[0]]
    return bool(names) and (subject.made_up or subject.names.get(subject.loss) in names or sign_of(step.op) == "-")


def _told(found: Diagnosis) -> tuple[int, int]:
    """How much of a derivation is understood, and right."""
    return found.understood - len(found.unchecked), -len(found.blames)


def _nothing_found(trace: Trace, subject: Subject, diagnosis: Diagnosis) -> Finding:
    """What is said of a script in which no derivative is recognised: silence would be taken for praise.

    Raises:
        SymgradError: unless the script leaves its derivatives to autograd, and so has none of its own.
    """
    if (trace.grad_reads or trace.backward_calls) and trace.error is None:
        message = "no line was recognised as a derivative by hand: the derivatives here are autograd's own"
        return Finding("note", message)
    source = subject.source
    if trace.error is not None:
        e = trace.error
        message = f"the script stopped here: {e.message}; no line before it was recognised as a derivative"
        raise SymgradError(message, e.span, source=source, hint=e.hint)
    if diagnosis.notes:
        raise _not_finite(subject) or SymgradError(diagnosis.notes[0])
    result = subject.names.get(subject.loss, "f")
    inputs = [subject.names[i] for i in subject.leaves() if i in subject.names] or ["x"]
    tried = ", ".join(dict.fromkeys(f"d{result}/d{name}" for name in inputs[:4]))
    last = max((b for b in trace.bindings if b.name == result), key=lambda b: b.order, default=None)
    moved = result in inputs and last is not None and not trace.graph.steps[last.step].is_input
    if moved or (subject.made_up and trained(trace)):
        # w = w - lr*dw: what would be differentiated is a parameter that is being trained.
        raise SymgradError(
            "the script trains its parameters, and never computes what its derivatives are derivatives of",
            hint="add the line that computes the loss, such as loss = ((y_pred - y)**2).mean()",
        )
    raise SymgradError(
        f"no line was recognised as a derivative of anything; looked for {tried}",
        hint=f"name them d{inputs[0]}, d{result}_d{inputs[0]}, grad_{inputs[0]} or {inputs[0]}_grad, or say "
        f"--map NAME={inputs[0]}; --loss NAME says what is differentiated",
    )


def _not_finite(subject: Subject) -> SymgradError | None:
    """Where the forward pass becomes infinite or no number at all, at the user's point."""
    import numpy as np

    from symgrad.arrays import evaluate

    graph = subject.graph
    needed = [i for i, used in enumerate(graph.ancestors(subject.loss)) if used]
    try:
        values = dict(zip(needed, evaluate(graph, _everywhere(subject), needed), strict=True))
    except SymgradError:
        return None
    for i in needed:
        entries = np.asarray(values[i], dtype=np.float64).ravel()
        wrong = entries[~np.isfinite(entries)]
        if not len(wrong) or graph.steps[i].is_leaf:
            continue
        name = subject.names.get(i, "this")
        found = "nan" if np.isnan(wrong).any() else "infinite"
        count = f" in {len(wrong)} of {entries.size} entries" if entries.size > 1 else ""
        message = f"{name} is {found}{count}: the forward pass has no finite value, so nothing was judged"
        return SymgradError(message, graph.steps[i].span, source=subject.source)
    return None


def _refuse_unknown(trace: Trace, mapping: Mapping[str, str]) -> None:
    names = list(dict.fromkeys(b.name for b in trace.bindings))
    for name in mapping:
        if names and name not in names:
            raise SymgradError(f"--map: the script has no variable '{name}'{did_you_mean(name, names)}")


def _run(source: str, filename: str, *, sandbox: bool, timeout: float) -> Trace:
    if sandbox:
        from symgrad.frontends.sandbox import run_source

        return run_source(source, filename, timeout=timeout)
    from symgrad.frontends.tracing import trace_source

    return trace_source(source, filename)


def _script_fixed(work: Work, before: Trace, diagnosis: Diagnosis) -> set[int]:
    """Which findings are gone once all fixes are put into the text and the whole script is run and diagnosed again."""
    blames = diagnosis.blames
    fixed = _patched(work.source, [edit for b in blames for edit in b.edits]) if blames else None
    if fixed is None:
        return set()
    try:
        trace = work.run(fixed)
        if _stops_earlier(trace, fixed, before, work.source):
            return set()
        if len(before.bindings) > MANY and is_settled(work.choose(trace)):
            return {n for n, b in enumerate(blames) if b.edits}
        _, again = _diagnosed(work, trace, brief=True)
    except SymgradError:
        return set()
    still = {b.span.line for b in again.blames}
    return {n for n, b in enumerate(blames) if b.edits and b.span.line not in still and not still}


def _stops_earlier(after: Trace, fixed: str, before: Trace, source: str) -> bool:
    """With the fixes in it the script ends where it did not end without them.

    What stopped before may stop again: that is another trouble than a wrong derivative, and what ran is checked. Lines
    are counted from the end, since a fix may join some.
    """
    if after.error is None:
        return False
    if before.error is None or after.error.span is None or before.error.span is None:
        return True
    return fixed.count("\n") - after.error.span.line > source.count("\n") - before.error.span.line


def _patched(source: str, edits: Sequence[tuple[Any, str]]) -> str | None:
    """The text with all edits made, last first; ``None`` if there are none or two overlap."""
    if not edits:
        return None
    ordered = sorted(edits, key=lambda e: (e[0].line, e[0].column), reverse=True)
    for later, earlier in pairwise(ordered):
        if (earlier[0].end_line, earlier[0].end_column) > (later[0].line, later[0].column):
            return None
    for span, text in ordered:
        source = SourceMap(source).replaced(span, text)
    return source


def _script_report(
    source: str, filename: str, subject: Subject, diagnosis: Diagnosis, findings: Sequence[Finding], *,
    witnesses: bool,
) -> Report:  # fmt: skip
    """The report of a script: its findings, and for each gradient of an input the user's value beside the others."""
    graph = subject.graph
    held = _final_gradients(subject)
    forward = Graph(graph.steps, graph.output, source)
    names = [graph.steps[i].name for i in held]
    if witnesses and held:
        at = {graph.steps[i].name: subject.point[i] for i in subject.leaves()}
        manual = {graph.steps[i].name: Manual(graph, unit.step, subject.point) for i, unit in held.items()}
        report = check_expression(forward, at, wrt=names, simplify_seconds=0, manual=manual)
        report = replace(report, target=filename, source=source, is_code=True)
    else:
        result = subject.names.get(graph.output, "f")
        gradients = tuple(GradientReport(n, f"d{result}/d{n}", "", Forms()) for n in names)
        report = Report(
            target=filename, source=source, result=result, at={}, dtype="float64", device="cpu", order=1, value="",
            verdict="agree", gradients=gradients, steps=(), backward=(), findings=(), graph=forward, rows=(),
            is_code=True,
        )  # fmt: skip
    report = replace(report, picture=_script_picture(subject, diagnosis, held, findings))
    wrong = {u.name for u in diagnosis.inherited} | {b.step for b in diagnosis.blames}
    # A name of the forward pass is no derivative that was worked out, unless it says that it is one (dw in epochs).
    forward_names = {name for name, _ in subject.aliases}
    plain = {normal(name) for name in forward_names}
    moving = {u.name for u in subject.units if u.step in {m.source for m in subject.moves}}
    wrong |= {
        name
        for name in forward_names - moving
        if not is_bare(name) and not any(c.bottom in plain for c in claims(name))
    }
    wrong |= {u.name for u in diagnosis.unchecked}
    confirmed = tuple(dict.fromkeys(u.name for u in diagnosis.right if u.name not in wrong))
    unchecked = tuple(Unchecked(u.name, u.span) for u in diagnosis.unchecked)
    report = _with_findings(report, findings, source, confirmed)
    return replace(report, unchecked=unchecked, judged=_judged(subject, diagnosis, held))


def _judged(subject: Subject, diagnosis: Diagnosis, held: Mapping[int, Unit]) -> tuple[Judged, ...]:
    """Every manual step with what became of it, and the gradients that it goes into."""
    blamed = {(b.step, b.span.line) for b in diagnosis.blames} | {(b.step, -1) for b in diagnosis.blames}
    status: dict[Unit, str] = dict.fromkeys(diagnosis.unchecked, "unchecked")
    status |= dict.fromkeys(diagnosis.inherited, "carried") | dict.fromkeys(diagnosis.right, "right")
    wrong = {u.name for u in subject.units if (u.name, u.line) in blamed}
    for unit in subject.units:
        # A mistake in a helper's line stands there, and the step that it spoils where the helper was called.
        if (unit.name, unit.line) in blamed or ((unit.name, -1) in blamed and unit.name not in wrong):
            status[unit] = "wrong"
    graph = subject.graph
    ends = {i: graph.ancestors(unit.step) for i, unit in held.items()}
    ends |= {i: graph.ancestors(u.step) for u in subject.units if (i := subject.mapped.get(u.name, (0, -1))[1]) >= 0}
    called = {i: subject.names.get(i, graph.steps[i].name) for i in ends}
    keys = _value_keys(subject, [u.step for u in status])
    return tuple(
        Judged(
            u.name, u.span, status[u], tuple(called[i] for i, needed in ends.items() if needed[u.step]),
            keys.get(u.step, ""), graph.steps[u.step].is_leaf,
        )
        for u in sorted(status, key=lambda u: (u.step, u.line))
    )  # fmt: skip


def _value_keys(subject: Subject, steps: Sequence[int]) -> dict[int, str]:
    """For each step a text that is the same for the same value at the user's point."""
    import hashlib

    import numpy as np

    from symgrad.arrays import evaluate

    try:
        values = evaluate(subject.graph, _everywhere(subject), steps)
    except SymgradError:
        return {}
    out = {}
    for i, value in zip(steps, values, strict=True):
        array = np.asarray(value, dtype=np.float64)
        # Ten digits: what is computed in another order is the same value still.
        digits = ",".join(f"{x:.10g}" for x in array.ravel()[:1000])
        out[i] = f"{array.shape} {hashlib.sha256(digits.encode()).hexdigest()[:16]}"
    return out


def _everywhere(subject: Subject) -> dict[int, Any]:
    """The user's point as numbers."""
    return {i: float(v) if isinstance(v, Fraction) else v for i, v in subject.point.items()}


def _script_picture(
    subject: Subject, diagnosis: Diagnosis, held: Mapping[int, Unit], findings: Sequence[Finding]
) -> Picture | None:
    """The forward pass of a script as it is drawn, with what was found out about the derivation beside it."""
    graph = subject.graph
    wrt = list(held) or [i for i in subject.leaves() if i not in subject.frozen]
    if not wrt:
        return None
    needed = graph.ancestors(graph.output)
    shown = [n if needed[i] else "" for i, n in enumerate(display_names(_only(graph, needed)))]
    taught, accurate = backward(graph, wrt, "taught"), backward(graph, wrt, "accurate")
    targets = sorted({*range(len(graph)), *accurate.cotangents.values()} | {
        i for e in accurate.edges for i in (e.local, e.contribution) if i >= 0
    })  # fmt: skip
    try:
        numbers = Program(accurate.graph, targets)(subject.point)
    except SymgradError:
        numbers = []
    values = dict(zip(targets, numbers, strict=False))
    result = subject.names.get(graph.output) or shown[graph.output] or "f"
    found = picture(
        taught, shown, (accurate, lambda i: as_held(values.get(i))), result=result, callers=subject.callers
    )
    by_name = {normal(n): n for i, n in reversed(list(subject.names.items())) if needed[i]}
    known: dict[str, Unit] = {}

    def lines(units: Sequence[Unit]) -> dict[str, list[int]]:
        out: dict[str, list[int]] = {}
        for unit in units:
            for claim in claims(unit.name):
                ours = not claim.top or claim.top in LOSS_NAMES or claim.top == normal(result)
                if ours and claim.bottom in by_name:
                    name = by_name[claim.bottom]
                    out.setdefault(name, []).append(unit.line)
                    if name not in known or known[name].step < unit.step:
                        known[name] = unit
                    break
        return out

    right, inherited = lines(diagnosis.right), lines(diagnosis.inherited)
    lines(subject.units)
    once = Counter(subject.names.values())
    manual = {n: as_held(values.get(u.step)) for n, u in known.items() if once[n] == 1}
    return judged(found, findings, right, inherited, manual, subject.names)


def _only(graph: Graph, needed: Sequence[bool]) -> Graph:
    """The same steps at the same places, what is not needed as constants, which have no names."""
    nothing = Step("%", CONST, params=(("value", Fraction(0)),))
    return Graph(tuple(s if needed[i] else nothing for i, s in enumerate(graph.steps)), graph.output, graph.source)


def _final_gradients(subject: Subject) -> dict[int, Unit]:
    """The last assignment of each input's gradient, as the names have it."""
    leaves = {normal(subject.names[i]): i for i in subject.leaves() if i in subject.names}
    out: dict[int, Unit] = {}
    for unit in subject.units:
        for claim in claims(unit.name):
            if claim.bottom in leaves and (
                not claim.top or claim.top in LOSS_NAMES or claim.top == normal(subject.names.get(subject.loss, ""))
            ):
                out[leaves[claim.bottom]] = unit
                break
    return out


def _finding(b: Blame, root: bool) -> Finding:
    message = b.message + (" (right at this point, wrong in general)" if b.hidden else "")
    return Finding(
        b.code, message, b.span, b.step, "", b.label, b.factor, b.found, b.expected, b.found_value, b.expected_value,
        b.ratio, b.mistake, b.fix, b.edits, b.fix_verified, root, b.inherited, b.forward, b.forward_span,
    )  # fmt: skip


def _with_findings(report: Report, findings: Sequence[Finding], source: str, confirmed: tuple[str, ...]) -> Report:
    roots = [f for f in findings if f.root]
    verdict = "disagree" if roots else report.verdict
    others = tuple(
        f for f in report.findings if not (roots and f.code == "disagreement" and f.message.startswith("manual"))
    )
    return replace(report, findings=(*findings, *others), verdict=verdict, manual_source=source, confirmed=confirmed)
