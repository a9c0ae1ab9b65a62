"""What makes a value a claim where its name says nothing: what is done with it.

``w -= lr*g`` says that g is the gradient by w; ``abs(analytic - numeric)`` that analytic is what the difference
quotient approximates; a function ``df`` that what it returns is the derivative of f. Such evidence is weaker than
a name that spells the derivative out: what it makes wrong is blamed only where a repair explains it.
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np

from symgrad.diagnose.likely import likely
from symgrad.diagnose.match import Known
from symgrad.diagnose.naming import claims, is_derivation, is_generic, is_loss, normal, primitives
from symgrad.diagnose.replay import LOOK_AHEAD, Layout
from symgrad.diagnose.shaped import lifted
from symgrad.diagnose.subject import BITS, Move, Subject, Unit, broadcasts
from symgrad.diagnose.vectors import Vec
from symgrad.enclosure import precision
from symgrad.errors import Span
from symgrad.frontends.trace.data import Binding, Trace
from symgrad.graph import Graph
from symgrad.ops import OPS
from symgrad.ops.writing import is_joined

Pair = tuple[int, int]

#: A difference quotient is this near to the derivative, and a mistake is not.
NEAR = 2e-3
#: Two ratios that differ by less are one.
SAME_RATIO = 1e-9


# --- what functions return ------------------------------------------------------------------------------------------


def with_results(trace: Trace) -> Trace:
    """The run with names for results that have none: what a function called as a derivative returns, if it is only
    printed or compared, and what the function that it is the derivative of returns."""
    if trace.error is not None and not trace.graph.steps:
        return trace
    places = _returns(trace.graph.source)
    has_loss = any(is_loss(b.name) for b in trace.bindings)
    if not any(is_derivation(name) or (is_loss(name) and not has_loss) for name in places.values()):
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
        if name and i not in bound and (normal(name) in derived or (is_loss(name) and not has_loss)):
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


def called(trace: Trace) -> dict[str, str]:
    """What is bound to the result of a function called as a derivative -> the function: ``analytic = df(x)``."""
    places = _returns(trace.graph.source)
    out: dict[str, str] = {}
    for b in trace.bindings if places else ():
        span = trace.graph.steps[b.step].span
        name = places.get(_key(span)) if span is not None else None
        if name and name != b.name and is_derivation(name):
            out[b.name] = name
    return out


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
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return {}
    out: dict[tuple[int, int, int, int], str] = {}
    for node in ast.walk(tree):
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


def sign_of(op: str) -> str:
    """``+`` or ``-`` between two operands, ``*`` or ``/``; else nothing."""
    row = OPS.get(op)
    infix = row.infix if row is not None else None
    return infix.symbol if infix is not None and not infix.prefix else ""


# --- what is done with a value --------------------------------------------------------------------------------------


def core(graph: Graph, loss: int, bindings: Sequence[Binding]) -> list[bool]:
    """The steps that the loss depends on, without those of earlier rounds of the descent that led to its parameters."""
    steps = graph.steps
    held: dict[str, set[int]] = {}
    stops: set[int] = set()
    for b in bindings:
        mine = held.setdefault(b.name, set())
        inner = {original(graph, j) for j in steps[b.step].inputs}
        if sign_of(steps[b.step].op) in ("+", "-") and any(steps[m].is_input or m in stops for m in mine & inner):
            stops.add(b.step)
        mine.add(original(graph, b.step))
    needed = [False] * len(steps)
    needed[loss] = True
    for i in range(loss, -1, -1):
        if needed[i] and (i == loss or i not in stops):
            for j in steps[i].inputs:
                needed[j] = True
    return needed


_NEXT = re.compile(r"_?(new|next|updated)$")


def moves(trace: Trace, graph: Graph, forward: Sequence[bool]) -> tuple[Move, ...]:
    """How the parameters of a forward pass are moved after it.

    ``graph.output`` is the loss, and ``forward`` says of which steps it is made.
    """
    inner = core(graph, graph.output, trace.bindings)
    free = [False] * len(graph)
    for i, step in enumerate(graph.steps):
        free[i] = not inner[i] and (forward[i] or step.is_leaf or all(free[j] for j in step.inputs))
    bound = {b.step for b in trace.bindings}
    #: Steps that are called the gradient of something: db moves what is called bias.
    named = {b.step for b in trace.bindings if claims(b.name) and not forward[b.step]}
    done = done_at(trace, graph.output, forward)
    latest: dict[str, int] = {}
    #: What each name was in the forward pass. One that is something else of it in the derivation is no parameter then:
    #: ``xm = xs[n]``, to which something is added.
    had: dict[str, set[int]] = {}
    lent: set[str] = set()
    out: list[Move] = []
    for b in trace.bindings:
        held = original(graph, b.step)
        if b.order <= done:
            had.setdefault(b.name, set()).add(held)
        elif forward[held] and held not in had.get(b.name, (held,)):
            lent.add(b.name)
        if not forward[b.step]:
            for name in (b.name, _NEXT.sub("", b.name)):
                before = original(graph, latest[name]) if name in latest else -1
                if before >= 0 and inner[before] and name not in lent:
                    made = _move(graph, name, b.step, before, free, inner, bound, named)
                    if made is not None:
                        out.append(made)
                    break
        latest[b.name] = b.step
    return tuple(out)


def done_at(trace: Trace, loss: int, forward: Sequence[bool]) -> int:
    """The number of the assignment with which the forward pass is done: that of the loss, or where that has no name the
    last that gives a step of it its first one."""
    first: dict[int, int] = {}
    for b in trace.bindings:
        if forward[b.step]:
            first.setdefault(b.step, b.order)
    return first.get(loss, max(first.values(), default=len(trace.bindings)))


def _move(
    graph: Graph, name: str, step: int, before: int, free: Sequence[bool], inner: Sequence[bool],
    bound: Collection[int], named: Collection[int],
) -> Move | None:  # fmt: skip
    row = graph.steps[step]
    sign = sign_of(row.op)
    if sign not in ("+", "-"):
        return None
    first, second = row.inputs
    if original(graph, first) == before:
        at, up = second, sign == "+"
    elif sign == "+" and original(graph, second) == before:
        at, up = first, True
    else:
        return None
    factors: list[int] = []
    for _ in range(LOOK_AHEAD):
        at = original(graph, at)
        row = graph.steps[at]
        sign = sign_of(row.op)
        others = [j for j in row.inputs if not free[j]]
        if free[at] or row.is_leaf or len(others) != 1:
            break
        if sign == "-" and others[0] == row.inputs[1] and len(row.inputs) == 2:
            up = not up
        elif sign not in ("+", "-", "*", "/") or (sign == "/" and others[0] != row.inputs[0]):
            infix = OPS[row.op].infix
            if infix is None or not infix.prefix:
                break
            up = not up
        scale = [j for j in row.inputs if free[j]] if sign in ("*", "/") else []
        if at in named and scale and all(graph.steps[j].is_const for j in scale):
            break  # dW = 2*(x.T @ d): what is called the gradient is that, with its numbers
        factors += scale
        at = others[0]
    if free[at] or graph.steps[at].is_leaf:
        return None
    if not graph.steps[at].shape and _is_of_one_line(graph, at, step) and _has_rate(graph, at, free, bound):
        return None  # w -= lr*d*x: no step of it is the gradient by itself
    source = _source(graph, at, inner, bound)

    def fits(i: int) -> bool:
        have, held = graph.steps[i].shape, graph.steps[before].shape
        return have == held or broadcasts(have, held)

    if source < 0 and is_joined(graph.steps[at]) and fits(at):
        source = at  # w -= rate*np.array([g0, g1])
    if source >= 0 and not fits(source):
        source = at if at in bound and fits(at) else -1
    return None if source < 0 else Move(name, before, source, up, tuple(factors))


def _is_of_one_line(graph: Graph, one: int, other: int) -> bool:
    a, b = graph.steps[one].span, graph.steps[other].span
    return a is not None and b is not None and a.line == b.line


def _has_rate(graph: Graph, at: int, free: Sequence[bool], bound: Collection[int]) -> bool:
    """A product of which a factor is a number of its own, such as a learning rate."""
    stack = [at]
    while stack:
        i = stack.pop()
        if free[i]:
            if graph.steps[i].is_input:
                return True
        elif (i == at or i not in bound) and sign_of(graph.steps[i].op) == "*":
            stack.extend(graph.steps[i].inputs)
    return False


def _source(graph: Graph, at: int, inner: Sequence[bool], bound: Collection[int]) -> int:
    """The one value that an optimizer's step is made of; -1 if there are several."""
    found: set[int] = set()
    stack, seen = [at], {at}
    while stack and len(seen) < 10 * LOOK_AHEAD:
        i = stack.pop()
        ends = ends_of(graph, i, lambda j: inner[j] or j in bound)
        if any(inner[j] and not graph.steps[j].is_const for j in ends):
            found.add(i)
            continue
        for j in ends:
            if j not in seen and not graph.steps[j].is_leaf:
                seen.add(j)
                stack.append(j)
    return found.pop() if len(found) == 1 else -1


