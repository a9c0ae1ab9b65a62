"""Names that changed places: two of the values that are unpacked, or returned, in the wrong order.

Such a line computes nothing itself. What it does shows wherever one of the names is read, so the change is made there.
"""

from __future__ import annotations

import ast
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations, permutations

import numpy as np

from symgrad.diagnose.effects.board import Board
from symgrad.diagnose.effects.lines import Text
from symgrad.diagnose.effects.passage import Passage
from symgrad.diagnose.observing.replay import Layout, Result
from symgrad.diagnose.observing.subject import Unit
from symgrad.diagnose.text.kept import is_as_kept, put_together
from symgrad.diagnose.text.syntax import module, nodes
from symgrad.diagnose.values.shaped import lifted
from symgrad.diagnose.values.vectors import Vec
from symgrad.diagnose.walking.places import UNPLACED, Repair
from symgrad.diagnose.walking.region import Make, Site, slimmed
from symgrad.errors import Span
from symgrad.graph import Graph
from symgrad.ops import OPS

#: So many names on one line are exchanged; in so many orders results are put.
MOST_NAMES = 8
MOST_RESULTS = 5

Exchange = tuple[tuple[Site, ...], Make, Repair]



class Elsewhere(Passage):
    """A line that makes no steps of its own."""

    def __init__(self, layout: Layout, board: Board, line: int, text: Text) -> None:
        self.layout, self.board, self.graph, self.number, self.text = layout, board, layout.graph, line, text
        self.steps, self.units, self.ends = [], [], [0]
        self.users: dict[int, list[Site]] = {}
        self._own, self._ends, self._rounds = set(), set(), {}
        self.listed = ({}, {})


def exchanges(
    layout: Layout, board: Board, text: Text, results: Sequence[Result]
) -> Iterator[tuple[Elsewhere, Exchange]]:
    """The exchanges of names that the text has room for, each with its line."""
    tree = module(layout.subject.source)
    if tree is None:
        return
    reads = readers(board.steps, layout.graph, text)
    kept = put_together(ast.walk(tree))
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef | ast.Module):
            for node in ast.walk(function):
                target = _unpacked(node)
                if target is None or is_as_kept(target, kept):
                    continue
                if isinstance(function, ast.FunctionDef) == _is_inside(tree, target.lineno):
                    line = Elsewhere(layout, board, target.lineno, text)
                    last = function.end_lineno if isinstance(function, ast.FunctionDef) else None
                    for exchange in _unpackings(layout, board, text, target, reads, last):
                        yield line, exchange
    yield from _returned(layout, board, text, tree, results)


def _is_inside(tree: ast.Module, line: int) -> bool:
    found = (n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef))
    return any(n.lineno < line <= (n.end_lineno or n.lineno) for n in found)


def _unpacked(node: ast.AST) -> ast.Tuple | None:
    """``a, b = cache``; ``for a, b in steps``."""
    target = node.targets[0] if isinstance(node, ast.Assign) else node.target if isinstance(node, ast.For) else None
    if not isinstance(target, ast.Tuple) or len(target.elts) > MOST_NAMES or target.lineno != target.end_lineno:
        return None
    return target


def readers(steps: Iterable[int], graph: Graph, text: Text) -> dict[str, list[Site]]:
    """Where each name is read as an operand of some steps."""
    out: dict[str, list[Site]] = {}
    for i in steps:
        step = graph.steps[i]
        for slot in range(len(step.inputs)):
            where = text.source.operand(step.span, slot)
            if where is not None:
                out.setdefault(text.source.text(where), []).append((i, slot))
    return out


def _unpackings(
    layout: Layout, board: Board, text: Text, target: ast.Tuple, reads: Mapping[str, Sequence[Site]], last: int | None
) -> Iterator[Exchange]:
    called: dict[int, set[str]] = {}
    for name, i in layout.subject.aliases:
        called.setdefault(i, set()).add(name)
    held = layout.subject.names  # what the forward pass calls them
    made = any(t.lineno == target.lineno and isinstance(t.value, ast.Tuple) for t in _assigned(layout))
    names = [ast.unparse(e) for e in target.elts]
    for a, b in combinations(names, 2):
        sites: dict[Site, int] = {}
        crossed = straight = True
        for here, other in ((a, b), (b, a)):
            for i, slot in reads.get(here, ()):
                span = board.graph.steps[i].span
                if span is None or span.line <= target.lineno or (last is not None and span.line > last):
                    continue
                instead = bound(text, other, i)
                mine = board.graph.steps[i].inputs[slot]
                if bound(text, here, i) != mine or instead < 0 or instead == mine:
                    continue
                # What is unpacked was put together elsewhere; a, b = g[:n], g[n:] are worked out here, both alike.
                if made and not all(_is_worked_out(layout, j, target.lineno, (mine, instead)) for j in (mine, instead)):
                    continue
                sites[i, slot] = instead
                crossed = crossed and other in called.get(mine, ()) and here in called.get(instead, ())
                straight = straight and held.get(mine) == here and held.get(instead) == other
        if not sites or straight:
            continue  # each is what the forward pass calls so: the order is right
        swapped = [b if n == a else a if n == b else n for n in names]
        span = Span("", target.lineno, target.col_offset + 1, target.lineno, (target.end_col_offset or 0) + 1)
        words = f"has {a} and {b} the wrong way round"
        # What the forward pass calls by the other name was kept in the other order.
        yield (
            tuple(sorted(sites)),
            other_value(board, sites),
            Repair(UNPLACED, "wrong-variable", words, 0.3 if crossed else 0.9, text=", ".join(swapped), span=span),
        )


