"""The statements of a text, as other texts are made of them: what they read and set, and where they stand."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from symgrad.errors import Span

#: What is taken for a count: what is made by these.
COUNTING = ("len", "range", "enumerate", "size", "shape", "ndim")


@dataclass(frozen=True, slots=True)
class Rewording:
    """Another text for a place.

    Attributes:
        line: where the slip is; ``span``: what is replaced, and by ``text``.
        near: the slip is in, or beside, a line that was asked about.
        cost: how far-fetched it is.
    """

    line: int
    span: Span
    text: str
    mistake: str
    message: str
    cost: float


class Text:
    """A text with its statements."""

    def __init__(self, source: str, tree: ast.Module, manual: frozenset[int]) -> None:
        self.lines = source.split("\n")
        self.manual = manual
        fields = ("body", "orelse", "finalbody")
        self.functions = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)]
        self.nodes = list(ast.walk(tree))
        self.blocks: list[list[ast.stmt]] = [
            b for n in self.nodes for f in fields if isinstance(b := getattr(n, f, None), list) and b
        ]
        #: The methods of classes, and what the other methods of each keep: ``self.out``.
        self.beside = {
            f: dict.fromkeys(n for g in c.body if g is not f and _is_method(g) for n in _kept_by(g))
            for c in self.nodes if isinstance(c, ast.ClassDef) for f in c.body if isinstance(f, ast.FunctionDef)
        }  # fmt: skip
        self.counts: dict[str, None] = {}
        for node in self.nodes:
            if isinstance(node, ast.Assign) and len(node.targets) == 1:
                self.counts.update(dict.fromkeys(_counted(node.targets[0], node.value)))
        for node in self.nodes:
            # dh = D // n_heads
            match node:
                case ast.Assign([ast.Name(name)], ast.BinOp(ast.Name(count), ast.FloorDiv() | ast.Mult(), _)):
                    self.counts.update({name: None} if count in self.counts else {})
        self.simple = [
            s for b in self.blocks for s in b
            if isinstance(s, ast.Assign | ast.AugAssign | ast.Expr | ast.Return) and s.lineno == s.end_lineno
        ]  # fmt: skip

    def of(self, node: ast.expr | ast.stmt) -> str:
        """The characters of a piece of one line."""
        return self.lines[node.lineno - 1][node.col_offset : node.end_col_offset]

    def leading_to(self, lines: Collection[int]) -> frozenset[int]:
        """Some lines, and those of the derivation that set what they read."""
        reads = {n for s in self.simple if s.lineno in lines for n in names_of(s)}
        sets = {s.lineno for s in self.simple if s.lineno in self.manual and reads & stored(s)}
        return frozenset(lines) | sets

    def function_at(self, line: int) -> ast.FunctionDef | None:
        """The innermost function around a line."""
        return self._around.get(line)

    @cached_property
    def _around(self) -> dict[int, ast.FunctionDef]:
        """The innermost function around each line that is in one: it begins last."""
        out: dict[int, ast.FunctionDef] = {}
        for f in self.functions:
            for line in range(f.lineno, (f.end_lineno or f.lineno) + 1):
                if line not in out or f.lineno > out[line].lineno:
                    out[line] = f
        return out

    def loops(self, line: int) -> list[str]:
        """The variables of the loops around a line, the outermost first."""
        around = (n for n in self.nodes if isinstance(n, ast.For) and n.lineno < line <= (n.end_lineno or 0))
        return [n.target.id for n in sorted(around, key=lambda n: n.lineno) if isinstance(n.target, ast.Name)]

    @cached_property
    def rounds(self) -> set[str]:
        """The names of what loops count."""
        return {n.target.id for n in self.nodes if isinstance(n, ast.For) and isinstance(n.target, ast.Name)}

    def is_about(self, line: int) -> bool:
        """A line is in the derivation, or in a function in which it is."""
        if line in self.manual:
            return True
        inner = self.function_at(line)
        return inner is not None and any(inner.lineno <= n <= (inner.end_lineno or 0) for n in self.manual)


def at(node: ast.expr, text: str, mistake: str, message: str, cost: float) -> Rewording:
    end = node.end_lineno or node.lineno
    span = Span("", node.lineno, node.col_offset + 1, end, (node.end_col_offset or 0) + 1)
    return Rewording(node.lineno, span, text, mistake, message, cost)


def names_of(statement: ast.stmt) -> set[str]:
    """What a statement reads: of ``dW[i] += v`` also what it adds to."""
    out = {ast.unparse(n) for n in ast.walk(statement) if _is_read(n)}
    return out | (stored(statement) if isinstance(statement, ast.AugAssign) else set())


def _is_read(node: ast.AST) -> bool:
    return isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Load)


def stored(statement: ast.stmt) -> set[str]:
    """What a statement sets, or changes a part of."""
    targets: Sequence[ast.expr] = ()
    if isinstance(statement, ast.Assign):
        targets = statement.targets
    elif isinstance(statement, ast.AugAssign):
        targets = (statement.target,)
    elif isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
        function = statement.value.func
        if isinstance(function, ast.Attribute) and function.attr == "at" and statement.value.args:
            targets = (statement.value.args[0],)
    out: set[str] = set()
    todo = list(targets)
    while todo:
        target = todo.pop()
        if isinstance(target, ast.Tuple | ast.List):
            todo += target.elts
        elif isinstance(target, ast.Subscript | ast.Starred):
            todo.append(target.value)
        else:
            out.add(ast.unparse(target))
    return out


def _counted(target: ast.expr, value: ast.expr) -> list[str]:
    """The names that an assignment makes counts of."""
    if isinstance(target, ast.Tuple):
        pairs = zip(target.elts, value.elts, strict=False) if isinstance(value, ast.Tuple) else ()
        if not isinstance(value, ast.Tuple) and _is_count(value):
            return [e.id for e in target.elts if isinstance(e, ast.Name)]
        return [name for t, v in pairs for name in _counted(t, v)]
    return [target.id] if isinstance(target, ast.Name) and _is_count(value) else []


def _is_count(value: ast.expr) -> bool:
    if isinstance(value, ast.Constant):
        return isinstance(value.value, int) and not isinstance(value.value, bool) and value.value > 1
    words = {n.attr for n in ast.walk(value) if isinstance(n, ast.Attribute)}
    words |= {n.func.id for n in ast.walk(value) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)}
    plain = isinstance(value, ast.Subscript | ast.Attribute | ast.Call)
    return plain and bool(words) and words <= {*COUNTING, "data"} and bool(words & set(COUNTING))


def _is_method(node: ast.AST) -> bool:
    """A function of a class that does something with what it is given, and does not only begin an object."""
    return isinstance(node, ast.FunctionDef) and node.name != "__init__"


def _kept_by(function: ast.AST) -> Iterator[str]:
    for n in ast.walk(function):
        if isinstance(n, ast.Attribute) and isinstance(n.ctx, ast.Store):
            yield ast.unparse(n)


__all__ = ["COUNTING", "Rewording", "Text", "at", "names_of", "stored"]
