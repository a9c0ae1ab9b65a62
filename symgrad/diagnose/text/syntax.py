"""A script's text as a syntax tree, read once for all who look at it."""

from __future__ import annotations

import ast
from functools import lru_cache


@lru_cache(maxsize=8)
def nodes(source: str) -> tuple[ast.AST, ...]:
    """All nodes of a text, the module first, in the order of :func:`ast.walk`; none where it does not parse.

    They are shared: nobody changes them.
    """
    try:
        return tuple(ast.walk(ast.parse(source)))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ()


def module(source: str) -> ast.Module | None:
    """The tree of a text; ``None`` where it does not parse."""
    first = next(iter(nodes(source)), None)
    return first if isinstance(first, ast.Module) else None