def _assigned(layout: Layout) -> Iterator[ast.Assign]:
    return (n for n in nodes(layout.subject.source) if isinstance(n, ast.Assign))


def _is_worked_out(layout: Layout, i: int, line: int, both: tuple[int, int]) -> bool:
    """A step of a line of the derivation; it has the shape of the other one."""
    step = layout.graph.steps[i]
    if layout.is_forward(i) or step.is_leaf or step.span is None or step.span.line != line:
        return False
    return len({layout.graph.steps[j].shape for j in both}) == 1


def bound(text: Text, name: str, before: int) -> int:
    """What a name is before a step is made; -1 if nothing."""
    times = text.bound.get(name, ())
    n = bisect_right(times, before - 1, key=lambda t: t[0])
    return times[n - 1][1] if n else -1


def other_value(board: Board, sites: Mapping[Site, int]) -> Make:
    """At each site the value that the other name holds."""
    by_step: dict[int, list[tuple[int, int]]] = {}
    for (i, slot), instead in sites.items():
        by_step.setdefault(i, []).append((slot, instead))

    def make(i: int, value: Vec, args: Sequence[Vec]) -> Vec:
        for slot, instead in by_step[i]:
            if slot < 0 or _is_same(args[slot], value):
                return slimmed(board.now(instead), value)
        return value

    return make


def _is_same(a: Vec, b: Vec) -> bool:
    return all(np.array_equal(x, y) for x, y in zip(lifted(a).arrays, lifted(b).arrays, strict=True))


def _returned(
    layout: Layout, board: Board, text: Text, tree: ast.Module, results: Sequence[Result]
) -> Iterator[tuple[Elsewhere, Exchange]]:
    """``return db, dw`` where ``dw, db = f()`` is called."""
    wrong: dict[int, list[Result]] = {}
    for r in results:
        step = layout.graph.steps[r.unit.step]
        if not r.is_right(r.actual) and not step.is_leaf and OPS[step.op].renames:
            wrong.setdefault(r.unit.line, []).append(r)
    for mine in wrong.values():
        if not 2 <= len(mine) <= MOST_RESULTS:
            continue
        order = next((o for o in permutations(mine) if _fits(mine, o)), None)
        if order is None:
            continue
        inner = {r.unit.step: layout.graph.steps[r.unit.step].inputs[0] for r in mine}
        instead = {(r.unit.step, -1): inner[o.unit.step] for r, o in zip(mine, order, strict=True)}
        place = _return(tree, layout, [inner[r.unit.step] for r in mine], [inner[o.unit.step] for o in order])
        if place is None:
            continue
        span, said = place
        words = "gives its values in another order than they are taken"
        repair = Repair(UNPLACED, "wrong-variable", words, 0.2, text=said, span=span)
        yield Elsewhere(layout, board, span.line, text), (tuple(sorted(instead)), other_value(board, instead), repair)


def _fits(mine: Sequence[Result], order: Sequence[Result]) -> bool:
    return all(r is not o and r.is_right(o.actual) for r, o in zip(mine, order, strict=True))


def _return(tree: ast.Module, layout: Layout, have: Sequence[int], want: Sequence[int]) -> tuple[Span, str] | None:
    """The return statement whose values are in the wrong order, and how it should read."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Return) or not isinstance(node.value, ast.Tuple):
            continue
        value = node.value
        texts = [ast.unparse(e) for e in value.elts]
        named = {i: next((u.name for u in _units(layout, i) if u.name in texts), "") for i in have}
        if not all(named.values()) or value.lineno != value.end_lineno:
            continue
        new = {named[h]: named[w] for h, w in zip(have, want, strict=True)}
        said = ", ".join(new.get(t, t) for t in texts)
        return Span("", value.lineno, value.col_offset + 1, value.lineno, (value.end_col_offset or 0) + 1), said
    return None


def _units(layout: Layout, i: int) -> Sequence[Unit]:
    return layout.units_at.get(i, ())
