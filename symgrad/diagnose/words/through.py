"""A derivative in the gradients that the user has by then: ``np.sum(dK * Kf) * 2``, where dK is held and dKf is not.

From a value on, the forward pass is followed as far as values whose gradients are held. What flows back from there is
written down, values of the forward pass by their names.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from fractions import Fraction
from typing import Any, TypeAlias

import numpy as np

from symgrad.arrays import evaluate
from symgrad.backward import backward
from symgrad.diagnose.observing.replay import Layout
from symgrad.diagnose.observing.subject import Subject
from symgrad.diagnose.observing.truth import Truth
from symgrad.diagnose.values.shaped import lifted
from symgrad.diagnose.values.vectors import Vec
from symgrad.errors import SymgradError
from symgrad.graph import Graph, GraphBuilder
from symgrad.ops.tidy import tidy
from symgrad.printing import expression_text

#: So many steps are written into one formula.
WIDEST = 80
#: The random point at which a formula is tried.
POINT = 1
#: More gradients are not looked through for those that lack a constant factor.
MOST_COTANGENTS = 400

#: What a gradient is called, and by what it must be multiplied to be it.
Held: TypeAlias = tuple[str, Fraction]


def deferred(layout: Layout) -> dict[int, list[tuple[int, Held]]]:
    """Forward step -> the assignments that hold its gradient up to a constant factor: ``error = h - y``, where the mean
    is taken later."""
    out: dict[int, list[tuple[int, Held]]] = {}
    truth = layout.truth
    if len(truth.cotangents) > MOST_COTANGENTS or len(layout.subject.units) > MOST_COTANGENTS:
        return out
    for unit in layout.subject.units:
        if layout.is_forward(unit.step) or not unit.name.isidentifier() or len(layout.by_name[unit.name]) > 1:
            continue
        have = lifted(layout.actual(unit.step)).arrays[POINT]
        for i, vec in truth.cotangents.items():
            right = lifted(vec).arrays[POINT]
            if have.shape != right.shape or have.size < 2 or layout.truth.original(i) != i:
                continue
            k = int(np.abs(have).argmax())
            factor = float(right.flat[k]) / float(have.flat[k]) if have.flat[k] else math.nan
            if not math.isfinite(factor) or not factor or not np.allclose(have * factor, right, rtol=1e-9, atol=0):
                continue
            simple = Fraction(factor).limit_denominator(1000)
            if simple and abs(float(simple) / factor - 1) < 1e-9:
                out.setdefault(i, []).append((unit.step, (unit.name, simple)))
    return out


def through(
    subject: Subject, truth: Truth, bottom: int, holder: Callable[[int], Held | None], *,
    tops: Collection[int] | None = None, symbol: Callable[[int], str], limit: int,
) -> str:  # fmt: skip
    """The derivative by a step, from the gradients that are held; empty where there is no short formula.

    Args:
        holder: forward step -> the name of its gradient, if it is there.
        tops: the named values whose paths count; all, if not given.
        symbol: how a forward step is written.
    """
    found = _followed(subject, bottom, holder, tops)
    if found is None:
        return ""
    active, ends = found
    steps, names = subject.graph.steps, subject.names
    builder = GraphBuilder()
    place: dict[int, int] = {}
    called: dict[int, str] = {}
    given: dict[int, Any] = {}

    def leaf(j: int) -> int:
        """A value of the forward pass that nothing flows through here."""
        if j in place:
            return place[j]
        step = steps[j]
        if step.is_const and not step.shape:
            place[j] = builder.const(step.value)
        elif j in names or step.is_leaf:
            place[j] = builder.add("input", name=symbol(j), shape=step.shape)
            given[place[j]] = j
        else:
            place[j] = builder.add(step.op, [leaf(k) for k in step.inputs], params=step.params, shape=step.shape)
        return place[j]

    outputs: dict[int, int] = {}
    variable = builder.add("input", name=symbol(bottom), shape=steps[bottom].shape)
    inner = {bottom: variable}
    given[variable] = bottom
    for i in sorted({*active, *ends} - {bottom}):
        inputs = [inner[j] if j in inner else leaf(j) for j in steps[i].inputs]
        made = builder.add(steps[i].op, inputs, params=steps[i].params, shape=steps[i].shape)
        if i in ends:
            outputs[i] = made
        else:
            inner[i] = made
            if i in names:
                called[made] = symbol(i)
    seeds: dict[int, int] = {}
    factors: dict[int, Fraction] = {}
    for i, held in ends.items():
        if held is not None:
            name, factor = held
            seed = builder.add("input", name=name, shape=steps[i].shape)
            given[seed], factors[seed] = -1 - i, factor
            if factor != 1:
                seed = builder.add(
                    "div" if factor.numerator == 1 else "mul",
                    [seed, builder.const(1 / factor if factor.numerator == 1 else factor)], shape=steps[i].shape,
                )  # fmt: skip
        else:
            seed = builder.const(Fraction(subject.seed))
        seeds[outputs[i]] = seed
        if i in names and i != bottom:
            called[outputs[i]] = symbol(i)
    if len(builder.steps) > 3 * WIDEST:
        return ""
    try:
        last = max(outputs.values())
        reverse = backward(builder.build(last), [variable], seeds=seeds)
        tidied = tidy(reverse.graph, len(builder.steps))
    except SymgradError:
        return ""
    target = tidied.place[reverse.gradients[0]]
    labels: Mapping[int, str] = {i: s.name for i, s in enumerate(tidied.graph.steps) if s.is_input} | {
        tidied.place[i]: text for i, text in called.items()
    }
    text = expression_text(tidied.graph, target, labels, names=labels, limit=limit)
    if not text or "#" in text or "__setitem__" in text:
        return ""
    wanted = truth.cotangents.get(bottom) if tops is None else _sum(truth, bottom, tops)
    if wanted is None or tidied.graph.steps[target].shape != steps[bottom].shape:
        return ""
    point: dict[int, Any] = {}
    for p, i in given.items():
        vec = truth.values[i] if i >= 0 else truth.cotangents[-1 - i]
        if vec is None:
            return ""
        point[tidied.place[p]] = lifted(vec).arrays[POINT] / float(factors.get(p, 1))
    return gathered(text) if _is_true(tidied.graph, target, point, wanted) else ""


def gathered(text: str) -> str:
    """``2*a/n`` for ``a/n + a/n``."""
    parts, depth, begin = list[str](), 0, 0
    for n, c in enumerate(text):
        depth += (c in "([") - (c in ")]")
        if depth == 0 and text.startswith(" + ", n):
            parts.append(text[begin:n])
            begin = n + 3
    parts.append(text[begin:])
    if any(" - " in part for part in parts):
        return text  # there may be a difference outside all brackets
    count = dict.fromkeys(parts, 0)
    for part in parts:
        count[part] += 1
    return " + ".join(part if k == 1 else f"{k}*{part}" for part, k in count.items())


def _sum(truth: Truth, bottom: int, tops: Collection[int]) -> Vec | None:
    flows = [flow for top, flow in truth.into.get(bottom, ()) if top in tops]
    if not flows:
        return None
    total = flows[0]
    for flow in flows[1:]:
        total = total + flow
    return total


def _followed(
    subject: Subject, bottom: int, holder: Callable[[int], Held | None], tops: Collection[int] | None
) -> tuple[set[int], dict[int, Held | None]] | None:
    """The steps that something flows through, and the ends from which it flows with the names of their gradients."""
    graph, names = subject.graph, subject.names
    users = _users(subject)
    active, ends = {bottom}, dict[int, Held | None]()
    todo = [bottom]
    hidden = {bottom}
    while todo:
        i = todo.pop()
        for k in users.get(i, ()):
            if k in active or k in ends:
                continue
            if tops is not None and i in hidden and k in names and k not in tops:
                continue
            held = holder(k)
            if held is not None or k == subject.loss:
                ends[k] = held
                continue
            if i in hidden and k not in names:
                hidden.add(k)
            active.add(k)
            todo.append(k)
            if len(active) > WIDEST:
                return None
    if not any(held is not None for held in ends.values()) or graph.steps[bottom].is_const:
        return None  # nothing that is held: the whole derivative is another matter
    if any(held is None for held in ends.values()) and graph.steps[subject.loss].shape:
        return None
    return active, ends


def _users(subject: Subject) -> Mapping[int, Sequence[int]]:
    """Who uses a step in the forward pass."""
    found: dict[int, list[int]] | None = subject.memo.get("users")
    if found is None:
        found = subject.memo["users"] = {}
        needed = subject.graph.ancestors(subject.loss)
        for i, step in enumerate(subject.graph.steps):
            for j in dict.fromkeys(step.inputs if needed[i] else ()):
                found.setdefault(j, []).append(i)
    return found


def _is_true(graph: Graph, target: int, point: Mapping[int, Any], wanted: Vec) -> bool:
    """At a random point the formula is what it should be."""
    try:
        (found,) = evaluate(graph, point, [target])
    except SymgradError:
        return False
    right = lifted(wanted).arrays[POINT]
    return np.shape(found) == right.shape and bool(np.allclose(found, right, rtol=1e-7, atol=1e-12))


__all__ = ["deferred", "gathered", "through"]
