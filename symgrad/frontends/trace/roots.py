"""Roots that a script lets a library find: ``scipy.optimize.brentq``, ``newton``, ``fsolve``.

The root is found in plain numbers, and then recorded as some rounds of Newton's method that begin there: they change
nothing of its value, and by them the root is the function of whatever else the equation is made of that the implicit
function theorem says (Krantz and Parks, The Implicit Function Theorem, 2013): dx/dp = -(df/dx)^-1 df/dp.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from symgrad.frontends.trace.arrays import Array
from symgrad.frontends.trace.lib_differentiating import derivatives
from symgrad.frontends.trace.lib_math import raw
from symgrad.frontends.trace.shaped import Recorder, gather
from symgrad.frontends.trace.tracer import Tracer
from symgrad.frontends.trace.values import NUMPY, Value, number

#: Rounds of Newton's method that find a root, at most; in a bracket each halves it at worst.
MOST_ROUNDS = 200
#: Rounds that are recorded: as the inputs are moved by a little, the root is found again.
RECORDED = 5
#: A root is found where the function is so small beside what it is made of.
SMALL = 1e-9


def root_of(
    tr: Tracer, f: Callable[..., Any], start: Any, args: Sequence[Any] = (), end: Any = None
) -> Any:
    """The root of ``f``, as a function of what else ``f`` is made of; ``None`` where none is found.

    Args:
        start: where the search begins: a number, or an array of shape (n,) where f gives n numbers.
        args: further arguments of f.
        end: with ``start``, two numbers that f has different signs at.
    """

    def at(x: Any) -> Any:
        found = f(x, *args)
        return gather(tr, found) if isinstance(found, list | tuple) else found

    begun = np.asarray(raw(start), dtype=np.float64)
    with tr.aside(), np.errstate(all="ignore"):
        if begun.ndim == 0:
            place = _in_bracket(tr, at, float(begun), float(raw(end))) if end is not None else _nearby(tr, at, begun)
        else:
            place = _nearby(tr, at, begun)
        if place is None:
            return None
        varies = _varies(at(_given(tr, place)))
    return _recorded(tr, at, place) if varies else _given(tr, place)


def _varies(value: Any) -> bool:
    return isinstance(value, Value) and value.step is not None and value.tr.varies[value.step]


def _array(value: Any) -> Any:
    return np.asarray(raw(value), dtype=np.float64)


def _slope(tr: Tracer, at: Callable[[Any], Any], place: Any) -> Any:
    """The derivative of f at a place, in numbers: shape () or (n, n)."""
    if place.ndim:
        return _array(derivatives(tr).jacobian(at)(Array(tr, place)))
    return _array(derivatives(tr).gradient(at, summed=True)(float(place)))


def _nearby(tr: Tracer, at: Callable[[Any], Any], begun: Any) -> Any:
    """Newton's method with steps that are halved while they lead nowhere."""
    place = begun
    value = _array(at(_given(tr, place)))
    if value.shape != place.shape:
        return None
    for _ in range(MOST_ROUNDS):
        if not value.any():
            return place
        slope = _slope(tr, at, place)
        try:
            step = value / slope if place.ndim == 0 else np.linalg.solve(slope, value)
        except np.linalg.LinAlgError:
            return None
        if not np.isfinite(step).all():
            return None
        share = 1.0
        while True:
            moved = place - share * step
            new = _array(at(_given(tr, moved)))
            if np.isfinite(new).all() and np.linalg.norm(new) < np.linalg.norm(value):
                break
            share /= 2
            if share < 1e-6:
                # Rounding leaves nothing to be gained at a root.
                near = np.linalg.norm(step) <= SMALL * (1.0 + np.linalg.norm(place))
                return place if near else None
        place, value = moved, new
    return None


def _in_bracket(tr: Tracer, at: Callable[[Any], Any], low: float, high: float) -> Any:
    """Newton's method, and halves where it leaves the bracket.

    Raises:
        ValueError: f has one sign at both ends, as SciPy says it.
    """
    signs = [float(_array(at(x))) for x in (low, high)]
    if signs[0] * signs[1] > 0:
        raise ValueError("f(a) and f(b) must have different signs")
    rising = signs[1] > 0
    x = (low + high) / 2
    for n, end in enumerate((low, high)):
        if signs[n] == 0:
            return np.asarray(end)
    for _ in range(MOST_ROUNDS):
        value = float(_array(at(x)))
        if value == 0:
            break
        low, high = (low, x) if (value > 0) == rising else (x, high)
        slope = float(_slope(tr, at, np.asarray(x)))
        new = x - value / slope if slope else high
        new = new if min(low, high) < new < max(low, high) else (low + high) / 2
        if new in (x, low, high):
            break
        x = new
    return np.asarray(x)


def _given(tr: Tracer, place: Any) -> Any:
    return Array(tr, place) if place.ndim else float(place)


def _recorded(tr: Tracer, at: Callable[[Any], Any], place: Any) -> Any:
    """The root as a step."""
    step = tr.input("", place if place.ndim else float(place), tr.here())
    x: Any = Array(tr, place, step) if place.ndim else number(tr, float(place), step, NUMPY)
    made = derivatives(tr)
    made.depth += 1
    try:
        for _ in range(RECORDED):
            value = at(x)
            if place.ndim:
                x = x - Recorder(tr).solve(made.jacobian(at)(x), value)
            else:
                slope = made.gradient(at, summed=True)(x)
                x = x - value / slope
    finally:
        made.depth -= 1
    return x
