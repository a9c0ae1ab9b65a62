"""Formulas with the signs of mathematics: ``1 - u4**2`` as ``1 − u4²``, which symgrad reads back as the same."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

_SUPERSCRIPTS = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")
_POWER = re.compile(r"\s*\*\*\s*(-?\d+)(?![\d.\w(])")
_ROOT = re.compile(r"\bsqrt\(")
_SIGNS = (("**", "^"), ("*", "·"), (" - ", " − "), ("<=", "≤"), (">=", "≥"), ("!=", "≠"))


def pretty(text: str) -> str:
    """A formula as symgrad prints it, in unicode."""
    out = _POWER.sub(lambda m: m[1].translate(_SUPERSCRIPTS), text)
    out = _ROOT.sub("√(", out)
    for plain, sign in _SIGNS:
        out = out.replace(plain, sign)
    return out


def prettied(report: Any) -> Any:
    """The report with its formulas in unicode. What people wrote themselves, and the fixes to it, stays as it is."""
    if report.is_code:
        return report
    steps = tuple(replace(s, formula=pretty(s.formula)) for s in report.steps)
    backward = tuple(replace(b, formula=pretty(b.formula)) for b in report.backward)
    if hasattr(report, "shapes"):
        return replace(report, steps=steps, backward=backward)
    gradients = tuple(
        replace(g, chain_rule=pretty(g.chain_rule), derivative=pretty(g.derivative)) for g in report.gradients
    )
    return replace(report, steps=steps, backward=backward, gradients=gradients, target=pretty(report.target))
