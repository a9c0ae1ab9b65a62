"""From a diagnosis to what is told of it: findings, the state of every line, the picture, the gradients."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

from symgrad.arrays import Program
from symgrad.backward import backward
from symgrad.checking import Manual, check_expression
from symgrad.diagnose.engine import Diagnosis
from symgrad.diagnose.observing.subject import Subject, Unit
from symgrad.diagnose.telling.frames import Blame
from symgrad.diagnose.text.naming import LOSS_NAMES, claims, is_bare, normal
from symgrad.effort import HINT, TOLD, Effort
from symgrad.errors import SymgradError
from symgrad.graph import CONST, Graph, Step
from symgrad.naming import display_names
from symgrad.picturing import held as as_held
from symgrad.picturing import judged, picture
from symgrad.report.model import Finding, Forms, GradientReport, Judged, Report, Unchecked
from symgrad.report.picture import Drawing, Picture


def conventions(diagnosis: Diagnosis, strict: bool) -> list[Finding]:
    """Deliberate differences: notes, or findings where the caller wants none of them."""
    code = "convention" if strict else "note"
    return [
        Finding(code, text, mistake="sign" if "negative" in text else "scale", root=strict)
        for text in diagnosis.conventions
    ]


def script_report(
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
    bare = replace(subject)  # what was worked out about the subject is not kept for a picture
    told = replace(diagnosis, subject=None)
    report = replace(report, drawing=Drawing(lambda: _script_picture(bare, told, held, findings)))
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
    report = with_findings(report, findings, source, confirmed)
    return replace(report, unchecked=unchecked, judged=_judged(subject, diagnosis, held), assumed=subject.assumed)


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
        values = evaluate(subject.graph, as_numbers(subject), steps)
    except SymgradError:
        return {}
    if not steps:
        return {}
    arrays = [np.asarray(value, dtype=np.float64) for value in values]
    flats = [array.ravel()[:1000] for array in arrays]
    digits, begun = _ten_digits(np.concatenate(flats)), np.cumsum([0, *map(len, flats)])
    out = {}
    for i, array, low, high in zip(steps, arrays, begun, begun[1:], strict=False):
        out[i] = f"{array.shape} {hashlib.sha256(digits[:, low:high].tobytes()).hexdigest()[:16]}"
    return out


def _ten_digits(flat: Any) -> Any:
    """Ten digits of each of some numbers and how large they are, as the columns of an array: what is computed in
    another order is the same value still."""
    import numpy as np

    known = np.isfinite(flat) & (flat != 0)
    size = np.maximum(np.floor(np.log10(np.abs(flat), where=known, out=np.zeros(len(flat)))), -300.0)
    # In two factors, of which neither is infinite.
    digits = np.rint(np.where(known, flat, 0.0) * 10.0 ** (4 - size) * 1e5)
    up = np.abs(digits) >= 1e10  # 9.99999999999 is 10
    size, digits = size + up, np.where(up, np.sign(digits) * 1e9, digits)
    return np.stack((np.where(np.isfinite(flat), digits, flat) + 0.0, size))


def as_numbers(subject: Subject) -> dict[int, Any]:
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
    found = picture(taught, shown, (accurate, lambda i: as_held(values.get(i))), result=result, callers=subject.callers)
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


def finding_of(b: Blame) -> Finding:
    """What was found, as it is told."""
    message = b.message + (" (right at this point, wrong in general)" if b.hidden else "")
    return Finding(
        b.code, message, b.span, b.step, "", b.label, b.factor, b.found, b.expected,
        _number(b.found_value), _number(b.expected_value),
        b.ratio, b.mistake, b.fix, b.edits, b.fix_verified, True, b.inherited, b.forward, b.forward_span,
    )  # fmt: skip


def _number(x: float) -> float | None:
    return None if math.isnan(x) else x


def with_what_lacked(report: Report, effort: Effort) -> Report:
    """The report, which says if something was not looked for because it would have taken too long.

    Where all is right there was nothing to be found: another reading was looked into, which was none.
    """
    if not effort.lacked or (report.ok and not report.unchecked):
        return report
    return replace(report, findings=(*report.findings, Finding("note", TOLD, hint=HINT)))


def with_findings(report: Report, findings: Sequence[Finding], source: str, confirmed: tuple[str, ...]) -> Report:
    roots = [f for f in findings if f.root]
    verdict = "disagree" if roots else report.verdict
    others = tuple(
        f for f in report.findings if not (roots and f.code == "disagreement" and f.message.startswith("manual"))
    )
    return replace(report, findings=(*findings, *others), verdict=verdict, manual_source=source, confirmed=confirmed)
