"""Products of what is at hand, which added up over the rounds of a loop are some value: the term that is missing.

What varies from round to round is multiplied out first; what is left of the wanted value must then be a product of what
stays the same, which is looked up. So it is found without trying every product with every other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
#: In which powers something stands in a product: alone or with one other, and in a product of three.
POWERS, OF_THREE, OF_THREE_FIXED = (1, -1, 2, -2, 3, -3), (1, -1, 2), (1, -1, 2, -2)
#: Numbers that a product may begin with.
SCALES = (1.0, 2.0, 0.5)
#: So much varies at most, and so much stays the same.
MOST_VARYING, MOST_FIXED = 16, 12
#: Two floats are the same if they differ by less than this, relatively: what is compared comes from exact values.
SAME = 1e-9
#: What says nothing in a product.
PLAIN = (0.0, 1.0, -1.0)
#: So many products are weighed.
MOST = 12


@dataclass(frozen=True, slots=True)
class Atom:
    """Something that can be written: its value in each round at each point."""

    text: str
    values: Floats


@dataclass(frozen=True, slots=True)
class Product:
    """Atoms in their powers, and how far-fetched they are together."""

    sign: int
    scale: float
    factors: tuple[tuple[str, int], ...]

    @property
    def cost(self) -> float:
        return len(self.factors) + sum(0.4 * (abs(p) - 1) for _, p in self.factors) + 0.6 * (self.scale != 1)

    @property
    def text(self) -> str:
        """Without its sign."""
        above = [_power(t, p) for t, p in self.factors if p > 0]
        below = [_power(t, -p) for t, p in self.factors if p < 0]
        if self.scale >= 1:
            above = [f"{self.scale:g}"] * (self.scale > 1 or not above) + above
        else:
            below = [f"{1 / self.scale:g}", *below]
        return "/".join(["*".join(above) or "1", *below])


class _Block:
    """All products of some atoms in some powers, each atom once."""

    def __init__(self, chosen: Sequence[Atom], powers: Sequence[int], shape: tuple[int, ...]) -> None:
        self.texts, self._powers = [a.text for a in chosen], powers
        with np.errstate(all="ignore"):
            raised = [np.array([a.values ** float(p) for p in powers]) for a in chosen]
        values = np.ones((1, *shape))
        for mine in raised:
            values = (values[:, None] * mine[None]).reshape(-1, *shape)
        self.values: Floats = values

    def factors(self, n: int) -> tuple[tuple[str, int], ...]:
        """What product number ``n`` is made of."""
        out = []
        for text in reversed(self.texts):
            n, k = divmod(n, len(self._powers))
            out.append((text, self._powers[k]))
        return tuple(reversed(out))


class _Blocks:
    """Products of up to three of some atoms."""

    def __init__(self, atoms: Sequence[Atom], shape: tuple[int, ...], of_three: Sequence[int]) -> None:
        allowed = (POWERS, POWERS, POWERS, of_three)
        chosen = [some for count in (0, 1, 2, 3) for some in combinations(atoms, count)]
        self._blocks = [_Block(some, allowed[len(some)], shape) for some in chosen]
        self._begins = np.cumsum([0, *(len(b.values) for b in self._blocks)])
        self.values: Floats = np.concatenate([b.values for b in self._blocks])

    def factors(self, n: int) -> tuple[tuple[str, int], ...]:
        """What product number ``n`` is made of."""
        at = int(np.searchsorted(self._begins, n, side="right")) - 1
        return self._blocks[at].factors(n - int(self._begins[at]))


class Products:
    """All products of some atoms, to be asked for sums.

    Args:
        atoms: of one loop, all with the same rounds and points.
    """

    def __init__(self, atoms: Sequence[Atom]) -> None:
        varying, fixed = _told_apart(atoms)
        self._shape = atoms[0].values.shape if atoms else (0, 0)
        points = self._shape[1:]
        self._tops = _Blocks(varying, self._shape, OF_THREE)
        self._rests = _Blocks([Atom(a.text, a.values[0]) for a in fixed], points, OF_THREE_FIXED)
        self._table = np.concatenate([self._rests.values * s for s in SCALES])
        self._order = np.argsort(np.abs(self._table[:, 0])) if self._shape[1] else np.arange(0)

    def adding_up_to(self, wanted: Floats, weights: Floats | None = None) -> list[Product]:
        """Products whose sums over all rounds are the wanted value at every point, the simplest first.

        Args:
            wanted: one value for each point.
            weights: of each round at each point; 1 where none are given.
        """
        if not self._shape[1] or not np.all(np.isfinite(wanted)) or np.any(wanted == 0):
            return []
        keys, out = np.abs(self._table[self._order, 0]), list[Product]()
        with np.errstate(all="ignore"):
            values = self._tops.values if weights is None else self._tops.values * weights
            sums = values.sum(axis=1)
            # What cancels to the last digits says nothing.
            sums[np.abs(sums) <= SAME * np.abs(values).sum(axis=1)] = np.nan
            ratios = wanted / sums
            usable = np.all(np.isfinite(ratios) & (ratios != 0), axis=1)
        sizes = np.where(usable, np.abs(ratios[:, 0]), 0.0)
        first, last = np.searchsorted(keys, sizes * (1 - SAME)), np.searchsorted(keys, sizes * (1 + SAME))
        for at in np.flatnonzero(usable & (last > first)):
            ratio = ratios[at]
            for n in self._order[first[at] : last[at]]:
                sign = int(np.sign(ratio[0] * self._table[n, 0]))
                if np.all(np.abs(sign * self._table[n] - ratio) <= SAME * np.abs(ratio)):
                    scale, rest = divmod(int(n), len(self._rests.values))
                    factors = (*self._tops.factors(int(at)), *self._rests.factors(rest))
                    out.append(Product(sign, SCALES[scale], factors))
        return sorted(out, key=lambda p: p.cost)[:MOST]


def _told_apart(atoms: Sequence[Atom]) -> tuple[list[Atom], list[Atom]]:
    """What varies from round to round, and what does not; nothing twice, and no numbers."""
    seen: set[tuple[str, ...]] = set()
    varying: list[Atom] = []
    fixed: list[Atom] = []
    for atom in atoms:
        values = atom.values
        if not np.all(np.isfinite(values)) or np.all(np.isin(values, PLAIN)):
            continue
        key = tuple(f"{x:.9g}" for x in np.abs(values).flat)
        if key in seen:
            continue
        seen.add(key)
        if np.all(np.abs(values - values[0]) <= SAME * np.abs(values)):
            if np.all(values != 0):
                fixed.append(atom)
        else:
            varying.append(atom)
    return varying[:MOST_VARYING], fixed[:MOST_FIXED]


def _power(text: str, power: int) -> str:
    return text if power == 1 else f"{text}**{power}"
