"""What an assignment may have been meant to be, the most likely first."""

from __future__ import annotations

import bisect
from collections.abc import Collection, Iterator, Mapping, Sequence

from symgrad.diagnose.meaning.names import Pair
from symgrad.diagnose.meaning.reading import MANY, Reading
from symgrad.diagnose.observing.match import Known
from symgrad.diagnose.observing.replay import LOOK_AHEAD, Layout, Replay
from symgrad.diagnose.observing.subject import Unit
from symgrad.diagnose.observing.truth import Quantity, Truth
from symgrad.diagnose.text.naming import index_of, is_bare
from symgrad.diagnose.values.vectors import Vec
from symgrad.diagnose.walking.places import Line

#: A sum over more contributions than this is not taken apart.
NEAREST = 8


class Aims:
    """Targets for the assignments of one walk.

    Args:
        meaning: step -> what it was found to hold; the walk adds to it as it goes on.
    """

    def __init__(
        self, layout: Layout, known: Known, reading: Reading, replay: Replay, meaning: Mapping[int, Quantity]
    ) -> None:
        self.layout, self.known, self.reading, self.replay = layout, known, reading, replay
        self.subject, self.graph = layout.subject, layout.graph
        self.truth: Truth = layout.truth
        self.meaning = meaning

    def follows(self, unit: Unit) -> int:
        """The forward step whose cotangent a name that is used again and again held last; -1 if it held none."""
        mine = self.layout.by_name[unit.name]
        n = bisect.bisect_left(mine, unit.step, key=lambda u: u.step)
        meaning = self.meaning.get(mine[n - 1].step) if n else None
        return meaning.bottom if meaning is not None and meaning.kind in ("cotangent", "contribution") else -1

    def accumulates_on(self, unit: Unit) -> bool:
        """More is added to this name later."""
        return (unit.name, unit.step) in self.layout.continued

    def targets(self, unit: Unit, line: Line, without: Collection[int] = ()) -> list[Quantity]:
        """The candidates for one assignment; ``without``: steps of the line that are not to be believed."""
        used = [i for i in line.used() if i not in without]
        # What was accumulated so far is no upstream gradient, though its value may be one's.
        given = [i for i in used if not (unit.augmented and i == unit.previous)]
        upstream = self._upstream(unit, given)
        if not self.reading.pairs(unit.name):
            held = self.follows(unit) if is_bare(unit.name) else -1
            return self._onward(upstream, [self.replay.corrected(i) for i in used], held)
        everything = line.used()
        if len(self.reading.pairs_of(unit)) > 1:
            everything += self._used_with(unit)
        return self._claimed(unit, upstream, everything, used)

    def _used_with(self, unit: Unit) -> list[int]:
        """Forward steps beside a value where it is used: hs[t] in dw += dz*hs[t] tells which dz it is."""
        out: list[int] = []
        for k in self.layout.dependents(unit.step)[:4]:
            stack, seen = [k], {unit.step}
            while stack and len(seen) < LOOK_AHEAD:
                i = stack.pop()
                for j in self.graph.steps[i].inputs:
                    if j not in seen:
                        seen.add(j)
                        if self.layout.is_forward(j):
                            out.append(j)
                        elif j not in self.layout.units_at:
                            stack.append(j)
        return out

    def _upstream(self, unit: Unit, used: Sequence[int]) -> set[int]:
        """Forward steps whose cotangent the line is given."""
        upstream: set[int] = set()
        for i in used:
            if self.graph.steps[i].is_const:
                continue  # a number is no gradient, even if it is 1
            if not self.layout.is_forward(i) or i == self.subject.loss:
                for q in self.known.right(self.replay.corrected(i)):
                    if q.kind == "cotangent":
                        upstream.add(q.bottom)
                meaning = self.meaning.get(i)
                if meaning is not None and meaning.kind in ("cotangent", "sum", "contribution"):
                    upstream.add(meaning.bottom)
        if not self.reading.pairs(unit.name) and is_bare(unit.name) and (held := self.follows(unit)) >= 0:
            upstream.add(held)
        return upstream | {self.truth.owner[u] for u in upstream if u in self.truth.owner}

    def _onward(self, upstream: set[int], have: list[Vec], held: int) -> list[Quantity]:
        """For a name that says nothing: where the upstream gradients flow to next, from what the line is given and
        from what the name held last."""
        out: list[Quantity] = []
        if held in self.truth.cotangents:
            have = [*have, self.truth.cotangents[held]]
        for top in sorted(upstream, reverse=True):
            near = (*self.truth.elementary.get(top, ()), *self.truth.links.get(top, ()))
            # Two named steps at once: delta = w*delta*sp goes from one layer's z to that of the one before.
            inner = {link.bottom for link in near if link.bottom in self.truth.links}
            far = [link for b in sorted(inner, reverse=True) for link in self.truth.links[b] if len(inner) <= NEAREST]
            # What has been worked out under another name is not worked out again.
            done = {m.bottom for m in self.meaning.values() if m.kind == "cotangent"}
            links = sorted((*near, *far), key=lambda link: (self.reading.is_input(link.bottom), link.bottom in done))
            for link in links:
                flow = link.flow
                # What only passes the gradient on is nothing that one writes a line for.
                passed_on = any(flow.same(vec) for vec in have)
                if not passed_on and all(link.bottom != q.bottom for q in out):
                    out.append(Quantity("contribution", link.top, link.bottom, flow))
        return out

    def _claimed(
        self, unit: Unit, upstream: set[int], everything: Collection[int], used: Sequence[int]
    ) -> list[Quantity]:
        """For a name that says what it is."""
        pairs = self.reading.pairs_of(unit)
        loss = self.subject.loss
        base = None
        if unit.augmented and unit.previous >= 0 and not self.replay.corrected(unit.previous).is_zero:
            base = self.replay.corrected(unit.previous)
        out: list[Quantity] = []
        carried = {m.bottom for i in used if (m := self.meaning.get(i)) is not None and m.kind == "tangent"}
        if not carried and not upstream:
            # dh1 beside dh0: of the line itself nothing was carried forward yet.
            carried = {
                m.bottom for i, m in self.meaning.items()
                if m.kind == "tangent" and any(self.reading.is_topless(u.name) for u in self.layout.units_at.get(i, ()))
            }  # fmt: skip
        for leaf in sorted(carried) if self.reading.is_topless(unit.name) else ():
            tangents = self.truth.tangents(leaf) if self.graph.steps[leaf].is_input else {}
            out += [Quantity("tangent", b, leaf, tangents[b]) for t, b in pairs if t == loss and b in tangents]
        more = self.accumulates_on(unit)
        for top, bottom in self._by_upstream(unit, pairs, upstream, everything):
            if top != loss:
                out.append(Quantity("tangent", top, bottom, self.reading.vec((top, bottom))))
                continue
            if bottom == loss and not self.layout.begins(unit):
                continue
            parts = self.truth.into.get(bottom, [])
            if len(parts) > 2:
                near = self._near(everything)
                parts = sorted(parts, key=lambda part: near.get(part[0], len(near)))[:MANY]
            arriving = [flow for t in upstream if (flow := self.truth.along.get((t, bottom))) is not None]
            whole = Quantity("cotangent", top, bottom, self.reading.vec((top, bottom)))
            if base is not None:
                sums = [
                    Quantity("sum", top, bottom, base + vec)
                    for vec in ([_sum(arriving)] if arriving else []) + [v for _, v in parts[:MANY]]
                ]
                out += [*sums, whole] if more else [whole, *sums]
            elif len(parts) > 1 and more:
                if arriving and len(arriving) < len(parts):
                    out.append(Quantity("sum", top, bottom, _sum(arriving)))
                out.extend(Quantity("contribution", t, bottom, v) for t, v in parts[:MANY])
                out.append(whole)
            else:
                out.append(whole)
        return out

    def _by_upstream(
        self, unit: Unit, pairs: Sequence[Pair], upstream: set[int], used: Collection[int]
    ) -> Iterator[Pair]:
        """Where a name stands for several steps (a loop), the likeliest first: fed by the upstream gradient, near in
        the forward pass to what the line uses, and then in the same place of its list, or as many rounds on."""
        if len(pairs) == 1:
            yield from pairs
            return
        near = self._near(used)
        reach = upstream
        if self.subject.is_shaped:
            # dh*o*(1 - tanh(c)**2) goes from h to c past a step with a name of its own.
            reach = upstream | {link.bottom for t in upstream for link in self.truth.links.get(t, ())}
        fed = [p for p in pairs if any((t, p[1]) in self.truth.along for t in reach)] or list(pairs)
        if len(fed) > 10 * MANY:
            fed = [p for p in fed if p[1] in near] or fed[: 10 * MANY]
        forward = {self.layout.original(i) for i in used}
        children = self.layout.children

        place, turn = index_of(unit.name), self._in_turn(unit, pairs)

        def nearness(pair: Pair) -> tuple[int, bool, bool]:
            around = {pair[1], *self.graph.steps[pair[1]].inputs}
            for k in children[pair[1]][:MANY]:
                around.update(self.graph.steps[k].inputs)
                for deeper in children[k][:MANY]:
                    around.update(self.graph.steps[deeper].inputs)
            same = bool(place) and index_of(self.subject.names.get(pair[1], "")) == place
            return len({self.layout.original(i) for i in around} & forward), same, pair[0] == turn

        # What is added to a part of a cotangent makes more of the same cotangent.
        parts = {m.bottom for i in used if (m := self.meaning.get(i)) is not None and m.kind in ("contribution", "sum")}
        if self.subject.is_shaped and (grown := [p for p in pairs if p[1] in parts]):
            fed = [*grown, *(p for p in fed if p not in grown)]
            yield from [*grown, *sorted(fed[len(grown) :], key=nearness, reverse=True)][:NEAREST]
            return
        yield from sorted(fed, key=nearness, reverse=True)[:NEAREST]

    def _in_turn(self, unit: Unit, pairs: Sequence[Pair]) -> int:
        """Of what is carried forward, the value that the forward pass has in the same round; -1 where rounds differ."""
        tops = sorted(top for top, _ in pairs)
        rounds = [u.step for u in self.layout.by_name[unit.name] if u.line == unit.line]
        if self.subject.loss in tops or len(rounds) != len(tops):
            return -1
        return tops[rounds.index(unit.step)]

    def _near(self, used: Collection[int]) -> dict[int, int]:
        """Forward steps a few steps on from those that a line uses, and how many."""
        near = {j: 0 for i in used for j in (i, self.layout.origin(i), self.layout.original(i))}
        near = {j: 0 for j in near if self.layout.is_forward(j)}
        # A weight is used everywhere, and so says nothing about where.
        near = {i: 0 for i in near if len(self.layout.children[i]) <= MANY}
        edge = list(near)
        for distance in range(1, 5):
            edge = [k for i in edge for k in self.layout.children[i] if self.layout.is_forward(k) and k not in near]
            near.update((k, distance) for k in edge)
        return near


def _sum(vecs: Sequence[Vec]) -> Vec:
    total = vecs[0]
    for vec in vecs[1:]:
        total = total + vec
    return total
