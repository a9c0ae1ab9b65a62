"""Lines that say the same of one time step after the other, written once with an index."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

#: So many rounds must read alike before they are written as one.
FEWEST = 3
#: A round has at most so many lines.
LONGEST = 16

_NUMBER = re.compile(r"(?<![\d.])(\d+)(?![\d.])")
_INDICES = ("t", "k", "n", "i", "j")


@dataclass(frozen=True, slots=True)
class Piece:
    """One line as it is, or a round of lines that is repeated.

    Attributes:
        start: the first line's place.
        times: how many rounds; 0 for a single line.
        texts: the lines of a round, with the index in them.
        index, first, last: its letter and its range.
    """

    start: int
    times: int = 0
    texts: tuple[str, ...] = ()
    index: str = ""
    first: int = 0
    last: int = 0


def _parts(text: str) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """What stands between the whole numbers, and these."""
    pieces = _NUMBER.split(text)
    return tuple(pieces[::2]), tuple(int(n) for n in pieces[1::2])


def fold(lines: Sequence[str], longest: int = LONGEST) -> list[Piece]:
    """Lines of LaTeX, with runs of alike rounds put together. Time is linear in the lines."""
    parts = [_parts(line) for line in lines]
    used = set(re.findall(r"(?<![A-Za-z\\])[a-z](?![A-Za-z])", " ".join(lines)))
    letter = next((c for c in _INDICES if c not in used), "\\tau")
    out: list[Piece] = []
    i = 0
    while i < len(lines):
        best: Piece | None = None
        for period in range(1, min(longest, (len(lines) - i) // FEWEST) + 1):
            if parts[i][0] != parts[i + period][0]:
                continue
            found = _rounds(parts, i, period, letter)
            if found is not None:
                best = found
                break
        if best is None:
            out.append(Piece(i))
            i += 1
        else:
            out.append(best)
            i += best.times * len(best.texts)
    return out


def _rounds(
    parts: Sequence[tuple[tuple[str, ...], tuple[int, ...]]], start: int, period: int, letter: str
) -> Piece | None:
    """The longest run of rounds of this many lines from here on; ``None`` where there are too few."""
    base = parts[start : start + period]
    following = parts[start + period : start + 2 * period]
    if len(following) < period or any(a[0] != b[0] for a, b in zip(base, following, strict=True)):
        return None
    slopes = [tuple(y - x for x, y in zip(a[1], b[1], strict=True)) for a, b in zip(base, following, strict=True)]
    moving = [(x, s) for a, slope in zip(base, slopes, strict=True) for x, s in zip(a[1], slope, strict=True) if s]
    if not moving:
        return None
    # A number that goes up or down by one is the index; where none does, rounds are counted.
    origin, sign = next(((x, s) for x, s in moving if abs(s) == 1), (1, 1))
    times = 2
    while start + (times + 1) * period <= len(parts):
        mine = parts[start + times * period : start + (times + 1) * period]
        alike = all(
            a[0] == c[0] and all(z == x + s * times for x, s, z in zip(a[1], slope, c[1], strict=True))
            for a, slope, c in zip(base, slopes, mine, strict=True)
        )
        if not alike:
            break
        times += 1
    if times < FEWEST:
        return None
    texts = tuple(
        _indexed(a[0], [_term(x, s * sign, origin, letter) for x, s in zip(a[1], slope, strict=True)])
        for a, slope in zip(base, slopes, strict=True)
    )
    ends = sorted((origin, origin + sign * (times - 1)))
    return Piece(start, times, texts, letter, ends[0], ends[1])


def _term(number: int, slope: int, origin: int, letter: str) -> str:
    """``slope*(t - origin) + number`` in words."""
    if slope == 0:
        return str(number)
    rest = number - slope * origin
    head = {1: letter, -1: f"-{letter}"}.get(slope, f"{slope}{letter}")
    if slope == -1 and rest > 0:
        return f"{rest}-{letter}"
    return head + (f"+{rest}" if rest > 0 else str(rest) if rest < 0 else "")


def _indexed(between: Sequence[str], terms: Sequence[str]) -> str:
    out = [between[0]]
    for term, text in zip(terms, between[1:], strict=True):
        out += [term, text]
    return "".join(out)


def summed(terms: Sequence[str]) -> str:
    """Terms as a sum, those that differ by an index alone under a sum sign."""
    out = []
    for piece in fold(terms, 1):
        if piece.times:
            out.append(f"\\sum_{{{piece.index}={piece.first}}}^{{{piece.last}}} {piece.texts[0]}")
        else:
            out.append(terms[piece.start])
    return " + ".join(out).replace("+ -", "- ")
