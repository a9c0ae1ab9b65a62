"""Other results of a run, for what the derivation has beside the derivatives of the main one."""

from __future__ import annotations

from collections.abc import Sequence

from symgrad.cutting.subject import subject_at
from symgrad.diagnose.meaning.following import ends_of
from symgrad.diagnose.observing.subject import Subject, Unit
from symgrad.diagnose.text.abbreviations import joined as joined_names
from symgrad.diagnose.text.naming import TIMES, claims, dotted, is_some_loss, normal, primitives
from symgrad.frontends.trace.data import Trace
from symgrad.subjects.prepared import prepared
from symgrad.subjects.seconds import second_results
from symgrad.subjects.states import in_full


def names_result(name: str, subject: Subject) -> bool:
    """A name says that it holds a derivative of what is differentiated here: dy_dx of y, f_prime of f, F_xy of F_x."""
    called = {normal(n) for n, step in subject.aliases if step == subject.loss}
    called.add(normal(subject.names.get(subject.loss, "")))
    inputs = {normal(subject.names[i]) for i in subject.leaves() if i in subject.names}
    known = {normal(n) for n, _ in subject.aliases}
    if (claim := joined_names((u.name for u in subject.units), known).get(name)) is not None:
        return claim.top in called
    second = any(top and normal(name) in {top + i for i in inputs} for top in called) or name in subject.mapped
    timed = not TIMES.isdisjoint(inputs) and dotted(name) in called
    return second or timed or bool(called & {*(c.top for c in claims(name)), *primitives(name)})


def still_open(subject: Subject, unchecked: Sequence[Unit], right: Sequence[Unit]) -> tuple[Unit, ...]:
    """Of the assignments that nothing is known about, those that are not made of others that are right."""
    fine = {u.step for u in right}
    named = {u.step for u in subject.units}
    out = []
    for unit in unchecked:
        ends = ends_of(subject.graph, unit.step, named.__contains__)
        steps = subject.graph.steps
        if all(i in fine or steps[i].is_const or (steps[i].is_input and i in named) for i in ends):
            fine.add(unit.step)
        else:
            out.append(unit)
    return tuple(out)


def is_only_of(unit: Unit, other: Subject, subject: Subject) -> bool:
    """An assignment after another loss of arrays is called after what that is made of, and the main one is not: a
    critic's weights, beside the loss of an actor."""
    if unit.step < other.loss or not subject.is_shaped:
        return False
    theirs, ours = _called_after(other), _called_after(subject)
    return any(c.bottom in theirs and c.bottom not in ours for c in claims(unit.name))


def _called_after(subject: Subject) -> set[str]:
    forward = subject.graph.ancestors(subject.loss)
    return {normal(name) for name, i in subject.aliases if i < len(forward) and forward[i]}


def _other_losses(trace: Trace, subject: Subject, unchecked: Sequence[Unit]) -> list[int]:
    """Other losses of the run, each as it was worked out last, before something that nothing is known about."""
    forward, last = subject.graph.ancestors(subject.loss), max(u.step for u in unchecked)
    named = {
        b.name: b.step for b in trace.bindings
        if is_some_loss(b.name.rstrip("0123456789")) and not trace.graph.steps[b.step].is_leaf and b.step < last
    }  # fmt: skip
    return [i for i in named.values() if i >= len(forward) or not forward[i]]


#: So many other results are looked at, for what the main one says nothing about.
MOST_FURTHER = 8


def further(trace: Trace, subject: Subject, unchecked: Sequence[Unit], right: Sequence[Unit]) -> list[Subject]:
    """Other results of the run, whose derivatives the assignments may be that nothing is known about: y in dy_dx beside
    dx_dt, and first derivatives that are right, for the second ones."""
    trace = prepared(trace)  # as the subject was made of it
    steps = trace.graph.steps
    names = {normal(u.name) for u in unchecked}
    named: dict[str, int] = {}
    begun: dict[str, int] = {}
    for b in trace.bindings:
        begun.setdefault(normal(b.name), b.step)
        if not steps[b.step].is_leaf:
            named[normal(b.name)] = b.step
    # In a loop the derivative may come before the value: dp_dx = dp_dx*x + p, p = p*x + c.
    wanted: dict[int, None] = {}
    short = in_full(trace)
    for u in unchecked:
        read = (*claims(u.name), *([short[u.name]] if u.name in short else []))
        stems = [*(c.top for c in read if c.top), *primitives(u.name), dotted(u.name)]
        wanted.update((named[stem], None) for stem in stems if stem in named and begun[stem] < u.step)
    if subject.is_shaped:
        # Only what names ask for, and of these numbers: an array has no one upstream gradient.
        wanted.update((i, None) for i in _other_losses(trace, subject, unchecked))
        wanted = {i: None for i in wanted if not steps[i].shape}
    else:
        first = [u.step for u in right if u.step < len(steps) and not steps[u.step].is_leaf]
        wanted.update((i, None) for i in first[-MOST_FURTHER:])
        # An objective that was made up is no step of the run, and knows only the beginning of it.
        forward = subject.graph.ancestors(subject.loss)
        known = len(forward) if subject.made_up else len(steps)
        wanted.update(
            (b.step, None)
            for b in trace.bindings
            if b.step < known and not forward[b.step] and not steps[b.step].is_leaf and normal(b.name) not in names
        )
    found = [subject_at(trace, i, {}) for i in list(wanted)[:MOST_FURTHER] if i != subject.loss]
    return [*second_results(trace, subject, unchecked, right), *(s for s in found if s is not None)]
