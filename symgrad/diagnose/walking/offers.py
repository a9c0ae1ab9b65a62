"""What can be written in a line of arrays: variables, derivatives that are held, entries of lists."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from symgrad.diagnose.observing.truth import Quantity
from symgrad.diagnose.values.vectors import Vec
from symgrad.diagnose.walking.region import Offer, Region

#: Factors and terms that are tried, the nearest first.
MOST_OFFERS = 60
#: The name of an entry of a list.
SERIES = re.compile(r"^(.*)\[(-?\d+)\]$")


def offers(region: Region) -> list[Offer]:
    """What can be written in the line: variables of the forward pass, derivatives that are held, local derivatives."""
    context, root = region.context, region.line.root
    truth = context.known.truth
    out: list[Offer] = []
    loops = len(region.ends) > 1
    seen: set[object] = set()

    def offer(q: Quantity, value: Callable[[int], Vec] | None = None, series: tuple[str, int] | None = None) -> None:
        key = (q.kind, series, q.vec.shape, q.vec.floats)
        itself = q.kind != "forward" and q.vec.same(region.goal)  # to write down the answer is no repair
        if key not in seen and not itself:
            seen.add(key)
            out.append(Offer(q, value or (lambda i, vec=q.vec: vec), series))  # type: ignore[misc]

    names = dict(truth.subject.names)
    stems = Counter(m.group(1) for name in names.values() if (m := SERIES.match(name)))
    for i, name in sorted(names.items(), key=lambda item: abs(item[0] - context.goal.bottom)):
        vec = truth.values[i]
        match = SERIES.match(name)
        if vec is not None and not (loops and match and stems[match.group(1)] > 1):
            offer(Quantity("forward", -1, i, vec))
    if loops:
        for q, value, series in _series(region):
            offer(q, value, series)
    for q, vec in context.derivatives(root):
        if q.kind in ("cotangent", "contribution", "sum"):
            offer(Quantity(q.kind, q.top, q.bottom, vec))
    for top, bottom in sorted(
        ((link.top, link.bottom) for links in (*truth.links.values(), *truth.elementary.values()) for link in links),
        key=lambda pair: abs(pair[1] - context.goal.bottom),
    ):
        for link in (*truth.links.get(top, ()), *truth.elementary.get(top, ())):
            if link.bottom == bottom and link.local is not None and link.local.constant() is None:
                offer(Quantity("local", top, bottom, link.local))
        if len(out) > MOST_OFFERS:
            break  # what lies farther off in the forward pass
    for top, flow in truth.into.get(context.goal.bottom, ()):
        offer(Quantity("contribution", top, context.goal.bottom, flow))
    return out


def _series(region: Region) -> Iterator[tuple[Quantity, Callable[[int], Vec], tuple[str, int]]]:
    """Entries of lists, by how far they lie from the entry that a round of the loop is about."""
    context = region.context
    truth = context.known.truth
    entries: dict[str, dict[int, int]] = {}
    for i, name in truth.subject.names.items():
        match = SERIES.match(name)
        if match and truth.values[i] is not None:
            entries.setdefault(match.group(1), {})[int(match.group(2))] = i
    about: list[Counter[int]] = [Counter() for _ in region.ends]
    for i in region.steps:
        for j in region.graph.steps[i].inputs:
            match = SERIES.match(context.variable(j))
            if match:
                about[region.round_of(i)][int(match.group(2))] += 1
    rounds = [c.most_common(1)[0][0] if c else None for c in about]
    for stem, held in entries.items():
        for offset in (0, -1, 1):
            places = [None if t is None else held.get(t + offset) for t in rounds]
            known = [p for p in places if p is not None]
            if len(known) < max(1, len(rounds) - 1):
                continue
            first = truth.values[known[0]]
            assert first is not None  # only entries with values are kept

            def value(i: int, places: Sequence[int | None] = places, first: Vec = first) -> Vec:
                place = places[region.round_of(i)]
                vec = truth.values[place] if place is not None else None
                return vec if vec is not None else first - first

            yield Quantity("forward", -1, known[0], first), value, (stem, offset)
