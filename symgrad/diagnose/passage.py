"""One line of the text, in all its rounds, as a part of the whole pass: its places, and what could be written there."""

from __future__ import annotations

import ast
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import cached_property
from itertools import chain
from typing import Any

import numpy as np

from symgrad.diagnose.board import Board
from symgrad.diagnose.changes import SERIES, Make, Offer, Region, Site, slimmed, ways
from symgrad.diagnose.lines import Listed, Text
from symgrad.diagnose.match import Known
from symgrad.diagnose.repair import Context, Line, Place, Repair
from symgrad.diagnose.replay import Layout
from symgrad.diagnose.shaped import lifted, shape_of
from symgrad.diagnose.subject import Unit
from symgrad.diagnose.truth import Link, Quantity
from symgrad.diagnose.typed import FORMS, Number, shifted
from symgrad.diagnose.vectors import Vec, apply, constant
from symgrad.ops import OPS
from symgrad.ops.slips import Slip, products, written

#: Factors that are offered, the nearest first.
MOST_FACTORS = 40
#: How an augmented assignment of a variable is written.
OPERATORS = frozenset({"+=", "-=", "*=", "/="})
#: In a loop of more rounds nothing is taken to be summed in passing.
MANY_ROUNDS = 8
#: Entries of lists are offered one by one up to this many.
MOST_ENTRIES = 16


