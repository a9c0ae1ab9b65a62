"""What a function of one expression gives back, where it computes nothing itself: a step of its own.

``dact = lambda s: act(s)`` hands on what ``act`` made, and ``return 1`` a number: without a step there would be nothing
at the line that could be wrong.
"""

from __future__ import annotations

import ast
import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from symgrad.diagnose.text.callees import Callee, called_by, callees
from symgrad.diagnose.text.naming import claims, is_plain, normal
from symgrad.diagnose.text.source import SourceMap, source_map
from symgrad.diagnose.text.syntax import nodes
from symgrad.errors import Span
from symgrad.frontends.trace.data import Binding, Trace
from symgrad.graph import Step
from symgrad.ops.base import COPY


@dataclass(frozen=True, slots=True)
class _Copy:
    """A step to be made before step ``before``, of step ``origin``, read by ``slot`` of ``before`` (-1: by a name)."""

    before: int
    origin: int
    slot: int
    callee: Callee
    call: Span
    order: int = -1


def with_returns(trace: Trace) -> Trace:
    """The same run with a step for each value that a function of the derivation hands on. Of numbers only."""
    steps = trace.graph.steps
    if any(step.shape for step in steps) or not ("def " in trace.graph.source or "lambda" in trace.graph.source):
        return trace
    mine = _of_the_derivation(callees(trace.graph.source), trace.graph.source, _begin(trace))
    copies = list(_copies(trace, mine)) if mine else []
    if not copies:
        return trace
    after = [c.before for c in copies]

    def moved(i: int) -> int:
        return i + bisect_right(after, i)

    made: list[Step] = []
    values = []
    callers: dict[int, Span] = {}
    own: dict[int, int] = {}
    waiting = list(copies)
    source = source_map(trace.graph.source)
    #: A name that was given what a call handed on -> what that was, and the step of its own.
    held: dict[str, tuple[int, int]] = {}
    for i in range(len(steps) + 1):
        inputs = list(map(moved, steps[i].inputs)) if i < len(steps) else []
        while waiting and waiting[0].before == i:
            c = waiting.pop(0)
            span = c.callee.span(c.call.file)
            made.append(Step(f"%return{len(made)}", COPY, (moved(c.origin),), span=span))
            values.append(trace.values[c.origin])
            callers[len(made) - 1] = c.call
            if c.slot >= 0:
                inputs[c.slot] = len(made) - 1
            else:
                own[c.order] = len(made) - 1
                held[trace.bindings[c.order].name] = (c.origin, len(made) - 1)
        for slot, j in enumerate(steps[i].inputs if held and i < len(steps) else ()):
            before = held.get(_text(source, steps[i].span, slot))
            if before is not None and before[0] == j:
                inputs[slot] = before[1]
        if i < len(steps):
            made.append(replace(steps[i], inputs=tuple(inputs)))
            values.append(trace.values[i])
    found = trace.relocated(made, values, moved)
    return replace(
        found,
        callers={**found.callers, **callers},
        bindings=tuple(replace(b, step=own.get(b.order, b.step)) for b in found.bindings),
    )


def _text(source: SourceMap, span: Span | None, slot: int) -> str:
    place = source.operand(span, slot)
    return source.text(place).strip() if place is not None else ""


def _begin(trace: Trace) -> int:
    """The line at which the derivation begins: the first that gives a value to a name that reads as a derivative."""
    known: set[str] = set()
    for b in trace.bindings:
        reads = is_plain(b.name) or any(c.bottom in known for c in claims(b.name))
        if reads and not trace.graph.steps[b.step].is_leaf:
            return b.line
        known.add(normal(b.name))
    return -1


def _of_the_derivation(found: Mapping[str, Callee], source: str, begin: int) -> dict[str, Callee]:
    """The functions that nothing calls before the derivation begins, but functions of this kind."""
    if begin < 0:
        return {}
    out = dict(found)
    inside = {c.place[0]: name for name, c in found.items()}
    sites: dict[str, set[int]] = {}
    for node in nodes(source):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in found:
            sites.setdefault(node.id, set()).add(node.lineno)
    while True:
        early = [
            name for name in out
            if any(line < begin and inside.get(line) not in out for line in sites.get(name, ()))
        ]  # fmt: skip
        if not early:
            return out
        for name in early:
            del out[name]


def _copies(trace: Trace, mine: dict[str, Callee]) -> Iterator[_Copy]:
    """What is handed on by a call and was made elsewhere, in the order of the steps that read it."""
    steps, source = trace.graph.steps, source_map(trace.graph.source)
    names = re.compile(rf"\b({'|'.join(map(re.escape, mine))})\(")
    bound: dict[int, list[Binding]] = {}
    places: dict[tuple[Span | None, int], Span | None] = {}
    latest = -1
    for b in trace.bindings:
        latest = max(latest, b.step)
        bound.setdefault(latest + 1, []).append(b)
    for k in range(len(steps) + 1):
        reads: list[tuple[int, int, Span | None, int]] = []
        reads += [(b.step, -1, b.span, b.order) for b in bound.get(k, ()) if not b.augmented]
        if k < len(steps):
            for slot, j in enumerate(steps[k].inputs):
                key = (steps[k].span, slot)
                if key not in places:
                    places[key] = source.operand(*key)
                reads.append((j, slot, places[key], -1))
        for origin, slot, place, order in reads:
            text = source.text(place).strip() if place is not None else ""
            if place is None or not names.match(text):
                continue
            call = called_by(text, mine)
            span = steps[origin].span
            if call is None or ((callee := mine[call[0]]).holds(span) and not steps[origin].is_const):
                continue
            yield _Copy(k, origin, slot, callee, place, order)
