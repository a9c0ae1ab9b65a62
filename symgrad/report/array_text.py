"""A report on arrays -> text for a terminal: shapes at every step, values where they are short."""

from __future__ import annotations

import math
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from symgrad.report.arrays import ArrayGradient, ArrayReport, ArrayStep, ArrayWitness
from symgrad.report.diagnostics import print_finding
from symgrad.report.sources import MARK, headline
from symgrad.report.text import MOST_LINES, STYLE, WITNESS, begun, finished
from symgrad.report.values import MOST_NUMBERS, brief, digits, flat, shape_text


def render(report: ArrayReport, *, width: int = 100, color: bool = False) -> str:
    """The report as text.

    Args:
        width: in columns; longer lines are folded.
        color: with ANSI colours.
    """
    buffer, console = begun(width, color)
    _summary(console, report)
    for finding in report.findings:
        print_finding(console, report, finding)
    _function(console, report)
    _lines(console, "Forward", report.steps)
    f, d = report.result, report.prefix
    about = f"{d}X stands for d{f}/dX and has the shape of X"
    if report.upstream:
        about = f"{d}X stands for the gradient of sum({f}*{report.upstream}) by X and has the shape of X"
    _lines(console, f"Backward   {about}", report.backward)
    for gradient in report.gradients:
        _witnesses(console, gradient)
    return finished(buffer)


def _summary(console: Console, report: ArrayReport) -> None:
    head = headline(report)
    line = Text.assemble((f"{head.mark} {report.verdict}", STYLE[report.verdict]), f": {head.words}")
    wide = max((len(g.symbol) for g in report.gradients), default=0)
    shapes = max((len(shape_text(g.shape)) for g in report.gradients), default=0)
    for g in report.gradients:
        line.append(f"\n  {g.symbol:<{wide}}  {shape_text(g.shape):<{shapes}}  {_exact(g)}")
    console.print(line, soft_wrap=True)
    given = [n for n in report.at if n not in report.drawn]
    parts = [f"{n} = {brief(report.at[n], 6)}" for n in given]
    if report.drawn:
        parts.append(f"{_joined(report.drawn)} drawn by symgrad (--at gives values)")
    console.print(Text(f"  at {'; '.join(parts)} ({report.dtype} on {report.device})", "dim"))
    console.print()


def _joined(names: tuple[str, ...]) -> str:
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1]


def _exact(gradient: ArrayGradient) -> str:
    """The proven values, to a few digits: all of them are in --json."""
    numbers = [_float(t) for t in flat(gradient.exact)]

    def shown(n: float | None) -> str:
        return "undefined" if n is None else f"{n:.6g}"

    if not isinstance(gradient.exact, list):
        return str(gradient.exact) or "undefined"
    if len(numbers) <= MOST_NUMBERS:
        return _nested(gradient.exact, shown)
    return ", ".join(map(shown, numbers[:3])) + f", ..., {shown(numbers[-1])}"


def _nested(values: Any, shown: Any) -> str:
    if isinstance(values, list):
        return "[" + ", ".join(_nested(v, shown) for v in values) + "]"
    return str(shown(_float(values)))


def _float(text: str) -> float | None:
    return float(text) if text else None


def _function(console: Console, report: ArrayReport) -> None:
    arguments = ", ".join(f"{n}: {shape_text(s)}" for n, s in report.shapes.items() if n != report.upstream)
    statements = [part.strip() for part in report.target.replace("\n", ";").split(";") if part.strip()]
    sign = " = " if len(statements) == 1 and "=" not in statements[0].split("(")[0] else ":  "
    console.print(Text.assemble((f"{report.result}({arguments})", "bold"), sign, "; ".join(statements)), soft_wrap=True)
    if report.shape:
        origin = "drawn by symgrad; --upstream gives it" if report.upstream in report.drawn else "as given"
        takes = f"its gradient takes an upstream gradient {report.upstream} ({origin})"
        about = f"has shape {shape_text(report.shape)}: {takes}"
        console.print(Text(f"{report.result} {about}", "dim"), soft_wrap=True)
    console.print()


def _lines(console: Console, title: str, steps: tuple[ArrayStep, ...]) -> None:
    head, _, rest = title.partition("   ")
    console.print(Text.assemble((head, "bold"), ("   " + rest if rest else "", "dim")))
    table = Table.grid(padding=(0, 1))
    table.add_column(no_wrap=True)
    table.add_column()
    table.add_column(no_wrap=True, style="dim")
    table.add_column()
    wide = max((len(s.name) for s in steps), default=0)
    cut = len(steps) > MOST_LINES
    shown = [*steps[: MOST_LINES // 2], *steps[-MOST_LINES // 2 :]] if cut else steps
    for n, step in enumerate(shown):
        if cut and n == MOST_LINES // 2:
            table.add_row(" ...", f"{len(steps) - MOST_LINES} more", "", "")
        values = brief(step.values)
        name, shape = escape(f" {step.name:<{wide}}"), f" {shape_text(step.shape)} "
        table.add_row(name, escape("= " + step.formula), shape, escape(values))
    console.print(table)
    console.print()


def _witnesses(console: Console, gradient: ArrayGradient) -> None:
    about = "" if not gradient.shape else f" ({shape_text(gradient.shape)}); shown is the worst entry of each"
    console.print(Text.assemble((f"Witnesses of {gradient.symbol}", "bold"), (about, "dim")))
    table = Table.grid(padding=(0, 2))
    for justify in ("left", "left", "left", "right", "right"):
        table.add_column(justify=justify, no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row("", "", "", Text("off by", "dim"), Text("of its bound", "dim"), "")
    for name, w in gradient.witnesses.items():
        if w.values is None:
            table.add_row("", WITNESS[name], "", "", "", Text(w.note, "dim"))
            continue
        off = "" if math.isnan(w.difference) or not w.entry else f"{w.difference:.1e}" if w.difference else "0"
        share = "" if math.isnan(w.difference) or not w.entry else f"{w.in_bounds:.2g}"
        where = escape(w.entry) if gradient.shape else digits(w.value, 17)
        table.add_row("", WITNESS[name], where, off, share, _verdict(w, math.prod(gradient.shape)))
    console.print(table)
    console.print()


def _verdict(w: ArrayWitness, count: int) -> Text:
    mine = w.verdicts.get(w.verdict, 0)
    text = Text(f"{MARK[w.verdict]} {w.verdict}", STYLE[w.verdict])
    if mine < count:
        text.append(f" in {mine} of {count}", "dim")
    if w.lost_at:
        text.append(f": digits lost at {w.lost_at}", "dim")
    if w.note:
        text.append(f", {w.note}", "dim")
    return text
