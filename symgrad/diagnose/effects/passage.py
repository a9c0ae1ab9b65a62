"""One line of the text, in all its rounds, as a part of the whole pass: its places, and what could be written there."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import cached_property
from itertools import chain
from typing import Any

import numpy as np

from symgrad.diagnose.effects.arguments import arguments
from symgrad.diagnose.effects.divided import divided
from symgrad.diagnose.effects.jacobians import jacobians
from symgrad.diagnose.effects.lapses import lapses
from symgrad.diagnose.effects.reader import Reader
from symgrad.diagnose.effects.remnants import remnants
from symgrad.diagnose.effects.slices import slices
from symgrad.diagnose.observing.subject import Unit
from symgrad.diagnose.text.naming import claims
from symgrad.diagnose.trying.typed import FORMS, Number
from symgrad.diagnose.values.shaped import lifted, shape_of
from symgrad.diagnose.values.vectors import Vec, apply, constant
from symgrad.diagnose.walking.changes import given, ways
from symgrad.diagnose.walking.places import UNPLACED, Place, Repair
from symgrad.diagnose.walking.region import Make, Offer, Site, slimmed
from symgrad.ops import OPS, is_sum, sign_of
from symgrad.ops.slips import Slip, averaged, cases, products, written

#: How an augmented assignment of a variable is written.
OPERATORS = frozenset({"+=", "-=", "*=", "/="})
#: What it costs that a mask has another sign or scale.
MASK = 0.35
#: In a loop of more rounds nothing is taken to be summed in passing.
MANY_ROUNDS = 8


class Passage(Reader):
    """The places of a line, and what is tried there."""

    @cached_property
    def counts(self) -> list[int]:
        """How many samples there may be: the lengths of the arrays that the loss is made of."""
        steps = self.graph.steps
        return sorted({steps[i].shape[0] for i in self.layout.truth.leaves if steps[i].shape} - {0, 1})[:4]

    @cached_property
    def numbers(self) -> list[tuple[Fraction, str]]:
        """The fractions that the forward pass multiplies by, as they are written: the 0.1 of a leaky slope; and 1."""
        steps, values = self.graph.steps, self.layout.truth.values
        found = {s.value for i, s in enumerate(steps) if s.is_const and values[i] is not None}
        parts = sorted(v for v in found if isinstance(v, Fraction) and 0 < abs(v) < 1)
        return [(v, f"{float(v):g}") for v in parts[:4]]

    @cached_property
    def below(self) -> frozenset[int]:
        """What the forward pass divides by."""
        steps = self.graph.steps
        made = (s for i, s in enumerate(steps) if not s.is_leaf and self.layout.is_forward(i) and self._is_division(i))
        return frozenset(s.inputs[1] for s in made)

    @cached_property
    def divisors(self) -> list[int]:
        """The whole numbers that the forward pass divides by: the m of ``cost / m``, the h*w of a mean over both."""
        steps = self.graph.steps
        values = (steps[i].value for i in self.below if steps[i].is_const)
        numbers = {int(v) for v in values if isinstance(v, Fraction) and v.denominator == 1 and v > 1}
        made = (s for i, s in enumerate(steps) if not s.is_leaf and self.layout.is_forward(i))
        means = {averaged(s.op, steps[s.inputs[0]].shape, dict(s.params)) for s in made}
        return [*sorted(numbers)[:4], *sorted(means - numbers - {0, 1})[:2]]

    def _key(self, i: int, seen: Counter[object]) -> object:
        """What the same characters made in every round: of a call that makes several steps, which of them."""
        step = self.graph.steps[i]
        kind = (step.span, step.op, len(step.inputs))
        seen[self._rounds[i], kind] += 1
        return kind, seen[self._rounds[i], kind]

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
        if slot == 0 and self._is_put_into(i):
            return False, False
        if slot >= 0:
            scales = self._is_scaling(i, slot)
            factors = scales or self._is_summed(i) or not OPS[self.graph.steps[i].op].elementwise
            return factors, self._is_accumulated(i, slot) and not scales
        if i in self._ends or i in self.handed:
            free = not self._is_adding(i) and not written(self.graph.steps[i].op)
            return free, free
        inner = [k for k, _ in self.users.get(i, ())]
        return any(not self._is_product(k) for k in inner), self._is_summed(i) or any(
            self._is_accumulated(k, s) for k, s in self.users.get(i, ())
        )

    def _is_product(self, i: int) -> bool:
        infix = OPS[self.graph.steps[i].op].infix
        return infix is not None and (infix.prefix or infix.symbol in ("*", "/"))

    def _is_division(self, i: int) -> bool:
        infix = OPS[self.graph.steps[i].op].infix
        return infix is not None and not infix.prefix and infix.symbol == "/"

    def _is_summed(self, i: int) -> bool:
        return is_sum(self.graph.steps[i].op)

    def _is_accumulated(self, i: int, slot: int) -> bool:
        """What is added by ``+=``."""
        return slot == 1 and self._is_adding(i)

    def _is_scaling(self, i: int, slot: int) -> bool:
        """The B of ``dlogits /= B``, which lacks a factor where B*T belongs."""
        return self._is_accumulated(i, slot) and self._is_product(i)

    def _is_adding(self, i: int) -> bool:
        """The step is the sum that ``+=`` makes."""
        if any(u.augmented in OPERATORS for u in self.layout.units_at.get(i, ())):
            return True
        added = bool(sign_of(self.graph.steps[i].op)) and self.text.is_added(self.graph.steps[i].span)
        return added and i not in self.users_of_own_span(i)

    def users_of_own_span(self, i: int) -> set[int]:
        """The step itself, where a step with the very same characters uses it that is a sum as well."""
        span = self.graph.steps[i].span
        return {i for k, _ in self.users.get(i, ()) if self.graph.steps[k].span == span and self._is_summed(k)}

    def is_idle(self, site: Site) -> bool:
        """The value of an assignment that only renames what was worked out: somebody meant to do more; not where that
        is done next, by changes in place, nor where it is the same under the same name: ``k = K.detach()``."""
        i, slot = site
        origin = self.layout.subject.names.get(self.layout.origin(i), "").lower()
        if slot < 0 and any(u.name.lower() == origin for u in self.layout.units_at.get(i, ())):
            return False
        goes_on = any((u.name, i) in self.layout.continued for u in self.layout.units_at.get(i, ()))
        return slot < 0 and i in self._ends and OPS[self.graph.steps[i].op].renames and not goes_on

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
                start = self._is_start(j) and slot not in cases(step.op)
                if (j not in self._own or j in self._ends) and not start and not self._is_target(i, slot):
                    held.setdefault((key, slot), []).append((i, slot))
        for sites in held.values():
            yield tuple(sorted(sites))

    def _is_put_into(self, i: int) -> bool:
        """Entries are added to an array, or put into it, that keeps its name: ``np.add.at(dW, y, d)``."""
        step = self.graph.steps[i]
        kept = any(u.previous == step.inputs[0] for u in self.layout.units_at.get(i, ()))
        return kept and not OPS[step.op].elementwise

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
        yield from arguments(self, offers)
        yield from self._regained()
        yield from self._overwritten()
        yield from lapses(self, offers)
        yield from remnants(self, offers)
        yield from jacobians(self, offers)
        yield from slices(self)
        yield from divided(self, offers)

    def _more(self, sites: tuple[Site, ...], offers: Sequence[Offer]) -> Iterator[tuple[Make, Repair]]:
        """The sign and the scale of what is assigned, added or added up; a matrix, or a part of a slope, left out."""
        if len(self.ends) <= MANY_ROUNDS:
            yield from self._slopes(sites, offers)
            yield from self._complements(sites)
        factors, terms = self.takes(sites)
        if all(OPS[self.graph.steps[i].op].renames for i in self.steps):
            # A name for what was worked out elsewhere, unless somebody meant to do more: to a value of the forward
            # pass, or to what was given a name of its own.
            factors = factors and any(self.is_idle((i, -1)) for i in self.steps)
        i, slot = sites[0]
        whole = slot < 0 and i in self._ends
        scales = self._is_scaling(i, slot)
        if not (factors or terms) or (slot >= 0 and not (self._is_summed(i) or scales)):
            return
        added = self._is_accumulated(i, slot) or any(self._is_accumulated(k, s) for k, s in self.users.get(i, ()))
        extra = 0.0 if whole or (added and slot < 0) or self._is_accumulated(i, slot) else 0.1
        have = self.value(self.graph.steps[i].inputs[slot] if slot >= 0 else i)
        extra += MASK * bool(np.isin(lifted(have).arrays[-1], (0.0, 1.0)).all())
        yield _times(Fraction(-1)), Repair(UNPLACED, "sign", "has the wrong sign", 0.9 + extra, None, "*", Fraction(-1))
        lengths = sorted({n for j in (*self.line.used(), i) for n in self.graph.steps[j].shape if n > 1})
        # Of a mean over all the entries the count is their number.
        entries = math.prod(have.shape)
        for n in dict.fromkeys((2, *lengths, *([entries] if entries and len(have.shape) > 1 else []), *self.divisors)):
            for number in (Fraction(n), Fraction(1, n)):
                words = "is off by a constant factor"
                yield _times(number), Repair(UNPLACED, "scale", words, 1.1 + extra, None, "*", number)
        near = set(self.line.used())
        shapes = {(), have.shape}
        if not have.shape:
            # A number that is subtracted from an array may lack the array.
            shapes |= {self.graph.steps[k].shape for k in ([i] if slot >= 0 else [k for k, _ in self.users.get(i, ())])}
        for offer in offers:
            q = offer.quantity
            if q.kind == "local":
                continue
            if factors and not scales and q.kind == "forward" and offer.text and q.vec.shape in shapes:
                cost = 1.6 if q.bottom in near or self.layout.origin(q.bottom) in near else 1.75
                for form, compute in (*FORMS, *_RESTS):
                    words = "leaves out a factor"
                    yield _with(offer, compute), Repair(
                        UNPLACED, "missing-factor", words, cost, q, "*", spelling=form.format(offer.text)
                    )
            if (whole or self._is_accumulated(i, slot)) and q.vec.shape and have.shape and offer.text:
                yield from self._matrices(offer, have)

    def _complements(self, sites: tuple[Site, ...]) -> Iterator[tuple[Make, Repair]]:
        """``p - 1`` where only ``p`` is written, of probabilities: what is left of a cross-entropy with the label 1."""
        i, slot = sites[0]
        node = self.graph.steps[i].inputs[slot] if slot >= 0 else -1
        if node < 0 or not self.layout.is_forward(self.layout.origin(node)) or self._is_summed(i):
            return
        arrays = lifted(self.value(node)).arrays
        if not arrays[0].shape or not all(((a > 0) & (a < 1)).all() for a in arrays):
            return
        for form, compute in _RESTS:

            def make(_i: int, value: Vec, _args: Sequence[Vec], compute: Callable[..., Any] = compute) -> Vec:
                found: Vec = compute(value, lambda q: constant(q, len(lifted(value).arrays)))
                return found

            yield make, Repair(UNPLACED, "missing-term", "leaves out a term", 1.2, template=form)

    def _slopes(self, sites: tuple[Site, ...], offers: Sequence[Offer]) -> Iterator[tuple[Make, Repair]]:
        """A local derivative in the place of something else."""
        i, slot = sites[0]
        node = self.graph.steps[i].inputs[slot] if slot >= 0 else i
        have = self.value(node)
        if node in self._ends and node in self._own:
            return
        # A number as a factor of an array may be what is left of its slope: (1e-5)**-1.5 for (var + 1e-5)**-1.5.
        inside = [i] if slot >= 0 else [k for k, _ in self.users.get(i, ())]
        factor = not have.shape and len(inside) == 1 and self._is_product(inside[0])
        shape = self.graph.steps[inside[0]].shape if factor else have.shape
        if not shape or (self.graph.steps[node].is_const and not factor):
            return
        made_of = self._made_of(node)
        for offer in offers:
            q = offer.quantity
            mine = have.shape or self.graph.steps[q.bottom].shape == shape
            if q.kind == "local" and mine and q.vec.shape == shape and not q.vec.same(have):
                cost = 1.7 if slot >= 0 else 1.9
                if made_of and made_of <= {q.top, q.bottom}:
                    cost = 0.95  # a function of the same value: the slope of another one
                words, kind = "is not the derivative that belongs here", "wrong-formula"
                if have.shape and (q.vec / have).constant() is not None:
                    words, kind = "is off by a constant factor", "scale"
                yield given(offer), Repair(UNPLACED, kind, words, cost, q)

    def _made_of(self, node: int) -> set[int]:
        """The values of the forward pass that a piece of the line is made of; empty where there are others."""
        out: set[int] = set()
        stack = [node]
        while stack:
            i = stack.pop()
            origin = self.layout.origin(i)
            if self.layout.is_forward(origin):
                if not self.graph.steps[origin].is_const:
                    out.add(origin)
            elif i in self._own:
                stack.extend(self.graph.steps[i].inputs)
            elif not self.graph.steps[i].is_const:
                return set()
        return out

    def _matrices(self, offer: Offer, have: Vec) -> Iterator[tuple[Make, Repair]]:
        """``x.T @ dz`` where only ``dz`` is written."""
        q = offer.quantity
        for op, first, turn, template in products(q.vec.shape, have.shape):
            shape = q.vec.shape[::-1] if turn else q.vec.shape
            both = [shape, have.shape] if first else [have.shape, shape]
            found = shape_of(OPS[op], both, {})
            if found is None or self.wanted.isdisjoint((found, have.shape)):
                continue

            def make(
                i: int, value: Vec, _args: Sequence[Vec], op: str = op, first: bool = first, turn: bool = turn
            ) -> Vec:
                other = slimmed(offer.value(i), value)
                other = apply("transpose", [other], (("axes", (1, 0)),)) if turn else other
                return apply(op, [other, value] if first else [value, other])

            text = template.format("{0}", f"{offer.text}.T" if turn else offer.text)
            yield make, Repair(UNPLACED, "missing-factor", "leaves out a factor", 1.4, template=text)

    def _everywhere(
        self, sites: Sequence[Site], offers: Sequence[Offer]
    ) -> Iterator[tuple[tuple[Site, ...], int, Make, Repair]]:
        """One variable for another wherever the line has it: z*(1 - z)."""
        first = tuple((i, slot) for i, slot in sites if self.round_of(i) == 0)
        if not first:
            return  # nowhere in the first round
        for _, depth, make, repair in (
            (first, 0, m, r) for m, r in ways(self, (first[0],), offers) if r.quantity is not None and not r.combine
        ):
            if repair.quantity is not None and repair.quantity.kind == "forward":
                yield tuple(sorted(sites)), depth, make, replace(repair, everywhere=first)

    def _regained(self) -> Iterator[tuple[tuple[Site, ...], int, Make, Repair]]:
        """``=`` for ``+=``; of the entries of an array in all of them."""
        entries: dict[str, list[str]] = {}
        for name in dict.fromkeys(u.name for u in self.units if not u.augmented):
            entries.setdefault(name.split("[", maxsplit=1)[0] + "[" if "[" in name else name, []).append(name)
        for names in entries.values():
            name = names[0]
            before: dict[int, int] = {}
            for mine in (self.layout.by_name[n] for n in names):
                for n, unit in enumerate(mine):
                    # Zeros that are written down begin an accumulation, in another epoch.
                    begins = self.graph.steps[self.layout.original(unit.step)].is_leaf
                    starts = begins and self.layout.actual(unit.step).is_zero
                    plain = unit.line == self.number and n and not (unit.augmented or starts)
                    # What a function hands back is the same array with a step of its own.
                    other = self.layout.original(unit.step) != self.layout.original(mine[n - 1].step)
                    if plain and other and unit.goes_on_from(mine[n - 1]):
                        before[unit.step] = mine[n - 1].step
            sites = tuple((i, -1) for i in sorted(before) if i in self._own)
            if sites:

                def make(i: int, value: Vec, _args: Sequence[Vec], before: dict[int, int] = before) -> Vec:
                    while i in before:
                        i = before[i]
                        value = value + slimmed(self.board.now(i), value)
                        if i in self._own:
                            break  # what came before is in it by now
                    return value

                words = "throws away what was accumulated before"
                # Of two names of one array that is the sum whose name is a gradient's.
                cost = 0.3 if any(claims(name)) else 0.35
                yield sites, 0, make, Repair(UNPLACED, "lost-accumulation", words, cost, regain=name)

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
                u.step: self._changed(u.step, bound) if u.augmented else bound[n - 1]
                for u in self.units if u.name == name and (n := bisect_left(bound, u.step)) > 0
            }  # fmt: skip
            sites = tuple((i, -1) for i in sorted(before) if i in self._own)
            if sites:

                def make(i: int, value: Vec, _args: Sequence[Vec], before: dict[int, int] = before) -> Vec:
                    return slimmed(self.board.now(before[i]), value)

                words = f"overwrites {name} before its old value is used"
                unit = next(u for u in self.units if u.name == name)
                whole = self.text.source.statement(unit.span)
                told = self.text.source.statements.moved_down(whole, name) if whole is not None else None
                span, text = told or (None, "")
                yield sites, 0, make, Repair(UNPLACED, "overwritten", words, 0.6, text=text, span=span)

    def _changed(self, i: int, bound: Sequence[int]) -> int:
        """What is changed in place; of several objects with a self.W that of the same one."""
        made_of = [j for j in self.graph.steps[i].inputs if j in bound]
        return made_of[0] if made_of else bound[bisect_left(bound, i) - 1]

    # --- where --------------------------------------------------------------------------------------------------

    def unit_of(self, sites: Sequence[Site], among: Collection[int]) -> Unit | None:
        """The assignment of the first round that a change is a part of, of those to some steps: what it changes."""
        return next(self.units_of(sites, among), None)

    def units_of(self, sites: Sequence[Site], among: Collection[int]) -> Iterator[Unit]:
        """All assignments that a change comes to first: an argument may be used in several lines of a function."""
        for i in [i for i, _ in sorted(sites)]:
            seen, stack = {i}, [i]
            while stack:
                k = stack.pop(0)
                if k in among and k in self.layout.units_at and not self.layout.is_forward(k):
                    yield self.layout.units_at[k][0]
                    continue
                for child in self.layout.children[k]:
                    if child not in seen:
                        seen.add(child)
                        stack.append(child)

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


#: A part of the slope of a sigmoid; that of its logarithm.
_RESTS: tuple[tuple[str, Callable[[Any, Number], Any]], ...] = (
    ("(1 - {0})", lambda x, one: one(Fraction(1)) - x),
    ("({0} - 1)", lambda x, one: x - one(Fraction(1))),
)


def _times(number: Fraction) -> Make:
    def make(_i: int, value: Vec, _args: Sequence[Vec]) -> Vec:
        return value * constant(number, len(lifted(value).arrays))

    return make


def _with(offer: Offer, compute: Callable[[Any, Number], Any]) -> Make:
    """Times a function of what is offered."""

    def make(i: int, value: Vec, _args: Sequence[Vec]) -> Vec:
        count = len(lifted(value).arrays)
        factor: Vec = compute(slimmed(offer.value(i), value), lambda number: constant(number, count))
        return value * factor

    return make



