"""The inputs of a run: their values, and which of them must not be moved."""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

from symgrad.diagnose.observing.subject import Move, Unit
from symgrad.diagnose.text.naming import claims, key_of, normal
from symgrad.diagnose.text.source import source_map
from symgrad.diagnose.text.syntax import nodes
from symgrad.errors import Span
from symgrad.frontends.trace.data import Leaf, Trace
from symgrad.graph import CONST, Graph
from symgrad.ops import OPS, RENAMING, is_sum, sign_of
from symgrad.ops.base import COPY
from symgrad.ops.slips import written

#: What stands for an infinite input: ``masked_fill(mask, -inf)`` before a softmax, a maximum that begins with -inf. Its
#: exponential is 0 as well, and it can be computed with at points nearby.
ENDLESS = 1e9
#: An entry of a list.
_ENTRY = re.compile(r"\w\[")
#: Names of a gradient that say not of what, and of no error or cotangent on the way.
_GRADIENT = frozenset({"grad", "g", "gradient", "nabla"})


def point_of(trace: Trace, graph: Graph) -> dict[int, Any] | None:
    """The values of the inputs, with a large number for an infinite one; ``None`` where one is no number, or makes the
    result infinite."""
    point: dict[int, Any] = {}
    result = trace.values[graph.output]
    endless = not (isinstance(result, float) and not math.isfinite(result))
    for i, step in enumerate(graph.steps):
        value = trace.values[i]
        if not step.is_input:
            continue
        if isinstance(value, float):
            if math.isnan(value) or not (endless or math.isfinite(value)):
                return None
            point[i] = Fraction(value if math.isfinite(value) else math.copysign(ENDLESS, value))
        else:
            import numpy as np

            point[i] = np.array(value, dtype=np.float64).reshape(step.shape)
            wrong = np.isnan(point[i]) if endless else ~np.isfinite(point[i])
            if wrong.any():
                return None
            point[i][np.isinf(point[i])] = np.copysign(ENDLESS, point[i][np.isinf(point[i])])
    return point


def still(
    trace: Trace, graph: Graph, point: Mapping[int, Any], units: Sequence[Unit], moves: Sequence[Move],
    names: Mapping[int, str],
) -> frozenset[int]:  # fmt: skip
    """The inputs that must not be moved: what both passes work out, and, where there are arrays, whole numbers that
    count or choose, such as the size of a batch, labels (0 and 1, -1 and 1), places and masks.

    What somebody differentiates by is none of these, and neither are weights that begin as zeros.
    """
    called = {leaf.step: normal(leaf.name) for leaf in trace.leaves}
    # What was put straight into a dictionary has the name of its key: p["w"].
    called |= {i: normal(key_of(name)) for i, name in names.items() if key_of(name) != name}
    claimed = {c.bottom for name in {u.name for u in units} for c in claims(name)}
    # ds of an array s is not what is differentiated by a number of that name in another function.
    numbers = {c.bottom for u in units if set(graph.steps[u.step].shape) <= {1} for c in claims(u.name)}
    twice = {i for i in _worked_out_twice(trace, graph) if called.get(i, "") not in numbers}
    if not any(step.shape for step in graph.steps):
        own = _schemes(trace, graph) | _held_as_numbers(trace, graph)
        return frozenset(twice | {i for i in own if called.get(i, "") not in claimed})
    twice |= {i for i in _left_out(graph, point) if called.get(i, "") not in claimed}
    begun = _begun(trace, graph) | _schemes(trace, graph)
    kinds = {leaf.step: leaf.dtype for leaf in trace.leaves}
    typed = {leaf.step for leaf in trace.leaves if leaf.literal}
    trained = {m.bottom for m in moves} | _stepped(trace, graph, point) | {i for _, i in trace.returned}
    trained |= set(trace.call.gradients.values()) if trace.call is not None else set()
    trained |= _of_one_gradient(units, graph, {i for i in point if kinds.get(i, "").startswith("float")}, point)
    filled = {step.inputs[0] for step in graph.steps if not step.is_leaf and written(step.op)}
    out = _masks(trace, graph)
    for i, value in point.items():
        if called.get(i, "") in claimed or i in trained or i in out:
            continue
        kind = kinds.get(i, "int64" if graph.steps[i].shape else "float64")
        if not graph.steps[i].shape:
            # n = float(len(points)) counts as well
            counts = not kind.startswith("float") or i not in typed
            chooses = i in begun or (counts and value.denominator == 1)
        elif kind.startswith("float"):
            # One number everywhere, into which others are put, is where labels begin that are smoothed.
            entries = set(value.ravel().tolist())
            chooses = entries <= {-1.0, 0.0, 1.0} or (len(entries) == 1 and i in filled)
        else:
            chooses = bool((value == value.round()).all())
        if chooses:
            out.add(i)
    return frozenset(out | twice)


