"""What a student is told of a report, and no more: which gradient, which line, which factor, or the fix.

``none`` says which gradients are wrong; ``line`` in which lines; ``factor`` which factor of the chain rule, with the
number that it should be; ``fix`` is everything that a report has. Below ``factor`` nothing is said from which the right
value, or the kind of the mistake, could be read.
"""

from __future__ import annotations

import io
import math

from rich.console import Console

from symgrad.errors import SymgradError, did_you_mean, frame
from symgrad.report.diagnostics import print_finding
from symgrad.report.marks import Rubric, marked_steps
from symgrad.report.model import Finding, Report
from symgrad.report.moving import joined
from symgrad.report.sources import source_of

LEVELS = ("none", "line", "factor", "fix")


def level_of(hint: str) -> str:
    """The level of this name.

    Raises:
        SymgradError: there is none.
    """
    if hint not in LEVELS:
        known = ", ".join(repr(level) for level in LEVELS)
        raise SymgradError(f"hint={hint!r}: there is no such level{did_you_mean(str(hint), LEVELS)}",
                           hint=f"there are {known}")  # fmt: skip
    return hint


def wrong_gradients(report: Report) -> tuple[str, ...]:
    """The inputs whose gradients a mistake goes into; where nothing is known of that, the names of the wrong lines."""
    steps = [s for s in marked_steps(report, Rubric()) if s.status in ("wrong", "missing")]
    known = {g.wrt for g in report.gradients} | {g for j in report.judged for g in j.gradients}
    found = [g for s in steps for g in s.gradients if g in known]
    return tuple(dict.fromkeys(found or [s.name for s in steps if s.name]))


def hinted(report: Report, hint: str) -> str:
    """What is said of the mistakes in a report at one level; empty where there is none.

    Raises:
        SymgradError: there is no such level.
    """
    level_of(hint)
    roots = [f for f in report.findings if f.root]
    if not roots:
        return ""
    names = wrong_gradients(report)
    what = "gradients" if len(names) > 1 else "gradient"
    head = f"wrong {what}: {joined(names)}" if names else "the derivative is wrong"
    if hint == "none":
        return head
    return "\n\n".join([head, *dict.fromkeys(_said(report, f, hint) for f in roots)])


def _said(report: Report, f: Finding, hint: str) -> str:
    if hint == "fix":
        stream = io.StringIO()
        print_finding(Console(file=stream, width=100, color_system=None, highlight=False), report, f)
        return stream.getvalue().rstrip()
    if f.span is None:
        return f"there is a mistake in {f.step or 'a gradient'}"
    source = source_of(report, f.span)
    if hint == "line":
        text = (source.split("\n")[f.span.line - 1 :] or [""])[0]
        clean = "".join(c if c.isprintable() else " " for c in text).strip()
        return f"there is a mistake in this line\n  --> {f.span.where}\n  | {clean[:100]}"
    what = f"the factor {f.factor} is wrong" if f.factor else f"{f.step or 'this'} is wrong"
    return f"{what}\n  --> {f.span}\n{frame(source, f.span, _values(f))}"


def _values(f: Finding) -> str:
    """What stands there and what should, as numbers only."""
    if f.found_value is None or f.expected_value is None or not math.isfinite(f.expected_value):
        return "here"
    if not math.isfinite(f.found_value) or f"{f.found_value:.5g}" == f"{f.expected_value:.5g}":
        return "here"
    return f"should be {f.expected_value:.5g}, is {f.found_value:.5g}"


__all__ = ["LEVELS", "hinted", "level_of", "wrong_gradients"]
