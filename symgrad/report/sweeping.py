"""The report on very many points at once: its data, its text and its JSON. No mathematics here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from symgrad.report.document import number
from symgrad.report.shown import Verdict
from symgrad.report.sources import MARK
from symgrad.report.text import STYLE, WITNESS, begun, finished
from symgrad.report.unicode import pretty

SCHEMA = "symgrad-sweep/1"


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch of the points, by the first and the last one that it holds."""

    first: Mapping[str, float]
    last: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class SweepWitness:
    """One witness of one derivative at all points.

    Attributes:
        name: symbolic, autograd, backward or manual.
        close: how many points are within 8 units in the last place of the reference.
        lost: how many have lost more than half of the dtype's digits; ``where`` are the stretches that hold them.
        worst: the largest error, in units in the last place, and ``at`` its point.
        verdict: the worst of those proven at any point where there is a derivative.
        there: the verdict proven at the worst point, and ``lost_at`` the step that loses the digits there.
        value, exact: what it computed at that point, and the proven digits.
        refuted: the first point, in order, at which it was proven to disagree.
    """

    name: str
    close: int
    lost: int
    where: tuple[Stretch, ...]
    worst: float
    at: Mapping[str, float]
    verdict: str
    there: str
    lost_at: str
    value: float
    exact: str
    refuted: Mapping[str, float] | None = None


@dataclass(frozen=True, slots=True)
class SweepGradient:
    """One derivative at all points.

    Attributes:
        wrt, symbol: the variable, and how the derivative is written.
        derivative: the simplified form; empty where it is too long.
        undefined: how many points have no value or no finite derivative, in the stretches ``where``.
        witnesses: by name.
    """

    wrt: str
    symbol: str
    derivative: str
    undefined: int
    where: tuple[Stretch, ...]
    witnesses: Mapping[str, SweepWitness]


@dataclass(frozen=True, slots=True)
class SweepReport(Verdict[SweepGradient]):
    """The result of a check at very many points.

    Attributes:
        target: the function; ``result`` the name of its value.
        points: how many; ``ranges`` is what was asked for: (name, first, last, count), and ``fixed`` the other values.
        dtype, device: where the witnesses ran.
        verdict: agree, rounding, disagree, or undefined where no point has a derivative.
        proven: at how many points the derivative was proven.
        notes: what the proofs found that is no verdict: kinks.
        seconds: how long the evaluation took.
    """

    target: str
    result: str
    points: int
    ranges: tuple[tuple[str, float, float, int], ...]
    fixed: Mapping[str, float]
    dtype: str
    device: str
    verdict: str
    gradients: tuple[SweepGradient, ...]
    proven: int
    seconds: float
    notes: tuple[str, ...] = field(default=())

    def to_json(self) -> dict[str, Any]:
        """The report as one JSON document."""
        return {
            "schema": SCHEMA, "target": self.target, "verdict": self.verdict, "exit_code": self.exit_code,
            "points": self.points,
            "ranges": [{"name": n, "first": a, "last": b, "count": c} for n, a, b, c in self.ranges],
            "at": dict(self.fixed), "dtype": self.dtype, "device": self.device, "proven_points": self.proven,
            "seconds": self.seconds, "notes": list(self.notes),
            "gradients": [_gradient(g) for g in self.gradients],
        }  # fmt: skip

    def explain(self, *, width: int = 100, color: bool = False, unicode: bool = False) -> str:
        """The report as text, as the command line prints it; ``unicode``: formulas with the signs of mathematics."""
        buffer, console = begun(width, color)
        shown = self
        if unicode:
            gradients = tuple(replace(g, derivative=pretty(g.derivative)) for g in self.gradients)
            shown = replace(self, gradients=gradients, target=pretty(self.target))
        _render(console, shown)
        return finished(buffer)


