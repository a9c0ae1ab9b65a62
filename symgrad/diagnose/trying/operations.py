"""Changes to an operation of a line: its sign, an operand less, a factor or a term more."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from functools import cached_property
from typing import Any

from symgrad.diagnose.trying.hypothesis import Hypothesis, Writing
from symgrad.diagnose.trying.roles import At, Role
from symgrad.diagnose.trying.typed import (
    FORMS,
    ONE_LESS,
    called_as,
    is_sum,
    itself,
    kept,
    made,
    of_function,
    operated,
    plain,
    plus,
    second,
    squared_below,
    times,
    with_divisor,
    with_factor,
    with_form,
    with_product,
    with_term,
    written,
)
from symgrad.errors import Span
from symgrad.ops import OPS, sign_of

#: A function of one operand without brackets.
_CALL = re.compile(r"([\w.]+)\(([^()]+)\)")
#: What it costs that a line is to be multiplied by what it divides by.
AGAINST = 0.5
#: In a function of so many variables, at most, products of two are tried as a term.
MOST_PAIRED = 6


class Operations(Writing):
    """What could be written for one operation."""

    @cached_property
    def _applied(self) -> dict[str, dict[tuple[str, str], None]]:
        """What of one operand the forward pass works out, by the operand's text: the function's text, and its op."""
        out: dict[str, dict[tuple[str, str], None]] = {}
        for i, step in enumerate(self.graph.steps):
            if step.span is None or len(step.inputs) != 1 or not self.layout.is_forward(i):
                continue
            called = _CALL.fullmatch(self.source.text(step.span))
            if called is not None and OPS[step.op].infix is None and not OPS[step.op].renames:
                out.setdefault(called[2], {})[called[1], step.op] = None
        return out

    @cached_property
    def _functions(self) -> list[tuple[str, str]]:
        """The functions of one number that the forward pass calls, with their ops."""
        return list({op: (function, op) for mine in self._applied.values() for function, op in mine}.values())

    def _is_term(self, step: int, line: Mapping[Span, int]) -> bool:
        """It is added to something in its line, or taken from it."""
        users = (self.graph.steps[i] for i in line.values())
        return any(step in u.inputs and sign_of(u.op) in ("+", "-") and len(u.inputs) == 2 for u in users)

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
        # Of an element of sum(2*(w*x - y)*x for ...) no line holds the residual.
        is_element = len(rounds) > 1 and next(iter(rounds[0])) not in rounds[-1]
        inner_sum = is_element and infix is not None and infix.symbol in ("+", "-") and span in rounds[-1]
        at = ((i, made(s, value, lambda x, one: -x)) for i, s in steps)
        yield from self._hypothesis(line, place, f"-{plain}", 0.9, "sign", "has the wrong sign", at, parent, -1)
        for function, op in self._applied.get(inner, ()):
            words = "uses the input where the output belongs"
            at = ((i, of_function(s, value, op)) for i, s in steps)
            made_of = f"{function}({inner})"
            yield from self._hypothesis(line, place, made_of, 1.1, "input-for-output", words, at, parent, -1)
        call = _CALL.fullmatch(text) if infix is None and len(first.inputs) == 1 else None
        for function, op in self._functions if call is not None else ():
            if call is not None and op != first.op:
                words, at = "applies another operation than belongs here", ((i, called_as(s, op)) for i, s in steps)
                made_of = f"{function}({call[2]})"
                yield from self._hypothesis(line, span, made_of, 1.0, "wrong-formula", words, at, parent, -1)
        for factor in (Fraction(2), Fraction(1, 2)):
            at = ((i, made(s, value, times(factor))) for i, s in steps)
            spelled = f"{factor}*{plain}" if factor > 1 else f"{plain}/2"
            words = "is off by a constant factor"
            yield from self._hypothesis(line, place, spelled, 1.1, "scale", words, at, parent, -1)
        for number in self._numbers if whole or self._is_term(parent, rounds[0]) else ():
            called = self._number_names.get(number, written(number))
            for factor, spelled in ((number, f"{called}*{plain}"), (1 / number, f"{plain}/{called}")):
                words = "is off by a constant factor"
                for turned, cost in ((False, 1.25), (True, 1.35)):
                    at = ((i, made(s, value, times(-factor if turned else factor))) for i, s in steps)
                    signed = f"-{spelled}" if turned else spelled
                    yield from self._hypothesis(line, place, signed, cost, "scale", words, at, parent, -1)
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
                cost = 1.1 + AGAINST * self._divides(parent, want[parent])
                yield from self._hypothesis(
                    line, place, f"{plain}*{role.text}", cost, "missing-factor", words, at, parent, -1
                )
                at = ((i, with_divisor(s, value, want[i])) for i, s in usable)
                yield from self._hypothesis(
                    line, place, f"{plain}/{role.text}", 1.4, "missing-factor", words, at, parent, -1
                )
                at = ((i, with_form(s, value, want[i], squared_below)) for i, s in usable)
                yield from self._hypothesis(
                    line, place, f"{plain}/{role.text}**2", 1.65, "missing-factor", words, at, parent, -1
                )
                for form, make in (*FORMS, ONE_LESS):
                    at = ((i, with_form(s, value, want[i], make)) for i, s in usable)
                    spelled = f"{plain}*{form.format(role.text)}"
                    yield from self._hypothesis(line, place, spelled, 1.4, "missing-factor", words, at, parent, -1)
            if whole or inner_sum:
                for sign in ("+", "-") if role.text != inner else ("+",):
                    at = ((i, with_term(s, value, want[i], sign)) for i, s in usable)
                    cost = 1.5 if not self.layout.is_forward(want[usable[0][0]]) else 2.0
                    words = "leaves out a term"
                    yield from self._hypothesis(
                        line, place, f"{inner} {sign} {role.text}", cost, "missing-term", words, at, parent, -1
                    )
        if whole and self.roles.calls.at(span) is not None:
            yield from self._products(line, rounds, span, roles)
        for value_of, spelled in ((Fraction(1), "1 + {0}"), (Fraction(-1), "{0} - 1")):
            at = ((i, made(s, value, plus(value_of))) for i, s in steps)
            words = "leaves out a term"
            yield from self._hypothesis(line, place, spelled.format(inner), 1.3, "missing-term", words, at, parent, -1)

    def _divides(self, i: int, want: int) -> bool:
        """A product divides by a step, or by a power of it: ``x/z**3``."""
        todo = [(i, False)]
        while todo:
            k, below = todo.pop()
            step = self.graph.steps[k]
            if below and self.layout.origin(k) == self.layout.origin(want):
                return True
            infix = None if step.is_leaf or (k != i and k in self.layout.units_at) else OPS[step.op].infix
            if infix is None or (infix.symbol in ("+", "-") and not infix.prefix):
                continue
            todo.append((step.inputs[0], below))
            if infix.symbol in ("*", "/") and not infix.prefix:
                todo.append((step.inputs[1], below != (infix.symbol == "/")))
        return False

    def _products(
        self, line: At, rounds: Sequence[Mapping[Span, int]], span: Span, roles: Sequence[Role]
    ) -> Iterator[Hypothesis]:
        """A term that is a product: the x*s*(1 - s) of a derivative that is written as a function."""
        parent, inner = rounds[0][span], self.source.text(span)
        steps = [(r[span], self.graph.steps[r[span]]) for r in rounds if span in r]
        chosen = [r for r in roles if all(0 <= want < i for (i, _), want in zip(steps, r.steps, strict=False))]
        if self._only is not None or len(steps) < len(rounds) or len(chosen) > MOST_PAIRED:
            return
        for a in chosen:
            for b in chosen:
                for form, make in (("{0}", plain), *FORMS, ONE_LESS):
                    text = f"{inner} + {a.text}*{form.format(b.text)}"
                    at = [
                        (i, with_product(s, x, y, make)) for (i, s), x, y in zip(steps, a.steps, b.steps, strict=True)
                    ]
                    words = "leaves out a term"
                    yield from self._hypothesis(line, span, text, 1.5, "missing-term", words, at, parent, -1)

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
