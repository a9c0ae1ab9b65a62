"""Changes to the text of a line that a person could have meant: another variable, the entry before, a sign, a factor
less.

A hypothesis changes one place of the *text*, and so every round of a loop and every call of a function that runs it.
What comes of it is for `explain` to find out.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

from symgrad.diagnose.naming import stem_of
from symgrad.diagnose.replay import Layout, Result
from symgrad.diagnose.roles import At, Role, Roles, names_in
from symgrad.diagnose.source import SourceMap, number_names
from symgrad.diagnose.subject import Unit
from symgrad.diagnose.typed import (
    FORMS,
    Change,
    combined,
    entry,
    is_sum,
    itself,
    kept,
    less,
    made,
    operated,
    plus,
    second,
    squared,
    times,
    to_number,
    to_product,
    to_quotient,
    to_step,
    with_divisor,
    with_factor,
    with_form,
    with_joined,
    with_made,
    with_number,
    with_step,
    with_steps,
    with_term,
    written,
)
from symgrad.errors import Span
from symgrad.ops import OPS

#: So many numbers of the forward pass are tried as factors.
MOST_NUMBERS = 6


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """One change to the text of a line.

    Attributes:
        at_text: the line that it is in, and where that line's value begins.
        span: what is replaced, by ``text``.
        cost: how far-fetched it is; ``mistake`` and ``words`` as a repair has them.
        at: the round -> (step, what it becomes).
        parent, slot: in the first round, the step that reads what is replaced, and which of its inputs that is.
        instead: in the first round, the step that is read in its place; -1 where it is none.
    """

    at_text: At
    span: Span
    text: str
    cost: float
    mistake: str
    words: str
    at: tuple[tuple[int, Change], ...]
    parent: int
    slot: int
    instead: int = -1

    @property
    def line(self) -> int:
        return self.at_text[0]


class Hypotheses:
    """What could be written instead of what stands in the lines that wrong results are computed in.

    Args:
        results: of the derivation.
        base: the value of every step at one random point, to tell two variables apart.
    """

    def __init__(self, layout: Layout, results: Sequence[Result], base: Sequence[float]) -> None:
        self.layout, self.results, self._base = layout, results, base
        self.graph, self.subject = layout.graph, layout.subject
        self.source = SourceMap(self.subject.source)
        #: The one change that is asked for again, in all rounds: its place and text.
        self._only: tuple[Span, str] | None = None
        self._seen: dict[
            tuple[int, ...], tuple[dict[At, list[dict[Span, int]]], dict[At, list[tuple[Span, int, Role]]]]
        ] = {}
        self.roles = Roles(layout, base)

    # --- the lines ----------------------------------------------------------------------------------------------

    def lines(self) -> dict[At, list[Unit]]:
        """The places that a wrong result is computed at, with their rounds: assignments, and helpers."""
        wrong = [r for r in self.results if not r.is_right(r.actual)]
        feeding = self.layout.feeding(r.unit.step for r in wrong)
        out: dict[At, list[Unit]] = {}
        # What a round computes and the next one throws away belongs to the line as well.
        sites = {u.line for u in self.subject.units if u.step in feeding}
        for unit in self.subject.units:
            first = self.layout.units_at[unit.step][0] is unit
            if self.graph.steps[unit.step].is_leaf and unit.step not in feeding:
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
        key = tuple(len(units) for units in lines.values())
        if key not in self._seen:
            sites = {at: [self.roles.sites(u) for u in units] for at, units in lines.items()}
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

    @cached_property
    def _numbers(self) -> list[Fraction]:
        """The numbers of the forward pass, by which something may be off."""
        steps = self.graph.steps
        found = (s.value for i, s in enumerate(steps) if s.is_const and self.layout.is_forward(i))
        plain = (abs(v) for v in found if isinstance(v, Fraction))
        return [v for v in dict.fromkeys(plain) if v not in (0, 1, 2, Fraction(1, 2))][:MOST_NUMBERS]

    @cached_property
    def _number_names(self) -> dict[Fraction, str]:
        return number_names(self.graph, self.source)

    # --- one line at a time -------------------------------------------------------------------------------------

    def _of_line(
        self,
        line: At,
        units: Sequence[Unit],
        rounds: Sequence[Mapping[Span, int]],
        operands: Mapping[At, Sequence[tuple[Span, int, Role]]],
    ) -> Iterator[Hypothesis]:
        roles = self.roles.at(units, operands)
        mine = operands[line]
        yield from self._accumulation(line, units)
        for span, slot, role in mine:
            yield from self._at_operand(line, rounds, span, slot, role, roles)
        yield from self._everywhere(line, rounds, mine, roles)
        first = units[0]
        for span in rounds[0]:
            yield from self._at_operation(line, rounds, span, roles, whole=rounds[0][span] == first.step)

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
            if number != value:
                at = ((i, to_number(number)) for i in steps)
                cost = 0.9 if number == 1 else 1.02
                yield from self._hypothesis(line, span, written(number), cost, "scale", words, at, first, -1)
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
                yield from self._hypothesis(line, span, spelled, 1.1, "missing-factor", words, at, first, -1)
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

    def _hypothesis(
        self, line: At, span: Span | None, text: str, cost: float, mistake: str, words: str,
        at: Iterable[tuple[int, Change]], parent: int, slot: int, instead: int = -1,
    ) -> Iterator[Hypothesis]:  # fmt: skip
        if span is None or (self._only is not None and self._only != (span, text)):
            return
        made = tuple(at)
        if made:
            yield Hypothesis(line, span, text, cost, mistake, words, made, parent, slot, instead)

    def _at_operand(
        self, line: At, rounds: Sequence[Mapping[Span, int]], span: Span, slot: int, role: Role,
        roles: Sequence[Role],
    ) -> Iterator[Hypothesis]:  # fmt: skip
        """Another variable, or another number, in one place."""
        parent, node = rounds[0][span], role.steps[0]
        place = self.roles.place(span, slot, parent)
        if place is None or (self._only is not None and self._only[0] != place):
            return
        step = self.graph.steps[node]
        if step.is_const:
            value = step.value
            if isinstance(value, Fraction):
                for number in (value + 1, value - 1, value * 2, value / 2, -value):
                    at = ((r[span], with_number(self.graph.steps[r[span]], slot, number)) for r in rounds if span in r)
                    words = "is another number than belongs here"
                    yield from self._hypothesis(line, place, written(number), 1.02, "scale", words, at, parent, slot)
                yield from self._with_variable(line, rounds, span, slot, place, value, roles)
            if not OPS[self.graph.steps[parent].op].renames:
                return
        if self._is_accumulator(rounds, span, slot):
            return
        if self.source.text(place).replace("_", "").isalnum() or "[" in role.text:
            at = ((r[span], squared(self.graph.steps[r[span]], slot)) for r in rounds if span in r)
            words = "is of a lower power than belongs here"
            yield from self._hypothesis(line, place, f"{role.text}**2", 1.05, "missing-factor", words, at, parent, slot)
        if self.layout.is_forward(node):
            for form, make in FORMS:
                at = ((r[span], with_made(self.graph.steps[r[span]], slot, make)) for r in rounds if span in r)
                words = "stands where a local derivative belongs"
                text = form.format(role.text)
                spelled = f"({text})" if "*" in text and not text.startswith("(") else text
                yield from self._hypothesis(line, place, spelled, 1.3, "wrong-formula", words, at, parent, slot)
        for other in roles:
            if other.text == role.text or self._is_other(other.text):
                continue
            swaps = self._swaps(rounds, span, slot, role, other)
            if swaps is not None:
                mistake, words = self._swapped(node, other)
                cost = 1.0 if self.layout.is_forward(node) == self.layout.is_forward(other.steps[0]) else 1.3
                cost += 0.5 * (other.steps[0] == self.subject.loss)
                yield from self._hypothesis(
                    line, place, other.text, cost, mistake, words, swaps, parent, slot, other.steps[0]
                )

    def _with_variable(
        self, line: At, rounds: Sequence[Mapping[Span, int]], span: Span, slot: int, place: Span, value: Fraction,
        roles: Sequence[Role],
    ) -> Iterator[Hypothesis]:  # fmt: skip
        """A variable that was left out beside a number: ``1`` for ``1/x``."""
        parent = rounds[0][span]
        infix = OPS[self.graph.steps[parent].op].infix
        if infix is None or not (infix.symbol in ("+", "-") or (infix.symbol == "*" and value == 1)):
            return  # within a product the operation itself is asked
        for role in roles:
            pairs = [(r[span], want) for r, want in zip(rounds, role.steps, strict=True) if span in r]
            if self._is_other(role.text) or not all(0 <= want < i for i, want in pairs):
                continue
            if infix.symbol == "*":
                # y*(1) for y*(1 - y)
                at = ((i, with_joined(self.graph.steps[i], slot, want, less)) for i, want in pairs)
                text, words = f"(1 - {role.text})", "leaves out a term"
                yield from self._hypothesis(line, place, text, 1.3, "missing-term", words, at, parent, slot)
                continue
            for how, cost in (("*", 1.1), ("/", 1.2)):
                make = combined(value, how)
                at = ((i, with_joined(self.graph.steps[i], slot, want, make)) for i, want in pairs)
                text, words = f"{written(value)}{how}{role.text}", "leaves out a factor"
                yield from self._hypothesis(line, place, text, cost, "missing-factor", words, at, parent, slot)

    def _is_other(self, text: str) -> bool:
        """Nothing with this text is asked for."""
        return self._only is not None and text not in self._only[1]

    def _is_accumulator(self, rounds: Sequence[Mapping[Span, int]], span: Span, slot: int) -> bool:
        """What is added to: ``dw`` of ``dw += ...``."""
        units = self.layout.units_at.get(rounds[0][span], ())
        return slot == 0 and any(u.augmented and u.span == span for u in units)

    def _swaps(
        self, rounds: Sequence[Mapping[Span, int]], span: Span, slot: int, role: Role, other: Role
    ) -> list[tuple[int, Change]] | None:
        """What the operations of a line become with another operand; ``None`` where that is not there in time."""
        at: list[tuple[int, Change]] = []
        changed = False
        for r, have, want in zip(rounds, role.steps, other.steps, strict=True):
            if span not in r or have < 0:
                continue
            if want < 0:
                if at:
                    return None
                continue  # in the first round there is none yet
            if want >= r[span]:
                return None
            changed = changed or self._base[want] != self._base[have]
            at.append((r[span], with_step(self.graph.steps[r[span]], slot, want)))
        return at if changed else None

    def _everywhere(
        self, line: At, rounds: Sequence[Mapping[Span, int]], mine: Sequence[tuple[Span, int, Role]],
        roles: Sequence[Role],
    ) -> Iterator[Hypothesis]:  # fmt: skip
        """One variable for another wherever the line has it: z*(1 - z)."""
        texts: dict[str, list[tuple[Span, int, Role]]] = {}
        for span, slot, role in mine:
            if not self.graph.steps[role.steps[0]].is_const:
                texts.setdefault(role.text, []).append((span, slot, role))
        for text, places in texts.items():
            if len(places) < 2:
                continue
            spans = [self.source.operand(span, slot) for span, slot, _ in places]
            whole = next(iter(rounds[0]))
            for other in roles:
                if other.text == text or self._is_other(other.text):
                    continue
                parts: dict[int, dict[int, int]] = {}
                fits = True
                for span, slot, _ in places:
                    for r, want in zip(rounds, other.steps, strict=True):
                        if span in r:
                            fits = fits and 0 <= want < r[span]
                            parts.setdefault(r[span], {})[slot] = want
                if not fits:
                    continue
                at = ((i, with_steps(self.graph.steps[i], by)) for i, by in sorted(parts.items()))
                place, spelled = self.source.respelled(spans, other.text, whole)
                mistake, words = self._swapped(places[0][2].steps[0], other)
                if spelled:
                    yield from self._hypothesis(
                        line, place, spelled, 1.0, mistake, words, at, rounds[0][places[0][0]], places[0][1],
                        other.steps[0],
                    )  # fmt: skip

    def _at_operation(
        self, line: At, rounds: Sequence[Mapping[Span, int]], span: Span, roles: Sequence[Role], *, whole: bool
    ) -> Iterator[Hypothesis]:
        """A sign, an operand less, another operation; a factor or a term more."""
        first = self.graph.steps[rounds[0][span]]
        infix = OPS[first.op].infix
        parent = rounds[0][span]
        steps = [(r[span], self.graph.steps[r[span]]) for r in rounds if span in r]
        if any(len(s.inputs) != len(first.inputs) or s.op != first.op for _, s in steps):
            return
        augmented = any(u.augmented for u in self.layout.units_at.get(parent, ())) and whole
        text = self.source.text(span)
        if augmented:
            # What is added is what may be changed; the sum itself is the statement's.
            place = self.source.operand(span, 1)
            inner = self.source.text(place) if place is not None else ""
            value = second
        else:
            place, inner, value = span, text, itself
        plain = f"({inner})" if is_sum(inner) else inner
        at = ((i, made(s, value, lambda x, one: -x)) for i, s in steps)
        yield from self._hypothesis(line, place, f"-{plain}", 0.9, "sign", "has the wrong sign", at, parent, -1)
        for factor in (Fraction(2), Fraction(1, 2)):
            at = ((i, made(s, value, times(factor))) for i, s in steps)
            spelled = f"{factor}*{plain}" if factor > 1 else f"{plain}/2"
            words = "is off by a constant factor"
            yield from self._hypothesis(line, place, spelled, 1.1, "scale", words, at, parent, -1)
        for number in self._numbers if whole else ():
            called = self._number_names.get(number, written(number))
            for factor, spelled in ((number, f"{called}*{plain}"), (1 / number, f"{plain}/{called}")):
                at = ((i, made(s, value, times(factor))) for i, s in steps)
                words = "is off by a constant factor"
                yield from self._hypothesis(line, place, spelled, 1.25, "scale", words, at, parent, -1)
        if infix is not None and infix.prefix and infix.symbol:
            operand = self.source.operand(span, 0)
            at = ((i, kept(s, 0)) for i, s in steps)
            spelled = self.source.text(operand) if operand is not None else ""
            yield from self._hypothesis(line, span, spelled, 0.85, "sign", "has a minus sign too many", at, parent, -1)
        if infix is not None and not infix.prefix and infix.symbol and not augmented and len(first.inputs) == 2:
            for slot in (0, 1):
                operand = self.source.operand(span, slot)
                at = ((i, kept(s, slot)) for i, s in steps)
                if operand is None or (slot == 1 and infix.symbol in ("/", "-", "**")):
                    continue
                dropped = self.graph.steps[first.inputs[1 - slot]]
                factor_like = infix.symbol not in ("+", "-")
                mistake = "extra-factor" if factor_like else "extra-term"
                cost = 0.95
                if dropped.is_const and factor_like:
                    mistake, cost = ("scale", 0.45) if infix.symbol != "**" else ("wrong-formula", 1.3)
                words = "has a factor too many" if factor_like else "has a term too many"
                yield from self._hypothesis(line, span, self.source.text(operand), cost, mistake, words, at, parent, -1)
            yield from self._other_operation(line, steps, span, infix.symbol, parent)
        held = next((u.name for u in self.layout.units_at.get(parent, ()) if u.augmented), "") if whole else ""
        for role in roles:
            if self._is_other(role.text) or role.text == held:
                continue
            want = {r[span]: w for r, w in zip(rounds, role.steps, strict=True) if span in r}
            usable = [(i, s) for i, s in steps if 0 <= want[i] < i]
            if not usable or len(usable) < len(steps) - 1 or any(self.graph.steps[want[i]].is_const for i, _ in usable):
                continue
            telling = any(self._base[w] not in (0.0, 1.0) for w in want.values() if w >= 0)
            if telling and (whole or (infix is not None and infix.symbol in ("*", "/"))):
                at = ((i, with_factor(s, value, want[i])) for i, s in usable)
                words = "leaves out a factor"
                yield from self._hypothesis(
                    line, place, f"{plain}*{role.text}", 1.1, "missing-factor", words, at, parent, -1
                )
                at = ((i, with_divisor(s, value, want[i])) for i, s in usable)
                yield from self._hypothesis(
                    line, place, f"{plain}/{role.text}", 1.4, "missing-factor", words, at, parent, -1
                )
                for form, make in FORMS:
                    at = ((i, with_form(s, value, want[i], make)) for i, s in usable)
                    spelled = f"{plain}*{form.format(role.text)}"
                    yield from self._hypothesis(line, place, spelled, 1.4, "missing-factor", words, at, parent, -1)
            if whole:
                for sign in ("+", "-"):
                    at = ((i, with_term(s, value, want[i], sign)) for i, s in usable)
                    cost = 1.5 if not self.layout.is_forward(want[usable[0][0]]) else 2.0
                    words = "leaves out a term"
                    yield from self._hypothesis(
                        line, place, f"{inner} {sign} {role.text}", cost, "missing-term", words, at, parent, -1
                    )
        for value_of, spelled in ((Fraction(1), "1 + {0}"), (Fraction(-1), "{0} - 1")):
            at = ((i, made(s, value, plus(value_of))) for i, s in steps)
            words = "leaves out a term"
            yield from self._hypothesis(line, place, spelled.format(inner), 1.3, "missing-term", words, at, parent, -1)

    def _other_operation(
        self, line: At, steps: Sequence[tuple[int, Any]], span: Span, symbol: str, parent: int
    ) -> Iterator[Hypothesis]:
        """Minus for plus, times for over; the two operands the other way round."""
        other = {"+": "-", "-": "+", "*": "/", "/": "*"}.get(symbol)
        left, right = self.source.operand(span, 0), self.source.operand(span, 1)
        if other is None or left is None or right is None:
            return
        texts = [self.source.text(left), self.source.text(right)]
        second = f"({texts[1]})" if other == "-" and is_sum(texts[1]) else texts[1]
        space = " " if symbol in "+-" else ""
        at = ((i, operated(s, other)) for i, s in steps)
        mistake = "sign" if symbol in "+-" else "wrong-formula"
        words = "applies another operation than belongs here"
        yield from self._hypothesis(
            line, span, f"{texts[0]}{space}{other}{space}{second}", 1.0, mistake, words, at, parent, -1
        )
        if symbol in "-/":
            at = ((i, operated(s, symbol, swap=True)) for i, s in steps)
            first = f"({texts[0]})" if is_sum(texts[0]) else texts[0]
            words = "has its two operands the wrong way round"
            yield from self._hypothesis(
                line, span, f"{texts[1]}{space}{symbol}{space}{first}", 1.15, "wrong-formula", words, at, parent, -1
            )

    def _accumulation(self, line: At, units: Sequence[Unit]) -> Iterator[Hypothesis]:
        """``=`` for ``+=``."""
        first = units[0]
        if not first.name or first.augmented or " " in first.name:
            return
        if "[" in first.name and '["' not in first.name:
            return  # an entry of a list is set once
        if first.name in names_in(self.source.text(first.span)):
            return  # what it held before is used: delta = delta*w
        held = {u.name: [v.step for v in self.layout.by_name[u.name]] for u in units}
        at: list[tuple[int, Change]] = []
        for u in units:
            mine = held[u.name]
            n = bisect_left(mine, u.step)
            before = mine[n - 1] if n else -1
            if before >= 0:
                at.append((u.step, with_term(self.graph.steps[u.step], itself, before, "+")))
        words = "throws away what was accumulated before"
        text = f"{first.written or first.name} + {self.source.text(first.span)}"
        yield from self._hypothesis(line, first.span, text, 0.0, "lost-accumulation", words, at, first.step, -2)

    def _swapped(self, found: int, role: Role) -> tuple[str, str]:
        """The kind of mistake where one variable stands for another."""
        a, b = self.layout.original(found), self.layout.original(role.steps[0]) if role.steps[0] >= 0 else -1
        steps = self.graph.steps
        names = [self.layout.variable(i) for i in (a, b)] if b >= 0 else ["", ""]
        listed = role.text.split("[", maxsplit=1)[0] if "[" in role.text else ""
        own = any(e is not None and e[0] == listed for e in map(entry, self.roles.names.get(a, ())))
        if listed and own:
            return "wrong-time-step", "is the value of another step in time"
        links = self.layout.truth.links
        real = self.layout.original

        def feeds(bottom: int, top: int, held: int) -> bool:
            found = (*links.get(top, ()), *links.get(held, ()))
            return any(real(link.top) == top and real(link.bottom) == bottom for link in found)

        if b >= 0 and self.layout.is_forward(a) and (feeds(a, b, role.steps[0]) or feeds(b, a, found)):
            first = feeds(a, b, role.steps[0])
            words = "uses the input where the output belongs" if first else "uses the output where the input belongs"
            return "input-for-output", words
        if b >= 0 and names[0] and stem_of(names[0]) == stem_of(names[1]) and not steps[a].is_input:
            return "wrong-time-step", "is the value of another step in time"
        return "wrong-variable", "is another variable than belongs here"