def _gradient(gradient: SweepGradient) -> dict[str, Any]:
    return {
        "wrt": gradient.wrt, "derivative": gradient.derivative, "undefined": gradient.undefined,
        "undefined_where": [_stretch(s) for s in gradient.where],
        "witnesses": {
            w.name: {
                "verdict": w.verdict, "within_8_ulp": w.close, "half_lost": w.lost,
                "half_lost_where": [_stretch(s) for s in w.where], "worst_ulp": number(w.worst), "worst_at": dict(w.at),
                "worst_verdict": w.there,
                "value": number(w.value), "exact": w.exact or None, "lost_at": w.lost_at or None,
                "refuted_at": None if w.refuted is None else dict(w.refuted),
            }
            for w in gradient.witnesses.values()
        },
    }  # fmt: skip


def _stretch(stretch: Stretch) -> dict[str, Any]:
    return {"first": dict(stretch.first), "last": dict(stretch.last)}


_WORDS = {
    "agree": "every witness agrees",
    "rounding": "no mistake: what differs is rounding",
    "undefined": "there is no derivative at any of these points",
    "disagree": "a witness disagrees with the exact derivative",
}


def _render(console: Console, report: SweepReport) -> None:
    head = Text.assemble((f"{MARK[report.verdict]} {report.verdict}", STYLE[report.verdict]))
    console.print(head.append(f": {_WORDS[report.verdict]}"))
    asked = [f"{n} = {_short(a)} ... {_short(b)}" for n, a, b, _ in report.ranges]
    asked += [f"{n} = {_short(v)}" for n, v in report.fixed.items()]
    where = f"  {report.points:,} points, {', '.join(asked)} ({report.dtype} on {report.device})"
    console.print(Text(where, "dim"))
    for gradient in report.gradients:
        title = Text(f"\n{gradient.symbol}", "bold")
        console.print(title.append(f" = {gradient.derivative}" if gradient.derivative else "", "not bold"))
        if gradient.undefined:
            places = "; ".join(map(_span, gradient.where))
            console.print(Text(f"  no derivative at {gradient.undefined:,} points, in {places}"), soft_wrap=False)
        table = Table.grid(padding=(0, 2))
        table.add_column()
        table.add_column(no_wrap=True)
        table.add_column(justify="right", no_wrap=True)
        table.add_column(justify="right", no_wrap=True)
        table.add_column(no_wrap=True)
        table.add_column(overflow="fold")
        table.add_row("", "", *(Text(t, "dim") for t in ("within 8 ulp", "worst, in ulp", "at", "there")))
        for w in gradient.witnesses.values():
            there = Text(f"{MARK[w.there]} {w.there}", STYLE[w.there])
            if w.lost_at:
                there.append(f": digits lost at {w.lost_at}", "dim")
            share = _share(w.close, report.points - gradient.undefined)
            table.add_row("", WITNESS[w.name], share, f"{w.worst:.3g}", _point(w.at), there)
        console.print(table)
        for w in gradient.witnesses.values():
            if w.lost:
                places = "; ".join(map(_span, w.where))
                line = f"  {w.name}: fewer than half of the digits are right at {w.lost:,} points, in {places}"
                console.print(Text(line), soft_wrap=False)
            if w.refuted is not None:
                line = f"  {w.name} parts from the exact derivative: at {_point(w.refuted)} it is proven to be wrong"
                console.print(Text(line, STYLE["disagree"]))
    for note in report.notes:
        console.print(Text(f"note: {note}"))
    rate = report.points / report.seconds if report.seconds else 0.0
    last = f"\nproven at {report.proven} points, the worst of each witness among them; the others are held against"
    last += f" symgrad's own evaluation in float64 ({report.seconds:.1f} s, {rate:.1e} points/s)"
    console.print(Text(last, "dim"))


def _share(part: int, whole: int) -> str:
    if part == whole:
        return "all"
    percent = f"{100 * part / whole:.2f}" if whole else "0"
    return ("99.99" if percent == "100.00" else percent) + " %"


def _short(value: float) -> str:
    return f"{value:.9g}"


def _point(at: Mapping[str, float]) -> str:
    return ", ".join(f"{n} = {_short(v)}" for n, v in at.items())


def _span(stretch: Stretch) -> str:
    names = list(stretch.first)
    return ", ".join(f"{n} = {_short(stretch.first[n])} ... {_short(stretch.last[n])}" for n in names)
