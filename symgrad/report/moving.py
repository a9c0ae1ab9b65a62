"""A Report whose places are moved: from the one text that was run to the cells of a notebook."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace

from symgrad.errors import Span
from symgrad.report.model import Finding, Report
from symgrad.report.picture import Picture

_LINES = re.compile(r"\blines? (\d+(?:(?:, | and )\d+)*)")


def moved(report: Report, place: Callable[[Span], Span], cells: Mapping[int, str]) -> Report:
    """The same report of the same program, as a person has it before them.

    Args:
        report: its places are in the text that was run.
        place: where a place is in the cells.
        cells: the text of each cell.
    """

    def cell_lines(lines: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
        spans = [place(Span(report.target, n, 1, n, 2)) for n in lines]
        return tuple(s.line for s in spans), tuple(s.cell for s in spans)

    def reworded(text: str) -> str:
        def words(match: re.Match[str]) -> str:
            return in_cells(*cell_lines(tuple(int(n) for n in re.findall(r"\d+", match[1]))))

        return _LINES.sub(words, text)

    def finding(f: Finding) -> Finding:
        lines, numbers = cell_lines(f.inherited)
        return replace(
            f,
            message=reworded(f.message),
            span=place(f.span) if f.span else None,
            edits=tuple((place(span), text) for span, text in f.edits),
            inherited=lines,
            inherited_cells=numbers,
            forward_span=place(f.forward_span) if f.forward_span else None,
        )

    return replace(
        report,
        findings=tuple(finding(f) for f in report.findings),
        gradients=tuple(replace(g, span=place(g.span) if g.span else None) for g in report.gradients),
        steps=tuple(replace(s, span=place(s.span) if s.span else None) for s in report.steps),
        unchecked=tuple(replace(u, span=place(u.span)) for u in report.unchecked),
        judged=tuple(replace(j, span=place(j.span)) for j in report.judged),
        drawing=report.drawing.changed(lambda p: _moved(p, place)),
        cells=dict(cells),
    )


def _moved(drawn: Picture, place: Callable[[Span], Span]) -> Picture:
    nodes = tuple(replace(n, span=place(n.span) if n.span else None) for n in drawn.nodes)
    return replace(drawn, nodes=nodes)


def in_cells(lines: tuple[int, ...], cells: tuple[int, ...]) -> str:
    """``line 3``; ``cell 2, lines 3 and 5; cell 4, line 1``."""
    groups: dict[int, list[str]] = {}
    for n, line in enumerate(lines):
        groups.setdefault(cells[n] if cells else 0, []).append(str(line))
    return "; ".join(
        f"{f'cell {cell}, ' if cell else ''}line{'s' if len(found) > 1 else ''} {joined(found)}"
        for cell, found in groups.items()
    )


def joined(words: list[str] | tuple[str, ...]) -> str:
    """``1``, ``1 and 2``, ``1, 2 and 3``; runs of many are cut."""
    if len(words) > 12:
        words = [*words[:10], f"{len(words) - 10} more"]
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " and " + words[-1]
