"""``loss /= n`` after the loop, and no ``dW /= n``: what is added up is right, and a line is missing after the loop."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from fractions import Fraction

from symgrad.diagnose.observing.subject import BITS, Unit
from symgrad.diagnose.telling.corrected import walk_value
from symgrad.diagnose.text.source import SourceMap
from symgrad.diagnose.text.statements import Statement
from symgrad.diagnose.text.syntax import nodes
from symgrad.diagnose.walking.blame import Walk
from symgrad.diagnose.walking.verdicts import Root
from symgrad.enclosure import precision
from symgrad.errors import Span
from symgrad.ops import sign_of


@dataclass(frozen=True, slots=True)
class Division:
    """A division that is missing.

    Attributes:
        of: what is not divided; by: what it should be divided by, which is the number ``times``.
        line: what is to be added; ``like``: the line of the forward pass that divides so.
        beside: where it is handed on undivided, next to others that are divided: ``return dw / n, db``.
    """

    of: str
    by: str
    times: int
    line: Statement
    like: int
    beside: Span | None = None


def division(root: Root, walk: Walk, source: SourceMap) -> Division | None:
    """What a sum over the rounds of a loop was never divided by, though what the forward pass adds up there is;
    ``None`` where the line in the loop is off in another way."""
    unit, stem = root.unit, _stem(root.unit)
    if not _adds_to_itself(unit, walk) or len(root.repairs) != 1 or root.repairs[0].regain:
        return None
    if root.repairs[0].keep >= 0:
        return None  # a factor that is written there is too many
    count = _count(root, walk)
    if count is None or count <= 1:
        return None
    for line, by in _divisions(count, walk, source):
        loops = [loop for loop in source.statements.loops_around(unit.line) if not loop[0] <= line <= loop[1]]
        if not loops or not _adds_alone(unit, loops[0], walk):
            continue
        begin, end = loops[0]
        indent = _indent(begin, source)
        between = source.lines[end:line]
        word = re.compile(rf"(?<![\w.]){re.escape(stem)}(?!\w)")
        if end < line and _indent(line, source) == indent and not any(word.search(text) for text in between):
            end = line
        beside = _beside(stem, by, end, unit, source)
        return Division(stem, by, int(count), Statement(end, f"{stem} /= {by}", indent), line, beside)
    return None


def _beside(stem: str, by: str, after: int, unit: Unit, source: SourceMap) -> Span | None:
    """The place of a name in a tuple, list or dictionary below a line, something else in which is divided by this."""
    for node in nodes("\n".join(source.lines)):
        if not isinstance(node, ast.Tuple | ast.List | ast.Dict) or node.lineno <= after:
            continue
        items = [v for v in (node.values if isinstance(node, ast.Dict) else node.elts) if v is not None]
        divided = (i.right for i in items if isinstance(i, ast.BinOp) and isinstance(i.op, ast.Div))
        mine = next((i for i in items if isinstance(i, ast.Name) and i.id == stem), None)
        if mine is not None and any(ast.unparse(d) == by for d in divided):
            column = mine.col_offset + 1
            return Span(unit.span.file, mine.lineno, column, mine.lineno, column + len(stem), unit.span.cell)
    return None


def _adds_to_itself(unit: Unit, walk: Walk) -> bool:
    """``dw += d*x``, or ``dw = dw + d*x``."""
    step = walk.graph.steps[walk.layout.original(unit.step)]
    plain = not unit.augmented and unit.previous >= 0 and sign_of(step.op) in ("+", "-")
    before = walk.layout.original(unit.previous) if plain else -1
    return unit.augmented in ("+=", "-=") or any(walk.layout.original(j) == before for j in step.inputs if plain)


def _stem(unit: Unit) -> str:
    name = unit.written or unit.name
    return name if '["' in name else name.split("[", maxsplit=1)[0]


def _count(root: Root, walk: Walk) -> Fraction | None:
    """How many times too large the place is that is wrong; ``None`` where that is no whole number."""
    repair = root.repairs[0]
    have, wanted = walk_value(walk, root, repair), repair.place.wanted
    if repair.place.parent < 0:
        before = walk.corrected(root.unit.previous) if root.unit.previous >= 0 else None
        if before is not None and not before.is_zero and before.shape == have.shape == wanted.shape:
            have, wanted = have - before, wanted - before
    if have.shape != wanted.shape:
        return None
    with precision(BITS):
        ratio = (have / wanted).constant()
    return ratio if isinstance(ratio, Fraction) and ratio.denominator == 1 else None


def _divisions(count: Fraction, walk: Walk, source: SourceMap) -> list[tuple[int, str]]:
    """The lines of the forward pass that divide by this number, and how it is called there."""
    graph, point, out = walk.graph, walk.subject.point, []
    for i, step in enumerate(graph.steps):
        if not walk.layout.is_forward(i) or step.is_leaf or sign_of(step.op) != "/" or step.span is None:
            continue
        below = graph.steps[step.inputs[1]]
        value = below.value if below.is_const else point.get(step.inputs[1]) if below.is_input else None
        place = source.operand(step.span, 1)
        if isinstance(value, Fraction) and value == count and place is not None:
            out.append((step.span.line, source.text(place)))
    return out


def _adds_alone(unit: Unit, loop: tuple[int, int], walk: Walk) -> bool:
    """Nothing else in a loop is added to what has this name."""
    mine = (u for u in walk.subject.units if _stem(u) == _stem(unit) and loop[0] < u.line <= loop[1])
    return all(u.line == unit.line for u in mine)


def _indent(number: int, source: SourceMap) -> str:
    line = source.lines[number - 1]
    return line[: len(line) - len(line.lstrip())]
