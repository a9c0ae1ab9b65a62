"""Changes to an operand of a line: another variable, another number, a power."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from functools import cached_property

from symgrad.diagnose.observing.subject import Unit
from symgrad.diagnose.text.naming import claims, normal
from symgrad.diagnose.trying.hypothesis import Hypothesis
from symgrad.diagnose.trying.operations import Operations
from symgrad.diagnose.trying.roles import At, Role
from symgrad.diagnose.trying.typed import (
    FORMS,
    ONE_LESS,
    Change,
    called_with,
    combined,
    less,
    negative,
    own_slope,
    squared,
    with_all_scaled,
    with_applied,
    with_joined,
    with_made,
    with_number,
    with_scaled,
    with_step,
    with_steps,
    written,
)
from symgrad.errors import Span
from symgrad.ops import OPS

#: What it costs that ``len(x)`` was to be another number.
COUNTED = 0.45


class Operands(Operations):
    """What could be written for one operand."""

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
                # A number that has a name (n = len(xs)) is seldom meant to be another one, and a count even less.
                text = self.source.text(place)
                cost = 1.02 + (0.12 if text.isidentifier() else COUNTED if "(" in text else 0.0)
                for number in (value + 1, value - 1, value * 2, value / 2, -value):
                    at = ((r[span], with_number(self.graph.steps[r[span]], slot, number)) for r in rounds if span in r)
                    words, mistake = "is another number than belongs here", "sign" if number == -value else "scale"
                    yield from self._hypothesis(line, place, written(number), cost, mistake, words, at, parent, slot)
                yield from self._with_variable(line, rounds, span, slot, place, value, roles)
            if not OPS[self.graph.steps[parent].op].renames:
                return
        if self._is_accumulator(rounds, span, slot):
            return
        if self.source.text(place).replace("_", "").isalnum() or "[" in role.text:
            at = ((r[span], squared(self.graph.steps[r[span]], slot)) for r in rounds if span in r)
            words = "is of a lower power than belongs here"
            yield from self._hypothesis(line, place, f"{role.text}**2", 1.05, "missing-factor", words, at, parent, slot)
        above = self.graph.steps[parent]
        if OPS[above.op].infix is None and len(above.inputs) == 1 and not OPS[above.op].renames:
            yield from self._factor_of_term(line, rounds, span, slot, place, role, roles)  # exp(z) for exp(b*z)
        if (infix := OPS[above.op].infix) is not None and infix.symbol in ("+", "-"):
            yield from self._factor_of_term(line, rounds, span, slot, place, role, roles)
            if self.layout.is_forward(node) and step.is_input:
                at = ((r[span], with_made(self.graph.steps[r[span]], slot, own_slope)) for r in rounds if span in r)
                words = "stands where its derivative by itself belongs, 1"
                yield from self._hypothesis(line, place, "1", 1.2, "wrong-formula", words, at, parent, slot)
            if slot == 0 and not infix.prefix:
                at = ((r[span], with_made(self.graph.steps[r[span]], 0, negative)) for r in rounds if span in r)
                words = "has the wrong sign"
                yield from self._hypothesis(line, place, f"-{role.text}", 0.95, "sign", words, at, parent, slot)
        if self.layout.is_forward(node):
            for form, make in (*FORMS, ONE_LESS):
                at = ((r[span], with_made(self.graph.steps[r[span]], slot, make)) for r in rounds if span in r)
                words, mistake = "stands where a local derivative belongs", "wrong-formula"
                if make is ONE_LESS[1]:
                    words, mistake = "is not taken from 1", "missing-term"
                text = form.format(role.text)
                spelled = f"({text})" if "*" in text and not text.startswith("(") else text
                yield from self._hypothesis(line, place, spelled, 1.3, mistake, words, at, parent, slot)
            words = "uses the input where the output belongs"
            for function, op in self._applied.get(self.source.text(place), ()):
                at = ((r[span], with_applied(self.graph.steps[r[span]], slot, op)) for r in rounds if span in r)
                text = f"{function}({self.source.text(place)})"
                yield from self._hypothesis(line, place, text, 1.1, "input-for-output", words, at, parent, slot)
        for other in roles:
            if other.text == role.text or self._is_other(other.text):
                continue
            swaps = self._swaps(rounds, span, slot, role, other)
            if swaps is not None:
                mistake, words = self._swapped(node, other)
                cost = 1.0 if self.layout.is_forward(node) == self.layout.is_forward(other.steps[0]) else 1.3
                cost += 0.5 * (set(other.steps) == {self.subject.loss})
                cost += 0.5 * self._is_elsewhere(line, other)
                yield from self._hypothesis(
                    line, place, other.text, cost, mistake, words, swaps, parent, slot, other.steps[0]
                )

    def _is_elsewhere(self, line: At, other: Role) -> bool:
        """By its name the gradient by something that what the line is about has no part in."""
        mine = [n for u in self._units.get(line, ()) for n in self._bottoms(u.name)]
        theirs = self._bottoms(other.text)
        reaches = self.layout.truth.reaches
        return bool(mine) and bool(theirs) and not any(reaches(a, b) for a in mine for b in theirs)

    @cached_property
    def _units(self) -> dict[At, list[Unit]]:
        out: dict[At, list[Unit]] = {}
        for u in self.subject.units:
            out.setdefault((u.line, u.span.column), []).append(u)
        return out

    def _bottoms(self, name: str) -> list[int]:
        """The forward steps that a name may be the gradient by."""
        wanted = {c.bottom for c in claims(name)}
        return [i for n, mine in self._normal.items() if n in wanted for i in mine]

    @cached_property
    def _normal(self) -> dict[str, list[int]]:
        out: dict[str, list[int]] = {}
        for i, name in self.subject.names.items():
            out.setdefault(normal(name), []).append(i)
        return out

    def _factor_of_term(
        self, line: At, rounds: Sequence[Mapping[Span, int]], span: Span, slot: int, place: Span, role: Role,
        roles: Sequence[Role],
    ) -> Iterator[Hypothesis]:  # fmt: skip
        """A factor that one term of a sum lacks: ``dout + dh_next`` for ``dout*wy + dh_next``."""
        parent, words = rounds[0][span], "leaves out a factor"
        for other in roles:
            triples = zip(rounds, role.steps, other.steps, strict=True)
            found = [(r[span], have, want) for r, have, want in triples if span in r and have >= 0]
            if self._is_other(other.text) or other.text == role.text or not found:
                continue
            if any(not 0 <= want < i or self.graph.steps[want].is_const for i, _, want in found):
                continue
            for how, cost in (("*", 1.1), ("/", 1.4)):
                at = ((i, with_scaled(self.graph.steps[i], slot, have, want, how)) for i, have, want in found)
                text = f"{role.text}{how}{other.text}"
                yield from self._hypothesis(line, place, text, cost, "missing-factor", words, at, parent, slot)

    def _with_variable(
        self, line: At, rounds: Sequence[Mapping[Span, int]], span: Span, slot: int, place: Span, value: Fraction,
        roles: Sequence[Role],
    ) -> Iterator[Hypothesis]:  # fmt: skip
        """A variable that was left out beside a number: ``1`` for ``1/x``."""
        parent = rounds[0][span]
        infix, renames = OPS[self.graph.steps[parent].op].infix, OPS[self.graph.steps[parent].op].renames
        is_term = infix is not None and infix.symbol in ("+", "-")
        is_factor = infix is not None and infix.symbol == "*" and value == 1
        if not (is_term or is_factor or renames):
            return  # within a product the operation itself is asked
        for role in roles:
            pairs = [(r[span], want) for r, want in zip(rounds, role.steps, strict=True) if span in r]
            if self._is_other(role.text) or not all(0 <= want < i for i, want in pairs):
                continue
            if renames and value == 1:
                # return 1, for return 1 - y**2
                for form, made in (*FORMS, ("(1 - {0})", less)):
                    at = ((i, with_joined(self.graph.steps[i], slot, want, made)) for i, want in pairs)
                    text = form.format(role.text)
                    text, words = text[1:-1] if text.startswith("(") else text, "leaves out a term"
                    yield from self._hypothesis(line, place, text, 1.3, "missing-term", words, at, parent, slot)
            if is_factor:
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

    def _at_element(
        self, line: At, rounds: Sequence[Mapping[Span, int]], roles: Sequence[Role]
    ) -> Iterator[Hypothesis]:
        """Another variable, or a factor more, where the elements of a sum are variables: ``sum(d for e, d in ...)``."""
        for total in self.roles.elements.bare(rounds):
            text, (parent, slot) = self.source.text(total.element), total.adds[0]
            for role in roles:
                by: dict[int, dict[int, int]] = {}
                for (add, n), want in zip(total.adds, role.steps, strict=True):
                    by.setdefault(add, {})[n] = want
                if self._is_other(role.text) or role.text == text or any(w >= i for i in by for w in by[i].values()):
                    continue
                if min(role.steps) < 0:
                    continue
                at = ((i, with_steps(self.graph.steps[i], mine)) for i, mine in sorted(by.items()))
                mistake, words = self._swapped(self.graph.steps[parent].inputs[slot], role)
                yield from self._hypothesis(
                    line, total.element, role.text, 1.0, mistake, words, at, parent, slot, role.steps[0]
                )
                for how, cost in (("*", 1.1), ("/", 1.4)):
                    at = ((i, with_all_scaled(self.graph.steps[i], mine, how)) for i, mine in sorted(by.items()))
                    words = "leaves out a factor"
                    yield from self._hypothesis(
                        line, total.element, f"{text}{how}{role.text}", cost, "missing-factor", words, at, parent, slot
                    )

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

    def _handed(
        self, line: At, mine: Sequence[tuple[Span, int, Role]], roles: Sequence[Role]
    ) -> Iterator[Hypothesis]:
        """Another variable handed to a function: ``dsigmoid(out)`` for ``dsigmoid(h)``."""
        steps, known = self.graph.steps, {role.text: role for role in roles}
        for span, slot, role in mine:
            call = self.source.operand(span, slot)
            for place, text in self.source.arguments(call):
                have = known.get(text)
                if have is None or len(have.steps) != len(role.steps) or min(have.steps) < 0:
                    continue
                made = list(zip(role.steps, have.steps, strict=True))
                inside = [self.roles.calls.inside(i, given, line[0]) for i, given in made]
                reader = next((k for k in inside[0] if made[0][1] in steps[k].inputs), -1)
                if not all(inside) or reader < 0:
                    continue
                for other in roles:
                    ready = all(0 <= want < some[0] for want, some in zip(other.steps, inside, strict=True))
                    if other.text == text or not ready or self._is_other(other.text):
                        continue
                    at = (
                        (i, called_with(steps, some, given, want))
                        for (i, given), some, want in zip(made, inside, other.steps, strict=True)
                    )
                    mistake, words = self._swapped(have.steps[0], other)
                    where = steps[reader].inputs.index(made[0][1])
                    yield from self._hypothesis(
                        line, place, other.text, 1.0, mistake, words, at, reader, where, other.steps[0]
                    )
