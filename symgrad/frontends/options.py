"""What each parameter of the functions may be: what the person says, what the text and the names tell."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from symgrad.errors import SymgradError, did_you_mean
from symgrad.frontends import guessing
from symgrad.frontends.kinds import ARRAY, COUNT, COUNTS, DICT, VALUE, Kind
from symgrad.frontends.plan import Plan
from symgrad.frontends.targets import Target, bound, constructor, parameters, settings
from symgrad.frontends.told import called_in, divided, gates, told_by_text, with_gates


def possible(plan: Plan, target: Target, tree: ast.Module) -> dict[str, list[Kind]]:
    """What each parameter may be, of the constructor and of forward."""
    out: dict[str, list[Kind]] = {}
    nodes: list[tuple[ast.FunctionDef, int]] = [(target.forward_node, bound(target))]
    if target.maker is not None:
        init = constructor(target.maker, tree)
        nodes = [*([(init, 1)] if init is not None else []), *nodes]
    for node, skipped in nodes:
        found = parameters(node)[skipped:]
        names = [p.name for p in found]
        told = _handed_on(node, names, tree) | told_by_text(node, names)
        if node is not target.forward_node:  # what the object is made with, forward looks at
            told = told_by_text(target.forward_node, names) | told
        if target.backward_node is not None and node is target.forward_node:
            more = told_by_text(target.backward_node, names)
            told = {n: k for n, k in more.items() if k.what == ARRAY} | told
        side_by_side = gates(target.forward_node, target.backward_node, target.maker)
        functions = called_in(target.maker or node, names)
        parts = divided(target.maker or node, names)
        plain = settings(target) if node is target.forward_node else frozenset()
        for p in found:
            likely = guessing.candidates(p, told.get(p.name))
            if p.name in plain and likely[0].what == ARRAY and p.name not in told:
                likely = [*guessing.numbers(p.name), *likely]
            if not p.optional:
                likely = [*with_gates(p.name, side_by_side, told.get(p.name)), *likely]
                likely = [parts[p.name], *likely] if p.name in parts and likely[0].what in (COUNT, ARRAY) else likely
            made = p.name in plan.made and not p.optional and node is not target.forward_node
            if made and (likely[0].what == ARRAY or plan.shapes):
                # With the shapes that the script has, an object has the lengths that it has there.
                likely = [Kind(VALUE, value=plan.made[p.name]), *likely]
            called = functions.get(p.name)
            out[p.name] = _given(plan, p.name) or ([called] if called is not None else likely)
    sizes = [k.dims for n, found in out.items() if n.endswith("shape") for k in found if k.what == COUNTS]
    own = [p.name for p in parameters(target.forward_node)[bound(target) :]]
    if target.maker is not None and sizes and own and not _given(plan, own[0]) and own[0] in out:
        # What an object is made for, it is given.
        out[own[0]] = [*(Kind(ARRAY, dims) for dims in sizes if dims), *out[own[0]]]
    for name in (*plan.shapes, *plan.values):
        top = name.partition(".")[0].partition("[")[0]
        if top not in out and not plan.lenient:
            raise SymgradError(
                f"{target.forward} has no parameter '{name}'{did_you_mean(name, list(out))}",
                hint=f"its parameters are {', '.join(out)}" if out else "",
            )
    return out


def _handed_on(node: ast.FunctionDef, names: Sequence[str], tree: ast.Module) -> dict[str, Kind]:
    """What the functions of the file say of the parameters that they are handed: ``forward(X, parameters)``."""
    functions = {n.name: n for n in tree.body if isinstance(n, ast.FunctionDef)}
    out: dict[str, Kind] = {}
    for call in ast.walk(node):
        callee = functions.get(call.func.id) if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) else None
        if callee is None or callee is node or not isinstance(call, ast.Call):
            continue
        theirs = [p.name for p in parameters(callee)]
        told = told_by_text(callee, theirs)
        for inner, argument in zip(theirs, call.args, strict=False):
            if inner in told and isinstance(argument, ast.Name) and argument.id in names:
                out.setdefault(argument.id, told[inner])
    return out


def _given(plan: Plan, name: str) -> list[Kind] | None:
    """What the person says of a parameter, or an earlier run has shown."""
    items: dict[str, Kind] = {}
    for key, shape in plan.shapes.items():
        top, inner = _split(key)
        if top == name:
            kind = Kind(ARRAY, tuple(shape))
            if not inner:
                return [kind]
            items[inner] = kind
    if name in plan.values:
        value = plan.values[name]
        if isinstance(value, Mapping):
            items = {str(k): Kind(VALUE, value=_array(v)) for k, v in value.items()} | items
            return [Kind(DICT, items=items)]
        return [Kind(VALUE, value=_array(value))]
    for key, value in plan.values.items():
        top, inner = _split(key)
        if top == name and inner:
            items[inner] = Kind(VALUE, value=_array(value))
    if name in plan.known:
        return [Kind(ARRAY, tuple(plan.known[name]))]
    parts = {} if items else {k: s for k, s in plan.known.items() if _split(k)[0] == name and _split(k)[1]}
    items |= {_split(k)[1]: Kind(ARRAY, tuple(s)) for k, s in parts.items()}
    return [Kind(DICT, items=items)] if items else None


def _split(key: str) -> tuple[str, str]:
    """``params.W1`` and ``params["W1"]`` as the parameter and its key."""
    top, _, inner = key.replace("[", ".").partition(".")
    return top, inner.strip("]\"'")


def _array(value: Any) -> Any:
    """Lists of numbers are arrays."""
    if isinstance(value, list | tuple) and value:
        try:
            made = np.array(value)
        except ValueError:
            return value
        return made if made.dtype.kind in "iufb" else value
    return value
