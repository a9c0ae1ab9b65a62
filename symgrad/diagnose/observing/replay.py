"""What the user's code computes, and what it would compute if some of its assignments were right."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from symgrad.diagnose.observing.retraced import retraced
from symgrad.diagnose.observing.subject import BITS, Subject, Unit, leaf
from symgrad.diagnose.observing.truth import Quantity, Truth
from symgrad.diagnose.text.statements import Statement
from symgrad.diagnose.values.vectors import Vec, apply, constant
from symgrad.enclosure import precision
from symgrad.graph import Graph
from symgrad.ops import OPS

#: How many further steps are looked at to find the assignments that use a step.
LOOK_AHEAD = 40


@dataclass(slots=True)
class Budget:
    """How many steps may still be computed again to find out what would put lines of arrays right."""

    left: int = 100_000


class Layout:
    """How the steps of a subject hang together: what is found once and used by every walk over it."""

    def __init__(self, subject: Subject, truth: Truth) -> None:
        self.subject, self.truth = subject, truth
        self.graph: Graph = subject.graph
        self.budget = Budget()
        #: The same for one variable in place of another in all of a line of arrays.
        self.respelling = Budget()
        #: How local derivatives are written: found once.
        self.formulas: dict[tuple[int, int], str] = {}
        #: Lines that are still to be written, by the steps that are left at zeros.
        self.missing: Mapping[int, Statement] = {}
        #: What was tried to put a line right, and what came of it.
        self.tried: dict[Hashable, list[Any]] = {}
        #: What assignments should be that are derivatives of something else than the loss: known beforehand.
        self.aside: Mapping[int, Quantity] = {}
        #: ... and parameters that are moved by formulas, as they were, and what they should be: results as well.
        self.moved: Mapping[int, tuple[int, Vec]] = {}
        #: Names in a notation of the script's own, which derivatives that are right in it tell.
        self.told: frozenset[str] = frozenset()
        #: Names of averages -> the values that those lie among.
        self.averages: Mapping[str, Sequence[Vec]] = {}
        self._retraced = retraced(subject)
        self.children: list[list[int]] = [[] for _ in self.graph.steps]
        for i, step in enumerate(self.graph.steps):
            for j in step.inputs:
                self.children[j].append(i)
        self.units_at: dict[int, list[Unit]] = {}
        self.by_name: dict[str, list[Unit]] = {}
        for unit in subject.units:
            self.units_at.setdefault(unit.step, []).append(unit)
            self.by_name.setdefault(unit.name, []).append(unit)
        self.last = {unit.name: unit for unit in subject.units}
        self.continued = {(u.name, u.previous) for u in subject.units if u.augmented}
        self.forward_spans = {
            s.span
            for s, v in zip(self.graph.steps, truth.values, strict=True)
            if v is not None and not s.is_leaf and s.span
        }
        self._actual: list[Vec | None] = list(truth.values)
        self._done = -1

    def is_forward(self, i: int) -> bool:
        """The loss depends on the step."""
        return self.truth.values[i] is not None

    def is_shared(self, i: int) -> bool:
        """Made by the same characters as a step of the forward pass: by a function that both use, and that is right."""
        span = self.graph.steps[i].span
        return span is not None and span in self.forward_spans

    def origin(self, i: int) -> int:
        """The forward step that a step only renames; itself if it is none."""
        first = i
        while not self.is_forward(i) and len(self.graph.steps[i].inputs) == 1 and OPS[self.graph.steps[i].op].renames:
            i = self.graph.steps[i].inputs[0]
        return i if self.is_forward(i) else first

    def original(self, i: int) -> int:
        """The step that a step renames, through as many names as there are."""
        return self.truth.original(i)

    def variable(self, i: int) -> str:
        """The user's name of a step, forward or manual."""
        if i in self.subject.names:
            return self.subject.names[i]
        units = self.units_at.get(i)
        return units[-1].name if units else ""

    def begins(self, unit: Unit) -> bool:
        """The line gives the name its first value: a pass may begin there, with dL/dL = 1."""
        return self.by_name[unit.name][0].line == unit.line

    def feeds(self, i: int, targets: Collection[int]) -> bool:
        """Whether some target is computed from step ``i``."""
        last = max(targets, default=-1)  # a step is made of earlier ones, so nothing after it leads to a target
        seen = {i}
        stack = [i]
        while stack:
            k = stack.pop()
            if k in targets:
                return True
            for child in self.children[k]:
                if child <= last and child not in seen:
                    seen.add(child)
                    stack.append(child)
        return False

    def feeding(self, targets: Iterable[int]) -> set[int]:
        """The manual steps that some target is computed from, the targets included."""
        seen: set[int] = set()
        stack = list(targets)
        forward, steps = self.truth.values, self.graph.steps
        while stack:
            k = stack.pop()
            if k not in seen and forward[k] is None:
                seen.add(k)
                stack.extend(steps[k].inputs)
        return seen

    def dependents(self, i: int) -> list[int]:
        """The next assignments that use this step, through hidden steps only."""
        out: list[int] = []
        seen = {i}
        stack = list(self.children[i])
        while stack and len(seen) < LOOK_AHEAD:
            k = stack.pop()
            if k in seen or self.is_forward(k):
                continue
            seen.add(k)
            if k in self.units_at:
                out.append(k)
            else:
                stack.extend(self.children[k])
        return sorted(out)

    def uses_within(self, node: int, unit: Unit) -> list[int]:
        """The steps that read a step in the functions that an assignment calls."""
        seen: set[int] = set()
        stack = [unit.step]
        while stack and len(seen) < 20 * LOOK_AHEAD:
            i = stack.pop()
            if i not in seen and not self.is_forward(i) and (i == unit.step or i not in self.units_at):
                seen.add(i)
                stack.extend(self.graph.steps[i].inputs)
        out = []
        for k in self.children[node]:
            span = self.graph.steps[k].span
            if k in seen and span is not None and not unit.span.line <= span.line <= unit.span.end_line:
                out.append(k)
        return out

    def compute(self, i: int, values: Sequence[Vec | None] | Mapping[int, Vec]) -> Vec:
        """One step from the values of its inputs."""
        step = self.graph.steps[i]
        points = self.truth.points
        if i in self.subject.autograd:
            return self.truth.cotangents.get(self.subject.autograd[i]) or constant(0, points)
        if step.is_leaf:
            begun = self.truth.values[self._retraced[i]] if i in self._retraced else None
            return begun or leaf(step, [self.subject.point.get(i)] * points)
        args = [values[j] for j in step.inputs]
        return apply(step.op, [a for a in args if a is not None], step.params)

    def actual(self, i: int) -> Vec:
        """What the user's code computes for a step."""
        found = self._actual[i]
        if found is None:
            with precision(BITS):
                for k in range(self._done + 1, i + 1):
                    if self._actual[k] is None:
                        self._actual[k] = self.compute(k, self._actual)
            self._done = i
            found = self._actual[i]
            assert found is not None  # every step up to i has a value now
        return found

    def is_untouched(self, i: int, values: Sequence[Vec | None]) -> bool:
        """What a step is computed from is what it is, among other values: the step is as well, and shared."""
        actual = self._actual
        return all(values[j] is actual[j] for j in self.graph.steps[i].inputs)

    def with_value(self, i: int, vec: Vec, upto: int) -> dict[int, Vec]:
        """What the manual steps up to ``upto`` would be if step ``i`` had another value: those that change."""
        values: dict[int, Vec] = {i: vec}
        with precision(BITS):
            for k in range(i + 1, upto + 1):
                if not self.is_forward(k) and any(j in values for j in self.graph.steps[k].inputs):
                    known = {j: values.get(j) or self.actual(j) for j in self.graph.steps[k].inputs}
                    values[k] = self.compute(k, known)
        return values


