"""One line of the text, in all its rounds, and what could be written in it: variables, entries of lists, slopes."""

from __future__ import annotations

import ast
import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from functools import cached_property, partial
from itertools import combinations, islice
from operator import itemgetter

from symgrad.diagnose.effects.board import Board
from symgrad.diagnose.effects.lines import Listed, Text
from symgrad.diagnose.observing.match import Known
from symgrad.diagnose.observing.replay import Layout
from symgrad.diagnose.observing.subject import Unit
from symgrad.diagnose.observing.truth import Link, Quantity
from symgrad.diagnose.trying.typed import shifted
from symgrad.diagnose.values.shaped import lifted
from symgrad.diagnose.values.vectors import Vec, apply
from symgrad.diagnose.walking.offers import SERIES
from symgrad.diagnose.walking.places import Context, Line
from symgrad.diagnose.walking.region import Offer, Region, Site
from symgrad.ops.slips import is_place
from symgrad.ops.writing import is_united

#: One entry of an array, by its number.
_ITEM = re.compile(r"[A-Za-z_]\w*(?:\[-?\d+(?:, *-?\d+)*\])+")
#: Factors that are offered, the nearest first.
MOST_FACTORS = 40
#: Entries of lists are offered one by one up to this many.
MOST_ENTRIES = 16
#: What a function was given is looked up for so many calls.
MOST_CALLS = 8
#: Sums of some of the paths from a state are looked at where there are no more than this.
MOST_PATHS = 5