def _masks(trace: Trace, graph: Graph) -> set[int]:
    """Numbers that are put into some entries of what was worked out: ``h[h < 0] = 0``, ``num[i, i] = 0.0``. They mask
    these entries, in both passes, whatever a derivative is called after."""
    typed = {leaf.step for leaf in trace.leaves if leaf.literal and "[" in leaf.name}
    typed = {i for i in typed if graph.steps[i].is_input and not graph.steps[i].shape}
    out: set[int] = set()
    for step in graph.steps if typed else ():
        if typed.intersection(step.inputs) and any(not graph.steps[j].is_leaf for j in step.inputs[:1]):
            out |= typed.intersection(step.inputs[1:])
    return out


def _of_one_gradient(
    units: Sequence[Unit], graph: Graph, inputs: Collection[int], point: Mapping[int, Any]
) -> set[int]:
    """Zeros of which ``grad`` is the gradient, where no other array has its shape: ``w = np.zeros(3)``."""
    shapes = {shape for u in units if normal(u.name) in _GRADIENT and (shape := graph.steps[u.step].shape)}
    found = {shape: [i for i in inputs if graph.steps[i].shape == shape] for shape in shapes}
    return {mine[0] for mine in found.values() if len(mine) == 1 and not point[mine[0]].any()}


def _left_out(graph: Graph, point: Mapping[int, Any]) -> set[int]:
    """Defaults of 1 or 0 that one call of a function leaves as they are where another gives a number: ``softmax(z)``
    beside ``softmax(z, T)``. Who leaves it out divides by nothing, and need not write ``/ T`` in the derivative; nor
    need who writes ``softmax(z, 1.0)``. A number typed into a call is placed at the parameter that it is given to."""
    spans = {(d.lineno, d.col_offset + 1) for f in nodes(graph.source) if isinstance(f, ast.arguments)
             for d in (*f.defaults, *f.kw_defaults, *f.posonlyargs, *f.args, *f.kwonlyargs) if d}  # fmt: skip
    rows = graph.steps
    plain = {i for i, value in point.items() if not rows[i].shape and value in (0, 1)
             and (span := rows[i].span) is not None and (span.line, span.column) in spans}  # fmt: skip
    at: dict[tuple[Span, int], set[int]] = {}
    for row in rows if plain else ():
        for slot, j in enumerate(row.inputs):
            if row.span is not None:
                at.setdefault((row.span, slot), set()).add(j)
    given = {(place, j) for place, used in at.items() if len(used) > 1 for j in plain & used}
    return {j for place, j in given if any(not rows[k].is_const for k in at[place] - plain)}


