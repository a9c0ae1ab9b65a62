"""Report -> text for a terminal. Colour only where asked for; never wider than asked for."""

from __future__ import annotations

import io
import math
from typing import TypeVar

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from symgrad.report.diagnostics import print_finding, print_findings
from symgrad.report.model import GradientReport, Report, WitnessValue
from symgrad.report.moving import in_cells, joined
from symgrad.report.sources import MARK, headline, why_unchecked

T = TypeVar("T")

#: More lines than this of one kind are cut in the middle; --json has them all.
MOST_LINES = 40
#: With more derivatives than this, only those on which the witnesses differ get a table.
MOST_TABLES = 8
#: Formulas longer than this are left to --json and --latex.
MOST_FORMULA = 600

STYLE = {"agree": "green", "rounding": "yellow", "undefined": "magenta", "disagree": "bold red"}
WITNESS = {
    "symbolic": "symbolic (SymPy)",
    "autograd": "autograd (torch)",
    "backward": "backward (steps)",
    "manual": "manual (yours)",
}


def short(value: float | None) -> str:
    """A value in a list of steps: enough digits to follow along."""
    return "" if value is None else f"{value:.7g}"


def render(report: Report, *, width: int = 100, color: bool = False) -> str:
    """The report as text.

    Args:
        width: in columns; longer lines are folded.
        color: with ANSI colours.
    """
    buffer, console = begun(width, color)
    if report.is_code or report.manual_source:
        _manual(console, report)
    elif report.at:
        _summary(console, report)
        for finding in report.findings:
            print_finding(console, report, finding)
    if report.is_code:
        return finished(buffer)
    _function(console, report)
    if report.at:
        _forward(console, report)
        _backward(console, report)
        telling = [g for g in report.gradients if g.verdict != "agree"]
        shown = report.gradients if len(report.gradients) <= MOST_TABLES else telling[:MOST_TABLES]
        for gradient in shown:
            _witnesses(console, report, gradient)
        if len(shown) < len(report.gradients):
            console.print(Text(f"\n{len(report.gradients) - len(shown)} more derivatives: see --json", "dim"))
    elif report.graph.variables:
        console.print(Text("\nGive a point to check it there, for example --at " + _example(report), style="dim"))
    return finished(buffer)


def begun(width: int, color: bool) -> tuple[io.StringIO, Console]:
    """Where text is printed: the same whatever terminal this runs in. See :func:`finished`."""
    buffer = io.StringIO()
    console = Console(
        file=buffer, width=width, force_terminal=color, color_system="standard" if color else None,
        highlight=False, emoji=False, legacy_windows=False, _environ={},
    )  # fmt: skip
    return buffer, console


def finished(buffer: io.StringIO) -> str:
    lines = [line.rstrip() for line in buffer.getvalue().splitlines()]
    return "\n".join(lines).strip("\n") + "\n"


def _manual(console: Console, report: Report) -> None:
    """The verdict on a manual derivation, its findings, and what of it is right."""
    roots = [f for f in report.findings if f.root]
    if not roots and (report.confirmed or not any(f.mistake for f in report.findings)):
        head = headline(report)
        if head.verdict:
            line = Text.assemble((f"{head.mark} {head.verdict}", STYLE[head.verdict]), f": {head.words}")
            if head.caution:
                line.append("; ")
                line.append(head.caution, STYLE["undefined"])
            console.print(line.append("\n"))
        else:
            console.print(Text(f"{head.mark} {head.words}\n", STYLE["undefined"]))
    print_findings(console, report)
    if report.confirmed and report.is_code:
        console.print(Text.assemble(("right: ", "green"), joined(report.confirmed)))
    if report.unchecked:
        console.print(Text.assemble(("not checked: ", STYLE["undefined"]), _unchecked(report)))
    for gradient in report.gradients if report.is_code else ():
        if gradient.witnesses:
            _witnesses(console, report, gradient)


def _unchecked(report: Report) -> str:
    """What was not recognised, and where."""
    shown = [f"{in_cells((u.span.line,), (u.span.cell,))} `{u.name}`" for u in report.unchecked]
    return f"{joined(shown)}; {why_unchecked(report)}, so neither right nor wrong"


def _example(report: Report) -> str:
    return ",".join(f"{name}=2" for name in report.graph.variables)


def _point(report: Report) -> str:
    return ", ".join(f"{name} = {value!r}".removesuffix(".0") for name, value in report.at.items())


def _summary(console: Console, report: Report) -> None:
    head = headline(report)
    line = Text.assemble((f"{head.mark} {head.verdict}", STYLE[head.verdict]), f": {head.words}")
    for gradient in report.gradients[:8]:
        value = gradient.exact or "undefined"
        line.append(f"\n  {gradient.symbol} = {value}")
    if len(report.gradients) > 8:
        line.append(f"\n  ... and {len(report.gradients) - 8} more")
    line.append(f"\n  at {_point(report)} ({report.dtype} on {report.device})", style="dim")
    console.print(line)


