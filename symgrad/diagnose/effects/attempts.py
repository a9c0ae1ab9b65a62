"""Changes to the text of one line, in all its rounds, tried on the whole pass: what they make right, what of the values
in between is something true then, and what they cost."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial
from itertools import islice
from typing import Any

from symgrad.diagnose.effects.between import ANYTHING, FLOWING, Between, fine, is_meant
from symgrad.diagnose.effects.blameless import Blameless, comes_to_nothing, leaves_nothing
from symgrad.diagnose.effects.board import Board, Wide
from symgrad.diagnose.effects.counts import counts, given_arrays
from symgrad.diagnose.effects.edits import Check, Edit, Tried, cost_of
from symgrad.diagnose.effects.exchanges import Elsewhere, Exchange, exchanges
from symgrad.diagnose.effects.handing import handing
from symgrad.diagnose.effects.idle import idle_names
from symgrad.diagnose.effects.lines import Text, listed
from symgrad.diagnose.effects.narrow import Narrow
from symgrad.diagnose.effects.outright import Outright
from symgrad.diagnose.effects.passage import Passage
from symgrad.diagnose.effects.ratios import is_number, one_ratio
from symgrad.diagnose.meaning.evidence import is_strong
from symgrad.diagnose.meaning.likely import abbreviated, numbered
from symgrad.diagnose.meaning.reading import MANY, Reading
from symgrad.diagnose.observing.match import Known
from symgrad.diagnose.observing.replay import Layout, Result
from symgrad.diagnose.observing.truth import Quantity
from symgrad.diagnose.text.naming import is_bare, is_generic, normal
from symgrad.diagnose.values.closeness import signature
from symgrad.diagnose.values.shaped import lifted
from symgrad.diagnose.values.vectors import Vec
from symgrad.effort import is_spent
from symgrad.ops import OPS

#: Steps that are computed again, at most, for one mistake; all in all.
WORK = 250_000
WORK_IN_ALL = 700_000
#: A change that leaves a value wrong that has a name must be cheaper by this much.
PER_NAME = 0.6
#: Changes that cost so much more than the cheapest are still compared with it.
SLACK = 0.7
#: ... and one that leaves an assignment without a meaning by this much.
PER_UNTRUE = 0.3
#: Two changes that are only right together: none is dearer than this.
DEAREST = 1.8
#: What follows a change is looked at so far.
MOST_AFTER = 6
#: What is cheaper about a change to a line that does nothing but give a derivative another name, or comes to nothing.
IDLE = 0.4
IDLE_FACTOR = 0.1
#: ... in a loop, where what is used nowhere stands in the place of another variable.
UNUSED = 0.4


class Attempts:
    """Changes to lines, and what becomes right by them.

    Args:
        results: of the derivation.
    """

    def __init__(self, layout: Layout, known: Known, reading: Reading, results: Sequence[Result]) -> None:
        self.layout, self.known, self.reading = layout, known, reading
        # Where one parameter is moved by what is its gradient and nothing else, so are those beside it.
        plainly = any(r.unit.unnamed and r.is_right(r.actual) for r in results)
        firm = [
            r for r in results
            if self._is_firm(r.unit.name) or r.is_right(r.actual) or (r.unit.unnamed and plainly)
        ]  # fmt: skip
        #: Results that no change to a line reaches: gradients that are zeros to the end.
        self.lost = [r for r in firm if not r.is_right(r.actual) and self._is_given(r.unit.step)]
        self.results = [r for r in firm if r not in self.lost]
        self.checks = self._checks()
        feeding = layout.feeding(c.step for c in self.checks)
        self.blameless = Blameless(layout)
        self._whole_lines = Outright(layout)
        self._fine = fine(layout, known)
        again = layout.feeding(self._thrown_away(feeding))
        self.board = Board(layout, sorted(feeding | self._offered(feeding) | layout.feeding(self._fine) | again), WORK)
        self.passages = self._passages(feeding)
        self._at = {c.step: n for n, c in enumerate(self.checks)}
        self._named = self.checks
        self._unmeant: dict[int, bool] = {}
        self.between = Between(layout, known, reading, self.board.steps)
        #: Which results are right but for a constant factor as it is.
        self._off: dict[int, bool] = {}
        #: How many steps may still be computed, all in all.
        self._left = WORK_IN_ALL
        #: Changes that make nothing right alone, and how much they move the wrong results.
        self._moved: list[tuple[Edit, dict[int, float]]] = []
        #: Assignments that are nothing true as it is.
        self._untrue: list[int] = []
        #: No change has been made as yet: what makes a part of a result right may be the first of two.
        self._begins = True
        self._narrowed: tuple[list[Check], Narrow] | None = None
        #: What does not put the first wrong value right is not followed further: the rounds of one line.
        self._in_turn = False

    def _is_given(self, i: int) -> bool:
        first = self.layout.original(i)
        zeros = self.layout.graph.steps[first].is_leaf and self.layout.actual(first).is_zero
        return zeros or self.layout.graph.steps[i].is_leaf or i in self.layout.subject.autograd

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

    def _checks(self) -> list[Check]:
        out: dict[int, Check] = {}
        for r in self.results:
            out[r.unit.step] = Check(r.unit.step, tuple(lifted(v).arrays[1] for v in r.rights[:MANY]), True)
        for name, unit in self.layout.last.items():
            if unit.step not in out and self.reading.is_exact(name) and not self.layout.is_forward(unit.step):
                vecs = self.reading.rights(name)
                # What has its entries in other axes (heads side by side, and one by one) is another array by that name.
                axes = {tuple(n for n in v.shape if n > 1) for v in (*vecs, self.layout.actual(unit.step))}
                if len(axes) == 1 and all(v.usable and not v.is_zero for v in vecs):
                    out[unit.step] = Check(unit.step, tuple(lifted(v).arrays[1] for v in vecs), False)
        return [out[i] for i in sorted(out)]

    def _offered(self, feeding: set[int]) -> set[int]:
        """What was worked out and comes to nothing: it may belong where something else stands, and changes with it."""
        last = max(feeding, default=-1)
        more = self.layout.feeding(u.step for u in self.layout.subject.units if u.step < last)
        return more if len(more - feeding) <= len(feeding) else set()

    def _parts(self, passage: Passage) -> list[Quantity]:
        """What adds up to the gradient that a line is the last to work out."""
        ends = {r.unit.step for r in self.results if not r.is_right(r.actual)}
        own, exact = self.layout.last, self.reading.is_exact
        found = [u.name for u in passage.units if u.step in ends or (own[u.name] is u and exact(u.name))]
        pairs = self.reading.pairs(found[0]) if len(found) == 1 else ()
        if len(pairs) != 1 or pairs[0][0] != self.layout.subject.loss:
            return []
        bottom = pairs[0][1]
        flows = self.layout.truth.into.get(bottom, ())
        return [Quantity("contribution", top, bottom, flow) for top, flow in flows] if len(flows) > 1 else []

    @cached_property
    def idle(self) -> frozenset[str]:
        """The names of what is worked out and used nowhere."""
        return idle_names(self.layout, self.reading)

    @cached_property
    def _onwards(self) -> dict[tuple[str, int], int]:
        """What is changed in place: from one state of it to the next."""
        units = self.layout.subject.units
        return {(u.name, u.previous): u.step for u in units if u.augmented and u.step > u.previous >= 0}

    @cached_property
    def _text(self) -> Text:
        return Text(self.layout)

    def _passages(self, feeding: set[int]) -> list[Passage]:
        lines: dict[int, list[int]] = {}
        # What a line makes of a gradient that is right as well: a change of the line changes that, too.
        mine = feeding | self.layout.feeding(self._fine) | self._thrown_away(feeding)
        for i in (i for i in self.board.steps if i in mine):
            span = self.layout.graph.steps[i].span
            units = self.layout.units_at.get(i, ())
            line = span.line if span is not None else units[0].line if units else 0
            if line:
                lines.setdefault(line, []).append(i)
        wanted = {r.unit.step: r.rights[0] for r in self.results if len(r.rights) == 1}
        out = []
        text, kept = self._text, listed(self.layout)
        for line, steps in lines.items():
            if feeding.isdisjoint(steps) or all(map(self.blameless.is_length, steps)):
                continue
            if line in text.headers and all(self._only_names(i) for i in steps):
                continue  # `for dout, cache in pairs:` works nothing out
            goal = next((wanted[i] for i in sorted(steps) if i in wanted), self.layout.actual(max(steps)))
            made = Passage(self.layout, self.known, self.board, line, steps, goal, text, kept)
            named = (b for u in made.units[:2] for _, b in self.reading.pairs(u.name)[:MANY])
            made.wanted |= {self.layout.graph.steps[b].shape for b in named}
            made.parts = self._parts(made)
            made.idle = self.idle
            out.append(made)
        for made in out:
            loop = text.loop_at.get(made.number, 0)
            made.beside = [p for p in out if p is not made and loop and text.loop_at.get(p.number) == loop]
        return out

    def _only_names(self, i: int) -> bool:
        step = self.layout.graph.steps[i]
        return step.is_leaf or OPS[step.op].renames

    def _thrown_away(self, feeding: set[int]) -> set[int]:
        """What was worked out under a name that a later line, or the next round of one, takes anew: ``dT = xi`` in a
        loop, or ``dh = W.T @ dh`` before a ``dh = dy`` that lacks what was carried there."""
        units = self.layout.subject.units
        taken = {u.name: u.step for u in units if not u.augmented and u.step in feeding}
        names = {u.name for u in units if u.step not in feeding and u.step < taken.get(u.name, -1)}
        return {u.step for u in units if u.name in names and not self.layout.is_forward(u.step)}

    # --- trying -------------------------------------------------------------------------------------------------

    def _open(self, right: Sequence[bool]) -> set[int]:
        """What is still wrong."""
        return {c.step for c, ok in zip(self.checks, right, strict=True) if not ok}

    def _level(
        self, right: Sequence[bool], before: Sequence[Edit], among: set[int] | None = None
    ) -> list[Tried]:
        """All changes that make something right and nothing wrong, the cheapest first; to some steps or to all."""
        taken = {e.passage.number for e in before}
        options: list[tuple[float, int, Edit]] = []
        wrong = self._open(right)
        #: Lines that nothing right is made of: a slip that leaves the rest right is likeliest there, however many
        #: other changes there are to be tried.
        own: set[int] = set()
        for passage in self.passages:
            cone = set(self.board.cone(passage.steps))
            if passage.number in taken or wrong.isdisjoint(cone):
                continue
            if among is not None and among.isdisjoint(passage.steps):
                continue
            if not any(ok and c.is_result for c, ok in zip(self.checks, right, strict=True) if c.step in cone):
                own.add(passage.number)
            nothing = IDLE if self.between.is_nothing(passage) else 0.0
            for sites, depth, make, repair in passage.tries():
                if self.blameless.runs_forward(passage, sites[0]):
                    continue
                does = repair.template or repair.regain or repair.mistake == "missing-term"
                idle = passage.is_idle(sites[0]) and not self._is_summed(sites[0][0])
                less = IDLE if does else IDLE_FACTOR if repair.mistake == "missing-factor" else 0.0
                carry = len(passage.ends) > 1 and not repair.combine and (repair.spelling or repair.text) in self.idle
                left = UNUSED if carry else 0.0
                less = (less if idle else left) + nothing
                told = replace(repair, cost=repair.cost - less) if less else repair
                options.append((told.cost, depth, Edit(passage, sites, make, told)))
        for line, (sites, make, repair) in self._exchanges:
            if line.number not in taken and not wrong.isdisjoint(self.board.cone([i for i, _ in sites])):
                options.append((repair.cost, 0, Edit(line, sites, make, repair)))
        options.sort(key=lambda o: (o[2].passage.number not in own, *o[:2]))
        if not before and one_ratio((c for c in self.checks if c.step in wrong), self.board.array):
            shared = {p.number for p in self.passages if wrong <= set(self.board.cone(p.steps))}
            options.sort(key=lambda o: not (o[2].passage.number in shared and is_number(o[2].repair)))
        out: list[Tried] = []
        self._moved = []
        self._untrue = self._still_untrue()
        self._off = {}
        self._begins = not before
        least = known = float("inf")
        for cost, _, edit in options:
            if self.board.left <= 0 or is_spent():
                break
            if cost > least or (cost >= known and edit.passage.number not in own):
                continue
            t = self._try(edit, right)
            if t is not None and t.full:
                t = self._weighed(t, before)
                least = min(least, cost + SLACK) if t is not None else least
                known = min(known, cost) if t is not None and edit.passage.number in own else known
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
        found = exchanges(self.layout, self.board, self._text, self.results)
        others = handing(self.layout, self.board, self._text)
        given = given_arrays(self.layout, self.board, self._text)
        return [*found, *counts(self.layout, self.board, self._text), *given, *others]

    def _weight(self, tried: Tried) -> float:
        """How much speaks for a change that does not make everything right."""
        known = sum(3 if self.checks[n].is_result else 2 for n in tried.fixed)
        return known + (tried.meant >= 0) + 2 * tried.scaled + tried.gained - 3 * len(tried.broken)

    def _meant(self, edit: Edit, values: Mapping[int, Any]) -> int:
        """The first assignment of the line, with what is changed of it in place later, if it now is something true, and
        was not; else the next one after it of which that can be said, or -1."""
        if leaves_nothing(edit, values, self.board):
            return -1  # what is left of a sum when a part of it is nothing is a part of the gradient, and no mend
        for unit in edit.passage.units[:2]:
            i = unit.step
            while (unit.name, i) in self._onwards:
                i = self._onwards[unit.name, i]
            if i not in values or (unit.name, i) in self.layout.continued:
                continue
            if i not in self._unmeant:
                vec = self.layout.actual(i)
                self._unmeant[i] = not any(is_meant(q) for q in self.known.right(vec))
            new = self._unmeant[i] and values[i].size > 1 and not self._is_true(i, self.board.array(i))
            if new and self._is_true(i, values[i]):
                return i
        after = islice((i for i in self._untrue if i in values), MOST_AFTER)
        return next((i for i in after if values[i].size > 1 and self._is_true(i, values[i])), -1)

    def _still_untrue(self) -> list[int]:
        """The assignments that are nothing true with the changes that are settled, in order: arrays, and no sums that
        a loop goes on with."""
        board, units = self.board, self.layout.subject.units
        going_on = {(u.name, u.previous, u.line) for u in units if u.augmented}
        done = {u.step for u in units if (u.name, u.step, u.line) not in going_on and board.moves(u.step)}
        arrays = (i for i in sorted(done) if board.array(i).size > 1)
        return [i for i in arrays if not self.between.is_some(signature(board.array(i)), ANYTHING)]

    def _is_true(self, i: int, value: Any) -> bool:
        """A step's value is something that a gradient on the way may be; of some columns, it may be."""
        if self.narrow.is_part(i, value):
            return self.narrow.may_be_any(i, value, partial(self.known.arrays, kinds=FLOWING))
        return self.between.is_some(signature(value), FLOWING)

    def _weighed(self, tried: Tried, before: Sequence[Edit]) -> Tried | None:
        """All results are right at every point; what costs more is a change after which values in between are nothing
        true."""
        values = self.board.full([e.change for e in (*before, tried.edit)])
        if not all(r.is_right(values.get(r.unit.step) or r.actual) for r in self.results):
            return None
        if any(i in values and not values[i].same(self.layout.actual(i)) for i in self._fine):
            return None  # a gradient that is right would not be so any more
        if self.board.within is not None:
            tried = replace(tried, cost=tried.cost + PER_NAME * self._misnamed((*before, tried.edit), values))
        return replace(tried, cost=tried.cost + PER_UNTRUE * self.between.untrue([tried.edit], values))

    def _price(self, edits: Sequence[Edit]) -> float:
        """What some changes cost together, with what speaks against them."""
        values = self.board.full([e.change for e in edits])
        return cost_of(edits) + PER_UNTRUE * self.between.untrue(edits, values)

    def _misnamed(self, edits: Sequence[Edit], values: Mapping[int, Vec] | None = None) -> int:
        """How many values in between are not what their names say, with some changes made."""
        found = self.board.full([e.change for e in edits]) if values is None else values
        return sum(not c.is_result and not c.is_right(self._at_one(c.step, found)) for c in self._named)

    def _at_one(self, i: int, values: Mapping[int, Vec]) -> Any:
        return lifted(values.get(i) or self.layout.actual(i)).arrays[1]

    @property
    def narrow(self) -> Narrow:
        """The large ones among the values that are known, by some columns."""
        if self._narrowed is None or self._narrowed[0] is not self.checks:
            rights = {c.step: c.rights for c in self.checks if c.is_result}
            others = {c.step for c in self.checks if not c.is_result}
            self._narrowed = self.checks, Narrow(self.layout, self.board, rights, others)
        return self._narrowed[1]

    def _is_hopeless(self, edit: Edit, right: Sequence[bool]) -> bool:
        """Some columns of the large results tell that a change makes nothing right; what it moves is noted then."""
        narrow = self.narrow
        if not narrow.columns:
            return False
        hopeful, left = False, self.board.left

        def stops(i: int, value: Any) -> bool:
            nonlocal hopeful
            n = self._at.get(i)
            if n is None:
                return False
            ok = narrow.may_be_right(i, value) if i in narrow.columns else self.checks[n].is_right(value)
            hopeful = hopeful or (ok and not right[n])
            return ok is not right[n] and not (right[n] and self._may_defer(edit, n))

        try:
            values = self.board.run(edit.change, stops, self._at, narrow.columns)
        except Wide:
            hopeful, values = True, None
        if values is not None:
            hopeful = self._meant(edit, values) >= 0 or self._scaled(values, right) > 0
        if hopeful:
            self.board.left = left  # it is computed once more
        elif values is not None:
            self._note_moved(edit, values, right)
        return not hopeful

    def _note_moved(self, edit: Edit, values: Mapping[int, Any], right: Sequence[bool]) -> None:
        """Keep how much a change moves the wrong results, for pairs of changes that are right together."""
        if edit.repair.cost > DEAREST:
            return
        narrow = self.narrow
        moved = {
            n: narrow.signature(c.step, values[c.step]) - narrow.signature(c.step, self.board.array(c.step))
            for n, c in enumerate(self.checks)
            if not right[n] and c.is_result and c.step in values
            and (narrow.is_part(c.step, values[c.step]) or values[c.step].shape == self.board.array(c.step).shape)
        }  # fmt: skip
        # What is no number has no place in an order.
        if moved and all(map(math.isfinite, moved.values())):
            self._moved.append((edit, moved))

    def _try(self, edit: Edit, right: Sequence[bool]) -> Tried | None:
        if self._is_hopeless(edit, right):
            return None
        fixed: set[int] = set()
        broken: set[int] = set()
        deferred = False
        constant = self._begins and edit.repair.mistake in ("scale", "sign")

        def stops(i: int, value: Any) -> bool:
            nonlocal deferred
            n = self._at.get(i)
            if n is None:
                return False
            ok = self.checks[n].is_right(value)
            if ok and not right[n]:
                fixed.add(n)
            if not right[n] or ok:
                return self._in_turn and not ok and not fixed
            off = constant or self._may_defer(edit, n)
            if not off or not self.checks[n].is_multiple(value):
                return True
            if self._may_defer(edit, n):
                deferred = True
            elif self.checks[n].is_result:
                broken.add(n)
            else:
                return True
            return False

        values = self.board.run(edit.change, stops, self._at)
        if values is not None and comes_to_nothing(edit, values, self.board):
            return None
        if values is None or (deferred and sum(self.checks[n].is_result for n in fixed) < 2):
            return None
        if broken:
            # Two numbers that make up for each other in one result: what a name says of a value in between decides, or
            # that it is something true.
            named = any(not self.checks[n].is_result for n in fixed) or self._meant(edit, values) >= 0
            held = frozenset(fixed), False, edit.repair.cost
            return Tried(edit, values, *held, broken=frozenset(broken)) if named else None
        if not fixed:
            self._note_moved(edit, values, right)
            meant, scaled = self._meant(edit, values), self._scaled(values, right)
            share = self._gained(values, right) if self._begins and not scaled and meant < 0 else 0.0
            if meant < 0 and not scaled and not share:
                return None
            return Tried(edit, values, frozenset(), False, edit.repair.cost, meant, scaled, gained=share)
        left = [c for n, (c, ok) in enumerate(zip(self.checks, right, strict=True)) if not ok and n not in fixed]
        full = not any(c.is_result for c in left)
        cost = edit.repair.cost + PER_NAME * len(left) * full
        return Tried(edit, values, frozenset(fixed), full, cost, deferred=deferred)

    def _gained(self, values: Mapping[int, Any], right: Sequence[bool]) -> float:
        """Which share of the wrong entries of some result becomes right."""
        found = [
            gain.of(self.board.array(c.step), values[c.step])
            for n, c in enumerate(self.checks)
            if not right[n] and c.is_result and c.step in values
            for gain in c.gains
        ]
        return max(found, default=0.0)

    def _may_defer(self, edit: Edit, n: int) -> bool:
        """A count that is taken out where several results divide by it later: what stands in between is off by it."""
        return edit.repair.mistake == "scale" and edit.repair.keep >= 0 and not self.checks[n].is_result

    def _scaled(self, values: Mapping[int, Any], right: Sequence[bool]) -> int:
        """How many results become right but for a constant factor, and were not."""
        count = 0
        for n, c in enumerate(self.checks):
            if right[n] or not c.is_result or c.step not in values:
                continue
            if n not in self._off:
                self._off[n] = c.is_multiple(self.board.array(c.step))
            value = values[c.step]
            if self.narrow.is_part(c.step, value):
                count += not self._off[n] and self.narrow.may_be_multiple(c.step, value)
            elif not self._off[n] and c.is_multiple(value):
                count += 1
        return count
