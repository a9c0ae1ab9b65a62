"""Softmax and the sigmoid, written out by hand, seen as what they are: their derivatives have a shorter form.

``p = exp(z - max)/sum(exp(z - max))`` differentiates by the book into four statements; as softmax it is
``p*(dp - sum(dp*p))``. The forward pass keeps the user's lines; only what is differentiated is another graph.
"""

from __future__ import annotations

from dataclasses import replace

from symgrad.graph import Graph, Step
from symgrad.ops.tensor import typed


def recognise(graph: Graph) -> Graph:
    """The same graph, step by step, in which such steps are one op of their arguments.

    A step is replaced only where it is a quotient of that form; the steps that it was made of stay, and are no longer
    on the way from the input to the result unless something else uses them.
    """
    steps = list(graph.steps)
    for i, step in enumerate(steps):
        found = _softmax(steps, step) or _sigmoid(steps, step)
        if found is not None:
            steps[i] = found
    return Graph(tuple(steps), graph.output, graph.source)


def _is_one(step: Step) -> bool:
    return step.is_const and step.value == 1


def _sigmoid(steps: list[Step], step: Step) -> Step | None:
    """1/(1 + exp(-z)), and exp(z)/(1 + exp(z))."""
    if step.op != "div":
        return None
    top, bottom = (steps[j] for j in step.inputs)
    if bottom.op != "add":
        return None
    for one, other in (bottom.inputs, bottom.inputs[::-1]):
        e = steps[other]
        if not _is_one(steps[one]) or e.op != "exp":
            continue
        inner = steps[e.inputs[0]]
        if _is_one(top) and inner.op == "neg":
            return replace(step, op="sigmoid", inputs=inner.inputs)
        if step.inputs[0] == other:
            return replace(step, op="sigmoid", inputs=e.inputs)
    return None


def _softmax(steps: list[Step], step: Step) -> Step | None:
    """exp(z)/sum(exp(z)) along one axis; what is the same along it may have been taken from z."""
    if step.op != "div":
        return None
    top, bottom = (steps[j] for j in step.inputs)
    if top.op != "exp" or bottom.op not in ("sum", "reshape"):
        return None
    total = steps[bottom.inputs[0]] if bottom.op == "reshape" else bottom
    if total.op != "sum" or total.inputs[0] != step.inputs[0]:
        return None
    axes = dict(total.params)["axis"]
    if not isinstance(axes, tuple):
        return None
    wide = [a for a in axes if isinstance(a, int) and top.shape[a] != 1]
    if len(wide) != 1 or step.shape != top.shape:
        return None
    axis = wide[0]
    kept = tuple(1 if a in axes else n for a, n in enumerate(top.shape))
    if bottom.shape not in (kept, ()) or (bottom.shape == () and len(wide) != sum(n != 1 for n in top.shape)):
        return None
    inner = top.inputs[0]
    params, _ = typed("softmax", [top.shape], {"axis": axis})
    return replace(step, op="softmax", inputs=(_unshifted(steps, inner, axis),), params=params)


def _unshifted(steps: list[Step], index: int, axis: int) -> int:
    """z of ``z - m`` where m is the largest along the axis."""
    step = steps[index]
    while step.op == "sub":
        least = steps[step.inputs[1]]
        below = steps[least.inputs[0]] if least.op == "reshape" else least
        same = not least.shape or (len(least.shape) == len(step.shape) and least.shape[axis] == 1)
        if below.op != "amax" or not same:
            break
        index = step.inputs[0]
        step = steps[index]
    return index