class Replay:
    """The manual part computed again, with the assignments found wrong put right as the walk goes on."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.overrides: dict[int, Vec] = {}
        self._values: list[Vec | None] = list(layout.truth.values)
        self._done = -1

    def corrected(self, i: int) -> Vec:
        """The value of a step, given that what was overridden before it is right."""
        vec = self._values[i]
        if vec is None:
            self.advance(i)
            vec = self._values[i]
        assert vec is not None  # every step up to i has a value now
        return vec

    def advance(self, upto: int) -> None:
        """Give every step up to this one its value."""
        layout, values = self.layout, self._values
        for i in range(self._done + 1, upto + 1):
            if values[i] is None:
                values[i] = self.overrides.get(i) or (
                    layout.actual(i) if layout.is_untouched(i, values) else layout.compute(i, values)
                )
        self._done = max(self._done, upto)

    def override(self, i: int, vec: Vec) -> None:
        """From here on this step counts as having had its true value; what was computed from it is computed again."""
        self.overrides[i] = vec
        self._values[i] = vec
        stale = {i}
        for k in range(i + 1, self._done + 1):
            free = k not in self.overrides and not self.layout.is_forward(k)
            if free and any(j in stale for j in self.layout.graph.steps[k].inputs):
                self._values[k] = self.layout.compute(k, self._values)
                stale.add(k)

    def if_it_were(self, i: int, vec: Vec, upto: int) -> dict[int, Vec]:
        """What later steps would be if step ``i`` had another value; nothing is changed by asking."""
        values: dict[int, Vec] = {i: vec}
        for k in range(i + 1, upto + 1):
            if not self.layout.is_forward(k) and any(j in values for j in self.layout.graph.steps[k].inputs):
                step = self.layout.graph.steps[k]
                values[k] = apply(step.op, [values.get(j) or self.corrected(j) for j in step.inputs], step.params)
        return values


@dataclass(frozen=True, slots=True)
class Result:
    """A result of the derivation: what the user gets for it, and every value that would be right."""

    unit: Unit
    actual: Vec
    rights: tuple[Vec, ...]

    def is_right(self, vec: Vec) -> bool:
        return any(vec.same(v) for v in self.rights)
