"""Other texts for what is the same in every round of a loop, and should not be: ``lo = width * stride``."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from symgrad.diagnose.text.texts import Rewording, Text, at, names_of, stored


def still(text: Text) -> Iterator[Rewording]:
    """A place that is worked out anew in each round, of nothing that changes there: the round's number is left out.

    Only what goes into an index, by itself or through other such lines: ``x[:, lo:hi]`` with ``hi = lo + width``.
    """
    for loop in (n for n in text.nodes if isinstance(n, ast.For) and isinstance(n.target, ast.Name)):
        assert isinstance(loop.target, ast.Name)
        number, inside = loop.target.id, set(range(loop.lineno + 1, (loop.end_lineno or loop.lineno) + 1))
        mine = [s for s in text.simple if s.lineno in inside]
        changing = {n for s in mine for n in stored(s)} | set(text.loops(loop.lineno + 1)) | {number}
        placing = _placing(mine)
        for statement in mine:
            value = statement.value if isinstance(statement, ast.Assign) else None
            if value is None or not stored(statement) & placing or names_of(statement) & changing:
                continue
            if not text.is_about(statement.lineno) or not isinstance(value, ast.BinOp):
                continue
            inner = {id(n.value) for n in ast.walk(value) if isinstance(n, ast.Attribute)}
            for node in ast.walk(value):
                if isinstance(node, ast.Name | ast.Attribute) and id(node) not in inner:
                    message = f"`{text.of(statement)}` is the same in every round of the loop: {number} is left out"
                    yield at(node, number, "wrong-variable", message, 0.9)


def _placing(statements: Sequence[ast.stmt]) -> set[str]:
    """The names that indices are made of."""
    out: set[str] = set()
    for s in statements:
        for node in (n for n in ast.walk(s) if isinstance(n, ast.Subscript)):
            out |= {n.id for n in ast.walk(node.slice) if isinstance(n, ast.Name)}
    while True:
        more = {n for s in statements if stored(s) & out and isinstance(s, ast.Assign) for n in names_of(s)} - out
        if not more:
            return out
        out |= more


__all__ = ["still"]
