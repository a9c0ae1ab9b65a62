"""``log(p + 1e-8)``: the small number keeps the logarithm from 0, and what people derive is ``log(p)``, on purpose."""

from __future__ import annotations

from dataclasses import replace

from symgrad.frontends.trace.data import Trace
from symgrad.graph import Graph
from symgrad.manual.work import Account
from symgrad.ops.base import COPY
from symgrad.ops.recognise import SMALL_GUARD, guards


def without_epsilons(taken: Account) -> Account:
    """The account of the run without them, where that leaves less wrong or open, and says so."""
    first = taken.diagnosis
    if not (first.blames or first.unchecked) or (plain := _plain(taken.trace)) is None:
        return taken
    again = taken.against(taken.work.subject(plain[0]))
    found = again.diagnosis
    # To blame a line is to have understood it; to find it right, or of no concern, is better.
    fewer = len(found.blames) < len(first.blames) and len(found.unchecked) <= len(first.unchecked)
    if len(found.right) < len(first.right) or not (fewer or again.told > taken.told):
        return taken
    return replace(again, diagnosis=replace(found, notes=(*found.notes, plain[1])))


def _plain(trace: Trace) -> tuple[Trace, str] | None:
    """The run as it would be without the small numbers inside logarithms, and what is to be said of them; ``None``
    where there are none."""
    steps = list(trace.graph.steps)

    def is_small(i: int) -> bool:
        value = trace.values[i]
        return steps[i].is_leaf and isinstance(value, float) and 0 < value <= SMALL_GUARD

    found = guards(steps, is_small)
    if not found:
        return None
    for i in found:
        kept = [j for j in steps[i].inputs if not is_small(j)]
        steps[i] = replace(steps[i], op=COPY, inputs=(kept[0],))
    numbers = sorted({float(trace.values[j]) for i in found for j in trace.graph.steps[i].inputs if is_small(j)})  # type: ignore[arg-type]
    lines = sorted({span.line for i in found if (span := steps[i].span) is not None})
    said = ", ".join(f"{n:g}" for n in numbers)
    where = ", ".join(map(str, lines))
    message = (
        f"line {where}: {said} inside the logarithm is left out of the derivative: a deliberate difference, and right "
        "as the derivative without it"
    )
    return replace(trace, graph=Graph(tuple(steps), trace.graph.output, trace.graph.source)), message
