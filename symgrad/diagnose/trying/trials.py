"""Changes to the text are tried out: every one is a column of one array, so that thousands run at once."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from functools import cache, cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symgrad.diagnose.meaning.reading import MANY, Reading
from symgrad.diagnose.observing.match import Known
from symgrad.diagnose.observing.replay import Layout, Result
from symgrad.diagnose.observing.subject import BITS
from symgrad.diagnose.text.naming import claims, is_bare
from symgrad.diagnose.trying.hypotheses import Hypotheses
from symgrad.diagnose.trying.hypothesis import Hypothesis
from symgrad.diagnose.trying.typed import Change
from symgrad.diagnose.values.vectors import TOLERANCE, Vec, apply, constant
from symgrad.diagnose.walking.places import Place, Repair
from symgrad.enclosure import precision
from symgrad.errors import SymgradError
from symgrad.ops.floats import COMPARISONS
from symgrad.ops.values import function, scalar

#: The random point that changes are tried at.
POINT = 1
Floats = NDArray[np.float64]
#: So many pairs of values are compared at once.
AT_ONCE = 1 << 15


@dataclass(frozen=True, slots=True)
class Explanation:
    """Changes that make all results right together, or more of the assignments.

    Attributes:
        values: what the changed steps hold then; ``all_values`` of what is computed from them as well.
    """

    hypotheses: tuple[Hypothesis, ...]
    values: Mapping[int, Vec]
    all_values: Mapping[int, Vec]

    def shown(self, n: int, layout: Layout) -> int:
        """The round of change number ``n`` that is shown: the first one in which it changes anything, if there is one
        at the user's own numbers."""
        rounds = [i for i, _ in self.hypotheses[n].at]
        changed = [k for k, i in enumerate(rounds) if not self.values[i].same(layout.actual(i))]
        seen = (k for k in changed if not self.values[rounds[k]].same_at_user(layout.actual(rounds[k])))
        return next(seen, next(iter(changed), 0))

    def repair(self, n: int, layout: Layout) -> Repair:
        """Change number ``n``, as the other repairs are given."""
        h, shown = self.hypotheses[n], self.shown(n, layout)
        if h.adds is not None:
            place = Place(h.parent, -1, -1, layout.actual(h.parent), ())
            return Repair(place, h.mistake, h.words, h.cost, text=h.text, span=h.span, adds=h.adds)
        node, parent, at_parent = h.parent if shown == 0 else h.at[shown][0], -1, False
        wanted = self.values.get(node, layout.actual(node))
        if h.slot >= 0 and shown == 0:
            node, parent = layout.graph.steps[h.parent].inputs[h.slot], h.parent
            at_parent = h.instead < 0
            wanted = wanted if at_parent else layout.actual(h.instead)
        place = Place(node, parent, h.slot if shown == 0 else -1, wanted, ())
        return Repair(place, h.mistake, h.words, h.cost, text=h.text, span=h.span, at_parent=at_parent)


