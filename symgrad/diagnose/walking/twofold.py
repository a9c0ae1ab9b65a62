"""What would make a wrong line right where one change does not: two of them."""

from __future__ import annotations

from collections.abc import Iterator

from symgrad.diagnose.observing.match import Known
from symgrad.diagnose.observing.subject import BITS
from symgrad.diagnose.observing.truth import Quantity
from symgrad.diagnose.values.vectors import Vec, apply
from symgrad.diagnose.walking.places import Context, Line, Place, Repair
from symgrad.diagnose.walking.repair import is_dear, repairs
from symgrad.enclosure import precision

#: A line of more steps than this is a sum of many rounds, and not put right by what is changed in one of them.
LONGEST = 80


def pair_repairs(line: Line, context: Context) -> list[tuple[Repair, ...]]:
    """Changes of two sub-expressions, of which the first is a factor known to be written wrongly."""
    out: list[tuple[Repair, ...]] = []
    if is_dear(line, context) or len(line.inside()) > LONGEST:
        return out
    known, wanted = context.known, context.goal.vec
    with precision(BITS):
        suspects: list[tuple[int, Repair]] = []
        for node in line.inside():
            have = line.values(node)
            for wrong in known.wrong(have):
                right = next((q.vec for q in _local(known, wrong.top, wrong.bottom)), None)
                if right is None:
                    continue
                place = Place(node, _parent(line, node), 0, right, ())
                quantity = Quantity("local", wrong.top, wrong.bottom, right)
                suspects.append((node, Repair(place, wrong.mistake, wrong.words, wrong.cost, quantity)))
        # All suspects at once, then each one with a single repair of the rest.
        chosen: dict[int, Repair] = {}
        for node, repair in suspects:
            if node not in chosen or repair.cost < chosen[node].cost:
                chosen[node] = repair
        if len(chosen) > 1:
            replaced = {n: r.place.wanted for n, r in chosen.items()}
            if line.recompute(replaced).same(wanted):
                out.append(tuple(chosen.values()))
        for node, repair in suspects:
            fixed = _with_value(line, node, repair.place.wanted)
            rest = repairs(fixed, context)
            if rest and rest[0].cost < 2.0 and rest[0].place.parent >= 0:
                out.append((repair, rest[0]))
    return sorted(out, key=lambda rs: sum(r.cost for r in rs))


def _with_value(line: Line, node: int, value: Vec) -> Line:
    """The same line with one of its steps put right."""
    values = _recomputed(line, node, value)

    def read(i: int) -> Vec:
        return values.get(i) or line.values(i)

    def is_stop(i: int) -> bool:
        return i == node or line.is_stop(i)

    return Line(line.graph, line.root, read, is_stop)


def _local(known: Known, top: int, bottom: int) -> Iterator[Quantity]:
    for links in (known.truth.links.get(top, ()), known.truth.elementary.get(top, ())):
        for link in links:
            if link.bottom == bottom and link.local is not None:
                yield Quantity("local", top, bottom, link.local)


def _parent(line: Line, node: int) -> int:
    return next((i for i in line.inside() if node in line.graph.steps[i].inputs), -1)


def _recomputed(line: Line, node: int, value: Vec) -> dict[int, Vec]:
    memo = {node: value}
    for i in sorted(line.inside()):
        if i not in memo:
            step = line.graph.steps[i]
            memo[i] = apply(step.op, [memo.get(j) or line.values(j) for j in step.inputs], step.params)
    return memo
