"""Reports and derivations in a Jupyter notebook."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from symgrad.report.mathml import mathml
from symgrad.report.paper import Section
from symgrad.report.tex import aligned

#: The page's height in a notebook, in pixels: longer reports scroll.
HEIGHT = 640
#: For MathJax, which knows \cancel and not TeX's boxes.
_MACROS = r"\def\sgwrong#1{\color{red}{\cancel{#1}}}\def\sgright#1{\color{green}{#1}}"


def framed(page: str) -> str:
    """The whole page in a frame of its own, so that neither its style nor its script meets those of the notebook."""
    return (
        f'<iframe title="symgrad report" sandbox="allow-scripts" style="width:100%;height:{HEIGHT}px;border:0" '
        f'srcdoc="{escape(page)}"></iframe>'
    )


def mathjax(found: Sequence[Section]) -> str:
    """Sections for MathJax: titles are lines, since it has no ``\\intertext``."""
    rows: list[str] = []
    for section in found:
        rows.append(f"&\\textbf{{{section.title}}}")
        rows += aligned(section)
    body = " \\\\\n".join(rows)
    macros = _MACROS if "\\sgwrong" in body or "\\sgright" in body else ""
    return f"$$\n{macros}\\begin{{align*}}\n{body}\n\\end{{align*}}\n$$"


def typeset_lines(found: Sequence[Section]) -> str:
    """Sections as HTML with MathML, without any style of their own."""
    out = []
    for section in found:
        lines = "".join(f"<div>{mathml(line.whole, block=True)}</div>" for line in section.lines)
        out.append(f"<p><b>{escape(section.title)}</b></p>{lines}")
    return "<div>" + "".join(out) + "</div>"
