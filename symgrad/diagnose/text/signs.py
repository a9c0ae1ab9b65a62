"""Where a term of the wrong sign is to be put right: at its sign."""

from __future__ import annotations

import ast
from dataclasses import replace

from symgrad.diagnose.text.source import SourceMap
from symgrad.errors import Span


def signed(source: SourceMap, span: Span, expected: str) -> tuple[Span, str] | None:
    """A term of the wrong sign from its sign on, and how it should be: ``+ b`` for ``- b``, ``+=`` for ``-=``.

    Args:
        span: what is wrong: the term, or the sum of which it is the last one.
        expected: what belongs there.
    """
    text = source.text(span)
    if span.line != span.end_line or span.line > len(source.lines) or not source.lines[span.line - 1].isascii():
        return None
    line = source.lines[span.line - 1]
    begin = span.column - 1
    if expected not in (f"-{text}", f"-({text})"):
        begin += _last_term(text, expected)
        if begin < span.column:
            return None
    at = len(line[:begin].rstrip()) - 1
    other = {"+": "-", "-": "+"}
    if at > 0 and line[at] == "=" and line[at - 1] in other and (whole := source.statement(span)) is not None:
        sign = other[line[at - 1]]
        if span.end_column != whole.end_column:
            return None
        return whole, line[whole.column - 1 : at - 1] + sign + line[at : whole.end_column - 1]
    before = line[: max(at, 0)].rstrip()
    if at <= 0 or line[at] not in other or not before or not (before[-1].isalnum() or before[-1] in ")]_"):
        return None
    rest = line[at + 1 : span.end_column - 1]
    return replace(span, column=at + 1), other[line[at]] + rest


def _last_term(text: str, expected: str) -> int:
    """Where the last term of a sum begins, where another text is the same sum but for its sign; -1 if it is not."""
    try:
        # A power is ^ in a formula.
        have, want = (ast.parse(t.replace("^", "**"), mode="eval").body for t in (text, expected))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return -1
    if not isinstance(have, ast.BinOp) or not isinstance(want, ast.BinOp) or not isinstance(have.op, ast.Add | ast.Sub):
        return -1
    same = ast.dump(have.left) == ast.dump(want.left) and ast.dump(have.right) == ast.dump(want.right)
    turned = isinstance(want.op, ast.Sub if isinstance(have.op, ast.Add) else ast.Add)
    at = have.right.col_offset
    return at - text.replace("^", "**")[:at].count("**") + text[:at].count("**") if same and turned else -1
