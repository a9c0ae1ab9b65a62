"""One mistake in a line that runs many times: changes to the *text* of the line are tried, in all its rounds at once.

A search that looks at each round on its own is slow where there are a thousand, and cannot say ``hs[t]``. Here a
hypothesis is a change that a person could type: another variable, the entry before, a sign, a factor less. It is tried
on the first rounds in float64 first; what makes more of them true there is tried on the whole, and what makes every
result right is confirmed in balls, at every point.
"""

from __future__ import annotations

import ast
import math
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

from symgrad.diagnose.match import Known
from symgrad.diagnose.naming import stem_of
from symgrad.diagnose.repair import Place, Repair
from symgrad.diagnose.replay import Layout, Result
from symgrad.diagnose.source import SourceMap
from symgrad.diagnose.subject import BITS, Unit
from symgrad.diagnose.typed import (
    FORMS,
    Change,
    close,
    entry,
    is_in,
    is_sum,
    itself,
    kept,
    made,
    operated,
    run_op,
    second,
    shifted,
    squared,
    times,
    with_factor,
    with_form,
    with_number,
    with_step,
    with_steps,
    with_term,
    written,
)
from symgrad.diagnose.vectors import Vec, apply, constant
from symgrad.enclosure import precision
from symgrad.errors import Span
from symgrad.ops import OPS
from symgrad.ops.values import scalar

#: A line that runs at least so often is a loop's.
LEAST = 3
#: The rounds that a change is tried on first.
FIRST = 6
#: Steps that are computed again, at most, for changes that pass on the first rounds, and for those that do not.
WORK = 3_000_000
#: The random point that changes are tried at.
POINT = 1


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """One change to the text of a line.

    Attributes:
        line: where.
        span: what is replaced, by ``text``.
        cost: how far-fetched it is; ``mistake`` and ``words`` as a repair has them.
        at: the round -> (step, what it becomes).
        parent, slot: in the first round, the step that reads what is replaced, and which of its inputs that is.
        instead: in the first round, the step that is read in its place; -1 where it is none.
    """

    line: int
    span: Span
    text: str
    cost: float
    mistake: str
    words: str
    at: tuple[tuple[int, Change], ...]
    parent: int
    slot: int
    instead: int = -1


@dataclass(frozen=True, slots=True)
class Found:
    """The hypothesis that explains the results, and what the assignments of its line then hold."""

    hypothesis: Hypothesis
    values: Mapping[int, Vec]

    def repair(self, layout: Layout) -> Repair:
        """As the other repairs are given: of the first round."""
        h = self.hypothesis
        node, parent = h.parent, -1
        wanted = self.values.get(node, layout.actual(node))
        if h.slot >= 0:
            node, parent = layout.graph.steps[h.parent].inputs[h.slot], h.parent
            wanted = layout.actual(h.instead) if h.instead >= 0 else wanted
        place = Place(node, parent, h.slot, wanted, ())
        return Repair(place, h.mistake, h.words, h.cost, text=h.text, span=h.span)


@dataclass(frozen=True, slots=True)
class _Role:
    """Something that could be written: its text, and the step that it stands for in each round (-1: none)."""

    text: str
    steps: tuple[int, ...]


