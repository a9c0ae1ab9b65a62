"""Slips of a text that leave no trace in what was computed: the order of two lines, or of what a cache is unpacked to,
a return inside a loop, the bound of a slice, a count in the place of another, a value that is used nowhere.

Such lines make no steps, or wholly other ones. So what they should be cannot be computed from one run: each of these
texts has to be run to see what it does.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from itertools import pairwise

from symgrad.diagnose.text.layers import passed_over
from symgrad.diagnose.text.rounds import still
from symgrad.diagnose.text.siblings import beside, handed_back_in_order
from symgrad.diagnose.text.syntax import module
from symgrad.diagnose.text.texts import Rewording, Text, at, names_of, stored
from symgrad.diagnose.text.unpacking import misplaced, unpacked
from symgrad.diagnose.text.unread import given_back, handed_on, never_read, unread
from symgrad.errors import Span

#: What is as likely as a change of a formula.
PLAIN = 0.8
#: What it costs that a count is another one.
COUNTED = 1.3


def rewordings(
    source: str, manual: Collection[int], asked: Collection[int], ranks: Mapping[str, int],
    ends: Collection[str] = (), *, explained: bool = False,
) -> list[Rewording]:  # fmt: skip
    """Other texts for the lines of a derivation, the likeliest first.

    Args:
        manual: the lines of the derivation.
        asked: those of them in which something is wrong.
        ranks: the axes that arrays have, by their names.
        ends: gradients in which it ends: nobody forgot to use them.
        explained: some change of a formula does it already; only what is likelier still is asked for.
    """
    tree = module(source)
    if tree is None:
        return []
    text = Text(source, tree, frozenset(manual))
    near = text.leading_to(asked)
    out = [*_exchanged(text, asked, near), *misplaced(text)]
    if explained:
        out = [r for r in out if r.cost <= PLAIN]
        out += [replace(r, cost=r.cost - COUNTED + PLAIN) for r in _counts(text, asked)]
    else:
        idle = [*given_back(text), *unread(text, asked, ranks, ends), *handed_on(text, ranks), *never_read(text)]
        out += [*_returned(text), *idle, *unpacked(text), *_bounds(text), *_counts(text, near), *_places(text, near)]
        out += [*still(text), *passed_over(text)]
        out += [*handed_back_in_order(text, near), *beside(text, asked)]
    return sorted(out, key=lambda r: r.cost)


def _exchanged(text: Text, asked: Collection[int], near: Collection[int]) -> Iterator[Rewording]:
    """Two lines, one after the other, that have to do with one another."""
    asked_for = {n for s in text.simple if s.lineno in asked for n in stored(s)}
    for block in text.blocks:
        for first, second in pairwise(block):
            plain = all(isinstance(s, ast.Assign | ast.AugAssign | ast.Expr) for s in (first, second))
            alone = first.lineno == first.end_lineno == second.lineno - 1 and second.lineno == second.end_lineno
            if not plain or not alone or not {first.lineno, second.lineno} <= text.manual:
                continue
            early, late = names_of(first) & stored(second), stored(first) & names_of(second)
            if not early and not late:
                continue
            name = min(early or late)
            lines = {first.lineno, second.lineno}
            # `dx = dd.copy()` before `dd += ...`: what is asked about is told by the line that it begins with.
            grown = any(isinstance(s, ast.AugAssign) and stored(s) & asked_for for s in (first, second))
            cost = 0.8 if lines & set(asked) or grown else 0.9 if lines & set(near) else 1.2
            span = Span("", first.lineno, first.col_offset + 1, second.lineno, (second.end_col_offset or 0) + 1)
            both = f"{text.of(second)}\n{' ' * first.col_offset}{text.of(first)}"
            message = f"lines {first.lineno} and {second.lineno} stand in the wrong order: {name} is " + (
                "read before it is worked out" if early else f"changed before line {second.lineno} reads it"
            )
            yield Rewording(first.lineno, span, both, "overwritten", message, cost)


def _returned(text: Text) -> Iterator[Rewording]:
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


def _bounds(text: Text) -> Iterator[Rewording]:
    """``x[r : size]`` for ``x[r : r + size]``."""
    for node in text.nodes:
        if not isinstance(node, ast.Slice) or node.lower is None or node.upper is None or node.step is not None:
            continue
        if node.lineno != node.end_lineno or not text.is_about(node.lineno):
            continue
        lower, upper = text.of(node.lower), text.of(node.upper)
        if not isinstance(node.lower, ast.Constant) and ast.unparse(node.lower) not in ast.unparse(node.upper):
            message = f"the slice `{text.of(node)}` ends at {upper}, counted from {lower}"
            yield at(node, f"{lower} : {lower} + {upper}", "wrong-formula", message, 1.05)


def _counts(text: Text, near: Collection[int]) -> Iterator[Rewording]:
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
                    yield at(node, f"{left} / {right}", "wrong-formula", message, 1.3)
                elif between.strip() == "* (":
                    message = f"`{text.of(node)}` multiplies by a count that it should divide by"
                    yield at(node, f"{left} / ({right})", "wrong-formula", message, 1.3)
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and _may_count(text, statement, node):
                for other in text.counts:
                    if other != node.id:
                        message = f"`{node.id}` is another count than belongs here"
                        cost = 1.29 if _is_written(text, statement, node, other) else 1.3
                        yield at(node, other, "scale", message, cost)


def _may_count(text: Text, statement: ast.stmt, node: ast.Name) -> bool:
    """A count, or what stands in the place of one: ``dW /= i``, where i is the number of a round that is over."""
    divided = isinstance(statement, ast.AugAssign) and isinstance(statement.op, ast.Mult | ast.Div)
    over = divided and statement.value is node and node.id not in text.loops(statement.lineno)  # type: ignore[attr-defined]
    return node.id in text.counts or (over and node.id in text.rounds)


def _is_written(text: Text, statement: ast.AST, node: ast.Name, other: str) -> bool:
    """What a name stands in is written elsewhere with another one: ``np.sqrt(dh)``, as in the forward pass."""
    for around in ast.walk(statement):
        if isinstance(around, ast.Call | ast.BinOp) and any(n is node for n in ast.iter_child_nodes(around)):
            called = node.id
            node.id = other
            said = ast.unparse(around)
            node.id = called
            return any(said == ast.unparse(n) for n in text.nodes if type(n) is type(around))
    return False


def _places(text: Text, near: Collection[int]) -> Iterator[Rewording]:
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
                        yield at(index, other, "wrong-variable", message, 1.25)


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


__all__ = ["Rewording", "rewordings"]
