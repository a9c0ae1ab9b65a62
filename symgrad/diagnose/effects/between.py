"""The values between the loss and the results of a derivation: which are something true as they stand, or would be with
some changes made."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from functools import cached_property

import numpy as np

from symgrad.diagnose.effects.edits import Edit
from symgrad.diagnose.effects.passage import Passage
from symgrad.diagnose.meaning.again import Again
from symgrad.diagnose.meaning.reading import Reading
from symgrad.diagnose.observing.match import Known
from symgrad.diagnose.observing.replay import Layout
from symgrad.diagnose.observing.slopes import slopes
from symgrad.diagnose.observing.subject import Unit
from symgrad.diagnose.observing.truth import Quantity
from symgrad.diagnose.trying.typed import is_in
from symgrad.diagnose.values.closeness import REST
from symgrad.diagnose.values.shaped import lifted
from symgrad.diagnose.values.vectors import Vec
from symgrad.diagnose.words.through import deferred
from symgrad.ops import OPS

#: What flows back.
FLOWING = ("cotangent", "contribution", "sum")
#: What a derivation may hold.
ANYTHING = (*FLOWING, "local", "tangent", "forward")
#: So many assignments are looked at, at most.
MOST_BETWEEN = 120
#: A changed line that is a part of what its name says counts so much of one that is something true as it stands.
PART = 0.5
#: One that holds something true, and not what its name says, counts so much of one that holds nothing true.
MISNAMED = 0.3
#: So many rounds of a line are looked at to see whether it comes to nothing.
FEW = 4
#: ... and a change inside a part of a line that is a true gradient as it stands so much.
TRUE_PART = 3.0
#: One that holds a value of the forward pass, worked out once more, counts so much.
AGAIN = 2.0


class Between:
    """What the assignments on the way to the results hold.

    Args:
        feeding: the steps on that way.
    """

    def __init__(self, layout: Layout, known: Known, reading: Reading, feeding: Collection[int]) -> None:
        self.layout, self.known, self.reading = layout, known, reading
        self.feeding = frozenset(feeding)
        self.again = Again(layout, known)
        self._trues: dict[int, bool] = {}
        self._told: dict[tuple[str, ...], list[float]] = {}

    def is_some(self, number: float, kinds: tuple[str, ...]) -> bool:
        """Something true of some kinds has this signature at the one point."""
        if kinds not in self._told:
            self._told[kinds] = sorted(x for x in self.known.floats(1, kinds) if math.isfinite(x))
        return is_in(number, self._told[kinds])

    def untrue(self, edits: Sequence[Edit], values: Mapping[int, Vec]) -> float:
        """How many values in between are nothing true with some changes made, and how many changed lines are something
        true as they stand."""
        true = ([u for u in e.passage.units[:2] if self.is_true_of(u)] for e in edits)
        untrue = sum(map(self._price_of_true, filter(None, true)))
        untrue += TRUE_PART * sum(map(self._is_in_a_true_part, edits))
        untrue += sum(any(map(self._is_handed_on, e.passage.steps[-1:])) for e in edits if not e.passage.units)
        by_line: dict[int, float] = {}
        for i in self._assignments:
            vec = values.get(i) or self.layout.actual(i)
            held = [q for q in self.known.right(vec) if is_meant(q)]
            units = self.layout.units_at.get(i, ())[:1]
            named = [u.name for u in units if self.reading.pairs(u.name)]
            line = units[0].line if units else -i
            late = i in self.late and i not in values
            if not held and not late and not self.again.holds(i, vec) and not self._is_slope(vec):
                by_line[line] = 1.0
            elif named and not any(self.reading.says(q, named[0]) for q in held):
                by_line[line] = max(MISNAMED, by_line.get(line, 0.0))
        return untrue + sum(by_line.values())

    def _price_of_true(self, units: Sequence[Unit]) -> float:
        """What it costs to change assignments that are something true as they stand."""
        if any(map(self._is_a_part, units)):
            return PART
        # A value of the forward pass was meant as that: no derivative is left out of it.
        return AGAIN if any(self.again.holds(u.step, self.layout.actual(u.step)) for u in units) else 1.0

    def _is_a_part(self, unit: Unit) -> bool:
        """What is there in the end as the gradient by an input is not all of it: a term of it is missing there."""
        name = unit.name
        if self.layout.last[name] is not unit or not (self.reading.is_exact(name) and self.reading.by_inputs(name)):
            return False
        return not any(self.layout.actual(unit.step).same(right) for right in self.reading.rights(name))

    def _is_handed_on(self, i: int) -> bool:
        """What a line of a helper hands on is the slope of something: ``return g*(1 - g)``."""
        vec = self.layout.actual(i)
        return bool(vec.shape) and any(map(is_meant, self.known.right(vec)))

    def _is_in_a_true_part(self, edit: Edit) -> bool:
        """What is changed is inside a part of a line that is, as it stands, a gradient or what flows along some path:
        a term, a factor, what a function is given. A factor or a term more leaves the part as it is, and comes
        after it."""
        i, slot = edit.sites[0]
        goes_on = slot < 0 and bool(edit.repair.combine or edit.repair.template)
        part = self._used_by(i, edit.passage) if goes_on else i
        while part >= 0 and part not in self.layout.units_at:
            vec = self.layout.actual(part)
            inner = self.layout.graph.steps[part].inputs
            # np.outer makes a variable flat first: that is the variable still.
            itself = len(inner) == 1 and vec.alike(self.layout.actual(inner[0]))
            held = self.known.right(vec) if vec.shape and not itself else ()
            if any(q.kind in ("contribution", "cotangent") for q in held):
                return True
            part = self._used_by(part, edit.passage)
        return False

    def _used_by(self, i: int, passage: Passage) -> int:
        """What the line makes of a step first; -1 where it ends with it."""
        return next((k for k, _ in passage.users.get(i, ())), -1)

    def is_nothing(self, passage: Passage) -> bool:
        """What a line works out is zero whatever the inputs are: it was to be something."""
        steps, actual = self.layout.graph.steps, self.layout.actual
        made = [u.step for u in passage.units[:FEW] if not steps[u.step].is_leaf]
        top = max((_size(actual(j)) for j in passage.line.used() if not steps[j].is_leaf), default=0.0)
        return bool(made) and all(_size(actual(i)) <= REST * top for i in made)

    def is_true_of(self, unit: Unit) -> bool:
        """An assignment is what something is, in the first round: the line was made for that."""
        i = unit.step
        if i not in self._trues:
            vec, done = self.layout.actual(i), (unit.name, i) not in self.layout.continued
            held = self.known.right(vec) if done else ()
            true = any(is_meant(q) for q in held) or i in self.late
            true = true or (done and (self.again.holds(i, vec) or self._is_slope(vec)))
            self._trues[i] = true and not OPS[self.layout.graph.steps[i].op].renames
        return self._trues[i]

    @cached_property
    def late(self) -> frozenset[int]:
        """Gradients up to a constant factor that comes later, since a result is right that one with this very factor
        is used for: ``dz2 = p - y``, and ``dz1`` made of it, beside a ``dW2`` that is divided by the samples."""
        held = {step: f for found in deferred(self.layout).values() for step, (_, f) in found if f != 1}
        right = [
            u.step for n, u in self.layout.last.items()
            if u.step not in held and self.reading.is_exact(n) and any(r.same(self.layout.actual(u.step)) for r in
                                                                       self.reading.rights(n))
        ]  # fmt: skip
        used = self.layout.feeding(right)
        factors = {f for step, f in held.items() if step in used}
        return frozenset(step for step, f in held.items() if f in factors)

    def _is_slope(self, vec: Vec) -> bool:
        return bool(vec.shape) and any(vec.same(s) for s in self._slopes if s.shape == vec.shape)

    @cached_property
    def _slopes(self) -> list[Vec]:
        return slopes(self.known.truth)

    @cached_property
    def _assignments(self) -> list[int]:
        """The assignments on the way to the results."""
        done = {u.step for u in self.layout.subject.units if (u.name, u.step) not in self.layout.continued}
        found = sorted(done & self.feeding)
        return found if len(found) <= MOST_BETWEEN else []


def _size(vec: Vec) -> float:
    """The largest entry at any point; infinite where there is none that is finite."""
    found = [float(np.abs(a).max()) if a.size else math.inf for a in lifted(vec).arrays]
    return max(found) if all(map(math.isfinite, found)) else math.inf


def is_meant(q: Quantity) -> bool:
    """What an assignment on the way to a gradient may hold."""
    return q.kind in FLOWING or (q.kind == "local" and q.vec.constant() is None)


def fine(layout: Layout, known: Known) -> list[int]:
    """The gradients by inputs that are right as they stand, whatever they are called, and that nothing uses."""
    out = []
    for unit in layout.last.values():
        i = unit.step
        if layout.is_forward(i) or layout.children[i] or not layout.graph.steps[i].shape:
            continue
        if len(layout.by_name[unit.name]) > 1:
            continue  # carried through a loop: two wrong signs may make a right one
        held = known.right(layout.actual(i))
        if any(q.kind == "cotangent" and q.bottom in layout.truth.leaves for q in held):
            out.append(i)
    return out
