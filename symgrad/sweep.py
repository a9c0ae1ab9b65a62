"""One derivative at very many points: ``--at w=-4:4:10_000_000``.

Ten million points cannot be proven one by one, so all are held against symgrad's own evaluation (the accurate factors,
in float64, compensated), which says where each witness loses its digits. What is said of a witness is then proven: its
worst points, and some spread evenly, go through the judge, as any single point does. Only one piece is in memory.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from symgrad.backward import rows
from symgrad.checking import check_expression, derive
from symgrad.derivation import Derivation, Manual
from symgrad.errors import SymgradError
from symgrad.formats import Format, get_format
from symgrad.frontends.expression import parse
from symgrad.graph import Graph
from symgrad.naming import display_names
from symgrad.ops import lower
from symgrad.points import read_point
from symgrad.ranges import SLICES, Grid, read_ranges
from symgrad.report.sweeping import SweepGradient, SweepReport, SweepWitness

if TYPE_CHECKING:
    import torch

#: Points that are evaluated at once.
PIECE = 1 << 17
#: Points spread evenly that are proven.
EVENLY = 9
#: Bad slices of a witness whose worst points are proven.
SUSPECTS = 3
#: An error up to this many units in the last place is no loss.
CLOSE = 8.0


@dataclass(slots=True)
class _Slice:
    """What is known of one witness in one slice of the points."""

    close: int = 0
    lost: int = 0
    worst: float = -1.0
    where: int = -1
    #: What it computed there.
    value: float = math.nan


@dataclass(slots=True)
class _Tally:
    """One derivative: slices by witness, and the points without a derivative by slice."""

    witnesses: dict[str, list[_Slice]] = field(default_factory=dict)
    undefined: list[int] = field(default_factory=lambda: [0] * SLICES)


#: Told how many points are done, of how many.
Progress = Callable[[int, int], None]


def check_sweep(
    target: Any,
    at: Any,
    *,
    manual: Mapping[str, str] | str | None = None,
    wrt: Sequence[str] | str | None = None,
    dtype: str = "float64",
    device: str = "cpu",
    simplify_seconds: float = 1.0,
    progress: Progress | None = None,
    **refused: Any,
) -> SweepReport:
    """Check a derivative at all points of one or more ranges.

    Args:
        target, wrt, dtype, device, simplify_seconds: as for ``symgrad.check``.
        at: as for ``symgrad.check``, with ranges ``"w=-4:4:1000"`` among its values; several ranges make a grid.
        manual: the user's own derivatives, as formulas.
        progress: called now and then with the points done and the points in all.

    Raises:
        SymgradError: the input cannot be used.
    """
    if refused.pop("order", 1) != 1:
        raise SymgradError("ranges of points are for first derivatives: leave out order 2")
    if any(v for v in refused.values()):
        raise SymgradError(f"'{next(n for n, v in refused.items() if v)}' and a range of points do not go together")
    from symgrad import evaluate

    fmt = get_format(dtype)
    formulas = _formulas(manual)
    ranges, given = read_ranges(at)
    derivation = derive(target, wrt or (list(formulas) if formulas and "" not in formulas else None),
                        simplify_seconds=simplify_seconds)  # fmt: skip
    graph = derivation.graph
    point = read_point(graph, {**given, **{r.name: r.first for r in ranges}}, fmt)
    for r in ranges:
        if max(abs(r.first), abs(r.last)) > float(fmt.largest):
            raise SymgradError(f"the range of '{r.name}' leaves what {fmt.name} holds")
    names = {r.name for r in ranges}
    fixed = {n: point[i] for n, i in graph.variables.items() if n not in names}
    written = _manuals(graph, formulas, [e.label for e in derivation.entries])
    kind, place = evaluate.torch_dtype(fmt), evaluate.torch_device(device)
    grid = Grid(ranges, fixed, kind, place)
    started = time.perf_counter()
    tallies = _run(derivation, grid, written, fmt, progress)
    seconds = time.perf_counter() - started
    return _judged(target, derivation, grid, tallies, written, fmt, device, seconds)


def _formulas(manual: Mapping[str, str] | str | None) -> dict[str, str]:
    if manual is None:
        return {}
    return {"": manual} if isinstance(manual, str) else dict(manual)


def _manuals(graph: Graph, formulas: Mapping[str, str], labels: Sequence[str]) -> dict[str, Graph]:
    """The user's formulas as graphs, by variable."""
    out = {}
    for name, text in formulas.items():
        if not name and len(labels) != 1:
            raise SymgradError(f"say which derivative the formula is: --manual {labels[0]}=...")
        out[name or labels[0]] = found = parse(text)
        for variable in found.variables:
            if variable not in graph.variables:
                raise SymgradError(f"the formula uses '{variable}', which is no variable of the function")
    return out


