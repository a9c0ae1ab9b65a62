"""Mistakes in arrays by their effect on the whole pass: a change to the text of one line is tried in all its rounds.

It counts if it makes results right and none wrong. What is right by then is settled, and what is left is looked for
anew.

So two mistakes, and mistakes in loops, are found without knowing what each value in between is. What values in between
are known to be by their names (``dz``) decides between changes that do the same for the results.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice, product
from operator import itemgetter

from symgrad.diagnose.effects.attempts import MOST_AFTER, PER_NAME, WORK, Attempts
from symgrad.diagnose.effects.between import ANYTHING, FLOWING
from symgrad.diagnose.effects.edits import Check, Edit, Tried, cost_of
from symgrad.diagnose.effects.outright import UNSET, is_whole
from symgrad.diagnose.effects.passage import Passage
from symgrad.diagnose.observing.subject import Unit
from symgrad.diagnose.text.naming import claims, list_of, normal, singulars
from symgrad.diagnose.text.source import SourceMap, source_map
from symgrad.diagnose.values.closeness import is_near, signature
from symgrad.diagnose.values.vectors import Vec
from symgrad.diagnose.walking.places import Repair
from symgrad.diagnose.walking.region import Site
from symgrad.effort import is_spent
from symgrad.errors import Span

#: Steps that are computed again, at most, for each further mistake; to find the line that is wrong, however it is.
WORK_MORE = 90_000
#: Of so many wrong rounds of a line the first one is looked at first.
ROUNDS = 3
WORK_OUTRIGHT = 40_000
#: How many mistakes are looked for, and how many first ones are followed up.
MOST = 3
WIDTH = (5, 2)
#: Two changes that are only right together: so many are weighed, and so many confirmed.
MOST_PAIRS = 400
MOST_CONFIRMED = 12
#: What any change costs; and one that is believed without others being held against it.
LEAST, PLAIN = 0.2, 1.0
PLAIN_OF_TWO = 1.2


@dataclass(frozen=True, slots=True)
class Explained:
    """Changes that make the results right.

    Attributes:
        given: for each assignment that a change is a part of, the repair and its line.
        values: what changes, at all points.
    """

    given: dict[Unit, tuple[Repair, int]]
    values: dict[int, Vec]


class Whole(Attempts):
    """Looks for the changes that make all results right."""

    def find(self) -> Explained | None:
        """The cheapest changes under which all results are right."""
        if not self.passages:
            return None
        right = [c.is_right(self.board.array(c.step)) for c in self.checks]
        if not any(c.is_result and not ok for c, ok in zip(self.checks, right, strict=True)):
            return None
        wrong = [r for r in self.results if not r.is_right(r.actual)]
        if all(any(r.actual.alike(v) for v in r.rights) for r in wrong):
            return None  # the entries are right: whether the shape matters is not for this to say
        if not wrong:
            return None
        found = self._refined(right, self._search(right, (), WORK))
        return self._explained(found) if found else None

    def _refined(self, right: Sequence[bool], edits: tuple[Edit, ...]) -> tuple[Edit, ...]:
        """Of lines that are wrong as wholes it is looked for what is wrong in them, once the others are right: it may
        be nothing."""
        for n, edit in enumerate(edits if len(edits) > 1 else ()):
            if not is_whole(edit.repair):
                continue
            others = (*edits[:n], *edits[n + 1 :])
            if self._makes_all_right(others):
                return others
            state = self.board.state()
            for other in others:
                values = self.board.run(other.change, lambda i, value: False)
                if values is not None:
                    self.board.settle(other.change, values)
            now = [ok or c.is_right(self.board.array(c.step)) for c, ok in zip(self.checks, right, strict=True)]
            self.board.left = WORK_MORE
            tried = self._level(now, others, {i for i, _ in edit.sites} | set(edit.passage.steps))
            self.board.restore(state)
            if whole := [t for t in tried if t.full]:
                edits = (*edits[:n], min(whole, key=lambda t: t.cost).edit, *edits[n + 1 :])
        return edits

    def _makes_all_right(self, edits: Sequence[Edit]) -> bool:
        values = self.board.full([e.change for e in edits])
        return all(r.is_right(values.get(r.unit.step) or r.actual) for r in self.results)

    # --- looking ------------------------------------------------------------------------------------------------

    def _search(self, right: Sequence[bool], before: tuple[Edit, ...], work: int) -> tuple[Edit, ...]:
        """The changes that are needed, those made before included; empty where there are none."""
        placed = self._outright(right, before)
        first = self._first([t for t in placed if t.full])
        named = first is not None and (self._is_as_it_should_be(first) or self._is_worked_out_again(first))
        named = named or (first is not None and any(u.step in self.between.late for u in first.edit.passage.units[:1]))
        ends = first is not None and first.edit.passage.units and not named
        if first is not None and ends and (near := self._upto(first, placed, before)):
            return (*before, *near)
        if first is not None and ends and self._tells(first, right):
            return (*before, first.edit)  # it is that line, and no change that is known
        if first is not None and before:
            return (*before, first.edit)  # what is wrong in it is looked for once the others are known
        self.board.left = given = min(work if first is None else WORK_MORE, self._left)
        tried = self._level(right, before)
        self._left -= given - max(self.board.left, 0)
        whole = [t for t in tried if t.full]
        if whole:
            best_one = min(whole, key=lambda t: t.cost)
            named = any(not ok and n not in best_one.fixed for n, ok in enumerate(right))
            if not before and (named or self._is_true_line(best_one)) and not best_one.deferred:
                # What has a name is left wrong, or what is true is changed: one change makes up for another mistake.
                two = self._followed(right, before, [t for t in tried if not t.full and t.fixed], plain=True)
                if two and cost_of(two) + PER_NAME * self._misnamed(two) + LEAST <= best_one.cost:
                    return two
            unset = first is not None and first.edit.repair.mistake == UNSET
            if first is not None and unset and best_one.edit.repair.mistake == "missing-term":
                return (*before, first.edit)  # the zeros that it is added to were to be that term
            return (*before, best_one.edit)
        two = self._together(right, before) if len(before) + 2 <= MOST else ()
        if two and max(e.repair.cost for e in two) <= PLAIN_OF_TWO:
            return (*before, *two)
        if not before and not two and (found := self._in_order(right, before)):
            return found
        best: tuple[Edit, ...] = ()
        if len(before) + 1 < MOST:
            begun = [*tried, *(t for t in placed if not t.full)]
            best = self._followed(right, before, begun, plain=first is not None)
            if not best and first is not None and not before:
                best = self._followed(right, before, begun, plain=False)
                # One line that is wrong as a whole is likelier than two of which one is, or which are dear together.
                price = cost_of(best) + PER_NAME * (self._misnamed(best) if best else 0)
                dear = self._tells_names(first, right) and price > first.cost + LEAST
                best = () if dear or any(is_whole(e.repair) or e.repair.mistake == UNSET for e in best) else best
        if two and (not best or cost_of(two) <= cost_of(best[len(before) :])):
            return (*before, *two)
        plainly = first is not None and (self._tells_names(first, right) or self._tells_its_own(first))
        if first is not None and not best and (self._tells(first, right) or plainly):
            # No change of the text does it, but it is known which line is wrong, however it is.
            best = (*before, first.edit)
        return best

    def _first(self, placed: Sequence[Tried]) -> Tried | None:
        """Of the lines that explain all as wholes the first that is nothing true as it stands; else the last: up to
        there all was right."""
        untrue = [t for t in placed if not self._is_true_line(t)]
        if untrue or not placed:
            return min(untrue, key=self._place, default=None)
        return max(placed, key=self._place)

    def _is_true_line(self, tried: Tried) -> bool:
        return any(self.between.is_true_of(u) for u in tried.edit.passage.units[:1])

    def _is_worked_out_again(self, tried: Tried) -> bool:
        """A value of the forward pass: it is right, and what follows it is wrong."""
        units = tried.edit.passage.units[:1]
        return any(self.between.again.holds(u.step, self.layout.actual(u.step)) for u in units)

    def _is_as_it_should_be(self, tried: Tried) -> bool:
        """What a line works out is something true: of a loop, which is told by its first round alone, only where a line
        further down does no more than give it the name of a result. That line may be to blame."""
        own = set(tried.edit.passage.steps)
        ends = {r.unit.step for r in self.results if not r.is_right(r.actual)} - own
        alone = len(tried.edit.passage.ends) == 1 or any(self.layout.original(i) in own for i in ends)
        return alone and self._is_true_line(tried)

    def _place(self, tried: Tried) -> tuple[int, bool]:
        """The first step that is not what it must be; what is read there comes before it."""
        sites = sorted({i for i, _ in tried.edit.sites})
        wrong = (i for i in sites if not is_near(tried.values[i], self.board.array(i)))
        return next(wrong, sites[0]), bool(tried.edit.passage.units)

    def _tells(self, first: Tried, right: Sequence[bool]) -> bool:
        """One line that explains one result may be any on the way to it; one that explains several is not."""
        cone = set(self.board.cone([i for i, _ in first.edit.sites]))
        return len([r for r in self.results if r.unit.step in cone & self._open(right)]) > 1

    def _tells_names(self, first: Tried, right: Sequence[bool]) -> bool:
        """Nor is one that puts all right that has a name, of which there is more on the way to the result."""
        own = set(first.edit.passage.steps)
        after = [n for n in first.fixed if self.checks[n].step not in own]
        return len(after) > 1 and all(ok or n in first.fixed for n, ok in enumerate(right))

    def _tells_its_own(self, first: Tried) -> bool:
        """Nor is one in a loop that is called after the very thing of which it is the gradient by that, and was not."""
        q, units = first.edit.repair.quantity, first.edit.passage.units
        if q is None or len(first.edit.sites) < ROUNDS or not units:
            return False
        name = normal(list_of(self.layout.subject.names.get(q.bottom, "")))
        return any(name in singulars(c.bottom) for c in claims(units[0].name))

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
        # What is used nowhere may belong there, and changes as well.
        idle = [u.step for name in self._idle for u in self.layout.by_name.get(name, ())]
        kept, self.checks, self.board.within = self.checks, checks, frozenset(self.layout.feeding([*ends, *idle]))
        self._at = {c.step: n for n, c in enumerate(self.checks)}
        try:
            tried: list[Tried] = []
            # Of a line in many rounds what puts it right shows in the first of them that is wrong.
            for self._in_turn in (True, False) if right.count(False) >= ROUNDS else (False,):
                self.board.left = given = min(WORK_MORE, self._left)
                tried = self._level(right, before, among)
                self._left -= given - max(self.board.left, 0)
                whole = [t for t in tried if t.full]
                if whole:
                    return (min(whole, key=lambda t: t.cost).edit,)
            if len(before) + 2 > MOST:
                return ()
            both = self._together(right, before)
            if both and not self._misnamed((*before, *both)):
                return both
            one_then_one = self._in_order(right, before) or self._one_by_one(right, before, tried, among)
            found = [f for f in (both, one_then_one) if f]
            return min(found, key=lambda f: cost_of(f) + PER_NAME * self._misnamed((*before, *f)), default=())
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
        if passage is None or self._left <= 0:
            return ()
        # A factor of the gradient alone is true of something as well: what leads there and is no gradient may be wrong.
        leading = self.layout.feeding([passage.units[0].step])
        parts = [p for p in own if p.units[0].step in leading and not self._holds(p, FLOWING)]
        self.board.left = given = min(WORK_MORE, self._left)
        tried = self._level(right, before, {i for p in (passage, *parts) for i in p.steps})
        self._left -= given - max(self.board.left, 0)
        tried = [t for t in tried if t.edit.passage is passage or t.edit.passage in parts]
        if whole := [t for t in tried if t.full]:
            return (min(whole, key=lambda t: t.cost).edit,)
        mended = sorted((t for t in tried if t.meant >= 0), key=self._cost_by_name)
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
        ranked = sorted(tried, key=lambda t: (-self._weight(t), t.cost))
        for t in islice(_apart(ranked), WIDTH[0]):
            if self._left <= 0 or (best and t.edit.repair.cost + LEAST >= cost_of(best)):
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
                best = found if not best or cost_of(found) < cost_of(best) else best
                if max(e.repair.cost for e in found) <= PLAIN:
                    break
        return best

    def _followed(
        self, right: Sequence[bool], before: tuple[Edit, ...], tried: Sequence[Tried], *, plain: bool
    ) -> tuple[Edit, ...]:
        """The cheapest changes that begin with one that makes something right.

        ``plain``: only such as are believed without others being held against them.
        """
        ranked = sorted((t for t in tried if not t.full), key=lambda t: (-self._weight(t), t.cost))
        begins = (t for t in ranked if not (before and not t.fixed) and not (plain and t.edit.repair.cost > PLAIN))
        best: tuple[Edit, ...] = ()
        for t in islice(_apart(begins), WIDTH[len(before)]):
            if self._left <= 0 or (best and t.edit.repair.cost + LEAST > cost_of(best[len(before) :])):
                continue
            state = self.board.state()
            self.board.settle(t.edit.change, t.values)
            now = [(ok or n in t.fixed) and n not in t.broken for n, ok in enumerate(right)]
            found = self._search(now, (*before, t.edit), WORK_MORE)
            self.board.restore(state)
            if not before:
                found = self._refined(right, found)
            more = found[len(before) :]
            if not more or (plain and max(e.repair.cost for e in more) > PLAIN):
                continue
            if not best or (cost_of(found) <= cost_of(best) and self._price(found) < self._price(best)):
                best = found
            if len(more) <= 2 and max(e.repair.cost for e in more) <= PLAIN_OF_TWO:
                break
        return best

    def _outright(self, right: Sequence[bool], before: Sequence[Edit]) -> list[Tried]:
        """Lines that are wrong as wholes, however they are: with what they should be, some or all results are right."""
        taken, wrong = {e.passage.number for e in before}, self._open(right)
        self._untrue = self._still_untrue()
        self.board.left = min(WORK_OUTRIGHT, self._left)
        given = self.board.left
        out = []
        options = [
            Edit(passage, sites, make, repair)
            for passage in self.passages
            if passage.number not in taken
            and (self._results_of(passage, wrong) or self._is_alone(passage, wrong, before))
            for sites, make, repair in self._whole_lines.lines(passage)
        ]
        options.sort(key=self._is_unlikely)
        for line, (sites, make, repair) in self._whole_lines.left_at_zero(self.board, self._text):
            if line.number not in taken and not wrong.isdisjoint(self.board.cone([i for i, _ in sites])):
                options.append(Edit(line, sites, make, repair))
        for edit in options:
            if self.board.left <= 0 or is_spent():
                break
            t = self._try(edit, right)
            if t is not None and t.full:
                t = self._weighed(t, before)
            if t is not None and (t.fixed or (t.meant >= 0 and self._leads_on(t))):
                out.append(t)
        self._left -= given - max(self.board.left, 0)
        return [t for t in out if t.fixed] or out

    def _leads_on(self, tried: Tried) -> bool:
        """What follows a line is something true as well, with what the line is to be, and was not."""
        own = {u.step for u in tried.edit.passage.units}
        after = islice((i for i in self._untrue if i in tried.values and i not in own), MOST_AFTER)
        return any(self._is_true(i, tried.values[i]) for i in after)

    def _is_alone(self, passage: Passage, wrong: set[int], before: Sequence[Edit]) -> bool:
        """What plain changes that put other results right leave wrong is one that a line works out itself."""
        left = {r.unit.step for r in self.results if r.unit.step in wrong and not r.is_right(r.actual)}
        plain = before and all(e.repair.cost <= PLAIN_OF_TWO for e in before)
        others = any(not r.is_right(r.actual) for r in self.results if r.unit.step not in wrong)
        alone = len(left) == 1 == len(wrong & {r.unit.step for r in self.results})
        return bool(plain) and others and alone and left <= {u.step for u in passage.units}

    def _is_unlikely(self, edit: Edit) -> tuple[bool, bool]:
        """A line is what its name says sooner than another thing; what flows along some of the paths from that, into
        another round of a loop, comes after what is a gradient by itself."""
        q = edit.repair.quantity
        named = {b for u in edit.passage.units[:2] for _, b in self.reading.pairs(u.name)}
        return q is None or q.bottom not in named, q is not None and q.kind != "cotangent"

    def _leading_to(self, placed: Sequence[Tried]) -> set[int] | None:
        """The steps among which one mistake is: where a line as a whole makes all right, what follows it is right."""
        if any(t.full and not t.edit.passage.units for t in placed):
            return None  # left at zeros: nothing leads there, and what is read instead is a change elsewhere
        full = [t for t in placed if t.full]
        full = [t for t in full if not self._is_true_line(t)] or [t for t in full if t is self._first(full)]
        ways = [self.layout.feeding(i for i, _ in t.edit.sites) for t in full]
        return set.intersection(*ways) if ways else None

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
        for _, first, second in sorted(found, key=itemgetter(0))[:MOST_CONFIRMED]:
            if self._makes_all_right((*before, first, second)):
                return first, second
        return ()

    # --- telling ------------------------------------------------------------------------------------------------

    def _explained(self, edits: Sequence[Edit]) -> Explained | None:
        values = self.board.full([e.change for e in edits])
        given: dict[Unit, tuple[Repair, int]] = {}
        for e in edits:
            first = e.passage.round_of(e.sites[0][0])
            sites = tuple(s for s in e.sites if e.passage.round_of(s[0]) == first)
            unit = e.passage.unit_of(sites, values)
            if unit is None:
                return None
            place = e.passage.placed(sites, e.make, unit, lambda i: values.get(i) or self.layout.actual(i))
            known = e.repair.span is not None and (e.repair.text or not e.passage.units)
            repair = replace(
                e.repair,
                place=place,
                span=e.repair.span if known else self._span(e, sites[0], unit),
                renamed=e.passage.renamed(first),
            )
            for site in e.sites:
                made = e.passage.unit_of((site,), values)
                if made is not None:
                    given.setdefault(made, (repair, e.passage.number))
        return Explained(given, values) if given else None

    def _span(self, edit: Edit, site: Site, unit: Unit) -> Span | None:
        """Where a change is written, where that is not where its step is."""
        i, slot = site
        step = self.layout.graph.steps[i]
        if slot < 0:
            whole = self._source.statement(unit.span) if is_whole(edit.repair) else None
            return whole if unit.augmented else self._call(edit, i) or step.span
        # np.outer(a, b) makes both of them flat first: a step each, with the characters of the call.
        around = [s for k, s in edit.passage.users.get(i, ()) if self.layout.graph.steps[k].span == step.span]
        return self._source.operand(step.span, around[0]) if around and len(step.inputs) == 1 else None

    def _call(self, edit: Edit, i: int) -> Span | None:
        """The call of a function, where what that gives elsewhere, by the same characters, stays as it is."""
        subject, steps = self.layout.subject, self.layout.graph.steps
        call, changed = subject.callers.get(i), {k for k, _ in edit.sites}
        alike = (k for k, s in enumerate(steps) if s.span == steps[i].span and k not in changed and not s.is_leaf)
        if call is None or all(subject.callers.get(k) == call for k in alike):
            return None
        users = ((k, n) for k in self.layout.children[i] for n, j in enumerate(steps[k].inputs) if j == i)
        places = (self._source.operand(steps[k].span, n) for k, n in users)
        return next((p for p in places if p is not None and p.line == call.line), None)

    @cached_property
    def _source(self) -> SourceMap:
        return source_map(self.layout.subject.source)


def _apart(ranked: Iterable[Tried]) -> Iterator[Tried]:
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