def ends_of(graph: Graph, step: int, is_end: Callable[[int], bool]) -> list[int]:
    """The leaves and other ends that a step is computed from."""
    out: list[int] = []
    seen: set[int] = set()
    stack = list(graph.steps[step].inputs)
    while stack and len(seen) < 10 * LOOK_AHEAD:
        i = stack.pop()
        if i in seen:
            continue
        seen.add(i)
        if graph.steps[i].is_leaf or is_end(i):
            out.append(i)
        else:
            stack.extend(graph.steps[i].inputs)
    return out


def original(graph: Graph, i: int) -> int:
    while not graph.steps[i].is_leaf and OPS[graph.steps[i].op].renames:
        i = graph.steps[i].inputs[0]
    return i


def seeds(subject: Subject) -> list[Fraction]:
    """Other upstream gradients under which the results may be right: what is added to a parameter is meant to be the
    negative gradient, and a learning rate may be a part of it already."""
    out: dict[Fraction, None] = {}
    if any(m.up for m in subject.moves):
        out[Fraction(-1)] = None
    for m in subject.moves:
        ends = ends_of(subject.graph, m.source, lambda j: False)
        for j in ends:
            if subject.graph.steps[j].is_input and j in subject.point and j not in subject.leaves():
                rate = subject.point[j]
                if not subject.graph.steps[j].shape and 0 < rate < 2 and rate != 1:
                    out[-rate if m.up else rate] = None
                    out[rate if m.up else -rate] = None
    return list(out)[:6]


