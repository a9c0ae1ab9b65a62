"""Lines of arrays that are wrong as wholes: what they should be is known, and not how they came to be something else.

That says where a mistake is, and not what it is.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING

from symgrad.diagnose.effects.exchanges import Elsewhere
from symgrad.diagnose.observing.replay import Layout
from symgrad.diagnose.observing.subject import Unit
from symgrad.diagnose.observing.truth import Quantity
from symgrad.diagnose.text.naming import claims, is_bare
from symgrad.diagnose.values.shaped import Shaped, lifted
from symgrad.diagnose.values.vectors import Vec
from symgrad.diagnose.walking.places import UNPLACED, Repair
from symgrad.diagnose.walking.region import Make, Site, slimmed
from symgrad.errors import Span
from symgrad.ops import OPS
from symgrad.ops.slips import written

if TYPE_CHECKING:
    from symgrad.diagnose.effects.board import Board
    from symgrad.diagnose.effects.lines import Text
    from symgrad.diagnose.effects.passage import Passage

#: What it costs that a line is wrong, and nothing is known of how; that it is left at zero.
UNEXPLAINED = 2.6
LEFT = 2.0

#: Numbers are told like arrays where there are so many of them, one in each round of a loop.
NUMBERS = 3

#: The mistake of what is left at zeros.
UNSET = "never-assigned"

Try = tuple[tuple[Site, ...], Make, Repair]




def _entries(vec: Vec) -> Iterator[Vec]:
    arrays = lifted(vec).arrays
    return (Shaped([a.reshape(-1)[k] for a in arrays]) for k in range(arrays[0].size))


def is_whole(repair: Repair) -> bool:
    """The repair says that a line is wrong, and not what is wrong in it."""
    return repair.cost == UNEXPLAINED


class Outright:
    """What lines should be as wholes: the cotangents of the forward pass, one for every round of a loop."""

    def __init__(self, layout: Layout) -> None:
        self.layout, self.truth = layout, layout.truth

    @cached_property
    def _series(self) -> list[list[tuple[int, Vec]]]:
        """Cotangents that belong together, in the order of the forward pass: of what the same characters made, and of
        what is read at one place of the text (the first state, and then those that were worked out)."""
        steps = self.layout.graph.steps
        made: dict[tuple[Span | None, tuple[int, ...]], dict[int, Vec]] = {}
        for bottom, vec in sorted(self.truth.cotangents.items()):
            if vec.usable and not vec.is_zero:
                made.setdefault((steps[bottom].span, vec.shape), {})[bottom] = vec
        read: dict[object, list[tuple[int, Vec]]] = {}
        for i in sorted(self.truth.cotangents):
            for slot, j in enumerate(steps[i].inputs):
                found = self.truth.cotangents.get(j)
                if found is not None and found.usable and not found.is_zero:
                    read.setdefault((steps[i].span, steps[i].op, slot, found.shape), []).append((j, found))
        out = [list(mine.items()) for mine in made.values()]
        wide: dict[object, dict[int, Vec]] = {}
        for (span, _), mine in made.items():
            wide.setdefault(span, {}).update(mine)
        # Layers need not be of one width.
        out += [sorted(mine.items()) for mine in wide.values() if len({v.shape for v in mine.values()}) > 1]
        seen = {tuple(i for i, _ in mine) for mine in out}
        for some in read.values():
            key = tuple(i for i, _ in some)
            if len(set(key)) == len(key) > 1 and key not in seen:
                seen.add(key)
                out.append(some)
        return out

    def series(self, rounds: int) -> Iterator[tuple[Quantity, list[Vec]]]:
        """The cotangents for every round of a loop of so many, in both orders; or one by one, and parts of sums."""
        loss = self.layout.subject.loss
        if rounds == 1:
            for bottom, vec in sorted(self.truth.cotangents.items()):
                if vec.usable and not vec.is_zero and vec.shape:
                    yield Quantity("cotangent", loss, bottom, vec), [vec]
            # What flows along one of several paths: of a loss and its regulariser, worked out one after the other.
            for bottom, flows in sorted(self.truth.into.items()):
                for top, vec in flows if len(flows) > 1 else ():
                    if vec.usable and not vec.is_zero and vec.shape:
                        yield Quantity("contribution", top, bottom, vec), [vec]
                yield from self._by_line(bottom, flows)
            return
        for found in self._series:
            if rounds < NUMBERS and not found[0][1].shape:
                continue
            # What the last round works out, by the first state, may be nothing that anybody asks for.
            orders = (found[::-1], found) if len(found) == rounds else (found[::-1],)
            for order in orders if rounds - 1 <= len(found) <= rounds else ():
                vecs = [vec for _, vec in order]
                yield Quantity("cotangent", loss, *order[0]), vecs + [vecs[-1] - vecs[-1]] * (rounds - len(vecs))
        for found in (*self._series, *([item] for item in self.truth.cotangents.items())):
            if found[0][1].shape and sum(math.prod(vec.shape) for _, vec in found) == rounds:
                # One entry after the other: dscore of each class of each sample.
                vecs = [entry for _, vec in found for entry in _entries(vec)]
                yield Quantity("cotangent", loss, found[0][0], vecs[0]), vecs

    def _by_line(self, bottom: int, flows: Sequence[tuple[int, Vec]]) -> Iterator[tuple[Quantity, list[Vec]]]:
        """What flows along the paths through one line of the forward pass, in all its rounds together."""
        steps = self.layout.graph.steps
        groups: dict[object, list[tuple[int, Vec]]] = {}
        for top, vec in flows:
            groups.setdefault(steps[top].span, []).append((top, vec))
        for found in groups.values() if len(groups) > 1 else ():
            vecs = [vec for _, vec in found]
            if len(vecs) > 1 and all(v.usable for v in vecs) and vecs[0].shape:
                total = sum(vecs[1:], vecs[0])
                yield Quantity("sum", found[-1][0], bottom, total), [total]

    def lines(self, passage: Passage) -> Iterator[Try]:
        """A line as a whole is a cotangent of the forward pass, in every round.

        Of a line that works out a result it says nothing new.
        """
        rounds = len(passage.ends)
        ends, parts = self._ends(passage)
        if not ends or len(ends) != rounds:
            return
        shapes = {passage.graph.steps[i].shape for i, _ in ends}
        # What is carried into another round is what flows along some of the paths.
        carried = passage.flowing(rounds) if rounds > 1 else ()
        for q, vecs in self._put_off(chain(self.series(rounds), carried), passage.steps[-1]):
            if parts and q.kind == "cotangent":
                continue
            if any(v.shape in shapes or v.shape in passage.wanted for v in vecs):

                def make(i: int, value: Vec, _args: Sequence[Vec], vecs: Sequence[Vec] = vecs) -> Vec:
                    return slimmed(vecs[passage.round_of(i)], value)

                words = "is not the derivative that belongs here"
                yield ends, make, Repair(UNPLACED, "wrong-formula", words, UNEXPLAINED, q)

    def _put_off(
        self, found: Iterable[tuple[Quantity, list[Vec]]], last: int
    ) -> Iterator[tuple[Quantity, list[Vec]]]:
        """The same, and what is divided later by a count: ``dscore`` in a loop over the samples, and ``dW /= n``."""
        counts = list({number: count for i, number, count in self._divided if i > last}.values())
        for q, vecs in found:
            yield q, vecs
            for count in counts if q.kind == "cotangent" else ():
                yield q, [v * count for v in vecs]

    @cached_property
    def _divided(self) -> list[tuple[int, float, Vec]]:
        """Where the derivation divides by how many there are of something, and by which number."""
        layout, steps = self.layout, self.layout.graph.steps
        lengths = {n for i, s in enumerate(steps) if layout.is_forward(i) for n in s.shape} - {0, 1}
        out = []
        for i, step in enumerate(steps):
            infix = None if step.is_leaf or layout.is_forward(i) else OPS[step.op].infix
            by = step.inputs[1] if infix is not None and infix.symbol == "/" else -1
            if by >= 0 and steps[by].is_leaf and not steps[by].shape:
                vec = layout.actual(by)
                number = float(lifted(vec).arrays[0])
                if number in lengths:
                    out.append((i, number, vec))
        return out

    def _ends(self, passage: Passage) -> tuple[tuple[Site, ...], bool]:
        """What the rounds of a line work out, and whether that is only a part of what its name is in the end.

        Of a line that changes what was there it is known only where no loop goes on with it: ``d /= n``.
        """
        steps, units = passage.graph.steps, passage.units
        parts = any((u.name, u.step) in self.layout.continued for u in units)
        if len(passage.ends) == 1 and units and not passage.text.loops.get(passage.number):
            last = units[-1]
            called = last.name.partition("[")[0]
            plain = not (parts or last.augmented or written(steps[last.step].op))
            if plain or is_bare(called) or any(claims(called)):  # a mask is no gradient
                return ((last.step, -1),), parts
        ends = tuple((i, -1) for i in sorted({u.step for u in units if not u.augmented}) or passage.handed)
        return () if parts or any(written(steps[i].op) for i, _ in ends) else ends, False

    def left_at_zero(self, board: Board, text: Text) -> Iterator[tuple[Elsewhere, Try]]:
        """What was set to zeros and is used as that, in every round of a loop."""
        layout, steps = self.layout, self.layout.graph.steps
        lines: dict[tuple[int, str], list[Unit]] = {}
        for unit in layout.subject.units:
            step = steps[unit.step]
            if step.is_leaf and step.shape and not layout.is_forward(unit.step) and layout.actual(unit.step).is_zero:
                lines.setdefault((unit.line, unit.name), []).append(unit)
        for (line, _), units in lines.items():
            where = {u.step: n for n, u in enumerate(units)}
            sites = {
                (k, slot): where[j]
                for i in where
                for k in layout.children[i]
                if board.moves(k)
                for slot, j in enumerate(steps[k].inputs)
                if j == i
            }
            if not sites or len(where) != len(units) or any((u.name, u.step) in layout.continued for u in units):
                continue
            for q, vecs in self.series(len(units)):
                if vecs[0].shape != steps[units[0].step].shape:
                    continue

                def make(
                    i: int, value: Vec, args: Sequence[Vec], vecs: Sequence[Vec] = vecs,
                    sites: dict[Site, int] = sites,
                ) -> Vec:  # fmt: skip
                    slot = next((s for s, a in enumerate(args) if a is value), -1)
                    return slimmed(vecs[sites[i, slot]], value) if (i, slot) in sites else value

                words = "is zero where a gradient belongs"
                repair = Repair(UNPLACED, UNSET, words, LEFT, q, span=units[0].span)
                yield Elsewhere(layout, board, line, text), (tuple(sorted(sites)), make, repair)
