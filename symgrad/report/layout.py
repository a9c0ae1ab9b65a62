"""Where the boxes and wires of a sheet stand: columns from left to right, nothing on top of anything else.

The words on a wire are a box of their own, which the wire runs through, and a wire that crosses columns gets a place in
each of them; so labels cannot meet labels, boxes or other wires' places. The order within the columns is found by
Graphviz where that is asked for and installed, else by igraph.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from symgrad.report.sheets import Box, Sheet, Wire, layers

#: Of the monospaced type that boxes are set in, in pixels.
CHARACTER, LINE = 7.8, 17.0
PADDING, GAP, ROW_GAP, MARGIN = 10.0, 22.0, 16.0, 12.0
#: Graphviz may take so long, in seconds.
PATIENCE = 20.0


@dataclass(frozen=True, slots=True)
class Placed:
    """A box with its corner and size."""

    box: Box
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Routed:
    """A wire: the points that it runs through, and the middle of its words."""

    wire: Wire
    points: tuple[tuple[float, float], ...]
    x: float
    y: float
    width: float


@dataclass(frozen=True, slots=True)
class Layout:
    """A sheet on paper."""

    sheet: Sheet
    boxes: tuple[Placed, ...]
    wires: tuple[Routed, ...]
    width: float
    height: float


@dataclass(slots=True)
class _Spot:
    """Something that takes a place in a column: a box, a wire's words, or a wire passing through."""

    column: int
    width: float
    height: float
    y: float = 0.0


def place(sheet: Sheet, *, engine: str = "igraph") -> Layout:
    """Lay a sheet out.

    Args:
        engine: ``"igraph"``, or ``"dot"`` for Graphviz (which must be installed).
    """
    columns = layers(sheet)
    spots: list[_Spot] = []
    at: dict[str, int] = {}
    for box in sheet.boxes:
        wide = max((len(line) for line in box.lines), default=1) * CHARACTER + 2 * PADDING
        at[box.key] = len(spots)
        spots.append(_Spot(2 * columns[box.key], max(wide, 44.0), len(box.lines) * LINE + PADDING))
    edges: list[tuple[int, int]] = []
    ways: list[list[int]] = []
    wires = [w for w in sheet.wires if w.tail in at and w.head in at]
    for wire in wires:
        start, end = at[wire.tail], at[wire.head]
        way = [start]
        words = max(len(wire.above), len(wire.below)) * CHARACTER
        for column in range(spots[start].column + 1, spots[end].column):
            label = column == spots[start].column + 1
            spots.append(_Spot(column, words + 8 if label else 4.0, 2 * LINE + 6 if label else 12.0))
            way.append(len(spots) - 1)
        way.append(end)
        edges += list(pairwise(way))
        ways.append(way)
    ranks = _dot(spots, edges) if engine == "dot" else _igraph(spots, edges)
    left = _columns(spots)
    _settle(spots, ranks)
    return _drawn(sheet, wires, spots, ways, at, left)


def _igraph(spots: Sequence[_Spot], edges: Sequence[tuple[int, int]]) -> list[float]:
    """A height for each spot, in rows."""
    if not edges:
        return [float(n) for n in range(len(spots))]
    import igraph

    graph = igraph.Graph(n=len(spots), edges=list(edges), directed=True)
    found = graph.layout_sugiyama(layers=[s.column for s in spots], hgap=1, vgap=1, maxiter=60)
    return [float(x) for x, _ in found.coords]


def has_graphviz() -> bool:
    """Whether Graphviz' dot can be called."""
    return shutil.which("dot") is not None


