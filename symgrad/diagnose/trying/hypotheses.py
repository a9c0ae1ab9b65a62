"""Changes to the text of a line that a person could have meant: another variable, the entry before, a sign, a factor
less.

A hypothesis changes one place of the *text*, and so every round of a loop and every call of a function that runs it.
What comes of it is for `explain` to find out.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Collection, Iterator, Mapping, Sequence
from fractions import Fraction

from symgrad.diagnose.observing.subject import Unit
from symgrad.diagnose.text.naming import claims, is_bare, is_plain
from symgrad.diagnose.trying.hypothesis import Hypothesis
from symgrad.diagnose.trying.operands import Operands
from symgrad.diagnose.trying.roles import At, Role, names_in
from symgrad.diagnose.trying.typed import (
    Change,
    is_sum,
    itself,
    negated,
    taken_from,
    to_number,
    to_product,
    to_quotient,
    to_rest,
    to_step,
    with_term,
    written,
)
from symgrad.errors import Span


class Hypotheses(Operands):
    """What could be written instead of what stands in the lines that wrong results are computed in."""

    def lines(self) -> dict[At, list[Unit]]:
        """The places that a wrong result is computed at, with their rounds: assignments, and helpers."""
        wrong = [r for r in self.results if not r.is_right(r.actual)]
        return self._places_of(self.layout.feeding(r.unit.step for r in wrong))

    def idle_lines(self) -> dict[At, list[Unit]]:
        """Those that no result is computed at, though derivatives are: what is made of them may be wrong by that."""
        fed = self.layout.feeding(r.unit.step for r in self.results)
        sites = {u.line for u in self.subject.units if u.step in fed}
        mine = (u for u in self.subject.units if u.line not in sites and _may_be_one(u.name))
        idle = {u.step for u in mine if not self.layout.is_forward(u.step)}
        return self._places_of(self.layout.feeding(idle) - fed) if idle else {}

    def _places_of(self, feeding: Collection[int]) -> dict[At, list[Unit]]:
        out: dict[At, list[Unit]] = {}
        # What a round computes and the next one throws away belongs to the line as well.
        sites = {u.line for u in self.subject.units if u.step in feeding}
        for unit in self.subject.units:
            first = self.layout.units_at[unit.step][0] is unit
            if self.graph.steps[unit.step].is_leaf and (unit.step not in feeding or not _may_be_one(unit.name)):
                continue
            if self.source.is_header(unit.span):
                continue
            if first and unit.line in sites and not self.layout.is_forward(unit.step):
                out.setdefault((unit.line, unit.span.column), []).append(unit)
        own = {u.line for u in self.subject.units}
        for i in sorted(feeding):
            span = self.graph.steps[i].span
            if span is None or self.graph.steps[i].is_leaf or span.line in own or span in self.layout.forward_spans:
                continue
            users = (self.graph.steps[k].span for k in self.layout.children[i] if k in feeding)
            if all(s is None or s.line != span.line for s in users):
                out.setdefault((span.line, span.column), []).append(Unit("", i, span, span.line))
        return {
            at: units for at, units in out.items()
            if len({(u.span, u.place) for u in units}) == 1
            and units[0].span.line == units[0].span.end_line
        }  # fmt: skip

    def all(
        self, lines: Mapping[At, Sequence[Unit]], only: Hypothesis | None = None
    ) -> Iterator[Hypothesis]:
        """Every change that is tried; with ``only``, that one, in all the rounds of ``lines``."""
        self._only = (only.span, only.text) if only is not None else None
        key = tuple((at, len(units)) for at, units in lines.items())
        if key not in self._seen:
            sites = {at: [r for u in units for r in self.roles.rounds(u)] for at, units in lines.items()}
            self._seen[key] = sites, {at: list(self.roles.operands(rounds)) for at, rounds in sites.items()}
        sites, operands = self._seen[key]
        for at, units in lines.items():
            if only is not None and at != only.at_text:
                continue
            if sites[at][0]:
                yield from self._of_line(at, units, sites[at], operands)
            elif self.graph.steps[units[0].step].is_leaf:
                yield from self._of_number(at, units, operands)
        self._only = None

    def _of_line(
        self,
        line: At,
        units: Sequence[Unit],
        rounds: Sequence[Mapping[Span, int]],
        operands: Mapping[At, Sequence[tuple[Span, int, Role]]],
    ) -> Iterator[Hypothesis]:
        whole = [u for u in units for _ in (self.roles.rounds(u) if len(rounds) > len(units) else (0,))]
        roles = self.roles.at(whole, operands)
        mine = operands[line]
        yield from self._accumulation(line, units)
        if len(units) == 1:
            yield from self._at_element(line, rounds, roles)
        for span, slot, role in mine:
            yield from self._at_operand(line, rounds, span, slot, role, roles)
        yield from self._everywhere(line, rounds, mine, roles)
        yield from self._handed(line, mine, roles)
        first = units[0]
        for span in rounds[0] if not self._keeps(units) else ():
            yield from self._at_operation(line, rounds, span, roles, whole=rounds[0][span] == first.step)

    def _keeps(self, units: Sequence[Unit]) -> bool:
        """A value is kept as it is, before all that is differentiated is there: ``self.x = x`` of a forward method."""
        real, loss = self.layout.origin, self.subject.loss
        return all(u.step < loss and real(u.step) != u.step and not _may_be_one(u.name) for u in units)

    def _of_number(
        self, line: At, units: Sequence[Unit], operands: Mapping[At, Sequence[tuple[Span, int, Role]]]
    ) -> Iterator[Hypothesis]:
        """Another number, or a variable, where a number is assigned: the gradient that everything starts with."""
        first, span = units[0].step, units[0].span
        value = Fraction(self._base[first]) if math.isfinite(self._base[first]) else Fraction(0)
        if any(self._base[u.step] != self._base[first] for u in units):
            return
        steps = [u.step for u in units]
        if not value:
            yield from self._of_nothing(line, units, operands)
            return
        words = "is another number than belongs here"
        for number in dict.fromkeys((Fraction(1), -value, value * 2, value / 2)):
            # A pass begins with dL/dL = 1, and ends with something else.
            if number != value and (number != 1 or self.layout.begins(units[0])):
                at = ((i, to_number(number)) for i in steps)
                cost, mistake = 0.9 if number == 1 else 1.02, "sign" if number == -value else "scale"
                yield from self._hypothesis(line, span, written(number), cost, mistake, words, at, first, -1)
        text = self.source.text(span)
        plain = f"({text})" if is_sum(text) else text
        for role in self.roles.at(units, operands):
            if all(0 <= want < i for i, want in zip(steps, role.steps, strict=True)):
                pairs = list(zip(steps, role.steps, strict=True))
                at = ((i, to_step(want)) for i, want in pairs)
                words = "is another derivative than belongs here"
                yield from self._hypothesis(line, span, role.text, 1.3, "wrong-variable", words, at, first, -1)
                at = ((i, to_product(value, want)) for i, want in pairs)
                words = "leaves out a factor"
                spelled = role.text if value == 1 else f"{plain}*{role.text}"
                cost = 1.1 if value != -1 else 1.5  # nobody writes the factor 1 alone
                yield from self._hypothesis(line, span, spelled, cost, "missing-factor", words, at, first, -1)
                if abs(value) == 1:
                    at = ((i, to_rest(value, want)) for i, want in pairs)
                    spelled = f"1 - {role.text}" if value == 1 else f"{role.text} - 1"
                    words = "leaves out a term"
                    yield from self._hypothesis(line, span, spelled, 1.3, "missing-term", words, at, first, -1)
                    words = "leaves out a factor"
                at = ((i, to_quotient(value, want)) for i, want in pairs)
                yield from self._hypothesis(
                    line, span, f"{plain}/{role.text}", 1.2, "missing-factor", words, at, first, -1
                )

    def _of_nothing(
        self, line: At, units: Sequence[Unit], operands: Mapping[At, Sequence[tuple[Span, int, Role]]]
    ) -> Iterator[Hypothesis]:
        """A variable where a zero is assigned that nothing is added to."""
        if any((u.name, u.step) in self.layout.continued for u in units):
            return
        for role in self.roles.at(units, operands):
            pairs = [(u.step, want) for u, want in zip(units, role.steps, strict=True)]
            if all(0 <= want < i for i, want in pairs):
                at = ((i, to_step(want)) for i, want in pairs)
                words = "is never given its value: it is still zero where it is used"
                first = units[0]
                yield from self._hypothesis(
                    line, first.span, role.text, 0.9, "never-assigned", words, at, first.step, -1
                )

    def _accumulation(self, line: At, units: Sequence[Unit]) -> Iterator[Hypothesis]:
        """``=`` for ``+=``, or for ``-=``."""
        first = units[0]
        if not first.name or first.augmented or first.unnamed:
            return
        if all(u.step in self.layout.moved for u in units):
            yield from self._moved(line, units)
            return
        keyed = "[" in first.name and len({u.name for u in units}) > 1  # grad[white] in a loop over games
        if "[" in first.name and '["' not in first.name and not keyed:
            return  # an entry of a list is set once
        if first.name in names_in(self.source.text(first.span)):
            return  # what it held before is used: delta = delta*w
        loop = self.source.statements.loop_around(first.line, inner=True)
        if not keyed and loop is not None and loop[0] <= self.layout.by_name[first.name][0].line <= loop[1]:
            return  # in the first round there is nothing to add to
        held = {u.name: [v.step for v in self.layout.by_name[u.name]] for u in units}
        added: list[tuple[int, Change]] = []
        taken: list[tuple[int, Change]] = []
        for u in units:
            mine = held[u.name]
            n = bisect_left(mine, u.step)
            before = mine[n - 1] if n else -1
            if before >= 0 and not (keyed and self._goes_into(before, u.step)):
                added.append((u.step, with_term(self.graph.steps[u.step], itself, before, "+")))
                taken.append((u.step, taken_from(self.graph.steps[u.step], before)))
            elif keyed and before < 0:
                taken.append((u.step, negated(self.graph.steps[u.step])))  # from the zero that entries begin with
        taken = taken if added else []
        words = "throws away what was accumulated before"
        text, name = self.source.text(first.span), first.written or first.name
        name = self.source.target(first.line) or name if keyed else name
        plain = f"({text})" if is_sum(text) else text
        for spelled, cost, at in ((f"{name} + {text}", 0.0, added), (f"{name} - {plain}", 0.1, taken)):
            yield from self._hypothesis(line, first.span, spelled, cost, "lost-accumulation", words, at, first.step, -2)


    def _goes_into(self, before: int, step: int) -> bool:
        """What an entry held before is used for its next value: ``h[i] = f(h[i])``."""
        return self.layout.feeds(before, {step})

    def _moved(self, line: At, units: Sequence[Unit]) -> Iterator[Hypothesis]:
        """``=`` for ``-=``, or for ``+=``, where a parameter is moved."""
        first, text = units[0], self.source.text(units[0].span)
        name, plain = self.source.target(first.line) or first.name, f"({text})" if is_sum(text) else text
        steps = [(self.graph.steps[u.step], self.layout.moved[u.step][0]) for u in units]
        taken = [(u.step, taken_from(s, before)) for u, (s, before) in zip(units, steps, strict=True)]
        added = [(u.step, with_term(s, itself, before, "+")) for u, (s, before) in zip(units, steps, strict=True)]
        words = "takes the place of the value that it should change"
        for spelled, at in ((f"{name} - {plain}", taken), (f"{name} + {text}", added)):
            yield from self._hypothesis(line, first.span, spelled, 0.0, "lost-accumulation", words, at, first.step, -2)


def _may_be_one(name: str) -> bool:
    """A number under this name may be a gradient: ``g = 1.0``, but not ``beta2 = 0.99``."""
    return is_bare(name) or is_plain(name) or bool(claims(name))
