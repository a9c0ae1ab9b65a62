"""Scripts, and other code that runs: a Report out that names the wrong factors."""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace

from symgrad.cutting.epochs import before_divergence
from symgrad.diagnose.deciding.outcomes import results
from symgrad.diagnose.deciding.prepared import prepare
from symgrad.diagnose.engine import Diagnosis
from symgrad.diagnose.observing.subject import Subject
from symgrad.diagnose.text.naming import claims, normal
from symgrad.diagnose.text.syntax import nodes
from symgrad.diagnose.values.quiet import quiet
from symgrad.effort import within
from symgrad.errors import Span, SymgradError, did_you_mean
from symgrad.frontends.trace.data import Binding, Trace
from symgrad.manual.accounts import account
from symgrad.manual.hidden import uncovered
from symgrad.manual.listed import of_lists
from symgrad.manual.misfits import with_fitting_shapes
from symgrad.manual.reporting import as_numbers, conventions, finding_of, script_report, with_what_lacked
from symgrad.manual.reworded import reworded
from symgrad.manual.several import of_each
from symgrad.manual.targets import HELD_FIXED
from symgrad.manual.training import trained
from symgrad.manual.undecided import undecided
from symgrad.manual.verifying import verified_fixes, without_effects
from symgrad.manual.work import Work
from symgrad.report.model import Finding, Report
from symgrad.subjects.chosen import choose


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

    def chosen(trace: Trace, like: Subject | None) -> Subject:
        return choose(trace, loss, mapping or {}, like)

    work = Work(source, filename, run or ours, chosen, original, guesses=not loss)
    trace = work.run(source) if trace is None else trace
    _refuse_unknown(trace, mapping or {})

    def judged(work: Work, trace: Trace) -> Report:
        return check_work(work, trace, strict=strict, witnesses=witnesses, verify=verify)

    with within(timeout) as effort:
        report = (of_each(work, trace, judged) if not loss and not mapping else None) or judged(work, trace)
    return with_what_lacked(report, effort)


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


    def judged(work: Work, trace: Trace) -> Report:
        return check_work(work, trace, strict=strict, witnesses=witnesses, found=found, verify=verify)

    def first() -> Report:
        return _judged(work, trace, strict=strict, witnesses=witnesses, found=found, verify=verify)

    return with_fitting_shapes(work, trace, judged, first) if verify else first()


def _judged(
    work: Work, trace: Trace, *, strict: bool, witnesses: bool, found: Sequence[Finding], verify: bool
) -> Report:
    """What is said of a run as it is."""
    source = work.source
    if trace.error is not None and (trace.error.fatal or not trace.bindings):
        raise trace.error.exception(source)
    taken = account(work, trace)
    finite = before_divergence(trace) if trace.call is None and not taken.diagnosis.understood else None
    if finite is not None:
        trace, rounds = finite
        taken = account(work, trace)
        said = f"the numbers become infinite in round {rounds + 1} of the loop: the rounds before it are judged"
        taken = replace(taken, diagnosis=replace(taken.diagnosis, notes=(*taken.diagnosis.notes, said)))
    subject, diagnosis = taken.subject, taken.diagnosis
    findings = [finding_of(b) for b in diagnosis.blames]
    # Training without a loss: it is a guess what is differentiated, and nobody is blamed on a guess alone.
    guessed = subject.made_up and work.what == "script" and bool(diagnosis.blames) and bool(trained(trace))
    guessed = guessed and not _is_borne_out(subject)
    verified = verified_fixes(work, trace, diagnosis) if verify or guessed else set()
    if verify and not guessed:
        diagnosis, verified = without_effects(work, diagnosis, verified)
        diagnosis, verified = uncovered(work, trace, subject, diagnosis, verified)
        diagnosis, verified = of_lists(work, trace, subject, diagnosis, verified)
        diagnosis, verified = reworded(work, trace, subject, diagnosis, verified)
        subject = diagnosis.subject or subject
        findings = [finding_of(b) for b in diagnosis.blames]
    if not diagnosis.blames and diagnosis.left and not subject.made_up:
        diagnosis = _with_what_is_left(diagnosis)
        findings = [finding_of(b) for b in diagnosis.blames]
    if guessed and len(verified) < len(findings):
        units = {(u.name, u.line): u for u in subject.units}
        left = [units[at] for b in diagnosis.blames if (at := (b.step, b.span.line)) in units]
        diagnosis = replace(diagnosis, blames=(), unchecked=(*diagnosis.unchecked, *left))
        findings, verified = [], set()
    diagnosis, verified, open_ends = undecided(diagnosis, verified)
    if open_ends:
        findings, found = [finding_of(b) for b in diagnosis.blames], (*found, *open_ends)
    findings = [replace(f, fix_verified=n in verified) for n, f in enumerate(findings)]
    findings += [*found, *conventions(diagnosis, strict)]
    findings += [Finding("note", note) for note in (*diagnosis.notes, *(n.message for n in trace.notes))]
    if trace.error is not None:
        e = trace.error
        said = f"the {work.what} stopped here: {e.message}; what ran before it was checked"
        if e.kind == "time":
            said = f"{e.message}: it was ended here; what ran before was checked, and the rest was not"
        findings.append(Finding("stopped", said, e.span, hint=e.hint))
    if not diagnosis.understood and not diagnosis.conventions and not found:
        findings.append(_nothing_found(trace, subject, diagnosis))
    report = script_report(source, work.filename, subject, diagnosis, findings, witnesses=witnesses)
    return replace(report, original=work.original)


