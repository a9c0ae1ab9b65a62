"""Long formulas over several lines: where LaTeX may break them, and how wide a line becomes."""

from __future__ import annotations

import re
from collections.abc import Sequence

from symgrad.report.mathml import width

_TOKEN = re.compile(
    r"\\(?:left|right)(?![a-z])\s*(?:\\[a-zA-Z]+|\\.|.)|\\begin\{\w+\*?\}|\\end\{\w+\*?\}|\\[a-zA-Z]+|\\.|.", re.S
)
#: Signs before which a line may end.
_SIGNS = frozenset(("+", "-", "=", "\\cdot", "\\odot", "\\approx", "\\times"))
#: Parentheses nested deeper than this are never opened.
DEEPEST = 24


def pieces(text: str, depth: int) -> list[str]:
    """The formula cut before each sign that stands within at most ``depth`` pairs of parentheses and in no braces.

    Parentheses that are cut through get a size of their own: LaTeX's growing ones must close on their line.
    """
    out: list[str] = [""]
    braces = 0
    fences: list[str] = []
    before = ""
    for token in _TOKEN.findall(text):
        if token == "{" or token.startswith("\\begin"):
            braces += 1
        elif token == "}" or token.startswith("\\end"):
            braces -= 1
        shown = token
        if token.startswith("\\left") and before.startswith("\\right") and not braces and "grown" not in fences:
            # Between two factors in parentheses.
            out.append("")
        if token.startswith("\\left") and token[5:].strip()[:1] in "([|\\.":
            if braces == 0 and len(fences) < depth:
                shown = _sized(token[5:].strip(), "l")
                fences.append("sized")
            else:
                fences.append("grown")
        elif token.startswith("\\right") and fences:
            shown = _sized(token[6:].strip(), "r") if fences.pop() == "sized" else token
        elif token in _SIGNS and not braces and "grown" not in fences and before not in ("", "("):
            out.append("")
        out[-1] += shown
        if not token.isspace():
            before = "(" if token.startswith("\\left") or token in _SIGNS or token in "([{," else token
    return [p for p in out if p.strip()]


def _sized(delimiter: str, side: str) -> str:
    return "" if delimiter == "." else f"\\bigl{delimiter}" if side == "l" else f"\\bigr{delimiter}"


def _flattened(text: str) -> str:
    """A fraction that fills more than a line, as a quotient on one level."""
    match = re.match(r"(?P<sign>[+\-=]?\s*)\\frac\{", text)
    if not match:
        return text
    top, rest = _group(text[match.end() - 1 :])
    bottom, rest = _group(rest)
    return f"{match['sign']}\\left({top}\\right) / \\left({bottom}\\right){rest}"


def _group(text: str) -> tuple[str, str]:
    """What is in the braces that the text begins with, and what comes after."""
    depth = 0
    for n, token in enumerate(text):
        if token == "{" and text[n - 1 : n] != "\\":
            depth += 1
        elif token == "}" and text[n - 1 : n] != "\\":
            depth -= 1
            if depth == 0:
                return text[1:n], text[n + 1 :]
    return text, ""


def lines(text: str, room: float, later: float) -> list[str]:
    """The formula over lines.

    Args:
        text: one side of an equation, or several joined by ``=``.
        room: how wide the first line may be, in em; ``later``: the following ones.
    """
    if width(text) <= room:
        return [text]
    best = [text]
    for depth in range(DEEPEST + 1):
        best = pieces(text, depth)
        if max(map(width, best)) <= later:
            break
        wide = [_flattened(p) if width(p) > later else p for p in best]
        if wide != best:
            text = " ".join(p.strip() for p in wide)
            best = pieces(text, depth)
            if max(map(width, best)) <= later:
                break
    return _filled(best, room, later)


def _filled(parts: Sequence[str], room: float, later: float) -> list[str]:
    out: list[str] = []
    used, limit = 0.0, room
    for part in parts:
        wide = width(part)
        if out and used + wide <= limit:
            out[-1] += part
            used += wide
            continue
        if out:
            limit = later
        out.append(part.strip())
        used = wide
    return out
