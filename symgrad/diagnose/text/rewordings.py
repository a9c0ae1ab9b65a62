"""Slips of a text that leave no trace in what was computed: the order of two lines, or of what a cache is unpacked to,
a return inside a loop, the bound of a slice, a count in the place of another, a value that is used nowhere.

Such lines make no steps, or wholly other ones. So what they should be cannot be computed from one run: each of these
texts has to be run to see what it does.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, pairwise

from symgrad.errors import Span

#: So many names of one line are exchanged.
MOST_NAMES = 6
#: What is as likely as a change of a formula.
PLAIN = 0.8
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


def rewordings(
    source: str, manual: Collection[int], asked: Collection[int], ranks: Mapping[str, int], *, explained: bool = False
) -> list[Rewording]:
    """Other texts for the lines of a derivation, the likeliest first.

    Args:
        manual: the lines of the derivation.
        asked: those of them in which something is wrong.
        ranks: the axes that arrays have, by their names.
        explained: some change of a formula does it already; only what is likelier still is asked for.
    """
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    text = _Text(source, tree, frozenset(manual))
    near = text.leading_to(asked)
    out = list(_exchanged(text, asked, near))
    if explained:
        out = [r for r in out if r.cost <= PLAIN] + [replace(r, cost=PLAIN) for r in _counts(text, asked)]
    else:
        unread = _unread(text, asked, ranks)
        out += [*_returned(text), *unread, *_unpacked(text), *_bounds(text), *_counts(text, near), *_places(text, near)]
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
        self.counts: dict[str, None] = {}
        for node in self.nodes:
            if isinstance(node, ast.Assign) and len(node.targets) == 1:
                self.counts.update(dict.fromkeys(_counted(node.targets[0], node.value)))
        self.simple = [
            s for b in self.blocks for s in b
            if isinstance(s, ast.Assign | ast.AugAssign | ast.Expr | ast.Return) and s.lineno == s.end_lineno
        ]  # fmt: skip

    def of(self, node: ast.expr | ast.stmt) -> str:
        """The characters of a piece of one line."""
        line = self.lines[node.lineno - 1]
        return line.encode()[node.col_offset : node.end_col_offset].decode()

    def leading_to(self, lines: Collection[int]) -> frozenset[int]:
        """Some lines, and those of the derivation that set what they read."""
        reads = {n for s in self.simple if s.lineno in lines for n in _names(s)}
        sets = {s.lineno for s in self.simple if s.lineno in self.manual and reads & _stored(s)}
        return frozenset(lines) | sets

    def function_at(self, line: int) -> ast.FunctionDef | None:
        """The innermost function around a line."""
        around = [f for f in self.functions if f.lineno <= line <= (f.end_lineno or 0)]
        return max(around, key=lambda f: f.lineno, default=None)

    def loops(self, line: int) -> list[str]:
        """The variables of the loops around a line, the outermost first."""
        around = (n for n in self.nodes if isinstance(n, ast.For) and n.lineno < line <= (n.end_lineno or 0))
        return [n.target.id for n in sorted(around, key=lambda n: n.lineno) if isinstance(n.target, ast.Name)]

    def is_about(self, line: int) -> bool:
        """A line is in the derivation, or in a function in which it is."""
        if line in self.manual:
            return True
        inner = self.function_at(line)
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
            lines = {first.lineno, second.lineno}
            cost = 0.8 if lines & set(asked) else 0.9 if lines & set(near) else 1.2
            span = Span("", first.lineno, first.col_offset + 1, second.lineno, (second.end_col_offset or 0) + 1)
            both = f"{text.of(second)}\n{' ' * first.col_offset}{text.of(first)}"
            message = f"lines {first.lineno} and {second.lineno} stand in the wrong order: {name} is " + (
                "read before it is worked out" if early else f"changed before line {second.lineno} reads it"
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
            where = f"inside the loop of line {outermost.lineno}"
            message = f"`{text.of(loop)}` stands {where}: only its first round is run"
            yield Rewording(loop.lineno, span, said, "lost-accumulation", message, 0.5)


def _unread(text: _Text, asked: Collection[int], ranks: Mapping[str, int]) -> Iterator[Rewording]:
    """What is worked out and read nowhere: somebody meant to use it."""
    read = {n.id for n in text.nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}
    stored = {
        n.id: s.lineno for s in text.simple if s.lineno in text.manual for n in ast.walk(s)
        if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store) and n.id not in read
    }  # fmt: skip
    stored.update(_items(text, asked, ranks))
    made = {name for s in text.simple if s.lineno in asked for name in _stored(s)}
    for statement in text.simple:
        value = statement.value if isinstance(statement, ast.Assign | ast.AugAssign) else None
        if value is None or isinstance(value, ast.Tuple | ast.List) or statement.lineno not in text.manual:
            continue
        if statement.lineno not in asked and not (isinstance(value, ast.Name) and value.id in made):
            continue
        own = text.of(value)
        for name, line in stored.items():
            apart = line and text.function_at(line) is not text.function_at(statement.lineno)
            if line == statement.lineno or apart:
                continue
            bare = f"({own})" if isinstance(value, ast.BinOp) else own
            where = f"worked out in line {line} and used nowhere" if line else "used nowhere else here"
            message = f"`{own}` leaves out {name}, which is {where}"
            if not line and not any(f"[{v}" in name or f" {v}]" in name for v in text.loops(statement.lineno)):
                continue
            if not line:
                yield _at(value, f"{bare} * {name}", "missing-factor", message, 0.75)
                continue
            yield _at(value, f"{own} + {name}", "missing-term", message, 0.6)
            yield _at(value, f"{bare} * {name}", "missing-factor", message, 0.65)
            yield _at(value, f"{own} - {name}", "missing-term", message, 0.7)


def _items(text: _Text, asked: Collection[int], ranks: Mapping[str, int]) -> dict[str, int]:
    """``dout[n, i, j]`` in a loop over n, i and j, where the derivation reads nothing of dout but its shape."""
    out: dict[str, int] = {}
    for line in asked:
        function = text.function_at(line)
        variables = text.loops(line)
        if not variables:
            continue
        shapes = {id(n.value) for n in text.nodes if isinstance(n, ast.Attribute) and n.attr in _COUNTING}
        for node in text.nodes:
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("_like"):
                shapes |= {id(n) for n in ast.walk(node)}
        names = (n for n in text.nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load))
        mine = (n for n in names if n.lineno in text.manual and text.function_at(n.lineno) is function)
        read = {n.id for n in mine if id(n) not in shapes}
        held = [a.arg for a in function.args.args] if function is not None else []
        for statement in text.simple:
            if text.function_at(statement.lineno) is function and isinstance(statement, ast.Assign):
                held += sorted(
                    n.id for n in ast.walk(statement) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
                )
        others = [n for n in dict.fromkeys(held) if n not in read and ranks.get(n)]
        for name in others[:MOST_NAMES]:
            if 1 < len(variables) <= ranks[name]:
                out[f"{name}[{', '.join(variables)}]"] = 0
            out.update(dict.fromkeys((f"{name}[{v}]" for v in reversed(variables)), 0))
        break
    return out


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
    for statement in text.simple:
        if statement.lineno not in near or statement.lineno not in text.manual:
            continue
        for node in ast.walk(statement):
            if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult) and _is_counted(node.right, text.counts):
                left, right = text.of(node.left), text.of(node.right)
                between = text.lines[node.left.lineno - 1][node.left.end_col_offset : node.right.col_offset]
                if between.strip() == "*":
                    message = f"`{text.of(node)}` multiplies by a count that it should divide by"
                    yield _at(node, f"{left} / {right}", "wrong-formula", message, 1.3)
                elif between.strip() == "* (":
                    message = f"`{text.of(node)}` multiplies by a count that it should divide by"
                    yield _at(node, f"{left} / ({right})", "wrong-formula", message, 1.3)
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in text.counts:
                for other in text.counts:
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
        for node in (n for n in ast.walk(statement) if isinstance(n, ast.Subscript)):
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


def _is_counted(node: ast.expr, counts: Mapping[str, None]) -> bool:
    """A count, or something made of counts and numbers."""
    names = [n for n in ast.walk(node) if isinstance(n, ast.Name)]
    kinds = (ast.Name, ast.Constant, ast.BinOp, ast.operator, ast.expr_context)
    plain = all(isinstance(n, kinds) for n in ast.walk(node))
    return plain and bool(names) and all(n.id in counts for n in names)


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


def _at(node: ast.expr, text: str, mistake: str, message: str, cost: float) -> Rewording:
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
