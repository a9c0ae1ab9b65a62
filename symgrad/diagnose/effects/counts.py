"""Counts that are others than belong there: ``m = X.shape[0]`` for ``m = X.shape[1]``, ``n = C*H*W`` for ``n = H*W``.

Such a line makes no step. What it does shows wherever the name is read, so the change is made there.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Iterator, Sequence
from fractions import Fraction

from symgrad.diagnose.effects.board import Board
from symgrad.diagnose.effects.exchanges import Elsewhere, Exchange, readers
from symgrad.diagnose.effects.lines import Text
from symgrad.diagnose.observing.replay import Layout
from symgrad.diagnose.text.syntax import nodes
from symgrad.diagnose.values.shaped import lifted
from symgrad.diagnose.values.vectors import Vec, constant
from symgrad.diagnose.walking.places import UNPLACED, Repair
from symgrad.diagnose.walking.region import Make, Site
from symgrad.errors import Span

#: What it costs that a count is the length of another axis, and that it is another one.
AXIS, OTHER = 0.95, 1.05
#: ... and that an array of given numbers has the wrong sign.
SIGN = 0.85

#: A count that may have been meant, how it is written, what is said of it, and what it costs.
_Other = tuple[int, str, str, float]


def counts(layout: Layout, board: Board, text: Text) -> Iterator[tuple[Elsewhere, Exchange]]:
    """Other counts than each that is given a name, wherever the derivation reads it."""
    reads = readers(board.steps, layout.graph, text)
    for node in nodes(layout.subject.source):
        match node:
            case ast.Assign([ast.Name(name)], value) if value.lineno == value.end_lineno and name in reads:
                sites, count = _count(layout, _function(layout, node.lineno), reads[name])
            case _:
                continue
        if not sites or isinstance(value, ast.Constant):
            continue
        span = Span("", value.lineno, value.col_offset + 1, value.lineno, (value.end_col_offset or 0) + 1)
        others = list(_axes(layout, text, value))
        if not _is_of_the_loss(layout, text, node):
            others += _multiples(layout, value, count)
        for instead, said, words, cost in others:
            repair = Repair(UNPLACED, "scale", words, cost, text=said, span=span)
            yield Elsewhere(layout, board, value.lineno, text), (sites, _given(instead), repair)


def given_arrays(layout: Layout, board: Board, text: Text) -> Iterator[tuple[Elsewhere, Exchange]]:
    """``g = np.ones((n, 1)) / n`` for ``g = -np.ones((n, 1)) / n``: an array of given numbers makes no step either, and
    is read in several lines."""
    for node in nodes(layout.subject.source):
        match node:
            case ast.Assign([ast.Name(name)], value) if value.lineno == value.end_lineno:
                held = {u.step for u in layout.by_name.get(name, ()) if u.line == node.lineno}
            case _:
                continue
        step = held.pop() if len(held) == 1 else -1
        if step < 0 or not layout.graph.steps[step].is_leaf or layout.is_forward(step):
            continue
        users = [k for k in layout.children[step] if board.moves(k)]
        sites = tuple((k, slot) for k in users for slot, j in enumerate(layout.graph.steps[k].inputs) if j == step)
        lines = {span.line for k in users if (span := layout.graph.steps[k].span) is not None}
        if len(lines) > 1 and layout.graph.steps[step].shape:
            span = Span("", value.lineno, value.col_offset + 1, value.lineno, (value.end_col_offset or 0) + 1)
            own = ast.unparse(value)
            said = f"-{own}" if text.source.is_atom(own) else f"-({own})"
            repair = Repair(UNPLACED, "sign", "has the wrong sign", SIGN, None, "*", Fraction(-1), text=said, span=span)
            yield Elsewhere(layout, board, value.lineno, text), (sites, lambda _i, old, _args: -old, repair)


def _function(layout: Layout, line: int) -> int:
    """Where the innermost function around a line begins; 0 for none."""
    functions = (n for n in nodes(layout.subject.source) if isinstance(n, ast.FunctionDef))
    return max((f.lineno for f in functions if f.lineno <= line <= (f.end_lineno or 0)), default=0)


def _is_of_the_loss(layout: Layout, text: Text, node: ast.Assign) -> bool:
    """The forward pass reads the name as well: it says what the count is."""
    function, name = _function(layout, node.lineno), ast.unparse(node.targets[0])
    forward = (i for i, value in enumerate(layout.truth.values) if value is not None)
    spans = (layout.graph.steps[i].span for i, _ in readers(forward, layout.graph, text).get(name, ()))
    return any(span is not None and _function(layout, span.line) == function for span in spans)


def _count(layout: Layout, function: int, reads: Sequence[Site]) -> tuple[tuple[Site, ...], int]:
    """Where a whole number is read in the function that sets it; and the number."""
    steps = layout.graph.steps
    sites, values = [], set()
    for i, slot in reads:
        read, span = steps[steps[i].inputs[slot]], steps[i].span
        if read.is_const and span is not None and _function(layout, span.line) == function:
            sites.append((i, slot))
            values.add(read.value)
    number = values.pop() if len(values) == 1 else None
    if not isinstance(number, Fraction) or number.denominator != 1 or number < 1:
        return (), 0
    return tuple(sorted(sites)), int(number)


def _axes(layout: Layout, text: Text, value: ast.expr) -> Iterator[_Other]:
    """``X.shape[1]`` for ``X.shape[0]``."""
    match value:
        case ast.Subscript(ast.Attribute(array, "shape"), ast.Constant(int(axis))):
            called = ast.unparse(array)
            held = text.bound.get(called, ())
        case _:
            return
    shape = layout.graph.steps[held[-1][1]].shape if held else ()
    for k, length in enumerate(shape):
        if -len(shape) <= axis < len(shape) and length != shape[axis]:
            yield length, f"{called}.shape[{k}]", "is the length of another axis than belongs here", AXIS


def _multiples(layout: Layout, value: ast.expr, count: int) -> Iterator[_Other]:
    """The number of all entries for that of the rows; a length too many, or too few."""
    own = ast.unparse(value)
    factor = own if isinstance(value, ast.Name | ast.Attribute | ast.Subscript | ast.Call) else f"({own})"
    shapes = {layout.graph.steps[i].shape for i, vec in enumerate(layout.truth.values) if vec is not None}
    lengths = {n for shape in shapes for n in (*shape, *map(math.prod, (shape[k:] for k in range(len(shape)))))}
    words = "is another count than belongs here"
    for n in sorted(lengths - {0, 1}):
        yield count * n, f"{factor} * {n}", words, OTHER
        if count % n == 0 and count != n:
            yield count // n, f"{factor} // {n}", words, OTHER


def _given(number: int) -> Make:
    def make(_i: int, old: Vec, _args: Sequence[Vec]) -> Vec:
        return constant(Fraction(number), len(lifted(old).arrays))

    return make
