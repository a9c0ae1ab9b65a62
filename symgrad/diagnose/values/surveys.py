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
from symgrad.diagnose.values.vectors import HIGH, LOW, NUDGE, PLAIN, ROUGH, Vec, kind_of
from symgrad.ops.values import function

#: The points that are looked at: two random ones.
POINTS = slice(1, 3)
#: A float is off by this much, relatively, and a function of floats by that.
ROUNDED, EVALUATED = 1e-15, 1e-12
#: What may be off by more than this, relatively, tells nothing.
SURE = 1e-6


@dataclass(frozen=True, slots=True)
class Survey:
    """Values, of shape (so many, points), and how far they may be off, relatively: infinite where nothing is known."""

    values: Any
    errors: Any


def survey(vecs: Sequence[Vec]) -> Survey:
    """Some numbers, none of them an array."""
    values = np.array([v.floats[POINTS] for v in vecs], dtype=np.float64)
    return _known(values, np.full_like(values, ROUNDED))


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
            return _known(x.values * y.values, x.errors + y.errors + ROUNDED)
        if kind == "/":
            return _known(x.values / y.values, x.errors + y.errors + ROUNDED)
        values = x.values + y.values if kind == "+" else x.values - y.values
        off = abs(x.values) * x.errors + abs(y.values) * y.errors
        return _known(values, off / abs(values) + ROUNDED)


def are_other(made: Survey, wanted: Vec) -> Any:
    """For each of the values, whether it is surely not this one."""
    target = np.array([wanted.rough(k) for k in range(POINTS.start, POINTS.stop)])
    with unwarned():
        apart = abs(made.values - target) > ROUGH * np.maximum(np.maximum(abs(made.values), abs(target)), PLAIN)
        return (apart & (made.errors <= SURE)).all(axis=1)


def _known(values: Any, errors: Any) -> Survey:
    size = abs(values)
    return Survey(values, np.where((size > LOW) & (size < HIGH) & (errors <= SURE), errors, math.inf))


def _function(name: str, args: Sequence[Survey]) -> Survey:
    """A function of the table, and what a change of each argument makes of it."""
    compute = function(name)
    at = [a.values for a in args]
    values = np.asarray(compute(*at), dtype=np.float64)
    errors = np.full_like(values, EVALUATED)
    for n, a in enumerate(args):
        moved = compute(*at[:n], at[n] * (1 + NUDGE), *at[n + 1 :])
        errors = errors + abs(moved - values) / (NUDGE * abs(values)) * a.errors
        errors = np.where(np.isfinite(a.errors), errors, math.inf)
    return _known(values, errors)
