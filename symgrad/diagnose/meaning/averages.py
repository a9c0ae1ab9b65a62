"""Averages, which are called as cotangents are: ``xbar`` of what is in the list ``x``, and the adjoint of x."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from symgrad.diagnose.meaning.following import ends_of
from symgrad.diagnose.meaning.reading import Reading
from symgrad.diagnose.observing.replay import Layout
from symgrad.diagnose.observing.subject import Unit
from symgrad.diagnose.text.naming import claims, is_bare
from symgrad.diagnose.values.shaped import Shaped, lifted
from symgrad.diagnose.values.vectors import Vec, constant
from symgrad.ops import sign_of

#: Rounding at the edge.
_SLACK = 1e-12


def averages(layout: Layout, reading: Reading) -> dict[str, list[Vec]]:
    """Names that end with "bar", of several values of the forward pass under the rest of the name, that are made of no
    gradient: what lies among those values at every point, or is taken from one of them: ``z[i] - zbar``. Where such a
    name holds a gradient, it has to be the mean itself. With the values that it lies among."""
    bars = [u for u in layout.last.values() if u.name.lower().endswith("bar") and not layout.is_forward(u.step)]
    if layout.subject.is_shaped:
        return {u.name: [] for u in bars if _is_mean(u, layout, reading)}
    notation = any(_is_gradient(u, layout, reading) for u in bars)
    found = ((u, _averaged(u, layout, reading, notation=notation)) for u in bars)
    return {u.name: values for u, values in found if values}


def lies_among(vec: Vec, values: Sequence[Vec]) -> bool:
    """At each of the points it is no less than the least of them, and no more than the greatest."""
    columns = zip(*(v.floats for v in values), strict=True)
    return all(min(c) - _SLACK <= x <= max(c) + _SLACK for x, c in zip(vec.floats, columns, strict=True))


def _averaged(unit: Unit, layout: Layout, reading: Reading, *, notation: bool) -> list[Vec]:
    """The values that an assignment is an average of; none, if it is no average."""
    steps = dict.fromkeys(bottom for _, bottom in reading.pairs(unit.name))
    values = [v for i in steps if (v := layout.truth.values[i]) is not None]
    actual = layout.actual(unit.step)
    if len(values) < 2 or not actual.usable or _is_gradient(unit, layout, reading):
        return []
    if not lies_among(actual, values) and not _is_taken_from(unit, steps, layout):
        return []
    if notation and not actual.same(_mean(values)):
        return []  # an adjoint that is wrong may lie there as well
    ends = ends_of(layout.graph, unit.step, lambda i: i in layout.units_at)
    units = (u for i in ends for u in layout.units_at.get(i, ()))
    is_adjoint = any(u.name != unit.name and (any(claims(u.name)) or is_bare(u.name)) for u in units)
    return [] if is_adjoint else values


def _is_gradient(unit: Unit, layout: Layout, reading: Reading) -> bool:
    """What the name says, if it were that of an adjoint, and no mere number, which many things are."""
    actual = layout.actual(unit.step)
    return actual.constant() is None and any(map(actual.same, reading.rights(unit.name)))


def _is_taken_from(unit: Unit, steps: Collection[int], layout: Layout) -> bool:
    """The difference to one of the values is a deviation; a parameter that is moved keeps its name."""
    names = {layout.variable(i) for i in steps}
    for k in layout.children[unit.step]:
        read = layout.graph.steps[k].inputs
        moved = any(u.name in names for u in layout.units_at.get(k, ()))
        beside = any(layout.origin(j) in steps for j in read)
        if sign_of(layout.graph.steps[k].op) in ("-", "+") and not moved and beside:
            return True
    return False


def _is_mean(unit: Unit, layout: Layout, reading: Reading) -> bool:
    """An array holds the values: the mean of all, or along an axis, at every point."""
    actual = layout.actual(unit.step)
    have = lifted(actual)
    for bottom in {bottom for _, bottom in reading.pairs(unit.name)}:
        value = layout.truth.values[bottom]
        arrays = lifted(value).arrays if value is not None else []
        for axis in (None, *range(arrays[0].ndim if arrays else 0)):
            means = [a.mean(axis=axis) for a in arrays]
            fits = bool(means) and all(m.size == np.prod(have.shape) for m in means)
            if fits and have.same(Shaped([m.reshape(have.shape) for m in means])):
                return True
    return False


def _mean(values: Sequence[Vec]) -> Vec:
    total = values[0]
    for v in values[1:]:
        total = total + v
    return total / constant(len(values), len(lifted(total).arrays))


__all__ = ["averages", "lies_among"]