class Reader(Region):
    """The steps that one line made.

    Args:
        line: its number; ``steps``: what it made, in all rounds.
        goal: what the line's value should be, as far as it is known; else what it is.
        text: the user's; ``listed``: the entries of all lists.
    """

    def __init__(
        self, layout: Layout, known: Known, board: Board, line: int, steps: Sequence[int], goal: Vec,
        text: Text, listed: Listed,
    ) -> None:  # fmt: skip
        self.text, self.listed = text, listed
        self.layout, self.board, self.number = layout, board, line
        self.graph = layout.graph
        self.steps = sorted(steps)
        self._own = set(self.steps)
        self._rounds = self._counted()
        self.ends = list(range(max(self._rounds.values()) + 1))
        root = self.steps[-1]
        self.line = Line(self.graph, root, layout.actual, lambda i: i not in self._own)
        self.context = Context(
            known, layout.variable, lambda q: True, layout.origin, lambda i: False, True,
            Quantity("helper", -1, -1, goal),
        )  # fmt: skip
        self.goal = lifted(goal)
        #: The shapes that the line's value may be meant to have.
        self.wanted = {self.goal.shape}
        #: What adds up to the gradient that the line is the last to work out.
        self.parts: list[Quantity] = []
        self.left = 1
        #: Names of what is worked out and used nowhere.
        self.idle: Set[str] = frozenset()
        #: Other lines of the same loop.
        self.beside: Sequence[Reader] = ()
        #: The assignments of the line.
        self.units: list[Unit] = [u for i in self.steps for u in layout.units_at.get(i, ())]
        self._ends = {u.step for u in self.units}
        self.users: dict[int, list[Site]] = {}
        for i in self.steps:
            for slot, j in enumerate(self.graph.steps[i].inputs):
                self.users.setdefault(j, []).append((i, slot))

    def _counted(self) -> dict[int, int]:
        """Which round of the line each step belongs to: a round ends with the last assignment of the line."""
        ends: list[int] = []
        seen: set[object] = set()
        last, call = -1, None
        for i in self.steps:
            for unit in self.layout.units_at.get(i, ()):
                key = (unit.span, unit.name.split("[", maxsplit=1)[0], unit.name.count("["))
                # What a function gives back is bound where it was called: in another place it is another call.
                elsewhere = None if unit.line == self.number else unit.span
                if key in seen or (last >= 0 and elsewhere is not None and call is not None and elsewhere != call):
                    ends.append(last)
                    seen = set()
                seen.add(key)
                last, call = i, elsewhere or call
        # Of writes that were made one only the last has a name, and of what is handed from call to call.
        calls = {self.layout.subject.callers.get(i) for i in self.steps}
        if last >= 0 and len(ends) + 1 >= len(calls) and not any(is_united(self.graph.steps[i]) for i in self.steps):
            return {i: bisect_left(ends, i) for i in self.steps}
        count: Counter[object] = Counter()
        out = {}
        for i in self.steps:
            step = self.graph.steps[i]
            made = (step.span, step.op, len(step.inputs))
            out[i] = count[made]
            count[made] += 1
        return out

    def value(self, i: int) -> Vec:
        return self.board.now(i)

    def round_of(self, i: int) -> int:
        return self._rounds.get(i, 0)

    @cached_property
    def _anchors(self) -> list[int]:
        """The first step of each round: what is bound before it can be read."""
        out: dict[int, int] = {}
        for i in self.steps:
            out.setdefault(self._rounds[i], i)
        return [out.get(n, self.steps[-1]) for n in range(len(self.ends))]

    def offers(self) -> list[Offer]:
        """Variables and factors, in each round what they are then."""
        return [*self.at_hand(), *self._factors()]

    def at_hand(self) -> list[Offer]:
        """The variables alone, entries of lists and arrays among them."""
        return [*self._variables(), *self._entries(), *self._items(), *self._rows()]

    def _offer(self, quantity: Quantity, steps: Sequence[int], text: str) -> Offer:
        def value(i: int) -> Vec:
            step = steps[self.round_of(i)]
            found = self.board.now(step) if step >= 0 else quantity.vec
            return found if step >= 0 else found - found

        return Offer(quantity, value, None, text)

    def _variables(self) -> Iterator[Offer]:
        seen: set[tuple[int, ...]] = set()
        bound = self.text.bound
        loops = len(self.ends) > 1
        own = self.text.words(self.number)

        def order(item: tuple[str, Sequence[tuple[int, int]]]) -> tuple[bool, bool, int]:
            name, times = item
            return name not in own, not name.isidentifier(), -times[-1][1]  # as the line itself calls it

        for name, _ in sorted(bound.items(), key=order):
            entry = SERIES.match(name)
            if entry and (loops or len(bound) > 20 * MOST_ENTRIES):
                continue
            held = self.held(name)
            if held in seen or sum(i < 0 for i in held) > 1 or all(i < 0 for i in held):
                continue
            seen.add(held)
            first = next(i for i in held if i >= 0)
            yield self._offer(self._quantity(first), held, name)
        yield from self._parameters(seen)
        yield from self._of_objects(seen)

    def _of_objects(self, seen: Set[tuple[int, ...]]) -> Iterator[Offer]:
        """``self.x`` of one layer after the other, through which the derivation goes from the last to the first."""
        for name, times in self.text.bound.items() if 1 < len(self.ends) <= MOST_CALLS else ():
            held = tuple(dict.fromkeys(i for _, i in reversed(times) if self.layout.is_forward(i)))
            if "." in name and len(held) == len(self.ends) and held not in seen:
                yield self._offer(self._quantity(held[0]), held, name)

    def _parameters(self, seen: Set[tuple[int, ...]]) -> Iterator[Offer]:
        """What the line's function was given in each of its calls, where no other name has been that throughout."""
        if len(self.ends) > MOST_CALLS:
            return
        given = [self.text.parameters.given(a, self.number) for a in self._anchors]
        for name in given[0]:
            held = tuple(g.get(name, -1) for g in given)
            if min(held) >= 0 and held not in seen:
                yield self._offer(self._quantity(held[0]), held, name)

    def held(self, name: str) -> tuple[int, ...]:
        """The step that a name stands for in each round; -1 where there is none yet."""
        times = self.text.bound.get(name, ())
        places = [self.text.before(name, a) for a in self._anchors]
        return tuple([times[n - 1][1] if n else -1 for n in places])

    def _quantity(self, i: int) -> Quantity:
        if self.layout.is_forward(i):
            return Quantity("forward", -1, i, self.layout.actual(i))
        return Quantity("cotangent", -1, -1, self.layout.actual(i))

    def _entries(self) -> Iterator[Offer]:
        """Entries of lists, by the index that each round is about: ``hs[t]`` and ``hs[t - 1]``."""
        if len(self.ends) == 1:
            return
        entries, named = self.listed
        seen: set[tuple[str, tuple[int, ...]]] = set()
        for index, rounds in self._indices(named):
            for stem, held in entries.items():
                called = self._called.get(stem, stem)
                for offset in (0, -1, 1):
                    # x[i - 1] is the last one in the first round.
                    around = {len(held): 0} if offset > 0 and min(held) == 0 else {}
                    at = [None if t is None else around.get(t + offset, t + offset) for t in rounds]
                    places = tuple(-1 if t is None else held.get(t, -1) for t in at)
                    late = any(p >= a for p, a in zip(places, self._anchors, strict=True))
                    if (stem, places) in seen or late or sum(p < 0 for p in places) > 1 or all(p < 0 for p in places):
                        continue
                    seen.add((stem, places))
                    first = next(p for p in places if p >= 0)
                    yield self._offer(self._quantity(first), places, f"{called}[{shifted(index, offset)}]")

    def _items(self) -> Iterator[Offer]:
        """Entries of the arrays that the line itself takes entries of, by their numbers: ``x[0]`` and ``x[1]``."""
        if len(self.ends) > 1:
            return
        steps, seen = self.graph.steps, set()
        bases = {j for i in self.steps if self._item(i) for j in steps[i].inputs[:1]}
        for i in sorted(k for base in bases for k in self.layout.children[base] if k <= self.steps[-1]):
            text = self._item(i)
            if text and text not in seen and self.layout.is_forward(self.layout.original(steps[i].inputs[0])):
                seen.add(text)
                yield self._offer(Quantity("forward", -1, i, self.layout.actual(i)), [i], text)

    def _rows(self) -> Iterator[Offer]:
        """Entries of other arrays at the place where the line reads one, in every round: ``V[i]`` beside ``x[i]``."""
        steps, source = self.graph.steps, self.text.source
        places: dict[str, dict[int, int]] = {}
        for i in self.steps if len(self.ends) > 1 else ():
            step = steps[i]
            written = source.index(step.span, 0) if is_place(step.op) and len(step.inputs) == 1 else None
            if written is not None and step.shape == steps[step.inputs[0]].shape[1:]:
                places.setdefault(ast.unparse(written[1]), {}).setdefault(self._rounds[i], i)
        for text, rounds in places.items():
            if len(rounds) < len(self.ends):
                continue
            lengths = {steps[steps[i].inputs[0]].shape[0] for i in rounds.values()}
            arrays = (a for a in self.layout.subject.names.items() if lengths == {*steps[a[0]].shape[:1]})
            for array, name in islice(arrays, MOST_ENTRIES):
                # What the line has already is among its variables.
                if name.isidentifier() and self.layout.is_forward(array) and f"{name}[{text}]" not in self._written:
                    value = partial(self._row, array, rounds)
                    yield Offer(Quantity("forward", -1, array, value(rounds[0])), value, None, f"{name}[{text}]")

    def _row(self, array: int, rounds: Mapping[int, int], i: int) -> Vec:
        step = self.graph.steps[rounds[self.round_of(i)]]
        return apply(step.op, [self.board.now(array)], step.params)

    @cached_property
    def _written(self) -> str:
        lines = self.text.source.lines
        return lines[self.number - 1] if 0 < self.number <= len(lines) else ""

    def _item(self, i: int) -> str:
        """How a step is written, where it is one entry of an array by its number."""
        step = self.graph.steps[i]
        if step.shape or len(step.inputs) != 1 or not self.graph.steps[step.inputs[0]].shape or step.span is None:
            return ""
        text = self.text.source.text(step.span)
        return text if _ITEM.fullmatch(text) else ""

    @cached_property
    def _called(self) -> dict[str, str]:
        """What the line calls a list that has another name elsewhere: ``self.xs`` for ``xs``."""
        entries, named = self.listed
        out: dict[str, str] = {}
        for stem, _ in self.text.brackets.get(self.number, ()):
            if stem in entries:
                continue
            for i in self.steps:
                for slot, j in enumerate(self.graph.steps[i].inputs):
                    where = self.text.source.operand(self.graph.steps[i].span, slot)
                    if where is not None and self.text.source.text(where).startswith(f"{stem}["):
                        out.update((other, stem) for other, _ in named.get(j, named.get(self.layout.original(j), ())))
        return out

    def renamed(self, n: int) -> tuple[tuple[str, str], ...]:
        """How the line calls the entries of lists that are read in a round of its loop: ``hs[t + 1]`` for ``hs[4]``."""
        entries, named = self.listed
        out: dict[str, str] = {}
        for index, rounds in self._indices(named) if len(self.ends) > 1 else ():
            about = rounds[n]
            for stem, held in entries.items() if about is not None else ():
                for offset in (0, -1, 1):
                    if about is not None and about + offset in held:
                        text = f"{self._called.get(stem, stem)}[{shifted(index, offset)}]"
                        out.setdefault(f"{stem}[{about + offset}]", text)
        return tuple(out.items())

    def _indices(self, named: Mapping[int, Sequence[tuple[str, int]]]) -> Iterator[tuple[ast.expr, list[int | None]]]:
        """What stands between brackets in the line, and its value in each round; the variable of the loop besides."""
        seen = set()
        for index, rounds in self._own_indices(named):
            seen.add(ast.unparse(index))
            yield index, rounds
        for other in self.beside if len(self.ends) > 1 else ():
            for index, rounds in other._own_indices(named) if len(other.ends) == len(self.ends) else ():
                text = ast.unparse(index)
                if text in self.text.loops.get(self.number, ()) and text not in seen:
                    seen.add(text)
                    yield index, rounds

    def _own_indices(
        self, named: Mapping[int, Sequence[tuple[str, int]]]
    ) -> Iterator[tuple[ast.expr, list[int | None]]]:
        for stem, index in self.text.brackets.get(self.number, ()):
            about: list[int | None] = [None] * len(self.ends)
            item = f"{stem}[{ast.unparse(index)}]".replace(" ", "")
            alone = len({ast.unparse(k) for s, k in self.text.brackets.get(self.number, ()) if s == stem}) == 1
            for i in self.steps:
                inputs = self.graph.steps[i].inputs
                # Of hs[t] and hs[t - 1] in one line each is told by its own characters.
                used = [i, *inputs] if alone else [j for k, j in enumerate(inputs) if self._is_written(i, k, item)]
                for j in (k for u in used for k in (u, self.layout.original(u))):
                    for other, n in named.get(j, ()):
                        if self._called.get(other, other) == stem:
                            about[self._rounds[i]] = n
            if sum(n is None for n in about) <= 1 and len(set(about)) > 1:
                yield index, about

    def _is_written(self, i: int, slot: int, item: str) -> bool:
        where = self.text.source.operand(self.graph.steps[i].span, slot)
        return where is not None and self.text.source.text(where).replace(" ", "").startswith(item)

    def _factors(self) -> Iterator[Offer]:
        """Local derivatives of the forward pass."""
        truth = self.context.known.truth
        used = {self.layout.origin(j) for i in self.steps for j in self.graph.steps[i].inputs}
        groups: dict[object, list[Link]] = {}
        seen: set[tuple[int, int]] = set()
        written_out = ([link] for link in truth.written_out.values())
        for links in (*truth.links.values(), *truth.elementary.values(), *written_out):
            for link in links:
                if link.local is None or (link.top, link.bottom) in seen or link.local.constant() is not None:
                    continue
                seen.add((link.top, link.bottom))
                steps = self.graph.steps
                spans = (steps[link.top].span, steps[link.bottom].span or link.bottom)
                key = (spans, link.slot) if len(self.ends) > 1 else (link.top, link.bottom)
                groups.setdefault(key, []).append(link)

        def far(links: Sequence[Link]) -> tuple[bool, int]:
            return not any(k in used for link in links for k in (link.top, link.bottom)), -links[-1].bottom

        count = 0
        for links in sorted(groups.values(), key=far):
            for order in (links[::-1], links) if len(self.ends) > 1 else (links,):
                if len(links) not in (1, len(self.ends)) or (len(links) == 1 and order is not links):
                    continue
                vecs = [link.local for link in order if link.local is not None]
                q = Quantity("local", order[0].top, order[0].bottom, vecs[0])
                yield Offer(q, self._by_round(vecs))
                count += 1
            if count > MOST_FACTORS:
                return

    def flowing(self, rounds: int) -> Iterator[tuple[Quantity, list[Vec]]]:
        """What flows along one path of the forward pass in every round of its loop, in both orders; or just once."""
        truth = self.context.known.truth
        steps = self.graph.steps
        if rounds == 1:
            for bottom, flows in sorted(truth.into.items()):
                for top, flow in flows if len(flows) > 1 else ():
                    yield Quantity("contribution", top, bottom, flow), [flow]
            return
        groups: dict[object, list[tuple[int, int, Vec]]] = {}
        several: dict[object, list[tuple[int, int, Vec]]] = {}
        anywhere: dict[object, list[tuple[int, int, Vec]]] = {}
        #: Of the last state of a loop, which goes nowhere else: the one path there is.
        alone: dict[object, list[tuple[int, int, Vec]]] = {}
        for bottom, flows in sorted(truth.into.items()):
            mine: list[_Path] = []
            for top, flow in flows if len(flows) == 1 else ():
                place = steps[top].span, self.layout.subject.callers.get(top)
                alone.setdefault((place, self._read_at(bottom, top, flows)), []).append((top, bottom, flow))
            for top, flow in flows if len(flows) > 1 else ():
                # The first state is given, and the others are worked out: what tells them apart is where they are read.
                # Layers need not be of one width.
                place = steps[top].span, self.layout.subject.callers.get(top)
                mine.append(((place, self._read_at(bottom, top, flows)), top, flow))
            for key, top, flow in mine:
                groups.setdefault(key, []).append((top, bottom, flow))
                # A method of several objects may be called in several places.
                anywhere.setdefault((steps[top].span, key[1]), []).append((top, bottom, flow))
            for some in _some_of(mine) if not steps[bottom].is_input else ():
                total = sum((flow for *_, flow in some[1:]), some[0][2])
                several.setdefault(frozenset(key for key, *_ in some), []).append((some[-1][1], bottom, total))
        own = {tuple(bottom for _, bottom, _ in found) for found in groups.values()}
        wide = [some for some in anywhere.values() if tuple(bottom for _, bottom, _ in some) not in own]
        kinds = [("contribution", found) for found in (*groups.values(), *wide)]
        kinds += [("sum", found) for found in several.values()]
        ended = (sorted((*found, *alone[key]), key=itemgetter(1)) for key, found in groups.items() if key in alone)
        kinds += [("contribution", found) for found in ended]
        for kind, found in kinds:
            orders = (found[::-1], found) if len(found) in (rounds, rounds - 1) else ()
            if len(found) == rounds + 1:
                orders = (found[::-1][:-1], found[:-1])  # what the last round hands on nobody takes
            for order in orders:
                vecs = [flow for _, _, flow in order]
                zero = vecs[0] - vecs[0]
                first = Quantity(kind, order[0][0], order[0][1], vecs[0])
                yield first, vecs if len(vecs) == rounds else [zero, *vecs]
                if len(vecs) < rounds:
                    yield first, [*vecs, zero]

    def _by_round(self, vecs: Sequence[Vec]) -> Callable[[int], Vec]:
        return lambda i: vecs[self.round_of(i) if len(vecs) > 1 else 0]

    @cached_property
    def handed(self) -> tuple[int, ...]:
        """What a line without assignments hands on in every round: ``layer.back(ds @ W.T)``."""
        out = [i for i in self.steps if any(k not in self._own for k in self.layout.children[i])]
        rounds = [self.round_of(i) for i in out]
        return tuple(out) if not self.units and rounds == list(range(len(self.ends))) else ()

    def _read_at(self, bottom: int, top: int, flows: Sequence[tuple[int, Vec]]) -> frozenset[object]:
        """The places where a value is read on its way to one of the steps that are made of it."""
        steps, others = self.graph.steps, {t for t, _ in flows} - {top}
        users = [top] if bottom in steps[top].inputs else self.layout.children[bottom]
        return frozenset((steps[k].span, steps[k].inputs.index(bottom)) for k in users if k <= top and k not in others)


#: Where it is, its end, and what flows along it.
_Path = tuple[tuple[object, object], int, Vec]


def _some_of(flows: Sequence[_Path]) -> Iterator[tuple[_Path, ...]]:
    """Several of the paths from a state, and not all: those into the next round of its loop."""
    for count in range(2, len(flows)) if len(flows) <= MOST_PATHS else ():
        yield from (some for some in combinations(flows, count) if len({flow.shape for *_, flow in some}) == 1)
