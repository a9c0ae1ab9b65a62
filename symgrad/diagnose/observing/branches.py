"""The branches that a script takes: ``if z > 0:`` decides once, at the script's own point, what the derivation is.

At points where the other branch belongs, what was written for this one is wrong without any mistake. So points are
chosen at which every such comparison comes out as it does for the script, wherever there are any.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from symgrad.arrays import Program
from symgrad.diagnose.observing.subject import Subject
from symgrad.errors import SymgradError
from symgrad.ops import OPS
from symgrad.ops.floats import ORDERINGS

#: So many comparisons are looked at.
MOST = 400


def branches(subject: Subject) -> list[int]:
    """The comparisons that are used for nothing but to choose a branch, and that an input has a part in."""
    if subject.is_shaped:
        return []
    last = max((u.step for u in subject.units), default=-1)
    steps = subject.graph.steps
    found = [i for i, s in enumerate(steps[: last + 1]) if s.op in ORDERINGS]
    if not found:
        return []
    used = {j for step in steps for j in step.inputs}
    moving = subject.graph.dependents(*subject.leaves())
    return [i for i in found if i not in used and moving[i]][:MOST]


def keep(subject: Subject, chosen: Sequence[int], points: Sequence[Mapping[int, Any]]) -> bool:
    """Whether every comparison comes out at all points as at the first."""
    if not chosen:
        return True
    program = Program(subject.graph, list(chosen))
    try:
        outcomes = [[float(v) for v in program({i: float(x) for i, x in p.items()})] for p in points]
    except (SymgradError, ArithmeticError, ValueError):
        return False
    return all(o == outcomes[0] for o in outcomes)


def borders(subject: Subject) -> list[int]:
    """The single numbers that are given and lie on the border of a comparison, such as ``t = 0.0`` where ``t > 0`` is
    asked: whoever writes one means that side of it, and near it is the other."""
    if subject.is_shaped:
        return []
    steps = subject.graph.steps

    def given(i: int) -> int:
        while not steps[i].is_leaf and OPS[steps[i].op].renames:
            i = steps[i].inputs[0]
        return i

    found: set[int] = set()
    for step in steps:
        sides = [given(i) for i in step.inputs] if step.op in ORDERINGS else []
        if sides and all(steps[i].is_leaf for i in sides):
            first, second = (steps[i].value if steps[i].is_const else subject.point[i] for i in sides)
            found.update(i for i in sides if first == second and steps[i].is_input)
    return sorted(found)


__all__ = ["borders", "branches", "keep"]
