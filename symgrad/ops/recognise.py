"""Softmax and the sigmoid, written out by hand, seen as what they are: their derivatives have a shorter form.

``p = exp(z - max)/sum(exp(z - max))`` differentiates by the book into four statements; as softmax it is
``p*(dp - sum(dp*p))``. The forward pass keeps the user's lines; only what is differentiated is another graph.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

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


#: A number this small that is added to what a logarithm is taken of keeps it from 0, and is not meant to be derived.
SMALL_GUARD = 1e-4


def guards(steps: Sequence[Step], is_small: Callable[[int], bool]) -> list[int]:
    """The sums ``x + eps`` that stand right inside a logarithm.

    Args:
        is_small: whether a step is a number between 0 and :data:`SMALL_GUARD`.
    """
    found = []
    for step in steps:
        if step.op not in ("log", "log2", "log10"):
            continue
        i = step.inputs[0]
        while steps[i].op == "alias":
            i = steps[i].inputs[0]
        if steps[i].op == "add" and sum(map(is_small, steps[i].inputs)) == 1:
            found.append(i)
    return found


@dataclass(frozen=True, slots=True)
class Softmax:
    """A softmax of the forward pass: one step along an axis, or single numbers that are the parts of one.

    Attributes:
        outputs: the steps that it gives; ``inputs``: those that it is of, one for each.
        axis: of an array, else -1.
    """

    outputs: tuple[int, ...]
    inputs: tuple[int, ...]
    axis: int = -1


def softmaxes(graph: Graph) -> list[Softmax]:
    """Every softmax of a graph, as an op or written out with exponentials and their sum."""
    found = []
    totals: dict[int, list[int]] = {}
    for i, step in enumerate(recognise(graph).steps):
        if step.op == "softmax":
            found.append(Softmax((i,), step.inputs, int(str(dict(step.params)["axis"]))))
        elif step.op == "div" and not step.shape and _plain(graph, step.inputs[0]).op == "exp":
            totals.setdefault(step.inputs[1], []).append(i)
    for total, parts in totals.items():
        exponentials = [_at(graph, graph.steps[i].inputs[0]) for i in parts]
        if len(parts) > 1 and sorted(_terms(graph, total)) == sorted(set(exponentials)):
            found.append(Softmax(tuple(parts), tuple(graph.steps[e].inputs[0] for e in exponentials)))
    return found


def _at(graph: Graph, i: int) -> int:
    while graph.steps[i].op == "alias":
        i = graph.steps[i].inputs[0]
    return i


def _plain(graph: Graph, i: int) -> Step:
    return graph.steps[_at(graph, i)]


def sign_at(steps: Sequence[Step], i: int) -> int:
    """x of ``sign(x)``; -1 for anything else."""
    return steps[i].inputs[0] if steps[i].op == "sign" else -1


def _terms(graph: Graph, i: int) -> list[int]:
    """What is added up, zeros left out."""
    out: list[int] = []
    stack = [i]
    while stack:
        i = _at(graph, stack.pop())
        step = graph.steps[i]
        if step.op == "add" and not step.shape:
            stack.extend(step.inputs)
        elif not (step.is_const and step.value == 0):
            out.append(i)
    return out
