"""What is diagnosed where one step of a run is differentiated.

What was detached, what belongs to an earlier round of training and what only compares by differences is left out.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction

from symgrad.cutting.epochs import Epoch, cut_at, last_epoch
from symgrad.cutting.sorting import Sorting
from symgrad.cutting.still import point_of, still, with_one_step, with_whole_powers
from symgrad.diagnose.meaning import differences, functions
from symgrad.diagnose.meaning.moves import done_at, stems_of
from symgrad.diagnose.meaning.moves import moves as moves_of
from symgrad.diagnose.observing.subject import Move, Subject, Unit
from symgrad.diagnose.text.naming import claims, normal
from symgrad.diagnose.text.source import source_map
from symgrad.errors import SymgradError, did_you_mean
from symgrad.frontends.trace.data import Binding, Trace
from symgrad.graph import CONST, INPUT, Graph
from symgrad.ops import is_sum
from symgrad.ops.base import COPY

#: How an item of a dictionary is read.
_ITEM = re.compile(r'[\w.]+\["\w+"\]')


def subject_at(
    trace: Trace, loss: int, mapping: Mapping[str, str], beside: int | None = None
) -> Subject | None:
    """What is diagnosed where a step of the run is differentiated; ``None`` where an input has no finite value.

    Args:
        mapping: of names, what they hold the gradient of, by its name.
        beside: the step whose round of training it belongs to, where it is what moves the parameters itself.

    Raises:
        SymgradError: there is no such name.
    """
    epoch = last_epoch(trace, loss if beside is None else beside)
    base = _cut(trace, loss, epoch)
    graph = with_whole_powers(trace, with_one_step(trace, Graph(base.steps, loss, base.source)))
    point = point_of(trace, graph)
    if point is None:
        return None
    forward = graph.ancestors(loss)
    h = differences.step_size(trace, loss)
    moves = moves_of(trace, graph, forward)
    bindings = _with_moves(trace, moves)
    unnamed = {m.source for m in moves} - {b.step for b in trace.bindings}
    moved = {m.bottom for m in moves}
    sorting = Sorting(trace, graph, forward, epoch, h, done_at(trace, loss, forward), unnamed, mapping, moved)
    for b in bindings:
        sorting.take(b)
    names, aliases, units = sorting.names, sorting.aliases, sorting.units
    for i, name in read_as(graph, forward, names).items():
        names[i] = name
        aliases.insert(0, (name, i))
    autograd = {g.step: g.target for g in trace.grad_reads}
    mapped = {n: (loss, _named_step(aliases, target)) for n, target in mapping.items()}
    mapped = _returned(trace, forward, loss) | mapped
    seed = _seed(trace, units, names.get(loss, ""), forward)
    return Subject(
        graph, point, names, tuple(aliases), tuple(units), base.source, autograd, mapped, trace.callers, seed,
        guessed=differences.beside_quotients(trace, loss, h) if h >= 0 else {}, moves=moves,
        called=functions.called(trace),
        frozen=still(trace, graph, point, units, moves, names), bound=_bound(trace.bindings),
        left_out=tuple(sorting.left_out), later=frozenset(sorting.later),
        outside={u.name: sorting.outside for u in units if u.name not in sorting.inside} if sorting.inside else {},
    )  # fmt: skip


def _cut(trace: Trace, loss: int, epoch: Epoch | None) -> Graph:
    """The graph in which what was detached, and is a part of the loss, is a number of its own."""
    graph = Graph(trace.graph.steps, loss, trace.graph.source)
    if epoch is not None:
        graph = cut_at(graph, epoch)
    needed = graph.ancestors(loss)
    cuts = {i for i in trace.cuts if needed[i]}
    steps = [replace(s, op=INPUT, inputs=()) if i in cuts else s for i, s in enumerate(graph.steps)]
    h = differences.step_size(trace, loss)
    if h >= 0:
        # f(x + h) and f(x - h) of a difference quotient, where f(x) itself is nowhere: there h is nothing.
        steps[h] = replace(steps[h], op=CONST, params=(("value", Fraction(0)),))
        for i, step in enumerate(steps):
            others = [j for j in step.inputs if j != h]
            two = len(step.inputs) == 2 and is_sum(step.op)
            if two and len(others) == 1 and step.inputs[0] != h:
                steps[i] = replace(step, op=COPY, inputs=(others[0],))  # x + h is x
    return Graph(tuple(steps), loss, graph.source)


def _with_moves(trace: Trace, moves: Sequence[Move]) -> Sequence[Binding]:
    """The assignments of a run, and among them what moves a parameter without having a name: w1 += x*delta."""
    bound = {b.step for b in trace.bindings}
    unnamed = {m.source: m for m in moves if m.source not in bound and trace.graph.steps[m.source].span is not None}
    if not unnamed:
        return trace.bindings
    out: list[Binding] = []
    waiting = sorted(unnamed)
    for b in trace.bindings:
        # An objective that was made up is a late step, and comes before the derivation: it moves nothing.
        moved = [i for i in waiting if i < b.step and unnamed[i].name in stems_of(b.name)]
        for step in [i for i in waiting if i <= moved[-1]] if moved else []:
            waiting.remove(step)
            span = trace.graph.steps[step].span
            assert span is not None  # those without were left out
            out.append(Binding(f"update of {unnamed[step].name}", step, span, span.line, b.scope, b.order))
        out.append(b)
    return out


def _bound(bindings: Sequence[Binding]) -> tuple[tuple[str, int, int], ...]:
    """What each name is, and after which step it is."""
    out: list[tuple[str, int, int]] = []
    time = -1
    for b in bindings:
        time = max(time, b.step)
        out.append((b.name, b.step, time))
    return tuple(out)


def read_as(graph: Graph, forward: Sequence[bool], names: Mapping[int, str]) -> dict[int, str]:
    """Arrays that were put straight into a dictionary, by how they are read: ``params["W1"]``."""
    nameless = {i for i, s in enumerate(graph.steps) if s.is_input and s.shape and forward[i] and i not in names}
    if not nameless:
        return {}
    source = source_map(graph.source)
    out: dict[int, str] = {}
    for i, step in enumerate(graph.steps):
        for slot, j in enumerate(step.inputs):
            if j in nameless and j not in out and forward[i]:
                where = source.operand(step.span, slot)
                text = source.text(where).replace("'", '"') if where is not None else ""
                if _ITEM.fullmatch(text):
                    out[j] = text
    return out


def _seed(trace: Trace, units: Sequence[Unit], loss: str, forward: Sequence[bool]) -> Fraction:
    """The upstream gradient of the result, where the user gives it as a number: dy = 2.0."""
    leaves = {leaf.step for leaf in trace.leaves if leaf.literal}
    times = Counter(u.name for u in units)
    for unit in units:
        if loss and any(c.top == normal(loss) for c in claims(unit.name)):
            break  # dy_dw, worked out before: then dy = 2.0 is no gradient that arrives at y
        value = trace.values[unit.step]
        if (
            loss
            and unit.step in leaves
            and isinstance(value, float)
            and times[unit.name] == 1
            and not forward[unit.step]
            and any(not c.top and c.bottom == normal(loss) for c in claims(unit.name))
        ):
            return Fraction(value) if value else Fraction(1)
    return Fraction(1)


def _returned(trace: Trace, forward: Sequence[bool], loss: int) -> dict[str, tuple[int, int]]:
    """What Functions of torch's returned: of which value it is the gradient is known, where that is one only."""
    of: dict[str, set[int]] = {}
    for name, i in trace.returned:
        if i < len(forward) and forward[i]:
            of.setdefault(name, set()).add(i)
    return {name: (loss, min(steps)) for name, steps in of.items() if len(steps) == 1}


def _named_step(aliases: Sequence[tuple[str, int]], target: str) -> int:
    found = [step for name, step in aliases if name == target]
    if not found:
        known = [name for name, _ in aliases]
        raise SymgradError(f"--map: the forward pass has no step '{target}'{did_you_mean(target, known)}")
    return found[-1]
