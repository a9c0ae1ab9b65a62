"""Counts that are the length of another axis than belongs there: ``m = X.shape[0]`` for ``m = X.shape[1]``.

Such a line makes no step. What it does shows wherever the name is read, so the change is made there.
"""

from __future__ import annotations

import ast
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
from symgrad.errors import Span


def counts(layout: Layout, board: Board, text: Text) -> Iterator[tuple[Elsewhere, Exchange]]:
    """``m = X.shape[0]`` for ``m = X.shape[1]``: wherever the derivation reads it."""
    reads = readers(board, text)
    for node in nodes(layout.subject.source):
        match node:
            case ast.Assign([ast.Name(name)], ast.Subscript(ast.Attribute(array, "shape"), ast.Constant(int(axis)))):
                held = text.bound.get(ast.unparse(array), ())
            case _:
                continue
        value = node.value
        sites = tuple(
            (i, slot) for i, slot in reads.get(name, ())
            if layout.graph.steps[layout.graph.steps[i].inputs[slot]].is_const
        )  # fmt: skip
        if not held or not sites or value.lineno != value.end_lineno:
            continue
        shape = layout.graph.steps[held[-1][1]].shape
        for k, length in enumerate(shape):
            if not -len(shape) <= axis < len(shape) or length == shape[axis]:
                continue

            def make(_i: int, old: Vec, _args: Sequence[Vec], length: int = length) -> Vec:
                return constant(Fraction(length), len(lifted(old).arrays))

            span = Span("", value.lineno, value.col_offset + 1, value.lineno, (value.end_col_offset or 0) + 1)
            words = "is the length of another axis than belongs here"
            repair = Repair(UNPLACED, "scale", words, 0.95, text=f"{ast.unparse(array)}.shape[{k}]", span=span)
            yield Elsewhere(layout, board, value.lineno, text), (tuple(sorted(sites)), make, repair)
