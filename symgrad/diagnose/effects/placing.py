"""Lines of arrays that are wrong as wholes: which of them explain what is wrong, and whether that tells."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

from symgrad.diagnose.effects.attempts import MOST_AFTER, Attempts
from symgrad.diagnose.effects.edits import Edit, Tried
from symgrad.diagnose.effects.passage import Passage
from symgrad.diagnose.observing.subject import Unit
from symgrad.diagnose.text.naming import claims, list_of, normal, singulars
from symgrad.diagnose.values.closeness import is_near
from symgrad.diagnose.values.shaped import lifted
from symgrad.effort import is_spent
from symgrad.ops import OPS

#: Steps that are computed again, at most, to find the line that is wrong, however it is.
WORK_OUTRIGHT = 40_000
#: Of so many wrong rounds of a line the first one is looked at first.
ROUNDS = 3
#: Two changes are believed without others being held against them if none of them costs more.
PLAIN_OF_TWO = 1.2


class Placing(Attempts):
    """Looks for lines that, if they were what they must be, would make results right."""

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

    def _first(self, placed: Sequence[Tried]) -> Tried | None:
        """Of the lines that explain all as wholes the first that is nothing true as it stands; else the last: up to
        there all was right."""
        untrue = [t for t in placed if not self._is_true_line(t)]
        if untrue or not placed:
            return min(untrue, key=self._place, default=None)
        return max(placed, key=self._place)

    def _is_true_line(self, tried: Tried) -> bool:
        return any(self.between.is_true_of(u) or self._is_true_by_now(u) for u in tried.edit.passage.units[:1])

    def _is_true_by_now(self, unit: Unit) -> bool:
        """With the changes that are settled an assignment is something true."""
        i, step = unit.step, self.layout.graph.steps[unit.step]
        if not step.shape or (unit.name, i) in self.layout.continued or OPS[step.op].renames:
            return False
        value = self.board.array(i)
        changed = value.shape == step.shape and not is_near(value, lifted(self.layout.actual(i)).arrays[1])
        return bool(changed) and self._is_true(i, value)

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
