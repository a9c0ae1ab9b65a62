"""What was done to an expression, where it is known how it should read: the smallest piece that differs, and how."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from symgrad.diagnose.text.syntax import segment
from symgrad.errors import Span

_SUMS = (ast.Add, ast.Sub)
_PRODUCTS = (ast.Mult, ast.Div)


@dataclass(frozen=True, slots=True)
class Slip:
    """A piece of an expression that should be another one.

    Attributes:
        span: of the piece; ``found``: its text; ``meant``: the text that belongs there.
        mistake: its kind; ``words``: what the piece does, for a headline.
    """

    span: Span
    found: str
    meant: str
    mistake: str
    words: str


def slip(source: str, file: str, found: ast.expr, meant: ast.expr) -> Slip | None:
    """The slip between two expressions of one text; ``None`` where they read alike.

    Args:
        source: the text that both stand in; file: its name.
        found: what is written; meant: what should be. Both are of ``syntax.nodes``.
    """
    if _alike(found, meant):
        return None
    one, other = found, meant
    while (inner := _inner(one, other)) is not None:
        one, other = inner
    mistake, words = _kind(one, other)
    if mistake == "sign" and isinstance(one, ast.BinOp):
        # The sign belongs to the term behind it.
        term = one.right
        text = f"-{_text(source, term, tight=True)}"
        return Slip(_span(file, term), _text(source, term), text, mistake, words)
    text = _text(source, other)
    return Slip(_span(file, one), _text(source, one), text, mistake, words)


def distance(found: ast.expr, meant: ast.expr) -> float:
    """How much of an expression differs from another one: from 0, alike, to 1, altogether."""
    one, other = found, meant
    while not _alike(one, other) and (inner := _inner(one, other)) is not None:
        one, other = inner
    if _alike(one, other):
        return 0.0
    if isinstance(one, ast.BinOp) and isinstance(other, ast.BinOp) and _kind(one, other)[0] == "sign":
        return 1 / (_size(found) + 1)
    gone = _size(one) + _size(other)
    for a, b in ((one, other), (other, one)):
        if isinstance(b, ast.BinOp) and (_alike(a, b.left) or _alike(a, b.right)):
            gone -= 2 * _size(a)  # one is a part of the other
    return min(gone / (_size(found) + _size(meant)), 1.0)


def _size(node: ast.expr) -> int:
    return sum(isinstance(n, ast.Name | ast.Constant | ast.BinOp | ast.UnaryOp | ast.Call) for n in ast.walk(node))


def _inner(one: ast.expr, other: ast.expr) -> tuple[ast.expr, ast.expr] | None:
    """The operands that differ, where just one does."""
    parts: list[tuple[ast.expr, ast.expr]]
    match one, other:
        case ast.BinOp(), ast.BinOp() if type(one.op) is type(other.op):
            parts = [(one.left, other.left), (one.right, other.right)]
        case ast.UnaryOp(), ast.UnaryOp() if type(one.op) is type(other.op):
            parts = [(one.operand, other.operand)]
        case ast.Call(), ast.Call() if len(one.args) == len(other.args) and _alike(one.func, other.func):
            parts = list(zip(one.args, other.args, strict=True))
        case _:
            return None
    apart = [p for p in parts if not _alike(*p)]
    if len(apart) != 1:
        return None
    if (one_kind := _kind(one, other)[0]) and one_kind not in ("wrong-formula", "wrong-variable"):
        return None  # a term or factor too many of two that read alike: t - t for t
    return apart[0]


def _kind(one: ast.expr, other: ast.expr) -> tuple[str, str]:
    """The kind of mistake, and what the wrong piece does."""
    if isinstance(other, ast.BinOp) and (_alike(one, other.left) or _alike(one, other.right)):
        if isinstance(other.op, _SUMS):
            return "missing-term", "leaves out a term"
        if isinstance(other.op, _PRODUCTS):
            return "missing-factor", "leaves out a factor"
    if isinstance(one, ast.BinOp) and (_alike(other, one.left) or _alike(other, one.right)):
        if isinstance(one.op, _SUMS):
            return "extra-term", "has a term too many"
        if isinstance(one.op, _PRODUCTS):
            mistake = "scale" if any(isinstance(n, ast.Constant) for n in (one.left, one.right)) else "extra-factor"
            return mistake, "has a factor too many"
    match one, other:
        case ast.BinOp(), ast.BinOp() if _alike(one.left, other.left) and _alike(one.right, other.right):
            if isinstance(one.op, _SUMS) and isinstance(other.op, _SUMS):
                return "sign", "has the wrong sign"
        case ast.UnaryOp(), _ if isinstance(one.op, ast.USub) and _alike(one.operand, other):
            return "sign", "has a minus sign too many"
        case _, ast.UnaryOp() if isinstance(other.op, ast.USub) and _alike(one, other.operand):
            return "sign", "lacks its minus sign"
        case ast.Constant(), ast.Constant():
            return "scale", "is another number than belongs here"
        case ast.Name() | ast.Attribute() | ast.Subscript(), ast.Name() | ast.Attribute() | ast.Subscript():
            return "wrong-variable", "is another variable than belongs here"
        case _, ast.Call() if any(_alike(one, a) for a in other.args):
            return "input-for-output", "uses the input where the output belongs"
    return "wrong-formula", "is another value than belongs here"


def _alike(one: ast.AST, other: ast.AST) -> bool:
    return ast.dump(one) == ast.dump(other)


def _text(source: str, node: ast.expr, *, tight: bool = False) -> str:
    text = segment(source, node) or ast.unparse(node)
    text = " ".join(part.strip() for part in text.split("\n"))
    loose = isinstance(node, ast.BinOp) and isinstance(node.op, _SUMS)
    return f"({text})" if tight and loose else text


def _span(file: str, node: ast.expr) -> Span:
    end_line, end = node.end_lineno or node.lineno, node.end_col_offset or node.col_offset
    return Span(file, node.lineno, node.col_offset + 1, end_line, end + 1)


__all__ = ["Slip", "distance", "slip"]
