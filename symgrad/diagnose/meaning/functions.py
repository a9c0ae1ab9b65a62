"""What functions say by their names: ``df`` returns the derivative of what ``f`` returns."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from typing import Any

from symgrad.diagnose.text.naming import claims, is_derivation, is_loss, is_surely_loss, normal, primitives
from symgrad.diagnose.text.syntax import nodes
from symgrad.errors import Span
from symgrad.frontends.trace.data import Binding, Trace
from symgrad.graph import Graph
from symgrad.ops import sign_of


def with_results(trace: Trace) -> Trace:
    """The run with names for results that have none: what a function called as a derivative returns, if it is only
    printed or compared, and what the function that it is the derivative of returns."""
    if trace.error is not None and not trace.graph.steps:
        return trace
    places = _returns(trace.graph.source)
    # What a loss is called in the function that works it out is a part of that: total_error, before it is divided by n.
    held = {(b.name, b.scope.split("#")[0].rsplit(".", 1)[-1]) for b in trace.bindings if is_loss(b.name)}

    def is_wanted(name: str) -> bool:
        """A function of this name gives what is differentiated, and no variable holds it: ``total / n`` is the mse."""
        outside = [other for other, scope in held if scope != name]
        return (is_loss(name) and not outside) or (is_surely_loss(name) and not any(map(is_surely_loss, outside)))

    if not any(is_derivation(name) or is_wanted(name) for name in places.values()):
        return trace
    steps = trace.graph.steps
    bound = {b.step for b in trace.bindings}
    children: dict[int, list[int]] = {}
    for i, step in enumerate(steps):
        for j in step.inputs:
            children.setdefault(j, []).append(i)
    found: list[tuple[str, int]] = []
    for i, step in enumerate(steps):
        name = "" if step.span is None or step.is_leaf else places.get(_key(step.span))
        if (
            name
            and is_derivation(name)
            and i not in bound
            and all(sign_of(steps[k].op) == "-" for k in children.get(i, ()))
        ):
            found.append((name, i))
    # A helper such as dsigmoid, used inside a formula, makes no step of what sigmoid gives.
    named = {name for name, _ in found} | set(called(trace).values())
    derived = {of for name in named for of in stems(name)}
    for i, step in enumerate(steps):
        name = "" if step.span is None or step.is_leaf else places.get(_key(step.span))
        if name and i not in bound and (normal(name) in derived or is_wanted(name)):
            found.append((name, i))
    if not found:
        return trace
    made: list[Binding] = []
    later = sorted(found, key=lambda f: -f[1])
    for b in trace.bindings:
        while later and later[-1][1] < b.step:
            made.append(_named(*later.pop(), trace))
        made.append(b)
    made += [_named(*f, trace) for f in reversed(later)]
    return replace(trace, bindings=tuple(replace(b, order=n) for n, b in enumerate(made)))


def tied(trace: Trace) -> Trace:
    """The run in which f(0.8) and df(0.8) are at one x: numbers that are handed to a function called as a derivative
    are those of the same name and value that its function was given."""
    first: dict[tuple[str, Any], int] = {}
    place: dict[int, int] = {}
    derived = {f.step: is_derivation(f.scope.split("#")[0].rsplit(".", 1)[-1]) for f in trace.leaves if f.scope}
    for leaf in trace.leaves:
        value = trace.values[leaf.step]
        if not isinstance(value, float):
            continue
        held = first.setdefault((leaf.name, value), leaf.step)
        if held != leaf.step and derived.get(held, False) != derived.get(leaf.step, False):
            place[leaf.step] = held
    if not place:
        return trace
    steps = tuple(replace(s, inputs=tuple(place.get(j, j) for j in s.inputs)) for s in trace.graph.steps)
    return replace(
        trace,
        graph=Graph(steps, trace.graph.output, trace.graph.source),
        bindings=tuple(replace(b, step=place.get(b.step, b.step)) for b in trace.bindings),
    )


def results(trace: Trace) -> dict[str, str]:
    """What is bound to the result of a function -> the function: ``y = f(x)``."""
    places = _returns(trace.graph.source)
    out: dict[str, str] = {}
    for b in trace.bindings if places else ():
        span = trace.graph.steps[b.step].span
        name = places.get(_key(span)) if span is not None else None
        if name and name != b.name:
            out[b.name] = name
    return out


def called(trace: Trace) -> dict[str, str]:
    """The same of functions called as a derivative: ``analytic = df(x)``."""
    return {name: of for name, of in results(trace).items() if is_derivation(of)}


def stems(name: str) -> list[str]:
    """What a function or a variable may be the derivative of, by its name."""
    return [*primitives(name), *(c.bottom for c in claims(name))]


def _named(name: str, step: int, trace: Trace) -> Binding:
    span = trace.graph.steps[step].span
    assert span is not None  # it was found by its place
    return Binding(name, step, span, span.line, "", 0)


@lru_cache(maxsize=4)
def _returns(source: str) -> dict[tuple[int, int, int, int], str]:
    """The place of every returned expression -> the name of the function."""
    out: dict[tuple[int, int, int, int], str] = {}
    for node in nodes(source):
        if isinstance(node, ast.FunctionDef):
            for inner in _own(node):
                if isinstance(inner, ast.Return) and isinstance(inner.value, ast.BinOp | ast.UnaryOp | ast.Call):
                    out[_place(inner.value)] = node.name
        elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Lambda):
            target = node.targets[0]
            if isinstance(target, ast.Name) and isinstance(node.value.body, ast.BinOp | ast.UnaryOp | ast.Call):
                out[_place(node.value.body)] = target.id
    return out


def _own(node: ast.FunctionDef) -> Iterator[ast.stmt]:
    """The statements of a function, without those of functions in it."""
    stack: list[ast.stmt] = list(node.body)
    while stack:
        s = stack.pop()
        if isinstance(s, ast.FunctionDef | ast.ClassDef):
            continue
        yield s
        for name in ("body", "orelse", "finalbody"):
            stack.extend(getattr(s, name, ()))


def _place(node: ast.expr) -> tuple[int, int, int, int]:
    return (node.lineno, node.col_offset + 1, node.end_lineno or 0, (node.end_col_offset or 0) + 1)


def _key(span: Span) -> tuple[int, int, int, int]:
    return (span.line, span.column, span.end_line, span.end_column)