class Trials:
    """Runs the manual part with changes to its text.

    Args:
        results: of the derivation.
    """

    def __init__(self, layout: Layout, known: Known, reading: Reading, results: Sequence[Result]) -> None:
        self.layout, self.known, self.reading, self.results = layout, known, reading, results
        self.graph, self.subject = layout.graph, layout.subject
        feeding = layout.feeding(r.unit.step for r in results)
        last = max(feeding, default=-1)
        # What nothing uses may be what was left out, and what a round throws away belongs to the line as well.
        lines = {u.line for u in self.subject.units if u.step <= last or is_bare(u.name) or any(claims(u.name))}
        others = [u.step for u in self.subject.units if u.line in lines and not layout.is_forward(u.step)]
        self._feeding = sorted(layout.feeding((*feeding, *others)))
        needed = self._needed()
        self._base = [layout.actual(i).floats[POINT] if i in needed else math.nan for i in range(len(self.graph))]
        # A number that is assigned is computed by nothing, and may be another one.
        self._ops = [
            (i, step.op, step.inputs)
            for i in self._feeding
            if (not (step := self.graph.steps[i]).is_leaf or i in layout.units_at) and i not in self.subject.autograd
        ]
        self._starts = [i for i, _, _ in self._ops]
        self.hypotheses = Hypotheses(layout, results, self._base)
        self.lines = self.hypotheses.lines()
        #: True values that stand at no step of the graph: numbers beyond its end -> the value.
        self._named: dict[int, Vec] = {}
        #: Changes that are made by now, on top of which others are looked for, and what comes of them.
        self._made: tuple[Hypothesis, ...] = ()
        self._remade: Mapping[int, Vec] = {}
        self._known_true: dict[tuple[int, float], bool] = {}

    @contextmanager
    def _on_top(self, some: Sequence[Hypothesis]) -> Iterator[None]:
        """What is worked out meanwhile is worked out with some changes made."""
        base = self._base
        self._made, self._remade = tuple(some), self._explanation(some).all_values
        self._base = [v.floats[POINT] if (v := self._remade.get(i)) else x for i, x in enumerate(base)]
        try:
            yield
        finally:
            self._base, self._made, self._remade = base, (), {}

    def _value(self, i: int) -> Vec:
        return self._remade.get(i) or self.layout.actual(i)

    def _wrong(self) -> list[Result]:
        """The results that are wrong, with the changes that are made."""
        return [r for r in self.results if not r.is_right(self._remade.get(r.unit.step) or r.actual)]

    def _needed(self) -> set[int]:
        """Every step whose value may be read."""
        out = set(self._feeding)
        for i in self._feeding:
            out.update(self.graph.steps[i].inputs)
        last = max(self._feeding, default=-1)
        out |= {i for i in range(len(self.graph)) if self.layout.is_forward(i)}
        return out | {u.step for u in self.subject.units if u.step <= last}

    def _is_true(self, step: int, value: Floats) -> NDArray[np.bool_]:
        """The value is what the assignment's name says; something true, where the name says nothing."""
        wanted = self._wanted.get(step)
        if wanted is not None:
            return close(value, wanted)
        truths, value = self._truths, np.where(np.isfinite(value), value, 0.0)
        most = np.abs(value) * TOLERANCE
        n = np.minimum(truths.searchsorted(value - most), len(truths) - 1)
        near = np.abs(truths[n] - value) <= most
        return np.asarray(near & (value != 0))

    def _was_true(self, step: int) -> bool:
        """The value of an assignment is true as it is, with the changes that are made."""
        key = step, self._base[step]
        if key not in self._known_true:
            self._known_true[key] = bool(self._is_true(step, np.array([self._base[step]]))[0])
        return self._known_true[key]

    @cached_property
    def _wanted(self) -> dict[int, list[float]]:
        """What assignments should hold by their names: parts of it as well, where more is to come."""
        out: dict[int, list[float]] = {}
        truth, loss = self.layout.truth, self.subject.loss
        for unit in self.subject.units:
            pairs = self.reading.pairs(unit.name)
            if not pairs or len(pairs) > MANY:
                continue
            rights = self.reading.rights(unit.name)
            if self.layout.last[unit.name] is not unit:
                if any(top != loss for top, _ in pairs):
                    continue
                if any(len(truth.into.get(bottom, ())) > MANY for _, bottom in pairs):
                    continue  # of the sums in a long loop, any true value will do
                for _, bottom in pairs:
                    rights += truth.sums(bottom)
                    rights += [flow for (_, b), flow in truth.along.items() if b == bottom]
            out[unit.step] = [v.floats[POINT] for v in rights]
        return out

    @cached_property
    def _truths(self) -> Floats:
        """The values at the point of everything that a gradient may be, in order."""
        found = sorted(x for x in self.known.floats(POINT) if math.isfinite(x))
        return np.array(found or [0.0])

    @cached_property
    def _unit_steps(self) -> list[int]:
        feeding = set(self._feeding)
        return sorted({u.step for u in self.subject.units} & feeding)

    def _scores(self, some: Sequence[Hypothesis], given: Sequence[Hypothesis]) -> tuple[NDArray[Any], NDArray[Any]]:
        """For each hypothesis on top of given ones: how many results are right, and how many assignments true."""
        values = self._run(some, given, len(self.graph))
        right = np.zeros(len(some), int)
        for r in self.results:
            value = values.get(r.unit.step)
            wanted = [v.floats[POINT] for v in r.rights]
            right += close(self._base[r.unit.step] if value is None else value, wanted)
        true = np.zeros(len(some), int)
        for step in self._unit_steps:
            if step in values:
                true += self._is_true(step, values[step])
                true -= self._was_true(step)
        return right, true

    def _run(self, some: Sequence[Hypothesis], given: Sequence[Hypothesis], end: int) -> dict[int, Floats]:
        """The values of the steps up to one that change, a column for each hypothesis."""
        edits: dict[int, list[tuple[int, Change]]] = {}
        for n, h in enumerate(some):
            for i, change in h.at:
                edits.setdefault(i, []).append((n, change))
        common = {i: change for h in given for i, change in h.at}
        values: dict[int, Floats] = {}
        base = self._base

        def get(j: int) -> Any:
            return values.get(j, base[j])

        first = min((*edits, *common))
        with np.errstate(all="ignore"):
            for i, op, inputs in self._ops[self._place(first) :]:
                if i > end:
                    break
                if i in common:
                    value = _changed(common[i], get)
                elif any(j in values for j in inputs):
                    value = np.asarray(_vectorised(op, [get(j) for j in inputs]), dtype=float)
                elif i in edits:
                    value = np.asarray(base[i])
                else:
                    continue
                column = np.empty(len(some))
                column[...] = value
                for n, change in edits.get(i, ()):
                    column[n] = _edited(change, values, base, n)
                values[i] = column
        return values

    def _place(self, step: int) -> int:
        """Where among what is computed a step comes."""
        return bisect_left(self._starts, step)

    def _after(self, h: Hypothesis, before: Mapping[int, Floats]) -> Mapping[int, Floats]:
        """The values of the steps that change, a column for each of some changes, with one of a later line besides."""
        changes, values, base = dict(h.at), dict(before), self._base
        fresh: set[int] = set()

        def get(j: int) -> Any:
            return values.get(j, base[j])

        with np.errstate(all="ignore"):
            for i, op, inputs in self._ops[self._place(h.at[0][0]) :]:
                if i in changes:
                    values[i] = _changed(changes[i], get)
                elif any(j in fresh for j in inputs):
                    values[i] = np.asarray(_vectorised(op, [get(j) for j in inputs]), dtype=float)
                else:
                    continue
                fresh.add(i)
        return values

    def _confirmed(self, some: Sequence[Hypothesis]) -> Explanation | None:
        """The same in balls and at every point."""
        found = self._explanation(some)
        right = all(r.is_right(found.all_values.get(r.unit.step) or r.actual) for r in self.results)
        return found if right else None

    def _explanation(self, some: Sequence[Hypothesis]) -> Explanation:
        values: dict[int, Vec] = {}
        changes = {i: change for h in some for i, change in h.at}
        points = self.layout.truth.points

        def get(i: int) -> Vec:
            return values.get(i) or self._named.get(i) or self.layout.actual(i)

        def number(x: Fraction) -> Vec:
            return constant(x, points)

        with precision(BITS):
            for i, _, inputs in self._ops[self._place(min(changes)) :]:
                step = self.graph.steps[i]
                if i in changes:
                    values[i] = changes[i](get, apply, number)
                elif any(j in values for j in inputs):
                    values[i] = apply(step.op, [get(j) for j in inputs], step.params)
        return Explanation(tuple(some), {i: values[i] for i in sorted(changes)}, values)

    def _single(self, h: Hypothesis) -> list[float]:
        """The values of all steps under one hypothesis: of one column, plain floats are the fastest."""
        value = list(self._base)
        changes = dict(h.at)
        dirty = bytearray(len(value))
        get, number = value.__getitem__, float
        for i, op, inputs in self._ops[self._place(h.at[0][0]) :]:
            change = changes.get(i)
            try:
                if change is not None:
                    value[i] = change(get, _scalar, number)
                elif any(dirty[j] for j in inputs):
                    value[i] = scalar(op)(*[value[j] for j in inputs])
                else:
                    continue
            except (ArithmeticError, ValueError, TypeError):
                value[i] = math.nan
            dirty[i] = 1
        return value


