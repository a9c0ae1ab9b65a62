"""What a script itself says a value is the gradient of: it compares it with autograd's, or hands it to an optimiser.

Such a value needs no name that says so: ``np.allclose(grad(loss)(w), mine(w))``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np

from symgrad.frontends.trace.arrays import Array
from symgrad.frontends.trace.data import BackwardCall
from symgrad.frontends.trace.shaped import Recorder
from symgrad.frontends.trace.tracer import MAX_NOTES, Tracer
from symgrad.frontends.trace.values import Value
from symgrad.ops.base import COPY, DIFFERENCE, OPS

#: What is nearer than this and not the same was worked out by differences, and claims no more than to be near.
NEAR, SAME = 1e-3, 1e-9
#: Words for what somebody worked out, and names that say themselves of what they are the derivative.
_BY_HAND = re.compile(
    r"(?i)(?<![a-z])(?:mine|my|ours?|manual|manually|hand|analytic\w*|closed|formula|derived|expected)(?![a-z])"
)
_PARAMETER_BY_HAND = re.compile(
    r"^(?:my|manual|hand|by_hand|analytic|analytical|ours?)_(?P<a>\w+)$|^(?P<b>\w+?)_(?:manual|by_?hand|hand|analytic|analytical)$"
)
_DERIVATIVE = re.compile(r"d_?[A-Za-z]|g[A-Za-z]?\d?$|g[A-Z_]|grad|delta|nabla|\w*(?:_grad|_bar|_g)$|\w*\.grad$")


def claimed_jacobian(tr: Tracer, value: Any, top: Any, target: int) -> None:
    """A matrix is claimed to be the Jacobian of ``top`` by a step: its product with any row is then the gradient of
    the same sum of what ``top`` holds, and as that it is judged."""
    shape = np.shape(top.raw) if isinstance(top, Value) else ()
    inner = tr.builder.steps[target].shape
    if not isinstance(top, Array) or not isinstance(value, Value) or top.step is None or not tr.varies[top.step]:
        return
    if np.shape(value.raw) != (*shape, *inner):
        return
    m = Recorder(tr)
    row = Array(tr, np.round(np.random.RandomState(5).uniform(0.5, 1.5, shape), 6))
    row.step = tr.input("cotangent", row.data, tr.here())
    total = m.sum(top * row)
    if not isinstance(total, Value) or total.step is None:
        return
    tr.backward_calls.append(BackwardCall(total.step, tr.here()))
    count = int(np.prod(shape, dtype=int))
    flat = m.matmul(m.reshape(row, shape=(count,)), m.reshape(value, shape=(count, int(np.prod(inner, dtype=int)))))
    claimed(tr, m.reshape(flat, shape=inner), target)


def claim(tr: Tracer, one: Any, other: Any) -> None:
    """Two values are compared: where one is autograd's gradient of a step, the other is claimed to be that as well."""
    found = {read.step: read.target for read in tr.grad_reads} | {i: j for i, (_, j) in tr.jacobians.items()}
    steps = [_origin(tr, v.step) if isinstance(v, Value) and v.step is not None else -1 for v in (one, other)]
    if min(steps) >= 0 and not _denied(tr) and len(tr.compared) < MAX_NOTES:
        tr.compared[tr.here().line] = steps[0], steps[1]
    for mine, auto, value, known in ((0, 1, one, other), (1, 0, other, one)):
        target = found.get(steps[auto])
        if target is not None and steps[mine] not in found and isinstance(value, Value):
            distance = _distance(value.raw, known.raw)
            if not SAME < distance < NEAR and not _denied(tr):
                top = tr.jacobians.get(steps[auto], (None, -1))[0]
                claimed(tr, value, target) if top is None else claimed_jacobian(tr, value, top, target)
            return


def claimed(tr: Tracer, value: Any, target: int) -> None:
    """A value is claimed to be the gradient by a step."""
    if isinstance(value, Value) and value.step is not None:
        _claimed(tr, value.step, target)


def _claimed(tr: Tracer, step: int, target: int) -> None:
    if not tr.varies[step] or not tr.varies[target]:
        return
    if _own_name(tr, step):
        tr.claims.append((step, target))  # the name may go over to something else: see settle
    else:
        _name(tr, step, target)


def settle(tr: Tracer) -> None:
    """When the run has ended: what is claimed to be a gradient has a name that nothing else has had."""
    for step, target in list(_held_against(tr)):
        _claimed(tr, step, target)
    for step, target in tr.claims:
        name = _own_name(tr, step)
        if name:
            tr.returned.append((name, target))
        else:
            _name(tr, step, target)


def _subtracted(tr: Tracer) -> Iterator[tuple[int, int]]:
    """What autograd's gradient is taken from, or is taken from it, to see how far they are apart: ``(mine -
    w.grad).abs().max()``; each with autograd's."""
    found, steps = {read.step for read in tr.grad_reads}, tr.builder.steps
    parameters = {steps[read.target].name for read in tr.grad_reads}
    for at, step in enumerate(steps) if found else ():
        if step.op == DIFFERENCE:
            one, other = (_origin(tr, i) for i in step.inputs)
            known, mine = (one, other) if one in found else (other, one)
            if known in found and mine not in found:
                later = tr.builder.build(len(steps) - 1).dependents(at)
                # What a parameter is moved by says nothing: w.data - w.grad
                if not any(later[b.step] and b.name in parameters for b in tr.bindings):
                    yield mine, known


