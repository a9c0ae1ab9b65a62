"""Which few changes to the text make all results right: changes that people make are tried, first alone, then together.

Every hypothesis is a column of one array, so that thousands of them are run through the manual part at once, in float64
and at one random point. What makes all results right there is confirmed in balls, at every point. Where no change does
alone, those that make more of the assignments true are kept, and the others are tried on top of each.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, zip_longest

import numpy as np

from symgrad.diagnose.meaning.reading import Reading
from symgrad.diagnose.observing.match import Known
from symgrad.diagnose.observing.replay import Layout, Result
from symgrad.diagnose.observing.subject import BITS, Unit
from symgrad.diagnose.text.naming import claims, is_bare
from symgrad.diagnose.trying.hypothesis import Hypothesis
from symgrad.diagnose.trying.lines import Lines
from symgrad.diagnose.trying.roles import At
from symgrad.diagnose.trying.trials import POINT, Explanation, close
from symgrad.diagnose.trying.typed import to_step
from symgrad.diagnose.values.vectors import Vec, constant
from symgrad.effort import is_spent, spend
from symgrad.enclosure import precision

#: A line that runs at least so often is a loop's.
LOOP = 3
#: The rounds of a long loop that a change is tried on first.
FIRST = 6
#: A loop with more steps than this is tried out on its first rounds first.
LONG = 300
#: Changed steps, at most, that are computed one by one in one run, in all runs for one number of mistakes.
EDITS, MORE_EDITS = 60_000, 150_000
#: Steps that are computed again, at most, for every change of a line with every one of another line.
CROSSED = 60_000
#: Steps that are computed again, at most, for a long loop.
WORK = 3_000_000
#: So many changed steps, which are computed with many others, cost as much as one that is computed alone.
PER_STEP = 8
#: How many mistakes are looked for together, and how many partial answers are kept; of one line at most ``PER_LINE``.
MOST, KEPT, PER_LINE = 3, 48, 6
#: What it costs that an assignment becomes what its name says by a change that is not known yet.
AS_NAMED = 1.7
#: What is said of a line whose name says nothing, and whose use does.
USED = "is not what its use says"
#: So many operations of the forward pass are tried as what a line works out once more.
MOST_AGAIN = 60
#: So many changes that explain a part are offered for the rest to be looked for in another way; of one line at most
#: ``PER_BEGINNING``.
BEGINNINGS, PER_BEGINNING = 6, 2
#: With so many of those that explain the most terms and lines are worked out that are missing besides.
BEGUN = 8
#: Of two lines that run in turn so many changes each are tried with each other, the likeliest; so many changed steps in
#: all.
LIKELIEST, TURNS = 40, 150_000
#: So many answers are confirmed, the cheapest first.
CONFIRMED = 8


@dataclass(frozen=True, slots=True)
class Partial:
    """Some changes, and what they make right: results, and assignments."""

    hypotheses: tuple[Hypothesis, ...]
    right: int
    true: int

    @property
    def cost(self) -> float:
        return sum(h.cost for h in self.hypotheses)

    def rank(self) -> tuple[int, int, float]:
        """What explains the most comes first."""
        return -self.right, -self.true, self.cost


class Explain(Lines):
    """Looks for the fewest and cheapest changes that make all results right."""

    def __init__(self, layout: Layout, known: Known, reading: Reading, results: Sequence[Result]) -> None:
        super().__init__(layout, known, reading, results)
        self._options: list[Hypothesis] = []
        self._partials: list[Partial] = []
        self._first_partials: list[Partial] = []
        self._turns = TURNS

    @property
    def has_loop(self) -> bool:
        """Some line in question runs again and again."""
        return any(len(units) >= LOOP for units in self.lines.values())

    @property
    def is_long(self) -> bool:
        """Some line in question runs so often that not everything can be tried everywhere."""
        return max(map(len, self.lines.values()), default=0) > FIRST and len(self._ops) > LONG

    def alone(self) -> list[Explanation]:
        """The single changes that make all results right, the cheapest first."""
        if not self.lines:
            return []
        if self.is_long:
            return self._in_long_loops()
        self._options = list(self.hypotheses.all(self.lines))
        self._partials, whole = self._extended([Partial((), 0, 0)])
        self._first_partials = self._partials
        return self._confirmed_of(whole) or self._with_terms()

    def _with_terms(self) -> list[Explanation]:
        """The same with terms and lines that are worked out; what they explain a part of goes with other changes."""
        known, self._options = self._options, [*self.terms(), *self.missing_lines()]
        more, whole = self._extended([Partial((), 0, 0)])
        self._partials = sorted((*self._partials, *more), key=Partial.rank)[:KEPT]
        self._options = [*known, *self._options]
        return self._confirmed_of(whole)

    def together(self) -> Iterator[list[Explanation]]:
        """The fewest changes that do it together: to be asked where none does alone. What comes later is dearer to
        find, and not asked for where what came by then is good enough."""
        known = self._options
        self._options = named = [*self._as_named(), *self._idle()]
        more, whole = self._extended([Partial((), 0, 0)])
        self._partials = sorted((*self._partials, *more), key=Partial.rank)
        first = self._partials[:BEGUN]
        self._first_partials = [p for p in self._partials if p.hypotheses[0].text]
        yield self._confirmed_of([p for p in whole if p.hypotheses[0].words == USED])
        # What makes everything right alone does so with any other change: that one is none.
        alone = {id(p.hypotheses[0]) for p in whole}
        self._options = [*known, *(h for h in named if id(h) not in alone)]
        for _ in range(MOST - 1):
            self._partials, whole = self._extended(self._partials)
            if found := self._confirmed_of(whole):
                yield found
                return
        yield self._confirmed_of(self._with_more(first))
        yield self._confirmed_of(self._crossed())

    def _idle(self) -> Iterator[Hypothesis]:
        """Changes to lines of which no result is made, as the other lines are."""
        idle = {at: units for at, units in self.hypotheses.idle_lines().items() if at not in self.lines}
        computed = set(self._starts)
        for h in self.hypotheses.all({**self.lines, **idle}) if idle and not self.is_long else ():
            if h.at_text in idle and computed.issuperset(i for i, _ in h.at):
                yield h

    def _with_more(self, begun: Sequence[Partial]) -> list[Partial]:
        """Changes that make some of it right, each with a term or a line that is missing besides."""
        whole: list[Partial] = []
        known = self._options
        for p in begun if self.has_loop else ():
            if is_spent():
                break
            with self._on_top(p.hypotheses):
                self._options = [*self.terms(), *self.missing_lines()]
            spend(len(self._options) + len(self._ops) / PER_STEP)
            self._options += p.hypotheses
            whole += self._extended([p])[1]
        self._options = known
        return whole

    def _crossed(self) -> list[Partial]:
        """Two changes of which neither makes anything right alone, though both do together: every one of a line with
        every one of a later line."""
        mine: dict[At, list[Hypothesis]] = {}
        for h in self._options:
            mine.setdefault(h.at_text, []).append(h)
        begins = {at: min(h.at[0][0] for h in some) for at, some in mine.items()}
        ends = {at: max(h.at[-1][0] for h in some) for at, some in mine.items()}
        order = sorted(mine, key=begins.__getitem__)
        left, whole = CROSSED, list[Partial]()
        for first, second in combinations(order, 2):
            if first[0] == second[0]:
                continue
            if ends[first] >= begins[second]:
                whole += self._interleaved(mine[first], mine[second])
                continue
            left -= len(mine[first]) + len(mine[second]) * (len(self._ops) - self._place(begins[second]))
            spend((len(mine[first]) + len(mine[second])) / PER_STEP)
            if left < 0 or is_spent():
                break
            before = self._run(mine[first], (), len(self.graph))
            for h in mine[second]:
                values = self._after(h, before)
                right = np.ones(len(mine[first]), bool)
                for r in self.results:
                    value = values.get(r.unit.step, self._base[r.unit.step])
                    right &= close(value, [v.floats[POINT] for v in r.rights])
                for n in np.flatnonzero(right):
                    whole.append(Partial((mine[first][n], h), len(self.results), 0))
        return whole

    def _interleaved(self, mine: Sequence[Hypothesis], others: Sequence[Hypothesis]) -> list[Partial]:
        """The same of two lines that run in turn: the likeliest changes of the one with those of the other."""
        mine, others = (sorted(some, key=lambda h: h.cost)[:LIKELIEST] for some in (mine, others))
        edits = sum(len(h.at) for h in mine) * len(others)
        self._turns -= edits
        whole: list[Partial] = []
        if self._turns < 0 or is_spent():
            return whole
        spend(edits / PER_STEP)
        for h in others:
            beside = [g for g in mine if apart(g, h)]
            right, _ = self._scores(beside, (h,)) if beside else ((), ())
            found = (g for g, n in zip(beside, right, strict=True) if n == len(self.results))
            whole += [Partial((g, h), len(self.results), 0) for g in found]
        return whole

    def beginnings(self) -> list[Explanation]:
        """Single changes after which more is right than before: the best few of each line."""
        out: dict[int, list[Explanation]] = {}
        for p in sorted(self._first_partials, key=self._likely):
            mine = out.setdefault(p.hypotheses[0].line, [])
            made = self._explanation(p.hypotheses) if len(mine) < PER_BEGINNING else None
            if made is not None and not any(_is_same(made, e) for e in mine):
                mine.append(made)
        # The best of each line first.
        return [e for some in zip_longest(*out.values()) for e in some if e is not None][:BEGINNINGS]

    def _likely(self, p: Partial) -> tuple[int, int, bool, float]:
        """Those first that explain the most; of what is called a derivative rather the gradient of something than a
        local one, which anything may be."""
        (h,) = p.hypotheses
        made = self._explanation(p.hypotheses).values
        unit = next((self.layout.units_at[i][0] for i in made if i in self.layout.units_at), None)
        flows = unit is not None and any(claims(unit.name)) and self._is_flow(made[unit.step])
        return *p.rank()[:2], not flows, h.cost

    def _is_flow(self, vec: Vec) -> bool:
        return any(q.kind in ("cotangent", "contribution", "sum") for q in self.known.right(vec))

    def _confirmed_of(self, whole: Sequence[Partial]) -> list[Explanation]:
        found = (self._confirmed(p.hypotheses) for p in sorted(whole, key=lambda p: p.cost)[: 4 * CONFIRMED])
        return [f for f in found if f is not None][:CONFIRMED]

    def _as_named(self) -> Iterator[Hypothesis]:
        """Assignments that hold what their names say, or what their use says, or a value of the forward pass that they
        work out once more, by whatever change: what it is can be found out then."""
        for at, units in self.lines.items():
            unit = units[0]
            if not unit.name:
                continue
            told: list[tuple[list[Vec], str]] = []
            silent = not self.reading.pairs(unit.name) and not is_bare(unit.name)
            if len(units) == 1 and self.layout.last[unit.name] is unit:
                rights = self.reading.rights(unit.name)[:1] if self.reading.is_exact(unit.name) else []
                told += [([v], "is not what its name says") for v in rights]
                told += [([v], USED) for v in (self._as_used(unit) if silent else ())]
            if silent and not any(unit.name == name for name, _ in self.subject.aliases):
                told += [(v, USED) for v in self._again_forward(len(units))]
            for vecs, words in told:
                same = all(v.same(self.layout.actual(u.step)) for u, v in zip(units, vecs, strict=True))
                if same or not all(math.isfinite(v.floats[POINT]) for v in vecs):
                    continue
                changes = []
                for u, vec in zip(units, vecs, strict=True):
                    self._base.append(vec.floats[POINT])
                    self._named[len(self._base) - 1] = vec
                    changes.append((u.step, to_step(len(self._base) - 1)))
                yield Hypothesis(at, unit.span, "", AS_NAMED, "wrong-formula", words, tuple(changes), unit.step, -1)

    def _again_forward(self, rounds: int) -> Iterator[list[Vec]]:
        """What an operation of the forward pass without a name gives, where it runs as often as a line."""
        for steps in list(self.hypotheses.roles.unnamed.values())[:MOST_AGAIN]:
            if len(steps) != rounds:
                continue
            vecs = [self.layout.actual(i) for i in steps]
            if all(v.usable for v in vecs):
                yield vecs

    def _as_used(self, unit: Unit) -> Iterator[Vec]:
        """``J21`` in ``grad_t = ex*J11 + ey*J21``: what is multiplied by dL/dy, for a result dL/dt, is dy/dt."""
        loss, have = self.subject.loss, self.layout.actual(unit.step)
        ends = [r for r in self.results if self.reading.is_exact(r.unit.name) and r.unit.step > unit.step]
        if not have.usable or self.layout.is_forward(unit.step) or not ends:
            return
        seen: list[Vec] = []
        with precision(BITS):
            moved = self.layout.with_value(unit.step, have + constant(1, self.layout.truth.points), ends[-1].unit.step)
            for r in ends:
                ((top, bottom),) = self.reading.pairs(r.unit.name)
                if top != loss or r.unit.step not in moved:
                    continue
                slope = moved[r.unit.step] - r.actual
                for q in self.known.right(slope):
                    made = self.layout.truth.segment(q.bottom, bottom) if q.kind == "cotangent" else None
                    if made is not None and not made.is_zero and not any(made.same(v) for v in seen):
                        seen.append(made)
                        yield made

    def _extended(self, partials: Sequence[Partial]) -> tuple[list[Partial], list[Partial]]:
        """Every partial answer with one change more: the best that are still partial, and what explains everything."""
        options = self._options
        budget = EDITS if len(partials) == 1 else MORE_EDITS
        seen: set[frozenset[int]] = set()
        number = {id(h): n for n, h in enumerate(options)}
        out: list[Partial] = []
        whole: list[Partial] = []
        for p in partials:
            mine = [h for h in options if all(apart(h, other) for other in p.hypotheses)]
            keys = [frozenset((number[id(h)], *(number[id(o)] for o in p.hypotheses))) for h in mine]
            mine = [h for h, key in zip(mine, keys, strict=True) if key not in seen]
            seen.update(keys)
            edits = sum(len(h.at) for h in mine)
            budget -= edits
            spend(edits / PER_STEP)
            if not mine or budget < 0 or is_spent():
                break
            right, true = self._scores(mine, p.hypotheses)
            for n, h in enumerate(mine):
                made = Partial((*p.hypotheses, h), int(right[n]), int(true[n]))
                if made.right == len(self.results):
                    whole.append(made)
                elif made.true > p.true or made.right > p.right:
                    out.append(made)
        out.sort(key=Partial.rank)
        counts: dict[tuple[int, ...], int] = {}
        kept = []
        for p in out:
            lines = tuple(sorted(h.line for h in p.hypotheses))
            counts[lines] = counts.get(lines, 0) + 1
            if counts[lines] <= PER_LINE:
                kept.append(p)
        return kept[:KEPT], whole

    def _in_long_loops(self) -> list[Explanation]:
        """One change to a line of a long loop: tried on the first rounds, and then on the whole."""
        lines = {at: units for at, units in self.lines.items() if len(units) >= LOOP}
        short = {at: units[:FIRST] for at, units in lines.items()}
        ends = {at: units[-1].step for at, units in short.items()}
        passed: list[Hypothesis] = []
        others: list[Hypothesis] = []
        for at, mine in self._by_line(self.hypotheses.all(short)).items():
            values = self._run(mine, (), ends[at])
            begin, end = min(h.at[0][0] for h in mine), ends[at]
            units = self._unit_steps[bisect_left(self._unit_steps, begin) : bisect_left(self._unit_steps, end + 1)]
            gain = np.zeros(len(mine), int)
            for i in units:
                if i in values:
                    gain += self._is_true(i, values[i])
                    gain -= self._was_true(i)
            for h, more in zip(mine, gain, strict=True):
                (passed if more > 0 else others).append(h)
        for some, budget in ((passed, WORK), (others, WORK // 3)):
            found = self._first(sorted(some, key=lambda h: h.cost), lines, budget)
            if found is not None:
                return [found]
        return []

    def _by_line(self, some: Iterator[Hypothesis]) -> dict[At, list[Hypothesis]]:
        out: dict[At, list[Hypothesis]] = {}
        for h in some:
            out.setdefault(h.at_text, []).append(h)
        return out

    def _first(self, some: Sequence[Hypothesis], lines: Mapping[At, Sequence[Unit]], budget: int) -> Explanation | None:
        """The first hypothesis, known from the first rounds, that makes all results right in all rounds."""
        for h in some:
            budget -= len(self._ops)
            spend(len(self._ops) / PER_STEP)
            if budget < 0 or is_spent():
                return None
            full = next(self.hypotheses.all(lines, h), None)
            if full is None:
                continue
            values = self._single(full)
            right = all(close(values[r.unit.step], [v.floats[POINT] for v in r.rights]) for r in self.results)
            if right and (found := self._confirmed([full])) is not None:
                return found
        return None


def _is_same(one: Explanation, other: Explanation) -> bool:
    """Two changes come to the same."""
    return one.values.keys() == other.values.keys() and all(v.same(other.values[i]) for i, v in one.values.items())


def apart(h: Hypothesis, other: Hypothesis) -> bool:
    """Two changes of different lines, that do not change the same step."""
    return h.line != other.line and not {i for i, _ in h.at} & {i for i, _ in other.at}
