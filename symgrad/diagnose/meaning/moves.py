"""How parameters are moved: ``w -= lr*g`` says that g is the gradient by w, up to a number."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from fractions import Fraction

from symgrad.diagnose.meaning.following import OF_A_MOVE, ends_of, original
from symgrad.diagnose.observing.replay import LOOK_AHEAD
from symgrad.diagnose.observing.subject import Move, Subject, broadcasts
from symgrad.diagnose.text.naming import claims, normal
from symgrad.frontends.trace.data import Binding, Trace
from symgrad.graph import Graph
from symgrad.ops import OPS, RENAMING, is_sum, sign_of
from symgrad.ops.writing import is_joined, write_at


def core(graph: Graph, loss: int, bindings: Sequence[Binding]) -> list[bool]:
    """The steps that the loss depends on, without those of earlier rounds of the descent that led to its parameters.

    A parameter has been used by the time it is moved: ``total = 0.0`` that the forward pass adds to has not.
    """
    steps = graph.steps
    users: dict[int, set[int]] = {}
    for i, step in enumerate(steps):
        for j in step.inputs if step.op not in RENAMING else ():
            users.setdefault(original(graph, j), set()).add(i)
    held: dict[str, set[int]] = {}
    stops: set[int] = set()
    passing = _passing(graph, bindings)
    for b in bindings:
        if b.name in passing:
            continue
        mine = held.setdefault(b.name, set())
        inner = {original(graph, j) for j in steps[b.step].inputs}
        if is_sum(steps[b.step].op) and any(
            (steps[m].is_input or m in stops) and users[m] != {b.step} for m in mine & inner
        ):
            stops.add(b.step)
        mine.add(original(graph, b.step))
    needed = [False] * len(steps)
    needed[loss] = True
    for i in range(loss, -1, -1):
        if needed[i] and (i == loss or i not in stops):
            for j in steps[i].inputs:
                needed[j] = True
    return needed


def _passing(graph: Graph, bindings: Sequence[Binding]) -> set[str]:
    """Names that begin with a number of another name time and again: ``s = bias[j]``, to which products are added. That
    moves no bias."""
    owner: dict[int, str] = {}
    begun: dict[str, set[int]] = {}
    for b in bindings:
        at = original(graph, b.step)
        if owner.setdefault(at, b.name) != b.name and not graph.steps[at].shape:
            begun.setdefault(b.name, set()).add(at)
    return {name for name, firsts in begun.items() if len(firsts) > 1}


_NEXT = re.compile(r"_?(new|next|updated)$")


def stems_of(name: str) -> tuple[str, str]:
    """What may be moved where a name is given its value: ``w``, by ``w_new = w - lr*dw`` too."""
    return name, _NEXT.sub("", name)


def moves(trace: Trace, graph: Graph, forward: Sequence[bool]) -> tuple[Move, ...]:
    """How the parameters of a forward pass are moved after it.

    ``graph.output`` is the loss, and ``forward`` says of which steps it is made.
    """
    if not _may_be_any(trace.bindings, graph, forward):
        return ()
    inner = core(graph, graph.output, trace.bindings)
    free = [False] * len(graph)
    for i, step in enumerate(graph.steps):
        free[i] = not inner[i] and (forward[i] or step.is_leaf or all(free[j] for j in step.inputs))
    counted = _counted(trace, graph)
    bound = {b.step for b in trace.bindings}
    #: Steps that are called the gradient of something: db moves what is called bias.
    named = {b.step for b in trace.bindings if claims(b.name) and not forward[b.step]}
    done = done_at(trace, graph.output, forward)
    latest: dict[str, int] = {}
    #: What an attribute of this name was, of whatever object: ``layer.W`` of one layer after the other.
    kept: dict[str, set[int]] = {}
    #: What each name was in the forward pass. One that is something else of it in the derivation is no parameter then:
    #: ``xm = xs[n]``, to which something is added.
    had: dict[str, set[int]] = {}
    lent: set[str] = set()
    out: list[Move] = []
    #: Of numbers, moves by a product of which no step is the gradient by itself: with a rate in it, and without.
    rated, bare = False, list[Move]()
    called = {normal(b.name) for b in trace.bindings if forward[b.step]}
    for b in trace.bindings:
        held = original(graph, b.step)
        if b.order <= done:
            had.setdefault(b.name, set()).add(held)
        elif forward[held] and b.name not in had and any(c.bottom in called for c in claims(b.name)):
            lent.add(b.name)  # dx = w: a derivative that begins with a parameter
        elif forward[held] and held not in had.get(b.name, (held,) if graph.steps[held].is_leaf else ()):
            lent.add(b.name)  # so is lam = theta[-1], with which a derivation begins
        if not forward[b.step]:
            for name in stems_of(b.name):
                before = original(graph, latest[name]) if name in latest else -1
                inputs = [original(graph, j) for j in graph.steps[b.step].inputs]
                if before not in inputs:
                    before = next((i for i in inputs if i in kept.get(_attribute(name), ())), before)
                if before >= 0 and inner[before] and name not in lent:
                    if (stride := _stride(graph, b.step, before, free, named, counted)) is None:
                        break
                    at, up = stride
                    if _is_of_a_root(graph, at, inner, free):
                        at = graph.steps[at].inputs[1]
                    in_line = not graph.steps[at].shape and at not in bound and _is_of_one_line(graph, at, b.step)
                    if in_line and _has_rate(graph, at, free, bound):
                        rated = True  # w -= lr*d*x
                        break
                    source = _gradient(graph, at, before, inner, bound, named)
                    if source >= 0 and not any((m.bottom, m.source) == (before, source) for m in out):
                        out.append(Move(name, before, source, up))
                        bare += out[-1:] if in_line else []
                    break
        latest[b.name] = b.step
        kept.setdefault(_attribute(b.name), set()).add(held)
    states = _states(trace, out, forward)
    # Where one of them has a rate, the others were to have it.
    return tuple(m for m in out if (not rated or m not in bare) and m.name not in states)


def _may_be_any(bindings: Sequence[Binding], graph: Graph, forward: Sequence[bool]) -> bool:
    """Some name has a value of the forward pass, and is given another one by the derivation: no other name is moved."""
    held: set[str] = set()
    for b in bindings:
        if not forward[b.step] and not held.isdisjoint(map(_attribute, stems_of(b.name))):
            return True
        if forward[original(graph, b.step)]:
            held.add(_attribute(b.name))
    return False


def _states(trace: Trace, moves: Sequence[Move], forward: Sequence[bool]) -> set[str]:
    """Of names that are moved, those of states that a loop carries one round beyond the loss: ``y += dt*f(y)``. It is
    the last of many such lines, of which the others are the loss's own; the derivatives that the script names come
    later, and none is by this."""
    named = [(b, [c.bottom for c in claims(b.name)]) for b in trace.bindings if not forward[b.step]] if moves else []
    given = {normal(b.name) for b in trace.bindings if forward[b.step]}
    asked = [(b, bottoms) for b, bottoms in named if given.intersection(bottoms)]
    if not asked:
        return set()
    by = {bottom for _, bottoms in asked for bottom in bottoms}
    out = set()
    for name in {m.name for m in moves if normal(m.name) not in by}:
        mine = [b for b in trace.bindings if b.name == name]
        late = [b for b in mine if not forward[b.step]]
        own = {b.line for b in mine if forward[b.step] and not trace.graph.steps[b.step].is_leaf}
        last = max((b.order for b in late if b.line in own), default=-1)
        if late and all(b.line in own for b in late) and last < asked[0][0].order:
            out.add(name)
    return out


def _attribute(name: str) -> str:
    """``.W`` of ``layer.W``; the name itself where it is no attribute."""
    head, dot, last = name.rpartition(".")
    return dot + last if head and "[" not in last else name


def done_at(trace: Trace, loss: int, forward: Sequence[bool]) -> int:
    """The number of the assignment with which the forward pass is done: that of the loss, or where that has no name the
    last that gives a step of it its first one."""
    first: dict[int, int] = {}
    for b in trace.bindings:
        if forward[b.step]:
            first.setdefault(b.step, b.order)
    return first.get(loss, max(first.values(), default=len(trace.bindings)))


def _stride(
    graph: Graph, step: int, before: int, free: Sequence[bool], named: Collection[int], counted: Sequence[bool]
) -> tuple[int, bool] | None:
    """What a parameter is moved by, all numbers of their own taken off, and whether it is added; ``None`` if it is not
    moved."""
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
    for _ in range(LOOK_AHEAD):
        if graph.steps[at].name.startswith(OF_A_MOVE):
            break
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
        if at in named and scale and all(counted[j] for j in scale):
            break  # dW = (2/n)*(x.T @ d): what is called the gradient is that, with its numbers
        at = others[0]
    return None if free[at] or graph.steps[at].is_leaf else (at, up)


def _is_of_a_root(graph: Graph, at: int, inner: Sequence[bool], free: Sequence[bool]) -> bool:
    """``x -= f(x)/df(x)``, Newton's step to a root: the derivative is what a forward value is divided by."""
    row = graph.steps[at]
    if sign_of(row.op) != "/":
        return False
    above, below = (original(graph, j) for j in row.inputs)
    return inner[above] and not graph.steps[above].is_leaf and not inner[below] and not free[below]


