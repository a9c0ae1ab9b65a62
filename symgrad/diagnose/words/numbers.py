"""What the user calls a count: ``m`` for 5 where the script says ``m = X.shape[0]``; ``Y.size``, if that is there."""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from symgrad.diagnose.observing.subject import Subject
from symgrad.diagnose.text.syntax import nodes

#: Numbers that mean themselves more often than a count.
SMALL = 2
_DIVISOR = re.compile(r"(?<=/)(\s*)(\d+)(?![\w.])")


@dataclass(frozen=True, slots=True)
class _Count:
    """A way to write a count, in a function (or in the script itself, whose names all functions see)."""

    text: str
    value: int
    scope: int
    divides: bool


class Numbers:
    """How the counts of a script are written.

    Args:
        subject: whose text it is, and whose arrays have the lengths.
    """

    def __init__(self, subject: Subject) -> None:
        self.shapes = _shapes(subject)
        written = nodes(subject.source)
        self._functions = [n for n in written if isinstance(n, ast.FunctionDef)]
        self._counts = list(self._found(written))

    def named(self, text: str, line: int, own: str = "") -> str:
        """A formula with counts by their names where it divides by them; numbers that the line ``own`` has stay."""

        def called(match: re.Match[str]) -> str:
            value = int(match.group(2))
            kept = value <= SMALL or re.search(rf"(?<![\w.]){value}(?![\w.])", own)
            name = "" if kept else self.called(value, line)
            return match.group(1) + name if name else match.group()

        return _DIVISOR.sub(called, text)

    def called(self, value: int, line: int) -> str:
        """The one way in which a count is written that a line can use; empty where there is none, or several."""
        here = self._scope(line)
        mine = [c for c in self._counts if c.value == value and c.scope in (here, 0)]
        for some in ([c for c in mine if c.divides], mine):
            texts = dict.fromkeys(c.text for c in some)
            names = [t for t in texts if t.isidentifier()]
            if len(names) == 1 or len(texts) == 1:
                return (names or list(texts))[0]
        return ""

    def _scope(self, line: int) -> int:
        """The line where the innermost function around a line begins; 0 for none."""
        return max((f.lineno for f in self._functions if f.lineno <= line <= (f.end_lineno or 0)), default=0)

    def _found(self, written: Sequence[ast.AST]) -> Iterator[_Count]:
        held: dict[tuple[str, int], set[int]] = {}
        divisors: set[tuple[str, int]] = set()
        for node in written:
            if isinstance(node, ast.Assign) and len(node.targets) == 1:
                scope = self._scope(node.lineno)
                for name, value in self._assigned(node.targets[0], node.value):
                    held.setdefault((name, scope), set()).add(value)
            if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
                divisors.add((ast.unparse(node.right), self._scope(node.lineno)))
                value = self._length(node.right)
                if value > SMALL and not isinstance(node.right, ast.Constant):
                    yield _Count(ast.unparse(node.right), value, self._scope(node.lineno), True)
            elif isinstance(node, ast.AugAssign) and isinstance(node.op, ast.Div):
                divisors.add((ast.unparse(node.value), self._scope(node.lineno)))
        for (name, scope), values in held.items():
            if len(values) == 1:
                divides = any(text == name and (not scope or at == scope) for text, at in divisors)
                yield _Count(name, next(iter(values)), scope, divides)

    def _assigned(self, target: ast.expr, value: ast.expr) -> Iterator[tuple[str, int]]:
        if isinstance(target, ast.Tuple):
            if isinstance(value, ast.Tuple):
                for t, v in zip(target.elts, value.elts, strict=False):
                    yield from self._assigned(t, v)
            elif isinstance(value, ast.Attribute) and value.attr == "shape":
                shape = self.shapes.get(ast.unparse(value.value), ())
                if len(shape) == len(target.elts):
                    for t, n in zip(target.elts, shape, strict=True):
                        if isinstance(t, ast.Name):
                            yield t.id, n
        elif isinstance(target, ast.Name) and (n := self._length(value)) > 1:
            yield target.id, n

    def _length(self, value: ast.expr) -> int:
        """The count that an expression is; 0 where it is none."""
        match value:
            case ast.Constant(int(n)) if not isinstance(n, bool):
                return n
            case ast.Subscript(ast.Attribute(array, "shape"), ast.Constant(int()) | ast.UnaryOp(ast.USub())):
                shape, k = self.shapes.get(ast.unparse(array), ()), int(ast.literal_eval(value.slice))
                return shape[k] if -len(shape) <= k < len(shape) else 0
            case ast.Attribute(array, "size"):
                shape = self.shapes.get(ast.unparse(array), ())
                return math.prod(shape) if shape else 0
            case ast.Call(ast.Name("len"), [array]):
                return (*self.shapes.get(ast.unparse(array), ()), 0)[0]
        return 0


def numbers_of(subject: Subject) -> Numbers:
    """The counts of a subject's script: found once for all who ask."""
    found: Numbers = subject.memo.get("numbers") or subject.memo.setdefault("numbers", Numbers(subject))
    return found


def _shapes(subject: Subject) -> Mapping[str, tuple[int, ...]]:
    """The shape of every name that is never of another."""
    found: dict[str, set[tuple[int, ...]]] = {}
    pairs = ((name, i) for name, i, _ in subject.bound)
    for name, i in (*pairs, *subject.aliases, *((u.name, u.step) for u in subject.units)):
        found.setdefault(name, set()).add(subject.graph.steps[i].shape)
    return {name: shapes.pop() for name, shapes in found.items() if len(shapes) == 1}


__all__ = ["Numbers"]
