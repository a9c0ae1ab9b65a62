"""Functions that a script has and calls: they are checked where the script itself calls them."""

from __future__ import annotations

import ast
from dataclasses import replace
from functools import lru_cache

from symgrad.frontends.plan import Plan
from symgrad.frontends.trace.data import Trace
from symgrad.frontends.trace.lambdas import as_functions


def at_its_calls(plan: Plan, source: str, trace: Trace) -> list[Plan]:
    """The plan of a pair of functions, at the first point at which the script calls them and at the last one that is
    known; the plan itself where it does not."""
    ours, theirs = parameters_of(source, plan.forward), parameters_of(source, plan.backward)
    calls = {name: [dict(call) for n, call in trace.asked if n == name] for name in (plan.forward, plan.backward)}
    if not set(ours) & set(theirs) and len(ours) == len(theirs):
        calls[plan.backward] = [dict(zip(ours, call.values(), strict=False)) for call in calls[plan.backward]]
    filling = calls[plan.forward][0] if calls[plan.forward] else {}
    points = [
        {n: v for n, v in (filling | call).items() if n in ours}
        for call in calls[plan.backward] or calls[plan.forward]
    ]
    points = [points[0], *points[1:][-1:]] if points else []
    return [replace(plan, shapes={}, values={**call, **plan.values}) for call in points if call] or [plan]


def parameters_of(source: str, name: str) -> tuple[str, ...]:
    """The parameters of a function of a file, or of a lambda that has a name."""
    return _parameters(source).get(name, ())


@lru_cache(maxsize=4)
def _parameters(source: str) -> dict[str, tuple[str, ...]]:
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return {}
    as_functions(tree)
    return {n.name: tuple(a.arg for a in n.args.args) for n in tree.body if isinstance(n, ast.FunctionDef)}


__all__ = ["at_its_calls", "parameters_of"]