def with_whole_powers(trace: Trace, graph: Graph) -> Graph:
    """Where what is negative is raised to a whole number that has a name, ``x**n``: that counts, and is no number to be
    moved. There is no derivative by it."""
    forward = graph.ancestors(graph.output)
    counts: set[int] = set()
    for k, step in enumerate(graph.steps):
        infix = OPS[step.op].infix if forward[k] and len(step.inputs) == 2 else None
        if infix is None or infix.symbol != "**":
            continue
        base, power = (trace.values[j] for j in step.inputs)
        i = step.inputs[1]
        while graph.steps[i].op in RENAMING:
            i = graph.steps[i].inputs[0]
        whole = isinstance(power, float) and power.is_integer() and graph.steps[i].is_input
        if whole and (base < 0 if isinstance(base, float) else bool((base < 0).any())):
            counts.add(i)
    if not counts:
        return graph
    steps = [
        replace(s, op=CONST, params=(("value", Fraction(trace.values[i])),)) if i in counts else s  # type: ignore[arg-type]
        for i, s in enumerate(graph.steps)
    ]
    return Graph(tuple(steps), graph.output, graph.source)


def _stepped(trace: Trace, graph: Graph, point: Mapping[int, Any]) -> set[int]:
    """Arrays to which something is added that is made of them: ``p = p + np.linalg.solve(A, g)`` moves a parameter."""
    held: dict[str, int] = {leaf.name: leaf.step for leaf in trace.leaves if graph.steps[leaf.step].shape}
    out, above = set(), dict[int, list[bool]]()
    for b in trace.bindings:
        i, step = held.get(b.name, -1), graph.steps[b.step]
        if i in point and i not in out and i in step.inputs and is_sum(step.op):
            if i not in above:
                above[i] = graph.dependents(i)
            if any(above[i][j] for j in step.inputs if j != i):
                out.add(i)
    return out


def with_one_step(trace: Trace, graph: Graph) -> Graph:
    """Where there are no arrays: numbers that both passes work out under one name, ``x = 0.3*i - 0.5`` in a loop, are
    one number. To move one of them alone would be to make them two."""
    if any(step.shape for step in graph.steps):
        return graph
    forward = graph.ancestors(graph.output)
    claimed = {c.bottom for name in {b.name for b in trace.bindings} for c in claims(name)}
    held: dict[tuple[str, Any], list[int]] = {}
    for leaf in trace.leaves:
        if not leaf.literal and graph.steps[leaf.step].is_input and normal(leaf.name) not in claimed:
            held.setdefault((leaf.name, trace.values[leaf.step]), []).append(leaf.step)
    steps = list(graph.steps)
    for first, *others in held.values():
        if forward[first] and not all(forward[i] for i in others):
            for i in others:
                steps[i] = replace(steps[i], op=COPY, inputs=(first,))
    return Graph(tuple(steps), graph.output, graph.source)


def _begun(trace: Trace, graph: Graph) -> set[int]:
    """``total = 0.0`` before ``total += x[i]`` in a loop, and the 1 of a product: what is added up is a sum, and the
    derivation may have it from ``np.sum``."""
    names: dict[int, set[str]] = {}
    for b in trace.bindings:
        names.setdefault(b.step, set()).add(b.name)
    users: dict[int, list[int]] = {}
    for k, step in enumerate(graph.steps):
        for j in step.inputs:
            users.setdefault(j, []).append(k)

    def goes_on(i: int, k: int) -> bool:
        infix = OPS[graph.steps[k].op].infix
        signs = "+-" if trace.values[i] == 0 else "*"
        same = names.get(i, set()) & names.get(k, set())
        return bool(same) and infix is not None and infix.symbol in signs and graph.steps[k].inputs[0] == i

    numbers = [(leaf.step, trace.values[leaf.step]) for leaf in trace.leaves if leaf.literal]
    literal = [i for i, value in numbers if isinstance(value, float) and value in (0.0, 1.0)]
    return {i for i in literal if i in users and all(goes_on(i, k) for k in users[i])}


