"""A line of arrays with all its rounds, computed again with something else at some of its places."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from symgrad.diagnose.observing.truth import Quantity
from symgrad.diagnose.values.quiet import unwarned
from symgrad.diagnose.values.shaped import FLOAT, MISFITS, NOWHERE, Shape, Shaped, lifted, shape_of
from symgrad.diagnose.values.sizes import ANY, bounded
from symgrad.diagnose.values.vectors import Vec, apply
from symgrad.diagnose.walking.places import Context, Line, Place
from symgrad.effort import is_spent, spend
from symgrad.ops import OPS
from symgrad.ops.slips import Slip
from symgrad.ops.values import function
from symgrad.swift import swift

#: So many steps are computed again for one line, all changes taken together.
WORK = 20_000
#: In a line of more steps (many rounds of a loop) factors and terms that are not written are not looked for.
LONG = 150
#: (step, operand); -1 for the step's own value.
Site = tuple[int, int]
#: (step, what stands there, the step's inputs) -> what may have been meant.
Make = Callable[[int, Vec, Sequence[Vec]], Vec]


@swift
@dataclass(frozen=True, slots=True)
class Offer:
    """Something that may be missing, or stand in the place of something else.

    Attributes:
        quantity: what it is, in the first round.
        value: step -> its value in the round of that step.
        series: (stem, offset) of an entry of a series, such as ``hs[t - 1]``.
        text: how it is written, where that is known.
    """

    quantity: Quantity
    value: Callable[[int], Vec]
    series: tuple[str, int] | None = None
    text: str = ""


class Region:
    """One line with all its rounds, made ready for being computed again and again.

    Args:
        ends: the steps at which the rounds of a loop end; empty where the line ran once.
    """

    def __init__(self, line: Line, context: Context, ends: Sequence[int] = ()) -> None:
        self.line, self.context, self.graph = line, context, line.graph
        self.steps = sorted(line.inside())
        self.ends = sorted({*ends, line.root})
        self.left = WORK
        self._full: dict[int, Vec] = {}
        self._slim: dict[int, Any] = {}
        self._cones: dict[
            tuple[int, ...], list[tuple[int, Callable[..., Any], tuple[int, ...], dict[str, Any]]]
        ] = {}
        for i in self.steps:
            step = self.graph.steps[i]
            self._full[i] = apply(step.op, [self.value(j) for j in step.inputs], step.params)
        self.goal = lifted(context.goal.vec)
        self.slim_goal = slim(context.goal.vec)
        #: Who in the line uses a step.
        self.users: dict[int, list[Site]] = {}
        for i in self.steps:
            for slot, j in enumerate(self.graph.steps[i].inputs):
                self.users.setdefault(j, []).append((i, slot))

    def value(self, i: int) -> Vec:
        return self._full.get(i) or self.line.values(i)

    def attempt(self, sites: Sequence[Site], make: Make) -> Vec:
        """The line's value with something else at some sites."""
        where = dict(sites)
        changed: dict[int, Vec] = {}
        first = min(where)
        for i in self.steps:
            slot = where.get(i)
            if i < first or (slot is None and not any(j in changed for j in self.graph.steps[i].inputs)):
                continue
            self.left -= 1
            step = self.graph.steps[i]
            args = [changed[j] if j in changed else self.value(j) for j in step.inputs]
            if slot is not None and slot >= 0:
                args[slot] = make(i, args[slot], args)
            value = apply(step.op, args, step.params)
            changed[i] = make(i, value, args) if slot == -1 else value
        return changed.get(self.line.root) or self.value(self.line.root)

    def glimpse(self, sites: Sequence[Site], make: Make) -> Shaped | None:
        """The same at one random point, and quickly; ``None`` where the arrays do not fit."""
        where = dict(sites)
        changed: dict[int, Any] = {}
        slim_arrays, count, numbers = self._slim, 0, 0
        try:
            with unwarned():
                # This is the inner loop of the walk: what is looked up once is looked up here.
                for i, run, inputs, params in self._cone(tuple(where)):
                    slot = where.get(i)
                    count += 1
                    args, room = [], 1
                    for j in inputs:
                        given = changed.get(j)
                        if given is None:
                            given = slim_arrays.get(j)
                            if given is None:
                                given = self._slim_array(j)
                        args.append(given)
                        room *= given.size or 1
                    if slot is not None:
                        vecs: list[Vec] = [Shaped.at_one(a) for a in args]
                        if slot < 0:
                            value = lifted(make(i, Shaped.at_one(self._slim_array(i)), vecs)).arrays[0]
                            numbers += value.size
                            changed[i] = value
                            continue
                        (args[slot],) = lifted(make(i, vecs[slot], vecs)).arrays
                        room = ANY + 1
                    try:
                        if room > ANY:
                            bounded(OPS[self.graph.steps[i].op], args, params)
                        value = run(*args, **params)
                        if type(value) is not np.ndarray or value.dtype is not FLOAT:
                            value = np.asarray(value, dtype=np.float64)
                    except MISFITS:
                        if slot is None:
                            raise
                        value = NOWHERE
                    numbers += value.size
                    changed[i] = value
        except MISFITS:
            return None
        finally:
            self.left -= count
            spend(len(changed), numbers // max(len(changed), 1))
        return Shaped.at_one(changed[self.line.root]) if self.line.root in changed else None

    def may_fit(self, sites: Sequence[Site]) -> bool:
        """Something else at some sites may give the line the shape that it should have.

        What is made elementwise is at least as large as what it is made of: zeros of shape (3,), to which something is
        added, never become (3, 1).
        """
        if self.value(self.line.root).shape == self.goal.shape:
            return True
        where = dict(sites)
        least: dict[int, tuple[int, ...]] = {}
        try:
            for i, _, inputs, _ in self._cone(tuple(where)):
                slot = where.get(i)
                least[i] = ()
                if (slot is None or slot >= 0) and OPS[self.graph.steps[i].op].elementwise:
                    kept = [j for n, j in enumerate(inputs) if n != slot]
                    shapes = [least[j] if j in least else self.value(j).shape for j in kept]
                    least[i] = np.broadcast_shapes(*shapes)
            found = least.get(self.line.root, ())
            return np.broadcast_shapes(found, self.goal.shape) == self.goal.shape
        except ValueError:
            return False  # what is left as it is does not fit together

    def bending(self, sites: Sequence[Site], offers: Sequence[Offer]) -> Sequence[Offer]:
        """What may give the line the shape that it should have, put in the place of what is there, or beside it.

        What leaves the shapes at all places as they are leaves that of the line as it is.
        """
        if self.value(self.line.root).shape == self.goal.shape:
            return offers
        steps = self.graph.steps
        held = [(i, self.value(steps[i].inputs[slot] if slot >= 0 else i).shape) for i, slot in sites]
        fine: dict[tuple[Shape, Shape], bool] = {}

        def is_kept(have: Shape, given: Shape) -> bool:
            if (have, given) not in fine:
                fine[have, given] = shape_of(OPS["mul"], [have, given], {}) == have
            return fine[have, given]

        return [o for o in offers if not all(is_kept(have, o.value(i).shape) for i, have in held)]

    def _cone(self, sites: tuple[int, ...]) -> list[tuple[int, Callable[..., Any], tuple[int, ...], dict[str, Any]]]:
        """The steps of the line that are computed from some, themselves included, and how."""
        found = self._cones.get(sites)
        if found is None:
            seen = set(sites)
            found = self._cones[sites] = []
            for i in self.steps:
                step = self.graph.steps[i]
                if i in seen or any(j in seen for j in step.inputs):
                    seen.add(i)
                    found.append((i, function(step.op), step.inputs, dict(step.params)))
        return found

    def _slim_array(self, j: int) -> Any:
        if j not in self._slim:
            self._slim[j] = lifted(self.value(j)).arrays[1]
        return self._slim[j]

    def works(self, sites: Sequence[Site], make: Make) -> bool:
        """The line is right with this change."""
        if self.left <= 0 or is_spent():
            return False
        found = self.glimpse(sites, make)
        if found is None or found.shape != self.goal.shape or not found.same_at_user(self.slim_goal):
            return False
        return lifted(self.attempt(sites, make)).same(self.goal)

    def place(self, sites: Sequence[Site], make: Make) -> Place:
        """Where the first of some sites is."""
        i, slot = min(sites)
        args = [self.value(j) for j in self.graph.steps[i].inputs]
        wanted = make(i, args[slot] if slot >= 0 else self.value(i), args)
        if slot >= 0:
            return Place(self.graph.steps[i].inputs[slot], i, slot, wanted, (*self._path(i), (i, slot)))
        path = self._path(i)
        parent, at = path[-1] if path else (-1, -1)
        return Place(i, parent, at, wanted, path)

    def _path(self, i: int) -> tuple[Site, ...]:
        """The way from the line down to a step."""
        out: list[Site] = []
        while i != self.line.root and i in self.users:
            user = self.users[i][-1]
            out.append(user)
            i = user[0]
        return tuple(reversed(out))

    def groups(self) -> Iterator[tuple[Site, ...]]:
        """The places that can be changed, the line as a whole first; what the same characters made goes together."""
        held: dict[object, list[Site]] = {}
        for i in reversed(self.steps):
            step = self.graph.steps[i]
            if OPS[step.op].renames and i != self.line.root:
                continue
            key = (step.span, step.op, len(step.inputs)) if len(self.ends) > 1 and step.span is not None else i
            held.setdefault((key, -1), []).append((i, -1))
            if OPS[step.op].renames:
                continue
            for slot, j in enumerate(step.inputs):
                if j not in self._full and not self._is_start(j):
                    held.setdefault((key, slot), []).append((i, slot))
        for sites in held.values():
            yield tuple(sites)

    def _is_start(self, j: int) -> bool:
        """Zeros that something is added to."""
        step = self.graph.steps[j]
        return step.is_const and not step.shape and step.value == 0

    def takes(self, sites: Sequence[Site]) -> tuple[bool, bool]:  # noqa: ARG002
        """Whether a factor, and whether a term, may be missing at some sites."""
        return (len(self.steps) <= LONG,) * 2

    def wraps(self, sites: Sequence[Site], slip: Slip) -> bool:  # noqa: ARG002
        """Something may have been left out around what stands at some sites."""
        return True

    def fits(self, offer: Offer, have: Vec) -> bool:
        """Something may stand in the place of a value."""
        return offer.quantity.vec.shape == have.shape

    def round_of(self, i: int) -> int:
        """In which round of the loop a step was made."""
        return next((n for n, end in enumerate(self.ends) if i <= end), len(self.ends) - 1)


def is_slim(vec: Vec) -> bool:
    return isinstance(vec, Shaped) and vec.points == 1


def slim(vec: Vec) -> Vec:
    """One random point of several."""
    return lifted(vec).slim


def slimmed(vec: Vec, like: Vec) -> Vec:
    """At as many points as another value: at one, or at all."""
    return lifted(vec).slim if is_slim(like) else vec
