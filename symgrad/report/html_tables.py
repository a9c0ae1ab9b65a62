"""The gradients of a page: proven values and what each witness says."""

from __future__ import annotations

import math
from html import escape

from symgrad.report.arrays import ArrayGradient, ArrayReport
from symgrad.report.mathml import mathml
from symgrad.report.model import GradientReport, Report
from symgrad.report.sources import MARK
from symgrad.report.text import WITNESS
from symgrad.report.values import brief, digits, flat, shape_text

#: With more gradients than this, those on which all witnesses agree are folded away.
MOST_TABLES = 12


def gradients(report: Report | ArrayReport) -> str:
    """A table for each gradient whose witnesses were asked."""
    if isinstance(report, ArrayReport):
        tables = [(g.symbol, g.verdict, _array_table(g)) for g in report.gradients]
    else:
        tables = [(g.symbol, g.verdict, _table(report, g)) for g in report.gradients]
    shown = [(s, v, t) for s, v, t in tables if t]
    if not shown:
        return ""
    many = len(shown) > MOST_TABLES
    out = []
    for symbol, verdict, table in shown:
        name = f"Witnesses of {escape(symbol)}"
        word = f' <span class="verdict {verdict}">{MARK.get(verdict, "")} {escape(verdict)}</span>'
        if many and verdict == "agree":
            out.append(f"<details><summary>{name}{word}</summary>{table}</details>")
        else:
            out.append(f"<h3>{name}{word}</h3>{table}")
    return '<section><h2 id="h-witnesses">Witnesses</h2>' + "".join(out) + "</section>"


def _rows(rows: list[list[str]], head: list[str]) -> str:
    top = "".join(f'<th scope="col">{h}</th>' for h in head)
    body = "".join(
        "<tr>" + f'<th scope="row">{r[0]}</th>' + "".join(f'<td class="number">{c}</td>' for c in r[1:]) + "</tr>"
        for r in rows
    )
    return (
        '<div class="scroll" tabindex="0" role="group" aria-label="Witnesses">'
        f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _off(difference: float, share: float) -> list[str]:
    if math.isnan(difference):
        return ["", ""]
    return [f"{difference:.1e}" if difference else "0", f"{share:.2g}"]


def _word(verdict: str, lost: str, note: str, more: str = "") -> str:
    text = f'<span class="verdict {escape(verdict)}">{MARK.get(verdict, "")} {escape(verdict)}</span>'
    if more:
        text += f" {escape(more)}"
    if lost:
        text += f": digits lost at {escape(lost)}"
    return text + (f", {escape(note)}" if note else "")


def _table(report: Report, g: GradientReport) -> str:
    closed = ""
    if g.latex:
        closed = f'<p>{mathml(g.latex)} <span class="soft"><code>{escape(g.derivative)}</code></span></p>'
    if not g.witnesses:
        return ""
    rows = [["exact (proven)", escape(g.exact or "undefined"), "", "", ""]]
    for name, w in g.witnesses.items():
        value = repr(w.value) if report.dtype == "float64" else f"{w.value:.9g}"
        off = _off(w.difference, w.in_bounds)
        rows.append([escape(WITNESS[name]), escape(value), *off, _word(w.verdict, w.lost_at, w.note)])
    reason = f"<p>{escape(g.reason)}</p>" if g.reason else ""
    return closed + _rows(rows, ["witness", "value", "off by", "of its bound", "verdict"]) + reason


def _array_table(g: ArrayGradient) -> str:
    count = math.prod(g.shape)
    numbers = [t or "undefined" for t in flat(g.exact)]
    exact = brief(g.exact) if len(numbers) <= 8 else ", ".join(digits(t)[:12] for t in numbers[:8]) + ", …"
    rows = [["exact (proven)", "", escape(str(exact)), "", "", ""]]
    for name, w in g.witnesses.items():
        if w.values is None:
            rows.append([escape(WITNESS[name]), "", "", "", "", escape(w.note)])
            continue
        mine = w.verdicts.get(w.verdict, 0)
        more = f"in {mine} of {count}" if mine < count else ""
        off = _off(w.difference, w.in_bounds) if w.entry else ["", ""]
        value = digits(w.value, 17) if w.entry else ""
        rows.append([escape(WITNESS[name]), escape(w.entry), escape(value), *off,
                     _word(w.verdict, w.lost_at, w.note, more)])  # fmt: skip
    about = f'<p class="soft">shape {escape(shape_text(g.shape))}; shown is the worst entry of each</p>'
    head = ["witness", "entry", "value", "off by", "of its bound", "verdict"]
    return (about if g.shape else "") + _rows(rows, head)
