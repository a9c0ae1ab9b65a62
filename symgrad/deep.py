"""Room for texts whose syntax trees are deep, though nothing in them is nested: a sum of n terms is n nodes deep."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from contextlib import contextmanager

#: So deep may the parser, the compiler and our walks over a tree go. On a stack of 8 MB three times that is safe.
DEPTH = 20_000


@contextmanager
def deep() -> Iterator[None]:
    """While a text is read: nothing of a user's runs in it, which a lower limit ends where it calls itself for ever."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, DEPTH))
    try:
        yield
    finally:
        sys.setrecursionlimit(before)


def parsed(source: str, filename: str = "<unknown>") -> ast.Module:
    """The syntax tree of a text.

    Raises:
        SyntaxError, ValueError: it is no Python.
        RecursionError, MemoryError: it is deeper than that.
    """
    with deep():
        return ast.parse(source, filename)
