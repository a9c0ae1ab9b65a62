"""Slips of a text that leave no trace in what was computed: the order of two lines, a return inside a loop, the order in
which a cache is unpacked, the bound of a slice, a count in the place of another.

Such lines make no steps, or wholly other ones. So what they should be cannot be computed from one run: each of these
texts has to be run to see what it does.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

from symgrad.errors import Span

#: So many names of one line are exchanged.
MOST_NAMES = 6
#: What is taken for a count: what is made by these.
_COUNTING = ("len", "range", "enumerate", "size", "shape", "ndim")


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


def rewordings(source: str, manual: Collection[int], asked: Collection[int], *, order_only: bool = False) -> list[Rewording]:
    """Other texts for the lines of a derivation, the likeliest first.

    Args:
        manual: the lines of the derivation.
        asked: those of them in which something is wrong.
        order_only: only for those two that stand in the wrong order.
    """
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    text = _Text(source, tree, frozenset(manual))
    near = text.leading_to(asked)
    out = list(_exchanged(text, asked, near))
    if not order_only:
        out += [*_returned(text), *_unpacked(text), *_bounds(text), *_counts(text, near), *_places(text, near)]
    return sorted(out, key=lambda r: r.cost)


class _Text:
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
        self.simple = [
            s for b in self.blocks for s in b
            if isinstance(s, ast.Assign | ast.AugAssign | ast.Expr | ast.Return) and s.lineno == s.end_lineno
        ]  # fmt: skip

    def of(self, node: ast.AST) -> str:
        """The characters of a piece of one line."""
        line = self.lines[getattr(node, "lineno") - 1]
        return line.encode()[getattr(node, "col_offset") : getattr(node, "end_col_offset")].decode()

    def leading_to(self, lines: Collection[int]) -> frozenset[int]:
        """Some lines, and those of the derivation that set what they read."""
        reads = {n for s in self.simple if s.lineno in lines for n in _names(s)}
        sets = {s.lineno for s in self.simple if s.lineno in self.manual and reads & _stored(s)}
        return frozenset(lines) | sets

    def is_about(self, line: int) -> bool:
        """A line is in the derivation, or in a function in which it is."""
        if line in self.manual:
            return True
        around = [f for f in self.functions if f.lineno <= line <= (f.end_lineno or 0)]
        inner = max(around, key=lambda f: f.lineno, default=None)
        return inner is not None and any(inner.lineno <= n <= (inner.end_lineno or 0) for n in self.manual)


def _exchanged(text: _Text, asked: Collection[int], near: Collection[int]) -> Iterator[Rewording]:
    """Two lines, one after the other, that have to do with one another."""
    for block in text.blocks:
        for first, second in pairwise(block):
            plain = all(isinstance(s, ast.Assign | ast.AugAssign | ast.Expr) for s in (first, second))
            alone = first.lineno == first.end_lineno == second.lineno - 1 and second.lineno == second.end_lineno
            if not plain or not alone or not {first.lineno, second.lineno} <= text.manual:
                continue
            early, late = _names(first) & _stored(second), _stored(first) & _names(second)
            if not early and not late:
                continue
            name = min(early or late)
            what = "is worked out" if early else "is needed as it was"
            lines = {first.lineno, second.lineno}
            cost = 0.8 if lines & set(asked) else 0.9 if lines & set(near) else 1.2
            span = Span("", first.lineno, first.col_offset + 1, second.lineno, (second.end_col_offset or 0) + 1)
            both = f"{text.of(second)}\n{' ' * first.col_offset}{text.of(first)}"
            message = (
                f"lines {first.lineno} and {second.lineno} stand in the wrong order: {name} is "
                + ("read before it is worked out" if early else f"changed before line {second.lineno} reads it")
            )
            yield Rewording(first.lineno, span, both, "overwritten", message, cost)


def _returned(text: _Text) -> Iterator[Rewording]:
    """A return at the end of a loop's body: the first round is the last."""
    for function in text.functions:
        for block in _bodies(function):
            loop, depth = block[-1] if block else None, 0
            outermost = loop
            while isinstance(loop, ast.For | ast.While) and loop.body:
                loop, depth = loop.body[-1], depth + 1
            if not depth or not isinstance(loop, ast.Return) or outermost is None or not text.is_about(loop.lineno):
                continue
            if loop.lineno != loop.end_lineno:
                continue
            end = (loop.end_col_offset or 0) + 1
            span = Span("", loop.lineno, 1, loop.lineno, end)
            said = " " * outermost.col_offset + text.of(loop)
            message = f"`{text.of(loop)}` stands inside the loop of line {outermost.lineno}: only its first round is run"
            yield Rewording(loop.lineno, span, said, "lost-accumulation", message, 0.5)