# --- claims ---------------------------------------------------------------------------------------------------------


def guesses(layout: Layout, known: Known) -> dict[str, tuple[Pair, ...]]:
    """Names that say nothing, or only "the derivative" -> what they hold, by what is done with them."""
    subject, truth = layout.subject, layout.truth
    out: dict[str, dict[Pair, None]] = {n: dict.fromkeys(pairs) for n, pairs in subject.guessed.items()}
    made = {u.step: u for u in subject.units}
    with precision(BITS):
        for m in subject.moves if subject.sure else ():
            unit = made.get(m.source)
            right = truth.cotangents.get(m.bottom)
            if unit is None or right is None or layout.is_forward(m.source):
                continue
            ratio = _ratio(layout.actual(m.source), right)
            uneven = ratio is not None and claims(unit.name) and uneven_moves(layout, ratio, up=m.up)
            exact = ratio is not None and abs(ratio - 1) <= SAME_RATIO
            if (ratio is None or exact or uneven) and _is_single(unit, layout):
                out.setdefault(unit.name, {})[subject.loss, m.bottom] = None
        for name, pair in _compared(layout):
            out.setdefault(name, {})[pair] = None
    leaves = [i for i in truth.leaves if i in truth.cotangents]
    tops: dict[str, list[int]] = {}
    for name, step in subject.aliases:
        tops.setdefault(normal(name), []).append(step)
    for unit in subject.units:
        if unit.name in out or layout.is_forward(unit.step) or layout.graph.steps[unit.step].is_leaf:
            continue
        if is_generic(unit.name) and unit.name not in subject.called and _works_on_values(unit, layout):
            if any(q.kind != "forward" for q in known.right(layout.actual(unit.step))):
                continue  # some derivative it is: the slope of one step, say
            out[unit.name] = dict.fromkeys((subject.loss, i) for i in leaves)
            continue
        held = [*primitives(unit.name), *(c.bottom for c in claims(unit.name) if tops.get(c.bottom) == [subject.loss])]
        for stem in (*held, *stems(subject.called.get(unit.name, ""))):
            if unit.name == stem + "p" and any(u.name == stem + "m" for u in subject.units):
                continue  # f(x + h) and f(x - h)
            for top in tops.get(stem, ())[-3:]:
                if layout.graph.steps[top].is_input:
                    continue
                below = layout.graph.ancestors(top)
                out.setdefault(unit.name, {}).update(dict.fromkeys((top, i) for i in leaves if below[i]))
    if subject.is_shaped:
        for name, found in likely(layout, known).items():
            if not out.get(name):
                out[name] = dict.fromkeys(found)
    return {name: tuple(pairs) for name, pairs in out.items() if pairs}


