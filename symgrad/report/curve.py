"""A function of one variable over a range, its derivative and who computes it how well; and the picture of that."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

#: How each witness is drawn: colour, dashes, marker.
_LOOK = {
    "exact": ("#1f2328", "-", ""),
    "autograd": ("#0550ae", "--", "."),
    "manual": ("#cf222e", "-.", "x"),
}
WORDS = {"exact": "exact (proven)", "autograd": "autograd (torch)", "manual": "manual (yours)"}


@dataclass(frozen=True, slots=True)
class Curve:
    """What is plotted, as plain data.

    Attributes:
        target: the function as it was given; ``result``, ``variable``: how its value and its variable are called.
        xs: the points, exactly as the dtype holds them.
        values: of the function; NaN where it has none.
        derivatives: ``"exact"`` (proven, rounded to the nearest float), ``"autograd"`` and perhaps ``"manual"``.
        errors: of the last two: their distance from the proven derivative in units in the last place of it.
        dtype, device: where they were computed.
        at: the values of the other variables.
    """

    target: str
    result: str
    variable: str
    xs: tuple[float, ...]
    values: tuple[float, ...]
    derivatives: Mapping[str, tuple[float, ...]]
    errors: Mapping[str, tuple[float, ...]]
    dtype: str
    device: str
    at: Mapping[str, float]

    def worst(self, witness: str) -> tuple[float, float]:
        """Where a witness is furthest off, and by how many units in the last place; NaN where nothing is known."""
        pairs = [(e, x) for e, x in zip(self.errors[witness], self.xs, strict=True) if not math.isnan(e)]
        if not pairs:
            return math.nan, math.nan
        error, x = max(pairs)
        return x, error


def picture(curve: Curve, kind: str = "png") -> bytes:
    """Three panels over one axis: the function, its derivatives, and their errors on a logarithmic scale.

    Args:
        kind: ``"png"``, ``"svg"`` or ``"pdf"``.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.5, 8.0), layout="constrained")
    top, middle, bottom = figure.subplots(3, 1, sharex=True, height_ratios=(2, 3, 3))
    plain = {"parse_math": False}
    derivative = f"d{curve.result}/d{curve.variable}"
    title = curve.target if len(curve.target) <= 90 else curve.target[:88] + " …"
    fixed = "".join(f", {n} = {v:g}" for n, v in curve.at.items())
    top.set_title(f"{title}    ({curve.dtype} on {curve.device}{fixed})", fontsize=10, **plain)
    top.plot(curve.xs, _drawable(curve.values), color="#1f2328")
    top.set_ylabel(curve.result, **plain)
    for name, ys in curve.derivatives.items():
        colour, dashes, _ = _LOOK[name]
        wide = 2.6 if name == "exact" else 1.6
        middle.plot(curve.xs, _drawable(ys), color=colour, linestyle=dashes, linewidth=wide, label=WORDS[name])
    middle.set_ylabel(derivative, **plain)
    middle.legend(fontsize=9)
    _limit(middle, curve.derivatives.get("exact", ()), curve.derivatives)
    for name, ys in curve.errors.items():
        colour, _, marker = _LOOK[name]
        # What is exactly right has no place on a logarithmic scale: it stands at the bottom.
        shown = [math.nan if math.isnan(e) else min(max(e, 0.05), 1e300) for e in ys]
        bottom.plot(curve.xs, shown, marker, color=colour, markersize=4, label=WORDS[name])
    bottom.set_yscale("log")
    bottom.axhline(1.0, color="#57606a", linewidth=0.8)
    bottom.annotate("1 ulp", (curve.xs[0], 1.0), fontsize=8, color="#57606a", va="bottom")
    bottom.set_ylabel("error in ulp of the exact value")
    bottom.set_xlabel(curve.variable, **plain)
    if curve.errors:
        bottom.legend(fontsize=9)
    for axes in (top, middle, bottom):
        axes.grid(visible=True, color="#d0d7de", linewidth=0.6)
    buffer = io.BytesIO()
    figure.savefig(buffer, format=kind, dpi=130)
    return buffer.getvalue()


def _drawable(values: Sequence[float]) -> list[float]:
    return [v if math.isfinite(v) else math.nan for v in values]


def _limit(axes: Any, exact: Sequence[float], all_of_them: Mapping[str, Sequence[float]]) -> None:
    """The axis shows the exact derivative whole; of a manual one that is far off, where it parts."""
    finite = [v for v in exact if math.isfinite(v)]
    others = [v for ys in all_of_them.values() for v in ys if math.isfinite(v)]
    if not finite or not others:
        return
    low, high = min(finite), max(finite)
    room = (high - low) or max(abs(high), 1.0)
    axes.set_ylim(max(min(others), low - 2 * room) - 0.05 * room, min(max(others), high + 2 * room) + 0.05 * room)
