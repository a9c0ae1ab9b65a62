"""Several changes to lines of arrays that are needed together: after each other, or at once."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice, product
from operator import itemgetter

from symgrad.diagnose.effects.attempts import PER_NAME
from symgrad.diagnose.effects.between import ANYTHING, FLOWING
from symgrad.diagnose.effects.edits import Check, Edit, Tried, cost_of
from symgrad.diagnose.effects.passage import Passage
from symgrad.diagnose.effects.placing import ROUNDS, Placing
from symgrad.diagnose.values.closeness import is_multiple, signature

#: Steps that are computed again, at most, for each further mistake.
WORK_MORE = 90_000
#: How many mistakes are looked for, and how many first ones are followed up.
MOST = 3
WIDTH = (5, 2)
#: Two changes that are only right together: so many are weighed, and so many confirmed.
MOST_PAIRS = 400
MOST_CONFIRMED = 20
#: One change that makes so much dearer what is not what its name says is held against two.
MISNAMED = 2 * PER_NAME
#: Two numbers that differ by less are one.
NEAR = 1e-8
#: What any change costs; and one that is believed without others being held against it.
LEAST, PLAIN = 0.2, 1.0


class Several(Placing):
    """Looks for changes of which each alone does not make all right."""

    #: Steps that are kept for what is looked for later.
    _kept: int = 0

    def _upto(self, first: Tried, placed: Sequence[Tried], before: tuple[Edit, ...]) -> tuple[Edit, ...]:
        """The changes under which a line is what it must be as a whole: what follows it need not be computed."""
        among = self._leading_to(placed)
        ends = sorted(i for i, _ in first.edit.sites)
        # Where what follows hides the difference (a mask), several values of the line make all right.
        same = [t for t in placed if t.full and t.edit.sites == first.edit.sites]
        checks = [Check(i, (first.values[i], *(t.values[i] for t in same if t is not first)), True) for i in ends]
        right = [c.is_right(self.board.array(c.step)) for c in checks]
        if among is None or len(before) >= MOST:
            return ()
        # What is used nowhere may belong there, and changes as well; so does what is thrown away on the way there.
        idle = [u.step for name in self.idle for u in self.layout.by_name.get(name, ())]
        idle += self._thrown_away(self.layout.feeding(ends))
        kept, self.checks, self.board.within = self.checks, checks, frozenset(self.layout.feeding([*ends, *idle]))
        self._at = {c.step: n for n, c in enumerate(self.checks)}
        try:
            tried: list[Tried] = []
            one: Tried | None = None
            # Of a line in many rounds what puts it right shows in the first of them that is wrong.
            for self._in_turn in (True, False) if right.count(False) >= ROUNDS else (False,):
                self.board.left = given = min(WORK_MORE, self._left)
                tried = self._level(right, before, among)
                self._left -= given - max(self.board.left, 0)
                one = min((t for t in tried if t.full), key=lambda t: t.cost, default=None)
                if one is not None:
                    break
            if len(before) + 2 > MOST or (one is not None and one.cost < one.edit.repair.cost + MISNAMED):
                return (one.edit,) if one is not None else ()
            both = (self._together(right, before) or self._by_two_numbers(right, before)) if one is None else ()
            if both and not self._misnamed((*before, *both)):
                return both
            # Several values that are not what their names say: one change makes up for another mistake.
            left = [t for t in tried if not t.full]
            one_then_one = self._in_order(right, before) if one is None else ()
            one_then_one = one_then_one or self._one_by_one(right, before, left, among)
            found = [f for f in (both, one_then_one) if f]
            priced = [(cost_of(f) + LEAST + PER_NAME * self._misnamed((*before, *f)), f) for f in found]
            if one is not None:
                priced.append((one.cost, (one.edit,)))
            return min(priced, key=itemgetter(0), default=(0.0, ()))[1]
        finally:
            self.checks, self.board.within, self._in_turn = kept, None, False
            self._at = {c.step: n for n, c in enumerate(self.checks)}

    def _in_order(self, right: Sequence[bool], before: tuple[Edit, ...]) -> tuple[Edit, ...]:
        """Changes to one line after the other, in the order of the run, each to the first that is nothing true by then.

        Of a long loop that is much less work than to try all changes of all lines after each other.
        """
        taken = {e.passage.number for e in before}
        own = [p for p in self.passages if p.number not in taken and p.units]
        passage = min((p for p in own if not self._holds(p, ANYTHING)), key=lambda p: p.units[0].step, default=None)
        if passage is None or self._left <= self._kept:
            return ()
        # A factor of the gradient alone is true of something as well: what leads there and is no gradient may be wrong,
        # and so may be what is not what its name says.
        leading = self.layout.feeding([passage.units[0].step])
        before_it = (p for p in own if p.units[0].step in leading)
        parts = [p for p in before_it if self._is_misnamed(p) or not self._holds(p, FLOWING)]
        self.board.left = given = min(WORK_MORE, self._left)
        tried = self._level(right, before, {i for p in (passage, *parts) for i in p.steps})
        self._left -= given - max(self.board.left, 0)
        tried = [t for t in tried if t.edit.passage is passage or t.edit.passage in parts]
        if whole := [t for t in tried if t.full]:
            return (min(whole, key=lambda t: t.cost).edit,)
        mended = sorted((t for t in tried if t.meant >= 0 or t.fixed), key=self._cost_by_name)
        for t in mended[: WIDTH[1]] if len(before) + 2 <= MOST else ():
            state = self.board.state()
            self.board.settle(t.edit.change, t.values)
            now = [ok or n in t.fixed for n, ok in enumerate(right)]
            more = self._in_order(now, (*before, t.edit))
            self.board.restore(state)
            if more:
                return (t.edit, *more)
        return ()

    def _cost_by_name(self, tried: Tried) -> float:
        """What a change costs that makes something true of a line, which need not be what its name says."""
        other = any(c.step == tried.meant and not c.is_right(tried.values[c.step]) for c in self._named)
        return tried.edit.repair.cost + PER_NAME * other

    def _is_misnamed(self, passage: Passage) -> bool:
        """What a line works out first is not what its name says, with the changes that are settled."""
        i = passage.units[0].step
        return any(c.step == i and not c.is_result and not c.is_right(self.board.array(i)) for c in self._named)

    def _holds(self, passage: Passage, kinds: tuple[str, ...]) -> bool:
        """The first assignment of a line is something of some kinds with the changes that are settled, or begins a
        sum."""
        unit = passage.units[0]
        i = unit.step
        if (unit.name, i) in self.layout.continued or self.layout.graph.steps[i].is_leaf:
            return True
        return self.between.is_some(signature(self.board.array(i)), kinds)

    def _one_by_one(
        self, right: Sequence[bool], before: tuple[Edit, ...], tried: Sequence[Tried], among: set[int]
    ) -> tuple[Edit, ...]:
        """Two changes, of which the first makes some of it right, or right but for a constant factor."""
        best: tuple[Edit, ...] = ()
        least = math.inf
        ranked = sorted(tried, key=lambda t: (-self._weight(t), t.cost))
        for t in islice(apart(ranked), WIDTH[0]):
            if self._left <= 0 or t.edit.repair.cost + LEAST >= least:
                continue
            state = self.board.state()
            self.board.settle(t.edit.change, t.values)
            now = [(ok or n in t.fixed) and n not in t.broken for n, ok in enumerate(right)]
            self.board.left = given = min(WORK_MORE, self._left)
            more = [m for m in self._level(now, (*before, t.edit), among) if m.full]
            self._left -= given - max(self.board.left, 0)
            self.board.restore(state)
            if more:
                found = (t.edit, min(more, key=lambda m: m.cost).edit)
                left_wrong = self._misnamed((*before, *found))
                price = cost_of(found) + PER_NAME * left_wrong
                best, least = (found, price) if price < least else (best, least)
                if not left_wrong and max(e.repair.cost for e in found) <= PLAIN:
                    break
        return best

    def _together(self, right: Sequence[bool], before: Sequence[Edit]) -> tuple[Edit, ...]:
        """Two changes in different lines that are needed together: of two terms of one sum, each is wrong."""
        wrong = [n for n, ok in enumerate(right) if not ok and self.checks[n].is_result]
        needed: dict[int, list[float]] = {}
        for n in wrong:
            have = self.board.array(self.checks[n].step)
            rights = [r for r in self.checks[n].rights if r.shape == have.shape]
            if not rights or len(rights) > MOST:
                return ()
            step = self.checks[n].step
            needed[n] = [self.narrow.signature(step, r) - self.narrow.signature(step, have) for r in rights]
        pivot = wrong[0]
        moving = sorted(((moved[pivot], k) for k, (_, moved) in enumerate(self._moved) if pivot in moved))
        found: list[tuple[float, Edit, Edit]] = []
        for (delta, k), goal in product(moving, needed[pivot]):
            edit, moved = self._moved[k]
            near = 1e-9 * (abs(goal) + abs(delta))
            n = bisect_left(moving, (goal - delta - near, -1))
            while n < len(moving) and moving[n][0] <= goal - delta + near and len(found) < MOST_PAIRS:
                other, by = self._moved[moving[n][1]]
                n += 1
                fits = all(
                    any(abs(moved.get(m, 0.0) + by.get(m, 0.0) - g) <= 1e-8 * abs(g) for g in needed[m]) for m in wrong
                )
                alike = edit.repair.number is not None and edit.repair.number == other.repair.number
                # Two terms off by one factor: that is a factor of their sum.
                if fits and not alike and edit.passage.number < other.passage.number:
                    found.append((edit.repair.cost + other.repair.cost, edit, other))
        # Of two lines the plainest changes; of several pairs of lines those that leave right what has a name.
        told: dict[tuple[int, int], float] = {}
        best: tuple[Edit, ...] = ()
        for cost, first, second in sorted(found, key=itemgetter(0))[:MOST_CONFIRMED]:
            lines = (first.passage.number, second.passage.number)
            if lines in told:
                continue
            if self._makes_all_right((*before, first, second)):
                told[lines] = cost + PER_NAME * self._misnamed((*before, first, second))
                best = (first, second) if told[lines] == min(told.values()) else best
        return best

    def _by_two_numbers(self, right: Sequence[bool], before: Sequence[Edit]) -> tuple[Edit, ...]:
        """Two plain changes in different lines, of which each makes what is wrong another multiple of itself: a sign
        in one line, and a count in another."""
        steps = {n: self.checks[n].step for n, ok in enumerate(right) if not ok and self.checks[n].is_result}
        have = {n: self.narrow.signature(i, self.board.array(i)) for n, i in steps.items()}
        needed = {n: self._ratio(n, have[n]) for n in steps}
        if not needed or not all(needed.values()):
            return ()
        pivot = next(iter(needed))
        plain: list[tuple[float, Edit]] = []
        for edit, moved in self._moved:
            ratios = [1 + moved.get(n, 0.0) / have[n] for n in needed]
            same = all(math.isclose(r, ratios[0], rel_tol=NEAR) for r in ratios)
            if same and edit.repair.cost <= PLAIN and ratios[0] and not math.isclose(ratios[0], 1.0, rel_tol=NEAR):
                plain.append((ratios[0], edit))
        found = sorted(
            (a.repair.cost + b.repair.cost, k, m)
            for k, (r, a) in enumerate(plain) for m, (by, b) in enumerate(plain[:k])
            if a.passage.number != b.passage.number and math.isclose(r * by, needed[pivot], rel_tol=NEAR)
        )  # fmt: skip
        for _, k, m in found[:MOST_CONFIRMED]:
            if self._makes_all_right((*before, plain[k][1], plain[m][1])):
                return plain[m][1], plain[k][1]
        return ()

    def _ratio(self, n: int, have: float) -> float:
        """By what a value must be multiplied to be right; 0 where no number does it."""
        array = self.board.array(self.checks[n].step)
        right = next((r for r in self.checks[n].rights if is_multiple(array, r)), None)
        return self.narrow.signature(self.checks[n].step, right) / have if right is not None and have else 0.0

    def _makes_all_right(self, edits: Sequence[Edit]) -> bool:
        values = self.board.full([e.change for e in edits])
        return all(r.is_right(values.get(r.unit.step) or r.actual) for r in self.results)


def apart(ranked: Iterable[Tried]) -> Iterator[Tried]:
    """Those that do something else than the ones before them: of a line in many rounds also in its last round alone."""
    seen: dict[object, list[float]] = {}
    for t in ranked:
        units, ends = t.edit.passage.units, t.edit.passage.ends
        last = t.values.get(units[-1].step) if units else None
        found = 0.0 if last is None else signature(last)
        mine = seen.setdefault((t.fixed, t.meant, t.scaled, t.edit.passage.number), [])
        if len(mine) < min(len(ends), 2) and not any(math.isclose(found, s, rel_tol=1e-9) for s in mine):
            mine.append(found)
            yield t
