"""A trace made smaller: many writes into one array as one, and the values that were not kept worked out again.

A loop that fills an array of n entries makes n copies of it, and everything that is worked out for every step of a
graph then costs n*n. What holds for the last of these copies is all that anybody asks: names of the ones before it are
dropped. Where a write reads what another one wrote, or replaces it, they stay two.

Nothing is done to a small trace.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from symgrad.errors import Span
from symgrad.frontends.trace import numeric
from symgrad.frontends.trace.data import Trace
from symgrad.frontends.trace.tracer import CHANGED, plain
from symgrad.graph import Step
from symgrad.ops.writing import Write, places, read_at, repeats, united, write_at

#: A trace of fewer numbers than this stays as it is.
LEAST_NUMBERS = 300_000
#: So many writes are worth being one.
LEAST_WRITES = 8


def whole(trace: Trace) -> Trace:
    """The trace as everybody else expects it: no larger than need be, with a value for every step."""
    return valued(condensed(trace))


def valued(trace: Trace) -> Trace:
    """The values that were not kept, worked out from those of the inputs."""
    if all(v is not None for v in trace.values):
        return trace
    values: list[Any] = list(trace.values)
    steps = trace.graph.steps
    with np.errstate(all="ignore"):
        for i, step in enumerate(steps):
            if values[i] is None:
                inputs = [np.asarray(values[j], dtype=np.float64).reshape(steps[j].shape) for j in step.inputs]
                values[i] = plain(np.asarray(numeric.function(step.op)(*inputs, **dict(step.params))))
    return replace(trace, values=tuple(values))


@dataclass
class _Run:
    """Writes that may be one: none reads or replaces what another one wrote."""

    steps: list[int]
    writes: list[Write]
    where: list[Any]


class _Plan:
    """Which steps go, and what takes their place."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.steps: Sequence[Step] = trace.graph.steps
        #: Inputs of writes that read from further back than they did.
        self.inputs: dict[int, tuple[int, ...]] = {}
        self.users: list[set[int]] = [set() for _ in self.steps]
        for i, step in enumerate(self.steps):
            for j in step.inputs:
                self.users[j].add(i)
        self.gone: set[int] = set()
        self.runs: dict[int, _Run] = {}
        self.pinned = self._pinned()

    def _pinned(self) -> set[int]:
        """Steps that something else than the next write may ask for."""
        t = self.trace
        out = {t.graph.output, *(c.step for c in t.backward_calls), *t.cuts, *(f.step for f in t.leaves)}
        out |= {i for g in t.grad_reads for i in (g.step, g.target)}
        out |= set(t.call.gradients.values()) if t.call is not None else set()
        for b in t.bindings:
            out |= {step for _, step in b.near}
            if b.augmented != CHANGED and not (b.augmented and "[" in b.name):
                out.add(b.step)
        return out

    def write(self, i: int) -> Write | None:
        return write_at(self.steps, i, self.inputs.get(i, self.steps[i].inputs))

    def read_past(self) -> None:
        """What is read of an array and was not written since is read of the array as it was: ``row = dx[i]`` before
        that row is filled. So the writes need not wait for it."""
        own = {r for i in range(len(self.steps)) if (w := self.write(i)) is not None for r in w.reads}
        heads: dict[int, tuple[int, Any]] = {}
        for i, step in enumerate(self.steps):
            w = self.write(i)
            if w is not None:
                base, touched = heads.pop(w.array, None) or (w.array, np.zeros(_size(step.shape), dtype=bool))
                touched[places(w.spec, step.shape).ravel()] = True
                heads[i] = base, touched
            elif i not in own and (seen := read_at(self.steps, i)) is not None and seen[0] in heads:
                base, touched = heads[seen[0]]
                if not touched[places(seen[1], self.steps[base].shape).ravel()].any():
                    self.inputs[i] = (base,)
                    self.users[seen[0]].discard(i)
                    self.users[base].add(i)

    def drop_overwritten(self) -> None:
        """What a write replaces right away, without anybody having looked, need not have been written: a view of a
        view is written back round after round."""
        for i in range(len(self.steps)):
            later = self.write(i)
            while later is not None and not later.adds and later.array not in self.pinned:
                before = self.write(later.array)
                if before is None or before.adds or before.spec != later.spec or self.users[later.array] != {i}:
                    break
                self.gone.add(later.array)
                for j in self.inputs.get(later.array, self.steps[later.array].inputs):
                    self.users[j].discard(later.array)
                self.users[before.array].add(i)
                self.inputs[i] = (before.array, *self.inputs.get(i, self.steps[i].inputs)[1:])
                later = self.write(i)

    def chain(self) -> None:
        """Find the runs of writes, each into what the one before it left."""
        taken: set[int] = set()
        for end in range(len(self.steps) - 1, -1, -1):
            if end in taken or end in self.gone or self.write(end) is None:
                continue
            chain = [end]
            while (before := self._before(chain[-1])) is not None:
                chain.append(before)
            taken.update(chain)
            if len(chain) >= LEAST_WRITES:
                for run in self._runs(chain[::-1]):
                    if len(run.steps) >= LEAST_WRITES:
                        self.runs[run.steps[-1]] = run
                        self.gone.update(run.steps[:-1])
                        self.gone.update(r for w in run.writes for r in w.reads)

    def _before(self, i: int) -> int | None:
        """The write whose result this one goes on with, if nobody else asks for that."""
        mine = self.write(i)
        if mine is None or mine.array in self.pinned or mine.array in self.gone or self.write(mine.array) is None:
            return None
        allowed = {i, *mine.reads[:1]}
        private = all(self.users[r] <= {i, *mine.reads} and r not in self.pinned for r in mine.reads)
        return mine.array if self.users[mine.array] <= allowed and private else None

    def _runs(self, chain: Sequence[int]) -> list[_Run]:
        shape = self.steps[chain[0]].shape
        out: list[_Run] = []
        size = int(np.prod(shape, dtype=np.int64))
        written = np.zeros(size, dtype=bool)
        kind: bool | None = None
        for i in chain:
            w = self.write(i)
            assert w is not None  # all of a chain are
            where = places(w.spec, shape)
            fits = self.steps[w.value].shape == where.shape and (w.adds or not repeats(where))
            fresh = w.adds or not written[where.ravel()].any()
            if w.adds != kind or not fits or not fresh or not out:
                out.append(_Run([], [], []))
                written[:] = False
                kind = w.adds if fits else None
            if fits:
                out[-1].steps.append(i)
                out[-1].writes.append(w)
                out[-1].where.append(where)
                written[where.ravel()] = True
        return out


