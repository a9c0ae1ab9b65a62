"""Other texts for what belongs together: values returned side by side, entries that are added to in one loop."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator
from itertools import combinations

from symgrad.diagnose.text.texts import Rewording, Text, at, stored
from symgrad.errors import Span

#: So many names of one line are exchanged; so many entries of an array are tried.
MOST_NAMES = 6
MOST_ENTRIES = 4


def handed_back_in_order(text: Text, near: Collection[int]) -> Iterator[Rewording]:
    """``return dx, db, dw`` where those who call it take the second for dw."""
    for node in text.simple:
        value = node.value if isinstance(node, ast.Return) else None
        if not isinstance(value, ast.Tuple) or len(value.elts) > MOST_NAMES or not text.is_about(node.lineno):
            continue
        made = {n for s in text.simple if s.lineno in near for n in stored(s)}
        texts = [text.of(e) for e in value.elts]
        for a, b in combinations(range(len(texts)), 2):
            if texts[a] == texts[b] or not made & {texts[a], texts[b]}:
                continue
            other = list(texts)
            other[a], other[b] = texts[b], texts[a]
            message = f"`{text.of(node)}` has {texts[a]} and {texts[b]} the wrong way round"
            yield at(value, ", ".join(other), "wrong-variable", message, 1.0 + 0.01 * (b - a))


def beside(text: Text, asked: Collection[int]) -> Iterator[Rewording]:
    """``dW[:, y[i]] -= X[i]`` beside ``dW[:, j] += X[i]``: the term of another entry, which the loop reads as well."""
    wrong = {n for s in text.simple if s.lineno in asked for n in stored(s)}
    written = {text.of(s) for s in text.simple}
    for statement in text.simple:
        if isinstance(statement, ast.AugAssign) and statement.lineno in text.manual and stored(statement) & wrong:
            yield from _terms(text, statement, written)


def _terms(text: Text, statement: ast.AugAssign, written: Collection[str]) -> Iterator[Rewording]:
    """A second line like one that adds to an entry, for another one."""
    target, span = statement.target, _span(statement)
    if not isinstance(target, ast.Subscript) or not isinstance(statement.op, ast.Add | ast.Sub):
        return
    own, value = text.of(statement), text.of(statement.value)
    signs = ("-", "+") if isinstance(statement.op, ast.Add) else ("+", "-")
    places = target.slice.elts if isinstance(target.slice, ast.Tuple) else [target.slice]
    for place, other in ((p, o) for p in places for o in _entries(text, statement.lineno, p)):
        moved = text.of(target)[::-1].replace(text.of(place)[::-1], other[::-1], 1)[::-1]
        message = f"`{own}` goes without what belongs to the entry {other}"
        for line in (f"{moved} {sign}= {value}" for sign in signs):
            if line not in written:
                yield Rewording(statement.lineno, span, f"{own}; {line}", "missing-term", message, 1.2)


def _span(node: ast.stmt) -> Span:
    return Span("", node.lineno, node.col_offset + 1, node.end_lineno or node.lineno, (node.end_col_offset or 0) + 1)


def _entries(text: Text, line: int, place: ast.expr) -> list[str]:
    """The entries that are read in the loops around a line: ``y[i]`` of ``scores[y[i]]``."""
    around = [n for n in text.nodes if isinstance(n, ast.For) and n.lineno < line <= (n.end_lineno or 0)]
    outer = min(around, key=lambda n: n.lineno, default=None)
    found: dict[str, None] = {}
    if isinstance(place, ast.Slice):
        return []
    for node in ast.walk(outer) if outer is not None else ():
        if isinstance(node, ast.Subscript) and node.lineno == node.end_lineno:
            for item in node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]:
                if isinstance(item, ast.Subscript | ast.Name) and text.of(item) != text.of(place):
                    found[text.of(item)] = None
    return list(found)[:MOST_ENTRIES]
