"""When two arrays are the same numbers: entry by entry, up to rounding, with quick ways to tell most of them apart."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from symgrad.diagnose.values.quiet import unwarned
from symgrad.diagnose.values.vectors import TOLERANCE

#: Entries are compared as if they were at least this large, relative to the largest of their array.
SMALL = 1e-11
#: What is this small beside the rest of the pass is a rest of rounding.
REST = 1e-11
#: A product of vectors that are longer than this is done by several threads, which on a busy machine wait for one
#: another a thousand times as long as they work.
ALONE = 8192
#: Of larger arrays so many entries are compared first.
FEW = 64


def agree(first: Sequence[Any], second: Sequence[Any]) -> bool:
    """Equal at every point where both have values (two random points at least)."""
    shared = 0
    for k, (a, b) in enumerate(zip(first, second, strict=True)):
        if a.shape != b.shape:
            return False
        equal = close(a, b)
        if equal is False:
            return False
        shared += k > 0 and equal is True
    return shared >= 2


def agree_at_once(a: Any, b: Any) -> bool | None:
    """As :func:`agree`, of two stacks of one shape; ``None`` where not all is finite."""
    x, y = np.abs(a), np.abs(b)
    larger = np.maximum(x, y, out=x)
    points = len(a)
    tops = np.maximum.reduce(larger.reshape(points, -1), axis=1)
    if not math.isfinite(sum(tops.tolist())):
        return None
    allowed = TOLERANCE * larger
    allowed += SMALL * tops.reshape(points, *(1,) * (a.ndim - 1))
    return points > 2 and bool(np.logical_and.reduce(np.abs(a - b) <= allowed, axis=None))


def are_apart(a: Any, b: Any, top: float) -> bool:
    """A few entries tell most of two arrays apart that have no larger ones than ``top``: none may differ by more than
    this."""
    some, there = a.flat[:: a.size // FEW], b.flat[:: a.size // FEW]
    return float((np.abs(some - there) - TOLERANCE * np.maximum(np.abs(some), np.abs(there))).max()) > SMALL * top


def close(a: Any, b: Any) -> bool | None:
    """``None`` where there is nothing to compare."""
    if not a.size:
        return True
    x, y = np.abs(a), np.abs(b)
    if a.size > FEW and are_apart(a, b, max(float(x.max()), float(y.max()))):
        return False
    larger = np.maximum(x, y)
    top = float(larger.max())
    if math.isfinite(top):
        return bool((np.abs(a - b) <= TOLERANCE * larger + SMALL * top).all())
    known, too = np.isfinite(a), np.isfinite(b)
    if not (known & too).any():
        return None
    if (known != too).any():
        return False
    if not known.all():
        a, b = a[known], b[known]
    x, y = np.abs(a), np.abs(b)
    larger = np.maximum(x, y)
    return bool((np.abs(a - b) <= TOLERANCE * larger + SMALL * larger.max()).all())


@cache
def weights(size: int) -> Any:
    """Random numbers, the same in every run, that entries are weighted by."""
    return np.random.default_rng(size).uniform(0.5, 1.5, size) * np.random.default_rng(size + 1).choice((-1, 1), size)


def signature(a: Any) -> float:
    """A number that any two arrays of one size differ in: the entries, weighted at random. It is linear."""
    if a.ndim == 0:
        return float(a)
    if not a.size:
        return 0.0
    flat, by = a.ravel(), weights(a.size)
    if a.size <= ALONE:
        return float(flat.dot(by))  # which does not warn
    with unwarned():
        return float(sum([flat[k : k + ALONE] @ by[k : k + ALONE] for k in range(0, a.size, ALONE)]))


class Multiples:
    """Tells the multiples of one array, which many are held against.

    Args:
        array: of one entry or more.
    """

    __slots__ = ("array", "first", "peak", "second", "then")

    def __init__(self, array: Any) -> None:
        self.array = array
        #: Where its largest entry is, and another one beside it; and what they are.
        self.peak = int(np.abs(array).argmax()) if array.size else 0
        self.then = self.peak - 1 if self.peak else 1
        several = array.size > 1
        self.first: float = array.item(self.peak) if several else 0.0
        self.second: float = array.item(self.then) if several else 0.0

    def has(self, a: Any) -> bool:
        """An array is this one, of several entries, times a number that is neither 0 nor 1."""
        if a.shape != self.array.shape or a.size < 2:
            return False
        x, y = a.item(self.peak), self.first
        if not y or not x or not math.isfinite(x):
            return False
        # Most are told apart by one more entry.
        if abs(a.item(self.then) * y - self.second * x) > TOLERANCE * abs(x * y):
            return False
        return is_near(a * (y / x), self.array)


def is_multiple(a: Any, b: Any) -> bool:
    """An array is another one, of several entries, times a number that is neither 0 nor 1."""
    return a.shape == b.shape and Multiples(b).has(a)


def is_near(a: Any, b: Any) -> bool:
    if a.shape != b.shape:
        return False
    if not a.size:
        return True
    first, then = a.item(0), b.item(0)
    apart = abs(first - then) - TOLERANCE * max(abs(first), abs(then))
    # Most are told apart by one entry: no entry is larger than the root of the sum of all squares.
    if apart > REST and apart * apart > REST * REST * (_squares(a) + _squares(b)):
        return False
    x, y = np.abs(a), np.abs(b)
    larger = np.maximum(x, y)
    scale = float(larger.max())
    return np.isfinite(scale) and bool((np.abs(a - b) <= TOLERANCE * larger + REST * max(scale, 1.0)).all())


def _squares(a: Any) -> float:
    """The sum of the squares, which may be infinite."""
    flat = a.ravel()
    return float(flat.dot(flat)) if a.size <= ALONE else math.inf