def condensed(trace: Trace) -> Trace:
    """The same run, in which many writes into one array are one step for each line and shape of them."""
    if sum(_size(s.shape) for s in trace.graph.steps) < LEAST_NUMBERS:
        return trace
    plan = _Plan(trace)
    plan.read_past()
    plan.drop_overwritten()
    plan.chain()
    if not plan.gone:
        return trace
    steps: list[Step] = []
    values: list[Any] = []
    place: dict[int, int] = {}
    for i, step in enumerate(trace.graph.steps):
        run = plan.runs.get(i)
        if run is not None:
            _emit(run, plan, steps, values, place, trace)
        elif i not in plan.gone:
            place[i] = len(steps)
            inputs = tuple(place[j] for j in plan.inputs.get(i, step.inputs))
            steps.append(replace(step, inputs=inputs))
            values.append(trace.values[i])
    return trace.relocated(steps, values, lambda i: place.get(i, -1))


def _emit(
    run: _Run, plan: _Plan, steps: list[Step], values: list[Any], place: dict[int, int], trace: Trace
) -> None:
    """The steps of a run: one write for each line that writes, and each shape of what it writes."""
    groups: dict[tuple[Span | None, tuple[int, ...]], list[int]] = {}
    for n, i in enumerate(run.steps):
        groups.setdefault((plan.steps[i].span, run.where[n].shape), []).append(n)
    array = place[run.writes[0].array]
    for members in sorted(groups.values(), key=lambda m: m[-1]):
        last = run.steps[members[-1]]
        old = plan.steps[last]
        chosen = [place[run.writes[n].value] for n in members]
        adds = run.writes[0].adds
        stacked, write = united(array, chosen, [run.where[n] for n in members], old.shape, adds=adds)
        steps.append(replace(stacked, name=f"%all{len(steps)}", span=old.span))
        values.append(None)
        steps.append(replace(write, name=old.name, inputs=(array, len(steps) - 1), span=old.span))
        values.append(trace.values[last] if last == run.steps[-1] else None)
        array = place[last] = len(steps) - 1


def _size(shape: tuple[int, ...]) -> int:
    return math.prod(shape)
