"""A laid-out sheet as SVG. Every word goes through :func:`html.escape`."""

from __future__ import annotations

from html import escape
from itertools import pairwise

from symgrad.report.layout import LINE, PADDING, Layout, Placed, Routed

FONT = "'DejaVu Sans Mono', 'Liberation Mono', Menlo, Consolas, monospace"

#: For a drawing that stands alone; in a page the page's own style sheet takes its place.
STYLE = """
svg.graph { background: #fff; color: #1f2328 }
.graph text { font: 12px FONT; fill: #1f2328 }
.graph .name { font-weight: bold }
.graph .box rect { fill: #fff; stroke: #57606a; stroke-width: 1.2 }
.graph .input rect { fill: #eef4fb }
.graph .result rect { stroke-width: 2.4 }
.graph .outside rect { stroke-dasharray: 4 3; fill: #f6f8fa }
.graph .stage rect { fill: #f6f8fa; rx: 10 }
.graph .wire path { fill: none; stroke: #6e7781; stroke-width: 1.4 }
.graph .above { fill: #0a5c2b }
.graph .below { fill: #8a1c1c }
.graph .right > path { stroke: #1a7f37 }
.graph .right > rect { stroke: #1a7f37 }
.graph .wrong > path { stroke: #cf222e; stroke-width: 3 }
.graph .wrong > rect { stroke: #cf222e; stroke-width: 3 }
.graph .inherited > path { stroke: #9a6700; stroke-dasharray: 6 3; stroke-width: 2 }
.graph .inherited > rect { stroke: #9a6700; stroke-dasharray: 6 3; stroke-width: 2 }
""".replace("FONT", FONT)


def svg(layout: Layout, *, title: str = "", standalone: bool = False, links: bool = True) -> str:
    """The drawing.

    Args:
        title: what it shows, in words.
        standalone: a file of its own, with its style.
        links: boxes and wires lead to their steps in the page.
    """
    w, h = layout.width, layout.height
    head = f'<svg xmlns="http://www.w3.org/2000/svg" class="graph" width="{w:.0f}" height="{h:.0f}"'
    out = [f'{head} viewBox="0 0 {w:.0f} {h:.0f}">']
    if title:
        out.append(f"<title>{escape(title)}</title>")
    if standalone:
        out.append(f"<style>{STYLE}</style>")
    out += [_wire(r, links=links) for r in layout.wires]
    out += [_box(p, links=links) for p in layout.boxes]
    out.append("</svg>")
    return "\n".join(out)


def _text(x: float, y: float, words: str, look: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="middle" class="{look}">{escape(words)}</text>'


def _wrapped(inner: str, look: str, href: str, label: str, *, links: bool) -> str:
    name = f"<title>{escape(label)}</title>" if label else ""
    if links and href:
        aria = f' aria-label="{escape(label)}"' if label else ""
        return f'<a href="{escape(href)}" class="{look}"{aria}>{name}{inner}</a>'
    return f'<g class="{look}">{name}{inner}</g>'


def _box(placed: Placed, *, links: bool) -> str:
    box = placed.box
    parts = [
        f'<rect x="{placed.x:.1f}" y="{placed.y:.1f}" width="{placed.width:.1f}" height="{placed.height:.1f}" rx="4"/>'
    ]
    for n, line in enumerate(box.lines):
        y = placed.y + PADDING / 2 + n * LINE + LINE * 0.72
        parts.append(_text(placed.x + placed.width / 2, y, line, "name" if n == 0 else "detail"))
    look = f"box {box.kind} {box.status}".strip()
    return _wrapped("".join(parts), look, box.href, box.label, links=links)


def _wire(routed: Routed, *, links: bool) -> str:
    wire = routed.wire
    parts = [f'<path d="{path(routed)}"/>']
    x, y = routed.points[-1]
    parts.append(f'<path class="tip" d="M{x - 7:.1f} {y - 4:.1f}L{x:.1f} {y:.1f}L{x - 7:.1f} {y + 4:.1f}"/>')
    if wire.above:
        parts.append(_text(routed.x, routed.y - 5, wire.above, "above"))
    if wire.below:
        parts.append(_text(routed.x, routed.y + LINE - 3, wire.below, "below"))
    look = f"wire {wire.status}".strip()
    return _wrapped("".join(parts), look, wire.href if wire.label else "", wire.label, links=links)


def path(routed: Routed) -> str:
    """The way of a wire: straight through its words, bent between columns."""
    points = routed.points
    out = [f"M{points[0][0]:.1f} {points[0][1]:.1f}"]
    for (x0, y0), (x1, y1) in pairwise(points):
        if abs(y1 - y0) < 0.5:
            out.append(f"L{x1:.1f} {y1:.1f}")
        else:
            middle = (x0 + x1) / 2
            out.append(f"C{middle:.1f} {y0:.1f} {middle:.1f} {y1:.1f} {x1:.1f} {y1:.1f}")
    return "".join(out)
