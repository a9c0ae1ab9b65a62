"""The elements of a sum over a comprehension: each is a round of its line, as those of a loop are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from symgrad.diagnose.text.source import SourceMap
from symgrad.errors import Span
from symgrad.graph import Graph
from symgrad.ops import OPS

#: A longer sum is not taken apart: every change would have to be made in each of its elements.
MOST_ELEMENTS = 40


@dataclass(frozen=True, slots=True)
class Sum:
    """One run of a sum.

    Attributes:
        adds: for each element, the step that adds it, and which of its inputs it is.
        element: where the expression of an element is written.
        lists: what the variables of the comprehension run through.
    """

    adds: tuple[tuple[int, int], ...]
    element: Span
    lists: Mapping[str, str]


class Elements:
    """Takes the sums of a derivation apart."""

    def __init__(self, graph: Graph, source: SourceMap) -> None:
        self.graph, self.source = graph, source

    def of(self, i: int) -> Sum | None:
        """The sum over a comprehension that a step ends."""
        steps, span = self.graph.steps, self.graph.steps[i].span
        found = self.source.summed(span)
        if span is None or found is None or not self._is_add(i):
            return None
        adds = [(i, 1)]
        while steps[first := steps[i].inputs[0]].span == span and self._is_add(first):
            i = first
            adds.append((i, 1))
        if not steps[first].is_const:  # what it begins with is no element
            adds.append((i, 0))
        if len(adds) > MOST_ELEMENTS:
            return None
        return Sum(tuple(reversed(adds)), self.source.span_of(span.file, found.element), found.lists)

    def _is_add(self, i: int) -> bool:
        step = self.graph.steps[i]
        infix = None if step.is_leaf else OPS[step.op].infix
        return infix is not None and infix.symbol == "+" and not infix.prefix

    def rounds(self, root: int, collect: Callable[[int, dict[Span, int], list[Sum]], None]) -> list[dict[Span, int]]:
        """The operations of a line, by place, in each of its rounds: what is outside of its sums belongs to the first.

        ``collect`` adds what a step is made of, down to the sums there, to both.
        """
        out: list[dict[Span, int]] = [{}]
        sums: list[Sum] = []
        collect(root, out[0], sums)
        for total in sums:
            for k, (add, slot) in enumerate(total.adds):
                if k == len(out):
                    out.append({})
                collect(self.graph.steps[add].inputs[slot], out[k], [])
        return out

    def bare(self, rounds: Sequence[Mapping[Span, int]]) -> Iterator[Sum]:
        """The sums in a line of which the elements are nothing that is worked out: ``sum(d for e, d in ...)``."""
        for i in rounds[0].values():
            total = self.of(i)
            if total is not None and total.element not in rounds[0] and len(total.adds) == len(rounds):
                yield total


__all__ = ["Elements", "Sum"]
