"""Second derivatives, by their names: ``d2y_dx2`` is held against the derivative of the ``dy_dx`` that was found right.

Of arrays as of numbers, where ``y`` is a function of ``x`` entry by entry: then a second derivative has ``x``'s shape.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

from symgrad.cutting.subject import subject_at
from symgrad.diagnose.deciding.prepared import prepare
from symgrad.diagnose.meaning import functions
from symgrad.diagnose.observing.subject import Subject, Unit
from symgrad.diagnose.text.naming import claims, normal
from symgrad.diagnose.text.seconds import Second, is_first_of, seconds
from symgrad.frontends.trace.data import Trace
from symgrad.graph import Graph
from symgrad.ops import OPS
from symgrad.subjects.upstream import extended

#: By so much an entry is moved to see what else moves.
MOVED = 0.25


def second_results(
    trace: Trace, whole: Subject, unchecked: Sequence[Unit], right: Sequence[Unit]
) -> Iterator[Subject]:
    """What the assignments of second derivatives are held against, one result for each: the first derivatives, which
    are right, with the names that are derivatives of these.

    ``trace`` is the run that these assignments are of, and ``whole`` what it was found to differentiate.
    """
    called = functions.results(trace)
    steps = trace.graph.steps
    # An objective that was made up has steps, and so lines, that are none of the run's.
    firsts = [u for u in right if u.step < len(steps) and not steps[u.step].is_leaf]
    done: set[str] = set()
    for unit in unchecked:
        if unit.name in done:
            continue
        for meant in (*seconds(unit.name), *seconds(called.get(unit.name, ""))):
            tops = {meant.top} | {normal(name) for name, of in called.items() if normal(of) == meant.top}
            asked = [replace(meant, top=top) for top in tops]
            of = [u for u in firsts if any(_is_first(u.name, s, called) for s in asked)]
            subject = _held_against(trace, whole, of[-1], unit.name, meant) if of else None
            if subject is not None:
                done.add(unit.name)
                yield subject
                break


def _is_first(name: str, second: Second, called: dict[str, str]) -> bool:
    return is_first_of(name, second) or (name in called and is_first_of(called[name], second))


def _held_against(trace: Trace, whole: Subject, first: Unit, name: str, meant: Second) -> Subject | None:
    """The first derivative as what is differentiated; ``None`` where it is not sure by what."""
    loss = first.step
    steps = trace.graph.steps
    if steps[loss].shape:
        trace, loss = extended(trace, "sum", (first.step,))
    subject = subject_at(trace, loss, {}, whole.loss if whole.loss < len(steps) else None)
    if subject is None:
        return None
    by = [i for i in subject.leaves() if not meant.then or normal(subject.names.get(i, "")) == meant.then]
    if len(by) != 1 and meant.then == meant.first:
        # d2f beside df: by what the first one is, though there are data besides; d2P_dy2, where y is called y_tm.
        by = [i for i in subject.leaves() if i in _bottoms(whole, first)]
    if len(by) != 1 or (loss != first.step and not _is_entrywise(trace, subject.graph, first.step, by[0])):
        return None
    units = tuple(u for u in subject.units if _belongs(u, name, first, subject))
    return replace(subject, units=units, seed=Fraction(1), mapped={name: (loss, by[0])}, made_up=False)


def _belongs(unit: Unit, name: str, first: Unit, subject: Subject) -> bool:
    """An assignment has a part in the second derivative: it has its name, or one that says of no derivative; and it
    comes before the first derivative is worked out anew, as Newton's method does at the point that it moves to."""
    again = (u.step for u in subject.units if u.name == first.name and u.step > first.step)
    said = any(claims(unit.name)) and unit.name != name
    return not said and unit.step < next(again, len(subject.graph))


def _bottoms(whole: Subject, first: Unit) -> set[int]:
    """The inputs by which a first derivative is that of the main result."""
    prepared = prepare(whole)
    flows = prepared.known.right(prepared.layout.actual(first.step)) if prepared is not None else ()
    return {q.bottom for q in flows if q.kind == "cotangent"}


def _is_entrywise(trace: Trace, graph: Graph, top: int, bottom: int) -> bool:
    """Each entry of one array is a function of the same entry of another: by the operations between them, or, where a
    net takes the entries as rows, by what moves with one of them."""
    forward = graph.ancestors(top)
    depends = graph.dependents(bottom)
    shape = graph.steps[bottom].shape
    inner = [i for i in range(len(graph)) if forward[i] and depends[i] and i != bottom]
    if all(OPS[graph.steps[i].op].elementwise and graph.steps[i].shape == shape for i in inner):
        return True
    if graph.steps[top].shape != shape:
        return False
    import numpy as np

    before, after = np.asarray(trace.values[bottom]), np.array(trace.values[bottom], dtype=np.float64)
    after[(0,) * after.ndim] += MOVED
    moved = _moved(trace, graph, inner, bottom, after)[top]
    held = _moved(trace, graph, inner, bottom, before)[top]
    changed = np.argwhere(held != moved).tolist()
    return bool(changed == [[0] * after.ndim])


def _moved(trace: Trace, graph: Graph, inner: Sequence[int], bottom: int, value: Any) -> dict[int, Any]:
    """What some steps are with another value of an input."""
    import numpy as np

    from symgrad.ops.values import applied

    values = {bottom: value}
    for i in inner:
        step = graph.steps[i]
        inputs = [
            values[j] if j in values else np.asarray(trace.values[j], dtype=np.float64).reshape(graph.steps[j].shape)
            for j in step.inputs
        ]
        values[i] = applied(step.op, inputs, step.shape, step.params)
    return values


__all__ = ["second_results"]
