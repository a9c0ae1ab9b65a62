"""What is put into a line, in the names that the derivation has for parts of it: ``dp*x**2`` for
``0.5*(2*(p - t))*x**2``, where dp is p - t."""

from __future__ import annotations

import ast
import math
from collections.abc import Iterator, Mapping, Sequence

from symgrad.diagnose.observing.subject import Unit
from symgrad.diagnose.telling.rounds import close, valued
from symgrad.diagnose.trying.roles import roles_of
from symgrad.diagnose.trying.written import at_hand
from symgrad.diagnose.walking.blame import Walk

#: Two random points.
POINTS = (1, 2)
#: A loop of more rounds than this is left as it is.
ROUNDS = 50
#: So many names are known at most, the latest.
MOST = 40


def folded(text: str, unit: Unit, walk: Walk, written: str) -> str:
    """A formula with the names that hold parts of it by then in their places.

    Args:
        unit: the assignment that it is for.
        written: what stands there already: its parts are left as they are.
    """
    if walk.subject.is_shaped or not text:
        return text
    text = text.replace("^", "**")
    try:
        tree = ast.parse(text, mode="eval")
    except (SyntaxError, ValueError, RecursionError):
        return text
    held = _held(unit, walk)
    if not held:
        return text
    known = _known(unit, walk)
    spans = sorted(_places(tree.body, text, written.replace(" ", ""), held, known), reverse=True)
    for begin, end, name in spans:
        if text[begin - 1 : begin] == "(" and text[end : end + 1] == ")" and not text[: begin - 1][-1:].isalnum():
            begin, end = begin - 1, end + 1  # the brackets of the part alone
        text = text[:begin] + name + text[end:]
    return text


def _held(unit: Unit, walk: Walk) -> Mapping[str, Sequence[float]]:
    """The plain names that hold something worked out in the derivation by then, with their values."""
    layout = walk.layout
    latest = {u.name: u for u in walk.subject.units if u.step < unit.step and u.name.isidentifier()}
    forward = {name for name, _ in walk.subject.aliases}
    out: dict[str, Sequence[float]] = {}
    for name, u in list(latest.items())[-MOST:]:
        step = layout.graph.steps[u.step]
        meaning = walk.out.meaning.get(u.step)
        # That 2*k is also some derivative by k is no reason to write it so.
        chance = meaning is not None and meaning.kind in ("tangent", "local", "term") and not layout.is_shared(u.step)
        if not (
            chance
            or u.name == unit.name
            or name in forward
            or step.is_leaf
            or layout.original(u.step) in walk.subject.names
        ):
            values = walk.corrected(u.step).floats
            out[name] = [values[p] for p in POINTS]
    return out


def _known(unit: Unit, walk: Walk) -> list[dict[str, float]]:
    """The value of everything that an assignment has at hand, at each point."""
    layout = walk.layout
    out: list[dict[str, float]] = [{"pi": math.pi} for _ in POINTS]
    rounds = [u for u in walk.subject.units if (u.line, u.span.column) == (unit.line, unit.span.column)]
    if unit not in rounds or len(rounds) > ROUNDS:
        return out
    n = rounds.index(unit)
    for role in at_hand(roles_of(layout), rounds):
        i = role.steps[n]
        floats = (layout.actual(i) if layout.is_forward(i) else walk.corrected(i)).floats
        for env, p in zip(out, POINTS, strict=True):
            env[role.text] = floats[p]
    return out


def _places(
    node: ast.expr, text: str, written: str, held: Mapping[str, Sequence[float]], known: Sequence[dict[str, float]]
) -> Iterator[tuple[int, int, str]]:
    """The largest parts that a name stands for: begin, end, name."""
    begin, end = node.col_offset, node.end_col_offset or 0
    piece = text[begin:end]
    if not isinstance(node, ast.BinOp | ast.UnaryOp | ast.Call) or piece.replace(" ", "") in written:
        return
    values = [valued(piece, env) for env in known]
    if not isinstance(node, ast.UnaryOp) and all(map(math.isfinite, values)) and values[0] != values[1]:
        for name, own in reversed(list(held.items())):
            if all(close(a, b) for a, b in zip(values, own, strict=True)):
                yield begin, end, name
                return
    yield from _within(node, text, written, held, known)


def _within(
    node: ast.BinOp | ast.UnaryOp | ast.Call,
    text: str,
    written: str,
    held: Mapping[str, Sequence[float]],
    known: Sequence[dict[str, float]],
) -> Iterator[tuple[int, int, str]]:
    """The same of the operands."""
    match node:
        case ast.BinOp(left, _, right):
            operands = [left, right]
        case ast.UnaryOp(_, operand):
            operands = [operand]
        case ast.Call(_, arguments):
            operands = arguments
    for operand in operands:
        yield from _places(operand, text, written, held, known)
