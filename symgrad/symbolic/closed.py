"""The closed form of a step as it is shown: built, simplified, and checked before it is believed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from symgrad.errors import Unsupported
from symgrad.graph import Graph
from symgrad.symbolic.census import operations
from symgrad.symbolic.convert import to_sympy
from symgrad.symbolic.guard import READABLE
from symgrad.symbolic.shortening import simplify
from symgrad.symbolic.verify import verified


@dataclass(frozen=True, slots=True)
class ClosedForm:
    """One step as a formula.

    Attributes:
        expr: as the graph gives it; ``None`` where it has none, or a form that is too long to read.
        simplified: a form that is not longer and was found equal to the graph; ``expr`` where there is no other.
            It may be short enough to read where ``expr`` is not. ``None`` where there is none.
        complete: the budget of the simplification sufficed.
        reason: why there is no formula, in words; empty where there is one.
    """

    expr: Any = None
    simplified: Any = None
    complete: bool = True
    reason: str = ""

    def __bool__(self) -> bool:
        return self.simplified is not None


def closed_form(
    graph: Graph,
    index: int,
    *,
    seconds: float = 1.0,
) -> ClosedForm:
    """The closed form of the step at ``index``.

    Args:
        graph: any graph of scalar steps.
        index: position of the step.
        seconds: budget of the simplification, see :func:`simplify`.
    """
    try:
        expr = to_sympy(graph, index)
    except Unsupported as error:
        return ClosedForm(reason=error.message)
    found = simplify(expr, seconds=seconds)
    shown = expr if operations(expr) <= READABLE else None
    simplified = found.expr
    if simplified == expr or operations(simplified) > READABLE or not verified(graph, index, simplified):
        simplified = shown
    reason = "" if simplified is not None else f"the closed form has more than {READABLE} operations"
    return ClosedForm(shown, simplified, found.complete, reason)
