"""From a step to those that it is made of: through other names, and down to leaves."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from symgrad.diagnose.observing.replay import LOOK_AHEAD
from symgrad.graph import Graph, Step
from symgrad.ops import RENAMING

#: What the step is called that something of the derivation is moved by, where that has been given one of its own.
OF_A_MOVE = "%move"


def ends_of(graph: Graph, step: int, is_end: Callable[[int], bool]) -> list[int]:
    """The leaves and other ends that a step is computed from."""
    out: list[int] = []
    seen: set[int] = set()
    stack = list(graph.steps[step].inputs)
    while stack and len(seen) < 10 * LOOK_AHEAD:
        i = stack.pop()
        if i in seen:
            continue
        seen.add(i)
        if graph.steps[i].is_leaf or is_end(i):
            out.append(i)
        else:
            stack.extend(graph.steps[i].inputs)
    return out


def is_made_of(steps: Sequence[Step], one: int, earlier: int) -> bool:
    """A step is computed from an earlier one: what lies between the two is looked at, and no more."""
    stack, seen = [one], set[int]()
    while stack:
        i = stack.pop()
        if i == earlier:
            return True
        if i > earlier and i not in seen:
            seen.add(i)
            stack.extend(steps[i].inputs)
    return False


def original(graph: Graph, i: int) -> int:
    steps = graph.steps
    while steps[i].op in RENAMING:
        i = steps[i].inputs[0]
    return i
