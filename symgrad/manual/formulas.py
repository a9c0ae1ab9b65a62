"""Derivatives that the user wrote as formulas: each is diagnosed beside the function itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Any

from symgrad.checking import Manual, check_expression, read_target
from symgrad.diagnose.engine import diagnose
from symgrad.diagnose.observing.subject import Subject, Unit
from symgrad.diagnose.text.source import FORMULA
from symgrad.errors import SymgradError, did_you_mean
from symgrad.formats import get_format
from symgrad.frontends import expression
from symgrad.graph import Graph, GraphBuilder
from symgrad.manual.edits import patched
from symgrad.manual.reporting import conventions, finding_of, with_findings
from symgrad.picturing import judged
from symgrad.points import Point, read_point
from symgrad.report.model import Finding, Judged, Report

#: Where a formula is diagnosed if no point is given: generic values, no two alike.
_DEFAULTS = (Fraction(7, 10), Fraction(13, 10), Fraction(9, 20), Fraction(17, 10), Fraction(3, 5), Fraction(11, 10))


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
        found = [finding_of(b) for b in diagnosis.blames]
        checked = {b.span: b for b in diagnosis.blames}
        findings += [
            replace(f, fix_verified=_formula_fixed(graph, name, point, formulas[name], checked.values())) for f in found
        ]
        found = [*conventions(diagnosis, strict)]
        findings += found
        if not any(f.root for f in found) and not diagnosis.blames:
            confirmed.append(f"d/d{name}")
            findings += [Finding("note", note) for note in diagnosis.notes]
        status = "wrong" if diagnosis.blames or any(f.root for f in found) else "right"
        marked.append(Judged(f"d/d{name}", subject.units[0].span, status, (name,)))
    report = with_findings(report, findings, "\n".join(formulas.values()), tuple(confirmed))
    report = replace(report, judged=tuple(marked))
    right: dict[str, tuple[int, ...]] = {n.removeprefix("d/d"): () for n in confirmed}
    told = report.findings
    return replace(report, drawing=report.drawing.changed(lambda p: judged(p, told, right, {}, {}, {})))


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
    fixed = patched(text, edits)
    if fixed is None:
        return False
    try:
        merged = merged_formula(graph, name, fixed)
    except SymgradError:
        return False
    return not diagnose(_formula_subject(graph, merged, name, point, fixed)).blames