def _run(
    derivation: Derivation, grid: Grid, manual: Mapping[str, Graph], fmt: Format, progress: Progress | None
) -> list[_Tally]:
    """Evaluate everything at every point, piece by piece."""
    import torch

    labels = [e.label for e in derivation.entries]
    exact = derivation.torch(dtype="float64", value=True)
    witnesses = _witnesses(derivation, manual, fmt, grid)
    # What each witness derives is told by a first point, so that no slice has to make room.
    first = {name: run(grid.values(0, 1)) for name, run in witnesses.items()}
    tallies = [
        _Tally({name: [_Slice() for _ in range(SLICES)] for name, results in first.items() if label in results})
        for label in labels
    ]
    done, lock = 0, threading.Lock()

    def one(n: int) -> None:
        nonlocal done
        for low in range(grid.edge(n), grid.edge(n + 1), PIECE):
            high = min(low + PIECE, grid.edge(n + 1))
            values = grid.values(low, high)
            value, *truths = exact(**{k: v.double() for k, v in values.items()})
            found = {name: run(values) for name, run in witnesses.items()}
            for tally, label, truth in zip(tallies, labels, truths, strict=True):
                usable = torch.isfinite(truth) & torch.isfinite(value)
                tally.undefined[n] += int((~usable).sum())
                for name, slices in tally.witnesses.items():
                    _count(slices[n], found[name][label], truth, usable, fmt, low)
            with lock:
                done += high - low
                if progress is not None:
                    progress(done, grid.count)

    # Each thread does slices of its own. torch's threads, which share every operation, wait for one another instead:
    # on a busy machine fifty times as long as they work.
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with ThreadPoolExecutor(threads) as pool:
            for _ in pool.map(one, range(SLICES)):
                pass
    finally:
        torch.set_num_threads(threads)
    return tallies


def _count(into: _Slice, found: torch.Tensor, truth: torch.Tensor, usable: torch.Tensor, fmt: Format, low: int) -> None:
    """Add one piece to a slice's summary."""
    import torch

    wide = found.double().expand(truth.shape)
    unit = torch.clamp(truth.abs() * 2.0 ** (1 - fmt.digits), min=float(fmt.tiny))
    error = (wide - truth).abs().div_(unit)
    # What overflowed or became nan, where there is a derivative that the format holds.
    held = truth.abs() <= float(fmt.largest)
    error = torch.where(torch.isfinite(wide), error, torch.where(held, math.inf, 0.0))
    error = torch.where(usable, error, -1.0)
    into.close += int(((error <= CLOSE) & usable).sum())
    # Below the normal range no format has all of its digits.
    normal = truth.abs() >= float(fmt.smallest_normal)
    into.lost += int(((error > 2.0 ** (fmt.digits / 2)) & normal).sum())
    worst, where = torch.max(error, dim=0)
    if float(worst) > into.worst:
        into.worst, into.where = float(worst), low + int(where)
        into.value = float(wide[where])


