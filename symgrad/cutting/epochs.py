"""Training in rounds: of a script that trains, its last round is judged, from the parameters that this began with.

Without that, the parameters are what all earlier rounds made of them, each with a whole derivation in it: what is
differentiated would be a hundred epochs deep, and a point near the user's one a hundred epochs away from it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np

from symgrad.diagnose.meaning.following import original
from symgrad.diagnose.text.naming import list_of
from symgrad.frontends.trace.data import Trace
from symgrad.graph import INPUT, Graph
from symgrad.ops import sign_of


@dataclass(frozen=True, slots=True)
class Epoch:
    """The round in which a loss is computed.

    Attributes:
        start: the step with which it begins.
        entering: the steps of earlier rounds that it uses: parameters, velocities, and what else is carried along.
    """

    start: int
    entering: frozenset[int]


def last_epoch(trace: Trace, loss: int) -> Epoch | None:
    """The round that computes a loss, where earlier rounds computed theirs at the same place, and led to the values
    that this one begins with; ``None`` where it is no loss of that kind."""
    if not trace.rounds:
        return None
    added = _added(trace, loss)
    needed = Graph(trace.graph.steps, loss, trace.graph.source).ancestors(*added)
    names = {b.name for b in trace.bindings if b.step == loss}
    summed = not any(b.step in added for b in trace.bindings if b.name in names)
    # What goes into a list has a number of its own in each round: history[3].
    places = {(list_of(b.name), b.line) for b in trace.bindings if b.step == loss}
    alike = [b.step for b in trace.bindings if (list_of(b.name), b.line) in places]
    mine = needed if all(not needed[i] for i in alike if i < loss) else _but_for_roots(trace.graph, added, set(alike))
    earlier = [i for i in alike if not mine[i]]
    # The innermost first: of two loops the inner one's round began later.
    for r in sorted(trace.rounds, key=lambda r: -r.start):
        if r.start <= loss and any(r.begun <= i < r.start for i in earlier):
            entering = _entering(trace.graph, r.begun, r.start)
            carried = [original(trace.graph, i) for i in entering if needed[i]]
            before = max(i for i in earlier if r.begun <= i < r.start)
            if carried and (not summed or any(i > before for i in carried)):
                # A sum over time steps, to which a state is handed on, is made of states that were there before it.
                return Epoch(r.start, entering)
    return None


def _but_for_roots(graph: Graph, ends: Sequence[int], values: Collection[int]) -> list[bool]:
    """What some steps are made of, without what stands before a step of Newton's method: ``x -= f/df``, where some
    values are those of f."""
    needed = [False] * len(graph)
    for i in ends:
        needed[i] = True
    for i in range(max(ends), -1, -1):
        step = graph.steps[i]
        root = needed[i] and sign_of(step.op) == "/" and original(graph, step.inputs[0]) in values
        if needed[i] and not (root and not graph.steps[step.inputs[1]].is_leaf):
            for j in step.inputs:
                needed[j] = True
    return needed


def _added(trace: Trace, loss: int) -> list[int]:
    """What a round adds to a loss that is summed up over the rounds, whatever the sum is divided by in the end; the
    loss itself where it is not."""
    names = {b.name for b in trace.bindings if b.step == loss}
    before = {b.step for b in trace.bindings if b.name in names and b.step < loss}
    step = trace.graph.steps[loss]
    while sign_of(step.op) in ("*", "/") and before & set(step.inputs):
        loss = max(before & set(step.inputs))
        step = trace.graph.steps[loss]
    added = [i for i in step.inputs if i not in before]
    return added if not step.is_leaf and before & set(step.inputs) and added else [loss]


def _entering(graph: Graph, begun: int, start: int) -> frozenset[int]:
    found: set[int] = set()
    for step in graph.steps[start:]:
        found.update(j for j in step.inputs if begun <= j < start and not graph.steps[j].is_leaf)
    return frozenset(found)


def cut_at(graph: Graph, epoch: Epoch) -> Graph:
    """The graph in which what enters a round is given."""
    steps = [replace(s, op=INPUT, inputs=()) if i in epoch.entering else s for i, s in enumerate(graph.steps)]
    return Graph(tuple(steps), graph.output, graph.source)


def before_divergence(trace: Trace) -> tuple[Trace, int] | None:
    """The rounds of training before the one in which finite numbers give an infinite one, and how many they are;
    ``None`` where that is not so, or is so from the first round on: then it is no wrong gradient that does it."""
    finite = [bool(np.isfinite(np.asarray(v, dtype=np.float64)).all()) for v in trace.values]
    made = (i for i, s in enumerate(trace.graph.steps) if not s.is_leaf and all(finite[j] for j in s.inputs))
    bad = next((i for i in made if not finite[i]), None)
    earlier = [r for r in trace.rounds if bad is not None and r.start <= bad]
    if not earlier:
        return None
    last = max(earlier, key=lambda r: r.start)
    done = len({r.start for r in earlier if r.begun == last.begun}) - 1
    return (trace.until(last.start), done) if done else None


__all__ = ["Epoch", "before_divergence", "cut_at", "last_epoch"]