def _printed(tr: Tracer) -> Iterator[tuple[int, int]]:
    """What is shown beside autograd's gradient, each with that: in one line with it, ``print(x.grad, mine)``, or in the
    next one, in words that say that it was worked out by hand. A name that reads as a derivative says so itself."""
    found = {read.step for read in tr.grad_reads}
    lines = [(text, [_origin(tr, i) for i in shown]) for text, shown in tr.printed]
    for n, (text, shown) in enumerate(lines):
        mine = [i for i in shown if i not in found and not any(_DERIVATIVE.match(name) for name in _names(tr, i))]
        known = [i for i in shown if i in found]
        if len(mine) == len(known) > 1:
            yield from _in_turn(mine, known, shown)
        if len(mine) != 1:
            continue
        alone = not known and len(set(shown)) == 1  # print(g.item(), mine): it is g that it is compared with
        if alone and (_BY_HAND.search(text) or any(map(_BY_HAND.search, _names(tr, mine[0])))):
            known = [i for _, others in lines[max(n - 1, 0) : n + 2] for i in others if i in found]
        if len(known) == 1:
            yield mine[0], known[0]


def _held_against(tr: Tracer) -> Iterator[tuple[int, int]]:
    """What is subtracted from autograd's gradient, or shown with it, and may be the same: by which step it is then.

    What the loss is made of is not, nor is what is made of such gradients.
    """
    targets, steps = {read.step: read.target for read in tr.grad_reads}, tr.builder.steps
    # Of the rounds of a loop the last.
    pairs = {steps[mine].span: (mine, known) for mine, known in (*_called_by_hand(tr), *_subtracted(tr), *_printed(tr))}
    if not pairs:
        return
    graph = tr.builder.build(len(steps) - 1)
    forward, made = graph.ancestors(*(call.step for call in tr.backward_calls)), graph.dependents(*targets)
    for shown, known in pairs.values():
        mine = _first_of_its_kind(tr, shown)
        shapes = {steps[mine].shape, steps[targets[known]].shape}
        same = (len(shapes) == 1 or shapes == {(), (1,)}) and not steps[mine].is_leaf
        apart = _distance(tr.value(mine), tr.value(known)) if same else 0.0
        if same and not forward[mine] and not made[mine] and not SAME < apart < NEAR:
            yield mine, targets[known]


def _in_turn(mine: list[int], known: list[int], shown: list[int]) -> Iterator[tuple[int, int]]:
    """``print(w.grad, manual_w, b.grad, manual_b)``: each beside its own, or all of one kind first."""
    kinds = [i in known for i in shown if i in known or i in mine]
    turns = all(kinds[n] != kinds[n + 1] for n in range(0, len(kinds) - 1, 2))
    if turns or kinds == sorted(kinds) or kinds == sorted(kinds, reverse=True):
        yield from zip(mine, known, strict=True)


def _called_by_hand(tr: Tracer) -> Iterator[tuple[int, int]]:
    """What is called after a parameter, and by hand, ``manual_w``, where autograd's ``w.grad`` is read."""
    reads = {tr.builder.steps[read.target].name: read.step for read in tr.grad_reads}
    for b in tr.bindings if reads else ():
        found = _PARAMETER_BY_HAND.match(b.name)
        if found is not None and (read := reads.get(found["a"] or found["b"])) is not None:
            yield _origin(tr, b.step), read


def _first_of_its_kind(tr: Tracer, step: int) -> int:
    """Where a function was called before with the same result, ``print(df(x)); print(x.grad - df(x))``, that one."""
    steps, value = tr.builder.steps, tr.value(step)
    alike = (i for i in range(step) if steps[i].span == steps[step].span and steps[i].op == steps[step].op)
    return next((i for i in alike if steps[i].span is not None and np.array_equal(tr.value(i), value)), step)


def _names(tr: Tracer, step: int) -> set[str]:
    return {b.name for b in tr.bindings if _origin(tr, b.step) == step}


def _own_name(tr: Tracer, step: int) -> str:
    """A name that only this step has had."""
    names = {b.name for b in tr.bindings if b.step == step}
    return min((n for n in names if sum(b.name == n for b in tr.bindings) == 1), default="")


def _name(tr: Tracer, step: int, target: int) -> None:
    """The same value under a name of ours, unless that is taken."""
    name = f"grad_{tr.builder.steps[target].name}"
    if any(b.name == name for b in tr.bindings) and (name, target) not in tr.returned:
        return
    span = tr.builder.steps[step].span or tr.here()
    made = tr.emit(COPY, (step,), tr.value(step), span=span)
    tr.bind(name, made, span, span.line, "", "")
    tr.returned.append((name, target))


def _origin(tr: Tracer, step: int) -> int:
    """The step that others only hand on under other names."""
    steps = tr.builder.steps
    while not steps[step].is_leaf and OPS[steps[step].op].renames:
        step = steps[step].inputs[0]
    return step


def _distance(one: Any, other: Any) -> float:
    """How far two values are apart, relatively; infinite where their shapes differ."""
    a, b = np.asarray(one, dtype=np.float64), np.asarray(other, dtype=np.float64)
    if a.size == b.size == 1:
        a, b = a.reshape(1), b.reshape(1)
    if a.shape != b.shape:
        return float("inf")
    scale = float(np.max(np.abs(b), initial=0.0)) or 1.0
    return float(np.max(np.abs(a - b), initial=0.0)) / scale


def _denied(tr: Tracer) -> bool:
    """``not np.allclose(...)``: they are shown to differ."""
    span = tr.here()
    line = tr.lines[span.line - 1] if span.line <= len(tr.lines) else ""
    return line[: span.column - 1].rstrip().endswith("not")
