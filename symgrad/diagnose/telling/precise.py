"""What a headline says, read off from what stands there and what belongs there: which factor is missing, and which
term is one too many."""

from __future__ import annotations

import ast
import re

#: What is said of a piece of text, as the repairs have it, and what can be told more of.
LACKS_FACTOR, LACKS_TERM = "leaves out a factor", "leaves out a term"
EXTRA_FACTOR, EXTRA_TERM = ("has a factor too many", "has a constant factor too many"), ("has a term too many",)
OPERATION = "applies another operation than belongs here"
OFF = "is off by a constant factor"
#: Pieces beyond this are not repeated.
LONGEST = 40

#: An augmented assignment: target, operator, value.
_AUGMENTED = re.compile(r"([^=]*?) ([-+*/]=) (.*)")
#: A power as people write it.
_POWER = re.compile(r" \*\* ")
_SYMBOLS: dict[type[ast.operator], str] = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Pow: "**", ast.MatMult: "@",
}  # fmt: skip


def precise(words: str, text: str, expected: str) -> str:
    """The words for what is wrong with a piece of text, more precise where the two texts tell; else as they were."""
    if words == OPERATION and (a := _AUGMENTED.fullmatch(text)) and (b := _AUGMENTED.fullmatch(expected)):
        same = a[1] == b[1] and a[3] == b[3]
        return f"has {a[2]} where {b[2]} belongs" if same else words
    have, want = _parsed(text), _parsed(expected)
    if have is None or want is None:
        return words
    told = ""
    if words == OPERATION:
        told = _operation(have, want)
    elif words == LACKS_FACTOR:
        told = _lacking(have, want, (ast.Mult, ast.Div))
    elif words == LACKS_TERM:
        told = _lacking(have, want, (ast.Add, ast.Sub))
    elif words == OFF:
        told = _off(have, want)
    elif words in EXTRA_FACTOR:
        told = _extra(have, want, (ast.Mult, ast.Div))
    elif words in EXTRA_TERM:
        told = _extra(have, want, (ast.Add, ast.Sub))
    return told or words


def _parsed(text: str) -> ast.expr | None:
    try:
        return ast.parse(text.strip().replace("^", "**"), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _same(a: ast.expr, b: ast.expr) -> bool:
    return ast.dump(a) == ast.dump(b)


def _piece(node: ast.expr) -> str:
    """A piece as it is said; empty if that is long."""
    text = _POWER.sub("**", ast.unparse(node))
    return text if len(text) <= LONGEST else ""


def _off(have: ast.expr, want: ast.expr) -> str:
    """How many times too large or too small something is."""
    if not isinstance(want, ast.BinOp):
        return ""
    match want.op, want.left, want.right:
        case ast.Div(), left, ast.Constant(int(n)) if _same(left, have):
            return f"is {n} times too large"
        case ast.Mult(), ast.Constant(int(n)), right if _same(right, have):
            return f"is {n} times too small"
    return ""


def _operation(have: ast.expr, want: ast.expr) -> str:
    if isinstance(have, ast.BinOp) and isinstance(want, ast.BinOp) and type(have.op) is not type(want.op):
        found, right = _SYMBOLS.get(type(have.op)), _SYMBOLS.get(type(want.op))
        return f"has {found} where {right} belongs" if found and right else ""
    if isinstance(have, ast.Call) and isinstance(want, ast.Call) and not _same(have.func, want.func):
        return f"calls {ast.unparse(have.func)} where {ast.unparse(want.func)} belongs"
    return ""


def _lacking(have: ast.expr, want: ast.expr, ops: tuple[type[ast.operator], ...]) -> str:
    """What is there in the one and not in the other."""
    if not isinstance(want, ast.BinOp) or not isinstance(want.op, ops):
        return ""
    what = "factor" if ast.Mult in ops else "term"
    if _same(want.left, have) and (piece := _piece(want.right)):
        if isinstance(want.op, ast.Div):
            return f"is not divided by {_tight(want.right, want.op, piece)}"
        return f"lacks the {what} {'-' * isinstance(want.op, ast.Sub)}{_tight(want.right, want.op, piece)}"
    negated = isinstance(want.op, ast.Sub) and isinstance(have, ast.UnaryOp) and isinstance(have.op, ast.USub)
    rest = have.operand if negated and isinstance(have, ast.UnaryOp) else have
    if (negated or isinstance(want.op, ast.Add | ast.Mult)) and _same(want.right, rest) and (p := _piece(want.left)):
        return f"lacks the {what} {_tight(want.left, want.op, p)}" if not negated else f"lacks the {what} {p}"
    return ""


def _tight(node: ast.expr, op: ast.operator, piece: str) -> str:
    """A sum in parentheses where it is a factor, or taken away."""
    sums = isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub)
    return f"({piece})" if sums and not isinstance(op, ast.Add) else piece


def _extra(have: ast.expr, want: ast.expr, ops: tuple[type[ast.operator], ...]) -> str:
    """What is there in the one that is not in the other, or there once."""
    if not isinstance(have, ast.BinOp) or not isinstance(have.op, ops):
        return ""
    what = "factor" if ast.Mult in ops else "term"
    if _same(have.left, want):
        dropped, sign = have.right, "-" * isinstance(have.op, ast.Sub)
    elif isinstance(have.op, ast.Add | ast.Mult) and _same(have.right, want):
        dropped, sign = have.left, ""
    else:
        return ""
    piece = _piece(dropped)
    if not piece:
        return ""
    if isinstance(have.op, ast.Div):
        return f"is divided by {_tight(dropped, have.op, piece)}, which does not belong here"
    twice = any(_same(dropped, part) for part in _parts(want, type(have.op)))
    said = sign + _tight(dropped, have.op, piece)
    return f"has the {what} {said} twice" if twice else f"has the {what} {said} too many"


def _parts(node: ast.expr, op: type[ast.operator]) -> list[ast.expr]:
    """The operands of a chain of one operation."""
    if not isinstance(node, ast.BinOp) or not isinstance(node.op, op):
        return [node]
    right = [node.right] if op is ast.Sub else _parts(node.right, op)
    return [*_parts(node.left, op), *right]
