"""Findings as a compiler prints them: a frame with carets, what was expected, why, and a fix."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from symgrad.errors import Span, frame
from symgrad.report.model import Finding, Report
from symgrad.report.moving import in_cells
from symgrad.report.sources import Located, mistakes, source_of


def print_findings(console: Console, report: Report) -> None:
    """Every finding of the report, mistakes first as they stand in the text, then notes."""
    roots = [f for f in report.findings if f.root]
    if len(roots) > 1:
        count, comma, rest = mistakes(roots).partition(",")
        console.print(Text.assemble((count, "bold red"), f"{comma}{rest}\n"))
    for finding in report.findings:
        print_finding(console, report, finding)


def print_finding(console: Console, report: Located, f: Finding) -> None:
    """One frame."""
    style = "bold red" if f.root else "bold cyan"
    head = f"error[{f.code}]" if f.root else "note"
    _line(console, Text.assemble((head, style), f": {f.message}"))
    if f.span is not None:
        _line(console, Text(f"  --> {f.span}"))
        _line(console, Text(frame(source_of(report, f.span), f.span, f.label)))
    gutter = " " * (len(str(f.line)) if f.line else 1)
    if f.forward:
        span = f.forward_span if report.is_code else None
        where = f"   ({span.where})" if span is not None else ""
        _line(console, Text(f"{gutter} = forward: {f.forward}{where}"))
    if f.fix:
        proof = "" if f.fix_verified else "   (not verified)"
        _line(console, Text.assemble(f"{gutter} = fix: ", (f.fix, "green"), proof))
    if f.hint:
        _line(console, Text(f"{gutter} = help: {f.hint}"))
    if f.inherited:
        where = in_cells(f.inherited, f.inherited_cells)
        words = f"{where} {'are' if len(f.inherited) > 1 else 'is'} wrong only because of this one"
        _line(console, Text.assemble(("note", "bold cyan"), f": {words}"))
    console.print()


def _line(console: Console, text: Text) -> None:
    """Source lines and carets must never be folded: they would no longer stand under each other."""
    console.print(text, soft_wrap=True)


def unified_diff(report: Report) -> str:
    """The fixes as one unified diff of the user's text, with its own line ends; empty where there are none.

    Of a notebook it shows what to change in each cell: to read, not to apply, since the file itself is JSON.
    """
    before = report.manual_source or report.source
    edits = [(span, text) for f in report.findings if f.root and f.fix_verified for span, text in f.edits]
    name = report.target if report.is_code else "manual"
    if report.cells:
        by_cell = {cell: [e for e in edits if e[0].cell == cell] for cell in report.cells}
        return "".join(
            _diff(f"{name}, cell {n}", report.cells[n].rstrip("\n") + "\n", made) for n, made in by_cell.items() if made
        )
    return _diff(name, report.original or before, edits)


def _diff(name: str, before: str, edits: Sequence[tuple[Span, str]]) -> str:
    """One file's part of a diff. ``before`` may have any line ends; the places count lines as Python does."""
    mark = "\ufeff" if before.startswith("\ufeff") else ""
    # Lines and, after each, how it ends.
    parts = re.split(r"(\r\n|\r|\n)", before[len(mark) :])
    lines, ends = parts[::2], [*parts[1::2], ""]
    for span, text in sorted(edits, key=lambda e: (e[0].line, e[0].column), reverse=True):
        head = lines[span.line - 1][: span.column - 1]
        tail = lines[span.end_line - 1][span.end_column - 1 :]
        text = text.replace("\n", ends[span.line - 1] or "\n")
        lines[span.line - 1 : span.end_line] = [head + text + tail]
        ends[span.line - 1 : span.end_line] = [ends[span.end_line - 1]]
    after = mark + "".join(line + end for line, end in zip(lines, ends, strict=True))
    diff = difflib.unified_diff(_ended(before), _ended(after), f"a/{name}", f"b/{name}")
    # What patch and git expect after a last line that no newline ends.
    return "".join(line if line.endswith("\n") else line + "\n\\ No newline at end of file\n" for line in diff)


def _ended(text: str) -> list[str]:
    """Lines as patch counts them, with their ends."""
    return re.findall(r"[^\n]*\n|[^\n]+", text)
