"""Which mistake explains the results: walks under different suspicions are compared.

A first walk takes every assignment as it comes. What it finds may be a misreading: a line that comes out as something
true by accident, or two blamed lines where one change makes every result right. So wherever its answer is not plain,
every line is put under suspicion alone, and pairs of the likeliest; the others are then taken at their word. The answer
is the one under which the results come out right, by the least far-fetched change to the fewest lines.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import combinations

from symgrad.diagnose.deciding.outcomes import solve
from symgrad.diagnose.deciding.weighing import PER_LINE, Answer, Weighing, rank
from symgrad.diagnose.deciding.weighing import best as best_of
from symgrad.diagnose.deciding.weighing import lines as lines_of
from symgrad.diagnose.observing.replay import Result
from symgrad.diagnose.observing.subject import Unit
from symgrad.diagnose.observing.truth import Quantity
from symgrad.diagnose.trying.explain import Explain
from symgrad.diagnose.trying.hypothesis import Hypothesis
from symgrad.diagnose.trying.trials import Explanation
from symgrad.diagnose.walking.blame import Walk
from symgrad.diagnose.walking.ground import UNEXPLAINED
from symgrad.diagnose.walking.likeness import Likeness
from symgrad.diagnose.walking.verdicts import Root
from symgrad.effort import is_spent
from symgrad.errors import InternalError

#: An answer of at most this cost a line is believed at once.
PLAIN = 0.62
#: ... of arrays: that one is true of something by accident is out of the question.
PLAIN_OF_ARRAYS = 2.0
#: A change to the text of one line, of at most this cost, under which everything is right is believed as well.
TYPED = 1.4
#: An answer of more than this cost is held against answers of two lines.
DEAR = 3.0
#: Walks are compared as long as (assignments x walks) stays below this.
WORK = 6000
#: ... of arrays, where a walk is dear, and the first one seldom in error.
WORK_OF_ARRAYS = 250
#: Pairs of lines are made from so many of the likeliest.
LIKELIEST = 6


class Search(Weighing):
    """Looks for the best answer for one subject."""

    def run(self) -> Walk:
        """The walk whose verdicts are to be reported."""
        if self.layout.subject.is_shaped and (walk := self._on_the_whole()) is not None:
            return walk
        wrong = [r for r in self.results if not r.is_right(r.actual)]
        explain, found = None, list[Explanation]()
        if wrong and not self.layout.subject.is_shaped:
            explain = Explain(self.layout, self.known, self.reading, self.results)
            if explain.has_loop and (found := explain.alone()):
                # A change in the text is a change in all rounds, which a walk has to find out round by round.
                one = min((self._answer(self._told(e)) for e in found), key=rank)
                if explain.is_long or not (one.walk.out.doubts or self.helps(one.walk) < 0):
                    return one.walk
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
        lines = lines_of(first)
        bound = PLAIN_OF_ARRAYS if self.layout.subject.is_shaped else PLAIN
        if not answer.left and out.limited and not out.roots and not out.doubts:
            return first  # every difference is deliberate
        cheap = all(r.cost <= bound and r.repairs and not self.is_shared(r, first) for r in out.roots)
        if not answer.left and out.roots and cheap:
            return first
        told = []
        if explain is not None and (found or not explain.is_long):
            told = [self._answer(self._told(e)) for e in found or explain.alone()]
        answers = [answer, *told]
        best = best_of(answers)
        if told and not best.left and best.cost <= PER_LINE + TYPED:
            return best.walk
        sites = self._sites(wrong)
        most = WORK_OF_ARRAYS if self.layout.subject.is_shaped else WORK
        if len(sites) * len(self.layout.subject.units) > most:
            sites = sorted(lines)
        if len(sites) * len(self.layout.subject.units) > most:
            return best.walk
        if self.layout.subject.is_shaped and not answer.left and not out.limited and lines.issuperset(sites):
            sites = self._leading_to_all(sites, wrong)
        singles = [(line, self._suspect({line})) for line in sites if not is_spent()]
        answers += [a for _, a in singles]
        best = best_of(answers)
        if best.left or best.cost > DEAR:
            if explain is not None and not explain.is_long:
                for some in explain.together():
                    answers += [self._answer(self._told(e)) for e in some]
                    best = best_of(answers)
                    if not best.left and best.cost <= DEAR + PER_LINE * (len(lines_of(best.walk)) - 1):
                        break
            if best.left or best.cost > DEAR + PER_LINE * (len(lines_of(best.walk)) - 1):
                if explain is not None and not explain.is_long:
                    begun = [self._told(e, further=True) for e in explain.beginnings()]
                    # What leaves the rest unexplained is no beginning of anything.
                    begun = [w for w in begun if all(r.repairs or r.cost < UNEXPLAINED for r in w.out.roots)]
                    answers += map(self._answer, begun)
                answers += self._pairs(singles, lines)
                best = best_of(answers)
        return best.walk

    def glance(self) -> Walk:
        """One walk that looks for no repairs."""
        walk = Walk(self.layout, self.known, self.reading, moves=self.moves, brief=True)
        walk.run()
        return walk

    def _on_the_whole(self) -> Walk | None:
        """Of arrays: the walk in which the changes are made that make all results right, if there are any."""
        from symgrad.diagnose.effects.missing import missing
        from symgrad.diagnose.effects.whole import Whole

        if self.layout.subject.stopped:
            return None  # what is added up need not be done
        whole = Whole(self.layout, self.known, self.reading, self.results)
        found = whole.find()
        self.layout.missing = missing(whole)
        if found is None:
            return self._left_out(whole.lost) if all(r.is_right(r.actual) for r in whole.results) else None
        hints = {}
        for unit in found.given:
            vec = found.values[unit.step]
            held = [q for q in self.known.right(vec) if q.kind not in ("forward", "local", "term")]
            says = [q for q in held if self.reading.says(q, unit.name)]
            hints[unit.step] = (*says, Quantity("helper", -1, -1, vec))[0]
        lines = {n for told in found.given.values() for _, n in told}
        lines |= {u.line for u in found.given} | {r.unit.line for r in whole.lost}
        walk = Walk(self.layout, self.known, self.reading, lines, hints, self.moves)
        walk.given = {u.step: told for u, told in found.given.items()}
        walk.settled = sum(not r.is_right(r.actual) for r in whole.results)
        walk.run()
        return walk if walk.out.roots else None

    def _left_out(self, lost: Sequence[Result]) -> Walk | None:
        """The walk in which nothing but results that are zeros to the end is wrong."""
        if not lost:
            return None
        walk = Walk(self.layout, self.known, self.reading, {r.unit.line for r in lost}, moves=self.moves)
        walk.run()
        return walk if walk.out.roots else None

    def _pairs(self, singles: Sequence[tuple[int, Answer]], lines: set[int]) -> list[Answer]:
        """Answers for two lines under suspicion together, of the likeliest."""
        likely = [line for line, a in sorted(singles, key=lambda s: rank(s[1])) if a.walk.out.roots]
        chosen = list(dict.fromkeys((*sorted(lines)[:LIKELIEST], *likely[:LIKELIEST])))
        if len(chosen) > (LIKELIEST // 2 if self.layout.subject.is_shaped else 2 * LIKELIEST):
            return []
        pairs = (set(pair) for pair in combinations(chosen, 2))
        return [self._suspect(pair) for pair in pairs if pair != lines and not is_spent()]

    def _told(self, explanation: Explanation, *, further: bool = False) -> Walk:
        """The walk in which some changes to the text are made, and are its roots.

        Where a change is not known, only what an assignment must be, the walk looks for it; ``further``: for others
        as well.
        """
        layout = self.layout
        unknown = {i: h for h in explanation.hypotheses if not h.text for i, _ in h.at}
        hints = {}
        for i in unknown:
            vec, name = explanation.values[i], layout.units_at[i][0].name
            known = self.known.right(vec)
            held = [q for q in known if self.reading.says(q, name)]
            if not self.reading.pairs(name):
                held += [q for q in known if q.kind == "tangent"]  # dy/dt, under a name of its own
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
            if h.adds is not None:
                unit = next(u for u in self._at_line[h.line] if u.step == h.parent and h.adds.text.startswith(u.name))
                # That it is nothing but zero is what the line puts right.
                out.roots = [r for r in out.roots if r.unit != unit or r.repairs]
            own = [u for u in self._at_line.get(h.line, ()) if u.step in changed]
            out.right = [u for u in out.right if u not in own]
            out.inherited = [u for u in out.inherited if u not in own]
            target = out.meaning.get(unit.step, Quantity("helper", -1, -1, walk.corrected(unit.step)))
            repair = explanation.repair(n, layout)
            found = layout.actual(unit.step)
            unlike = self._unlike(h, unit, target, likeness)
            lines = frozenset((h.line,))
            out.roots.append(Root(unit, target, found, (repair,), lines, h.cost, len(h.at) - 1, unlike=unlike))
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

    def _is_begun_at(self, unit: Unit) -> bool:
        """A zero that the next value of its name is made of: ``ds = 0.0``, and then ``ds = a*ds + b``."""
        if not self.layout.graph.steps[unit.step].is_leaf or not self.layout.actual(unit.step).is_zero:
            return False
        later = [u.step for u in self.layout.by_name[unit.name] if u.step > unit.step]
        return bool(later) and self.layout.feeds(unit.step, set(later))

    def _unit_of(self, step: int) -> Unit:
        """The assignment that a step is computed for."""
        stack = [step]
        while stack:
            i = stack.pop(0)
            if i in self.layout.units_at:
                return self.layout.units_at[i][0]
            stack.extend(self.layout.children[i])
        raise InternalError("a step that no assignment uses was changed")

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

    def _leading_to_all(self, sites: Sequence[int], wrong: Sequence[Result]) -> list[int]:
        """The lines that every wrong result is made by: another one, suspected alone, leaves some result wrong."""
        common = set(sites).intersection(*(self._sites([r]) for r in wrong))
        return [line for line in sites if line in common]

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
            if not self.layout.subject.is_shaped and any(self._is_begun_at(u) for u in units):
                continue  # ... or of a recurrence: any number comes out for some beginning
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
