"""``q = round(z)`` and ``dz = dq``: the gradient goes straight through what has no slope of its own, on purpose."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Collection
from dataclasses import replace
from typing import Any

from symgrad.errors import Span, SymgradError
from symgrad.frontends.trace.data import Trace
from symgrad.graph import INPUT, Step
from symgrad.manual.work import Account
from symgrad.ops import OPS
from symgrad.ops.base import SUM

#: How a note ends that says of a deliberate difference that the rest is judged with it.
RIGHT_AS_THAT = "and right as that"
#: How the recorder says what it took as a constant.
_ROUNDED = re.compile(r"the result of (?:math\.|numpy\.|torch\.)?(round|floor|ceil|trunc|rint) is taken as a constant")
_NAME = re.compile(r"(?<![\w.])[A-Za-z_][\w.]*(?![\w(])")


def passed_straight(taken: Account) -> Account:
    """The account of the run in which a gradient passes a rounding as if it were not there, where more is understood
    then, and says so. Who has a zero there is right as it is."""
    graph = taken.subject.graph
    needed = graph.ancestors(taken.subject.loss)
    forward = {s.span for i, s in enumerate(graph.steps) if needed[i] and s.span is not None}
    if (straight := straightened(taken.trace, forward)) is None:
        return taken
    best = _against(taken, straight)
    if best is taken or not best.diagnosis.blames:
        return best
    if (plain := straightened(taken.trace, forward, plainly=True)) is not None:
        # Where what was rounded is clipped as well, it makes no difference then which of both is asked for the mask.
        other = _against(taken, plain)
        fewer = len(other.diagnosis.blames) < len(best.diagnosis.blames)
        best = other if fewer and other is not taken else best
    return best


def _against(taken: Account, straight: tuple[Trace, str]) -> Account:
    """The account of the run that is made straight, where more is understood then; else the one that was given."""
    try:
        again = taken.against(taken.work.subject(straight[0]))
    except SymgradError:
        return taken
    found = again.diagnosis
    zeros = any(b.found_value == 0 for b in found.blames)
    if len(found.right) < len(taken.diagnosis.right) or again.told <= taken.told or zeros:
        return taken
    return replace(again, diagnosis=replace(found, notes=(*found.notes, straight[1])))


def straightened(
    trace: Trace, forward: Collection[Span] | None = None, *, plainly: bool = False
) -> tuple[Trace, str] | None:
    """The run in which what was rounded is what it was before and a number more, and what is to be said of it; ``None``
    where nothing was rounded.

    Args:
        forward: the places of the forward pass, where they are known: sign(r) in a derivation is the slope of abs(r).
        plainly: it is what it was before, and no number more.
    """
    found = {i: told for i, told in _rounded(trace).items() if forward is None or _is_in(trace, i, forward)}
    if not found:
        return None
    places = sorted(found)

    def moved(i: int) -> int:
        return i + bisect_right(places, i)

    steps: list[Step] = []
    values: list[Any] = []
    for i, step in enumerate(trace.graph.steps):
        if i in found:
            before = found[i][0]
            offset = (trace.values[i] - trace.values[before]) * (not plainly)
            steps.append(Step(f"%rounding{i}", INPUT, (), shape=step.shape, span=step.span))
            values.append(offset)
            steps.append(replace(step, op=SUM, inputs=(moved(before), len(steps) - 1), params=()))
        else:
            steps.append(replace(step, inputs=tuple(map(moved, step.inputs))))
        values.append(trace.values[i])
    made = trace.relocated(steps, values, moved)
    gone = {moved(i) for i in found}
    made = replace(made, leaves=tuple(leaf for leaf in made.leaves if leaf.step not in gone))
    lines = ", ".join(str(n) for n in sorted({where.line for _, _, where in found.values()}))
    names = ", ".join(sorted({name for _, name, _ in found.values()}))
    return made, (
        f"line {lines}: the gradient is passed straight through {names}: a deliberate difference, {RIGHT_AS_THAT}"
    )


def _is_in(trace: Trace, i: int, forward: Collection[Span]) -> bool:
    """A step is one of the forward pass; what was taken as a constant may be."""
    step = trace.graph.steps[i]
    return step.is_leaf or step.span in forward


def _rounded(trace: Trace) -> dict[int, tuple[int, str, Span]]:
    """What was rounded: step -> (what it was before, by which function, where)."""
    out: dict[int, tuple[int, str, Span]] = {}
    steps = trace.graph.steps
    for i, step in enumerate(steps):
        if len(step.inputs) == 1 and step.span is not None and any(k.jump for k in OPS[step.op].kinks):
            out[i] = (step.inputs[0], OPS[step.op].title, step.span)
    told = {n.span: m[1] for n in trace.notes if (m := _ROUNDED.match(n.message)) is not None}
    for i, source in trace.roundings.items():
        if (where := steps[i].span) is not None and steps[source].shape == steps[i].shape:
            out[i] = source, told.get(where, "round"), where
    for note in trace.notes:
        match = _ROUNDED.match(note.message)
        for leaf in trace.leaves if match is not None else ():
            if match is None or leaf.literal or leaf.step in out or not _holds(leaf.span, note.span):
                continue
            begin = trace.graph.source.split("\n")[leaf.span.line - 1]
            text = begin[leaf.span.column - 1 : leaf.span.end_column - 1]
            read = set(_NAME.findall(text))
            before = {b.name: b.step for b in trace.bindings if b.name in read and b.step < leaf.step}
            if len(before) == 1:
                (source,) = before.values()
                if steps[source].shape == steps[leaf.step].shape:
                    out[leaf.step] = (source, match[1], note.span)
    return out


def _holds(outer: Span, inner: Span) -> bool:
    same = outer.line == outer.end_line == inner.line == inner.end_line
    return same and outer.column <= inner.column and inner.end_column <= outer.end_column

