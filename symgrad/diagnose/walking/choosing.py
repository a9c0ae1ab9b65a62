"""Which change of a wrong line is the likeliest."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace
from functools import cache
from typing import TypeVar

from symgrad.diagnose.meaning.reading import MANY
from symgrad.diagnose.observing.subject import BITS, Unit
from symgrad.diagnose.observing.truth import Quantity
from symgrad.diagnose.values.vectors import Vec, each
from symgrad.diagnose.walking.ground import UNEXPLAINED, Ground
from symgrad.diagnose.walking.likeness import Likeness
from symgrad.diagnose.walking.places import Context, Line, Place, Repair
from symgrad.diagnose.walking.repair import repairs
from symgrad.diagnose.walking.twofold import pair_repairs
from symgrad.diagnose.words.wording import Wording
from symgrad.enclosure import precision

T = TypeVar("T")

#: What a later target costs against an earlier one, and how many are tried.
RANK = 0.3
MOST_TARGETS = 12
#: Derivatives held by then that are tried in the place of others.
MOST_HELD = 30
#: Beyond this cost a change of two places is looked for as well.
FAR_FETCHED = 2.0
#: So many changes of a line are compared with what is taught.
MOST_LIKENED = 16


class Choosing(Ground):
    """A walk that finds for a line what it should be, and the change that makes it that."""

    def _best(
        self, unit: Unit, line: Line, targets: Sequence[Quantity]
    ) -> tuple[float, Quantity, tuple[Repair, ...]] | None:
        """The cheapest way to make an assignment right, and what it then is."""
        best: tuple[float, Quantity, tuple[Repair, ...]] | None = None
        most = MOST_TARGETS if not self.subject.is_shaped else MOST_TARGETS // 3
        for rank, target in enumerate(targets[:most]):
            options = self._options(unit, line, target)
            if self.suspects is not None:
                options = [r for r in options if self._place_line(unit, r) in self.suspects]
            options = self._liked(unit, line, target, options)
            if options and (best is None or options[0].cost + RANK * rank < best[0]):
                best = (options[0].cost + RANK * rank, target, (options[0],))
        if best is None or best[0] > FAR_FETCHED:
            for rank, target in enumerate(targets[:3]):
                pairs = self._pairs(unit, line, target)
                if pairs:
                    cost = sum(r.cost for r in pairs[0]) + RANK * rank
                    if best is None or cost < best[0]:
                        best = (cost, target, pairs[0])
        return best

    def likeness(self) -> Likeness:
        """Compares lines with what is taught, by what is understood by now."""
        layout = self.layout
        return Likeness(
            layout, Wording(self.subject, self.truth, self.out.meaning, layout.variable, layout.formulas)
        )

    def _liked(self, unit: Unit, line: Line, target: Quantity, options: list[Repair]) -> list[Repair]:
        """The changes of a line, those first that are the cheapest if unlikeness to what is taught counts as well."""
        if len(options) < 2 or self.subject.is_shaped:
            return options
        likeness = self.likeness()
        taught = likeness.taught(unit, target)
        if not taught:
            return options
        apart = [likeness.distance(likeness.of_repair(unit, line, r), taught) for r in options[:MOST_LIKENED]]
        order = sorted(range(len(apart)), key=lambda n: (options[n].cost + apart[n], n))
        return [options[n] for n in order] + options[MOST_LIKENED:]

    def _options(self, unit: Unit, line: Line, target: Quantity) -> list[Repair]:
        """The changes of one place that make an assignment what it should be, cheapest first."""
        context = self._context(unit, target)
        situation = self._situation(unit, line, target)
        spare = self.layout.respelling if self.subject.is_shaped else None
        options = [*self._tried(("one", situation), lambda: repairs(line, context, budget=spare))]
        if self.subject.is_shaped and not self.brief:
            from symgrad.diagnose.walking.changes import changes

            inside = set(line.inside())
            ends = [u.step for u in self.layout.by_name[unit.name] if u.step in inside]
            bound = options[0].cost if options else UNEXPLAINED + 1
            key = ("rounds", situation, tuple(ends), bound)
            options += self._tried(key, lambda: changes(line, context, ends, bound, self.layout.budget))
            options.sort(key=lambda r: (r.cost, len(r.place.path)))
        return options

    def _pairs(self, unit: Unit, line: Line, target: Quantity) -> Sequence[tuple[Repair, ...]]:
        """The changes of two places that make an assignment what it should be, cheapest first."""
        context = self._context(unit, target)
        return self._tried(("two", self._situation(unit, line, target)), lambda: pair_repairs(line, context))

    def _tried(self, key: Hashable, find: Callable[[], list[T]]) -> Sequence[T]:
        """What was found for a line in some situation: another walk, under other suspicions, may come to the same line
        with the same values."""
        if key not in self.layout.tried:
            self.layout.tried[key] = find()
        return self.layout.tried[key]

    def _situation(self, unit: Unit, line: Line, target: Quantity) -> tuple[Hashable, ...]:
        """All that a change which makes a line its target depends on."""
        meant = frozenset(
            (i, m.kind, m.top, m.bottom, self.corrected(i).floats) for i, m in self.out.meaning.items() if i < unit.step
        )
        held = frozenset(key for key, i in self._held.items() if i < unit.step)
        seeded = ("cotangent", self.subject.loss, self.subject.loss) in self._held
        given = tuple((i, self.corrected(i).floats) for i in line.used())
        goal = (target.kind, target.top, target.bottom, target.vec.floats, target.vec.shape)
        return unit.step, goal, tuple(line.inside()), tuple(line.everything()), given, meant, held, seeded

    def _lost(self, unit: Unit, target: Quantity) -> Unit | None:
        """The assignment that throws away what was accumulated under its name before, where just that is missing."""
        mine = [u for u in self.layout.by_name[unit.name] if u.step <= unit.step][-MANY:]
        with precision(BITS):
            gap = target.vec - self.corrected(unit.step)
        if gap.is_zero:
            return None
        if len(mine) > 1 and not unit.augmented and self.layout.feeds(mine[-2].step, {unit.step}):
            mine = mine[-1:]  # what it held before is used: delta = delta*w
        total = None
        for earlier in reversed(mine[:-1]):
            # dw = dz*hs[t] in a loop: all rounds but the last are lost.
            if unit.augmented or (earlier.line != unit.line and not self.corrected(earlier.step).is_zero):
                break
            value = self.corrected(earlier.step)
            total = value if total is None else total + value
            if earlier.line == unit.line and total.same(gap):
                return unit
        for n, earlier in enumerate(mine[:-1]):
            follower = mine[n + 1]
            if follower.augmented or earlier.step == follower.step or self.layout.feeds(earlier.step, {follower.step}):
                continue
            if self.suspects is not None and follower.line not in self.suspects:
                continue
            if self.subject.is_shaped and self.layout.actual(follower.step).is_zero:
                continue  # zeros begin an accumulation, in another epoch
            if self.corrected(earlier.step).same(gap):
                return follower
        return None

    def _habit(self, unit: Unit, chosen: Sequence[Repair]) -> Repair | None:
        """p - y for the gradient at a sigmoid's input, where the loss is not the cross-entropy that this belongs to."""
        if len(chosen) != 1 or chosen[0].quantity is None or chosen[0].quantity.kind != "local":
            return None
        repair, q = chosen[0], chosen[0].quantity
        links = (self.truth.written_out.get(q.top), *self.truth.links.get(q.top, ()))
        op = next((link.op for link in links if link is not None and link.op is not None), None)
        if repair.mistake != "missing-factor" or repair.place.parent >= 0 or op is None or op.canonical is None:
            return None
        rule, loss = op.canonical
        found, y = self.corrected(unit.step), self.truth.values[q.top]
        for i in self.truth.leaves:
            target = self.truth.values[i]
            if (
                y is not None
                and target is not None
                and each(lambda a, b: rule(None, a, None, b), y, target).same(found)
            ):
                return replace(
                    repair, mistake="other-objective", words=f"is the gradient of {loss}, and the loss is not"
                )
        return None

    def _overwrites(self, unit: Unit) -> bool:
        """A name of the forward pass, which stands for no derivative, gets another value."""
        if unit.name not in self._forward or self.reading.pairs(unit.name) or unit.step in self.layout.aside:
            return False
        used = self.line(unit).used() if not self.subject.is_shaped else ()
        own = {i for name, i in self.subject.aliases if name == unit.name}
        if used and all(self.layout.is_forward(i) and i not in own for i in used):
            return False  # made of other values of the forward pass: worked out once more, and wrongly
        # In the next epoch the same line runs again: that is no other value.
        spans = (self.graph.steps[i].span for name, i in self.subject.aliases if name == unit.name)
        return not any(span is not None and span.line == unit.span.line for span in spans)

    def _regained(self, unit: Unit) -> Repair:
        """``=`` should be ``+=``."""
        value = self.corrected(unit.step)
        place = Place(unit.step, -1, -1, value, ())
        return Repair(place, "lost-accumulation", "throws away what was accumulated before", 0.0, regain=unit.name)

    def _context(self, unit: Unit, target: Quantity) -> Context:
        def held(q: Quantity) -> bool:
            first = self._held.get((q.kind, q.top, q.bottom))
            return first is not None and first < unit.step

        def flows(i: int) -> bool:
            meaning = self.out.meaning.get(i)
            if meaning is not None and meaning.kind == "local":
                return meaning.top == loss
            return meaning is not None and meaning.kind in ("cotangent", "contribution", "sum", "helper")

        loss = self.subject.loss
        seeded = target.kind in ("cotangent", "contribution", "sum") and ("cotangent", loss, loss) in self._held
        @cache
        def derivatives(before: int) -> list[tuple[Quantity, Vec]]:
            held = {u.step for u in self.subject.units if u.step < before} & set(self.out.meaning)
            return [(self.out.meaning[i], self.corrected(i)) for i in sorted(held, reverse=True)[:MOST_HELD]]

        return Context(self.known, self.layout.variable, held, self.layout.origin, flows, seeded, target, derivatives)

    def _is_literal(self, repair: Repair, found: Vec, target: Quantity) -> bool:
        """A number written out where a variable of the same value stands in the forward pass: right, as it is."""
        node = self.graph.steps[repair.place.node]
        return bool(node.is_const and repair.quantity is not None and found.same_at_user(target.vec))
