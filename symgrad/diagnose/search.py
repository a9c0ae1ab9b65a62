"""Which mistake explains the results: walks under different suspicions are compared.

A first walk takes every assignment as it comes. What it finds may be a misreading: a line that comes out as something
true by accident, or two blamed lines where one change makes every result right. So wherever its answer is not plain,
every line is put under suspicion alone, and pairs of the likeliest; the others are then taken at their word. The answer
is the one under which the results come out right, by the least far-fetched change to the fewest lines.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from itertools import combinations, pairwise

from symgrad.diagnose.blame import Root, Walk
from symgrad.diagnose.explain import Explain, Explanation
from symgrad.diagnose.hypotheses import Hypothesis
from symgrad.diagnose.likeness import Likeness
from symgrad.diagnose.match import Known
from symgrad.diagnose.naming import is_bare
from symgrad.diagnose.reading import MANY, Reading, is_shaped_later
from symgrad.diagnose.replay import Layout, Result
from symgrad.diagnose.shaped import lifted
from symgrad.diagnose.subject import BITS, Unit, broadcasts
from symgrad.diagnose.truth import Quantity
from symgrad.diagnose.vectors import Vec, constant
from symgrad.enclosure import precision
from symgrad.errors import InternalError, Span

#: What an answer costs: for each line, for each assignment that does not fit it, for each result left wrong.
PER_LINE = 1.0
PER_DOUBT = 1.3
#: ... whose name says exactly what it should be.
PER_PLAIN_DOUBT = 3.0
PER_RESULT = 3.0
#: ... for each blamed assignment whose name says nothing, and which holds something true.
TRUE = 0.5
#: ... for each that the change makes nothing true, though it is called a gradient.
UNTRUE = 1.0
#: ... for each change in a function that other lines call, and are right.
SHARED = 1.5
#: ... for each that is what its name says before the change.
RIGHT = 1.0
#: ... for each line that leaves a gradient what it was.
IDLE = 0.4
#: An answer of at most this cost a line is believed at once.
PLAIN = 0.62
#: ... of arrays: that one is true of something by accident is out of the question.
PLAIN_OF_ARRAYS = 2.0
#: A change to the text of one line, of at most this cost, under which everything is right is believed as well.
TYPED = 1.4
#: An answer of more than this cost is held against answers of two lines.
DEAR = 3.0
#: A function that is called so often works out one part after the other.
MANY_CALLS = 2
#: Walks are compared as long as (assignments x walks) stays below this.
WORK = 6000
#: ... of arrays, where a walk is dear, and the first one seldom in error.
WORK_OF_ARRAYS = 250
#: So many numbers may be a factor that comes later.
MOST_FACTORS = 6
#: Pairs of lines are made from so many of the likeliest.
LIKELIEST = 6


@dataclass(frozen=True, slots=True)
class Answer:
    """One walk, and what speaks against it."""

    walk: Walk
    left: int
    cost: float


class Search:
    """Looks for the best answer for one subject.

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

    def run(self) -> Walk:
        """The walk whose verdicts are to be reported."""
        if self.layout.subject.is_shaped and (walk := self._on_the_whole()) is not None:
            return walk
        wrong = [r for r in self.results if not r.is_right(r.actual)]
        explain = None
        if wrong and not self.layout.subject.is_shaped:
            explain = Explain(self.layout, self.known, self.reading, self.results)
            if explain.has_loop and (found := explain.alone()):
                # A change in the text is a change in all rounds, which a walk has to find out round by round.
                return min((self._answer(self._told(e)) for e in found), key=_rank).walk
        if not wrong and self.results and not self.layout.subject.is_shaped:
            # Every result is right: if every line then is what its name says, nothing has to be looked for.
            plain = Walk(self.layout, self.known, self.reading, (), moves=self.moves)
            if not plain.run().doubts:
                return plain
        first = self._first
        if first is None:
            first = Walk(self.layout, self.known, self.reading, moves=self.moves)
            first.run()
        out, first.brief = first.out, False
        if not wrong:
            return first
        answer = self._answer(first)
        lines = _lines(first)
        bound = PLAIN_OF_ARRAYS if self.layout.subject.is_shaped else PLAIN
        if not answer.left and out.limited and not out.roots and not out.doubts:
            return first  # every difference is deliberate
        if not answer.left and out.roots and all(r.cost <= bound and r.repairs for r in out.roots):
            return first
        told = [self._answer(self._told(e)) for e in explain.alone()] if explain and not explain.is_long else []
        answers = [answer, *told]
        best = _best(answers)
        if told and not best.left and best.cost <= PER_LINE + TYPED:
            return best.walk
        sites = self._sites(wrong)
        most = WORK_OF_ARRAYS if self.layout.subject.is_shaped else WORK
        if len(sites) * len(self.layout.subject.units) > most:
            sites = sorted(lines)
        if len(sites) * len(self.layout.subject.units) > most:
            return best.walk
        singles = [(line, self._suspect({line})) for line in sites]
        answers += [a for _, a in singles]
        best = _best(answers)
        if best.left or best.cost > DEAR:
            if explain is not None and not told and not explain.is_long:
                answers += [self._answer(self._told(e)) for e in explain.together()]
                best = _best(answers)
            if best.left or best.cost > DEAR + PER_LINE * (len(_lines(best.walk)) - 1):
                if explain is not None and not explain.is_long:
                    answers += [self._answer(self._told(e, further=True)) for e in explain.beginnings()]
                answers += self._pairs(singles, lines)
                best = _best(answers)
        return best.walk

    def _is_passed_on(self, result: Result) -> bool:
        """Of arrays: a part of a gradient, worked out in a function that is called for each part and hands it on."""
        unit, layout = result.unit, self.layout
        if not layout.subject.is_shaped or result.is_right(result.actual) or unit.step not in layout.subject.callers:
            return False
        if len(layout.by_name[unit.name]) < MANY_CALLS or not layout.dependents(unit.step):
            return False
        held = (q for q in self.known.right(result.actual) if q.kind in ("contribution", "sum"))
        return any(self.reading.says(q, unit.name) for q in held)

    def glance(self) -> Walk:
        """One walk that looks for no repairs."""
        walk = Walk(self.layout, self.known, self.reading, moves=self.moves, brief=True)
        walk.run()
        return walk

    def _on_the_whole(self) -> Walk | None:
        """Of arrays: the walk in which the changes are made that make all results right, if there are any."""
        from symgrad.diagnose.whole import Whole

        if self.layout.subject.stopped:
            return None  # what is added up need not be done
        found = Whole(self.layout, self.known, self.reading, self.results).find()
        if found is None:
            return None
        hints = {}
        for unit in found.given:
            vec = found.values[unit.step]
            held = [q for q in self.known.right(vec) if q.kind not in ("forward", "local", "term")]
            says = [q for q in held if self.reading.says(q, unit.name)]
            hints[unit.step] = (*says, Quantity("helper", -1, -1, vec))[0]
        lines = {n for _, n in found.given.values()} | {u.line for u in found.given}
        walk = Walk(self.layout, self.known, self.reading, lines, hints, self.moves)
        walk.given = {u.step: told for u, told in found.given.items()}
        walk.run()
        return walk if walk.out.roots else None

    def _pairs(self, singles: Sequence[tuple[int, Answer]], lines: set[int]) -> list[Answer]:
        """Answers for two lines under suspicion together, of the likeliest."""
        likely = [line for line, a in sorted(singles, key=lambda s: _rank(s[1])) if a.walk.out.roots]
        chosen = list(dict.fromkeys((*sorted(lines)[:LIKELIEST], *likely[:LIKELIEST])))
        if len(chosen) > (LIKELIEST // 2 if self.layout.subject.is_shaped else 2 * LIKELIEST):
            return []
        return [self._suspect(set(pair)) for pair in combinations(chosen, 2) if set(pair) != lines]

    def _told(self, explanation: Explanation, *, further: bool = False) -> Walk:
        """The walk in which some changes to the text are made, and are its roots.

        Where a change is not known, only what an assignment must be, the walk looks for it; ``further``: for others
        as well.
        """
        layout = self.layout
        unknown = {h.at[0][0]: h for h in explanation.hypotheses if not h.text}
        hints = {}
        for i in unknown:
            vec, name = explanation.values[i], layout.units_at[i][0].name
            held = [q for q in self.known.right(vec) if self.reading.says(q, name)]
            hints[i] = (*held, Quantity("helper", -1, -1, vec))[0]
        suspects = None if further else {h.line for h in unknown.values()}
        walk = Walk(layout, self.known, self.reading, suspects, hints, self.moves)
        for i, vec in explanation.values.items():
            if i not in unknown:
                walk.replay.override(i, vec)
        walk.run()
        out, likeness = walk.out, walk.likeness()
        for n, h in enumerate(explanation.hypotheses):
            if not h.text:
                continue
            changed = {i for i, _ in h.at}
            unit = self._unit_of(h.at[explanation.shown(n, layout)][0])
            own = [u for u in self._at_line.get(h.line, ()) if u.step in changed]
            out.right = [u for u in out.right if u not in own]
            out.inherited = [u for u in out.inherited if u not in own]
            target = out.meaning.get(unit.step, Quantity("helper", -1, -1, walk.corrected(unit.step)))
            repair = explanation.repair(n, layout)
            found = layout.actual(unit.step)
            unlike = self._unlike(h, unit, target, likeness)
            lines = frozenset((h.line,))
            out.roots.append(Root(unit, target, found, (repair,), lines, h.cost, len(h.at) - 1, unlike))
        out.roots.sort(key=lambda r: r.unit.step)
        return walk

    def _unlike(self, h: Hypothesis, unit: Unit, target: Quantity, likeness: Likeness) -> float | None:
        """How unlike the formula that is taught the line is with a change of its text."""
        line, span = unit.span, h.span
        if (line.line, line.end_line) != (span.line, span.end_line) or len(h.at) > 1:
            return None
        text = self.layout.subject.source.split("\n")[line.line - 1]
        begin = line.column - 1
        if unit.augmented in ("+=", "-="):
            begin = text.index("=", begin) + 1
        if not begin <= span.column - 1 <= span.end_column - 1 <= line.end_column - 1:
            return None
        made = text[begin : span.column - 1] + h.text + text[span.end_column - 1 : line.end_column - 1]
        return likeness.distance(likeness.of_text(made, unit.step), likeness.taught(unit, target))

    def _unit_of(self, step: int) -> Unit:
        """The assignment that a step is computed for."""
        stack = [step]
        while stack:
            i = stack.pop(0)
            if i in self.layout.units_at:
                return self.layout.units_at[i][0]
            stack.extend(self.layout.children[i])
        raise InternalError("a step that no assignment uses was changed")

    def _answer(self, walk: Walk) -> Answer:
        out = walk.out
        left = sum(
            not r.is_right(walk.corrected(r.unit.step)) and not any(map(r.is_right, out.aimed.get(r.unit.step, ())))
            for r in self.results
        )
        cost = _changes(out.roots)
        cost += TRUE * sum(not self.reading.pairs(r.unit.name) and bool(self.known.right(r.found)) for r in out.roots)
        cost += UNTRUE * sum(self._is_untrue(r) for r in out.roots)
        cost += SHARED * sum(self._is_shared(r, walk) for r in out.roots)
        if not self.layout.subject.is_shaped:
            cost += RIGHT * sum(self._is_plainly_right(r) for r in out.roots)
            cost += IDLE * len({u.line for u in self._idle(walk)})
        doubted = {u.line: self.reading.is_exact(u.name) for u in out.doubts if not self._is_deferred(u, walk)}
        doubts = sum(PER_PLAIN_DOUBT if plain else PER_DOUBT for plain in doubted.values())
        # A change that makes a line something else than its name says.
        blamed = _lines(walk)
        doubts += PER_DOUBT * len({u.line for u in out.misnamed if u.line in blamed})
        return Answer(
            walk,
            left,
            PER_LINE * len(_lines(walk)) + cost + doubts + PER_RESULT * left,
        )

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

    def _is_deferred(self, unit: Unit, walk: Walk) -> bool:
        """A gradient up to a factor of the loss that comes later: ``error = p - y``, and ``dw += error*x/N``."""
        if self.layout.subject.is_shaped or not is_bare(unit.name):
            return False
        later = {u.step for n in _lines(walk) for u in self._at_line.get(n, ()) if u.name == unit.name}
        if self.layout.feeds(unit.step, {i for i in later if i > unit.step}):
            return False  # g in a loop: what is left over shows in the next round
        vec, points = walk.corrected(unit.step), self.layout.truth.points
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

    def _is_shared(self, root: Root, walk: Walk) -> bool:
        """The change is in a function that a line which is right calls as well: there it would be made, too."""
        graph, fine = self.layout.graph, {u.step for u in walk.out.right}
        for repair in root.repairs:
            span = graph.steps[repair.place.parent].span if repair.place.parent >= 0 else None
            if span is None or root.unit.span.line <= span.line <= root.unit.span.end_line:
                continue
            inside = set(walk.line(root.unit).inside())
            for k in self._at_span.get(span, ()):
                if k not in inside and fine & set(self.layout.dependents(k)):
                    return True
        return False

    @cached_property
    def _at_span(self) -> dict[Span, list[int]]:
        out: dict[Span, list[int]] = {}
        for i, step in enumerate(self.layout.graph.steps):
            if step.span is not None and not step.is_leaf and not self.layout.is_forward(i):
                out.setdefault(step.span, []).append(i)
        return out

    def _suspect(self, lines: Collection[int]) -> Answer:
        walk = Walk(self.layout, self.known, self.reading, lines, self._hints(lines), self.moves)
        walk.run()
        return self._answer(walk)

    def _sites(self, wrong: Sequence[Result]) -> list[int]:
        """The lines that a wrong result is computed in."""
        feeding = self.layout.feeding(r.unit.step for r in wrong)
        out = {u.line for u in self.layout.subject.units if u.step in feeding}
        spans = (self.layout.graph.steps[i].span for i in feeding)
        out |= {s.line for s in spans if s is not None}
        return sorted(out)

    def _hints(self, lines: Collection[int]) -> dict[int, Quantity]:
        """What the one assignment of a line must be for the results to be right, where that can be worked out: from
        those that no other line under suspicion has a part in."""
        out: dict[int, Quantity] = {}
        for line in lines:
            units = self._at_line.get(line, [])
            step = units[0].step if units else -1
            if len({u.step for u in units}) != 1 or self.layout.is_forward(step):
                continue
            if self.layout.graph.steps[step].is_leaf and any((u.name, step) in self.layout.continued for u in units):
                continue  # the start of an accumulation
            if self.layout.units_at[step][0].line != line:
                continue  # what stands here is a value of another line
            others = {u.step for n in lines if n != line for u in self._at_line.get(n, ())}
            own = [r for r, feeding in zip(self.results, self._feeding, strict=True) if not feeding & others]
            vec = solve(self.layout, step, own)
            if vec is None:
                continue
            held = [q for q in self.known.right(vec) if q.kind not in ("forward", "local", "term")]
            says = [q for u in units for q in held if self.reading.says(q, u.name)]
            if says:
                out[step] = says[0]
            elif not any(self.reading.pairs(u.name) for u in units) or any(self._is_partial(u) for u in units):
                out[step] = (*held, Quantity("helper", -1, -1, vec))[0]
        return out

    def _is_partial(self, unit: Unit) -> bool:
        """An accumulation under way: what it holds by then need not be anything with a name."""
        return bool(unit.augmented) or (unit.name, unit.step) in self.layout.continued


def _changes(roots: Sequence[Root]) -> float:
    """What the changes of some roots cost: the same change to the same line is made once, others besides."""
    out: dict[frozenset[int], dict[object, float]] = {}
    for r in roots:
        same = tuple((p.mistake, p.number, p.op, p.combine, p.text) for p in r.repairs)
        mine = out.setdefault(r.lines, {})
        mine[same] = max(r.cost, mine.get(same, 0.0))
    return sum(sum(mine.values()) + PER_LINE * (len(mine) - 1) for mine in out.values())


def _liked(answers: Sequence[Answer]) -> list[Answer]:
    """Of answers that blame the same lines, those cost more after which the lines look less like what is taught."""
    apart: dict[frozenset[int], dict[int, float]] = {}
    for n, a in enumerate(answers):
        roots = a.walk.out.roots
        known = [r.unlike for r in roots if r.unlike is not None]
        if roots and len(known) == len(roots):
            apart.setdefault(frozenset(_lines(a.walk)), {})[n] = sum(known)
    out = list(answers)
    for mine in apart.values():
        for n, unlike in mine.items():
            out[n] = replace(out[n], cost=out[n].cost + unlike - min(mine.values()))
    return out


def _best(answers: Sequence[Answer]) -> Answer:
    return min(_liked(answers), key=_rank)


def _rank(answer: Answer) -> tuple[int, bool, float]:
    """The fewest results left wrong, by the cheapest answer; one that blames nothing explains nothing."""
    return answer.left, bool(answer.left and not answer.walk.out.roots), answer.cost


def _lines(walk: Walk) -> set[int]:
    return {line for r in walk.out.roots for line in r.lines}


def results(layout: Layout, reading: Reading, moves: Collection[Unit] = ()) -> list[Result]:
    """The results of the derivation: the last values of names that stand for derivatives by an input, or that nothing
    uses further."""
    out = []
    last = {u.name: u for u in layout.subject.units if u not in moves} if moves else layout.last
    for unit in last.values():
        if not reading.pairs(unit.name):
            continue
        if not reading.by_inputs(unit.name) and (layout.dependents(unit.step) or reading.is_topless(unit.name)):
            continue
        actual = layout.actual(unit.step)
        # That dx/dx is 1 makes no other dx right, nor one that is worked out.
        given = layout.graph.steps[layout.original(unit.step)].is_leaf
        rights = [v for v in reading.rights(unit.name) if v.constant() != 1 or (given and v.same(actual))]
        rights = rights or reading.rights(unit.name)
        steps, moved = layout.graph.steps, [m.bottom for m in layout.subject.moves if m.source == unit.step]
        if any(broadcasts(actual.shape, steps[i].shape) for i in moved):
            rights += [v.reshaped(actual.shape) for r in rights if broadcasts(actual.shape, (v := lifted(r)).shape)]
        turned = actual.shaped and any(v.shape != actual.shape and actual.alike(v) for v in rights)
        if turned and is_shaped_later(unit, layout, reading):
            continue
        out.append(Result(unit, actual, tuple(rights)))
    if not out:
        out = [r for unit in last.values() if (r := _carried(unit, layout, reading)) is not None]
    # What a parameter is moved by says no more than the gradient that it is made of.
    named = {b for r in out if " " not in r.unit.name for _, b in reading.pairs(r.unit.name)}
    return [r for r in out if " " not in r.unit.name or not named & {b for _, b in reading.pairs(r.unit.name)}]


def _carried(unit: Unit, layout: Layout, reading: Reading) -> Result | None:
    """dy, carried forward to the end: d y/d (a variable that goes without saying), of the loss y."""
    loss = layout.subject.loss
    claimed = reading.is_topless(unit.name) and any(b == loss for _, b in reading.pairs(unit.name))
    if not claimed or layout.dependents(unit.step) or layout.subject.is_shaped:
        return None
    actual = layout.actual(unit.step)
    found = (layout.truth.tangents(leaf).get(loss) for leaf in reading.carried)
    rights = [v for v in found if v is not None and not v.is_zero]
    return Result(unit, actual, tuple(rights)) if rights and actual.constant() != 1 else None


def solve(layout: Layout, step: int, wanted: Sequence[Result]) -> Vec | None:
    """The value of one step for which all results are right, all else being as it is; ``None`` if there is none.

    Results depend linearly on a cotangent or a tangent, so two runs tell which value is needed, and a third confirms.
    """
    last = max((r.unit.step for r in wanted), default=-1)
    if last < step:
        return None
    have = layout.actual(step)
    with precision(BITS):
        other = have + constant(1, layout.truth.points)
        moved = layout.with_value(step, other, last)
        for r in wanted:
            if r.unit.step not in moved or len(r.rights) > MANY:
                continue
            slope = moved[r.unit.step] - r.actual
            if slope.is_zero:
                continue
            for right in r.rights:
                needed = have + (right - r.actual) / slope
                if needed.usable and not needed.same(have):
                    after = layout.with_value(step, needed, last)
                    if all(s.is_right(after.get(s.unit.step) or s.actual) for s in wanted):
                        return needed
            return None
    return None