class Passage(Region):
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
        self.left = 1
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
        last = -1
        for i in self.steps:
            for unit in self.layout.units_at.get(i, ()):
                key = (unit.span, unit.name.split("[", maxsplit=1)[0], "[" in unit.name)
                if key in seen:
                    ends.append(last)
                    seen = set()
                seen.add(key)
                last = i
        if last >= 0:
            return {i: bisect_left(ends, i) for i in self.steps}
        count: Counter[object] = Counter()
        out = {}
        for i in self.steps:
            step = self.graph.steps[i]
            made = (step.span, step.op, len(step.inputs))
            out[i] = count[made]
            count[made] += 1
        return out

    def _key(self, i: int, seen: Counter[object]) -> object:
        """What the same characters made in every round: of a call that makes several steps, which of them."""
        step = self.graph.steps[i]
        kind = (step.span, step.op, len(step.inputs))
        seen[self._rounds[i], kind] += 1
        return kind, seen[self._rounds[i], kind]

    def value(self, i: int) -> Vec:
        return self.board.now(i)

    def round_of(self, i: int) -> int:
        return self._rounds.get(i, 0)

    def wraps(self, sites: Sequence[Site], slip: Slip) -> bool:
        i, slot = sites[0]
        moves = "keepdims" not in slip.params
        have = lifted(self.value(self.graph.steps[i].inputs[slot] if slot >= 0 else i)).arrays[1]
        if not moves and np.isin(have, (0.0, 1.0)).all():
            return False  # a mask
        parents = [i] if slot >= 0 else [k for k, _ in self.users.get(i, ())]
        if not parents:
            return not self.units or not (self.units[0].augmented or written(self.graph.steps[i].op))
        if len(self.ends) > MANY_ROUNDS:
            return moves and len(slip.params["axes"]) == 2
        if moves or not all(OPS[self.graph.steps[k].op].elementwise for k in parents):
            return True
        # Among arrays of one shape: what is summed over the first axes fits as it is, over others with keepdims.
        axes = tuple(slip.params["axis"])
        return bool(slip.params["keepdims"]) != (axes == tuple(range(len(axes))))

    def fits(self, offer: Offer, have: Vec) -> bool:
        shape = offer.quantity.vec.shape
        # Entries of a list need not have one shape: layers differ.
        return shape == have.shape or ("[" in offer.text and len(self.ends) > 1 and len(shape) == len(have.shape) > 0)

    def takes(self, sites: Sequence[Site]) -> tuple[bool, bool]:
        """A factor is looked for at products as wholes, a term at sums and at what is assigned."""
        i, slot = sites[0]
        if slot >= 0:
            return self._is_summed(i) or not OPS[self.graph.steps[i].op].elementwise, self._is_accumulated(i, slot)
        if i in self._ends:
            free = not self._is_adding(i) and not written(self.graph.steps[i].op)
            return free, free
        inner = [k for k, _ in self.users.get(i, ())]
        return any(not self._is_product(k) for k in inner), self._is_summed(i) or any(
            self._is_accumulated(k, s) for k, s in self.users.get(i, ())
        )

    def _is_product(self, i: int) -> bool:
        infix = OPS[self.graph.steps[i].op].infix
        return infix is not None and (infix.prefix or infix.symbol in ("*", "/"))

    def _is_summed(self, i: int) -> bool:
        infix = OPS[self.graph.steps[i].op].infix
        return infix is not None and not infix.prefix and infix.symbol in ("+", "-")

    def _is_accumulated(self, i: int, slot: int) -> bool:
        """What is added by ``+=``."""
        return slot == 1 and self._is_adding(i)

    def _is_adding(self, i: int) -> bool:
        """The step is the sum that ``+=`` makes."""
        if any(u.augmented in OPERATORS for u in self.layout.units_at.get(i, ())):
            return True
        infix = OPS[self.graph.steps[i].op].infix
        added = infix is not None and not infix.prefix and self.text.is_added(self.graph.steps[i].span)
        return added and i not in self.users_of_own_span(i)

    def users_of_own_span(self, i: int) -> set[int]:
        """The step itself, where a step with the very same characters uses it that is a sum as well."""
        span = self.graph.steps[i].span
        return {i for k, _ in self.users.get(i, ()) if self.graph.steps[k].span == span and self._is_summed(k)}

    def groups(self) -> Iterator[tuple[Site, ...]]:
        held: dict[object, list[Site]] = {}
        seen: Counter[object] = Counter()
        keys = {i: self._key(i, seen) for i in self.steps}
        for i in reversed(self.steps):
            step = self.graph.steps[i]
            if OPS[step.op].renames and i not in self._ends:
                continue
            key = keys[i]
            held.setdefault((key, -1), []).append((i, -1))
            if OPS[step.op].renames and i not in self._ends:
                continue
            for slot, j in enumerate(step.inputs):
                if (j not in self._own or j in self._ends) and not self._is_start(j) and not self._is_target(i, slot):
                    held.setdefault((key, slot), []).append((i, slot))
        for sites in held.values():
            yield tuple(sorted(sites))

    def _is_target(self, i: int, slot: int) -> bool:
        """What ``+=`` adds to."""
        return slot == 0 and self._is_adding(i)

    # --- what is tried ------------------------------------------------------------------------------------------

    def tries(self) -> Iterator[tuple[tuple[Site, ...], int, Make, Repair]]:
        """Every change of the line: where, how deep, what, and in words."""
        offers = self.offers()
        used: dict[int, list[Site]] = {}
        for depth, sites in enumerate(self.groups()):
            for make, repair in chain(ways(self, sites, offers), self._more(sites, offers)):
                yield sites, depth, make, repair
            i, slot = sites[0]
            span = self.graph.steps[i].span
            if slot >= 0 and span is not None and not self.text.is_added(span):
                used.setdefault(self.graph.steps[i].inputs[slot], []).extend(sites)
        for sites_of_one in used.values():
            if len({self.graph.steps[i].span for i, _ in sites_of_one}) > 1:
                yield from self._everywhere(sites_of_one, offers)
        yield from self._regained()
        yield from self._overwritten()

    def _more(self, sites: tuple[Site, ...], offers: Sequence[Offer]) -> Iterator[tuple[Make, Repair]]:
        """The sign and the scale of what is assigned, added or added up; a matrix, or a part of a slope, left out."""
        if len(self.ends) <= MANY_ROUNDS:
            yield from self._slopes(sites, offers)
        factors, terms = self.takes(sites)
        if all(OPS[self.graph.steps[i].op].renames for i in self.steps):
            factors = False  # a name for what was worked out elsewhere
        i, slot = sites[0]
        whole = slot < 0 and i in self._ends
        if not (factors or terms) or (slot >= 0 and not self._is_summed(i)):
            return
        added = self._is_accumulated(i, slot) or any(self._is_accumulated(k, s) for k, s in self.users.get(i, ()))
        extra = 0.0 if whole or (added and slot < 0) or self._is_accumulated(i, slot) else 0.1
        yield _times(Fraction(-1)), Repair(_NOWHERE, "sign", "has the wrong sign", 0.9 + extra, None, "*", Fraction(-1))
        have = self.value(self.graph.steps[i].inputs[slot] if slot >= 0 else i)
        lengths = sorted({n for j in self.line.used() for n in self.graph.steps[j].shape if n > 1})
        for n in dict.fromkeys((2, *lengths)):
            for number in (Fraction(n), Fraction(1, n)):
                words = "is off by a constant factor"
                yield _times(number), Repair(_NOWHERE, "scale", words, 1.1 + extra, None, "*", number)
        near = set(self.line.used())
        for offer in offers:
            q = offer.quantity
            if q.kind == "local":
                continue
            if factors and q.kind == "forward" and offer.text and q.vec.shape == have.shape:
                cost = 1.6 if q.bottom in near or self.layout.origin(q.bottom) in near else 1.75
                for form, compute in (*FORMS, _REST):
                    words = "leaves out a factor"
                    yield _with(offer, compute), Repair(
                        _NOWHERE, "missing-factor", words, cost, q, "*", spelling=form.format(offer.text)
                    )
            if whole and q.vec.shape and have.shape and offer.text:
                yield from self._matrices(offer, have)

    def _slopes(self, sites: tuple[Site, ...], offers: Sequence[Offer]) -> Iterator[tuple[Make, Repair]]:
        """A local derivative in the place of something else."""
        i, slot = sites[0]
        node = self.graph.steps[i].inputs[slot] if slot >= 0 else i
        have = self.value(node)
        if (node in self._ends and node in self._own) or self.graph.steps[node].is_const:
            return
        for offer in offers:
            q = offer.quantity
            if q.kind == "local" and have.shape and q.vec.shape == have.shape and not q.vec.same(have):
                cost = 1.7 if slot >= 0 else 1.9
                words = "is not the derivative that belongs here"
                yield _in_place(offer), Repair(_NOWHERE, "wrong-formula", words, cost, q)

    def _matrices(self, offer: Offer, have: Vec) -> Iterator[tuple[Make, Repair]]:
        """``x.T @ dz`` where only ``dz`` is written."""
        q = offer.quantity
        for op, first, turn, template in products(q.vec.shape, have.shape):
            shape = q.vec.shape[::-1] if turn else q.vec.shape
            both = [shape, have.shape] if first else [have.shape, shape]
            found = shape_of(OPS[op], both, {})
            if found is None or self.goal.shape not in (found, have.shape):
                continue

            def make(
                i: int, value: Vec, _args: Sequence[Vec], op: str = op, first: bool = first, turn: bool = turn
            ) -> Vec:
                other = slimmed(offer.value(i), value)
                other = apply("transpose", [other], (("axes", (1, 0)),)) if turn else other
                return apply(op, [other, value] if first else [value, other])

            text = template.format("{0}", f"{offer.text}.T" if turn else offer.text)
            yield make, Repair(_NOWHERE, "missing-factor", "leaves out a factor", 1.4, template=text)

    def _everywhere(
        self, sites: Sequence[Site], offers: Sequence[Offer]
    ) -> Iterator[tuple[tuple[Site, ...], int, Make, Repair]]:
        """One variable for another wherever the line has it: z*(1 - z)."""
        first = tuple((i, slot) for i, slot in sites if self.round_of(i) == 0)
        for _, depth, make, repair in (
            (first, 0, m, r) for m, r in ways(self, (first[0],), offers) if r.quantity is not None and not r.combine
        ):
            if repair.quantity is not None and repair.quantity.kind == "forward":
                yield tuple(sorted(sites)), depth, make, replace(repair, everywhere=first)

    def _regained(self) -> Iterator[tuple[tuple[Site, ...], int, Make, Repair]]:
        """``=`` for ``+=``."""
        for name in dict.fromkeys(u.name for u in self.units if not u.augmented):
            mine = self.layout.by_name[name]
            before: dict[int, int] = {}
            for n, unit in enumerate(mine):
                if unit.line == self.number and n and not unit.augmented and unit.step != mine[n - 1].step:
                    before[unit.step] = mine[n - 1].step
            sites = tuple((i, -1) for i in sorted(before) if i in self._own)
            if sites:

                def make(i: int, value: Vec, _args: Sequence[Vec], before: dict[int, int] = before) -> Vec:
                    return value + slimmed(self.board.now(before[i]), value) if i in before else value

                words = "throws away what was accumulated before"
                yield sites, 0, make, Repair(_NOWHERE, "lost-accumulation", words, 0.3, regain=name)

    def _overwritten(self) -> Iterator[tuple[tuple[Site, ...], int, Make, Repair]]:
        """A variable of the forward pass that gets another value before it is used."""
        forward: dict[str, list[int]] = {}
        for name, i in self.layout.subject.aliases:
            forward.setdefault(name, []).append(i)
        for name in dict.fromkeys(u.name for u in self.units):
            if name not in forward:
                continue
            bound = sorted({*forward[name], *(u.step for u in self.layout.by_name[name])})
            before = {
                u.step: bound[n - 1] for u in self.units if u.name == name and (n := bisect_left(bound, u.step)) > 0
            }
            sites = tuple((i, -1) for i in sorted(before) if i in self._own)
            if sites:

                def make(i: int, value: Vec, _args: Sequence[Vec], before: dict[int, int] = before) -> Vec:
                    return slimmed(self.board.now(before[i]), value)

                words = f"overwrites {name} before its old value is used"
                yield sites, 0, make, Repair(_NOWHERE, "overwritten", words, 0.8)

    # --- what could be written ----------------------------------------------------------------------------------

    @cached_property
    def _anchors(self) -> list[int]:
        """The first step of each round: what is bound before it can be read."""
        out: dict[int, int] = {}
        for i in self.steps:
            out.setdefault(self._rounds[i], i)
        return [out[n] for n in range(len(self.ends))]

    def offers(self) -> list[Offer]:
        """Variables and factors, in each round what they are then."""
        return [*self._variables(), *self._entries(), *self._factors()]

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
        for name, times in sorted(bound.items(), key=lambda item: (not item[0].isidentifier(), -item[1][-1][1])):
            entry = SERIES.match(name)
            if " " in name or (entry and (loops or len(bound) > 20 * MOST_ENTRIES)):
                continue
            held = tuple(
                times[n - 1][1] if (n := bisect_left(times, a, key=lambda t: t[0])) else -1 for a in self._anchors
            )
            if held in seen or sum(i < 0 for i in held) > 1 or all(i < 0 for i in held):
                continue
            seen.add(held)
            first = next(i for i in held if i >= 0)
            yield self._offer(self._quantity(first), held, name)

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
                for offset in (0, -1, 1):
                    places = tuple(-1 if t is None else held.get(t + offset, -1) for t in rounds)
                    late = any(p >= a for p, a in zip(places, self._anchors, strict=True))
                    if (stem, places) in seen or late or sum(p < 0 for p in places) > 1 or all(p < 0 for p in places):
                        continue
                    seen.add((stem, places))
                    first = next(p for p in places if p >= 0)
                    yield self._offer(self._quantity(first), places, f"{stem}[{shifted(index, offset)}]")

    def _indices(self, named: Mapping[int, Sequence[tuple[str, int]]]) -> Iterator[tuple[ast.expr, list[int | None]]]:
        """What stands between brackets in the line, and its value in each round."""
        for stem, index in self.text.brackets.get(self.number, ()):
            about: list[int | None] = [None] * len(self.ends)
            for i in self.steps:
                used = [i, *self.graph.steps[i].inputs]
                for j in (k for u in used for k in (u, self.layout.original(u))):
                    for other, n in named.get(j, ()):
                        if other == stem:
                            about[self._rounds[i]] = n
            if sum(n is None for n in about) <= 1 and len(set(about)) > 1:
                yield index, about

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

    def _by_round(self, vecs: Sequence[Vec]) -> Callable[[int], Vec]:
        return lambda i: vecs[self.round_of(i) if len(vecs) > 1 else 0]

    # --- where --------------------------------------------------------------------------------------------------

    def unit_of(self, sites: Sequence[Site]) -> Unit | None:
        """The assignment of the first round that a change is a part of."""
        order = [i for i, _ in sorted(sites)]
        for i in order:
            seen, stack = {i}, [i]
            while stack:
                k = stack.pop(0)
                if k in self.layout.units_at and not self.layout.is_forward(k):
                    return self.layout.units_at[k][0]
                for child in self.layout.children[k]:
                    if child not in seen:
                        seen.add(child)
                        stack.append(child)
        return None

    def placed(self, sites: Sequence[Site], make: Make, unit: Unit, values: Callable[[int], Vec]) -> Place:
        """Where a change is, in the first round; ``values``: with all changes made."""
        i, slot = min(sites)
        step = self.graph.steps[i]
        args = [values(j) for j in step.inputs]
        path = self._way(i, unit)
        if slot >= 0:
            j = step.inputs[slot]
            return Place(j, i, slot, lifted(make(i, args[slot], args)), (*path, (i, slot)))
        wanted = lifted(values(i))
        parent, at = path[-1] if path and i != unit.step else (-1, -1)
        return Place(i, parent, at, wanted, path)

    def _way(self, i: int, unit: Unit) -> tuple[Site, ...]:
        out: list[Site] = []
        while i != unit.step and len(out) < len(self.graph):
            later = [k for k in self.layout.children[i] if k <= unit.step]
            if not later:
                break
            k = later[0]
            out.append((k, self.graph.steps[k].inputs.index(i)))
            i = k
        return tuple(reversed(out))


#: A part of the slope of a sigmoid.
_REST: tuple[str, Callable[[Any, Number], Any]] = ("(1 - {0})", lambda x, one: one(Fraction(1)) - x)


def _times(number: Fraction) -> Make:
    def make(_i: int, value: Vec, _args: Sequence[Vec]) -> Vec:
        return value * constant(number, len(lifted(value).arrays))

    return make


def _in_place(offer: Offer) -> Make:
    def make(i: int, value: Vec, _args: Sequence[Vec]) -> Vec:
        return slimmed(offer.value(i), value)

    return make


def _with(offer: Offer, compute: Callable[[Any, Number], Any]) -> Make:
    """Times a function of what is offered."""

    def make(i: int, value: Vec, _args: Sequence[Vec]) -> Vec:
        count = len(lifted(value).arrays)
        factor: Vec = compute(slimmed(offer.value(i), value), lambda number: constant(number, count))
        return value * factor

    return make


_NOWHERE = Place(-1, -1, -1, constant(0, 1), ())