def close(value: Any, wanted: Sequence[float]) -> NDArray[np.bool_]:
    """Which of some values are one of those wanted."""
    if len(wanted) > 2 and np.size(value) * len(wanted) <= AT_ONCE:
        have, all_wanted = np.asarray(value)[..., np.newaxis], np.asarray(wanted)
        larger = np.maximum(np.abs(have), np.abs(all_wanted))
        found: NDArray[np.bool_] = (np.abs(have - all_wanted) <= TOLERANCE * larger + 1e-300).any(axis=-1)
        return found
    out = np.zeros(np.shape(value), bool)
    for x in wanted:
        out |= np.abs(value - x) <= TOLERANCE * np.maximum(np.abs(value), abs(x)) + 1e-300
    return out


def _edited(change: Change, values: Mapping[int, Floats], base: Sequence[float], n: int) -> float:
    def get(j: int) -> float:
        column = values.get(j)
        return base[j] if column is None else float(column[n])

    try:
        return float(change(get, _scalar, float))
    except (ArithmeticError, ValueError, TypeError):
        return math.nan


def _changed(change: Change, get: Callable[[int], Any]) -> Floats:
    try:
        return np.asarray(change(get, _vectorised, float), dtype=float)
    except (ArithmeticError, ValueError, TypeError):
        return np.asarray(math.nan)


def _scalar(op: str, args: Sequence[float]) -> float:
    return float(scalar(op)(*args))


def _vectorised(op: str, args: Sequence[Any]) -> Any:
    return _column(op)(*args)


@cache
def _column(op: str) -> Any:
    """The value of an op on columns of floats."""
    run = function(op)
    slow = np.vectorize(scalar(op), otypes=[float])

    def column(*args: Any) -> Any:
        try:
            found = run(*args)
        except (TypeError, ValueError, ArithmeticError, SymgradError):
            try:
                found = slow(*args)
            except (TypeError, ValueError, ArithmeticError):
                found = math.nan
        return np.asarray(found, dtype=float) if op in COMPARISONS else found

    return column
