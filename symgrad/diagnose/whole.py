"""Mistakes in arrays by their effect on the whole pass: a change to the text of one line is tried in all its rounds.

It counts if it makes results right and none wrong. What is right by then is settled, and what is left is looked for
anew.

So two mistakes, and mistakes in loops, are found without knowing what each value in between is. What values in between
are known to be by their names (``dz``) decides between changes that do the same for the results.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product
from operator import itemgetter
from typing import Any

import numpy as np

from symgrad.diagnose.board import Board, Change
from symgrad.diagnose.evidence import is_strong
from symgrad.diagnose.exchanges import Elsewhere, Exchange, exchanges
from symgrad.diagnose.likely import abbreviated, numbered
from symgrad.diagnose.lines import Text, listed
from symgrad.diagnose.match import Known
from symgrad.diagnose.naming import is_bare, is_generic, normal
from symgrad.diagnose.outright import Outright, is_whole
from symgrad.diagnose.passage import Passage
from symgrad.diagnose.places import Repair
from symgrad.diagnose.reading import MANY, Reading
from symgrad.diagnose.region import Make, Site
from symgrad.diagnose.replay import Layout, Result
from symgrad.diagnose.shaped import Shaped, lifted, signature
from symgrad.diagnose.source import SourceMap
from symgrad.diagnose.subject import Unit
from symgrad.diagnose.truth import Quantity
from symgrad.diagnose.typed import is_in
from symgrad.diagnose.vectors import TOLERANCE, Vec
from symgrad.errors import Span

#: Steps that are computed again, at most: for one mistake, and for each further one.
WORK = 250_000
WORK_MORE = 90_000
#: ... to find the line that is wrong, however it is; all in all.
WORK_OUTRIGHT = 40_000
WORK_IN_ALL = 700_000
#: How many mistakes are looked for, and how many first ones are followed up.
MOST = 3
WIDTH = (5, 2)
#: A change that leaves a value wrong that has a name must be cheaper by this much.
PER_NAME = 0.6
#: Changes that cost so much more than the cheapest are still compared with it.
SLACK = 0.7
#: ... and one that leaves an assignment without a meaning by this much; of so many at most.
PER_UNTRUE = 0.3
MOST_BETWEEN = 120
#: ... of which one that holds something true, and not what its name says, counts so much.
MISNAMED = 0.3
#: Two changes that are only right together: none dearer than this, so many are weighed, and so many confirmed.
DEAREST = 1.65
MOST_PAIRS = 400
MOST_CONFIRMED = 12
#: What any change costs; and one that is believed without others being held against it.
LEAST, PLAIN = 0.2, 1.0
PLAIN_OF_TWO = 1.2
#: What is cheaper about a change to a line that does nothing but give a derivative another name.
IDLE = 0.4
#: What flows back.
FLOWING = ("cotangent", "contribution", "sum")
#: What is this small beside the rest of the pass is a rest of rounding.
REST = 1e-11


@dataclass(frozen=True, slots=True)
class Edit:
    """One change to the text of a line, in all its rounds."""

    passage: Passage
    sites: tuple[Site, ...]
    make: Make
    repair: Repair

    @property
    def change(self) -> Change:
        return self.sites, self.make


@dataclass(frozen=True, slots=True)
class Explained:
    """Changes that make the results right.

    Attributes:
        given: for each assignment that a change is a part of, the repair and its line.
        values: what changes, at all points.
    """

    given: dict[Unit, tuple[Repair, int]]
    values: dict[int, Vec]


@dataclass(frozen=True, slots=True)
class _Check:
    """A value that is known: a result, or one in between whose name says what it is."""

    step: int
    rights: tuple[Any, ...]
    is_result: bool

    def is_right(self, array: Any) -> bool:
        """Of a value in between the shape is no matter of its own."""
        return any(
            _near(array, right)
            or (not self.is_result and array.size == right.size and _near(array.ravel(), right.ravel()))
            for right in self.rights
        )


@dataclass(frozen=True, slots=True)
class _Tried:
    edit: Edit
    values: dict[int, Any]
    fixed: frozenset[int]
    full: bool
    cost: float
    meant: int = -1
    scaled: int = 0


class Whole:
    """Looks for the changes that make all results right.

    Args:
        results: of the derivation.
    """

    def __init__(self, layout: Layout, known: Known, reading: Reading, results: Sequence[Result]) -> None:
        self.layout, self.known, self.reading = layout, known, reading
        firm = [r for r in results if self._is_firm(r.unit.name) or r.is_right(r.actual)]
        #: Results that no change to a line reaches: gradients that are zeros to the end.
        self.lost = [r for r in firm if not r.is_right(r.actual) and self._is_given(r.unit.step)]
        self.results = [r for r in firm if r not in self.lost]
        self.checks = self._checks()
        feeding = layout.feeding(c.step for c in self.checks)
        self._whole_lines = Outright(layout)
        self.board = Board(layout, sorted(feeding | self._offered(feeding)), WORK)
        self.passages = self._passages(feeding)
        self._at = {c.step: n for n, c in enumerate(self.checks)}
        self._named = self.checks
        self._unmeant: dict[int, bool] = {}
        #: Which results are right but for a constant factor as it is.
        self._off: dict[int, bool] = {}
        #: How many steps may still be computed, all in all.
        self._left = WORK_IN_ALL
        #: Changes that make nothing right alone, and how much they move the wrong results.
        self._moved: list[tuple[Edit, dict[int, float]]] = []

    def _is_given(self, i: int) -> bool:
        return self.layout.graph.steps[i].is_leaf or i in self.layout.subject.autograd

    def _is_firm(self, name: str) -> bool:
        """The name is that of a gradient by its letters: dhnext, left over when a loop is done, need not be one."""
        if not self.reading.is_loose(name):
            return True
        if name not in self.reading.guessed:
            return False
        names = self.layout.subject.names
        leaves = [i for i in self.layout.truth.leaves if i in names]
        plain = is_bare(name) or is_generic(name) or normal(name).startswith("grad")
        known = abbreviated(name, leaves, names) >= 0 or numbered(name, leaves, names) >= 0
        return plain or known or is_strong(name, self.layout)

    def _checks(self) -> list[_Check]:
        out: dict[int, _Check] = {}
        for r in self.results:
            out[r.unit.step] = _Check(r.unit.step, tuple(lifted(v).arrays[1] for v in r.rights[:MANY]), True)
        for name, unit in self.layout.last.items():
            if unit.step not in out and self.reading.is_exact(name) and not self.layout.is_forward(unit.step):
                vecs = self.reading.rights(name)
                if all(v.usable and not v.is_zero for v in vecs):
                    out[unit.step] = _Check(unit.step, tuple(lifted(v).arrays[1] for v in vecs), False)
        return [out[i] for i in sorted(out)]

    def _offered(self, feeding: set[int]) -> set[int]:
        """What was worked out and comes to nothing: it may belong where something else stands, and changes with it."""
        last = max(feeding, default=-1)
        more = self.layout.feeding(u.step for u in self.layout.subject.units if u.step < last)
        return more if len(more - feeding) <= len(feeding) else set()

    def _parts(self, passage: Passage) -> list[Quantity]:
        """What adds up to the gradient that a line is the last to work out."""
        ends = {r.unit.step: r for r in self.results if not r.is_right(r.actual)}
        found = [ends[u.step].unit.name for u in passage.units if u.step in ends]
        pairs = self.reading.pairs(found[0]) if len(found) == 1 else ()
        if len(pairs) != 1 or pairs[0][0] != self.layout.subject.loss:
            return []
        bottom = pairs[0][1]
        flows = self.layout.truth.into.get(bottom, ())
        return [Quantity("contribution", top, bottom, flow) for top, flow in flows] if len(flows) > 1 else []

    @cached_property
    def _text(self) -> Text:
        return Text(self.layout)

    def _passages(self, feeding: set[int]) -> list[Passage]:
        lines: dict[int, list[int]] = {}
        for i in (i for i in self.board.steps if i in feeding):
            span = self.layout.graph.steps[i].span
            units = self.layout.units_at.get(i, ())
            line = span.line if span is not None else units[0].line if units else 0
            if line:
                lines.setdefault(line, []).append(i)
        wanted = {r.unit.step: r.rights[0] for r in self.results if len(r.rights) == 1}
        out = []
        text, kept = self._text, listed(self.layout)
        for line, steps in lines.items():
            goal = next((wanted[i] for i in sorted(steps) if i in wanted), self.layout.actual(max(steps)))
            made = Passage(self.layout, self.known, self.board, line, steps, goal, text, kept)
            named = (b for u in made.units[:2] for _, b in self.reading.pairs(u.name)[:MANY])
            made.wanted |= {self.layout.graph.steps[b].shape for b in named}
            made.parts = self._parts(made)
            out.append(made)
        return out

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
        """Of lines that are wrong as wholes it is looked for what is wrong in them, once the others are right."""
        for n, edit in enumerate(edits if len(edits) > 1 else ()):
            if not is_whole(edit.repair):
                continue
            others = (*edits[:n], *edits[n + 1 :])
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
        first = min((t for t in placed if t.full), key=self._place, default=None)
        if first is not None and first.edit.passage.units and (near := self._upto(first, placed, before)):
            return (*before, *near)
        if first is not None and before:
            return (*before, first.edit)  # what is wrong in it is looked for once the others are known
        self.board.left = min(work, self._left)
        tried = self._level(right, before)
        self._left -= min(work, self._left) - max(self.board.left, 0)
        whole = [t for t in tried if t.full]
        if whole:
            return (*before, min(whole, key=lambda t: t.cost).edit)
        two = self._together(right, before) if len(before) + 2 <= MOST else ()
        if two and max(e.repair.cost for e in two) <= PLAIN_OF_TWO:
            return (*before, *two)
        best: tuple[Edit, ...] = ()
        if len(before) + 1 < MOST:
            best = self._followed(right, before, [*tried, *(t for t in placed if not t.full)], plain=first is not None)
        if two and (not best or _cost(two) <= _cost(best[len(before) :])):
            return (*before, *two)
        if first is not None and not best and self._tells(first, right):
            # No change of the text does it, but it is known which line is wrong, however it is.
            best = (*before, first.edit)
        return best

    def _place(self, tried: _Tried) -> tuple[int, bool]:
        """The first step that is not what it must be; what is read there comes before it."""
        sites = sorted({i for i, _ in tried.edit.sites})
        wrong = (i for i in sites if not _near(tried.values[i], self.board.array(i)))
        return next(wrong, sites[0]), bool(tried.edit.passage.units)

    def _tells(self, first: _Tried, right: Sequence[bool]) -> bool:
        """One line that explains one result may be any on the way to it; one that explains several is not."""
        cone = set(self.board.cone([i for i, _ in first.edit.sites]))
        return len([r for r in self.results if r.unit.step in cone & self._open(right)]) > 1

    def _upto(self, first: _Tried, placed: Sequence[_Tried], before: tuple[Edit, ...]) -> tuple[Edit, ...]:
        """The changes under which a line is what it must be as a whole: what follows it need not be computed."""
        among = self._leading_to(placed)
        ends = sorted(i for i, _ in first.edit.sites)
        checks = [_Check(i, (first.values[i],), True) for i in ends]
        right = [c.is_right(self.board.array(c.step)) for c in checks]
        if among is None or len(before) >= MOST:
            return ()
        kept, self.checks, self.board.within = self.checks, checks, frozenset(self.layout.feeding(ends))
        self._at = {c.step: n for n, c in enumerate(self.checks)}
        try:
            self.board.left = min(WORK_MORE, self._left)
            given = self.board.left
            tried = self._level(right, before, among)
            self._left -= given - max(self.board.left, 0)
            whole = [t for t in tried if t.full]
            if whole:
                return (min(whole, key=lambda t: t.cost).edit,)
            if len(before) + 2 > MOST:
                return ()
            return self._together(right, before) or self._one_by_one(right, before, tried, among)
        finally:
            self.checks, self.board.within = kept, None
            self._at = {c.step: n for n, c in enumerate(self.checks)}

    def _one_by_one(
        self, right: Sequence[bool], before: tuple[Edit, ...], tried: Sequence[_Tried], among: set[int]
    ) -> tuple[Edit, ...]:
        """Two changes, of which the first makes some of it right, or right but for a constant factor."""
        best: tuple[Edit, ...] = ()
        ranked = sorted(tried, key=lambda t: (-self._weight(t), t.cost))
        places = {(t.fixed, t.meant, t.scaled, t.edit.passage.number): t for t in reversed(ranked)}
        for t in [t for t in ranked if t in places.values()][: WIDTH[0]]:
            if self._left <= 0 or (best and t.edit.repair.cost + LEAST >= _cost(best)):
                continue
            state = self.board.state()
            self.board.settle(t.edit.change, t.values)
            now = [ok or n in t.fixed for n, ok in enumerate(right)]
            self.board.left = given = min(WORK_MORE, self._left)
            more = [m for m in self._level(now, (*before, t.edit), among) if m.full]
            self._left -= given - max(self.board.left, 0)
            self.board.restore(state)
            if more:
                found = (t.edit, min(more, key=lambda m: m.cost).edit)
                best = found if not best or _cost(found) < _cost(best) else best
                if max(e.repair.cost for e in found) <= PLAIN:
                    break
        return best

    def _followed(
        self, right: Sequence[bool], before: tuple[Edit, ...], tried: Sequence[_Tried], *, plain: bool
    ) -> tuple[Edit, ...]:
        """The cheapest changes that begin with one that makes something right.

        ``plain``: only such as are believed without others being held against them.
        """
        followed: list[_Tried] = []
        for t in sorted((t for t in tried if not t.full), key=lambda t: (-self._weight(t), t.cost)):
            if (before and not t.fixed) or (plain and t.edit.repair.cost > PLAIN):
                continue
            place = (t.fixed, t.meant, t.edit.passage.number)
            if all((f.fixed, f.meant, f.edit.passage.number) != place for f in followed):
                followed.append(t)
        best: tuple[Edit, ...] = ()
        for t in followed[: WIDTH[len(before)]]:
            if self._left <= 0 or (best and t.edit.repair.cost + LEAST >= _cost(best[len(before) :])):
                continue
            state = self.board.state()
            self.board.settle(t.edit.change, t.values)
            now = [ok or n in t.fixed for n, ok in enumerate(right)]
            found = self._search(now, (*before, t.edit), WORK_MORE)
            self.board.restore(state)
            more = found[len(before) :]
            if not more or (plain and max(e.repair.cost for e in more) > PLAIN):
                continue
            if not best or _cost(found) < _cost(best):
                best = found
            if max(e.repair.cost for e in more) <= PLAIN:
                break
        return best

    def _open(self, right: Sequence[bool]) -> set[int]:
        """What is still wrong."""
        return {c.step for c, ok in zip(self.checks, right, strict=True) if not ok}

    def _outright(self, right: Sequence[bool], before: Sequence[Edit]) -> list[_Tried]:
        """Lines that are wrong as wholes, however they are: with what they should be, some or all results are right."""
        taken, wrong = {e.passage.number for e in before}, self._open(right)
        self.board.left = min(WORK_OUTRIGHT, self._left)
        given = self.board.left
        out = []
        options = [
            Edit(passage, sites, make, repair)
            for passage in self.passages
            if passage.number not in taken and self._results_of(passage, wrong)
            for sites, make, repair in self._whole_lines.lines(passage)
        ]
        for line, (sites, make, repair) in self._whole_lines.left_at_zero(self.board, self._text):
            if line.number not in taken and not wrong.isdisjoint(self.board.cone([i for i, _ in sites])):
                options.append(Edit(line, sites, make, repair))
        for edit in options:
            if self.board.left <= 0:
                break
            t = self._try(edit, right)
            if t is not None and t.full:
                t = self._weighed(t, before)
            if t is not None and t.fixed:
                out.append(t)
        self._left -= given - max(self.board.left, 0)
        return out

    def _leading_to(self, placed: Sequence[_Tried]) -> set[int] | None:
        """The steps among which one mistake is: where a line as a whole makes all right, what follows it is right."""
        if any(t.full and not t.edit.passage.units for t in placed):
            return None  # left at zeros: nothing leads there, and what is read instead is a change elsewhere
        ways = [self.layout.feeding(i for i, _ in t.edit.sites) for t in placed if t.full]
        return set.intersection(*ways) if ways else None

    def _level(
        self, right: Sequence[bool], before: Sequence[Edit], among: set[int] | None = None
    ) -> list[_Tried]:
        """All changes that make something right and nothing wrong, the cheapest first; to some steps or to all."""
        taken = {e.passage.number for e in before}
        options: list[tuple[float, int, Edit]] = []
        wrong = self._open(right)
        for passage in self.passages:
            if passage.number in taken or wrong.isdisjoint(self.board.cone(passage.steps)):
                continue
            if among is not None and among.isdisjoint(passage.steps):
                continue
            for sites, depth, make, repair in passage.tries():
                does = repair.template or repair.regain or repair.mistake == "missing-term"
                idle = does and passage.is_idle(sites[0]) and not self._is_summed(sites[0][0])
                told = replace(repair, cost=repair.cost - IDLE) if idle else repair
                options.append((told.cost, depth, Edit(passage, sites, make, told)))
        for line, (sites, make, repair) in self._exchanges:
            if line.number not in taken and not wrong.isdisjoint(self.board.cone([i for i, _ in sites])):
                options.append((repair.cost, 0, Edit(line, sites, make, repair)))
        options.sort(key=lambda o: o[:2])
        out: list[_Tried] = []
        self._moved = []
        self._off = {}
        least = float("inf")
        for cost, _, edit in options:
            if self.board.left <= 0 or cost > least:
                break
            t = self._try(edit, right)
            if t is not None and t.full:
                t = self._weighed(t, before)
                least = min(least, cost + SLACK) if t is not None else least
            if t is not None:
                out.append(t)
        return out

    def _is_summed(self, i: int) -> bool:
        """What a line renames was added up: what lacks there is a matter of those lines."""
        units = self.layout.units_at.get(self.layout.original(i), ())
        return any(u.augmented for u in units)

    def _results_of(self, passage: Passage, wrong: set[int]) -> set[int]:
        """The wrong results that a line has a part in, and does not work out itself."""
        cone = self.board.cone(passage.steps)
        ends = {u.step for u in passage.units}
        return {r.unit.step for r in self.results if r.unit.step in wrong and r.unit.step not in ends} & set(cone)

    @cached_property
    def _exchanges(self) -> list[tuple[Elsewhere, Exchange]]:
        return list(exchanges(self.layout, self.board, self._text, self.results))

    def _together(self, right: Sequence[bool], before: Sequence[Edit]) -> tuple[Edit, ...]:
        """Two changes in different lines that are needed together: of two terms of one sum, each is wrong."""
        wrong = [n for n, ok in enumerate(right) if not ok and self.checks[n].is_result]
        needed: dict[int, list[float]] = {}
        for n in wrong:
            have = self.board.array(self.checks[n].step)
            rights = [r for r in self.checks[n].rights if r.shape == have.shape]
            if not rights or len(rights) > MOST:
                return ()
            needed[n] = [signature(r) - signature(have) for r in rights]
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
            values = self.board.full([e.change for e in (*before, first, second)])
            if all(r.is_right(values.get(r.unit.step) or r.actual) for r in self.results):
                return first, second
        return ()

    def _weight(self, tried: _Tried) -> int:
        """How much speaks for a change that does not make everything right."""
        return sum(3 if self.checks[n].is_result else 2 for n in tried.fixed) + (tried.meant >= 0) + 2 * tried.scaled

    def _meant(self, edit: Edit, values: Mapping[int, Any]) -> int:
        """The first assignment of the line if it now is something true, and was not; else -1."""
        for unit in edit.passage.units[:2]:
            i = unit.step
            if i not in values or (unit.name, i) in self.layout.continued:
                continue
            if i not in self._unmeant:
                vec = self.layout.actual(i)
                self._unmeant[i] = not any(_is_meant(q) for q in self.known.right(vec))
            x = lifted(Shaped([values[i]])).floats[0]
            if self._unmeant[i] and values[i].size > 1 and is_in(x, self._true):
                return i
        return -1

    @cached_property
    def _true(self) -> list[float]:
        """The signatures of everything that a gradient on the way may be, at the one point."""
        return sorted(x for x in self.known.floats(1, FLOWING) if math.isfinite(x))

    def _weighed(self, tried: _Tried, before: Sequence[Edit]) -> _Tried | None:
        """All results are right at every point; what costs more is a change after which values in between are nothing
        true."""
        values = self.board.full([e.change for e in (*before, tried.edit)])
        if not all(r.is_right(values.get(r.unit.step) or r.actual) for r in self.results):
            return None
        untrue = 0.0
        if self.board.within is not None:
            left = [c for c in self._named if not c.is_result and not c.is_right(self._at_one(c.step, values))]
            tried = replace(tried, cost=tried.cost + PER_NAME * len(left))
        for i in self._between:
            vec = values.get(i) or self.layout.actual(i)
            held = [q for q in self.known.right(vec) if _is_meant(q)]
            named = [u.name for u in self.layout.units_at.get(i, ())[:1] if self.reading.pairs(u.name)]
            if not held:
                untrue += 1
            elif named and not any(self.reading.says(q, named[0]) for q in held):
                untrue += MISNAMED
        return replace(tried, cost=tried.cost + PER_UNTRUE * untrue)

    def _at_one(self, i: int, values: Mapping[int, Vec]) -> Any:
        return lifted(values.get(i) or self.layout.actual(i)).arrays[1]

    @cached_property
    def _between(self) -> list[int]:
        """The assignments on the way to the results."""
        feeding = set(self.board.steps)
        done = {u.step for u in self.layout.subject.units if (u.name, u.step) not in self.layout.continued}
        found = sorted(done & feeding)
        return found if len(found) <= MOST_BETWEEN else []

    def _try(self, edit: Edit, right: Sequence[bool]) -> _Tried | None:
        fixed: set[int] = set()

        def stops(i: int, value: Any) -> bool:
            n = self._at.get(i)
            if n is None:
                return False
            ok = self.checks[n].is_right(value)
            if ok and not right[n]:
                fixed.add(n)
            return right[n] and not ok

        values = self.board.run(edit.change, stops)
        if values is None:
            return None
        if not fixed:
            moved = {
                n: signature(values[c.step]) - signature(self.board.array(c.step))
                for n, c in enumerate(self.checks)
                if not right[n] and c.is_result and c.step in values
                and values[c.step].shape == self.board.array(c.step).shape
            }  # fmt: skip
            # What is no number has no place in an order.
            if moved and edit.repair.cost <= DEAREST and all(map(math.isfinite, moved.values())):
                self._moved.append((edit, moved))
            meant, scaled = self._meant(edit, values), self._scaled(values, right)
            if meant < 0 and not scaled:
                return None
            return _Tried(edit, values, frozenset(), False, edit.repair.cost, meant, scaled)
        left = [c for n, (c, ok) in enumerate(zip(self.checks, right, strict=True)) if not ok and n not in fixed]
        full = not any(c.is_result for c in left)
        return _Tried(edit, values, frozenset(fixed), full, edit.repair.cost + PER_NAME * len(left) * full)

    def _scaled(self, values: Mapping[int, Any], right: Sequence[bool]) -> int:
        """How many results become right but for a constant factor, and were not."""
        count = 0
        for n, c in enumerate(self.checks):
            if right[n] or not c.is_result or c.step not in values:
                continue
            if n not in self._off:
                self._off[n] = any(_is_multiple(self.board.array(c.step), r) for r in c.rights)
            if not self._off[n] and any(_is_multiple(values[c.step], r) for r in c.rights):
                count += 1
        return count

    # --- telling ------------------------------------------------------------------------------------------------

    def _explained(self, edits: Sequence[Edit]) -> Explained | None:
        values = self.board.full([e.change for e in edits])
        given: dict[Unit, tuple[Repair, int]] = {}
        for e in edits:
            first = e.passage.round_of(e.sites[0][0])
            sites = tuple(s for s in e.sites if e.passage.round_of(s[0]) == first)
            unit = e.passage.unit_of(sites)
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
                made = e.passage.unit_of((site,))
                if made is not None and made.step in values:
                    given.setdefault(made, (repair, e.passage.number))
        return Explained(given, values) if given else None

    def _span(self, edit: Edit, site: Site, unit: Unit) -> Span | None:
        """Where a change is written, where that is not where its step is."""
        i, slot = site
        step = self.layout.graph.steps[i]
        if slot < 0:
            return step.span if not unit.augmented else None
        # np.outer(a, b) makes both of them flat first: a step each, with the characters of the call.
        around = [s for k, s in edit.passage.users.get(i, ()) if self.layout.graph.steps[k].span == step.span]
        return self._source.operand(step.span, around[0]) if around and len(step.inputs) == 1 else None

    @cached_property
    def _source(self) -> SourceMap:
        return SourceMap(self.layout.subject.source)


def _cost(edits: Sequence[Edit]) -> float:
    return sum(e.repair.cost for e in edits)


def _is_meant(q: Quantity) -> bool:
    """What an assignment on the way to a gradient may hold."""
    return q.kind in FLOWING or (q.kind == "local" and q.vec.constant() is None)


def _is_multiple(a: Any, b: Any) -> bool:
    """An array is another one, of several entries, times a number that is neither 0 nor 1."""
    if a.shape != b.shape or a.size < 2:
        return False
    n = int(np.abs(b).argmax())
    x, y = float(a.flat[n]), float(b.flat[n])
    if not y or not x or not math.isfinite(x):
        return False
    # Most are told apart by one more entry.
    k = n - 1 if n else 1
    if abs(float(a.flat[k]) * y - float(b.flat[k]) * x) > TOLERANCE * abs(x * y):
        return False
    return _near(a * (y / x), b)


def _near(a: Any, b: Any) -> bool:
    if a.shape != b.shape:
        return False
    if not a.size:
        return True
    x, y = np.abs(a), np.abs(b)
    larger = np.maximum(x, y)
    scale = float(larger.max())
    return np.isfinite(scale) and bool((np.abs(a - b) <= TOLERANCE * larger + REST * max(scale, 1.0)).all())