def _dot(spots: Sequence[_Spot], edges: Sequence[tuple[int, int]]) -> list[float]:
    """The same by Graphviz; where it does not answer in time, by igraph."""
    lines = ["digraph G {", 'rankdir=LR; node [shape=box, label="", fixedsize=true]; edge [arrowhead=none];']
    for n, s in enumerate(spots):
        lines.append(f"s{n} [width={s.width / 72:.3f}, height={s.height / 72:.3f}];")
    lines += [f"s{a} -> s{b};" for a, b in edges]
    for column in sorted({s.column for s in spots}):
        members = "; ".join(f"s{n}" for n, s in enumerate(spots) if s.column == column)
        lines.append(f"{{ rank=same; {members}; }}")
    lines.append("}")
    try:
        done = subprocess.run(
            ["dot", "-Tplain"], input="\n".join(lines), capture_output=True, text=True, timeout=PATIENCE, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return _igraph(spots, edges)
    heights = [0.0] * len(spots)
    for line in done.stdout.splitlines():
        words = line.split()
        if words[:1] == ["node"]:
            heights[int(words[1][1:])] = -float(words[3])
    return heights


def _columns(spots: Sequence[_Spot]) -> Mapping[int, float]:
    """Column -> its middle."""
    wide: dict[int, float] = {}
    for s in spots:
        wide[s.column] = max(wide.get(s.column, 0.0), s.width)
    middle: dict[int, float] = {}
    x = MARGIN
    for column in range(min(wide, default=0), max(wide, default=0) + 1):
        # A column of wires that merely pass through is narrow.
        mine = wide.get(column, 4.0)
        middle[column] = x + mine / 2
        x += mine + GAP * (0.7 if mine < 8 else 1.0)
    return middle


def _settle(spots: Sequence[_Spot], ranks: Sequence[float]) -> None:
    """Heights in pixels: the order of the engine, as near to its heights as the sizes allow."""
    by_column: dict[int, list[int]] = {}
    for n, s in enumerate(spots):
        by_column.setdefault(s.column, []).append(n)
    values = sorted(set(ranks))
    steps = [b - a for a, b in pairwise(values) if b - a > 1e-6]
    unit = 2 * LINE + 6 + ROW_GAP
    # Graphviz answers in inches, igraph in rows: the same picture either way.
    scale = unit if not steps or max(values) - min(values) < 3 * len(spots) else 72.0
    for members in by_column.values():
        members.sort(key=lambda n: (ranks[n], n))
        floor = -1e18
        for n in members:
            s = spots[n]
            s.y = max(ranks[n] * scale, floor + s.height / 2)
            floor = s.y + s.height / 2 + ROW_GAP
        # What was pushed down is pulled back as a whole, so that the columns stay level.
        drift = sum(spots[n].y - ranks[n] * scale for n in members) / len(members)
        for n in members:
            spots[n].y -= drift
    top = min((s.y - s.height / 2 for s in spots), default=0.0)
    for s in spots:
        s.y += MARGIN - top


def _drawn(
    sheet: Sheet, wires: Sequence[Wire], spots: Sequence[_Spot], ways: Sequence[Sequence[int]], at: Mapping[str, int],
    middle: Mapping[int, float],
) -> Layout:  # fmt: skip
    boxes = []
    for box in sheet.boxes:
        s = spots[at[box.key]]
        boxes.append(Placed(box, middle[s.column] - s.width / 2, s.y - s.height / 2, s.width, s.height))
    routed = []
    for wire, way in zip(wires, ways, strict=True):
        first, last = spots[way[0]], spots[way[-1]]
        points = [(middle[first.column] + first.width / 2, first.y)]
        for n in way[1:-1]:
            s = spots[n]
            half = s.width / 2
            points += [(middle[s.column] - half, s.y), (middle[s.column] + half, s.y)]
        points.append((middle[last.column] - last.width / 2, last.y))
        label = spots[way[1]] if len(way) > 2 else first
        routed.append(Routed(wire, tuple(points), middle[label.column], label.y, label.width))
    width = max((p.x + p.width for p in boxes), default=0.0)
    width = max(width, *(r.x + r.width / 2 for r in routed)) if routed else width
    height = max((s.y + s.height / 2 for s in spots), default=0.0)
    return Layout(sheet, tuple(boxes), tuple(routed), width + MARGIN, height + MARGIN)
