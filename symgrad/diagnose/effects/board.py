"""The manual part, computed again with changes in it: at one random point and quickly, or at all of them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np

from symgrad.diagnose.observing.replay import Layout
from symgrad.diagnose.values.quiet import unwarned
from symgrad.diagnose.values.shaped import FLOAT, MISFITS, NOWHERE, Shaped, lifted
from symgrad.diagnose.values.sizes import ANY, bounded
from symgrad.diagnose.values.vectors import Vec, apply
from symgrad.diagnose.walking.region import Make, Site
from symgrad.effort import spend
from symgrad.ops import OPS, Op
from symgrad.ops.columns import for_columns
from symgrad.ops.stacked import settled

#: It has the shape of nothing.
NOTHING = np.empty(0)
#: A step that is changed costs so many more.
DEAR = 4
#: Something else at some sites.
Change = tuple[Sequence[Site], Make]


class Wide(Exception):
    """A value is asked for as a whole, of which there are some columns only."""


class Board:
    """What every manual step is, with some changes made.

    Args:
        steps: the steps that are computed again where something before them changes.

    Attributes:
        left: how many steps may still be computed.
        within: the steps that a run goes through; ``None``: all.
    """

    def __init__(self, layout: Layout, steps: Sequence[int], left: int) -> None:
        self.layout, self.graph, self.left = layout, layout.graph, left
        inside = {i for i in steps if not self.graph.steps[i].is_leaf and i not in layout.subject.autograd}
        self.steps = sorted(inside)
        self.users: dict[int, list[int]] = {}
        self._ops: dict[int, tuple[Callable[..., Any], tuple[int, ...], dict[str, Any]]] = {}
        #: Steps whose values may be larger than all that they are made of.
        self._growing: dict[int, Op] = {}
        for i in self.steps:
            step = self.graph.steps[i]
            run, params = settled(step.op, dict(step.params))
            self._ops[i] = (run, step.inputs, params)
            if not OPS[step.op].elementwise:
                self._growing[i] = OPS[step.op]
            for j in step.inputs:
                self.users.setdefault(j, []).append(i)
        self._base: dict[int, Any] = {}
        self._settled: dict[int, list[tuple[int, Make]]] = {}
        self._running: Mapping[int, Any] | None = None
        self._narrow: Mapping[int, Any] = {}
        self._full: Mapping[int, Vec] = {}
        self._cones: dict[tuple[int, ...], list[int]] = {}
        self.within: frozenset[int] | None = None

    def array(self, i: int) -> Any:
        """A step's value at the one point, with the changes that are settled."""
        found = self._base.get(i)
        if found is None:
            found = self._base[i] = lifted(self.layout.actual(i)).arrays[1]
        return found

    def moves(self, i: int) -> bool:
        """A step is computed again where something before it changes; of any other no change makes anything else."""
        return i in self._ops

    def now(self, i: int) -> Vec:
        """A step's value in the run that is going on, at the one point or at all; else what the user's code gives."""
        if self._running is not None:
            if i in self._narrow and i in self._running:
                raise Wide
            return Shaped([self._running[i] if i in self._running else self.array(i)])
        return self._full.get(i) or self.layout.actual(i)

    def cone(self, steps: Sequence[int]) -> list[int]:
        """All that is computed from some steps, themselves included, in order."""
        key = tuple(steps)
        found = self._cones.get(key)
        if found is None:
            seen = {i for i in steps if i in self._ops}
            stack = list(seen)
            while stack:
                for k in self.users.get(stack.pop(), ()):
                    if k not in seen:
                        seen.add(k)
                        stack.append(k)
            found = self._cones[key] = sorted(seen)
        return found

    def run(
        self, change: Change, stops: Callable[[int, Any], bool], watched: Collection[int] | None = None,
        narrow: Mapping[int, Any] | None = None,
    ) -> dict[int, Any] | None:
        """The values that change at the one point; ``None`` where arrays do not fit, or a value stops the run.

        ``watched``: the steps whose values may stop it; ``None``: all. ``narrow``: of some steps, the columns that are
        computed, and no others.

        Raises:
            Wide: one of these is needed as a whole.
        """
        sites, make = change
        at: dict[int, list[tuple[int, Make]]] = {i: list(v) for i, v in self._settled.items()} if self._settled else {}
        for i, slot in sites:
            at.setdefault(i, []).append((slot, make))
        changed: dict[int, Any] = {}
        self._running = changed
        self._narrow = narrow or {}
        # This is the inner loop of the search: what is looked up once is looked up here.
        base, ops, growing, within, count, numbers = self._base, self._ops, self._growing, self.within, 0, 0
        try:
            with unwarned():
                for i in self.cone(self._begins(sites)):
                    if within is not None and i not in within:
                        continue
                    count += 1
                    run, inputs, params = ops[i]
                    args, room = [], 1
                    for j in inputs:
                        given = changed.get(j)
                        if given is None:
                            given = base.get(j)
                            if given is None:
                                given = self.array(j)
                        args.append(given)
                        room *= given.size or 1
                    here = at.get(i)
                    if narrow and i in narrow:
                        value = self._columns(i, args, changed, here or ())
                    elif here:
                        count += DEAR
                        value = self._put(i, args, here)
                    else:
                        if room > ANY and i in growing:
                            bounded(growing[i], args, params)
                        value = run(*args, **params)
                        if type(value) is not np.ndarray or value.dtype is not FLOAT:
                            value = np.asarray(value, dtype=np.float64)
                    changed[i] = value
                    numbers += value.size
                    if (watched is None or i in watched) and stops(i, value):
                        return None
        except MISFITS:
            return None
        finally:
            self._running = None
            self._narrow = {}
            self.left -= count
            spend(count, numbers // max(count, 1))
        return changed

    def _begins(self, sites: Sequence[Site]) -> list[int]:
        """Where a change is made, and the changes after it that are settled: they may read what it changes."""
        begins = [i for i, _ in sites]
        first = min(begins, default=0)
        return begins + [i for i in self._settled if i > first]

    def _columns(self, i: int, args: list[Any], changed: Collection[int], at: Sequence[tuple[int, Make]]) -> Any:
        """Some columns of a step's value, perhaps with something else in its place or those of its inputs."""
        run, inputs, params = self._ops[i]
        step, narrow = self.graph.steps[i], self._narrow
        taken = [j in changed and j in narrow for j in inputs]
        if at and any(taken):
            raise Wide
        if any(slot < 0 for slot, _ in at):
            # What stands in its place may be made of all of it, which is known where nothing before it has changed.
            known = len(at) == 1 and i not in self._settled and not any(j in changed for j in inputs)
            value = self._put(i, args, at, self.array(i) if known else None)
            return value[..., narrow[i]] if value.shape == step.shape else self._misshapen(i)
        vecs: list[Vec] = [Shaped([a]) for a in args] if at else []
        for slot, make in at:
            vecs[slot] = make(i, vecs[slot], vecs)
            (args[slot],) = lifted(vecs[slot]).arrays
        found = for_columns(OPS[step.op], args, taken, narrow[i], step.shape[-1])
        if found is None:
            raise Wide
        value = np.asarray(run(*found, **params), dtype=np.float64)
        return value if value.shape == (*step.shape[:-1], len(narrow[i])) else self._misshapen(i)

    def _misshapen(self, i: int) -> Any:
        """What stands for a value of another shape: at the end it is wrong, whatever it is."""
        if self.users.get(i):
            raise Wide
        return NOTHING

    def _put(self, i: int, args: list[Any], at: Sequence[tuple[int, Make]], known: Any = None) -> Any:
        """A step with something else at it, at the one point; ``known``: its value without that."""
        vecs: list[Vec] = [Shaped.at_one(a) for a in args]
        for slot, make in at:
            if slot >= 0:
                vecs[slot] = make(i, vecs[slot], vecs)
                (args[slot],) = lifted(vecs[slot]).arrays
        run, _, params = self._ops[i]
        try:
            if known is None:
                bounded(OPS[self.graph.steps[i].op], args, params)
            value = np.asarray(run(*args, **params), dtype=np.float64) if known is None else known
        except MISFITS:
            value = NOWHERE
        for slot, make in at:
            if slot < 0:
                (value,) = lifted(make(i, Shaped.at_one(value), vecs)).arrays
        return value

    def _made(self, i: int, args: list[Vec], at: Sequence[tuple[int, Make]]) -> Vec:
        for slot, make in at:
            if slot >= 0:
                args[slot] = make(i, args[slot], args)
        step = self.graph.steps[i]
        value = apply(step.op, args, step.params)
        for slot, make in at:
            if slot < 0:
                value = make(i, value, args)
        return value

    def settle(self, change: Change, values: Mapping[int, Any]) -> None:
        """From here on a change is made in every run; ``values``: what it changes."""
        sites, make = change
        for i, slot in sites:
            self._settled.setdefault(i, []).append((slot, make))
        for i in self._ops:
            self.array(i)
        self._base.update(values)

    def state(self) -> tuple[dict[int, Any], dict[int, list[tuple[int, Make]]]]:
        """What :meth:`restore` takes back."""
        return dict(self._base), {i: list(v) for i, v in self._settled.items()}

    def restore(self, state: tuple[dict[int, Any], dict[int, list[tuple[int, Make]]]]) -> None:
        self._base, self._settled = state

    def full(self, changes: Sequence[Change]) -> dict[int, Vec]:
        """The values that change at every point, with several changes made."""
        at: dict[int, list[tuple[int, Make]]] = {}
        for sites, make in changes:
            for i, slot in sites:
                at.setdefault(i, []).append((slot, make))
        values: dict[int, Vec] = {}
        self._full = values
        try:
            for i in self.cone(sorted(at)):
                step = self.graph.steps[i]
                args = [values.get(j) or self.layout.actual(j) for j in step.inputs]
                values[i] = self._made(i, args, at.get(i, ()))
        finally:
            self._full = {}
        return values
