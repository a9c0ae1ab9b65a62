"""What names make of values: is this the derivative that it is called? Names help, and never decide."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import cached_property

from symgrad.diagnose.meaning.names import Names, Pair
from symgrad.diagnose.meaning.turns import Turns
from symgrad.diagnose.observing.replay import Layout
from symgrad.diagnose.observing.subject import Subject, Unit
from symgrad.diagnose.observing.truth import Quantity, Truth
from symgrad.diagnose.text.naming import is_bare, is_rate
from symgrad.diagnose.values.shaped import lifted
from symgrad.diagnose.values.vectors import Vec, constant
from symgrad.ops import RENAMING, is_sum

#: A name that stands for more steps than this (a loop) is looked up by value and not compared one by one.
MANY = 12

#: Forward-mode values are looked for with respect to every input as long as there are no more than this.
TANGENT_WORK = 5000


def is_shaped_later(unit: Unit, layout: Layout, reading: Reading) -> bool:
    """The right entries in another shape, of which a later line makes the gradient as it belongs:
    ``squeeze(dW, axis=0)``."""
    mine = set(reading.pairs(unit.name))
    for other in layout.last.values():
        same = other.step > unit.step and bool(mine & set(reading.pairs(other.name)))
        later = same and layout.feeds(unit.step, {other.step})
        if later and any(layout.actual(other.step).same(reading.vec(p)) for p in mine):
            return True
    return False


class Reading(Names):
    """What names make of values, for one subject.

    Attributes:
        carried: inputs by which something may be carried forward (d y/d x under the bare name dy).
        own: of names that several things have, the steps of which it is told otherwise by what they are the gradient.
    """

    def __init__(self, subject: Subject, truth: Truth, guessed: Mapping[str, Sequence[Pair]] | None = None) -> None:
        super().__init__(subject, truth, guessed)
        self.own: dict[int, int] = {}
        self._inputs: dict[str, bool] = {}
        self._turns = Turns(subject)
        self._zero: Vec = constant(0, truth.points)
        leaves = truth.leaves
        wanted = {
            bottom
            for name in {u.name for u in subject.units}
            for top, bottom in self.pairs(name)
            if top != subject.loss and subject.graph.steps[bottom].is_input
        }
        if len(leaves) * len(subject.graph) <= TANGENT_WORK:
            # A bare dy may be carried forward: d y/d (the one variable that is meant).
            wanted.update(i for i in leaves if not is_rate(subject.names.get(i, "")))
        self.carried = sorted(wanted)

    @cached_property
    def moved(self) -> frozenset[int]:
        """Later values of parameters: w = w - lr*dw in one epoch is what the next one differentiates by."""
        steps = self.subject.graph.steps
        held: dict[str, set[int]] = {}
        out: set[int] = set()
        for name, i in self.subject.aliases:
            mine = held.setdefault(name, set())
            if steps[i].is_input or (is_sum(steps[i].op) and mine & set(steps[i].inputs)):
                mine.add(i)
                out.add(i)
        return frozenset(i for i in out if not steps[i].is_input)

    def leave(self, names: Collection[str]) -> None:
        """These names hold derivatives of something else than is differentiated, and say nothing of it."""
        super().leave(names)
        for name in names:
            self._inputs.pop(name, None)

    def retell(self, told: Mapping[str, Sequence[Pair]]) -> None:
        """These names say more than is in them."""
        super().retell(told)
        for name in told:
            self._inputs.pop(name, None)

    # --- what a name makes of a value ---------------------------------------------------------------------------

    def vec(self, pair: Pair) -> Vec:
        """The value of d top/d bottom; zero where the one does not depend on the other."""
        top, bottom = pair
        if len(reads := self._reads.get(pair, ())) > 1:
            parts = [self.vec((top, k)) for k in reads[1:]]
            return sum(parts, self._vec(top, bottom))
        return self._vec(top, bottom)

    def _vec(self, top: int, bottom: int) -> Vec:
        vec = self.truth.cotangents.get(bottom) if top == self.subject.loss else self.truth.segment(top, bottom)
        return vec or self._zero

    def is_topless(self, name: str) -> bool:
        """The name says of what, and not what is differentiated."""
        self.pairs(name)
        return name in self._topless

    def is_exact(self, name: str) -> bool:
        """The name stands for one derivative, spelled as the forward pass spells it."""
        return len(self.pairs(name)) == 1 and name not in self._loose

    def is_loose(self, name: str) -> bool:
        """The name is near to one of the forward pass, and not the same: dhnext, where there is a list hs."""
        self.pairs(name)
        return name in self._loose

    def says(self, q: Quantity, name: str, unit: Unit | None = None) -> bool:
        """The quantity is what the name claims, of an assignment, if one is given."""
        pairs = self.pairs(name) if unit is None else self.pairs_of(unit)
        held = self._sets[name] if unit is None or pairs is self.pairs(name) else frozenset(pairs)
        loss = self.subject.loss
        if q.kind in ("cotangent", "contribution", "sum"):
            return (loss, q.bottom) in held
        if q.kind in ("tangent", "term", "local"):
            # dy may be d y/d (a variable that goes without saying), carried forward.
            carried = name in self._topless and q.top != q.bottom and (loss, q.top) in held
            return (q.top, q.bottom) in held or carried
        return False

    def whole(self, vec: Vec, name: str, unit: Unit | None = None) -> Quantity | None:
        """The claim itself, compared directly: needed where the value is zero or not indexed.

        ``unit``: the assignment that it is the value of.
        """
        pairs = self.pairs(name) if unit is None else self.pairs_of(unit)
        for pair in pairs if len(pairs) <= MANY else ():
            wanted = self.vec(pair)
            if wanted.same(vec):
                return Quantity("cotangent" if pair[0] == self.subject.loss else "tangent", *pair, wanted)
        return None

    def rearranged(self, unit: Unit, vec: Vec, held: Sequence[Quantity]) -> Quantity | None:
        """The gradient by what an array was before its axes were put into another order, under the name that it has
        since: ``dq`` of all heads side by side, where ``q`` holds them one by one.

        ``held``: what the value is true of.
        """
        if not vec.shaped or not vec.shape or self.by_inputs(unit.name):
            return None
        rights = [lifted(r) for r in self.rights(unit.name)[:MANY] if r.shape != vec.shape]
        if not any(r.has_entries_of(vec) for r in rights):
            return None
        return next((q for q in held if q.kind == "cotangent"), None)

    def pairs_of(self, unit: Unit) -> Sequence[Pair]:
        """What one assignment under a name may stand for: in a loop, of its own round."""
        if unit.step in self.own:
            return ((self.subject.loss, self.own[unit.step]),)
        return self._turns.pairs(unit, self.pairs(unit.name))

    def is_of_what_follows(self, unit: Unit) -> bool:
        """The derivative of a state that the loss is not made of: nothing is known about that."""
        return bool(self.pairs(unit.name)) and self._turns.is_of_what_follows(unit)

    def by_inputs(self, name: str) -> bool:
        """The name stands for derivatives by inputs only."""
        if name not in self._inputs:
            self._inputs[name] = bool(self.pairs(name)) and all(self.is_input(b) for _, b in self.pairs(name))
        return self._inputs[name]

    def is_input(self, i: int) -> bool:
        """An input, if under another name: self.w for w."""
        steps = self.subject.graph.steps
        while steps[i].op in RENAMING:
            i = steps[i].inputs[0]
        return steps[i].is_input or i in self.moved

    def is_result(self, name: str) -> bool:
        """The name stands for the derivative by one input."""
        return self.by_inputs(name) and len({self.vec(p).floats for p in self.pairs(name)}) == 1

    def is_parameter(self, unit: Unit) -> bool:
        """The name is the gradient of an input, and no name that is used for one cotangent after the other."""
        return not is_bare(unit.name) and self.by_inputs(unit.name)

    def rights(self, name: str, unit: Unit | None = None) -> list[Vec]:
        """Every value that would be right under a name, in an assignment, if one is given."""
        pairs = self.pairs(name) if unit is None else self.pairs_of(unit)
        wanted = [self.vec(p) for p in pairs]
        if name in self._topless:
            wanted += [t[b] for leaf in self.carried for _, b in pairs if b in (t := self.truth.tangents(leaf))]
        return wanted
