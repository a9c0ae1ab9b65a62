"""Which rules the symbolic witness may use: the table's accurate ones, but only where SymPy confirms them.

SymPy derives every local derivative by itself. The table's accurate rule is another form of the same function
(sech(x)**2 for 1 - tanh(x)**2), and it is evaluated in place of SymPy's only if both enclose the same value, in Arb, at
the inputs that the op has in this very computation. Where they differ SymPy's own form is used, so that a wrong rule in
the table shows as a disagreement between the witnesses instead of being shared by all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from symgrad.backward import Chooser
from symgrad.errors import Unsupported
from symgrad.graph import Graph
from symgrad.ops import OPS, Op, Rule
from symgrad.ops.balls import ArbMath
from symgrad.symbolic.local import local_derivative

#: So many steps of each op are compared; in a long recurrence all steps of an op use the same rule.
SAMPLES = 8

_M = ArbMath()


def confirmed_rules(graph: Graph, balls: Sequence[Any]) -> Chooser | str:
    """The rules for :func:`symgrad.backward.backward`: ``"accurate"`` where SymPy confirms all of those.

    Args:
        graph: the forward graph.
        balls: an enclosure of each of its steps (``None`` where there is none), at the context's precision.
    """
    occurrences: dict[str, list[int]] = {}
    for i, step in enumerate(graph.steps):
        if not step.is_leaf and balls[i] is not None:
            occurrences.setdefault(step.op, []).append(i)
    doubted: dict[tuple[str, int], Rule] = {}
    for name, found in occurrences.items():
        op = OPS[name]
        for position in range(op.arity):
            rule = op.rule(position, "accurate")
            if rule is None or all(graph.steps[graph.steps[i].inputs[position]].is_const for i in found):
                continue
            try:
                theirs = local_derivative(op, position)
            except Unsupported:
                continue
            sample = found[:: max(1, len(found) // SAMPLES)]
            if theirs is not None and not all(_same(graph, balls, i, rule, theirs) for i in sample):
                doubted[name, position] = theirs

    if not doubted:
        return "accurate"

    def choose(op: Op, position: int) -> Rule | None:
        return doubted.get((op.name, position)) or op.rule(position, "accurate")

    return choose


def _same(graph: Graph, balls: Sequence[Any], index: int, ours: Rule, theirs: Rule) -> bool:
    """False only where both have a value and the values are provably different."""
    inputs = [balls[j] for j in graph.steps[index].inputs]
    try:
        a, b = ours(_M, balls[index], *inputs), theirs(_M, balls[index], *inputs)
    except (ValueError, ZeroDivisionError, OverflowError):
        return True
    gap = a - b
    return not gap.is_finite() or bool(gap.contains(0))
