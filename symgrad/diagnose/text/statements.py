"""Statements in the user's text: which loop they stand in, and what the text is with one of them moved."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from symgrad.errors import Span


@dataclass(frozen=True, slots=True)
class Statement:
    """A line to be put in: after which line, and its text without the indentation."""

    after: int
    text: str
    indent: str


def text_at(lines: Sequence[str], span: Span) -> str:
    """The characters of a span, on one line; empty where it is in another text."""
    if span.end_line > len(lines):
        return ""
    if span.line == span.end_line:
        return lines[span.line - 1][span.column - 1 : span.end_column - 1]
    first = lines[span.line - 1][span.column - 1 :]
    middle = lines[span.line : span.end_line - 1]
    last = lines[span.end_line - 1][: span.end_column - 1]
    return " ".join(part.strip() for part in (first, *middle, last))


class Statements:
    """The statements of a Python text.

    Args:
        lines: of the text; nodes: all that it is made of.
    """

    def __init__(self, lines: list[str], nodes: Sequence[ast.AST]) -> None:
        self.lines, self._nodes = lines, nodes

    def moved_down(self, span: Span, name: str) -> tuple[Span, str] | None:
        """A statement moved behind the last one after it that reads a name: the place of all of them, and their text.

        ``None`` where there is none, or nothing can follow it.
        """
        for block in self._blocks:
            at = next((n for n, s in enumerate(block) if _begins(s) == (span.line, span.column)), -1)
            if at < 0:
                continue
            loop = self._loop(block[at], name)
            if loop is not None and at + 1 < len(block):
                # In the next round it would be read again.
                return self._behind(block[at], block[at + 1], loop, span.file)
            again = next((n for n in range(at + 1, len(block)) if _uses(block[n], name, ast.Store)), len(block))
            readers = [n for n in range(at + 1, len(block)) if n <= again and _uses(block[n], name, ast.Load)]
            if not readers:
                return None
            first, last = block[at], block[readers[-1]]
            if isinstance(last, ast.Return) and (last.value is None or last is not block[at + 1]):
                return None
            begin, end = _begins(block[at + 1]), _ends(last)
            own = text_at(self.lines, Span(span.file, *_begins(first), *_ends(first)))
            joint = "; " if first.lineno == last.end_lineno else "\n" + " " * (span.column - 1)
            text = self._as_it_is(begin, end) + joint + own
            if isinstance(last, ast.Return) and last.value is not None:
                value = text_at(self.lines, Span(span.file, *_begins(last.value), *_ends(last.value)))
                text = joint.join((f"result = {value}", own, "return result"))
            return Span(span.file, *_begins(first), *end), text
        return None

    def loop_statement(self, lines: Sequence[int]) -> tuple[int, int] | None:
        """The first and the last line of the statement in the body of the innermost loop around some lines."""
        loops = (n for n in self._compound if isinstance(n, ast.For | ast.While))
        around = [n for n in loops if all(n.lineno < at <= (n.end_lineno or 0) for at in lines)]
        inner = max(around, key=lambda n: n.lineno, default=None)
        for s in inner.body if isinstance(inner, ast.For | ast.While) else ():
            if all(s.lineno <= at <= (s.end_lineno or 0) for at in lines):
                return s.lineno, s.end_lineno or s.lineno
        return None

    def loop_around(self, line: int, *, inner: bool = False) -> tuple[int, int] | None:
        """The first and the last line of the outermost loop around a line, or of the innermost."""
        loops = self.loops_around(line)
        return loops[-1 if inner else 0] if loops else None

    def loops_around(self, line: int) -> list[tuple[int, int]]:
        """The first and the last line of every loop around a line, the outermost first; none beyond a function."""
        around = [n for n in self._compound if n.lineno < line <= (n.end_lineno or 0)]
        function = max((n.lineno for n in around if isinstance(n, ast.FunctionDef)), default=0)
        loops = (n for n in around if not isinstance(n, ast.FunctionDef) and n.lineno > function)
        return sorted((n.lineno, n.end_lineno or n.lineno) for n in loops)

    def loop_variables(self, line: int) -> set[str]:
        """What the loops around a line give a value in every round."""
        loops = {begin for begin, _ in self.loops_around(line)}
        heads = (n.target for n in self._compound if isinstance(n, ast.For) and n.lineno in loops)
        return {n.id for head in heads for n in ast.walk(head) if isinstance(n, ast.Name)}

    def function_around(self, line: int) -> int:
        """The line at which the innermost function around a line begins; 0 where there is none."""
        around = (n for n in self._compound if isinstance(n, ast.FunctionDef))
        return max((n.lineno for n in around if n.lineno < line <= (n.end_lineno or 0)), default=0)

    def _loop(self, statement: ast.stmt, name: str) -> ast.stmt | None:
        """The outermost loop around a statement that reads a name; none beyond a function."""
        inside = [f for f in self._compound if isinstance(f, ast.FunctionDef) and _holds(f, statement)]
        loops = [n for n in self._compound if isinstance(n, ast.For | ast.While) and _holds(n, statement)]
        inner = max(inside, key=lambda f: f.lineno, default=None)
        mine = (n for n in loops if (inner is None or _holds(inner, n)) and _uses(n, name, ast.Load))
        return min(mine, key=lambda n: n.lineno, default=None)

    def _behind(self, first: ast.stmt, following: ast.stmt, loop: ast.stmt, file: str) -> tuple[Span, str]:
        """A statement moved behind a loop."""
        own = text_at(self.lines, Span(file, *_begins(first), *_ends(first)))
        rest = self._as_it_is(_begins(following), _ends(loop))
        text = rest + "\n" + " " * loop.col_offset + own
        return Span(file, *_begins(first), *_ends(loop)), text

    def _as_it_is(self, begin: tuple[int, int], end: tuple[int, int]) -> str:
        """The characters between two places, on as many lines as they are."""
        lines = self.lines[begin[0] - 1 : end[0]]
        lines[-1] = lines[-1][: end[1] - 1]
        lines[0] = lines[0][begin[1] - 1 :]
        return "\n".join(lines)

    @cached_property
    def _compound(self) -> list[ast.stmt]:
        return [n for n in self._nodes if isinstance(n, ast.FunctionDef | ast.For | ast.While)]

    def moved_behind(self, span: Span | None, name: str) -> tuple[Span, str] | None:
        """A statement moved behind the next one that gives a name its value: the place of both, and their text."""
        for block in self._blocks if span is not None else ():
            at = next((n for n, s in enumerate(block) if span and _begins(s) == (span.line, span.column)), -1)
            later = block[at + 1] if 0 <= at < len(block) - 1 else None
            if span is not None and later is not None and _uses(later, name, ast.Store):
                texts = [text_at(self.lines, Span(span.file, *_begins(s), *_ends(s))) for s in (later, block[at])]
                joint = "; " if later.lineno == span.line else "\n" + " " * (span.column - 1)
                return Span(span.file, *_begins(block[at]), *_ends(later)), joint.join(texts)
        return None

    def followed(self, span: Span, line: int, text: str) -> tuple[Span, str] | None:
        """A statement with another one put in behind a later line of its block: the place of all, and their text."""
        for block in self._blocks:
            at = next((n for n, s in enumerate(block) if _begins(s) == (span.line, span.column)), -1)
            last = next((s for s in block[at + 1 :] if s.lineno == line == s.end_lineno), None) if at >= 0 else None
            if last is not None:
                whole = self._as_it_is((span.line, span.column), _ends(last))
                return Span(span.file, span.line, span.column, *_ends(last)), f"{whole}\n{' ' * last.col_offset}{text}"
        return None

    @cached_property
    def _blocks(self) -> list[list[ast.stmt]]:
        fields = ("body", "orelse", "finalbody")
        return [b for n in self._nodes for f in fields if isinstance(b := getattr(n, f, None), list) and b]


def _begins(node: ast.stmt | ast.expr) -> tuple[int, int]:
    return node.lineno, node.col_offset + 1


def _ends(node: ast.stmt | ast.expr) -> tuple[int, int]:
    return node.end_lineno or node.lineno, (node.end_col_offset or 0) + 1


def _holds(outer: ast.stmt, inner: ast.stmt) -> bool:
    return outer is not inner and outer.lineno <= inner.lineno and (inner.end_lineno or 0) <= (outer.end_lineno or 0)


def _uses(node: ast.stmt, name: str, how: type[ast.expr_context]) -> bool:
    """A statement reads a variable, or gives it a value."""
    found = (n for n in ast.walk(node) if isinstance(n, ast.Name | ast.Attribute) and isinstance(n.ctx, how))
    return any(ast.unparse(n) == name for n in found)
