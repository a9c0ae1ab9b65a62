"""A script's text as a syntax tree, read once for all who look at it."""

from __future__ import annotations

import ast
from functools import lru_cache

from symgrad.deep import parsed
from symgrad.frontends.trace.trees import walk


@lru_cache(maxsize=8)
def nodes(source: str) -> tuple[ast.AST, ...]:
    """All nodes of a text, the module first, in the order of :func:`ast.walk`; none where it does not parse.

    Their columns count characters, as spans do; Python's own count bytes. They are shared: nobody changes them.
    """
    try:
        found = tuple(walk(parsed(source)))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ()
    if not source.isascii():
        _count_characters(found, source.split("\n"))
    return found


def segment(source: str, node: ast.expr | ast.stmt) -> str:
    """The characters of one of these nodes, from its first line to its last."""
    end_line, end = node.end_lineno or node.lineno, node.end_col_offset
    lines = source.split("\n")[node.lineno - 1 : end_line]
    if not lines:
        return ""
    lines[-1] = lines[-1][:end]
    lines[0] = lines[0][node.col_offset :]
    return "\n".join(lines)


def _count_characters(found: tuple[ast.AST, ...], lines: list[str]) -> None:
    """Columns in bytes as columns in characters."""
    bytes_of = {n: line.encode() for n, line in enumerate(lines, 1) if not line.isascii()}

    def column(line: int | None, offset: int | None) -> int | None:
        if line is None or offset is None or line not in bytes_of:
            return offset
        return len(bytes_of[line][:offset].decode(errors="ignore"))

    for node in found:
        have = vars(node)
        if "col_offset" in have:
            have["col_offset"] = column(have["lineno"], have["col_offset"])
            have["end_col_offset"] = column(have.get("end_lineno"), have.get("end_col_offset"))


def module(source: str) -> ast.Module | None:
    """The tree of a text; ``None`` where it does not parse."""
    first = next(iter(nodes(source)), None)
    return first if isinstance(first, ast.Module) else None
