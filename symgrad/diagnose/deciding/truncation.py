"""Backpropagation that goes back only so many steps in time: a deliberate difference, and no forgotten term."""

from __future__ import annotations

from collections.abc import Sequence

from symgrad.diagnose.observing.subject import BITS
from symgrad.diagnose.observing.truth import Truth
from symgrad.diagnose.text.naming import stem_of
from symgrad.diagnose.walking.blame import Walk
from symgrad.diagnose.walking.verdicts import Root
from symgrad.enclosure import precision

#: What is told apart by the steps that are there needs some of them.
LEAST_STEPS = 2


def told(roots: Sequence[Root], walk: Walk, truth: Truth) -> tuple[list[Root], list[str]]:
    """The roots that are mistakes, and notes for those that only leave out the earliest steps of a recurrence."""
    kept: list[Root] = []
    notes: list[str] = []
    for root in roots:
        with precision(BITS):
            name = _truncated(root, walk, truth)
        if name:
            notes.append(
                f"line {root.unit.line}: {root.unit.name} is truncated in time: nothing flows back beyond {name}; "
                "a deliberate difference, if that is meant"
            )
        else:
            kept.append(root)
    return kept, notes


def _truncated(root: Root, walk: Walk, truth: Truth) -> str:
    """The last step that the gradient flows back to, if the value is the sum over the latest steps of a recurrence, and
    no assignment goes beyond them."""
    graph, subject = walk.graph, walk.subject
    target = root.target
    if target.kind != "cotangent" or not graph.steps[target.bottom].is_input:
        return ""
    parts = sorted(truth.into.get(target.bottom, ()), key=lambda part: -part[0])
    names = [subject.names.get(top, "") for top, _ in parts]
    if len(parts) <= LEAST_STEPS or len({stem_of(name) for name in names}) != 1 or not names[0]:
        return ""
    if len({graph.steps[top].op for top, _ in parts}) != 1:
        return ""
    if not graph.ancestors(parts[0][0])[parts[-1][0]]:
        return ""  # errors of one sample and another follow upon nothing
    running = parts[0][1]
    for n in range(1, len(parts)):
        if n >= LEAST_STEPS and running.same(root.found):
            beyond = {top for top, _ in parts[n:]}
            reached = {m.bottom for m in walk.out.meaning.values() if m.kind in ("cotangent", "contribution", "sum")}
            inner = {j for top in beyond for j in graph.steps[top].inputs if not graph.steps[j].is_input}
            return "" if reached & (beyond | inner) else names[n - 1]
        running = running + parts[n][1]
    return ""
