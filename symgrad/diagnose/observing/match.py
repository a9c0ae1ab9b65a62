"""Which true quantity a value is: a look-up by value, with neighbouring buckets probed."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import cached_property
from typing import Any, Generic, TypeVar

from symgrad.diagnose.observing.subject import BITS
from symgrad.diagnose.observing.truth import Link, Quantity, Truth, WrongFactor, wrong_factors
from symgrad.diagnose.values.shaped import lifted
from symgrad.diagnose.values.vectors import TOLERANCE, Vec
from symgrad.enclosure import precision

#: Of a bucket, in logarithms.
_WIDTH = 4 * TOLERANCE
T = TypeVar("T")
Key = tuple[int, ...]


class Index(Generic[T]):
    """Values -> what they are. Zero values are not indexed: zero is nothing's signature.

    What has the same value is kept together, so that a thousand equal factors of a loop are compared once.
    """

    def __init__(self) -> None:
        self._buckets: dict[Key, list[tuple[Vec, dict[object, T]]]] = {}
        #: The keys by their first number: most look-ups find nothing, and three of these tell.
        self._first: dict[int, list[Key]] = {}
        #: For what has no value at the first: a point -> number there -> keys, with their places among all keys. It is
        #: made when it is first asked for.
        self._numbers: dict[int, dict[int, list[tuple[int, Key]]]] = {}
        #: What has no value at some of the points cannot be found by its values there.
        self._odd: list[tuple[Vec, dict[object, T]]] = []

    def add(self, vec: Vec, what: T, name: object) -> None:
        """Index something; of what has the same value and the same name, the first stands for all."""
        floats = vec.floats
        if _is_nothing(floats):
            return
        key = _key(floats)
        if key is not None and key not in self._buckets:
            self._first.setdefault(key[0], []).append(key)
            self._numbers.clear()
        bucket = self._odd if key is None else self._buckets.setdefault(key, [])
        for other, held in bucket:
            # Of arrays the floats tell the entries, and not the shape.
            if (other.floats == floats and other.shape == vec.shape) or other.same(vec):
                held.setdefault(name, what)
                return
        bucket.append((vec, {name: what}))

    def find(self, vec: Vec) -> list[T]:
        if self.is_far(vec.one):
            return []
        floats = vec.floats
        if _is_nothing(floats):
            return []
        key = _key(floats)
        if key is None:
            near = [entry for k in self._beside_in_part(vec) for entry in self._buckets[k]] + self._odd
        else:
            near = list(self._odd)
            for k in self._beside(key):
                near += self._buckets[k]
        return [what for other, held in near if other.same(vec) for what in held.values()]

    def is_far(self, x: float) -> bool:
        """No value that is held is near this one at the first random point: so most look-ups end."""
        if self._odd or not 1e-12 < abs(x) < math.inf:
            return False
        first, known = _number(x), self._first
        # A step more to either side than what counts as near: it is a rough value.
        return not (
            first in known or first - 2 in known or first + 2 in known or first - 4 in known or first + 4 in known
        )

    def _beside(self, key: Key) -> list[Key]:
        """The keys that are there and differ from this one by at most a step in each number: nearest first."""
        first = key[0]
        found = []
        for k in (first, first - 2, first + 2):
            for other in self._first.get(k, ()):
                if all(-2 <= a - b <= 2 and (a - b) % 2 == 0 for a, b in zip(other, key, strict=True)):
                    found.append(other)
        # In the order in which all neighbours would be tried.
        return sorted(found, key=lambda o: [(a != b) + (a > b) for a, b in zip(o, key, strict=True)]) if found else []

    def _beside_in_part(self, vec: Vec) -> list[Key]:
        """The keys that a value may have that has none at some of the points: those near it at the first where it has
        one, in the order in which they came."""
        point = next(k for k, x in enumerate(vec.floats) if k and math.isfinite(x))
        if point not in self._numbers:
            numbers: dict[int, list[tuple[int, Key]]] = {}
            for place, key in enumerate(self._buckets):
                numbers.setdefault(key[point - 1], []).append((place, key))
            self._numbers[point] = numbers
        own = _number_or_nothing(vec.floats[point])
        held = self._numbers[point]
        return [key for _, key in sorted(pair for k in (own - 2, own, own + 2) for pair in held.get(k, ()))]

    def entries(self) -> Iterator[tuple[Vec, Iterable[T]]]:
        """Every value, and what has it."""
        for bucket in (*self._buckets.values(), self._odd):
            for vec, held in bucket:
                yield vec, held.values()


def _is_nothing(floats: Sequence[float]) -> bool:
    """What comes out as this at the points is zero, or without a value, at every random one."""
    # nan compares as false. This is asked of every value: a plain loop takes a third of the time.
    for x in floats[1:]:  # noqa: SIM110
        if 1e-300 <= abs(x) < math.inf:
            return False
    return True


def _key(floats: Sequence[float]) -> Key | None:
    """A bucket by the logarithms of the values at the random points; one is a few tolerances wide.

    All points take part: the partial sums of a long series may agree at one point and not at another.
    """
    out = []
    for x in floats[1:]:
        size = abs(x)
        if not size < math.inf:
            return None
        out.append(2 * int(math.log(size) / _WIDTH) + (x > 0) if size > 1e-300 else 0)
    return tuple(out)


def _number_or_nothing(x: float) -> int:
    return _number(x) if abs(x) > 1e-300 else 0


def _number(x: float) -> int:
    """The bucket of one number: of its logarithm, and its sign."""
    return 2 * int(math.log(abs(x)) / _WIDTH) + (x > 0)


class Known:
    """Everything true of a forward pass, and everything wrong that people are known to write, by value."""

    def __init__(self, truth: Truth) -> None:
        self.truth = truth
        self._right: Index[Quantity] = Index()
        self._links: list[Link] = []
        #: What was asked for: step -> its value then, and what that was.
        self._asked: dict[int, tuple[Vec, list[Quantity]]] = {}
        for bottom, vec in truth.cotangents.items():
            self.add(Quantity("cotangent", truth.subject.loss, bottom, vec))
        seen: set[tuple[int, int]] = set()
        for links in (*truth.links.values(), list(truth.written_out.values()), *truth.elementary.values()):
            for link in links:
                if (link.top, link.bottom) in seen:
                    continue
                seen.add((link.top, link.bottom))
                if link.local is not None:
                    self.add(Quantity("local", link.top, link.bottom, link.local))
                if link.top in truth.cotangents:
                    self.add(Quantity("contribution", link.top, link.bottom, link.flow))
                self._links.append(link)
        for bottom in truth.into:
            for vec in truth.sums(bottom):
                self.add(Quantity("sum", -1, bottom, vec))
        for i, value in enumerate(truth.values):
            if value is not None and not truth.subject.graph.steps[i].is_const:
                self.add(Quantity("forward", -1, i, value))

    def add_tangents(self, leaf: int) -> None:
        """Index d step/d leaf and its terms."""
        tangents = self.truth.tangents(leaf)
        for top, vec in tangents.items():
            self.add(Quantity("tangent", top, leaf, vec))
        for links in (*self.truth.links.values(), *self.truth.elementary.values()):
            for link in links:
                if link.bottom in tangents and link.local is not None:
                    term = link.local * tangents[link.bottom]
                    self.add(Quantity("term", link.top, leaf, term))

    def add(self, quantity: Quantity) -> None:
        self._asked.clear()
        self._right.add(quantity.vec, quantity, (quantity.kind, quantity.top, quantity.bottom))

    @cached_property
    def _wrong(self) -> Index[WrongFactor]:
        """What is known to be written in place of the local factors: only a mistake is looked up there."""
        out: Index[WrongFactor] = Index()
        with precision(BITS):
            for link in self._links:
                for wrong in wrong_factors(self.truth, link):
                    out.add(wrong.vec, wrong, (wrong.top, wrong.bottom, wrong.words))
        return out

    def right(self, vec: Vec) -> list[Quantity]:
        """The true quantities that have this value."""
        return self._right.find(vec)

    def right_of(self, step: int, vec: Vec) -> list[Quantity]:
        """As :meth:`right`, of the value of a step: one walk after the other asks for the same."""
        held = self._asked.get(step)
        if held is None or held[0] is not vec:
            held = self._asked[step] = vec, self.right(vec)
        return held[1]

    def floats(self, point: int, kinds: Collection[str] = ()) -> list[float]:
        """The values at one point of everything that a derivative may be, or of what is of some kinds."""
        return [
            v.floats[point]
            for v, held in self._right.entries()
            if any(q.kind in kinds if kinds else q.kind != "forward" for q in held)
        ]

    def arrays(self, size: int, kinds: Collection[str]) -> list[Any]:
        """At the first random point, what is of some kinds and has so many entries."""
        held = [v for v, held in self._right.entries() if any(q.kind in kinds for q in held)]
        return [a for v in held if (a := lifted(v).arrays[1]).size == size]

    def is_far(self, *values: float) -> bool:
        """No true quantity is near any of these values at the first random point; NaN is taken to be near one."""
        return all(map(self._right.is_far, values))

    def wrong(self, vec: Vec) -> list[WrongFactor]:
        """The known wrong factors that have this value."""
        return self._wrong.find(vec)