@quiet()
def _is_borne_out(subject: Subject) -> bool:
    """Several results are right for what is differentiated, and as many as are wrong: it is that, if a guess."""
    prepared = prepare(subject)
    found = results(prepared.layout, prepared.reading, prepared.moves) if prepared is not None else []
    right = sum(r.is_right(r.actual) for r in found)
    return right > 1 and 2 * right >= len(found)


def _with_what_is_left(diagnosis: Diagnosis) -> Diagnosis:
    """A result that is plainly wrong is somebody's fault, if no reading of the run says otherwise. That a target is
    held fixed says nothing of the rest."""
    if any(HELD_FIXED not in said for said in diagnosis.conventions):
        return diagnosis
    lines = {b.span.line for b in diagnosis.left}
    open_units = tuple(u for u in diagnosis.unchecked if u.line not in lines)
    return replace(diagnosis, blames=diagnosis.left, unchecked=open_units)


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
        if e.kind == "time":
            message = f"{e.message}; no line that ran before it was ended here was recognised as a derivative"
        raise SymgradError(message, e.span, source=source, hint=e.hint)
    if diagnosis.notes:
        raise _not_finite(subject) or SymgradError(diagnosis.notes[0])
    result = subject.names.get(subject.loss, "f")
    inputs = [subject.names[i] for i in subject.leaves() if i in subject.names] or ["x"]
    tried = ", ".join(dict.fromkeys(f"d{result}/d{name}" for name in inputs[:4]))
    last = max((b for b in trace.bindings if b.name == result), key=lambda b: b.order, default=None)
    if (along := _along(trace)) is not None:
        message = f"{along.name} is a derivative along a direction (forward mode): of arrays these are not checked"
        raise SymgradError(message, along.span, source=source, hint="give the gradients, as a backward pass has them")
    moved = result in inputs and last is not None and not trace.graph.steps[last.step].is_input
    if moved or (subject.made_up and trained(trace)):
        # w = w - lr*dw: what would be differentiated is a parameter that is being trained.
        raise SymgradError(
            "the script trains its parameters, and never computes what its derivatives are derivatives of",
            hint="add the line that computes the loss, such as loss = ((y_pred - y)**2).mean()",
        )
    if (nameless := _moved_by_formulas(trace, inputs)) is not None:
        span, target = nameless
        whole = target.partition("[")[0]
        raise SymgradError(
            f"no line was recognised as a derivative of anything; {target} is moved by what has no name", span,
            source=source, hint=f"give the gradient by all of {whole} a name, such as grad_{whole.rpartition('.')[2]}: "
            "what has one is checked",
        )
    raise SymgradError(
        f"no line was recognised as a derivative of anything; looked for {tried}",
        hint=f"name them d{inputs[0]}, d{result}_d{inputs[0]}, grad_{inputs[0]} or {inputs[0]}_grad, or say "
        f"--map NAME={inputs[0]}; --loss NAME says what is differentiated",
    )


def _moved_by_formulas(trace: Trace, inputs: Collection[str]) -> tuple[Span, str] | None:
    """``self.w[1:] += self.eta * X.T.dot(errors)``: the first such line, and what is moved there."""
    file = next((b.span.file for b in trace.bindings), "")
    for node in nodes(trace.graph.source):
        if not isinstance(node, ast.AugAssign) or not isinstance(node.op, ast.Add | ast.Sub):
            continue
        target = node.target.value if isinstance(node.target, ast.Subscript) else node.target
        rated = isinstance(node.value, ast.BinOp) and isinstance(node.value.op, ast.Mult | ast.Div)
        if rated and ast.unparse(target) in inputs:
            column, end = node.col_offset + 1, (node.end_col_offset or 0) + 1
            return Span(file, node.lineno, column, node.lineno, end), ast.unparse(node.target)
    return None


def _along(trace: Trace) -> Binding | None:
    """What is worked out of arrays in the manner of forward mode: ``z_dot = W @ x_dot`` beside ``z = W @ x``, or
    ``dz = W @ dx`` where dx is given."""
    steps = trace.graph.steps
    shapes = {normal(b.name): steps[b.step].shape for b in trace.bindings}
    arrays = [b for b in trace.bindings if steps[b.step].shape]
    given = any(steps[b.step].is_input and _tangent_of(b.name) in shapes for b in arrays)
    for b in trace.bindings:
        shape = steps[b.step].shape
        marked = given or b.name.endswith(_TANGENTS)
        if marked and shape and not steps[b.step].is_leaf and shapes.get(_tangent_of(b.name)) == shape:
            return b
    return None


#: How names of derivatives along a direction end.
_TANGENTS = ("_dot", "_tangent", "_jvp")


def _tangent_of(name: str) -> str:
    """``z`` for ``dz``, ``z_dot``, ``z_tangent``."""
    for end in _TANGENTS:
        if name.endswith(end):
            return normal(name.removesuffix(end))
    return next((c.bottom for c in claims(name) if not c.top), "")


def _not_finite(subject: Subject) -> SymgradError | None:
    """Where the forward pass becomes infinite or no number at all, at the user's point."""
    import numpy as np

    from symgrad.arrays import evaluate

    graph = subject.graph
    needed = [i for i, used in enumerate(graph.ancestors(subject.loss)) if used]
    try:
        values = dict(zip(needed, evaluate(graph, as_numbers(subject), needed), strict=True))
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
