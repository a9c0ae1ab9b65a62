"""Derivatives of arrays that are carried forward: ``x = F @ x`` and beside it ``dx = F @ dx``, by a number of the loop.

A gradient cannot be known before what is made of its value is worked out. What is called one all the same, and is there
before, is the derivative of that value by some number: a tangent. Those are worked out by a step in the imaginary
direction (Squire and Trapp, "Using complex variables to estimate derivatives of real functions", 1998), and believed
where the last of them is the gradient that going backwards gives.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from symgrad.diagnose.observing.replay import Layout
from symgrad.diagnose.observing.subject import Unit
from symgrad.diagnose.observing.truth import Quantity
from symgrad.diagnose.text.naming import claims, is_bare, normal
from symgrad.diagnose.values.shaped import Shaped, lifted
from symgrad.diagnose.values.vectors import Vec
from symgrad.ops.values import function

#: How far the imaginary step goes: squared it is nothing beside 1.
STEP = 1e-30
#: By so many numbers, at most, something may be carried forward.
MOST_LEAVES = 8
#: Of so many assignments of a name it is looked at whether they come before what their value is used for.
LOOKED_AT = 3


@dataclass(frozen=True, slots=True)
class Carried:
    """What is carried forward in a derivation.

    Attributes:
        names: what it is called.
        meant: assignment -> what it is meant to be; empty where it is not known by what.
    """

    names: frozenset[str]
    meant: Mapping[int, Quantity]


def carried(layout: Layout, moved: Collection[int]) -> Carried:
    """The derivatives of a derivation with arrays that are carried forward.

    ``moved``: later values of parameters.
    """
    subject = layout.subject
    nothing = Carried(frozenset(), {})
    if not subject.is_shaped or subject.stopped:
        return nothing
    held: dict[str, list[int]] = {}
    for name, step in subject.aliases:
        held.setdefault(normal(name), []).append(step)
    tops = {name: steps for name in layout.by_name if (steps := _differentiated(name, held))}
    # What an earlier round made of a parameter is no value on the way to the loss.
    inner = layout.graph.ancestors(subject.loss)
    tops = {name: [i for i in steps if inner[i] and i not in moved] for name, steps in tops.items()}
    early = {name for name, steps in tops.items() if _is_early(layout.by_name[name], steps, layout)}
    if not early:
        return nothing
    best: dict[int, Quantity] = {}
    most = 1
    for leaf in _numbers(layout)[:MOST_LEAVES]:
        tangents = _tangents(layout, leaf)
        asked = {n: steps for n, steps in tops.items() if n in early or layout.subject.loss in steps}
        found, right = _meant(asked, leaf, tangents, layout)
        if right > most:
            best, most = found, right
    return Carried(frozenset(early), best)


def _differentiated(name: str, held: Mapping[str, list[int]]) -> list[int]:
    """What a name says that it is the derivative of, by what is not said: the values of ``x``, for ``dx``."""
    if is_bare(name) and name not in ("dx", "dz"):
        return []
    return next((sorted(held[c.bottom]) for c in claims(name) if not c.top and c.bottom in held), [])


def _is_early(units: Sequence[Unit], values: Sequence[int], layout: Layout) -> bool:
    """It is there before what its value is used for in the forward pass: no gradient can be."""
    loss = layout.subject.loss
    for unit in units[:LOOKED_AT]:
        before = [i for i in values if i < unit.step and not layout.graph.steps[layout.original(i)].is_leaf]
        if layout.graph.steps[unit.step].is_leaf or layout.is_forward(unit.step) or not before or unit.step > loss:
            continue
        depends = layout.graph.dependents(before[-1])
        if any(depends[k] and layout.is_forward(k) for k in range(unit.step + 1, loss)):
            return True
    return False


def _numbers(layout: Layout) -> list[int]:
    """The numbers that something may be carried forward by: those that the loss is made of, and that have a name."""
    subject = layout.subject
    leaves = (i for i in layout.truth.leaves if i in subject.names and i not in subject.frozen)
    return [i for i in leaves if not layout.graph.steps[i].shape and i in layout.truth.cotangents]


def _tangents(layout: Layout, leaf: int) -> dict[int, Vec]:
    """d step/d leaf for the steps of the forward pass; nothing where it is not what going backwards gives."""
    steps, truth = layout.graph.steps, layout.truth
    depends, loss = layout.graph.dependents(leaf), layout.subject.loss
    forward = layout.graph.ancestors(loss)
    start = truth.values[leaf]
    if start is None:
        return {}
    values: dict[int, list[Any]] = {leaf: [x + 1j * STEP for x in lifted(start).arrays]}
    for i, step in enumerate(steps[: loss + 1]):
        if not depends[i] or not forward[i] or i == leaf:
            continue
        made = []
        for p in range(truth.points):
            args = [values[j][p] if j in values else _real(truth.values[j], p) for j in step.inputs]
            if any(a is None for a in args):
                return {}
            try:
                made.append(np.asarray(function(step.op)(*args, **dict(step.params)), dtype=np.complex128))
            except (TypeError, ValueError, ArithmeticError, np.linalg.LinAlgError):
                return {}
        values[i] = made
    out: dict[int, Vec] = {i: Shaped([a.imag / STEP for a in arrays]) for i, arrays in values.items()}
    return out if loss in out and out[loss].same(truth.cotangents[leaf]) else {}


def _real(vec: Vec | None, point: int) -> Any:
    return None if vec is None else lifted(vec).arrays[point]


def _meant(
    tops: Mapping[str, Sequence[int]], leaf: int, tangents: Mapping[int, Vec], layout: Layout
) -> tuple[dict[int, Quantity], int]:
    """What the assignments of some names are meant to be, where they are derivatives by one number, and how many of
    them are that."""
    out: dict[int, Quantity] = {}
    right = 0
    lines: dict[tuple[str, int], list[Unit]] = {}
    for name in tops if tangents else ():
        for unit in layout.by_name[name]:
            lines.setdefault((name, unit.line), []).append(unit)
    for (name, _), units in lines.items():
        ways = [list(_beside(units, tops[name], layout, later=later)) for later in (False, True)]
        fits = [
            sum(not q.is_zero and layout.actual(i).same(q) for i, top in way if (q := tangents.get(top)) is not None)
            for way in ways
        ]
        right += max(fits)
        for i, top in ways[fits[1] > fits[0]]:
            vec = tangents.get(top)
            if vec is not None and not layout.graph.steps[i].is_leaf:
                out[i] = Quantity("tangent", top, leaf, vec)
    return out, right


def _beside(
    units: Sequence[Unit], values: Sequence[int], layout: Layout, *, later: bool
) -> Iterator[tuple[int, int]]:
    """Each assignment with the value beside which it stands: the last one before it, or the first one after."""
    for unit in units:
        others = [i for i in values if (i > unit.step) is later]
        if others and not layout.is_forward(unit.step):
            yield unit.step, others[0 if later else -1]


__all__ = ["Carried", "carried"]