def _bodies(function: ast.FunctionDef) -> Iterator[list[ast.stmt]]:
    """The blocks of a function that belong to no loop."""
    todo: list[ast.AST] = [function]
    while todo:
        node = todo.pop()
        for field in ("body", "orelse"):
            block = getattr(node, field, None)
            if isinstance(block, list):
                yield block
                todo += [s for s in block if isinstance(s, ast.If | ast.With | ast.Try)]


def _unpacked(text: _Text) -> Iterator[Rewording]:
    """``x, stride, size = cache`` where the cache has them in another order."""
    for node in text.simple:
        if not isinstance(node, ast.Assign) or isinstance(node.value, ast.Tuple | ast.List):
            continue
        target = node.targets[0]
        if not isinstance(target, ast.Tuple) or len(target.elts) > MOST_NAMES or not text.is_about(node.lineno):
            continue
        for a, b in combinations(range(len(target.elts)), 2):
            texts = [text.of(e) for e in target.elts]
            message = f"`{text.of(target)}` has {texts[a]} and {texts[b]} the wrong way round"
            texts[a], texts[b] = texts[b], texts[a]
            yield _at(target, ", ".join(texts), "wrong-variable", message, 1.0 + 0.01 * (b - a))


def _bounds(text: _Text) -> Iterator[Rewording]:
    """``x[r : size]`` for ``x[r : r + size]``."""
    for node in text.nodes:
        if not isinstance(node, ast.Slice) or node.lower is None or node.upper is None or node.step is not None:
            continue
        if node.lineno != node.end_lineno or not text.is_about(node.lineno):
            continue
        lower, upper = text.of(node.lower), text.of(node.upper)
        if not isinstance(node.lower, ast.Constant) and ast.unparse(node.lower) not in ast.unparse(node.upper):
            message = f"the slice `{text.of(node)}` ends at {upper}, counted from {lower}"
            yield _at(node, f"{lower} : {lower} + {upper}", "wrong-formula", message, 1.05)


def _counts(text: _Text, near: Collection[int]) -> Iterator[Rewording]:
    """A count in the place of another one: ``-1.0 / block`` for ``-1.0 / n``."""
    counts: dict[str, None] = {}
    for node in text.nodes:
        if isinstance(node, ast.Assign) and len(node.targets) == 1:
            counts.update(dict.fromkeys(_counted(node.targets[0], node.value)))
    for statement in text.simple:
        if statement.lineno not in near or statement.lineno not in text.manual:
            continue
        for node in ast.walk(statement):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in counts:
                for other in counts:
                    if other != node.id:
                        message = f"`{node.id}` is another count than belongs here"
                        yield _at(node, other, "scale", message, 1.3)


def _places(text: _Text, near: Collection[int]) -> Iterator[Rewording]:
    """An entry in the place of another one: ``e[center] -= 1`` for ``e[target] -= 1``."""
    names: dict[str, None] = {}
    for node in text.nodes:
        names.update(dict.fromkeys(n.id for n in _indices(node)))
    for statement in text.simple:
        if statement.lineno not in near or statement.lineno not in text.manual:
            continue
        for node in ast.walk(statement):
            for index in _indices(node):
                for other in names:
                    if other != index.id:
                        message = f"`{text.of(node)}` is another entry than belongs here: {other} for {index.id}"
                        yield _at(index, other, "wrong-variable", message, 1.25)


def _indices(node: ast.AST) -> list[ast.Name]:
    """The names that a subscript consists of."""
    if not isinstance(node, ast.Subscript):
        return []
    found = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
    return [n for n in found if isinstance(n, ast.Name)]


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
    return plain and bool(words) and words <= {*_COUNTING, "data"} and bool(words & set(_COUNTING))


def _at(node: ast.expr | ast.Slice, text: str, mistake: str, message: str, cost: float) -> Rewording:
    end = node.end_lineno or node.lineno
    span = Span("", node.lineno, node.col_offset + 1, end, (node.end_col_offset or 0) + 1)
    return Rewording(node.lineno, span, text, mistake, message, cost)


def _names(statement: ast.stmt) -> set[str]:
    """What a statement reads: of ``dW[i] += v`` also what it adds to."""
    out = {ast.unparse(n) for n in ast.walk(statement) if _is_read(n)}
    return out | (_stored(statement) if isinstance(statement, ast.AugAssign) else set())


def _is_read(node: ast.AST) -> bool:
    return isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Load)


def _stored(statement: ast.stmt) -> set[str]:
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


__all__ = ["Rewording", "rewordings"]
