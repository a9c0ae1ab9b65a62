"""The lengths of arrays as symbols: their sizes, and which of them are one."""

from __future__ import annotations

import re
from itertools import count

from symgrad.frontends.kinds import Dim

_SMALL = re.compile(r"(?:hh|ww|f|fh|fw|kh|kw|k|kernel\w*|filter_?[hw]\w*|pool_?\w*|r|s)$")
#: Sizes of lengths in the order in which they are met.
_SIZES = (4, 3, 5, 2, 6, 7, 8, 9, 10, 11, 12, 13)


class Lengths:
    """The sizes of symbols, and which of them are one."""

    def __init__(self) -> None:
        self.same: dict[str, str] = {}
        self.fixed: dict[str, int] = {}
        self.sizes: dict[str, int] = {}
        self._next = count()

    def root(self, symbol: str) -> str:
        while symbol in self.same:
            symbol = self.same[symbol]
        return symbol

    def size(self, dim: Dim, small: bool = False) -> int:
        if isinstance(dim, int):
            return dim
        if isinstance(dim, tuple):
            if dim[0] == "*":
                return int(dim[1]) * self.size(dim[2])
            return sum(int(d) if d.isdecimal() else self.size(d) for d in dim[1:])
        symbol = self.root(dim)
        if symbol in self.fixed:
            return self.fixed[symbol]
        if symbol not in self.sizes:
            self.sizes[symbol] = self._new(symbol, small)
        return self.sizes[symbol]

    def of_size(self, size: int) -> Dim:
        """The length that has this size, if just one has, or else the number."""
        found = [s for s, n in self.sizes.items() if n == size and s not in self.same]
        return found[0] if len(found) == 1 else size

    def _new(self, symbol: str, small: bool) -> int:
        plain = symbol.lower()
        if _SMALL.match(plain):
            return 3 if plain in ("ww", "kw", "fw", "filter_w") or plain == "f" else 2
        if (small and plain in ("h", "height", "in_h")) or plain.startswith("n_h"):
            return 4 if plain != "n_h" else 5
        if (small and plain in ("w", "width", "in_w")) or plain.startswith("n_w"):
            return 6 if plain != "n_w" else 7
        if small and plain in ("n", "m"):
            return 2
        taken = {*self.sizes.values(), *self.fixed.values()}
        return next((n for n in _SIZES if n not in taken), _SIZES[next(self._next) % len(_SIZES)])

    def shrink(self, to: int, fixed: set[str]) -> bool:
        """An index went beyond a length of this size: a greater one, the next, must be the same."""
        mine = next((s.partition(".")[0] for s, n in self.sizes.items() if n == to and s not in self.same), "")
        known = [(s, n) for s, n in self.sizes.items() if n > to and s not in self.same and s not in fixed]
        greater = sorted((s.partition(".")[0] == mine, n) for s, n in known)  # of another array, if there is one
        return bool(greater) and self.join(to, greater[0][1], fixed)

    def join(self, a: int, b: int, fixed: set[str]) -> bool:
        """Two sizes have to be one: so their symbols are, or the symbol is the number."""
        if 0 in (a, b):
            return False
        one = next((s for s, n in self.sizes.items() if n == a and s not in self.same), None)
        other = next((s for s, n in self.sizes.items() if n == b and s not in self.same), None)
        if one is not None and other is not None:
            keep, gone = (one, other) if "." in other or "." not in one else (other, one)
            self.same[gone] = keep
            return True
        symbol, number = (one, b) if one is not None else (other, a)
        if symbol is None or symbol in fixed:
            return False
        self.fixed[symbol] = number
        fixed.add(symbol)
        return True
