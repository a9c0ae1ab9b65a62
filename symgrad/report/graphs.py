"""The computation graph as a picture of its own: SVG, PNG, PDF, or Graphviz' own language."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

from symgrad.errors import SymgradError
from symgrad.report.layout import LINE, PADDING, Layout, has_graphviz, place
from symgrad.report.picture import Picture
from symgrad.report.sheets import Sheet, sheets
from symgrad.report.svg import svg

KINDS = ("svg", "png", "pdf", "dot")
#: Of a drawing, in pixels to the inch.
_PIXELS = 96.0

_STROKE = {"": "#57606a", "right": "#1a7f37", "wrong": "#cf222e", "inherited": "#9a6700"}
_FILL = {"input": "#eef4fb", "stage": "#f6f8fa", "outside": "#f6f8fa"}


def kind_of(path: str | Path, kinds: tuple[str, ...], option: str) -> str:
    """What the name of a file asks for.

    Raises:
        SymgradError: it ends in none of the kinds.
    """
    suffix = Path(path).suffix.removeprefix(".").lower()
    if suffix not in kinds:
        known = ", ".join("." + k for k in kinds)
        raise SymgradError(f"{option} {path}: the name must end in one of {known}")
    return suffix


def graph_bytes(picture: Picture | None, kind: str) -> bytes:
    """The drawing; of a long function the overview of its stages.

    Raises:
        SymgradError: there is nothing to draw.
    """
    if picture is None:
        raise SymgradError("there is no graph to draw: nothing is differentiated here")
    sheet = sheets(picture)
    if kind == "dot":
        return dot(sheet).encode()
    layout = place(sheet, engine="dot" if has_graphviz() else "igraph")
    if kind == "svg":
        return (
            '<?xml version="1.0" encoding="UTF-8"?>\n' + svg(layout, title=sheet.title, standalone=True, links=False)
        ).encode()
    return _raster(layout, kind)


def dot(sheet: Sheet) -> str:
    """The sheet in Graphviz' language, with the words on its wires."""
    shapes = {"input": "ellipse", "stage": "box3d", "result": "box"}
    lines = ["digraph G {", "  rankdir=LR;", '  node [fontname="monospace"]; edge [fontname="monospace"];']
    for box in sheet.boxes:
        look = f'shape={shapes.get(box.kind, "box")}, color="{_STROKE[box.status]}"'
        look += ", penwidth=3" if box.status == "wrong" else ", style=dashed" if box.status == "inherited" else ""
        lines.append(f"  {_quoted(box.key)} [label={_quoted(chr(10).join(box.lines))}, {look}];")
    for wire in sheet.wires:
        words = "\n".join(t for t in (wire.above, wire.below) if t)
        look = f'color="{_STROKE[wire.status]}"'
        look += ", penwidth=3" if wire.status == "wrong" else ", style=dashed" if wire.status == "inherited" else ""
        lines.append(f"  {_quoted(wire.tail)} -> {_quoted(wire.head)} [label={_quoted(words)}, {look}];")
    return "\n".join([*lines, "}"]) + "\n"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _raster(layout: Layout, kind: str) -> bytes:
    """The same drawing by Matplotlib, which has its fonts with it."""
    import io

    figure = _figure(layout)
    buffer = io.BytesIO()
    figure.savefig(buffer, format=kind, dpi=2 * _PIXELS, metadata={"CreationDate": None} if kind == "pdf" else None)
    return buffer.getvalue()


def _figure(layout: Layout) -> Any:
    from matplotlib.figure import Figure
    from matplotlib.patches import FancyBboxPatch, PathPatch

    figure = Figure(figsize=(layout.width / _PIXELS, layout.height / _PIXELS))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, layout.width)
    axes.set_ylim(layout.height, 0)
    axes.axis("off")
    size = 12 * 72 / _PIXELS
    font: dict[str, Any] = {"family": "DejaVu Sans Mono", "fontsize": size, "ha": "center", "va": "baseline"}
    font["parse_math"] = False
    for routed in layout.wires:
        status = routed.wire.status
        axes.add_patch(PathPatch(_path(routed.points), fill=False, **_pen(status)))
        x, y = routed.points[-1]
        axes.plot([x - 7, x, x - 7], [y - 4, y, y + 4], color=_STROKE[status], linewidth=1.2)
        if routed.wire.above:
            axes.text(routed.x, routed.y - 5, routed.wire.above, color="#0a5c2b", **font)
        if routed.wire.below:
            axes.text(routed.x, routed.y + LINE - 3, routed.wire.below, color="#8a1c1c", **font)
    for placed in layout.boxes:
        box = placed.box
        axes.add_patch(
            FancyBboxPatch(
                (placed.x, placed.y), placed.width, placed.height, boxstyle="round,pad=0,rounding_size=4",
                facecolor=_FILL.get(box.kind, "#ffffff"), **_pen(box.status, thick=box.kind == "result"),
            )
        )  # fmt: skip
        for n, line in enumerate(box.lines):
            y = placed.y + PADDING / 2 + n * LINE + LINE * 0.72
            axes.text(
                placed.x + placed.width / 2, y, line, color="#1f2328", weight="bold" if n == 0 else "normal", **font
            )  # fmt: skip
    return figure


def _pen(status: str, *, thick: bool = False) -> dict[str, Any]:
    width = 2.2 if status == "wrong" else 1.6 if status == "inherited" or thick else 1.0
    return {"edgecolor": _STROKE[status], "linewidth": width, "linestyle": "--" if status == "inherited" else "-"}


def _path(points: tuple[tuple[float, float], ...]) -> Any:
    from matplotlib.path import Path as Way

    vertices, codes = [points[0]], [Way.MOVETO]
    for (x0, y0), (x1, y1) in pairwise(points):
        middle = (x0 + x1) / 2
        vertices += [(middle, y0), (middle, y1), (x1, y1)]
        codes += [Way.CURVE4] * 3
    return Way(vertices, codes)