def _counted(trace: Trace, graph: Graph) -> list[bool]:
    """For each step, whether it is a number made of whole ones: 2/n, and no learning rate."""
    out: list[bool] = []
    for i, step in enumerate(graph.steps):
        value = trace.values[i] if i < len(trace.values) else None
        whole = isinstance(value, float) and value.is_integer() and value > 1
        out.append(step.is_const or (whole if step.is_leaf else not step.shape and all(out[j] for j in step.inputs)))
    return out


def _gradient(
    graph: Graph, at: int, before: int, inner: Sequence[bool], bound: Collection[int], named: Collection[int]
) -> int:
    """The step that was worked out as the gradient by what is moved by ``at``; -1 if there is none."""
    filled = at in named and write_at(graph.steps, at, graph.steps[at].inputs) is not None
    filled = filled or (at not in bound and _is_chained(graph, at, inner, bound, named))
    filled = filled or graph.steps[at].name.startswith(OF_A_MOVE)
    source = at if filled else _source(graph, at, inner, bound)

    def fits(i: int) -> bool:
        have, held = graph.steps[i].shape, graph.steps[before].shape
        return have == held or broadcasts(have, held)

    if source < 0 and (is_joined(graph.steps[at]) or at in named) and fits(at):
        source = at  # w -= rate*np.array([g0, g1]), w -= rate*dw where a loop has added up dw
    if source >= 0 and not fits(source):
        source = at if at in bound and fits(at) else -1
    return source


