"""Many values of one line at once, in floats, with how far each may be off: most are surely not the one looked for.

That a line comes out as something with another variable in it is asked of hundreds of variables. What a survey leaves
open is computed in balls.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from symgrad.diagnose.values.quiet import unwarned
from symgrad.diagnose.values.vectors import HIGH, LOW, MAGNIFIED, NUDGE, PLAIN, ROUGH, Vec, kind_of
from symgrad.ops.values import function

#: The points that are looked at: two random ones.
POINTS = slice(1, 3)
#: A float is off by this much, relatively, and a function of floats by that.
ROUNDED, EVALUATED = 1e-15, 1e-12
#: A divisor, or an argument of a function, that may be off by more than this, relatively, tells nothing.
SURE = 1e-6
#: Beyond this a change of an argument may be many periods.
LARGE = 1e6
#: So many times what a value may be off it has to differ by: errors are of first order.
SPARE = 10.0


@dataclass(frozen=True, slots=True)
class Survey:
    """Values, of shape (so many, points), and how far they may be off: infinitely, where nothing is known."""

    values: Any
    errors: Any


def survey(vecs: Sequence[Vec]) -> Survey:
    """Some numbers, none of them an array."""
    values = np.array([v.floats[POINTS] for v in vecs], dtype=np.float64)
    return _known(values, abs(values) * ROUNDED)


def run(name: str, args: Sequence[Survey]) -> Survey:
    """One step of all of them. Each argument has one row, or one for each."""
    kind, x = kind_of(name), args[0]
    with unwarned():
        if kind == "f":
            return _function(name, args)
        if kind == "~":
            return Survey(-x.values, x.errors)
        y = args[1]
        if kind == "*":
            return _known(x.values * y.values, abs(x.values) * y.errors + abs(y.values) * x.errors)
        if kind == "/":
            values = x.values / y.values
            return _known(values, (x.errors + abs(values) * _small(y)) / abs(y.values))
        return _known(x.values + y.values if kind == "+" else x.values - y.values, x.errors + y.errors)


def are_other(made: Survey, wanted: Vec) -> Any:
    """For each of the values, whether it is surely not this one."""
    target = np.array([wanted.rough(k) for k in range(POINTS.start, POINTS.stop)])
    with unwarned():
        larger = np.maximum(np.maximum(abs(made.values), abs(target)), PLAIN)
        return (abs(made.values - target) > ROUGH * larger + SPARE * made.errors).all(axis=1)


def _known(values: Any, errors: Any) -> Survey:
    size = abs(values)
    return Survey(values, np.where((size < HIGH) & np.isfinite(errors), errors + size * ROUNDED, math.inf))


def _small(x: Survey) -> Any:
    """How far values may be off, where that is little beside them."""
    return np.where((x.errors <= SURE * abs(x.values)) & (abs(x.values) > LOW), x.errors, math.inf)


def _function(name: str, args: Sequence[Survey]) -> Survey:
    """A function of the table, and what a change of each argument makes of it."""
    compute = function(name)
    at = [a.values for a in args]
    values = np.asarray(compute(*at), dtype=np.float64)
    errors = abs(values) * EVALUATED
    for n, a in enumerate(args):
        change = abs(compute(*at[:n], at[n] * (1 + NUDGE), *at[n + 1 :]) - values)
        errors = errors + change / (NUDGE * abs(at[n])) * _small(a)
        # What magnifies a change that much (the sine of a million) need not do so in proportion.
        fine = np.isfinite(_small(a)) & (abs(at[n]) < LARGE) & (change <= MAGNIFIED * NUDGE * abs(values))
        errors = np.where(fine, errors, math.inf)
    return _known(values, errors)
