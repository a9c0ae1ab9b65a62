"""Difference quotients in a script: what they differentiate, by what, and what is compared with them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from symgrad.diagnose.meaning.evidence import Pair
from symgrad.diagnose.meaning.following import original
from symgrad.diagnose.text.naming import claims, is_bare, normal
from symgrad.frontends.trace.data import Trace
from symgrad.graph import Graph
from symgrad.ops import OPS, is_sum, sign_of
from symgrad.ops.slips import is_place
from symgrad.ops.tensor import TensorOp

#: Words that say of a value that it is a derivative, or was worked out by hand.
_TOLD = re.compile(r"(?i)grad|deriv|slope|analytic|exact|manual|by_?hand|mine")
#: The step of a difference quotient is at most this.
SMALL = 0.02


def _quotients(trace: Trace) -> Iterator[tuple[int, int, set[int]]]:
    """Difference quotients: the step of (f(x + h) - f(x - h))/(2*h), the input h, and what is subtracted."""
    graph = trace.graph
    small = {
        leaf.step for leaf in trace.leaves
        if leaf.literal and isinstance(v := trace.values[leaf.step], float) and 0 < abs(v) <= SMALL
    }  # fmt: skip
    shifted_by = {h: graph.dependents(h) for h in small}
    for i, step in enumerate(graph.steps if small else ()):
        if sign_of(step.op) != "/":
            continue
        top, bottom = (original(graph, j) for j in step.inputs)
        if sign_of(graph.steps[top].op) != "-":
            continue
        below = {h for h in small if shifted_by[h][bottom]}
        if len(below) == 1:
            h = next(iter(below))
            sides = {original(graph, j) for j in graph.steps[top].inputs}
            if any(shifted_by[h][side] for side in sides):
                yield i, h, sides


def shifted_values(trace: Trace) -> list[int]:
    """The f(x + h) and f(x - h) of difference quotients: what is differentiated, where nothing else says."""
    return sorted({side for _, _, sides in _quotients(trace) for side in sides if not trace.graph.steps[side].is_leaf})


def arrays_beside(trace: Trace) -> list[int]:
    """The same of arrays, if something is held against their difference quotient, entry by entry."""
    steps = trace.graph.steps
    found = ((h, side) for _, h, sides in _quotients(trace) for side in sorted(sides))
    return [i for h, i in found if steps[i].shape and not steps[i].is_leaf and beside_quotients(trace, i, h)][:1]


def numbers_beside(trace: Trace) -> list[int]:
    """The same of a number, f(x + h), if something is held against its difference quotients: f is differentiated then,
    whatever the script calls it."""
    steps = trace.graph.steps
    places: set[object] = set()
    for _, h, sides in _quotients(trace):
        for i in sorted(sides):
            if steps[i].shape or steps[i].is_leaf or steps[i].span in places:
                continue
            places.add(steps[i].span)  # one for each function: it is called twice for every entry
            if beside_quotients(trace, i, h):
                return [i]
    return []


def quotients(trace: Trace) -> set[int]:
    """The steps that are difference quotients, and so nothing that is differentiated."""
    return {i for i, _, _ in _quotients(trace)}


def beside(trace: Trace) -> list[bool] | None:
    """For each step, whether it is worked out beside the point, with the step of a difference quotient in it; ``None``
    where there are no quotients."""
    steps = {h for _, h, _ in _quotients(trace)}
    return trace.graph.dependents(*steps) if steps else None


def step_size(trace: Trace, loss: int) -> int:
    """The input h of (f(x + h) - f(x - h))/(2*h), where the loss is such an f(x + h) or f(x - h), or what all entries
    of one are put together to; -1 if it is none."""
    side = _side_of(trace, loss)
    return next((h for _, h, sides in _quotients(trace) if side in sides), -1)


def _side_of(trace: Trace, loss: int) -> int:
    """What is subtracted in a difference quotient where the loss is, or is put together of its entries."""
    steps = trace.graph.steps
    whole = original(trace.graph, loss)
    if any(whole in sides for _, _, sides in _quotients(trace)):
        return whole  # np.sum(..) of the user's own
    if len(steps[loss].inputs) == 1 and steps[steps[loss].inputs[0]].shape and not steps[loss].shape:
        loss = steps[loss].inputs[0]
    return original(trace.graph, loss)


def shifted(graph: Graph, loss: int, h: int) -> list[int]:
    """The inputs to which the step of a difference quotient is added, or to one entry of which it is."""
    needed, moved = graph.ancestors(loss), graph.dependents(h)
    out: dict[int, None] = {}
    for i, step in enumerate(graph.steps):
        if needed[i] and is_sum(step.op) and any(moved[j] for j in step.inputs):
            other = next((_taken_from(graph, j) for j in step.inputs if not moved[j]), -1)
            if other >= 0 and graph.steps[other].is_input:
                out[other] = None
    return list(out)


def _taken_from(graph: Graph, i: int) -> int:
    """The array of which a value is an entry, or a copy."""
    while not (step := graph.steps[i]).is_leaf:
        op = OPS[step.op]
        if not op.renames and not (isinstance(op, TensorOp) and op.write is not None):
            break
        i = step.inputs[0]
    return i


def _is_read(graph: Graph, i: int) -> bool:
    """It is data, or a part of it: ``old = x[i]``, which is put back when the difference has been taken."""
    step = graph.steps[i]
    return step.is_leaf or (is_place(step.op) and graph.steps[original(graph, step.inputs[0])].is_leaf)


def beside_quotients(trace: Trace, loss: int, h: int) -> dict[str, tuple[Pair, ...]]:
    """The names of what is compared with a difference quotient of the loss."""
    graph = trace.graph
    by = [(loss, i) for i in shifted(graph, loss, h)]
    moved = graph.dependents(h)
    # What is held against a second difference is no first derivative.
    place = graph.steps[side := _side_of(trace, loss)].span
    alike = (i for i, _, sides in _quotients(trace) if side in sides or place in {graph.steps[j].span for j in sides})
    quotient = graph.dependents(*alike)
    named = {b.step: b.name for b in trace.bindings}
    out: dict[str, tuple[Pair, ...]] = {}
    for i, step in enumerate(graph.steps):
        if moved[i] and sign_of(step.op) == "-" and by:
            a, b = (original(graph, j) for j in step.inputs)
            for mine, other in ((a, b), (b, a)):
                name = named.get(mine)
                if name and not moved[mine] and quotient[other] and not _is_read(graph, mine):
                    out[name] = tuple(by)
    shapes = {graph.steps[i].shape for _, i in by}
    for mine in _side_by_side(trace, moved, quotient) if by else ():
        name = named.get(mine)
        if name and graph.steps[mine].shape in shapes and not _is_read(graph, mine):
            out.setdefault(name, tuple(by))
    return out


def _side_by_side(trace: Trace, moved: Sequence[bool], quotient: Sequence[bool]) -> Iterator[int]:
    """What should be equal to something that is worked out by differences, and what is shown beside that, in one line
    or in the next, if its name says that it is a derivative."""
    for pair in trace.compared:
        if sum(moved[i] for i in pair) == sum(quotient[i] for i in pair) == 1:
            yield next(original(trace.graph, i) for i in pair if not moved[i])
    names = {normal(b.name) for b in trace.bindings}

    def is_told(name: str) -> bool:
        known = any(c.bottom in names and (not c.top or c.top in names) for c in claims(name))
        return known or is_bare(name) or _TOLD.search(name) is not None

    told = {b.step for b in trace.bindings if is_told(b.name)}
    groups = [
        ([original(trace.graph, i) for i in some if not moved[i]], [i for i in some if quotient[i]])
        for some in trace.shown
    ]
    for n, (mine, others) in enumerate(groups):
        near = groups[max(n - 1, 0) : n + 2] if len(mine) == 1 and not others else []
        beside = others if mine else []
        beside = beside or [i for plain, differences in near for i in differences if not plain]
        mine = [i for i in mine if i in told]
        if len(beside) == 1 and len(mine) == 1:
            yield mine[0]
