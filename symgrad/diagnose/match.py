"""Which true quantity a value is: a look-up by value, with neighbouring buckets probed."""

from __future__ import annotations

import math
from typing import Generic, TypeVar

from symgrad.diagnose.truth import Quantity, Truth, WrongFactor, wrong_factors
from symgrad.diagnose.vectors import TOLERANCE, Vec

T = TypeVar("T")


class Index(Generic[T]):
    """Values -> what they are. Zero values are not indexed: zero is nothing's signature.

    What has the same value is kept together, so that a thousand equal factors of a loop are compared once.
    """

    def __init__(self) -> None:
        self._buckets: dict[int, list[tuple[Vec, list[T]]]] = {}

    def add(self, vec: Vec, what: T) -> None:
        key = _key(vec)
        if key is None:
            return
        bucket = self._buckets.setdefault(key, [])
        for other, held in bucket:
            if other.floats == vec.floats:
                held.append(what)
                return
        bucket.append((vec, [what]))

    def find(self, vec: Vec) -> list[T]:
        key = _key(vec)
        if key is None:
            return []
        out: list[T] = []
        for near in (key, key - 1, key + 1):
            for other, held in self._buckets.get(near, ()):
                if other.same(vec):
                    out += held
        return out


def _key(vec: Vec) -> int | None:
    """A bucket by the logarithm of the first usable random value; one bucket is a few tolerances wide."""
    for x in vec.floats[1:]:
        if math.isfinite(x):
            return None if x == 0 or abs(x) < 1e-300 else int(math.log(abs(x)) / (4 * TOLERANCE)) * (1 if x > 0 else -1)
    return None


class Known:
    """Everything true of a forward pass, and everything wrong that people are known to write, by value."""

    def __init__(self, truth: Truth) -> None:
        self.truth = truth
        self._right: Index[Quantity] = Index()
        self._wrong: Index[WrongFactor] = Index()
        for bottom, vec in truth.cotangents.items():
            self._right.add(vec, Quantity("cotangent", truth.subject.loss, bottom, vec))
        seen: set[tuple[int, int]] = set()
        for links in (*truth.links.values(), list(truth.written_out.values()), *truth.elementary.values()):
            for link in links:
                if (link.top, link.bottom) in seen:
                    continue
                seen.add((link.top, link.bottom))
                self._right.add(link.local, Quantity("local", link.top, link.bottom, link.local))
                if link.top in truth.cotangents:
                    flow = truth.cotangents[link.top] * link.local
                    self._right.add(flow, Quantity("contribution", link.top, link.bottom, flow))
                for wrong in wrong_factors(truth, link):
                    self._wrong.add(wrong.vec, wrong)
        for bottom in truth.into:
            for vec in truth.sums(bottom):
                self._right.add(vec, Quantity("sum", -1, bottom, vec))
        for i, value in enumerate(truth.values):
            if value is not None and not truth.subject.graph.steps[i].is_const:
                self._right.add(value, Quantity("forward", -1, i, value))

    def add_tangents(self, leaf: int) -> None:
        """Index d step/d leaf and its terms."""
        tangents = self.truth.tangents(leaf)
        for top, vec in tangents.items():
            self._right.add(vec, Quantity("tangent", top, leaf, vec))
        for links in (*self.truth.links.values(), *self.truth.elementary.values()):
            for link in links:
                if link.bottom in tangents:
                    term = link.local * tangents[link.bottom]
                    self._right.add(term, Quantity("term", link.top, leaf, term))

    def add(self, quantity: Quantity) -> None:
        self._right.add(quantity.vec, quantity)

    def right(self, vec: Vec) -> list[Quantity]:
        """The true quantities that have this value."""
        return self._right.find(vec)

    def wrong(self, vec: Vec) -> list[WrongFactor]:
        """The known wrong factors that have this value."""
        return self._wrong.find(vec)