def scaled(layout: Layout) -> list[tuple[Unit, float]]:
    """What moves a parameter and is its gradient up to a constant factor (a learning rate, a deferred mean, a sign),
    and that factor."""
    made = {u.step: u for u in layout.subject.units}
    out = []
    with precision(BITS):
        for m in layout.subject.moves:
            unit, right = made.get(m.source), layout.truth.cotangents.get(m.bottom)
            if unit is None or right is None or layout.is_forward(m.source):
                continue
            if _is_constant(layout.actual(m.source), right):
                out.append((unit, layout.actual(m.source).floats[0] / right.floats[0]))
    return out


def uneven_moves(layout: Layout, ratio: float, *, up: bool) -> bool:
    """What moves a parameter is its gradient times ``ratio``, and what moves another one is its gradient: no factor
    that all of them have, and a learning rate makes up for."""
    if abs((-ratio if up else ratio) - 1) <= SAME_RATIO:
        return False
    with precision(BITS):
        for m in layout.subject.moves:
            right = layout.truth.cotangents.get(m.bottom)
            if right is None or layout.is_forward(m.source):
                continue
            other = _ratio(layout.actual(m.source), right)
            if other is not None and abs((-other if m.up else other) - 1) <= SAME_RATIO:
                return True
    return False


def is_negative(layout: Layout) -> bool:
    """Every parameter is moved by the negative of its gradient, up to a factor that is a number."""
    ratios = []
    with precision(BITS):
        for m in layout.subject.moves:
            right = layout.truth.cotangents.get(m.bottom)
            if right is None or right.shaped or layout.is_forward(m.source):
                return False
            ratios.append((layout.actual(m.source) / right).constant())
    return bool(ratios) and all(r is not None and r < 0 for r in ratios)


def _works_on_values(unit: Unit, layout: Layout) -> bool:
    """Values of the forward pass are in the line itself."""
    return any(
        layout.is_forward(j) and not layout.graph.steps[j].is_const
        for j in ends_of(layout.graph, unit.step, lambda j: layout.is_forward(j) or j in layout.units_at)
    )


def _is_single(unit: Unit, layout: Layout) -> bool:
    """The name is used for one thing, not for one gradient after the other."""
    rows = {u.line for u in layout.by_name[unit.name] if not layout.graph.steps[u.step].is_leaf}
    return len(rows) == 1


def _compared(layout: Layout) -> Iterator[tuple[str, Pair]]:
    """What stands beside autograd's number, or beside a difference quotient."""
    graph, subject, truth = layout.graph, layout.subject, layout.truth
    for i, step in enumerate(graph.steps):
        if layout.is_forward(i) or sign_of(step.op) != "-":
            continue
        a, b = step.inputs
        for mine, other in ((a, b), (b, a)):
            units = layout.units_at.get(mine) or layout.units_at.get(original(graph, mine))
            if not units or layout.is_forward(other) or not _works_on_values(units[-1], layout):
                continue
            target = subject.autograd.get(original(graph, other), -1)
            if target < 0:
                value = layout.actual(other)
                if not value.usable or layout.actual(mine).same(value):
                    continue
                target = next((k for k in truth.leaves if _is_near(value, truth.cotangents.get(k))), -1)
            if target >= 0:
                yield units[-1].name, (subject.loss, target)


def is_strong(name: str, layout: Layout) -> bool:
    """The script itself shows what a name stands for, by comparing it with that."""
    return name in layout.subject.guessed or any(name == held for held, _ in _compared(layout))


def _is_near(a: Vec, b: Vec | None) -> bool:
    """A difference quotient of it, and not the thing itself."""
    if b is None or a.same(b):
        return False
    pairs = list(zip(a.floats, b.floats, strict=True))
    return all(math.isfinite(x) and math.isfinite(y) and abs(x - y) <= NEAR * max(abs(x), abs(y)) for x, y in pairs)


def _is_constant(have: Vec, right: Vec) -> bool:
    return _ratio(have, right) is not None


def _ratio(have: Vec, right: Vec) -> float | None:
    """The number by which the one is the other; ``None`` where it is none. Zeros in both say nothing."""
    ratio = have / right
    arrays = lifted(ratio).arrays if ratio.shaped else [np.array([x]) for x in ratio.floats]
    finite = [a[np.isfinite(a)].ravel() for a in arrays]
    found = np.concatenate(finite)
    if found.size < 3 or not all(a.size for a in finite) or found[0] == 0:
        return None
    first = float(found[0])
    return first if bool((np.abs(found - first) <= SAME_RATIO * abs(first)).all()) else None