def _function(console: Console, report: Report) -> None:
    arguments = ", ".join(report.graph.variables)
    statements = [part.strip() for part in report.target.replace("\n", ";").split(";") if part.strip()]
    if len(statements) == 1 and "=" not in statements[0].split("(")[0]:
        line = Text.assemble((f"{report.result}({arguments})", "bold"), " = ", _clip(statements[0]))
    else:
        line = Text.assemble((f"{report.result}({arguments})", "bold"), ":  ", _clip("; ".join(statements)))
    console.print(line if not report.at else Text.assemble("\n", line))
    console.print()
    for gradient in report.gradients:
        if not gradient.chain_rule and not gradient.derivative:
            console.print(
                Text(f"{gradient.symbol} is too large to be read as one formula; the steps below give it in parts")
            )
            continue
        table = Table.grid(padding=(0, 1))
        table.add_column(no_wrap=True)
        table.add_column(overflow="fold")
        table.add_column(style="dim", no_wrap=True)
        if gradient.chain_rule:
            table.add_row(Text(f"{gradient.symbol} ", "bold"), Text("= " + gradient.chain_rule), "chain rule")
        if gradient.derivative and gradient.derivative != gradient.chain_rule:
            name = "" if gradient.chain_rule else f"{gradient.symbol} "
            table.add_row(Text(name, "bold"), Text("= " + gradient.derivative), "simplified")
        console.print(table)


def _clip(text: str) -> str:
    return text if len(text) <= MOST_FORMULA else text[:MOST_FORMULA] + " ..."


def _cut(items: list[T]) -> tuple[list[T], int, list[T]]:
    """The head, how many are left out, and the tail."""
    if len(items) <= MOST_LINES:
        return items, 0, []
    half = MOST_LINES // 2
    return items[:half], len(items) - 2 * half, items[-half:]


def _forward(console: Console, report: Report) -> None:
    if not report.steps:
        return
    console.print(Text("\nForward", "bold"))
    table = Table.grid(padding=(0, 1))
    for _ in range(5):
        table.add_column(overflow="fold")
    head, left_out, tail = _cut(list(report.steps))
    for step in head:
        table.add_row("", step.name, "= " + escape(step.formula), "=", short(step.value))
    if left_out:
        table.add_row("", "...", f"{left_out} more steps", "", "")
    for step in tail:
        table.add_row("", step.name, "= " + escape(step.formula), "=", short(step.value))
    console.print(table)


def _backward(console: Console, report: Report) -> None:
    if not report.backward:
        return
    f = report.result
    title = Text.assemble(("\nBackward", "bold"), (f"   {f} first; each step multiplies by one local factor", "dim"))
    console.print(title)
    table = Table.grid(padding=(0, 2))
    for justify in ("left", "left", "right", "left"):
        table.add_column(justify=justify, overflow="fold")
    table.add_row("", Text("local factor", "dim"), "", Text("what flows on", "dim"))
    head, left_out, tail = _cut(list(report.backward))
    for group in (head, tail):
        for b in group:
            upstream = "" if b.step == f else f"d{f}/d{b.step} * "
            flow = f"{upstream}d{b.step}/d{b.input} = {short(b.contribution)}"
            table.add_row("", f"d{b.step}/d{b.input} = {escape(b.formula)}", f"= {short(b.factor)}", flow)
            if b.total is not None and b.total != b.contribution:
                table.add_row("", "", "", Text(f"d{f}/d{b.input} = {short(b.total)}  (sum of its paths)", "dim"))
        if group is head and left_out:
            table.add_row("", "...", f"{left_out} more", "")
    console.print(table)


def _witnesses(console: Console, report: Report, gradient: GradientReport) -> None:
    console.print(Text(f"\nWitnesses of {gradient.symbol}", "bold"))
    table = Table.grid(padding=(0, 2))
    table.add_column()
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row("", "", "", Text("off by", "dim"), Text("of its bound", "dim"), "")
    exact = gradient.exact or Text("undefined", STYLE["undefined"])
    table.add_row("", "exact (proven)", exact, "", "", "")
    for name, witness in gradient.witnesses.items():
        off = "" if math.isnan(witness.difference) else f"{witness.difference:.1e}" if witness.difference else "0"
        share = "" if math.isnan(witness.difference) else f"{witness.in_bounds:.2g}"
        table.add_row("", WITNESS[name], _value(witness.value, report.dtype), off, share, _verdict(witness))
    console.print(table)
    if gradient.reason:
        console.print(Padding(Text(gradient.reason), (0, 1)))


def _value(value: float, dtype: str) -> str:
    """As many digits as tell two values of the dtype apart."""
    digits = {"float32": 9, "bfloat16": 4, "float16": 5}.get(dtype)
    return repr(value) if digits is None else f"{value:.{digits}g}"


def _verdict(witness: WitnessValue) -> Text:
    text = Text(f"{MARK[witness.verdict]} {witness.verdict}", STYLE[witness.verdict])
    if witness.lost_at:
        text.append(f": digits lost at {witness.lost_at}", "dim")
    if witness.note:
        text.append(f", {witness.note}", "dim")
    return text
