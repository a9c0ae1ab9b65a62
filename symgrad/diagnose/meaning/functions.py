"""What functions say by their names: ``df`` returns the derivative of what ``f`` returns."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
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

    if not any(is_derivation(name) or is_wanted(name) for name in (*places.values(), *_variables(trace.graph.source))):
        return trace
    steps = trace.graph.steps
    bound = {b.step for b in trace.bindings}
    children = _children(trace)
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
    found = sorted([*found, *_kept(trace)], key=lambda f: f[1])
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


def _kept(trace: Trace) -> list[tuple[str, int]]:
    """What functions called as a loss return by a name that says nothing, ``s`` of ``css``: of each call the last."""
    returned = {f: v for f, v in _variables(trace.graph.source).items() if is_surely_loss(f) and not is_loss(v)}
    last: dict[str, tuple[str, int]] = {}
    for b in trace.bindings if returned else ():
        function = b.scope.split("#")[0].rsplit(".", 1)[-1]
        if returned.get(function) == b.name and not trace.graph.steps[b.step].is_leaf:
            last[b.scope] = (function, b.step)
    return list(last.values())


def of_derivatives(trace: Trace) -> frozenset[str]:
    """The calls, by their scopes, of functions that are the derivative of another one that was called: whatever
    ``dnpv`` works out, ``total`` or not, is nothing to be differentiated."""
    scopes = dict.fromkeys(b.scope for b in trace.bindings if b.scope)
    called = {scope: scope.split("#")[0].rsplit(".", 1)[-1] for scope in scopes}
    plain = {normal(f) for f in called.values()}
    return frozenset(s for s, f in called.items() if is_derivation(f) and not plain.isdisjoint(stems(f)))


def tied(trace: Trace) -> Trace:
    """The run in which f(0.8) and df(0.8) are at one x: numbers that are handed to a function called as a derivative
    are those of the same name and value that its function was given. So is ``e = 0.0`` with which both begin, and that
    in each of their calls; but not a zero to which each adds what is its own. And so is the default ``k=2.0`` of any
    two functions, which no line outside of them can reach.
    """
    first: dict[tuple[str, Any], int] = {}
    place: dict[int, int] = {}
    derived = {f.step: is_derivation(f.scope.split("#")[0].rsplit(".", 1)[-1]) for f in trace.leaves if f.scope}
    defaults = _defaults(trace.graph.source)
    starts = {f.step: (f.span.line, f.span.column) for f in trace.leaves if not f.scope} if defaults else {}
    owner = {i: defaults[at] for i, at in starts.items() if at in defaults}
    shared: dict[tuple[str, Any], int] = {}
    claimed = {name for name, _ in trace.returned}
    if claimed:
        # What the script compares with autograd's is a derivative, whatever the function is called.
        made = trace.graph.ancestors(*(b.step for b in trace.bindings if b.name in claimed))
        forward = trace.graph.ancestors(*(c.step for c in trace.backward_calls))
        derived |= {i: True for i in derived if made[i] and not forward[i]}
    if not any(derived.values()) and len(set(owner.values())) < 2:
        return trace
    begun: dict[Span, int] = {}
    leaves = [leaf for leaf in trace.leaves if isinstance(trace.values[leaf.step], float)]
    spans = {leaf.step: leaf.span for leaf in leaves}
    children = _children(trace)
    for leaf in leaves:
        held = first.setdefault((leaf.name, trace.values[leaf.step]), leaf.step)
        apart = derived.get(held, False) != derived.get(leaf.step, False)
        if leaf.step in owner:
            same = shared.setdefault((leaf.name, trace.values[leaf.step]), leaf.step)
            held, apart = (same, True) if same != leaf.step else (held, apart)
        if held != leaf.step and apart and not (leaf.scope and _begin_sums(trace, children, held, leaf.step)):
            place[leaf.step] = held
            begun[leaf.span] = begun[spans[held]] = held
    for leaf in leaves:
        if leaf.scope and leaf.literal and (held := begun.get(leaf.span, leaf.step)) != leaf.step:
            place[leaf.step] = held
    if not place:
        return trace
    steps = tuple(replace(s, inputs=tuple(place.get(j, j) for j in s.inputs)) for s in trace.graph.steps)
    return replace(
        trace,
        graph=Graph(steps, trace.graph.output, trace.graph.source),
        bindings=tuple(replace(b, step=place.get(b.step, b.step)) for b in trace.bindings),
    )


def _children(trace: Trace) -> dict[int, list[int]]:
    children: dict[int, list[int]] = {}
    for i, step in enumerate(trace.graph.steps):
        for j in step.inputs:
            children.setdefault(j, []).append(i)
    return children


def _begin_sums(trace: Trace, children: Mapping[int, Sequence[int]], one: int, other: int) -> bool:
    """Two zeros to which different things are added, and nothing else is done with one of them."""
    if trace.values[one] != 0:
        return False
    steps = trace.graph.steps
    users = [children.get(z, []) for z in (one, other)]
    made = [{trace.values[i] for i in mine if isinstance(trace.values[i], float)} for mine in users]
    plain = any(mine and all(sign_of(steps[i].op) in ("+", "-") for i in mine) for mine in users)
    return plain and made[0].isdisjoint(made[1])


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


@lru_cache(maxsize=4)
def _defaults(source: str) -> dict[tuple[int, int], str]:
    """Where a parameter's default begins -> the name of the function."""
    return {
        (value.lineno, value.col_offset + 1): node.name
        for node in nodes(source) if isinstance(node, ast.FunctionDef)
        for value in (*node.args.defaults, *node.args.kw_defaults) if isinstance(value, ast.Constant)
    }  # fmt: skip


@lru_cache(maxsize=4)
def _variables(source: str) -> dict[str, str]:
    """Functions that return one variable -> what that is called."""
    out: dict[str, str] = {}
    for node in nodes(source):
        if isinstance(node, ast.FunctionDef):
            given = [s.value for s in _own(node) if isinstance(s, ast.Return)]
            if len(given) == 1 and isinstance(given[0], ast.Name):
                out[node.name] = given[0].id
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
