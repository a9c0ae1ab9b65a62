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


__all__ = ["branches", "keep"]
