"""Functions that go different ways with different numbers: the points at which the other ways are taken.

``if x < 0: return x``: at one point one of the branches is all that is seen, and that the others are right would be
praise that nothing was done for.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Iterator
from dataclasses import replace
from random import Random

from symgrad.files.asked import function_of
from symgrad.frontends.plan import Plan
from symgrad.frontends.trace.data import Call
from symgrad.report.model import Report

#: Numbers on both sides of what is usually asked for, and beside them those beside the functions' own numbers.
_USUAL = (-2.3, -0.45, 0.35, 0.8, 1.7, 6.2)
_BESIDE = 0.37
#: So many points are tried; of one input all of them.
MOST = 10
#: Functions that go one way or the other without a word of Python's.
_SWITCHES = frozenset("abs fabs max min maximum minimum where clip clamp sign relu heaviside piecewise select".split())


def points_elsewhere(source: str, plan: Plan, call: Call) -> Iterator[Plan]:
    """The plan at other points, where the functions that it calls have several ways and take numbers."""
    # Where the script itself calls them, what it gives is known and no shape is; a whole number may be a count.
    given = {n: v for n, v in plan.values.items() if isinstance(v, float)}
    numbers = [g.name for g in call.inputs if (g.shape == () or g.name in given) and not g.whole]
    fixed = {n: v for n, v in plan.values.items() if n not in numbers}
    known = {g.name for g in call.inputs}
    rest = [g for g in call.inputs if g.name not in numbers and g.name not in fixed]
    nodes = [n for f in (plan.forward, plan.backward) if (n := function_of(source, f)) is not None]
    if not numbers or rest or not any(map(_has_several_ways, nodes)):
        return
    pool = sorted({*_USUAL, *(c + s for n in nodes for c in _compared(n) for s in (-_BESIDE, _BESIDE))})
    drawn = Random(5)
    for value in pool[:MOST] if len(numbers) == 1 else range(MOST):
        point: dict[str, float] = {n: value if len(numbers) == 1 else drawn.choice(pool) for n in numbers}
        # A width or a bound that is given as positive is meant so: no clip(-d, d) is right for another one.
        point |= {n: math.copysign(point[n], given[n]) for n in numbers[1:] if n in given}
        yield replace(plan, shapes={}, values={**{n: v for n, v in fixed.items() if n in known}, **point})


def lines_not_reached(source: str, plan: Plan, reports: list[Report]) -> list[int]:
    """The lines of ``return`` within a branch of backward's that no run came to."""
    node = function_of(source, plan.backward)
    seen = {j.span.line for r in reports for j in r.judged}
    seen |= {f.span.line for r in reports for f in r.findings if f.span is not None}
    inside = [b for n in ast.walk(node) if isinstance(n, ast.If) for b in (*n.body, *n.orelse)] if node else []
    ends = (s for b in inside for s in ast.walk(b) if isinstance(s, ast.Return) and s.value is not None)
    return sorted({s.lineno for s in ends if not isinstance(s.value, ast.Constant)} - seen)


def _has_several_ways(node: ast.FunctionDef) -> bool:
    for part in ast.walk(node):
        if isinstance(part, ast.If | ast.IfExp | ast.Compare | ast.While):
            return True
        if isinstance(part, ast.Call):
            name = part.func.attr if isinstance(part.func, ast.Attribute) else getattr(part.func, "id", "")
            if name in _SWITCHES:
                return True
    return False


def _compared(node: ast.FunctionDef) -> Iterator[float]:
    """The numbers that a function compares something with."""
    for part in ast.walk(node):
        if isinstance(part, ast.Compare):
            for side in (part.left, *part.comparators):
                try:
                    value = ast.literal_eval(side)
                except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
                    continue
                if isinstance(value, int | float) and abs(value) < 1e6:
                    yield float(value)


__all__ = ["lines_not_reached", "points_elsewhere"]