def _is_chained(
    graph: Graph, at: int, inner: Sequence[bool], bound: Collection[int], named: Collection[int]
) -> bool:
    """``dloss_dy * dy_dw``: by the chain rule, from what is called a derivative and values of the forward pass."""
    stack, derivatives = [at], 0
    while stack:
        i = stack.pop()
        derivatives += i in named
        if i not in named and i not in bound and sign_of(graph.steps[i].op) == "*":
            stack.extend(graph.steps[i].inputs)
        elif i not in named and not inner[i] and not graph.steps[i].is_const:
            return False
    return derivatives > 1


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


def seeds(subject: Subject) -> list[Fraction]:
    """Other upstream gradients under which the results may be right: what is added to a parameter is meant to be the
    negative gradient, and a learning rate may be a part of it already."""
    out: dict[Fraction, None] = {}
    if any(m.up for m in subject.moves):
        out[Fraction(-1)] = None
    leaves = set(subject.leaves())
    for m in subject.moves:
        ends = ends_of(subject.graph, m.source, lambda j: False)
        for j in ends:
            if subject.graph.steps[j].is_input and j in subject.point and j not in leaves:
                rate = subject.point[j]
                if not subject.graph.steps[j].shape and 0 < rate < 2 and rate != 1:
                    out[-rate if m.up else rate] = None
                    out[rate if m.up else -rate] = None
    return list(out)[:6]
