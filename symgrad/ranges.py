"""Ranges of points: ``w=-4:4:10_000_000``, read from text and numbered, so that no more than a piece is in memory."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from symgrad.errors import SymgradError
from symgrad.frontends.pointtext import parse_points
from symgrad.graph import Graph
from symgrad.points import evaluate_constant
from symgrad.report.sweeping import Stretch

if TYPE_CHECKING:
    import torch

#: Slices of the points of which each has its own summary.
SLICES = 64
#: Points that may be asked for.
MOST = 10**10
#: The middle of a range must not overflow.
LARGEST = Fraction(2) ** 1022


@dataclass(frozen=True, slots=True)
class Range:
    """``name=first:last:count``: so many points, evenly spaced, both ends among them."""

    name: str
    first: float
    last: float
    count: int


def read_ranges(at: Any) -> tuple[list[Range], dict[str, Any]]:
    """The ranges of a point and its other values, by name.

    Raises:
        SymgradError: a range is not ``first:last:count``, or a name is given twice.
    """
    if isinstance(at, Mapping):
        pairs = [(str(n), v) for n, v in at.items()]
    else:
        pairs = []
        for text in [at] if isinstance(at, str) else at:
            for part in _parts(text):
                name, equals, value = part.partition("=")
                if ":" not in part:
                    pairs += [(n, g) for n, g in parse_points([part]).items()]
                elif not equals or not name.strip():
                    raise SymgradError(f"--at {part.strip()}: write NAME=FIRST:LAST:COUNT, for example w=-4:4:1000")
                else:
                    pairs.append((name.strip(), value))
    ranges: list[Range] = []
    fixed: dict[str, Any] = {}
    for name, value in pairs:
        if name in fixed or any(r.name == name for r in ranges):
            raise SymgradError(f"--at gives '{name}' twice")
        if isinstance(value, str) and ":" in value:
            ranges.append(_range(name, value))
        else:
            fixed[name] = evaluate_constant(name, value) if isinstance(value, Graph) else value
    count = math.prod(r.count for r in ranges)
    if count > MOST:
        raise SymgradError(f"--at asks for {count:,} points; at most {MOST:,} are possible")
    return ranges, fixed


def _parts(text: str) -> list[str]:
    """What stands between the commas outside parentheses."""
    out, depth, start = [], 0, 0
    for i, char in enumerate(text):
        depth += (char == "(") - (char == ")")
        if char == "," and depth <= 0:
            out.append(text[start:i])
            start = i + 1
    return [*out, text[start:]]


def _range(name: str, text: str) -> Range:
    parts = [p.strip() for p in text.split(":")]
    if len(parts) != 3 or not all(parts):
        raise SymgradError(
            f"--at {name}={text.strip()}: a range is FIRST:LAST:COUNT", hint=f"for example {name}=-4:4:10_000_000"
        )
    ends = [evaluate_constant(name, parse_points([f"{name}={p}"])[name]) for p in parts[:2]]
    count = evaluate_constant(name, parse_points([f"{name}={parts[2].replace('_', '')}"])[name])
    said = f"--at {name}={text.strip()}"
    if count.denominator != 1 or count < 2:
        raise SymgradError(f"{said}: the count must be a whole number of at least 2, not {parts[2]}")
    if any(abs(end) > LARGEST for end in ends):
        raise SymgradError(f"{said}: the range leaves what float64 holds")
    first, last = map(float, ends)
    if not first < last:
        raise SymgradError(f"{said}: the first value must be below the last")
    return Range(name, first, last, int(count))


class Grid:
    """The points, by number: ranges multiply, the last one runs fastest."""

    def __init__(self, ranges: Sequence[Range], fixed: Mapping[str, Fraction], dtype: torch.dtype, device: Any) -> None:
        self.ranges, self.fixed, self.dtype, self.device = ranges, fixed, dtype, device
        self.count = math.prod(r.count for r in ranges)

    def values(self, low: int, high: int) -> dict[str, torch.Tensor]:
        """The values of all variables at the points from ``low`` to before ``high``, as the dtype holds them."""
        import torch

        number = torch.arange(low, high, dtype=torch.int64, device=self.device)
        out: dict[str, Any] = {}
        for r in reversed(self.ranges):
            place = torch.remainder(number, r.count).double()
            number = torch.div(number, r.count, rounding_mode="floor")
            # From the nearer end, so that both ends are met exactly.
            step = (r.last - r.first) / (r.count - 1)
            back = r.last - (r.count - 1 - place) * step
            out[r.name] = torch.where(place * 2 < r.count, r.first + place * step, back).to(self.dtype)
        for name, value in self.fixed.items():
            out[name] = torch.tensor(float(value), dtype=self.dtype, device=self.device)
        return out

    def point(self, index: int) -> dict[str, float]:
        """The values at one point, exactly as they were evaluated."""
        return {n: float(v.reshape(-1)[0]) for n, v in self.values(index, index + 1).items()}

    def shown(self, index: int) -> dict[str, float]:
        """Of the variables that vary."""
        point = self.point(index)
        return {r.name: point[r.name] for r in self.ranges}

    def slowest(self, index: int) -> dict[str, float]:
        """Of the one that varies slowest: a slice holds all values of the others, or nearly."""
        name = self.ranges[0].name
        return {name: self.point(index)[name]}

    def stretches(self, slices: Sequence[bool]) -> tuple[Stretch, ...]:
        """Neighbouring slices in one."""
        out = []
        start = -1
        for n, inside in enumerate([*slices, False]):
            if inside and start < 0:
                start = n
            elif not inside and start >= 0:
                out.append(Stretch(self.slowest(self.edge(start)), self.slowest(self.edge(n) - 1)))
                start = -1
        return tuple(out)

    def edge(self, n: int) -> int:
        """The first point of slice ``n``."""
        return self.count * n // SLICES
