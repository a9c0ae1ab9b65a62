"""Report -> the JSON document."""

from __future__ import annotations

import math
from typing import Any

from symgrad.errors import Span, SymgradError
from symgrad.report.model import SCHEMA, Finding, GradientReport, Report, WitnessValue


def number(value: float | None) -> float | str | None:
    """A float as JSON can hold it: JSON has no infinities and no NaN, so those become strings."""
    if value is None or math.isfinite(value):
        return value
    return "nan" if math.isnan(value) else ("inf" if value > 0 else "-inf")


def document(report: Report) -> dict[str, Any]:
    """Everything in the report, under a schema version."""
    return {
        "schema": SCHEMA,
        "target": report.target,
        "verdict": report.verdict,
        "exit_code": report.exit_code,
        "order": report.order,
        "at": {name: number(value) for name, value in report.at.items()},
        "dtype": report.dtype,
        "device": report.device,
        "result": report.result,
        "value": report.value or None,
        "gradients": [_gradient(g) for g in report.gradients],
        "steps": [
            {"name": s.name, "formula": s.formula, "value": number(s.value), **place(s.span)} for s in report.steps
        ],
        "backward": [
            {
                "step": b.step,
                "input": b.input,
                "factor": b.formula,
                "factor_value": number(b.factor),
                "contribution": number(b.contribution),
                "total": number(b.total),
            }
            for b in report.backward
        ],
        "findings": [finding(f) for f in report.findings],
        "right": list(report.confirmed),
        "not_checked": [{"name": u.name, **place(u.span)} for u in report.unchecked],
    }


def error_document(error: SymgradError, target: str) -> dict[str, Any]:
    """The document of a run that could not use its input."""
    trouble = Finding("bad-input", error.message, error.span, hint=error.hint)
    return {
        "schema": SCHEMA,
        "target": target,
        "verdict": "error",
        "exit_code": error.exit_code,
        "gradients": [],
        "steps": [],
        "findings": [finding(trouble)],
    }


def _gradient(g: GradientReport) -> dict[str, Any]:
    return {
        "wrt": g.wrt,
        "symbol": g.symbol,
        "derivative": g.derivative or None,
        "chain_rule": g.chain_rule or None,
        "latex": g.latex or None,
        "exact": g.exact or None,
        "left": g.left or None,
        "right": g.right or None,
        "reason": g.reason or None,
        "verdict": g.verdict,
        "witnesses": {name: _witness(w) for name, w in g.witnesses.items()},
    }


def _witness(w: WitnessValue) -> dict[str, Any]:
    return {
        "value": number(w.value),
        "difference": number(w.difference),
        "bound": number(w.bound),
        "verdict": w.verdict,
        "lost_at": w.lost_at or None,
        "note": w.note or None,
    }


def place(span: Span | None) -> dict[str, Any]:
    if span is None:
        return {"file": None, "cell": None, "line": None, "column": None, "end_line": None, "end_column": None}
    return {
        "file": span.file,
        "cell": span.cell or None,
        "line": span.line,
        "column": span.column,
        "end_line": span.end_line,
        "end_column": span.end_column,
    }


def finding(f: Finding) -> dict[str, Any]:
    return {
        "code": f.code,
        "message": f.message,
        **place(f.span),
        "step": f.step or None,
        "factor": f.factor or None,
        "found": f.found or None,
        "expected": f.expected or None,
        "found_value": number(f.found_value),
        "expected_value": number(f.expected_value),
        "ratio": number(f.ratio),
        "mistake": f.mistake or None,
        "fix": f.fix or None,
        "fix_verified": f.fix_verified,
        "root": f.root,
        "inherited": list(f.inherited),
        **({"inherited_cells": list(f.inherited_cells)} if f.inherited_cells else {}),
        "hint": f.hint or None,
    }
