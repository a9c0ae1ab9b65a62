"""A derivation as LaTeX: a fragment that needs amsmath alone, or a document that compiles as it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from symgrad.errors import SymgradError
from symgrad.report.breaking import lines
from symgrad.report.formulas import NOTATIONS
from symgrad.report.latex import escaped
from symgrad.report.mathml import width
from symgrad.report.paper import Line, Section, paper, sections
from symgrad.report.picture import Picture
from symgrad.report.sources import headline

#: What fits beside each other on A4 with the margins of :data:`_DOCUMENT`, in em; widths are estimates.
ROOM = 40.0
INDENT = 2.0

#: How a wrong factor is struck out without a package: by a rule over it, in red where there is colour.
_STRIKE = r"""\providecommand{\sgwrong}[1]{{\ifdefined\color\color{red}\fi\setbox0\hbox{$\displaystyle #1$}%
  \rlap{\vrule width\wd0 height\dimexpr(\ht0-\dp0)/2+.3pt\relax depth\dimexpr(\dp0-\ht0)/2+.3pt\relax}\box0}}
\providecommand{\sgright}[1]{{\ifdefined\color\color[rgb]{0,.4,.15}\fi #1}}
"""

_DOCUMENT = r"""\documentclass[a4paper]{article}
\usepackage[T1]{fontenc}
\usepackage[margin=2.2cm]{geometry}
\usepackage{amsmath,amssymb,color}
\allowdisplaybreaks
\setlength{\parindent}{0pt}
\begin{document}
"""


def latex(report: Any, *, notation: str = "fraction", document: bool = False) -> str:
    """The derivation of a report.

    Args:
        report: of any kind.
        notation: how the gradient by X is written: ``"fraction"`` (dL/dX), ``"bar"`` or ``"d"`` (dX).
        document: a file that compiles, with the verdict above; else an ``align*`` environment (amsmath).

    Raises:
        SymgradError: there is no such notation.
    """
    _known(notation)
    body = fragment(paper(report, notation))
    if not document:
        return body
    head = headline(report)
    title = _text(f"{head.verdict}: {head.words}" if head.verdict else head.words)
    target = _text(" ".join(report.target.split()), code=True)
    return (
        f"{_DOCUMENT}\\section*{{{title}}}\n"
        f"{{\\raggedright\\ttfamily\\small\\sloppy {target}\\par}}\n{body}\n\\end{{document}}\n"
    )


def _known(notation: str) -> None:
    if notation not in NOTATIONS:
        raise SymgradError(f"there is no notation '{notation}': choose {', '.join(NOTATIONS)}")


def derivation_latex(picture: Picture, closed: Mapping[str, str], order: int, notation: str = "fraction") -> str:
    """The derivation of a function without a point, as a fragment.

    Args:
        picture: of the function.
        closed: for each derivative its simplified form in LaTeX, or an empty string where there is none.
        order: 2 for second derivatives.

    Raises:
        SymgradError: there is no such notation.
    """
    _known(notation)
    return fragment(sections(picture, closed, notation=notation, order=order))


def fragment(found: Sequence[Section]) -> str:
    """Sections as one ``align*`` environment; its titles are ``\\intertext``."""
    if not found:
        return "\\begin{align*}\n\\end{align*}"
    out: list[str] = []
    left = max(_left(section.lines) for section in found)
    for n, section in enumerate(found):
        rows = aligned(section, left)
        # A title between two lines ends the one before it.
        head = "" if n == 0 and len(found) == 1 else f"  \\intertext{{{section.title}}}\n"
        out.append(head + " \\\\\n".join("  " + row for row in rows))
    body = "\n".join(out)
    text = f"\\begin{{align*}}\n{body}\n\\end{{align*}}"
    return _STRIKE + text if "\\sgwrong" in text else text


def aligned(section: Section, left: float = 0.0) -> list[str]:
    """The rows of a section, each with its ``&``; ``left`` is the width of what stands before these, if known."""
    left = left or _left(section.lines)
    return [row for line in section.lines for row in _rows(line, left)]


def _left(all_lines: Sequence[Line]) -> float:
    return max((width(line.left) for line in all_lines), default=0.0)


def _rows(line: Line, left: float) -> list[str]:
    """One line of a derivation, broken where it is too long."""
    if not line.rights:
        return [f"{line.left} &{line.value}" if line.value else f"&{line.left}"]
    about = f" \\quad {line.about}" if line.about else ""
    tail = f" {line.value}" if line.value else ""
    room = ROOM - left
    text = " = ".join(line.rights) + tail
    if width(text + about) <= room:
        return [f"{line.left} &= {text}{about}"]
    rows: list[str] = []
    parts = [*line.rights]
    for n, right in enumerate(parts):
        last = n == len(parts) - 1
        found = lines(right + (tail if last else ""), room, room - INDENT)
        for m, piece in enumerate(found):
            if m == 0:
                rows.append(f"{line.left} &= {piece}" if n == 0 else f"&= {piece}")
            else:
                rows.append(f"&\\quad {{}}{piece}")
    if about:
        rows[-1] += about if width(rows[-1] + about) <= ROOM - left else ""
        if not rows[-1].endswith(about):
            rows.append(f"&\\quad {line.about}")
    return rows


def _text(text: str, *, code: bool = False) -> str:
    """Words for LaTeX's text mode."""
    words = {
        "\\": "\\textbackslash{}", "^": "\\textasciicircum{}", "~": "\\textasciitilde{}", "<": "\\textless{}",
        ">": "\\textgreater{}", '"': "\\textquotedbl{}",
    }  # fmt: skip
    plain = "".join(words.get(c) or (escaped(c) if c.isascii() and c.isprintable() else "?") for c in text[:600])
    # Long code has few blanks: allow a line to end after an operator.
    for sign in "*+(,=" if code else "":
        plain = plain.replace(sign, sign + "\\allowbreak{}")
    return plain
