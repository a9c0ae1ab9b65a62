"""Moves of parameters in which no step is the gradient: ``w -= rate * dloss_dy * dy_dw``.

Python multiplies from the left: what it computes is the rate times some part of the gradient. Here the rate is taken
out of the product, ``w -= rate * (1 * dloss_dy * dy_dw)``, of which what stands in brackets is the gradient. Where some
parameters are moved so, and another by ``rate * dy_db``, what moves that is a step of its own: it can be wrong there,
and dy_db right.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from symgrad.diagnose.meaning.following import OF_A_MOVE, original
from symgrad.diagnose.text.naming import claims, is_loss, is_rate, normal
from symgrad.diagnose.text.source import source_map
from symgrad.frontends.trace.data import Binding, Trace
from symgrad.graph import CONST, Step
from symgrad.ops import is_sum, sign_of
from symgrad.ops.base import COPY

#: A number below this, at the front, is a rate. Halves and thirds are parts of a derivative.
SMALL = Fraction(3, 10)


@dataclass(frozen=True, slots=True)
class _Change:
    """How one move is written otherwise.

    Attributes:
        move: the step that moves the parameter.
        chain: from what it is moved by down to the product of which ``slot`` reads the rate.
        slot: of the last of ``chain``, or of ``move`` without one: what it reads becomes a step of its own.
    """

    move: int
    chain: tuple[int, ...]
    slot: int

    @property
    def at(self) -> int:
        return self.chain[-1] if self.chain else self.move


def with_rates_apart(trace: Trace) -> Trace:
    """The same run with rates outside of the products by which its parameters are moved."""
    found = {c.at: c for c in _changes(trace)}
    if not found:
        return trace
    old = trace.graph.steps
    outer = {c.move: c for c in found.values() if c.chain}
    changed = {i for c in found.values() for i in c.chain}
    before = sorted([*found, *outer])
    source = source_map(trace.graph.source)

    def moved(i: int) -> int:
        return i + bisect_right(before, i)

    steps: list[Step] = []
    values: list[Any] = []
    for i, step in enumerate(old):
        inputs = list(map(moved, step.inputs))
        if i in found:
            c = found[i]
            read = step.inputs[c.slot]
            if c.chain:
                steps.append(Step(f"%one{i}", CONST, (), (("value", Fraction(1)),)))
                values.append(1.0)
            else:
                span = source.operand(step.span, c.slot)
                steps.append(Step(f"{OF_A_MOVE}{i}", COPY, (moved(read),), shape=old[read].shape, span=span))
                values.append(trace.values[read])
            inputs[c.slot] = len(steps) - 1
        if i in outer:
            last, product = old[outer[i].at], outer[i].chain[0]
            both = moved(last.inputs[outer[i].slot]), moved(product)
            steps.append(Step(f"%rate{i}", last.op, both, shape=old[product].shape, span=step.span))
            values.append(trace.values[product])
            inputs = [len(steps) - 1 if j == both[1] else j for j in inputs]
        steps.append(replace(step, inputs=tuple(inputs)))
        values.append(_worked_out(steps, values) if i in changed else trace.values[i])
    return trace.relocated(steps, values, moved)


def _worked_out(steps: Sequence[Step], values: Sequence[Any]) -> Any:
    """The value of the last step."""
    import numpy as np

    from symgrad.ops.values import applied

    step = steps[-1]
    inputs = [np.asarray(values[j], dtype=np.float64).reshape(steps[j].shape) for j in step.inputs]
    return applied(step.op, inputs, step.shape, step.params)


def _changes(trace: Trace) -> list[_Change]:
    bound = {b.step for b in trace.bindings}
    rates = {f.step for f in trace.leaves if is_rate(f.name)}
    moves = list(_moves(trace))
    inner = {b.step: c for b, product in moves if (c := _inner(trace, b, product, bound, rates)) is not None}
    lines = {b.line for b, _ in moves if b.step in inner}
    if not inner or any(_is_other(trace, b, product, bound, rates) for b, product in moves if b.line not in lines):
        return []
    forward = {normal(b.name) for b in trace.bindings}
    partial = {
        b.step
        for b in trace.bindings
        if any(c.top in forward and c.bottom in forward and not is_loss(c.top) for c in claims(b.name))
    }
    for b, product in moves:
        if b.step not in inner and (c := _partial(trace, b, product, partial, rates)) is not None:
            inner[b.step] = c
    return list(inner.values())


def _moves(trace: Trace) -> Iterator[tuple[Binding, int]]:
    """Assignments in which something is added to a name's value or taken from it, and what that is."""
    steps = trace.graph.steps
    held: dict[str, int] = {}
    seen: set[int] = set()
    for b in trace.bindings:
        old, step = held.get(b.name, -1), steps[b.step]
        held[b.name] = original(trace.graph, b.step)
        if old < 0 or b.step in seen or step.is_leaf or not is_sum(step.op) or len(step.inputs) != 2:
            continue
        sides = [original(trace.graph, j) for j in step.inputs]
        if old in sides and (sides[0] == old or sign_of(step.op) == "+"):
            seen.add(b.step)
            yield b, step.inputs[1 if sides[0] == old else 0]


def _inner(trace: Trace, b: Binding, product: int, bound: Collection[int], rates: Collection[int]) -> _Change | None:
    """A rate inside a product that is written where a parameter is moved by it."""
    steps = trace.graph.steps
    at, chain = product, list[int]()
    while not steps[at].is_leaf and at not in bound and sign_of(steps[at].op) in ("*", "/"):
        row = steps[at]
        if row.span is None or not b.span.line <= row.span.line <= b.span.end_line:
            return None  # a product of another line
        chain.append(at)
        for slot, j in enumerate(row.inputs if sign_of(row.op) == "*" else ()):
            if j in rates or (slot == 0 and _is_small(steps[j])):
                return _Change(b.step, tuple(chain), slot) if len(chain) > 1 else None
        at = row.inputs[0]
    return None


def _is_other(trace: Trace, b: Binding, product: int, bound: Collection[int], rates: Collection[int]) -> bool:
    """A product that is written where something is moved by it, without a rate or with ``-rate``: beside others that
    have one it is compared with these."""
    row = trace.graph.steps[product]
    own = product not in bound and row.span is not None and b.span.line <= row.span.line <= b.span.end_line
    return own and sign_of(row.op) == "*" and not any(j in rates or _is_small(trace.graph.steps[j]) for j in row.inputs)


def _partial(
    trace: Trace, b: Binding, product: int, partial: Collection[int], rates: Collection[int]
) -> _Change | None:
    """``rate * dy_db``, or dy_db alone."""
    steps = trace.graph.steps
    if product in partial:
        return _Change(b.step, (), steps[b.step].inputs.index(product))
    row = steps[product]
    if sign_of(row.op) == "*" and (slot := next((n for n, j in enumerate(row.inputs) if j in partial), -1)) >= 0:
        other = row.inputs[1 - slot]
        if other in rates or _is_small(steps[other]):
            return _Change(product, (), slot)
    return None


def _is_small(step: Step) -> bool:
    return step.is_const and isinstance(step.value, Fraction) and 0 < step.value < SMALL


__all__ = ["with_rates_apart"]
