"""Dual numbers: objects of a class of the user's own that carry a value and its derivative, ``Dual(x, 1)*Dual(y, 0)``.

Which derivative that is is told by what was put in: the one number whose derivative was given as 1, all others as 0. So
every object that is worked out from them holds the derivative of its value by that number, and each call of each method
is a line of the derivation: the argument with which it makes its result.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, replace

from symgrad.diagnose.meaning.parameters import function_at
from symgrad.diagnose.text.source import SourceMap, source_map
from symgrad.diagnose.text.syntax import nodes
from symgrad.errors import Span
from symgrad.frontends.trace.data import Binding, Trace
from symgrad.frontends.trace.declared import write_out
from symgrad.ops import OPS
from symgrad.subjects.upstream import extended

#: What such a class, or what it carries beside the value, is called.
_CLASS = re.compile(r"dual|forward|jet", re.I)
_DERIVATIVE = re.compile(r"^_?(d|dx|der|deriv\w*|dot|dual|eps\w*|grad|gradient|prime|slope|tan|tangent)_?$", re.I)


@dataclass(frozen=True, slots=True)
class Carried:
    """A class of such objects.

    Attributes:
        value, derivative: the attributes, ``value`` and ``deriv``.
        parameter: of the constructor, that the derivative is given by; ``place``: of the arguments, without ``self``.
        default: what it is where nothing is given.
    """

    name: str
    value: str
    derivative: str
    parameter: str
    place: int
    default: float | None


@dataclass(frozen=True, slots=True)
class _Object:
    """What is worked out for one object: its value, the assignment of its derivative, and where that is written."""

    value: int
    binding: Binding
    place: Span
    kind: Carried


@dataclass(frozen=True, slots=True)
class Duals:
    """A run in which the derivatives that dual numbers carry are assignments at the lines that work them out.

    Attributes:
        loss: what is differentiated: the last of the values, or their sum.
        mapped: the name of a derivative -> the steps (of what, by what).
    """

    trace: Trace
    loss: int
    mapped: Mapping[str, tuple[int, int]]


def carried(trace: Trace) -> Duals | None:
    """The same run with its dual numbers understood; ``None`` where there are none, or not all of them can be."""
    classes = {c.name: c for c in _classes(trace.graph.source)}
    if not classes or any(step.shape for step in trace.graph.steps):
        return None
    source, steps = source_map(trace.graph.source), trace.graph.steps
    calls = {i: call for i in trace.callers if (call := _call(source, trace.callers[i])) is not None}
    seeds: dict[int, float] = {}
    found: dict[int, _Object] = {}
    last: tuple[str, int] = "", -1
    told: dict[int, Binding | None] = {}
    for b in trace.bindings:
        call = calls.get(b.step)
        kind = classes.get(_called(call)) if call is not None else None
        if call is None or kind is None:
            continue
        given = _given(call, kind)
        attribute = (b.written or b.name).rpartition(".")[2]
        if attribute == kind.value:
            last = b.scope, b.step
            if (seed := _number(given, kind)) is not None:
                seeds[b.step] = seed
                # An object that only holds a number has no name for it that says which.
                told[b.order] = None
            elif b.name.startswith("self."):
                told[b.order] = replace(b, name=f"u{b.order}", written=b.name)
        elif attribute == kind.derivative:
            place = _span(given, trace.callers[b.step], source) if given is not None else None
            value = b.near[0][1] if b.near else last[1] if last[0] == b.scope else -1
            if place is None or value in seeds or value < 0 or steps[b.step].is_leaf:
                told[b.order] = None
                continue
            name = f"u{b.order}.{attribute}" if b.name.startswith("self.") else b.name
            found[b.step] = _Object(value, replace(b, name=name, written=b.written or b.name), place, kind)
    ones = {i for i, seed in seeds.items() if seed == 1}
    if not found or not ones or any(seed not in (0.0, 1.0) for seed in seeds.values()):
        return None
    made = _made_of(trace, ones, set(found), {o.value for o in found.values()})
    if made is None:
        return None
    mapped: dict[str, tuple[int, int]] = {}
    spans: dict[int, Span] = {}
    forward = trace.graph.ancestors(*(o.value for o in found.values()))
    derivatives = {o.value: i for i, o in found.items()}
    for i, made_object in found.items():
        value, b, place = made_object.value, made_object.binding, made_object.place
        lines, inner = _function(source, trace.callers[i].line), steps[i].inputs[0]
        # deriv = ..., and then Dual(value, deriv)
        local = (o for o in trace.bindings if o.step == inner and o.line in lines and o.name.isidentifier())
        own = next((o for o in local if o.order < b.order), None)
        leaf = _by(trace, value, i, made[value], ones)
        if leaf < 0 or b.name in mapped:
            # Along several numbers, or along none that is known: nothing is said.
            told.update({o.order: None for o in (b, own) if o is not None})
            continue
        mapped[b.name] = value, leaf
        near = tuple(_at_hand(trace, i, made_object, source, derivatives))
        if own is not None and not forward[inner]:
            told |= {own.order: replace(own, name=b.name, written=own.name, near=near), b.order: None}
            continue
        if own is not None:
            told[own.order], place = None, own.span  # deriv = value
        told[b.order] = replace(b, span=place, line=place.line, near=near)
        spans[i] = place
    if not mapped:
        return None
    made_at = [replace(s, span=spans[i]) if i in spans else s for i, s in enumerate(steps)]
    bindings = (told.get(b.order, b) for b in trace.bindings)
    trace = replace(
        trace,
        graph=replace(trace.graph, steps=tuple(made_at)),
        bindings=tuple(b for b in bindings if b is not None),
    )
    ends = sorted({top for top, _ in mapped.values()})
    needed = [trace.graph.ancestors(i) for i in ends]
    ends = [i for i in ends if not any(i != j and known[i] for j, known in zip(ends, needed, strict=True))]
    total = ends[0]
    for i in ends[1:]:
        trace, total = extended(trace, "add", (total, i))
    return Duals(trace, total, mapped)


def _classes(text: str) -> Iterator[Carried]:
    """The classes whose constructor is given a value and its derivative."""
    if "class " not in text:
        return
    for node in nodes(text):
        if not isinstance(node, ast.ClassDef):
            continue
        init = next((f for f in node.body if isinstance(f, ast.FunctionDef) and f.name == "__init__"), None)
        init = init or _written_out(node)
        held = list(_attributes(init)) if init is not None else []
        if init is None or len(held) != 2:
            continue
        (value, _), (derivative, parameter) = held
        if not (_CLASS.search(node.name) or _DERIVATIVE.match(derivative)):
            continue
        names = [a.arg for a in init.args.args][1:]
        if parameter not in names:
            continue
        place = names.index(parameter)
        behind = place - len(names) + len(init.args.defaults)
        default = init.args.defaults[behind] if behind >= 0 else None
        number = default.value if isinstance(default, ast.Constant) else None
        plain = float(number) if isinstance(number, int | float) else None
        yield Carried(node.name, value, derivative, parameter, place, plain)


def _written_out(node: ast.ClassDef) -> ast.FunctionDef | None:
    """The constructor of a dataclass, which is nowhere in the text."""
    copy = ast.Module([deepcopy(node)], [])
    write_out(copy)
    made = (f for c in copy.body if isinstance(c, ast.ClassDef) for f in c.body if isinstance(f, ast.FunctionDef))
    return next((f for f in made if f.name == "__init__"), None)


def _attributes(init: ast.FunctionDef) -> Iterator[tuple[str, str]]:
    """``self.deriv = deriv``, ``self.deriv = float(deriv)``: the attribute and the parameter."""
    for s in init.body:
        match s:
            case ast.Assign(targets=[ast.Tuple(targets)], value=ast.Tuple(values)) if len(targets) == len(values):
                yield from (a for pair in zip(targets, values, strict=True) for a in _attribute(*pair))
            case ast.Assign(targets=[target], value=value):
                yield from _attribute(target, value)


def _attribute(target: ast.expr, value: ast.expr) -> Iterator[tuple[str, str]]:
    match target:
        case ast.Attribute(value=ast.Name("self"), attr=attr):
            match value:
                case ast.Name(name) | ast.Call(func=ast.Name("float"), args=[ast.Name(name)]):
                    yield attr, name


def _call(source: SourceMap, span: Span) -> ast.Call | None:
    try:
        node = ast.parse(source.text(span).strip(), mode="eval").body
    except (SyntaxError, ValueError):
        return None
    return node if isinstance(node, ast.Call) else None


def _called(call: ast.Call) -> str:
    return call.func.id if isinstance(call.func, ast.Name) else ""


def _given(call: ast.Call, kind: Carried) -> ast.expr | None:
    """The argument that the derivative is."""
    if any(isinstance(a, ast.Starred) for a in call.args):
        return None
    if kind.place < len(call.args):
        return call.args[kind.place]
    return next((k.value for k in call.keywords if k.arg == kind.parameter), None)


def _number(given: ast.expr | None, kind: Carried) -> float | None:
    """The derivative that an object begins with, as a number in the text."""
    if given is None:
        return kind.default
    value = given.value if isinstance(given, ast.Constant) else None
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _span(given: ast.expr, call: Span, source: SourceMap) -> Span | None:
    """Where an argument of a call stands."""
    if call.line != call.end_line or given.lineno != 1 or given.end_lineno != 1 or given.end_col_offset is None:
        return None
    text = source.text(call)
    shift = call.column + len(text) - len(text.lstrip())
    return replace(call, column=shift + given.col_offset, end_column=shift + given.end_col_offset)


def _made_of(trace: Trace, ones: set[int], derivatives: set[int], values: set[int]) -> list[frozenset[int]] | None:
    """For each step, the numbers given with the derivative 1 that it is made of; ``None`` where a value is made of a
    derivative: the two are carried apart."""
    out: list[frozenset[int]] = []
    derived: list[bool] = []
    for i, step in enumerate(trace.graph.steps):
        mine = frozenset({i}) if i in ones else frozenset()
        out.append(mine.union(*(out[j] for j in step.inputs)) if step.inputs else mine)
        derived.append(i in derivatives or any(derived[j] for j in step.inputs))
    return None if any(derived[i] for i in values) else out


def _by(trace: Trace, value: int, made: int, given: frozenset[int], ones: set[int]) -> int:
    """What an object's derivative is by: the number with the derivative 1 that it is made of, or where it is made of
    none the last one before it, by which it is zero; -1 where that cannot be told."""
    if len(given) == 1:
        return _original(trace, *given)
    before = max((i for i in ones if i < made), default=-1)
    if given or before < 0:
        return -1
    leaf = _original(trace, before)
    return -1 if trace.graph.ancestors(value)[leaf] else leaf


def _original(trace: Trace, i: int) -> int:
    steps = trace.graph.steps
    while not steps[i].is_leaf and OPS[steps[i].op].renames:
        i = steps[i].inputs[0]
    return i


def _at_hand(
    trace: Trace, made: int, held: _Object, source: SourceMap, derivatives: Mapping[int, int]
) -> Iterator[tuple[str, int]]:
    """What a method has at hand where it makes its result: the attributes that it reads, and their others."""
    steps, value, attribute, beside = trace.graph.steps, held.value, held.kind.value, held.kind.derivative
    lines = _function(source, trace.callers[made].line)
    seen: dict[str, int] = {}
    stack, visited = [made, value], set[int]()
    while stack:
        i = stack.pop()
        span = steps[i].span
        if i in visited or span is None or (i not in (made, value) and span.line not in lines):
            continue
        visited.add(i)
        for slot, j in enumerate(steps[i].inputs):
            place = source.operand(span, slot)
            text = source.text(place) if place is not None and place.line == place.end_line else ""
            if re.fullmatch(r"[A-Za-z_]\w*\.\w+", text):
                seen.setdefault(text, j)
            else:
                stack.append(j)
    for text, i in list(seen.items()):
        stem, _, read = text.rpartition(".")
        if read == attribute and i in derivatives:
            seen.setdefault(f"{stem}.{beside}", derivatives[i])
    for text, i in seen.items():
        yield text, real if steps[real := _original(trace, i)].is_input else i


def _function(source: SourceMap, line: int) -> range:
    """The lines of the function that a line is in."""
    node = function_at(source.source, line)
    return range(node.lineno, (node.end_lineno or line) + 1) if node is not None else range(line, line + 1)


__all__ = ["Duals", "carried"]
