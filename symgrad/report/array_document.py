"""A report on arrays -> the JSON document: nested lists, each with its shape beside it."""

from __future__ import annotations

from typing import Any

from symgrad.report.arrays import SCHEMA, ArrayGradient, ArrayReport, ArrayStep, ArrayWitness
from symgrad.report.document import finding, number, place


def document(report: ArrayReport) -> dict[str, Any]:
    """Everything in the report, under a schema version."""
    return {
        "schema": SCHEMA,
        "target": report.target,
        "verdict": report.verdict,
        "exit_code": report.exit_code,
        "order": report.order,
        "at": {
            name: {"shape": list(report.shapes[name]), "values": plain(values), "drawn": name in report.drawn}
            for name, values in report.at.items()
        },
        "data": list(report.data),
        "upstream": report.upstream or None,
        "dtype": report.dtype,
        "device": report.device,
        "result": report.result,
        "shape": list(report.shape),
        "value": report.value,
        "gradients": [_gradient(g) for g in report.gradients],
        "steps": [_step(s) for s in report.steps],
        "backward": [_step(s) for s in report.backward],
        "findings": [finding(f) for f in report.findings],
        "right": list(report.confirmed),
    }


def plain(values: Any) -> Any:
    """Nested numbers as JSON can hold them."""
    return [plain(v) for v in values] if isinstance(values, list) else number(values)


def _gradient(g: ArrayGradient) -> dict[str, Any]:
    return {
        "wrt": g.wrt,
        "symbol": g.symbol,
        "shape": list(g.shape),
        "formula": g.formula or None,
        "exact": g.exact,
        "undefined": dict(g.undefined),
        "verdict": g.verdict,
        "witnesses": {name: _witness(w) for name, w in g.witnesses.items()},
    }


def _witness(w: ArrayWitness) -> dict[str, Any]:
    attempted = w.values is not None
    return {
        "values": plain(w.values) if attempted else None,
        "verdict": w.verdict,
        "verdicts": dict(w.verdicts),
        "entry": w.entry or None,
        "entries": list(w.entries),
        "value": number(w.value) if w.entry else None,
        "difference": number(w.difference) if w.entry else None,
        "bound": number(w.bound) if w.entry else None,
        "lost_at": w.lost_at or None,
        "note": w.note or None,
    }


def _step(s: ArrayStep) -> dict[str, Any]:
    out = {"name": s.name, "formula": s.formula, "shape": list(s.shape), "values": plain(s.values)}
    return out | place(s.span)
