"""What is true of the forward pass: every cotangent, contribution, tangent and local derivative, as values.

A manual step is understood by finding its value among these.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from symgrad.backward import NO_LOCAL, Backward, backward
from symgrad.diagnose.observing.recognising import recognised
from symgrad.diagnose.observing.subject import BITS, Subject
from symgrad.diagnose.values.shaped import Shaped
from symgrad.diagnose.values.vectors import Vec, apply, apply_rule, constant
from symgrad.enclosure import precision
from symgrad.graph import Graph
from symgrad.ops import OPS, RENAMING, Op
from symgrad.ops.balls import exact_ball, run_balls
from symgrad.ops.values import function
from symgrad.swift import swift

#: So many numbers are kept of what was worked out between two steps, each of them at every point.
MOST_KEPT = 1_000_000
#: Sums of all subsets of contributions are tried up to this many; beyond it, runs from either end.
MANY_PATHS = 5


@swift
@dataclass(frozen=True, slots=True)
class Quantity:
    """Something true that a manual value may be.

    Attributes:
        kind: ``cotangent`` (dL/d bottom), ``contribution`` (along top -> bottom), ``sum`` (of some contributions to
            bottom), ``tangent`` (d top/d bottom), ``term`` (of a tangent), ``local`` (d top/d bottom of one step),
            ``forward`` (the value of bottom).
        top, bottom: forward steps, or -1.
        vec: its value.
    """

    kind: str
    top: int
    bottom: int
    vec: Vec


@swift
@dataclass(frozen=True, slots=True)
class Link:
    """One chain-rule factor between forward steps that have names (or between neighbours, where they have none).

    Attributes:
        top, bottom: forward steps; ``top`` is computed from ``bottom``.
        local: d top/d bottom, an elementwise factor; ``None`` where it is a linear map and no factor (of a matmul).
        op, slot: the op and input position, if the link is one op; else ``None``: several hidden steps lie between.
        flow: what flows to ``bottom`` along it, in bottom's shape.
    """

    top: int
    bottom: int
    local: Vec | None
    op: Op | None
    slot: int
    flow: Vec


class Truth:
    """All that is true of one subject at its points.

    Attributes:
        reverse: symgrad's own reverse pass over the forward part.
        values: of every forward step.
        cotangents: dL/d step.
        links: the chain-rule factors, by top.
        along: the contribution that flows from one step to another.
        into: for each step the (top, contribution) pairs that add up to its cotangent.
    """

    def __init__(self, subject: Subject, points: Sequence[Mapping[int, Any]], values: Sequence[Vec | None]) -> None:
        self.subject = subject
        self.values = values
        self.points = len(points)
        self.leaves = subject.leaves()
        self.reverse: Backward = backward(subject.graph, self.leaves, "accurate")
        found = self._run(points)
        seed = constant(subject.seed, self.points)
        with precision(BITS):
            self.cotangents = {i: found[c] * seed for i, c in self.reverse.cotangents.items()}
            self._elementary: dict[int, list[Link]] = {}
            for e in self.reverse.edges:
                step = subject.graph.steps[e.step]
                local = None if e.local == NO_LOCAL else found[e.local]
                link = Link(e.step, step.inputs[e.input], local, OPS[step.op], e.input, found[e.contribution] * seed)
                self._elementary.setdefault(e.step, []).append(link)
        self.links: dict[int, list[Link]] = {}
        #: Functions written out, such as 1/(1 + exp(-(w*x + b))): top -> its factor by the hidden argument w*x + b.
        self.written_out: dict[int, Link] = {}
        #: Hidden step -> the named step that it is a part of.
        self.owner: dict[int, int] = {}
        self.into: dict[int, list[tuple[int, Vec]]] = {}
        self.along: dict[tuple[int, int], Vec] = {}
        with precision(BITS):
            self._named_links()
        self._tangents: dict[int, dict[int, Vec]] = {}
        self._from: dict[int, dict[int, Vec]] = {}
        #: top -> d top/d step for the steps down to the lowest that was asked for, and those (negative, as a heap) that
        #: have not handed it on; and how many numbers these are.
        self._swept: dict[int, tuple[dict[int, Vec | None], list[int]]] = {}
        self._kept = 0
        self._above: dict[int, list[bool]] = {}

    def reaches(self, bottom: int, top: int) -> bool:
        """Whether ``top`` is computed from ``bottom``."""
        if top not in self._above:
            self._above[top] = self.subject.graph.ancestors(top)
        return self._above[top][bottom]

    def original(self, i: int) -> int:
        """The step that a step renames, through as many names as there are."""
        steps = self.subject.graph.steps
        while steps[i].op in RENAMING:
            i = steps[i].inputs[0]
        return i

    def _run(self, points: Sequence[Mapping[int, Any]]) -> Mapping[int, Vec]:
        """What the reverse pass computes at every point: cotangents, local factors, contributions."""
        graph = self.reverse.graph
        targets = {p for e in self.reverse.edges for p in (e.local, e.contribution) if p != NO_LOCAL}
        targets.update(self.reverse.cotangents.values())
        needed = graph.ancestors(self.subject.loss, *targets)
        with precision(BITS):
            if not self.subject.is_shaped:
                runs = [run_balls(graph, {i: exact_ball(v) for i, v in p.items()}, needed) for p in points]
                return {i: Vec([r[i] for r in runs]) for i in targets}
            return self._extended(self.reverse, needed)

    def _extended(self, reverse: Backward, needed: Sequence[bool]) -> dict[int, Vec]:
        """The values of the forward pass, and those of a reverse pass over it."""
        values: dict[int, Vec] = {i: v for i, v in enumerate(self.values) if v is not None}
        # What the user computed as well, such as a transpose, is shared with the reverse pass.
        for i, step in enumerate(reverse.graph.steps):
            if needed[i] and i not in values and step.is_const:
                values[i] = constant(step.value, self.points)
            elif needed[i] and i not in values and not step.inputs:
                # What is made of nothing, the numbers of places, is the same at all points.
                places = np.asarray(function(step.op)(**dict(step.params)), dtype=np.float64)
                values[i] = Shaped([places] * self.points)
            elif needed[i] and i not in values:
                values[i] = apply(step.op, [values[j] for j in step.inputs], step.params)
        return values

    def _owners(self, named: Collection[int]) -> set[int]:
        """Hidden steps that are a part of several named ones, and so stand for themselves."""
        owner: dict[int, int] = {}
        shared: set[int] = set()
        for top in sorted(self._elementary, reverse=True):
            mine = top if top in named or top in shared else owner.get(top, top)
            for link in self._elementary[top]:
                if link.bottom not in named and owner.setdefault(link.bottom, mine) != mine:
                    shared.add(link.bottom)
        return shared

    def _named_links(self) -> None:
        """Collapse hidden steps: a named step's factors reach down to the nearest named steps and leaves."""
        named = set(self.subject.names) | set(self.leaves) | {self.subject.loss}
        if self.subject.is_shaped:
            named |= self._owners(named)
        for top in sorted(self.cotangents):
            if top not in named or top not in self._elementary:
                continue
            direct = self._elementary[top]
            if all(link.bottom in named for link in direct):
                merged = self._merge(direct)
            else:
                merged = self._collapsed(top, named)
            self.links[top] = merged
            for link in merged:
                self.into.setdefault(link.bottom, []).append((top, link.flow))
                self.along[top, link.bottom] = link.flow

    def _collapsed(self, top: int, named: Collection[int]) -> list[Link]:
        """The factors of a step through its hidden parts; where these are no elementwise functions, only what flows."""
        pending: dict[int, Vec | None] = {top: constant(1, self.points)}
        flows: dict[int, Vec] = {}
        found: dict[int, Vec | None] = {}
        # The latest step first; a weight far back must not cost a walk over all that lies between.
        order = [-top]
        while order:
            i = -heapq.heappop(order)
            arriving = pending.pop(i)
            if i != top and i in named:
                found[i] = arriving
                continue
            if i != top:
                self.owner[i] = top
                if top not in self.written_out:
                    seen = self._recognised(top, i, arriving, flows[i])
                    if seen.op is not None and seen.op is not OPS.get(self.subject.graph.steps[top].op):
                        self.written_out[top] = seen
            for link in self._elementary.get(i, ()):
                factor = (
                    None if arriving is None or link.local is None else self._elementwise(arriving * link.local, top)
                )
                if link.bottom in pending:
                    before = pending[link.bottom]
                    pending[link.bottom] = None if before is None or factor is None else before + factor
                    flows[link.bottom] = flows[link.bottom] + link.flow
                else:
                    pending[link.bottom], flows[link.bottom] = factor, link.flow
                    heapq.heappush(order, -link.bottom)
        if not self.subject.is_shaped:
            flows = {b: self.cotangents[top] * local for b, local in found.items() if local is not None}
        return [self._recognised(top, bottom, local, flows[bottom]) for bottom, local in found.items()]

    def _elementwise(self, factor: Vec, top: int) -> Vec | None:
        """A product of local factors is one as long as it has the shape of the step whose entries it multiplies."""
        shape = self.subject.graph.steps[top].shape
        return factor if factor.shape in ((), shape) else None

    def _merge(self, direct: Sequence[Link]) -> list[Link]:
        """x*x has two factors with the same ends: their sum is d top/d bottom, and each is one of its terms."""
        by_bottom: dict[int, list[Link]] = {}
        for link in direct:
            by_bottom.setdefault(link.bottom, []).append(link)
        out = []
        for bottom, links in by_bottom.items():
            if len(links) == 1:
                out.append(links[0])
            else:
                total, flow = links[0].local, links[0].flow
                for link in links[1:]:
                    total = None if total is None or link.local is None else total + link.local
                    flow = flow + link.flow
                out.append(Link(links[0].top, bottom, total, None, -1, flow))
        return out

    def _recognised(self, top: int, bottom: int, local: Vec | None, flow: Vec) -> Link:
        """1/(1 + exp(-z)) written out is sigmoid: then its rule, and its pitfalls, are known."""
        x, y = self.values[bottom], self.values[top]
        if x is not None and y is not None and local is not None and x.shape == y.shape:
            op = recognised(x, y)
            if op is not None:
                return Link(top, bottom, local, op, 0, flow)
        return Link(top, bottom, local, None, -1, flow)

    @property
    def elementary(self) -> Mapping[int, Sequence[Link]]:
        """The factors between neighbouring steps, by top."""
        return self._elementary

    def tangents(self, leaf: int) -> dict[int, Vec]:
        """d step/d leaf for every forward step that depends on it, carried forward.

        Of arrays only what is elementwise: an array has no one derivative by another, and none is said.
        """
        if leaf not in self._tangents:
            with precision(BITS):
                out = {leaf: constant(1, self.points)}
                lost: set[int] = set()
                for top in sorted(self._elementary) if not self.subject.graph.steps[leaf].shape else ():
                    total: Vec | None = None
                    for link in self._elementary[top]:
                        if link.bottom in lost or (link.bottom in out and link.local is None):
                            lost.add(top)
                        elif link.bottom in out and link.local is not None:
                            flow = link.local * out[link.bottom]
                            total = flow if total is None else total + flow
                    if total is not None and top not in lost:
                        out[top] = total
            self._tangents[leaf] = out
        return self._tangents[leaf]

    def segment(self, top: int, bottom: int) -> Vec | None:
        """d top/d bottom for any two forward steps; ``None`` where there is none, or where it is no array of one entry
        for each of top's or bottom's."""
        graph = self.subject.graph
        if self.subject.is_shaped and not graph.steps[top].shape and graph.steps[bottom].shape:
            return self._gradients(top).get(bottom)
        if graph.steps[bottom].is_input:
            return self.tangents(bottom).get(top) if not graph.steps[bottom].shape else self._factors(top, bottom)
        return self._factors(top, bottom)

    def _factors(self, top: int, bottom: int) -> Vec | None:
        if top not in self._swept and self._kept > MOST_KEPT:
            self._swept.clear()
            self._kept = 0
        # One step is asked about with many others: each goes on from where the one before it came to.
        found, order = self._swept.setdefault(top, ({top: constant(1, self.points)}, [-top]))
        with precision(BITS):
            while order and -order[0] > bottom:
                i = -heapq.heappop(order)
                arriving = found[i]
                for link in self._elementary.get(i, ()):
                    flow = None
                    if arriving is not None and link.local is not None:
                        flow = self._elementwise(arriving * link.local, top)
                    if link.bottom in found:
                        before = found[link.bottom]
                        found[link.bottom] = None if before is None or flow is None else before + flow
                    else:
                        found[link.bottom] = flow
                        heapq.heappush(order, -link.bottom)
                        self._kept += 1 if flow is None else math.prod(flow.shape)
        return found.get(bottom)

    def _gradients(self, top: int) -> dict[int, Vec]:
        """d top/d step, for a number ``top`` that is not the loss."""
        if top not in self._from:
            graph = self.subject.graph
            reverse = backward(Graph(graph.steps, top, graph.source), self.leaves, "accurate")
            values = self._extended(reverse, reverse.graph.ancestors(*reverse.cotangents.values()))
            self._from[top] = {i: values[c] for i, c in reverse.cotangents.items()}
        return self._from[top]

    def sums(self, bottom: int) -> Iterator[Vec]:
        """Sums of some, not all, of the contributions to a step: where an accumulation may stand half-way."""
        parts = [vec for _, vec in self.into.get(bottom, ())]
        with precision(BITS):
            if len(parts) <= MANY_PATHS:
                for chosen in range(1, 2 ** len(parts) - 1):
                    total: Vec | None = None
                    for n, part in enumerate(parts):
                        if chosen >> n & 1:
                            total = part if total is None else total + part
                    if total is not None:
                        yield total
                return
            for order in (parts, parts[::-1]):
                running = order[0]
                for part in order[1:-1]:
                    yield running
                    running = running + part
                yield running
            yield from parts


