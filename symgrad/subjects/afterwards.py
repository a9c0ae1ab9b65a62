"""Losses that a script computes when it has moved its parameters: ``w -= lr*dw; history.append(cost(w))``.

Such a loss is that of the next round's derivatives, if there is a next round; after the last one it has none. But it is
a function of the parameters: what it would have been before they were moved is what the round's derivatives are of.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

from symgrad.diagnose.meaning.following import original
from symgrad.diagnose.text.naming import claims, is_bare, is_loss, is_surely_loss, list_of, normal
from symgrad.frontends.trace.data import Binding, Trace
from symgrad.graph import INPUT, Graph, Step
from symgrad.ops import sign_of
from symgrad.ops.writing import INDEX
from symgrad.subjects.upstream import grown


@dataclass(frozen=True, slots=True)
class Move:
    """A parameter is given another value, which was made of its ``old`` one by a derivative; ``begun`` is the number of
    the assignment that gave it the old one."""

    name: str
    old: int
    new: int
    begun: int
    order: int


@dataclass(frozen=True, slots=True)
class _Late:
    """A loss that is computed from moved parameters.

    Attributes:
        loss: the assignment of it.
        used: step of a moved parameter, as the loss reads it -> its step before the last move.
        moves: the last of every parameter.
    """

    loss: Binding
    used: dict[int, int]
    moves: tuple[Move, ...]


def brought_back(trace: Trace) -> Trace:
    """The run, with a loss that is only computed after each move computed before the last one as well, and without the
    rounds before that; the same run where the loss comes first. A late loss of other data, that of a whole epoch after
    moves for one sample each, is what no derivative here is of: the run without it."""
    late = _late(trace)
    if late is None:
        return _until_the_last_move(trace)
    if _is_of_the_same_data(trace, late):
        return _computed_before(trace, late)
    steps, first, called = trace.graph.steps, min(m.order for m in moves_of(trace)), list_of(late.loss.name)
    early = any(list_of(b.name) == called and not steps[b.step].is_leaf and b.order < first for b in trace.bindings)
    return trace if early else _first_round(_without(trace, late))


def _until_the_last_move(trace: Trace) -> Trace:
    """The run without a loss that is worked out once more when all parameters have been moved, and that no derivative
    follows: ``cost2``, beside ``cost1``."""
    steps = trace.graph.steps
    costs = [b for b in trace.bindings if is_surely_loss(b.name) and not steps[b.step].is_leaf]
    moves = moves_of(trace) if costs and not trace.backward_calls else []
    if not moves:
        return trace
    first, end = min(m.order for m in moves), max(m.order for m in moves)
    early = {(b.name, b.line) for b in costs if b.order < first}
    again = any(b.order > end and (b.name, b.line) in early for b in costs)
    names = {normal(m.name) for m in moves}
    follows = any(b.order > end and _derives(b, steps, names) for b in trace.bindings) if again else True
    return trace if follows else replace(trace, bindings=trace.bindings[: end + 1])


def _derives(b: Binding, steps: Sequence[Step], parameters: Collection[str]) -> bool:
    """It is worked out, and called a derivative by a parameter."""
    named = is_bare(b.name) or any(c.bottom in parameters for c in claims(b.name))
    return named and not steps[b.step].is_leaf and not is_loss(b.name)


def _late(trace: Trace) -> _Late | None:
    steps = trace.graph.steps
    losses: dict[str, list[Binding]] = {}
    for b in trace.bindings:
        if is_loss(b.name) and not steps[b.step].is_leaf and isinstance(trace.values[b.step], float):
            losses.setdefault(list_of(b.name), []).append(b)
    if not losses or trace.backward_calls:
        return None
    moves = moves_of(trace)
    if not moves:
        return None
    # An error may be that of one sample, and c is a parameter of y = m*x + c: a cost is what all is done for.
    surely = [name for name, mine in losses.items() if is_surely_loss(mine[0].name) or adds_up_a_loss(mine[0])]
    # total / n, before the total that it is made of.
    surely.sort(key=lambda name: -losses[name][-1].step)
    found = (_late_one(trace, losses[name], moves) for name in surely)
    return next((late for late in found if late is not None), None)


def adds_up_a_loss(b: Binding) -> bool:
    """The ``total`` that a function nll adds up."""
    return is_surely_loss(b.scope.split("#", maxsplit=1)[0].rpartition(".")[2])


def _late_one(trace: Trace, losses: Sequence[Binding], moves: Sequence[Move]) -> _Late | None:
    """The last value of a loss, if it comes after the parameters were moved, and no round computes it first."""
    steps = trace.graph.steps
    last = {m.name: m for m in moves}
    moving = {normal(name) for name in last}
    since = min(m.old for m in last.values())
    begun = min((r.begun for r in trace.rounds if r.start > since), default=0)  # the loop that the last round is of

    def derives(b: Binding) -> bool:
        return _derives(b, steps, moving)

    loss = losses[-1]
    first = min(m.order for m in moves)
    first = min([first, *(b.order for b in trace.bindings if b.step >= begun and derives(b))])
    if any(b.step >= begun and b.order < first for b in losses):
        return None  # each round computes it first
    end = max([loss.order, *(m.order for m in last.values())])
    needed = Graph(steps, loss.step, trace.graph.source).ancestors(loss.step)
    if any(b.order > end and derives(b) and not needed[b.step] for b in trace.bindings):
        return None  # this is what the derivation after it is of
    used: dict[int, int] = {}
    for m in moves:
        if m.order < loss.order and needed[m.new]:
            used[m.new] = last[m.name].old
    return _Late(loss, used, tuple(last.values())) if used else None


def moves_of(trace: Trace) -> list[Move]:
    """``w -= rate*dw``, ``w = w - rate*grad``; in a loop that trains ``w -= rate*(x.T @ e)`` as well. ``net.w`` is what
    its class calls ``self.w``."""
    graph, steps = trace.graph, trace.graph.steps
    held: dict[str, tuple[int, int]] = {}
    known: set[str] = set()
    evidence = _Evidence(trace)
    out: list[Move] = []
    sure = False
    for b in trace.bindings:
        step = original(graph, b.step)
        old, begun = held.get(b.name) or held.get(f"self.{b.name.rpartition('.')[2]}", (-1, -1))
        if step != old:
            held[b.name] = (step, b.order)
            known.add(normal(b.name))
        evidence.take(b, step)
        if old < 0 or steps[step].is_leaf or is_loss(b.name) or any(c.bottom in known for c in claims(b.name)):
            continue  # g_mu += ... adds up the gradient by mu
        sign = sign_of(steps[step].op)
        inputs = [original(graph, j) for j in steps[step].inputs]
        if sign not in ("+", "-") or old not in inputs or (sign == "-" and inputs[0] != old):
            continue
        is_move, of_a_loss = evidence.of(b, old, step, inputs[1] if inputs[0] == old else inputs[0])
        if is_move:
            sure |= of_a_loss or sign == "-"
            out.append(Move(b.name, old, step, begun, b.order))
    return out if sure else []  # x += dt*dx alone is a state that is carried on


class _Evidence:
    """What tells that a value is given another one by a derivative."""

    def __init__(self, trace: Trace) -> None:
        self._trace = trace
        self._looped = min((r.begun for r in trace.rounds), default=len(trace.graph.steps))
        #: Of a name, the steps that are called the derivative by it; of the empty one, all that are called derivatives.
        self._derived: dict[str, list[int]] = {}
        #: Of a name and its line: in every round it is the same.
        self._known: dict[tuple[str, int], tuple[bool, bool]] = {}

    def take(self, b: Binding, step: int) -> None:
        """One more assignment, in their order."""
        found = claims(b.name)
        if not self._trace.graph.steps[step].is_leaf and (found or is_bare(b.name)):
            for name in {"", *(c.bottom for c in found)}:
                self._derived.setdefault(name, []).append(step)

    def of(self, b: Binding, old: int, step: int, by: int) -> tuple[bool, bool]:
        """Whether an assignment moves a parameter, and whether by what is plainly the gradient of a loss."""
        key = (b.name, b.line)
        if key not in self._known:
            graph = self._trace.graph
            made_of = Graph(graph.steps, by, graph.source).ancestors(by)
            told = any(made_of[i] for i in self._derived.get(normal(b.name), ()) if i > old)
            bare = any(made_of[i] and i > old and self._is_told(i) for i in self._derived.get("", ()))
            # What is taken away in a loop, and made of the parameter: no count.
            plain = sign_of(graph.steps[step].op) == "-" and self._looped <= step and _has_number(self._trace, by)
            self._known[key] = (told or bare or (plain and graph.dependents(old)[by]), bare)
        return self._known[key]

    def _is_told(self, step: int) -> bool:
        """It is called a gradient, or says itself that it is one of a loss: dj_dw."""
        names = [b.name for b in self._trace.bindings if original(self._trace.graph, b.step) == step]
        return any(is_bare(n) or any(c.top and is_loss(c.top) for c in claims(n)) for n in names)


def _has_number(trace: Trace, step: int) -> bool:
    """It is a product with a number in it: a rate."""
    steps = trace.graph.steps
    return sign_of(steps[step].op) in ("*", "/") and any(not steps[j].shape for j in steps[step].inputs)


def _is_of_the_same_data(trace: Trace, late: _Late) -> bool:
    """What the loss reads beside the parameters, the last derivatives read as well: they are no samples of another
    epoch, and of no other set."""
    graph, steps = trace.graph, trace.graph.steps
    start = max(m.old for m in late.moves)
    end = max(m.new for m in late.moves)
    moved = _copied(graph, late)
    read: set[int] = set()
    whole: set[int] = set()
    picked: set[tuple[object, ...]] = set()
    made_of = graph.ancestors(*(m.new for m in late.moves))
    for i in range(start + 1, end + 1):
        if made_of[i]:
            read.update(steps[i].inputs)
            picked.add((steps[i].op, steps[i].params, steps[i].inputs))
            if steps[i].op != INDEX:
                whole.update(original(graph, j) for j in steps[i].inputs)

    def is_known(j: int) -> bool:
        j = original(graph, j)
        step = steps[j]
        if step.is_leaf:
            # A penalty's weight may well have been forgotten in the derivatives.
            return j in read or j in whole or step.is_const or j > end or not (step.shape or "[" in step.name)
        if j in read or j in late.used or (step.op, step.params, step.inputs) in picked:
            return True
        if step.op == INDEX:
            return original(graph, step.inputs[0]) in whole
        return all(is_known(k) for k in step.inputs)

    return all(is_known(j) for i in moved for j in steps[i].inputs if j not in moved and j not in late.used)


def _copied(graph: Graph, late: _Late) -> list[int]:
    """The steps of the loss that are made of the moved parameters."""
    needed = graph.ancestors(late.loss.step)
    made: set[int] = set()
    out = []
    for i in range(min(late.used) + 1, late.loss.step + 1):
        if needed[i] and i not in late.used and any(j in late.used or j in made for j in graph.steps[i].inputs):
            made.add(i)
            out.append(i)
    # What led from one parameter's move to another's is no part of it.
    live = {late.loss.step}
    for i in reversed(out):
        if i in live:
            live.update(graph.steps[i].inputs)
    return [i for i in out if i in live]


def _without(trace: Trace, late: _Late) -> Trace:
    """The run without the names of a late loss, and of what only that is made of."""
    steps = trace.graph.steps
    lost = [b.step for b in trace.bindings if list_of(b.name) == list_of(late.loss.name)]
    apart = Graph(steps, lost[-1], trace.graph.source).ancestors(*lost)
    given = Graph(steps, lost[-1], trace.graph.source).ancestors(*(m.new for m in late.moves))
    kept = [b for b in trace.bindings if given[b.step] or not apart[b.step] or steps[b.step].is_leaf]
    return replace(trace, bindings=tuple(replace(b, order=n) for n, b in enumerate(kept)))


def _first_round(trace: Trace) -> Trace:
    """A run without a loss until every parameter has been moved once: what is made of all rounds is a long chain, of
    which nothing is the derivative."""
    if any(is_surely_loss(b.name) and not trace.graph.steps[b.step].is_leaf for b in trace.bindings):
        return trace
    first: dict[str, int] = {}
    for m in moves_of(trace):
        first.setdefault(m.name, m.order)
    end = max(first.values(), default=len(trace.bindings))
    return replace(trace, bindings=trace.bindings[: end + 1])


def _computed_before(trace: Trace, late: _Late) -> Trace:
    """The run from what enters the last round on, in which the loss is computed first: its steps stand at the end, and
    its assignments come before those of the round."""
    graph = trace.graph
    olds = {m.old for m in late.moves}
    start = max(olds)
    round_ = _round(trace, late, start)
    start = max(start, round_ - 1)
    entering = {
        j for i in range(start + 1, max(m.new for m in late.moves) + 1) for j in graph.steps[i].inputs
        if j in olds or (round_ > 0 and _begun(trace) <= j <= start)
    }  # fmt: skip
    steps = [
        replace(s, op=INPUT, inputs=(), params=()) if i in entering and not s.is_leaf else s
        for i, s in enumerate(graph.steps)
    ]
    # b, m = step(b, m): the round reads what it was given under other names.
    read = {original(graph, j): j for j in sorted(entering)}
    place = {new: read.get(old, old) for new, old in late.used.items()}
    for i in _copied(graph, late):
        step = graph.steps[i]
        place[i] = len(steps)
        steps.append(replace(step, inputs=tuple(place.get(j, j) for j in step.inputs)))
    base = Graph(tuple(steps[: len(graph.steps)]), graph.output, graph.source)
    made = grown(replace(trace, graph=base), steps)
    callers = {place[i]: span for i, span in trace.callers.items() if i in place and i not in late.used}
    bindings = _bindings(trace, late, place, start, entering)
    return replace(
        made, rounds=(), callers={**trace.callers, **callers},
        bindings=tuple(replace(b, order=n) for n, b in enumerate(bindings)),
    )  # fmt: skip


def _round(trace: Trace, late: _Late, start: int) -> int:
    """Where the last round begins of the loop that the moves are made in; 0 where that is not known. What began since
    the parameters had their values is a loop within it, over samples."""
    before = [r for r in trace.rounds if r.start <= min(m.new for m in late.moves)]
    return min((r.start for r in before if r.begun <= start < r.start), default=0)


def _is_older(b: Binding, trace: Trace) -> bool:
    """It was there before any round; of a loop whose rounds are not known, what is no derivative."""
    return b.step < _begun(trace) if trace.rounds else not any(claims(b.name))


def _begun(trace: Trace) -> int:
    return min((r.begun for r in trace.rounds), default=0)


def _bindings(
    trace: Trace, late: _Late, place: dict[int, int], start: int, entering: set[int]
) -> list[Binding]:
    """The assignments before the last round, those of the loss, and those of the round itself."""
    first = _from(trace, late, lambda b: b.step > start)
    end = max(m.order for m in late.moves)
    moved, names = {m.new for m in moves_of(trace)}, {m.name for m in late.moves}
    earlier = trace.graph.ancestors(*(b.step for b in trace.bindings if is_loss(b.name) and b.order < end))
    given = trace.graph.ancestors(*(m.new for m in late.moves))
    before = [
        b for b in trace.bindings[:first]
        if b.step in entering
        or (b.name not in names and original(trace.graph, b.step) not in moved and _is_older(b, trace))
    ]  # fmt: skip
    loss = [
        replace(b, step=place[b.step]) for b in trace.bindings
        if b.step in place and b.step not in late.used and b.order <= late.loss.order
    ]  # fmt: skip
    own = [b for b in trace.bindings[first : end + 1] if given[b.step] or not earlier[b.step]]
    return [*before, *loss, *own]


def _from(trace: Trace, late: _Late, is_own: Callable[[Binding], bool]) -> int:
    """The number of the first assignment of the last round."""
    since = max(m.begun for m in late.moves)
    return next((n for n, b in enumerate(trace.bindings) if b.order > since and is_own(b)), len(trace.bindings))