def _witnesses(
    derivation: Derivation, manual: Mapping[str, Graph], fmt: Format, grid: Grid
) -> dict[str, Callable[[Mapping[str, torch.Tensor]], dict[str, torch.Tensor]]]:
    """Each witness as a function from the variables' values to its derivatives, by label."""
    from symgrad import evaluate

    graph, labels = derivation.graph, [e.label for e in derivation.entries]
    dtype, device = grid.dtype, grid.device
    fast = derivation.torch(dtype=fmt.name)
    forward = lower(graph)
    (taught,) = rows(graph, derivation.wrt, 1, "taught")
    reverse = lower(taught.reverse.graph)
    written = {name: (lower(g), g) for name, g in manual.items()}

    def symbolic(values: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        out = fast(**values)
        return dict(zip(labels, out if isinstance(out, tuple) else (out,), strict=True))

    def autograd(values: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        size = max(values.values(), key=lambda v: v.numel()).shape
        leaves = {forward.place[i]: values[n].expand(size) for n, i in graph.variables.items()}
        wrt = [forward.place[i] for i in derivation.wrt]
        _, found = evaluate.autograd(forward.graph, leaves, wrt, dtype=dtype, device=device)
        return dict(zip(labels, found, strict=True))

    def backward(values: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        placed = {reverse.place[i]: values[n] for n, i in graph.variables.items()}
        targets = [reverse.place[t] for t in taught.targets]
        return dict(zip(labels, evaluate.run(reverse.graph, placed, targets, dtype=dtype, device=device), strict=True))

    def by_hand(values: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        out = {}
        for name, (low, g) in written.items():
            placed = {low.place[i]: values[n] for n, i in g.variables.items()}
            target = low.place[g.output]
            (out[name],) = evaluate.run(low.graph, placed, [target], dtype=dtype, device=device)
        return out

    found: dict[str, Any] = {"symbolic": symbolic, "autograd": autograd, "backward": backward}
    return found | {"manual": by_hand} if manual else found


def _judged(
    target: Any, derivation: Derivation, grid: Grid, tallies: Sequence[_Tally], manual: Mapping[str, Graph],
    fmt: Format, device: str, seconds: float,
) -> SweepReport:  # fmt: skip
    """Prove what the summaries suspect, and put everything together."""
    graph = derivation.graph
    names = display_names(graph)
    usable = [n for n in range(SLICES) if grid.edge(n) < grid.edge(n + 1)]
    evenly = {min(grid.count - 1, round(k * (grid.count - 1) / (EVENLY - 1))) for k in range(EVENLY)}
    suspects: set[int] = set()
    for tally in tallies:
        for slices in tally.witnesses.values():
            order = sorted(usable, key=lambda n: -slices[n].worst)
            # Where rounding is at its worst a small mistake does not show: so some of the better slices too.
            picked = [*order[:SUSPECTS], *(order[len(order) * k // 4] for k in (1, 2, 3))]
            picked += [n for n in usable if slices[n].lost][:1]
            suspects |= {slices[n].where for n in picked if slices[n].where >= 0}
    proofs: dict[int, Any] = {}
    notes: dict[str, None] = {}
    for index in sorted(evenly | suspects):
        point = grid.point(index)
        mine = {
            name: Manual(g, g.output, {i: Fraction(point[n]) for n, i in g.variables.items()})
            for name, g in manual.items()
        }
        wrt = [e.label for e in derivation.entries]
        try:
            report = check_expression(
                graph, point, wrt=wrt, dtype=fmt.name, device=device, simplify_seconds=0, manual=mine
            )
        except SymgradError:
            continue  # outside the domain: counted among the points without a derivative
        proofs[index] = report
        notes |= {f"at {_point(grid.shown(index))}: {g.symbol}: {g.reason}": None for g in report.gradients if g.reason}
    gradients = []
    for entry, tally in zip(derivation.entries, tallies, strict=True):
        found = {}
        for name, slices in tally.witnesses.items():
            found[name] = _witness(name, entry.label, slices, proofs, grid, usable)
        closed = "" if entry.closed.reason else str(_text(entry))
        symbol = f"d{names[graph.output] or 'f'}/d{entry.label}"
        empty = tuple(grid.stretches([tally.undefined[n] > 0 for n in range(SLICES)]))
        gradients.append(SweepGradient(entry.label, symbol, closed, sum(tally.undefined), empty, found))
    verdicts = [w.verdict for g in gradients for w in g.witnesses.values()]
    verdict = next((v for v in ("disagree", "rounding") if v in verdicts), "agree")
    if all(g.undefined == grid.count for g in gradients):
        verdict = "undefined"
    return SweepReport(
        target if isinstance(target, str) else graph.source or str(target), names[graph.output] or "f",
        grid.count,
        tuple((r.name, r.first, r.last, r.count) for r in grid.ranges), {n: float(v) for n, v in grid.fixed.items()},
        fmt.name, device, verdict, tuple(gradients), len(proofs), seconds, tuple(list(notes)[:5]),
    )  # fmt: skip


def _text(entry: Any) -> str:
    from symgrad import symbolic
    from symgrad.steps import READABLE

    text = symbolic.sympy_text(entry.closed.simplified)
    return text if len(text) <= READABLE else ""


def _witness(
    name: str, label: str, slices: Sequence[_Slice], proofs: Mapping[int, Any], grid: Grid, usable: Sequence[int]
) -> SweepWitness:
    """The summary of one witness. Its verdict is the worst that was proven; where nothing was lost, it agrees."""
    top = max(usable, key=lambda n: slices[n].worst)
    where, worst = slices[top].where, slices[top].worst
    seen = {i: r[label].witnesses[name] for i, r in sorted(proofs.items()) if name in r[label].witnesses}
    refuted = next((i for i, w in seen.items() if w.verdict == "disagree"), None)
    at = proofs[where][label] if where in proofs else None
    verdicts = [w.verdict for w in seen.values()]
    verdict = next((v for v in ("disagree", "rounding", "agree") if v in verdicts), "undefined")
    mine = seen.get(where)
    return SweepWitness(
        name, sum(s.close for s in slices), sum(s.lost for s in slices),
        grid.stretches([s.lost > 0 for s in slices]), max(worst, 0.0), grid.shown(max(where, 0)), verdict,
        mine.verdict if mine is not None else "undefined", mine.lost_at if mine is not None else "", slices[top].value,
        at.exact if at is not None else "",
        None if refuted is None else grid.shown(refuted),
    )  # fmt: skip


def _point(at: Mapping[str, float]) -> str:
    return ", ".join(f"{n} = {v:.9g}" for n, v in at.items())
