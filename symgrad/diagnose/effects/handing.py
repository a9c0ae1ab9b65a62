"""What functions of the script are given in their calls: another variable than belongs there, ``net.grad(xa, p, g_p)``.

A name that is handed over makes no step. What it does shows wherever the function reads its parameter in that call, so
the change is made there: in other calls the line that reads it may well be right.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from itertools import islice

from symgrad.diagnose.effects.board import Board
from symgrad.diagnose.effects.exchanges import Elsewhere, Exchange, bound, other_value
from symgrad.diagnose.effects.lines import Text
from symgrad.diagnose.meaning.parameters import function_at
from symgrad.diagnose.observing.replay import Layout
from symgrad.diagnose.text.syntax import nodes
from symgrad.diagnose.walking.places import UNPLACED, Repair
from symgrad.diagnose.walking.region import Site
from symgrad.errors import Span

#: What it costs that another variable was to be handed over; so many of them are tried.
COST = 0.9
MOST_NAMES = 12


def handing(layout: Layout, board: Board, text: Text) -> Iterator[tuple[Elsewhere, Exchange]]:
    """Other variables for those that are handed over, each with the line of its call."""
    calls: dict[Span, list[int]] = {}
    for i in board.steps:
        call = layout.subject.callers.get(i)
        if call is not None:
            calls.setdefault(call, []).append(i)
    # A function that is called once may as well read the wrong thing itself.
    lines = {call.line for call in calls}
    for call, steps in calls.items() if len(lines) > 1 else ():
        for span, sites in _given(layout, text, call, steps):
            others = ((n, _instead(layout, text, n, sites)) for n in _names(layout, call.line))
            for other, instead in islice(((n, held) for n, held in others if held), MOST_NAMES):
                words = "is another variable than belongs here"
                repair = Repair(UNPLACED, "wrong-variable", words, COST, text=other, span=span)
                yield Elsewhere(layout, board, call.line, text), (sites, other_value(board, instead), repair)


def _instead(layout: Layout, text: Text, other: str, sites: Sequence[Site]) -> dict[Site, int]:
    """What another variable is wherever one is read; nothing where it has another shape, or is worked out from what is
    read there."""
    steps = layout.graph.steps
    out = {site: bound(text, other, site[0]) for site in sites}
    for site, i in out.items():
        mine = _value(layout, site)
        if i < 0 or i == mine or not steps[i].shape or steps[i].shape != steps[mine].shape:
            return {}
        if not layout.is_forward(layout.origin(i)) and not layout.feeding([i]).isdisjoint(s for s, _ in sites):
            return {}
    return out


def _value(layout: Layout, site: Site) -> int:
    return layout.graph.steps[site[0]].inputs[site[1]]


def _given(
    layout: Layout, text: Text, call: Span, steps: Sequence[int]
) -> Iterator[tuple[Span, tuple[Site, ...]]]:
    """The variables that are handed over in a call: where each is written, and where it is read."""
    graph = layout.graph
    held: dict[str, list[Site]] = {}
    spans: dict[str, Span] = {}
    for i in steps:
        row = graph.steps[i]
        if row.span is None:
            continue
        for parameter, (argument, step) in text.parameters.handed(i, row.span.line).items():
            for slot, j in enumerate(row.inputs):
                read = text.source.operand(row.span, slot)
                if j == step and isinstance(argument, ast.Name) and read and text.source.text(read) == parameter:
                    held.setdefault(argument.id, []).append((i, slot))
                    begin = call.column + argument.col_offset
                    spans[argument.id] = Span("", call.line, begin, call.line, begin + len(argument.id))
    for name, sites in held.items():
        yield spans[name], tuple(sorted(sites))


def _names(layout: Layout, line: int) -> list[str]:
    """The variables that stand around a call, before it, in the same function."""
    here = function_at(layout.subject.source, line)
    mine = (n for n in nodes(layout.subject.source) if isinstance(n, ast.Name) and n.lineno < line)
    found = (n.id for n in mine if function_at(layout.subject.source, n.lineno) is here)
    return list(dict.fromkeys(reversed(list(found))))
