"""Averages, which are called as cotangents are: ``xbar`` of what is in the list ``x``, and the adjoint of x."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from symgrad.diagnose.meaning.following import ends_of
from symgrad.diagnose.meaning.reading import Reading
from symgrad.diagnose.observing.replay import Layout
from symgrad.diagnose.observing.subject import Unit
from symgrad.diagnose.text.naming import claims, is_bare
from symgrad.diagnose.values.shaped import Shaped, lifted
from symgrad.diagnose.values.vectors import Vec, constant


def averages(layout: Layout, reading: Reading) -> set[str]:
    """Names that end with "bar", of several values of the forward pass under the rest of the name, that are made of no
    gradient: what lies among those values at every point, and where no such name holds a gradient any other as well."""
    bars = [u for u in layout.last.values() if u.name.lower().endswith("bar") and not layout.is_forward(u.step)]
    if layout.subject.is_shaped:
        return {u.name for u in bars if _is_mean(u, layout, reading)}
    notation = any(any(map(layout.actual(u.step).same, reading.rights(u.name))) for u in bars)
    return {u.name for u in bars if _is_average(u, layout, reading, notation=notation)}


def _is_average(unit: Unit, layout: Layout, reading: Reading, *, notation: bool) -> bool:
    steps = dict.fromkeys(bottom for _, bottom in reading.pairs(unit.name))
    values = [v for i in steps if (v := layout.truth.values[i]) is not None]
    actual = layout.actual(unit.step)
    if len(values) < 2 or not actual.usable or any(map(actual.same, reading.rights(unit.name))):
        return False
    columns = zip(*(v.floats for v in values), strict=True)
    if not all(min(c) <= x <= max(c) for x, c in zip(actual.floats, columns, strict=True)):
        return False
    if notation and not actual.same(_mean(values)):
        return False  # an adjoint that is wrong may lie there as well
    ends = ends_of(layout.graph, unit.step, lambda i: i in layout.units_at)
    units = (u for i in ends for u in layout.units_at.get(i, ()))
    return not any(u.name != unit.name and (any(claims(u.name)) or is_bare(u.name)) for u in units)


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


__all__ = ["averages"]