def _schemes(trace: Trace, graph: Graph) -> set[int]:
    """``v = 0.0`` in a function, before ``v = v*x + c`` in its loop: Horner's scheme begins with that, and is no
    function of it; its derivative is written another way."""
    users: dict[int, list[int]] = {}
    for k, step in enumerate(graph.steps):
        for j in step.inputs:
            users.setdefault(j, []).append(k)
    named = {(b.step, b.name) for b in trace.bindings if b.scope}

    def goes_on(leaf: Leaf, k: int) -> bool:
        sums = users.get(k, [])
        return sign_of(graph.steps[k].op) == "*" and bool(sums) and all(
            is_sum(graph.steps[n].op) and (n, leaf.name) in named for n in sums
        )  # fmt: skip

    typed = [leaf for leaf in trace.leaves if leaf.scope and leaf.literal]
    zeros = [leaf for leaf in typed if isinstance(v := trace.values[leaf.step], float) and v == 0.0]
    return {leaf.step for leaf in zeros if leaf.step in users and all(goes_on(leaf, k) for k in users[leaf.step])}


def _held_as_numbers(trace: Trace, graph: Graph) -> set[int]:
    """``for c in self.coeffs`` of numbers that have a name there only, where the derivation takes ``k*self.coeffs[k]``
    straight from the list: to move the one would be to leave the other behind."""
    forward = graph.ancestors(graph.output)
    source = source_map(graph.source)
    taken = any(
        step.is_const and not forward[i] and step.span is not None and _ENTRY.search(source.text(step.span))
        for i, step in enumerate(graph.steps)
    )
    return {leaf.step for leaf in trace.leaves if leaf.scope and not leaf.literal} if taken else set()


#: Stands in many a derivation, whatever has that value by chance.
HALF = 0.5


def _worked_out_twice(trace: Trace, graph: Graph) -> set[int]:
    """Numbers that the forward pass and the derivation each work out for themselves: ``scale = 1/np.sqrt(d)``. To move
    one of them alone would be to make them two."""
    forward = graph.ancestors(graph.output)
    literal = {leaf.step for leaf in trace.leaves if leaf.literal}
    # The x of df(1.5) has become that of f(1.5): nothing is made of it, and the one that is left moves both.
    used = {j for step in graph.steps for j in step.inputs}
    held: dict[float, list[tuple[int, str]]] = {}
    for leaf in trace.leaves:
        value = trace.values[leaf.step]
        if not isinstance(value, float) or not math.isfinite(value) or leaf.step not in used:
            continue
        if value != round(value) and graph.steps[leaf.step].is_input:
            held.setdefault(value, []).append((leaf.step, normal(leaf.name)))
    out = set()
    for found in held.values():
        for i, name in found:
            others = [(j, other) for j, other in found if forward[i] and not forward[j]]
            if any(name == other or not {i, j} & literal for j, other in others):
                out.add(i)
    if any(step.shape for step in graph.steps):
        # eps = 1e-4 in the loss, and 1e-4 as it stands in the derivation. (Of numbers that is told, and no mistake.)
        typed = {trace.values[i] for i, s in enumerate(graph.steps) if s.is_const and not s.shape and not forward[i]}
        out |= {i for v, found in held.items() if v in typed and v != HALF for i, _ in found if forward[i]}
    return out | _begun_twice(trace, graph, forward)


def _begun_twice(trace: Trace, graph: Graph, forward: Sequence[bool]) -> set[int]:
    """The same of a state that begins as zeros in each: ``h = np.zeros(3)`` in the loss, ``hs = [np.zeros(3)]`` in the
    derivation. They are one where the same is done to both."""
    zeros = [
        leaf.step for leaf in trace.leaves
        if graph.steps[leaf.step].shape and graph.steps[leaf.step].is_input and not trace.values[leaf.step].any()  # type: ignore[union-attr]
    ]  # fmt: skip
    if all(forward[i] for i in zeros):
        return set()
    wanted, done = set(zeros), dict[tuple[Any, ...], list[int]]()
    of: list[int] = []
    for k, step in enumerate(graph.steps):
        of.append(of[step.inputs[0]] if step.op in RENAMING else k)
        mine = wanted.intersection(step.inputs)
        if len(mine) == 1 and len(step.inputs) > 1:
            (i,) = mine
            key = (step.op, tuple(-1 if j == i else of[j] for j in step.inputs), step.params)
            done.setdefault(key, []).append(i)
    return {i for same in done.values() if not all(forward[j] for j in same) for i in same if forward[i]}
