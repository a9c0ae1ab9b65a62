"""Which text a place is in, and what the report says in one line: shared by all renderings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from symgrad.errors import Span
from symgrad.report.model import UNDECIDED, Finding
from symgrad.report.moving import in_cells

MARK = {"agree": "✓", "rounding": "≈", "undefined": "?", "disagree": "✗"}
FORMULA = "--manual "


class Located(Protocol):
    """What is needed of a report to show where a finding stands."""

    @property
    def source(self) -> str: ...
    @property
    def manual_source(self) -> str: ...
    @property
    def is_code(self) -> bool: ...
    @property
    def cells(self) -> Mapping[int, str]: ...
    @property
    def gradients(self) -> Sequence[Any]: ...


def source_of(report: Located, span: Span) -> str:
    """The text that the place is in: a cell, a formula, or the whole program."""
    if span.cell:
        return report.cells[span.cell]
    if span.file.startswith(FORMULA):
        names = [g.wrt for g in report.gradients]
        formulas = report.manual_source.split("\n")
        name = span.file.removeprefix(FORMULA)
        if len(names) == len(formulas) and name in names:
            return formulas[names.index(name)]
        return report.manual_source
    return report.manual_source if report.is_code and report.manual_source else report.source


@dataclass(frozen=True, slots=True)
class Headline:
    """The verdict in words.

    Attributes:
        verdict: agree, rounding, undefined or disagree; empty where nothing was judged.
        words: one line.
        caution: what keeps it from being the whole truth; empty where nothing does.
    """

    verdict: str
    words: str
    caution: str = ""

    @property
    def mark(self) -> str:
        return MARK.get(self.verdict, "?")


def why_unchecked(report: Any) -> str:
    """Why nothing is said about some lines."""
    if any(f.code == UNDECIDED for f in report.findings):
        return "not recognised as a derivative of anything, or not decided"
    return "not recognised as a derivative of anything"


def headline(report: Any) -> Headline:
    """The first thing to say of any report."""
    roots: list[Finding] = [f for f in report.findings if f.root]
    arrays = not hasattr(report, "unchecked")
    if report.is_code or report.manual_source:
        if roots:
            return Headline("disagree", mistakes(roots))
        if report.confirmed:
            return _praise(report)
        if not any(f.mistake for f in report.findings):
            return Headline("", "nothing to check: no line was recognised as a derivative")
        return Headline("agree", "no mistake: what differs is a convention")
    if not report.at:
        return Headline("", "derived, not evaluated: no point was given")
    if report.verdict == "undefined" and not arrays and all(g.exact for g in report.gradients):
        words = "the derivative exists, but the point lies on a kink where torch picks another value"
        return Headline("undefined", words)
    return Headline(report.verdict, _WORDS[arrays][report.verdict])


_WORDS = {
    False: {
        "agree": "every witness agrees",
        "rounding": "no mistake: what differs is rounding",
        "undefined": "the derivative is not defined at this point",
        "disagree": "a witness disagrees with the exact derivative",
    },
    True: {
        "agree": "every witness agrees, in every entry",
        "rounding": "no mistake: what differs is rounding",
        "undefined": "some entries have no derivative at this point",
        "disagree": "a witness disagrees with the exact gradient",
    },
}


def mistakes(roots: Sequence[Finding]) -> str:
    """``4 mistakes, in lines 25, 27, 35 and 38: input-for-output``."""
    if all(f.code == UNDECIDED for f in roots):
        return "results are wrong, and it is not decided which line is to blame"
    places = [f.span for f in roots if f.span]
    where = in_cells(tuple(s.line for s in places), tuple(s.cell for s in places)) if places else ""
    kinds = ", ".join(dict.fromkeys(f.mistake for f in roots if f.mistake))
    count = f"{len(roots)} mistakes" if len(roots) > 1 else "1 mistake"
    return count + (f", in {where}" if where else "") + (f": {kinds}" if kinds else "")


def _praise(report: Any) -> Headline:
    verdict = report.verdict if report.verdict != "undefined" else "agree"
    count = len(report.confirmed)
    words = f"{count} line{'s' if count > 1 else ''} of the derivation checked"
    stops = [f.span for f in report.findings if f.code == "stopped"]
    if stops:
        where = f" in {in_cells((stops[0].line,), (stops[0].cell,))}" if stops[0] else ""
        them = "them" if count > 1 else "it"
        return Headline("", f"stopped{where}, the rest did not run; {words} before that, no mistake found in {them}")
    if getattr(report, "unchecked", ()):
        return Headline(verdict, words + ", no mistake found in them", "not everything was checked")
    return Headline(verdict, words + ", no mistake found")
