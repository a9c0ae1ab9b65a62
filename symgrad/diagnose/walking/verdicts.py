"""What comes of a walk: mistakes, and what is right."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field

from symgrad.diagnose.meaning.parameters import function_at
from symgrad.diagnose.observing.replay import Layout
from symgrad.diagnose.observing.subject import Unit
from symgrad.diagnose.observing.truth import Quantity
from symgrad.diagnose.text.source import source_map
from symgrad.diagnose.values.vectors import Vec
from symgrad.diagnose.walking.places import Repair
from symgrad.errors import Span

DERIVATIVES = ("cotangent", "contribution", "sum", "tangent", "term", "local")


def _is_read_again(parent: int, slot: int, layout: Layout) -> bool:
    """A function reads the parameter that stands at a place elsewhere as well: ``g = sigmoid(z); return g*(1 - z)``."""
    step = layout.graph.steps[parent]
    source = source_map(layout.subject.source)
    function = function_at(source.source, step.span.line) if step.span is not None else None
    where = source.operand(step.span, slot)
    if function is None or where is None:
        return False
    name = source.text(where)
    read = [n for n in ast.walk(function) if isinstance(n, ast.Name) and n.id == name and isinstance(n.ctx, ast.Load)]
    return len(read) > 1 and any(a.arg == name for a in function.args.args)


@dataclass(frozen=True, slots=True)
class Root:
    """One mistake.

    Attributes:
        unit: the assignment in which it shows first.
        target: what the assignment should be.
        found: its value, with what it was given corrected.
        repairs: the change (or the two changes) that make it right; empty where none was found.
        lines: where the repairs are made; the assignment's own line where there are none.
        cost: how far-fetched the repairs are.
        again: how many more times the same place went wrong (a loop).
        astray: in how many of these, of the first few, the same change does not make it right.
        unlike: how unlike the chain rule as taught the line is with the repair; ``None`` where that is not known.
    """

    unit: Unit
    target: Quantity
    found: Vec
    repairs: tuple[Repair, ...]
    lines: frozenset[int]
    cost: float = 0.0
    again: int = 0
    astray: int = 0
    unlike: float | None = None


@dataclass(slots=True)
class Verdicts:
    """What came of the walk.

    Attributes:
        roots, right, inherited: as their names say.
        literal: assignments with a number written out where a variable of the same value belongs.
        meaning: step -> what it holds.
        limited: assignments that clip a gradient.
        misnamed: assignments that hold something true, though not what their names say.
        aimed: step -> what the assignments that name it should be, where they are wrong.
        doubts: assignments that were not under suspicion, and nevertheless are not what they should be.
    """

    roots: list[Root] = field(default_factory=list)
    right: list[Unit] = field(default_factory=list)
    inherited: list[Unit] = field(default_factory=list)
    literal: list[tuple[Unit, Repair]] = field(default_factory=list)
    meaning: dict[int, Quantity] = field(default_factory=dict)
    doubts: list[Unit] = field(default_factory=list)
    limited: list[Unit] = field(default_factory=list)
    misnamed: list[Unit] = field(default_factory=list)
    aimed: dict[int, list[Vec]] = field(default_factory=dict)


def handed(repair: Repair, unit: Unit, layout: Layout) -> Span | None:
    """The call in an assignment that hands the wrong variable to a function: the call is to blame, not the function."""
    q = repair.quantity
    if q is None or repair.combine or q.kind not in ("forward", "cotangent", "tangent"):
        return None
    node = repair.place.node
    if not layout.variable(node):
        return None
    if not repair.everywhere and len(layout.uses_within(node, unit)) > 1:
        return None  # the function reads its argument elsewhere as well, and there it is right
    for parent, slot in (*repair.place.path[-1:], *repair.everywhere):
        call = layout.subject.callers.get(parent)
        if call is not None and not repair.everywhere and _is_read_again(parent, slot, layout):
            return None
        if call is not None and unit.span.line <= call.line <= unit.span.end_line:
            spans = {layout.graph.steps[k].span for k in layout.children[node] if layout.subject.callers.get(k) == call}
            if layout.subject.is_shaped and len(spans) > 1 and not repair.everywhere:
                return None  # in other lines of the function it is right
            name, rows = layout.variable(node), layout.subject.source.split("\n")[call.line - 1 : call.end_line]
            if "." in name and not any(name in row for row in rows):
                return None  # an attribute that the function reads by itself
            if rows[-1][: call.end_column - 1].endswith("()"):
                return None  # nothing is handed to it
            return call
    return None
