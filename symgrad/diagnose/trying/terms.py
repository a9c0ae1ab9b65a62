"""A term that a line leaves out, worked out rather than guessed: what must be added there for a result to be right.

Where results are linear in what is added to a place of a line, one run for each round tells by how much each round
counts. Then a product of what is at hand is looked up that adds up to what a result lacks.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import TypeAlias

import numpy as np

from symgrad.diagnose.observing.subject import Unit
from symgrad.diagnose.trying.hypothesis import Hypothesis
from symgrad.diagnose.trying.products import Floats, Products
from symgrad.diagnose.trying.roles import At, Role
from symgrad.diagnose.trying.trials import POINT, Trials
from symgrad.diagnose.trying.typed import Change, itself, second, with_powers
from symgrad.diagnose.trying.written import at_hand, atoms
from symgrad.errors import Span
from symgrad.graph import Step
from symgrad.ops import OPS

#: Lines that run more often, and places of a line beyond these, are not looked at. (Where a line runs once, what it
#: lacks is worked out when its repair is told.)
ROUNDS, PLACES = 50, 6
#: What it costs that a term is missing, and each thing that it is made of.
COST, PER_FACTOR = 1.5, 0.15
#: ... in a line that is something true as it stands.
TRUE = 1.2
#: Sums of floats are compared to so many digits.
SAME = 1e-9
#: So many products are tried for one place and result.
MOST = 3
AT_POINT = slice(POINT, POINT + 1)
#: Where a term may be missing: the place, its step in each round, and whether it is what an assignment adds.
Placed: TypeAlias = tuple[Span, list[int], bool]


class Terms(Trials):
    """Works out missing terms."""

    def terms(self) -> Iterator[Hypothesis]:
        """Terms after which a result is right that was wrong."""
        gaps = [(r.unit.step, [v.floats[POINT] - self._base[r.unit.step] for v in r.rights]) for r in self._wrong()]
        for at, units in self.lines.items():
            if not 2 <= len(units) <= ROUNDS:
                continue
            known: dict[str, Role] = {}
            found: Products | None = None
            for place in self._places(units):
                _, steps, added = place
                weights = self._weights(at, steps, added)
                for step, wanted in gaps:
                    mine = weights.get(step)
                    if mine is None:
                        continue
                    if found is None:
                        known = {r.text: r for r in at_hand(self.hypotheses.roles, units) if self._is_ready(r, units)}
                        found = Products(atoms(list(known.values()), self._value, AT_POINT))
                    for gap in wanted:
                        yield from self._told(at, place, found, known, mine, gap)

    def _is_ready(self, role: Role, units: Sequence[Unit]) -> bool:
        """It has its value before the line needs it."""
        first = (min(self.hypotheses.roles.sites(u).values(), default=u.step) for u in units)
        return all(0 <= i < begin for i, begin in zip(role.steps, first, strict=True))

    def _places(self, units: Sequence[Unit]) -> Iterator[Placed]:
        """Where in a line a term may be missing."""
        steps = self.graph.steps
        mine = [u.step for u in units]
        if len(set(mine)) < len(mine) or not set(mine) <= set(self._starts):
            return
        if all(steps[i].is_const for i in mine):
            yield units[0].span, mine, False
            return
        if any(steps[i].is_leaf or self.layout.is_forward(i) for i in mine):
            return
        rounds = [r for u in units for r in self.hypotheses.roles.rounds(u)]
        if len(rounds) != len(units) or any(r.keys() != rounds[0].keys() for r in rounds):
            return
        if not rounds[0]:  # a call alone: ``p = score(mine, theirs)``
            yield units[0].span, mine, False
            return
        terms = {j for s in rounds[0].values() for j in steps[s].inputs if _is_sum(steps[s])}
        for span, first in list(rounds[0].items())[:PLACES]:
            if first not in terms and not OPS[steps[first].op].renames:
                added = first == units[0].step and bool(units[0].augmented)
                yield span, [r[span] for r in rounds], added

    def _with(self, i: int, added: bool, number: Fraction, powers: Sequence[tuple[int, int]] = ()) -> Change:
        """What a step becomes with a term more."""
        step = self.graph.steps[i]
        value = Fraction(self._base[i]) if step.is_const else second if added else itself
        return with_powers(step, value, number, powers)

    def _told(
        self, at: At, place: Placed, found: Products, known: Mapping[str, Role], weights: Floats, gap: float
    ) -> Iterator[Hypothesis]:
        """The simplest products that add up to what a result lacks."""
        span, steps, added = place
        where = self.hypotheses.source.operand(span, 1) if added else span
        if where is None:
            return
        inner = self.hypotheses.source.text(where)
        own = [u.step for u in self.lines[at] if u.step not in {r.unit.step for r in self.results}]
        true = bool(own) and all(self._is_true(i, np.array([self._base[i]]))[0] for i in own)
        for made in found.adding_up_to(np.array([gap]), weights[:, None])[:MOST]:
            number = made.sign * Fraction(made.scale)
            by = [[(known[t].steps[n], p) for t, p in made.factors] for n in range(len(steps))]
            if self._is_multiple(steps, added, by):
                continue
            changes = ((i, self._with(i, added, number, powers)) for i, powers in zip(steps, by, strict=True))
            text = f"{inner} {'+' if made.sign > 0 else '-'} {made.text}"
            cost, words = COST + PER_FACTOR * made.cost + TRUE * true, "leaves out a term"
            yield Hypothesis(at, where, text, cost, "missing-term", words, tuple(changes), steps[0], -1)

    def _is_multiple(self, steps: Sequence[int], added: bool, by: Sequence[Sequence[tuple[int, int]]]) -> bool:
        """The term is what stands there, or a term of it, times a number: another sign or scale, and nothing that is
        missing."""
        term = np.array([math.prod(float(self._base[i]) ** p for i, p in powers) for powers in by])
        stack = [[self.graph.steps[i].inputs[1] if added else i for i in steps]]
        while stack:
            mine = stack.pop()
            with np.errstate(all="ignore"):
                ratio = np.array([self._base[i] for i in mine]) / term
            if np.all(np.isfinite(ratio)) and ratio[0] != 0 and np.ptp(ratio) <= SAME * np.abs(ratio).max():
                return True
            if all(_is_sum(self.graph.steps[i]) for i in mine):
                stack += [list(terms) for terms in zip(*(self.graph.steps[i].inputs for i in mine), strict=True)]
        return False

    def _weights(self, at: At, steps: Sequence[int], added: bool) -> dict[int, Floats]:
        """By how much results change with what is added in each round; none for those that are not linear in it."""
        rounds = [(i, self._with(i, added, Fraction(1))) for i in steps]
        tried: list[tuple[tuple[int, Change], ...]] = [(pair,) for pair in rounds]
        if len(rounds) > 1:
            tried.append(tuple(rounds))
        some = [Hypothesis(at, self.subject.units[0].span, "", 0.0, "", "", t, steps[0], -1) for t in tried]
        values = self._run(some, self._made, len(self.graph))
        out = {}
        for r in self.results:
            moved = values.get(r.unit.step)
            if moved is None:
                continue
            by = moved - self._base[r.unit.step]
            mine = by[: len(rounds)]
            total = mine.sum()
            linear = len(rounds) == 1 or abs(by[-1] - total) <= SAME * max(np.abs(by).max(), 1e-300)
            if linear and np.all(np.isfinite(mine)) and np.any(mine != 0):
                out[r.unit.step] = mine
        return out


def _is_sum(step: Step) -> bool:
    infix = OPS[step.op].infix if not step.is_leaf else None
    return infix is not None and infix.symbol in ("+", "-") and not infix.prefix
