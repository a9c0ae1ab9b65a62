"""Functions that a script has and calls: they are checked where the script itself calls them."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

from symgrad.deep import parsed
from symgrad.frontends.plan import Plan
from symgrad.frontends.trace.asked import constructor_of
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
    given = [list(call.values()) for call in calls[plan.forward]]
    plan = replace(plan, of_input=any(call and list(call.values()) in given for call in calls[plan.backward]))
    return [_at(plan, call) for call in points if call] or [plan]


def _at(plan: Plan, call: dict[str, Any]) -> Plan:
    """The plan at the values of a call; of a dictionary of arrays the shapes are kept."""
    parts = parts_of(call)
    values = {n: v for n, v in call.items() if not isinstance(v, dict)}
    shapes = parts | {n: s for n, s in plan.shapes.items() if n in parts} if values else {**plan.shapes, **parts}
    return replace(plan, shapes=shapes, values={**values, **plan.values})


def parts_of(call: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """The shapes of the entries of dictionaries that a function was called with: ``params.W1``."""
    dicts = ((n, v) for n, v in call.items() if isinstance(v, dict))
    parts = ((f"{n}.{key}", entry) for n, held in dicts for key, entry in held.items())
    return {name: shape for name, entry in parts if (shape := _shape(entry)) is not None}


def _shape(value: Any) -> tuple[int, ...] | None:
    """Of nested lists of numbers; ``None`` for anything else."""
    if isinstance(value, list):
        inner = {_shape(v) for v in value}
        only = next(iter(inner)) if len(inner) == 1 else None
        return None if only is None else (len(value), *only)
    return () if isinstance(value, int | float) else None


def made_with(trace: Trace, method: str) -> dict[str, Any]:
    """The numbers and texts that the script makes the first object of a class with."""
    name = constructor_of(method)
    return next((dict(call) for n, call in trace.asked if "." in method and n == name), {})


def only_made(trace: Trace) -> Trace:
    """The run without what it says of how functions are called, but for the making of objects."""
    wanted = {constructor_of(name) for pair in trace.offered for name in pair if "." in name}
    return replace(trace, asked=tuple(call for call in trace.asked if call[0] in wanted))


def parameters_of(source: str, name: str) -> tuple[str, ...]:
    """The parameters of a function of a file, or of a lambda that has a name."""
    return _parameters(source).get(name, ())


def functions_of(source: str) -> tuple[str, ...]:
    """The names of a file's functions; no methods."""
    return tuple(name for name in _functions(source) if "." not in name)


def function_of(source: str, name: str) -> ast.FunctionDef | None:
    """A function of a file, as it is written."""
    return _functions(source).get(name)


def lines_of(source: str, name: str) -> range:
    """The lines of a function of a file."""
    node = _functions(source).get(name)
    return range(node.lineno, (node.end_lineno or node.lineno) + 1) if node is not None else range(0)


def results_of(source: str, name: str) -> set[int]:
    """The lines of a function of a file on which what it returns is worked out."""
    node = _functions(source).get(name)
    out: set[int] = set()
    own = list(ast.walk(node)) if node is not None else []
    for given in (n.value for n in own if isinstance(n, ast.Return) and n.value is not None):
        names = {n.id for n in ast.walk(given) if isinstance(n, ast.Name)}
        if isinstance(given, ast.Name | ast.Tuple | ast.List):
            targets = ((n, t) for n in own if isinstance(n, ast.Assign) for t in n.targets)
            written = [*targets, *((n, n.target) for n in own if isinstance(n, ast.AugAssign))]
            out |= {n.lineno for n, t in written if isinstance(t, ast.Name) and t.id in names}
        else:
            out.add(given.lineno)
    return out


def returns_at_the_first(source: str, name: str) -> bool:
    """A function goes through something in a loop, passes over zeros, and returns within the loop: ``if g == 0:
    continue``. It is made for what has one entry that is not 0."""
    node = _functions(source).get(name)
    for loop in ast.walk(node) if node is not None else ():
        if isinstance(loop, ast.For) and any(isinstance(s, ast.Return) for s in loop.body):
            return any(isinstance(s, ast.If) and _is_for_zero(s) for s in loop.body)
    return False


def _is_for_zero(node: ast.If) -> bool:
    match node:
        case ast.If(
            test=ast.Compare(ops=[ast.Eq()], comparators=[ast.Constant(value=0 | 0.0)]), body=[ast.Continue()]
        ):
            return True
    return False


def _parameters(source: str) -> dict[str, tuple[str, ...]]:
    return {name: tuple(a.arg for a in node.args.args) for name, node in _functions(source).items()}


@lru_cache(maxsize=4)
def _functions(source: str) -> dict[str, ast.FunctionDef]:
    """A file's functions by name, with lambdas that have names, and methods as ``Layer.forward``."""
    try:
        tree = parsed(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return {}
    as_functions(tree)
    found = {n.name: n for n in tree.body if isinstance(n, ast.FunctionDef)}
    for owner in tree.body:
        if isinstance(owner, ast.ClassDef):
            found |= {f"{owner.name}.{n.name}": n for n in owner.body if isinstance(n, ast.FunctionDef)}
    return found


__all__ = [
    "at_its_calls", "function_of", "functions_of", "lines_of", "made_with", "only_made", "parameters_of",
    "returns_at_the_first",
]  # fmt: skip
