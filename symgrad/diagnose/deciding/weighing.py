"""What speaks against an answer: the lines it blames, what does not fit it, what it leaves wrong."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from itertools import pairwise

from symgrad.diagnose.deciding.outcomes import results
from symgrad.diagnose.meaning.averages import lies_among
from symgrad.diagnose.meaning.reading import MANY, Reading
from symgrad.diagnose.observing.match import Known
from symgrad.diagnose.observing.replay import Layout, Result
from symgrad.diagnose.observing.subject import BITS, Unit
from symgrad.diagnose.text.naming import is_bare
from symgrad.diagnose.trying.roles import names_in
from symgrad.diagnose.values.vectors import Vec, constant
from symgrad.diagnose.walking.blame import Walk
from symgrad.diagnose.walking.places import Repair
from symgrad.diagnose.walking.verdicts import DERIVATIVES, Root, handed
from symgrad.enclosure import precision
from symgrad.errors import Span

#: Mistakes that are one variable in the place of another one.
SWAPS = ("wrong-variable", "wrong-time-step", "input-for-output")
#: What an answer costs: for each line, for each assignment that does not fit it, for each result left wrong.
PER_LINE = 1.0
PER_DOUBT = 1.3
#: ... whose name says exactly what it should be.
PER_PLAIN_DOUBT = 3.0
PER_RESULT = 3.0
#: ... whose name says that it is one of a few.
PER_NAMED_DOUBT = 2.0
#: ... for each that is true of something, and not what its name says.
MISNAMED = 2.0
#: ... for each blamed assignment whose name says nothing, and which holds something true.
TRUE = 0.5
#: ... for each that the change makes nothing true, though it is called a gradient.
UNTRUE = 1.0
#: ... for each change in a function that other lines call, and are right.
SHARED = 1.5
#: ... for each that the same change does not put right in another round.
ASTRAY = 2.0
#: ... for each that is what its name says before the change.
RIGHT = 1.0
#: ... for each that is a gradient up to a factor that may come later.
DEFERRED = 1.0
#: ... for each that leaves what another line works out without any use: where it is one variable for another, and
#: again where what is left is no whole derivative, for then it is likelier that its own line is wrong.
UNUSED = 1.25
#: ... for each variable of arrays that something else is put in the place of, and that holds nothing true by then: its
#: own line is wrong.
DOUBTED = 2.0
#: ... for each average that lies beyond what it is the average of.
OUTSIDE = 1.0
#: ... for each line that leaves a gradient what it was.
IDLE = 0.4
#: ... for each line of no name that the change makes something true (then it speaks for it), or true no more.
HELPS = 0.8
#: ... and in so many rounds at most.
MOST_ROUNDS = 3
#: A function that is called so often works out one part after the other.
MANY_CALLS = 2
#: So many numbers may be a factor that comes later.
MOST_FACTORS = 6


@dataclass(frozen=True, slots=True)
class Answer:
    """One walk, and what speaks against it."""

    walk: Walk
    left: int
    cost: float


class Weighing:
    """Weighs the answers for one subject.

    Args:
        moves: what is made of the gradients, once they are there.
        first: the walk in which every line is under suspicion, where it was done already.
    """

    def __init__(
        self, layout: Layout, known: Known, reading: Reading, moves: Collection[Unit], first: Walk | None = None
    ) -> None:
        self.layout, self.known, self.reading, self.moves = layout, known, reading, moves
        self._first = first
        self.results = [r for r in results(layout, reading, self.moves) if not self._is_passed_on(r)]
        self._feeding = [layout.feeding((r.unit.step,)) for r in self.results]
        self._at_line: dict[int, list[Unit]] = {}
        for unit in layout.subject.units:
            self._at_line.setdefault(unit.line, []).append(unit)

    def _is_passed_on(self, result: Result) -> bool:
        """Of arrays: a part of a gradient, worked out in a function that is called for each part and hands it on."""
        unit, layout = result.unit, self.layout
        if not layout.subject.is_shaped or result.is_right(result.actual) or unit.step not in layout.subject.callers:
            return False
        handed = sum(u.line == unit.line for u in layout.by_name[unit.name])  # not what adds it up in the function
        if handed < MANY_CALLS or not layout.dependents(unit.step):
            return False
        held = (q for q in self.known.right(result.actual) if q.kind in ("contribution", "sum"))
        return any(self.reading.says(q, unit.name) for q in held)

    def _answer(self, walk: Walk) -> Answer:
        out = walk.out
        left = sum(
            not r.is_right(walk.corrected(r.unit.step)) and not any(map(r.is_right, out.aimed.get(r.unit.step, ())))
            for r in self.results
        )
        cost = changes(out.roots)
        cost += TRUE * sum(not self.reading.pairs(r.unit.name) and self._is_flow(r.found) for r in out.roots)
        cost += UNTRUE * sum(self._is_untrue(r) for r in out.roots)
        cost += ASTRAY * sum(bool(r.astray) for r in out.roots)
        cost += SHARED * sum(self.is_shared(r, walk) for r in out.roots)
        if not self.layout.subject.is_shaped:
            cost += RIGHT * sum(self._is_plainly_right(r) for r in out.roots)
            cost += DEFERRED * sum(self._is_put_off(r, walk) for r in out.roots)
            cost += UNUSED * sum(self._leaves_unused(r, walk) for r in out.roots)
            cost += OUTSIDE * sum(self._is_outside(name, walk) for name in self.layout.averages)
            cost += IDLE * len({u.line for u in self._idle(walk)})
            cost -= HELPS * self.helps(walk)
        else:
            cost += DOUBTED * sum(_is_doubted(r, walk) for r in out.roots)
        doubted = {u.line: self._doubt(u) for u in out.doubts if not self._is_cleared(u, walk)}
        doubts = sum(doubted.values())
        # A change that makes a line something else than its name says.
        blamed = lines(walk)
        doubts += PER_DOUBT * len({u.line for u in out.misnamed if u.line in blamed})
        doubts += MISNAMED * len({u.line for u in out.misnamed if u.line not in blamed and self._is_called(u)})
        return Answer(
            walk,
            left,
            PER_LINE * len(lines(walk)) + cost + doubts + PER_RESULT * left,
        )

    def helps(self, walk: Walk) -> float:
        """How many lines whose names say nothing are made something true: ``J21`` in ``ex*J11 + ey*J21``. A line that
        is something true as it stands, and is not with the change, counts against it: the more, the more often."""
        out: dict[int, list[float]] = {}
        for unit in self.layout.subject.units:
            i, name = unit.step, unit.name
            if self.layout.is_forward(i) or i in walk.given or self.reading.pairs(name) or is_bare(name):
                continue
            have, now = self.layout.actual(i), walk.corrected(i)
            if not now.same(have):
                worth = min(self._worth(have), 0.5 if self._stands_elsewhere(i, have) else 1.0)
                out.setdefault(unit.line, []).append(self._worth(now) - worth)
        return sum(max(mine[-1], 0.0) + sum(x for x in mine[-MOST_ROUNDS:] if x < 0) for mine in out.values())

    def _stands_elsewhere(self, step: int, vec: Vec) -> bool:
        """Another assignment has the value: nobody works out the same thing twice."""
        return any(u.step != step and self.layout.actual(u.step).same(vec) for u in self.layout.last.values())

    def _leaves_unused(self, root: Root, walk: Walk) -> int:
        """How often a value is left without a use that was worked out for just this place: by a variable in its stead,
        and by whatever stands in its stead, where it is no whole derivative, or one that stands elsewhere."""
        layout = self.layout
        swapped = weak = False
        for repair in root.repairs:
            node, parent = repair.place.node, repair.place.parent
            if parent < 0 or repair.combine or repair.everywhere or layout.is_forward(node) or node == root.unit.step:
                continue
            unit = layout.units_at.get(node, (None,))[0]
            if unit is None or set(layout.children[node]) != {parent}:
                continue
            swapped = swapped or (repair.mistake in SWAPS and not repair.at_parent)
            if weak or layout.graph.steps[node].is_leaf or unit.name in names_in(repair.text):
                continue
            if unit.line not in root.lines:
                value = walk.corrected(node)
                weak = self._stands_elsewhere(node, value) or self._worth(value) < 1
        return swapped + weak

    def _worth(self, vec: Vec) -> float:
        """How much a value says for itself: one where it is the derivative of something that has a name by something
        that has one; less where it is a part of such; nothing for an input, which is always the local derivative of
        something."""
        held, steps, names = self.known.right(vec), self.layout.graph.steps, self.layout.subject.names
        if any(q.kind == "forward" and steps[q.bottom].is_leaf for q in held):
            return 0.0
        whole = (q for q in held if q.kind in ("cotangent", "tangent", "local"))
        if any(q.bottom in names and (q.kind == "cotangent" or q.top in names) for q in whole):
            return 1.0
        return 0.5 * any(q.kind in DERIVATIVES for q in held)

    def _is_outside(self, name: str, walk: Walk) -> bool:
        mine = self.layout.by_name[name][-MOST_ROUNDS:]
        return not all(lies_among(walk.corrected(u.step), self.layout.averages[name]) for u in mine)

    def _is_put_off(self, root: Root, walk: Walk) -> bool:
        """As it stands it is a gradient up to a factor of the loss, which a later line may well put in."""
        return root.target.kind == "helper" and self._is_deferred(root.unit, root.found, walk)

    def _is_flow(self, vec: Vec) -> bool:
        """A gradient on its way: a weight is the local derivative of something, always."""
        return any(q.kind in ("cotangent", "contribution", "sum") for q in self.known.right(vec))

    def _doubt(self, unit: Unit) -> float:
        """How much it speaks against an answer that an assignment is not what it should be: the more, the plainer
        that is, because its name says so, or because it is the last that a name is given."""
        if self.reading.is_exact(unit.name) or unit.step in self.layout.aside:
            return PER_PLAIN_DOUBT
        if self.layout.subject.is_shaped:
            return PER_DOUBT
        if is_bare(unit.name):
            ends = self.layout.last[unit.name] is unit and not self.layout.dependents(unit.step)
            return PER_PLAIN_DOUBT if ends else PER_DOUBT
        return PER_DOUBT if self.reading.is_loose(unit.name) else PER_NAMED_DOUBT

    def _is_called(self, unit: Unit) -> bool:
        """A name of its own for what is another derivative: dsigx, where that is 1."""
        if self.layout.subject.is_shaped or not self.reading.is_exact(unit.name):
            return False
        return len(self.layout.by_name[unit.name]) == 1 and not self.reading.is_loose(unit.name)

    def _is_plainly_right(self, root: Root) -> bool:
        """The assignment is, as it stands, just what its name says."""
        unit, pairs = root.unit, self.reading.pairs(root.unit.name)
        if not pairs or len(pairs) > 2 or self.reading.is_loose(unit.name) or unit.augmented or root.found.is_zero:
            return False
        return all(root.found.same(self.reading.vec(p)) for p in pairs)

    def _idle(self, walk: Walk) -> Iterator[Unit]:
        """Assignments that leave a name what it was: ``delta = delta*1``."""
        changed = {r.unit.step for r in walk.out.roots}
        for name, mine in self.layout.by_name.items():
            if len(mine) > MANY or not is_bare(name):
                continue
            for before, after in pairwise(mine):
                if after.step in changed or after.augmented in ("+=", "-="):
                    continue
                reads = before.step in self.layout.graph.steps[after.step].inputs
                if reads and walk.corrected(after.step).same(walk.corrected(before.step)):
                    yield after

    def _is_cleared(self, unit: Unit, walk: Walk) -> bool:
        """What an assignment holds says nothing against an answer: it is a gradient up to a factor that comes later, or
        a sum on its way to a result that is right."""
        return self._is_deferred(unit, walk.corrected(unit.step), walk) or self._ends_right(unit, walk)

    def _ends_right(self, unit: Unit, walk: Walk) -> bool:
        """A sum under way, of a name that is a right result in the end: ``dw += e*x`` in a loop, then ``dw /= n``."""
        if self.layout.subject.is_shaped or not self._is_partial(unit):
            return False
        ends = [r for r in self.results if r.unit.name == unit.name]
        if any(self._adds_on(r, unit) and any(map(is_of_terms, r.repairs)) for r in walk.out.roots):
            return False  # what a later line of the sum is to add or to leave out may be just what this one has wrong
        return len(ends) == 1 and ends[0].unit is not unit and ends[0].is_right(walk.corrected(ends[0].unit.step))

    def _adds_on(self, root: Root, unit: Unit) -> bool:
        """A later line adds to the same sum."""
        return root.unit.name == unit.name and root.unit.line > unit.line and self._is_partial(root.unit)

    def _is_partial(self, unit: Unit) -> bool:
        """An accumulation under way: what it holds by then need not be anything with a name."""
        return bool(unit.augmented) or (unit.name, unit.step) in self.layout.continued

    def _is_deferred(self, unit: Unit, vec: Vec, walk: Walk) -> bool:
        """A gradient up to a factor of the loss that comes later: ``error = p - y``, and ``dw += error*x/N``."""
        if self.layout.subject.is_shaped or not is_bare(unit.name):
            return False
        later = {u.step for n in lines(walk) for u in self._at_line.get(n, ()) if u.name == unit.name}
        if self.layout.feeds(unit.step, {i for i in later if i > unit.step}):
            return False  # g in a loop: what is left over shows in the next round
        points = self.layout.truth.points
        with precision(BITS):
            scaled = (vec * constant(c, points) for c in self._factors)
            return any(q.kind == "cotangent" for v in scaled for q in self.known.right(v))

    @cached_property
    def _factors(self) -> list[Fraction]:
        """The numbers of the forward pass, and what undoes them."""
        steps = self.layout.graph.steps
        values = (s.value for i, s in enumerate(steps) if s.is_const and self.layout.is_forward(i))
        found = {abs(v) for v in values if isinstance(v, Fraction) and v not in (0, 1, -1)} | {Fraction(2)}
        point = self.layout.subject.point
        found |= {v for i in self.layout.truth.leaves if isinstance(v := point[i], Fraction) and v > 1}
        whole = sorted(v for v in found if v)[:MOST_FACTORS]
        return [*whole, *(1 / v for v in whole)]

    def _is_untrue(self, root: Root) -> bool:
        """The assignment is made something that is no derivative, and its name says that it is one."""
        unit = root.unit
        says = is_bare(unit.name) or bool(self.reading.pairs(unit.name))
        mine = (u for u in self.layout.by_name[unit.name] if u is unit or u.previous == unit.step)
        added = any(u.augmented in ("+=", "-=") for u in mine)
        return root.target.kind == "helper" and says and not added

    def is_shared(self, root: Root, walk: Walk) -> bool:
        """The change is in a function that a line which is right calls as well: there it would be made, too."""
        graph, fine = self.layout.graph, {u.step for u in walk.out.right}
        if not self.layout.subject.is_shaped:
            # A line of which nothing is known would be wrong as well, which is not likely.
            fine |= {u.step for u in self.layout.subject.units if self._is_open(u)}
        for repair in root.repairs:
            places = (repair.place.parent, repair.place.node) if repair.place.parent >= 0 else ()
            # A change of the text was tried in all calls.
            own = repair.span is None and handed(repair, root.unit, self.layout) is None
            within = (i for i in places if own and not graph.steps[i].is_leaf and i not in self.layout.units_at)
            spans = (graph.steps[i].span for i in within)
            apart = (s for s in spans if s and not root.unit.span.line <= s.line <= root.unit.span.end_line)
            inside = set(walk.line(root.unit).inside())
            for k in (k for span in apart for k in self._at_span.get(span, ())):
                if k not in inside and fine & set(self.layout.dependents(k)):
                    return True
        return False

    def _is_open(self, unit: Unit) -> bool:
        """A result of its own, of which the name says nothing."""
        if is_bare(unit.name) or self.reading.pairs(unit.name) or self.layout.is_forward(unit.step):
            return False
        return not self.layout.dependents(unit.step)

    @cached_property
    def _at_span(self) -> dict[Span, list[int]]:
        out: dict[Span, list[int]] = {}
        for i, step in enumerate(self.layout.graph.steps):
            if step.span is not None and not step.is_leaf and not self.layout.is_forward(i):
                out.setdefault(step.span, []).append(i)
        return out


def _is_doubted(root: Root, walk: Walk) -> bool:
    """What is changed is a variable of which the walk holds that it is not what it should be, and lets it pass; or one
    of which it was not known what it should be, so that what is added to it seems too much."""
    doubts = {u.step for u in walk.out.doubts} - {root.unit.step}
    if any(r.place.node in doubts and not r.combine for r in root.repairs):
        return True
    open_ones = (r for r in walk.out.roots if not r.repairs and r.unit.name == root.unit.name)
    return any(r.unit is not root.unit and walk.layout.feeds(r.unit.step, {root.unit.step}) for r in open_ones)


def is_of_terms(repair: Repair) -> bool:
    """A term is put in, or taken out, that the line does not have."""
    return repair.mistake in ("missing-term", "extra-term") and repair.combine in ("+", "-")


def changes(roots: Sequence[Root]) -> float:
    """What the changes of some roots cost: the same change to the same line is made once, others besides."""
    out: dict[frozenset[int], dict[object, float]] = {}
    for r in roots:
        same = tuple((p.mistake, p.number, p.op, p.combine, p.text) for p in r.repairs)
        mine = out.setdefault(r.lines, {})
        mine[same] = max(r.cost, mine.get(same, 0.0))
    return sum(sum(mine.values()) + PER_LINE * (len(mine) - 1) for mine in out.values())


def liked(answers: Sequence[Answer]) -> list[Answer]:
    """Of answers that blame the same lines, those cost more after which the lines look less like what is taught."""
    apart: dict[frozenset[int], dict[int, float]] = {}
    for n, a in enumerate(answers):
        roots = a.walk.out.roots
        known = [r.unlike for r in roots if r.unlike is not None]
        if roots and len(known) == len(roots):
            apart.setdefault(frozenset(lines(a.walk)), {})[n] = sum(known)
    out = list(answers)
    for mine in apart.values():
        for n, unlike in mine.items():
            out[n] = replace(out[n], cost=out[n].cost + unlike - min(mine.values()))
    return out


def best(answers: Sequence[Answer]) -> Answer:
    return min(liked(answers), key=rank)


def rank(answer: Answer) -> tuple[int, bool, float, float, int]:
    """The fewest results left wrong, by the cheapest answer; one that blames nothing explains nothing. Of two that are
    as good, the one after which the lines look much more like what is taught; then, of numbers, the one that blames
    more lines of which the names say what they should be."""
    roots = answer.walk.out.roots
    unlike = sum(r.unlike or 0.0 for r in roots)
    told = roots if not answer.walk.subject.is_shaped else ()
    silent = sum(not answer.walk.reading.pairs(r.unit.name) for r in told)
    return answer.left, bool(answer.left and not roots), round(answer.cost, 9), round(2 * unlike), silent


def lines(walk: Walk) -> set[int]:
    return {line for r in walk.out.roots for line in r.lines}