class Rounds:
    """Looks for the one change that makes all results right.

    Args:
        results: of the derivation.
    """

    def __init__(self, layout: Layout, known: Known, results: Sequence[Result]) -> None:
        self.layout, self.known, self.results = layout, known, results
        self.graph, self.subject = layout.graph, layout.subject
        self.source = SourceMap(self.subject.source)
        feeding = layout.feeding(r.unit.step for r in results)
        lines = {u.line for u in self.subject.units if u.step in feeding}
        # What a round computes and the next one throws away belongs to the line as well.
        rounds = [u.step for u in self.subject.units if u.line in lines and not layout.is_forward(u.step)]
        self._feeding = sorted(layout.feeding((*feeding, *rounds)))
        #: The one change that is asked for again, in all rounds: its place and text.
        self._only: tuple[Span, str] | None = None
        self._seen: dict[
            tuple[int, ...], tuple[dict[int, list[dict[Span, int]]], dict[int, list[tuple[Span, int, _Role]]]]
        ] = {}
        self._names: dict[int, list[str]] = {}
        self._entries: dict[tuple[str, int], int] = {}
        for name, step in self.subject.aliases:
            self._names.setdefault(step, []).append(name)
            if (place := entry(name)) is not None:
                self._entries[place] = step

    # --- the lines ----------------------------------------------------------------------------------------------

    def lines(self) -> dict[int, list[Unit]]:
        """The lines of loops that a wrong result is computed in, with their rounds."""
        wrong = [r for r in self.results if not r.is_right(r.actual)]
        feeding = self.layout.feeding(r.unit.step for r in wrong)
        sites = {u.line for u in self.subject.units if u.step in feeding}
        out: dict[int, list[Unit]] = {}
        for unit in self.subject.units:
            first = self.layout.units_at[unit.step][0] is unit
            is_manual = not self.layout.is_forward(unit.step) and not self.graph.steps[unit.step].is_leaf
            if first and unit.line in sites and is_manual:
                out.setdefault(unit.line, []).append(unit)
        return {
            line: units for line, units in out.items()
            if len(units) >= LEAST and len({(u.span, u.name.split("[", maxsplit=1)[0]) for u in units}) == 1
            and units[0].span.line == units[0].span.end_line
        }  # fmt: skip

    def find(self) -> Found | None:
        """The cheapest change of one line under which all results are right."""
        wrong = [r for r in self.results if not r.is_right(r.actual)]
        lines = self.lines()
        if not wrong or not lines:
            return None
        needed = self._needed()
        base = [self.layout.actual(i).floats[POINT] if i in needed else math.nan for i in range(len(self.graph))]
        self._plan(base)
        truths = self._truths()
        passed: list[Hypothesis] = []
        others: list[Hypothesis] = []
        short = {line: units[:FIRST] for line, units in lines.items()}
        for h in sorted(self._all(short), key=lambda h: h.cost):
            units = lines[h.line]
            end = units[min(FIRST, len(units)) - 1].step
            (passed if self._truer(h, end, truths) else others).append(h)
        return self._first(passed, lines, WORK) or self._first(others, lines, WORK // 3)

    def _first(self, some: Sequence[Hypothesis], lines: Mapping[int, list[Unit]], budget: int) -> Found | None:
        """The first hypothesis, known from the first rounds, that makes all results right in all rounds."""
        for h in some:
            budget -= len(self._ops)
            if budget < 0:
                return None
            self._only = (h.span, h.text)
            full = next(self._all(lines, h.line), None)
            self._only = None
            if full is not None and self._right(full) and (found := self._confirmed(full)) is not None:
                return found
        return None

    # --- trying -------------------------------------------------------------------------------------------------

    def _needed(self) -> set[int]:
        """Every step whose value may be read."""
        out = set(self._feeding)
        for i in self._feeding:
            out.update(self.graph.steps[i].inputs)
        last = max(self._feeding, default=-1)
        out |= {i for i in range(len(self.graph)) if self.layout.is_forward(i)}
        return out | {u.step for u in self.subject.units if u.step <= last}

    def _plan(self, base: list[float]) -> None:
        self._base = base
        self._ops = [
            (i, scalar(step.op), step.inputs)
            for i in self._feeding
            if not (step := self.graph.steps[i]).is_leaf and i not in self.subject.autograd
        ]
        self._starts = [i for i, _, _ in self._ops]

    def _truths(self) -> list[float]:
        """The values at the point of everything that a gradient may be, in order."""
        return sorted(x for x in self.known.floats(POINT) if math.isfinite(x))

    def _values(self, h: Hypothesis, end: int) -> list[float]:
        """The values of all steps up to one under a hypothesis, at the one point."""
        value = list(self._base)
        changes = dict(h.at)
        dirty = bytearray(len(value))
        get, number = value.__getitem__, float
        for i, run, inputs in self._ops[bisect_left(self._starts, h.at[0][0]) :]:
            if i > end:
                break
            change = changes.get(i)
            try:
                if change is not None:
                    value[i] = change(get, run_op, number)
                elif any(dirty[j] for j in inputs):
                    value[i] = run(*[value[j] for j in inputs])
                else:
                    continue
            except (ArithmeticError, ValueError, TypeError):
                value[i] = math.nan
            dirty[i] = 1
        return value

    def _truer(self, h: Hypothesis, end: int, truths: Sequence[float]) -> bool:
        """More of the first rounds comes out as something true than without the change."""
        begin = h.at[0][0]
        units = self._units_between(begin, end)
        value = self._values(h, end)
        before = sum(is_in(self._base[i], truths) for i in units)
        return sum(is_in(value[i], truths) for i in units) > before

    @cached_property
    def _unit_steps(self) -> list[int]:
        feeding = set(self._feeding)
        return sorted({u.step for u in self.subject.units} & feeding)

    def _units_between(self, begin: int, end: int) -> list[int]:
        return self._unit_steps[bisect_left(self._unit_steps, begin) : bisect_left(self._unit_steps, end + 1)]

    def _right(self, h: Hypothesis) -> bool:
        value = self._values(h, len(self._base))
        return all(any(close(value[r.unit.step], right.floats[POINT]) for right in r.rights) for r in self.results)

    def _confirmed(self, h: Hypothesis) -> Found | None:
        """The same in balls and at every point."""
        values: dict[int, Vec] = {}
        changes = dict(h.at)
        points = self.layout.truth.points

        def get(i: int) -> Vec:
            return values.get(i) or self.layout.actual(i)

        def number(x: Fraction) -> Vec:
            return constant(x, points)

        with precision(BITS):
            for i, _, inputs in self._ops[bisect_left(self._starts, h.at[0][0]) :]:
                step = self.graph.steps[i]
                if i in changes:
                    values[i] = changes[i](get, apply, number)
                elif any(j in values for j in inputs):
                    values[i] = apply(step.op, [get(j) for j in inputs], step.params)
        if not all(r.is_right(get(r.unit.step)) for r in self.results):
            return None
        units = {u.step for u in self.subject.units if u.line == h.line}
        return Found(h, {i: values[i] for i in sorted(units) if i in values})

    # --- what could be written ----------------------------------------------------------------------------------

    def _all(self, lines: Mapping[int, list[Unit]], only: int = 0) -> Iterator[Hypothesis]:
        """Every change that is tried, of one line or of all."""
        key = tuple(len(units) for units in lines.values())
        if key not in self._seen:
            sites = {line: [self._sites(u) for u in units] for line, units in lines.items()}
            self._seen[key] = sites, {line: list(self._operands(rounds)) for line, rounds in sites.items()}
        sites, operands = self._seen[key]
        for line, units in lines.items():
            if only in (0, line):
                yield from self._of_line(line, units, sites[line], operands)

    def _sites(self, unit: Unit) -> dict[Span, int]:
        """The operations of one round of a line, by place."""
        out: dict[Span, int] = {}
        stack = [unit.step]
        while stack:
            i = stack.pop()
            step = self.graph.steps[i]
            if step.is_leaf or step.span is None or step.span.line != unit.span.line or step.span in out:
                continue
            if i != unit.step and (i in self.layout.units_at or self.layout.is_forward(i)):
                continue
            out[step.span] = i
            stack.extend(step.inputs)
        return out

    def _operands(self, rounds: Sequence[Mapping[Span, int]]) -> Iterator[tuple[Span, int, _Role]]:
        """The variables and numbers that a line reads: (operation, slot, what it is in each round)."""
        first = rounds[0]
        for span, i in first.items():
            for slot, j in enumerate(self.graph.steps[i].inputs):
                inner = self.graph.steps[j]
                if not inner.is_leaf and inner.span is not None and first.get(inner.span) == j:
                    continue
                place = self.source.operand(span, slot)
                if place is None or place.line != place.end_line:
                    continue
                steps = tuple(
                    self.graph.steps[r[span]].inputs[slot]
                    if span in r and slot < len(self.graph.steps[r[span]].inputs)
                    else -1
                    for r in rounds
                )
                yield span, slot, _Role(self.source.text(place), steps)

    def _roles(self, units: Sequence[Unit], operands: Mapping[int, Sequence[tuple[Span, int, _Role]]]) -> list[_Role]:
        """What could stand in a line: what is read in the loop, its neighbours in lists, weights, gradients."""
        count = len(units)
        out: dict[str, _Role] = {}
        for found in operands.values():
            for _, _, role in found:
                if len(role.steps) == count and not self.graph.steps[role.steps[0]].is_const:
                    out.setdefault(role.text, role)
                    for near in self._neighbours(role):
                        out.setdefault(near.text, near)
        for name, step in self.subject.aliases:
            if "[" in name or name in out:
                continue
            if self._is_single(name):
                out[name] = _Role(name, (step,) * count)
            else:
                # What a loop over the data has at hand: its latest value.
                held = tuple(self._latest(name, u.step) for u in units)
                if min(held) >= 0:
                    out[name] = _Role(name, held)
        for name, mine in self.layout.by_name.items():
            if "[" in name or " " in name or name in out:
                continue
            steps = [u.step for u in mine]
            held = tuple(steps[n - 1] if (n := bisect_left(steps, u.step)) else -1 for u in units)
            if held[-1] >= 0:
                out[name] = _Role(name, held)
        return list(out.values())

    def _latest(self, name: str, before: int) -> int:
        """The forward step that a name stands for where a step is made; -1 if there is none yet."""
        steps = self._by_alias[name]
        n = bisect_left(steps, before)
        return steps[n - 1] if n else -1

    @cached_property
    def _by_alias(self) -> dict[str, list[int]]:
        out: dict[str, set[int]] = {}
        for name, step in self.subject.aliases:
            out.setdefault(name, set()).add(step)
        return {name: sorted(steps) for name, steps in out.items()}

    def _is_single(self, name: str) -> bool:
        return len(self._counts[name]) == 1

    @cached_property
    def _counts(self) -> dict[str, set[int]]:
        out: dict[str, set[int]] = {}
        for name, step in self.subject.aliases:
            out.setdefault(name, set()).add(self.layout.original(step))
        return out

    def _neighbours(self, role: _Role) -> Iterator[_Role]:
        """``hs[t+1]`` and ``hs[t-1]`` for ``hs[t]``, and other lists at these places."""
        try:
            node = ast.parse(role.text, mode="eval").body
        except SyntaxError:
            return
        if not isinstance(node, ast.Subscript) or not isinstance(node.value, ast.Name):
            return
        base = node.value.id
        places: list[tuple[str, int] | None] = []
        for i in role.steps:
            found = [e for e in map(entry, self._names.get(self.layout.original(i), ())) if e is not None]
            found += [e for e in map(entry, self._names.get(i, ())) if e is not None]
            places.append(next((e for e in found if e[0] == base), None))
        if any(p is None for p in places):
            return
        for other in dict.fromkeys((base, *(stem for stem, _ in self._entries))):
            for by in (0, -1, 1, -2, 2):
                steps = tuple(self._entries.get((other, p[1] + by), -1) for p in places if p is not None)
                if (other, by) != (base, 0) and any(s >= 0 for s in steps):
                    yield _Role(f"{other}[{shifted(node.slice, by)}]", steps)

    def _of_line(
        self,
        line: int,
        units: Sequence[Unit],
        rounds: Sequence[Mapping[Span, int]],
        operands: Mapping[int, Sequence[tuple[Span, int, _Role]]],
    ) -> Iterator[Hypothesis]:
        roles = self._roles(units, operands)
        mine = operands[line]
        yield from self._accumulation(line, units)
        for span, slot, role in mine:
            yield from self._at_operand(line, rounds, span, slot, role, roles)
        yield from self._everywhere(line, rounds, mine, roles)
        first = units[0]
        for span in rounds[0]:
            yield from self._at_operation(line, rounds, span, roles, whole=rounds[0][span] == first.step)

    def _hypothesis(
        self, line: int, span: Span | None, text: str, cost: float, mistake: str, words: str,
        at: Iterable[tuple[int, Change]], parent: int, slot: int, instead: int = -1,
    ) -> Iterator[Hypothesis]:  # fmt: skip
        if span is None or (self._only is not None and self._only != (span, text)):
            return
        made = tuple(at)
        if made:
            yield Hypothesis(line, span, text, cost, mistake, words, made, parent, slot, instead)

    def _at_operand(
        self, line: int, rounds: Sequence[Mapping[Span, int]], span: Span, slot: int, role: _Role,
        roles: Sequence[_Role],
    ) -> Iterator[Hypothesis]:  # fmt: skip
        """Another variable, or another number, in one place."""
        place = self.source.operand(span, slot)
        if place is None or (self._only is not None and self._only[0] != place):
            return
        parent, node = rounds[0][span], role.steps[0]
        step = self.graph.steps[node]
        if step.is_const:
            value = step.value
            if isinstance(value, Fraction):
                for number in (value + 1, value - 1, value * 2, value / 2, -value):
                    at = ((r[span], with_number(self.graph.steps[r[span]], slot, number)) for r in rounds if span in r)
                    words = "is another number than belongs here"
                    yield from self._hypothesis(line, place, written(number), 1.02, "scale", words, at, parent, slot)
            return
        if self._is_accumulator(rounds, span, slot):
            return
        if self.source.text(place).replace("_", "").isalnum() or "[" in role.text:
            at = ((r[span], squared(self.graph.steps[r[span]], slot)) for r in rounds if span in r)
            words = "is of a lower power than belongs here"
            yield from self._hypothesis(line, place, f"{role.text}**2", 1.15, "missing-factor", words, at, parent, slot)
        for other in roles:
            if other.text == role.text or self._is_other(other.text):
                continue
            swaps = self._swaps(rounds, span, slot, role, other)
            if swaps is not None:
                mistake, words = self._swapped(node, other)
                cost = 1.0 if self.layout.is_forward(node) == self.layout.is_forward(other.steps[0]) else 1.3
                yield from self._hypothesis(
                    line, place, other.text, cost, mistake, words, swaps, parent, slot, other.steps[0]
                )

    def _is_other(self, text: str) -> bool:
        """Nothing with this text is asked for."""
        return self._only is not None and text not in self._only[1]

    def _is_accumulator(self, rounds: Sequence[Mapping[Span, int]], span: Span, slot: int) -> bool:
        """What is added to: ``dw`` of ``dw += ...``."""
        units = self.layout.units_at.get(rounds[0][span], ())
        return slot == 0 and any(u.augmented and u.span == span for u in units)

    def _swaps(
        self, rounds: Sequence[Mapping[Span, int]], span: Span, slot: int, role: _Role, other: _Role
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
        self, line: int, rounds: Sequence[Mapping[Span, int]], mine: Sequence[tuple[Span, int, _Role]],
        roles: Sequence[_Role],
    ) -> Iterator[Hypothesis]:  # fmt: skip
        """One variable for another wherever the line has it: z*(1 - z)."""
        texts: dict[str, list[tuple[Span, int, _Role]]] = {}
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
        self, line: int, rounds: Sequence[Mapping[Span, int]], span: Span, roles: Sequence[_Role], *, whole: bool
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
        for role in roles:
            if self._is_other(role.text):
                continue
            want = {r[span]: w for r, w in zip(rounds, role.steps, strict=True) if span in r}
            usable = [(i, s) for i, s in steps if 0 <= want[i] < i]
            if len(usable) < len(steps) - 1 or any(self.graph.steps[want[i]].is_const for i, _ in usable):
                continue
            if whole or (infix is not None and infix.symbol in ("*", "/")):
                at = ((i, with_factor(s, value, want[i])) for i, s in usable)
                words = "leaves out a factor"
                yield from self._hypothesis(
                    line, place, f"{plain}*{role.text}", 1.35, "missing-factor", words, at, parent, -1
                )
                for form, make in FORMS:
                    at = ((i, with_form(s, value, want[i], make)) for i, s in usable)
                    spelled = f"{plain}*{form.format(role.text)}"
                    yield from self._hypothesis(line, place, spelled, 1.6, "missing-factor", words, at, parent, -1)
            if whole:
                for sign in ("+", "-"):
                    at = ((i, with_term(s, value, want[i], sign)) for i, s in usable)
                    cost = 1.5 if not self.layout.is_forward(want[usable[0][0]]) else 2.0
                    words = "leaves out a term"
                    yield from self._hypothesis(
                        line, place, f"{inner} {sign} {role.text}", cost, "missing-term", words, at, parent, -1
                    )

    def _other_operation(
        self, line: int, steps: Sequence[tuple[int, Any]], span: Span, symbol: str, parent: int
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

    def _accumulation(self, line: int, units: Sequence[Unit]) -> Iterator[Hypothesis]:
        """``=`` for ``+=``."""
        first = units[0]
        if first.augmented or "[" in first.name or " " in first.name:
            return
        mine = [u.step for u in self.layout.by_name[first.name]]
        at: list[tuple[int, Change]] = []
        for u in units:
            n = bisect_left(mine, u.step)
            before = mine[n - 1] if n else -1
            if before >= 0:
                at.append((u.step, with_term(self.graph.steps[u.step], itself, before, "+")))
        words = "throws away what was accumulated before"
        yield from self._hypothesis(
            line, first.span, f"{first.name} + {self.source.text(first.span)}", 0.0, "lost-accumulation", words, at,
            first.step, -2,
        )  # fmt: skip

    def _swapped(self, found: int, role: _Role) -> tuple[str, str]:
        """The kind of mistake where one variable stands for another."""
        a, b = self.layout.original(found), self.layout.original(role.steps[0]) if role.steps[0] >= 0 else -1
        steps = self.graph.steps
        names = [self.layout.variable(i) for i in (a, b)] if b >= 0 else ["", ""]
        listed = role.text.split("[", maxsplit=1)[0] if "[" in role.text else ""
        own = any(e is not None and e[0] == listed for e in map(entry, self._names.get(a, ())))
        if listed and own:
            return "wrong-time-step", "is the value of another step in time"
        links = self.layout.truth.links
        near = any(link.bottom in (a, b) for top in (a, b) for link in links.get(top, ()) if link.top in (a, b))
        if b >= 0 and near and self.layout.is_forward(a):
            first = any(link.top == b for link in links.get(b, ()) if link.bottom == a)
            words = "uses the input where the output belongs" if first else "uses the output where the input belongs"
            return "input-for-output", words
        if b >= 0 and names[0] and stem_of(names[0]) == stem_of(names[1]) and not steps[a].is_input:
            return "wrong-time-step", "is the value of another step in time"
        return "wrong-variable", "is another variable than belongs here"
