"""Mistakes in arrays by their effect on the whole pass: a change to the text of one line is tried in all its rounds.

It counts if it makes results right and none wrong. What is right by then is settled, and what is left is looked for
anew.

So two mistakes, and mistakes in loops, are found without knowing what each value in between is. What values in between
are known to be by their names (``dz``) decides between changes that do the same for the results.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice

from symgrad.diagnose.effects.attempts import PER_NAME, WORK
from symgrad.diagnose.effects.edits import Edit, Tried, cost_of
from symgrad.diagnose.effects.outright import UNSET, is_whole
from symgrad.diagnose.effects.placing import PLAIN_OF_TWO
from symgrad.diagnose.effects.several import LEAST, MOST, PLAIN, WIDTH, WORK_MORE, Several, apart
from symgrad.diagnose.observing.subject import Unit
from symgrad.diagnose.text.source import SourceMap, source_map
from symgrad.diagnose.values.vectors import Vec
from symgrad.diagnose.walking.places import Repair
from symgrad.diagnose.walking.region import Site
from symgrad.errors import Span


@dataclass(frozen=True, slots=True)
class Explained:
    """Changes that make the results right.

    Attributes:
        given: for each assignment that a change is a part of, the repair and its line; several where changes of other
            lines come to the same assignment first.
        values: what changes, at all points.
    """

    given: dict[Unit, tuple[tuple[Repair, int], ...]]
    values: dict[int, Vec]


class Whole(Several):
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
        if first is not None and before and ends:
            return (*before, first.edit)  # what is wrong in it is looked for once the others are known
        self.board.left = given = min(work if first is None else WORK_MORE, self._left)
        tried = self._level(right, before)
        self._left -= given - max(self.board.left, 0)
        whole = [t for t in tried if t.full]
        if whole:
            best_one = min(whole, key=_plainest)
            named = any(not ok and n not in best_one.fixed for n, ok in enumerate(right))
            if not before and (named or self._is_true_line(best_one)) and not best_one.deferred:
                # What has a name is left wrong, or what is true is changed: one change makes up for another mistake.
                two = self._followed(right, before, [t for t in tried if not t.full and t.fixed], plain=True)
                if two and self._named_price(two) + LEAST <= best_one.cost:
                    return two
            unset = first is not None and first.edit.repair.mistake == UNSET
            if first is not None and unset and best_one.edit.repair.mistake == "missing-term":
                return (*before, first.edit)  # the zeros that it is added to were to be that term
            return (*before, best_one.edit)
        two = self._together(right, before) if len(before) + 2 <= MOST else ()
        named = bool(two) and self._misnamed((*before, *two)) > 0
        if two and not named and max(e.repair.cost for e in two) <= PLAIN_OF_TWO:
            return (*before, *two)
        ordered: tuple[Edit, ...] = ()
        if not before and not two:
            # Where something begins to be right there is another way to go on, and work is kept for that.
            self._kept = 2 * WORK_MORE if any(t.fixed for t in tried) else 0
            ordered, self._kept = self._in_order(right, before), 0
            if ordered and self._is_plain(ordered):
                return ordered
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
        two = two or ordered
        if two and (not best or self._named_price((*before, *two)) <= self._named_price(best)):
            return (*before, *two)
        plainly = first is not None and (self._tells_names(first, right) or self._tells_its_own(first))
        if first is not None and not best and (before or self._tells(first, right) or plainly):
            # No change of the text does it, but it is known which line is wrong, however it is.
            best = (*before, first.edit)
        return best

    def _is_plain(self, edits: Sequence[Edit]) -> bool:
        """Two changes that are believed without others being held against them."""
        return len(edits) <= 2 and max(e.repair.cost for e in edits) <= PLAIN_OF_TWO and not self._misnamed(edits)

    def _named_price(self, edits: Sequence[Edit]) -> float:
        return cost_of(edits) + PER_NAME * self._misnamed(edits)

    def _followed(
        self, right: Sequence[bool], before: tuple[Edit, ...], tried: Sequence[Tried], *, plain: bool
    ) -> tuple[Edit, ...]:
        """The cheapest changes that begin with one that makes something right.

        ``plain``: only such as are believed without others being held against them.
        """
        ranked = sorted((t for t in tried if not t.full), key=lambda t: (-self._weight(t), t.cost))
        begins = (t for t in ranked if not (before and not t.fixed) and not (plain and t.edit.repair.cost > PLAIN))
        best: tuple[Edit, ...] = ()
        for t in islice(apart(begins), WIDTH[len(before)]):
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

    # --- telling ------------------------------------------------------------------------------------------------

    def _explained(self, edits: Sequence[Edit]) -> Explained | None:
        values = self.board.full([e.change for e in edits])
        given: dict[Unit, tuple[tuple[Repair, int], ...]] = {}
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
            told = repair, e.passage.number
            made = [m for site in e.sites for m in e.passage.units_of((site,), values)]
            for one in made:
                given.setdefault(one, (told,))
            if made and all(told not in given[m] for m in made):
                given[made[0]] += (told,)
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
        found = next((p for p in places if p is not None and p.line == call.line), None)
        # What the forward pass runs as well is right: the line with the call is wrong.
        named = any(u.line == call.line for u in self.layout.units_at.get(i, ()))
        return found or (call if named and steps[i].span in self.layout.forward_spans else None)

    @cached_property
    def _source(self) -> SourceMap:
        return source_map(self.layout.subject.source)


def _plainest(tried: Tried) -> tuple[float, bool]:
    """Of two changes that cost as much, one in the user's own variables comes before a formula that is worked out."""
    repair = tried.edit.repair
    return round(tried.cost, 9), repair.quantity is not None and not (repair.text or repair.spelling)
