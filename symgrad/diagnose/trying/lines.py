"""A line of a loop that is missing: a sum that is read, and that nothing was ever added to.

``s1 = 0`` before a loop and ``mean = s1/s0`` behind it: what each round should have added is worked out from what a
result lacks, as terms are. What is read in the loop itself (``dx += v*dth``, then ``dth += ...``) counts in all rounds
after the one in which it is added.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction

import numpy as np

from symgrad.diagnose.observing.subject import Unit
from symgrad.diagnose.text.statements import Statement
from symgrad.diagnose.trying.hypothesis import Hypothesis
from symgrad.diagnose.trying.products import Floats, Product, Products
from symgrad.diagnose.trying.roles import Role
from symgrad.diagnose.trying.terms import AT_POINT, MOST, PER_FACTOR, ROUNDS, SAME, Terms
from symgrad.diagnose.trying.trials import POINT
from symgrad.diagnose.trying.typed import Change, with_sums
from symgrad.diagnose.trying.written import at_hand, atoms

#: What it costs that a line is missing.
COST = 1.6
#: So many lines of a loop are tried as the one that it stands behind.
PLACES = 6


class Lines(Terms):
    """Works out missing lines."""

    def missing_lines(self) -> Iterator[Hypothesis]:
        """Lines after which a result is right that was wrong."""
        wrong = self._wrong()
        for name, zeros in self._never_added_to():
            readers = self._readers(name, {u.step for u in zeros})
            if not 1 <= len(readers) <= ROUNDS:
                continue
            weights = self._read_weights(readers)
            for result in wrong:
                mine = weights.get(result.unit.step)
                if mine is None or result.unit.name == name:
                    continue
                # Of what a loop leads to the last: what it was before is gone.
                for right in result.rights[:1] if len(result.rights) < 2 else (result.rights[-1], result.rights[0]):
                    gap = right.floats[POINT] - self._base[result.unit.step]
                    for rounds in self._hosts(zeros[0]):
                        yield from self._added(name, zeros, readers, rounds, mine, gap)

    def _never_added_to(self) -> Iterator[tuple[str, list[Unit]]]:
        """Names that are zeros, and nothing else."""
        for name, mine in self.layout.by_name.items():
            leaves = all(self.graph.steps[u.step].is_leaf and not u.augmented for u in mine)
            if leaves and name.isidentifier() and all(self._base[u.step] == 0 for u in mine) and len(mine) <= ROUNDS:
                yield name, mine

    def _readers(self, name: str, zeros: set[int]) -> list[tuple[int, int]]:
        """The operations that read a name: step and operand."""
        out = []
        for i, _, inputs in self._ops:
            for slot, j in enumerate(inputs):
                place = self.hypotheses.source.operand(self.graph.steps[i].span, slot) if j in zeros else None
                if place is not None and self.hypotheses.source.text(place) == name:
                    out.append((i, slot))
        return out

    def _read_weights(self, readers: Sequence[tuple[int, int]]) -> dict[int, Floats]:
        """By how much results change with what is read each time; none for those that are not linear in it."""
        one = [((i, with_sums(self.graph.steps[i], slot, [(Fraction(1), ())])),) for i, slot in readers]
        together: dict[int, Change] = {at[0][0]: at[0][1] for at in one}
        span, steps = self.subject.units[0].span, sorted(together)
        tried = [*one, tuple((i, together[i]) for i in steps)] if len(steps) == len(one) else one
        some = [Hypothesis((0, 0), span, "", 0.0, "", "", at, at[0][0], -1) for at in tried]
        values, out = self._run(some, self._made, len(self.graph)), {}
        for r in self.results:
            if (moved := values.get(r.unit.step)) is None:
                continue
            by = moved - self._base[r.unit.step]
            mine = by[: len(one)]
            linear = len(tried) > len(one) and abs(by[-1] - mine.sum()) <= SAME * max(np.abs(by).max(), 1e-300)
            if linear and np.all(np.isfinite(mine)) and np.any(mine != 0):
                out[r.unit.step] = mine
        return out

    def _hosts(self, zero: Unit) -> Iterator[list[Unit]]:
        """The lines of loops behind a zero, each in all its rounds: the last of a loop first."""
        loops: dict[tuple[int, int], dict[int, list[Unit]]] = {}
        for u in self.subject.units:
            loop = self.hypotheses.source.statements.loop_around(u.line, inner=True)
            if loop is not None and u.step > zero.step and not self.layout.is_forward(u.step) and u.line > zero.line:
                loops.setdefault(loop, {}).setdefault(u.line, []).append(u)
        for by_line in loops.values():
            lines = [list({u.step: u for u in mine}.values()) for _, mine in sorted(by_line.items())]
            full = len(lines[-1])
            for mine in reversed([m for m in lines if len(m) == full][-PLACES:]):
                if 2 <= full <= ROUNDS and not self.graph.steps[mine[0].step].is_leaf:
                    yield mine

    def _added(
        self, name: str, zeros: Sequence[Unit], readers: Sequence[tuple[int, int]], rounds: Sequence[Unit],
        mine: Floats, gap: float,
    ) -> Iterator[Hypothesis]:  # fmt: skip
        """A line behind the line of some rounds."""
        starts = [u.step for u in zeros]
        since = [max((s for s in starts if s < u.step), default=-1) for u in rounds]
        reads = [max((s for s in starts if s < i), default=-1) for i, _ in readers]
        counts = [
            [n for n, u in enumerate(rounds) if u.step < i and since[n] == began]
            for (i, _), began in zip(readers, reads, strict=True)
        ]
        weights = np.zeros(len(rounds))
        for weight, before in zip(mine, counts, strict=True):
            weights[before] += weight
        if not np.any(weights != 0):
            return
        known = {r.text: r for r in at_hand(self.hypotheses.roles, rounds, after=True) if r.text != name}
        found = Products(atoms(list(known.values()), self._value, AT_POINT))
        source, host = self.hypotheses.source, rounds[-1]
        line = source.lines[host.line - 1]
        for made in found.adding_up_to(np.array([gap]), weights[:, None])[:MOST]:
            at: dict[int, Change] = {}
            for (i, slot), before in zip(readers, counts, strict=True):
                terms = [(made.sign * Fraction(made.scale), self._powers(made, known, n)) for n in before]
                at[i] = with_sums(self.graph.steps[i], slot, terms)
            text = f"{name} {'+' if made.sign > 0 else '-'}= {made.text}"
            adds = Statement(host.span.end_line, text, line[: len(line) - len(line.lstrip())])
            zero, words = zeros[0], "is never given its value: it is still zero where it is used"
            place = zero.span.line, zero.span.column
            cost = COST + PER_FACTOR * made.cost
            changes = tuple(sorted(at.items()))
            yield Hypothesis(place, zero.span, text, cost, "never-assigned", words, changes, zero.step, -1, adds=adds)

    @staticmethod
    def _powers(made: Product, known: Mapping[str, Role], n: int) -> tuple[tuple[int, int], ...]:
        return tuple((known[text].steps[n], power) for text, power in made.factors)