@swift
@dataclass(frozen=True, slots=True)
class WrongFactor:
    """A known wrong form of a local derivative, and the words for it."""

    top: int
    bottom: int
    vec: Vec
    mistake: str
    words: str
    cost: float


def wrong_factors(truth: Truth, link: Link) -> Iterator[WrongFactor]:
    """What people write for the factor of this link when they get it wrong: the op's pitfalls, and generic slips."""
    op, y, right = link.op, truth.values[link.top], link.local
    if y is None or right is None:
        return
    if op is not None:
        inputs = _inputs(truth, link)
        if inputs is None:
            return
        with precision(BITS):
            for pitfall in op.pitfalls:
                if pitfall.input == link.slot:
                    vec = apply_rule(pitfall.factor, y, inputs)
                    if vec.usable and not vec.same(right):
                        yield WrongFactor(link.top, link.bottom, vec, pitfall.mistake, pitfall.words, 0.5)
            rule = op.partials[link.slot]
            if rule is not None and op.arity == 1:
                x = inputs[0]
                for a, b, words in (
                    (x, x, "uses its input {0} where its output {y} belongs"),
                    (y, y, "uses its output {y} where its input {0} belongs"),
                ):
                    vec = apply_rule(rule, a, [b])
                    if vec.usable and not vec.same(right):
                        yield WrongFactor(link.top, link.bottom, vec, "input-for-output", words, 0.6)
    yield WrongFactor(link.top, link.bottom, -right, "sign", "has the wrong sign", 0.9)


def _inputs(truth: Truth, link: Link) -> list[Vec] | None:
    """The inputs of a link's op, as values."""
    if link.op is None:
        return None
    step = truth.subject.graph.steps[link.top]
    if OPS.get(step.op) is link.op:
        found = [truth.values[j] for j in step.inputs]
    else:
        found = [truth.values[link.bottom]]
    vecs = [v for v in found if v is not None]
    return vecs if len(vecs) == len(found) else None
