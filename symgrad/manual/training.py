"""What a script that trains moves, and what it takes from what: the parameters, their derivatives, and differences of
what they give and what they do not."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np

from symgrad.diagnose.meaning.following import original
from symgrad.diagnose.meaning.likely import abbreviated
from symgrad.diagnose.text.naming import claims, is_bare, normal
from symgrad.frontends.trace.data import Binding, Trace
from symgrad.graph import Graph, Step
from symgrad.ops import OPS, is_sum, sign_of
from symgrad.ops.recognise import softmaxes
from symgrad.ops.writing import write_at
from symgrad.subjects.afterwards import moves_of

#: So many steps after a part of a sum the sum itself is looked for.
NEAR = 100
#: So many values are followed through a run at once.
AT_ONCE = 512


def trained(trace: Trace) -> set[str]:
    """The names of parameters: what is given other values that come of its first, and of something that is called a
    derivative."""
    moved = set(_moved(trace).values())
    if not moved:
        return set()
    names = {normal(b.name) for b in trace.bindings}
    called: dict[int, set[str]] = {}
    for b in trace.bindings:
        if _is_derivative(b, trace, names):
            called.setdefault(b.step, set()).add(b.name)
    #: Of what each step is made: what is called a derivative, of which two tell whether there is another than one.
    behind: list[tuple[str, ...]] = []
    for i, step in enumerate(trace.graph.steps):
        some = dict.fromkeys(name for j in step.inputs for name in behind[j])
        some.update(dict.fromkeys(sorted(called.get(i, ()))))
        behind.append(tuple(some)[:2])
    return {b.name for b in trace.bindings if b.step in moved and any(name != b.name for name in behind[b.step])}


def _is_derivative(b: Binding, trace: Trace, names: set[str]) -> bool:
    """Something is computed, and called a derivative of the loss by something that there is. ``for d, r in zip(doses,
    responses)`` computes no d."""
    if trace.graph.steps[original(trace.graph, b.step)].is_leaf:
        return False
    return is_called_derivative(b.name, names)


def is_called_derivative(name: str, names: Collection[str]) -> bool:
    """A name says that it holds the derivative by one of some names."""
    return is_bare(name) or any(c.bottom in names and not c.top for c in claims(name))


def differences_of(trace: Trace) -> list[int]:
    """``y_pred - y``: the first place that subtracts what does not depend on the parameters, or from it; in all rounds
    before the first parameter is moved."""
    steps = trace.graph.steps
    moved = parameters_of(trace)
    reached = [False] * len(steps)
    found: list[int] = []
    for i, step in enumerate(steps):
        reached[i] = i in moved or any(reached[j] for j in step.inputs)
        if reached[i] and len(step.inputs) == 2 and sign_of(step.op) == "-" and step.span is not None:
            one, other = (reached[j] for j in step.inputs)
            plain = next(j for j in step.inputs if not reached[j]) if one != other else -1
            if plain >= 0 and not (steps[plain].is_const and not steps[plain].shape):
                found.append(i)
    if not found:
        return []
    found = [_whole_sum(i, steps) for i in found]
    # What is added up from zero is moved as well, and no difference knows of it.
    needed = Graph(steps, found[0], trace.graph.source).ancestors(found[0])
    end = min(step for leaf, step in moved.items() if needed[leaf])
    return [i for i in found if i < end and steps[i].span == steps[found[0]].span]


def picked_of(trace: Trace) -> list[int]:
    """``delta = probs; delta[range(n), y] -= 1``: the steps that take 1 from what a softmax gives for the labels, in
    all rounds before the first parameter is moved."""
    steps = trace.graph.steps
    moved = parameters_of(trace)
    given = {i for s in softmaxes(trace.graph) for i in s.outputs} if moved else set()
    for i, step in enumerate(steps):
        # o[t] = softmax(z): rows of them.
        row = write_at(steps, i, step.inputs) if given else None
        if row is not None and row.value in given and not row.adds:
            given.update([i] if row.array in given or _is_empty(row.array, trace) else [])
    # A state that a loop writes into is moved as well, and no parameter.
    end = min([m.new for m in moves_of(trace)] or moved.values(), default=-1)
    found = []
    for i, step in enumerate(steps):
        write = write_at(steps, i, step.inputs) if step.span is not None and i < end else None
        value = steps[write.value] if write is not None else step
        if write is None or write.adds or sign_of(value.op) != "-" or write.array not in given:
            continue
        read, one = value.inputs
        if steps[read].inputs[:1] == (write.array,) and steps[one].is_const and steps[one].value == 1:
            found.append(write.value)
    return [i for i in found if steps[i].span == steps[found[0]].span]


def _is_empty(i: int, trace: Trace) -> bool:
    """Zeros, to be written into."""
    return trace.graph.steps[i].is_leaf and not np.any(np.asarray(trace.values[i]))


def _whole_sum(i: int, steps: Sequence[Step]) -> int:
    """``y - m*x - c`` where ``y - m*x`` is a part of it, written in one."""
    while True:
        users = [k for k in range(i + 1, min(i + NEAR, len(steps))) if i in steps[k].inputs]
        span, outer = steps[i].span, steps[users[0]].span if len(users) == 1 else None
        if span is None or outer is None or not is_sum(steps[users[0]].op):
            return i
        if outer.line != span.line or not outer.column <= span.column or not span.end_column <= outer.end_column:
            return i
        i = users[0]


def first_epoch(trace: Trace) -> Trace:
    """The run until every parameter has been moved once: all rounds of training are alike."""
    evident: dict[str, int] = {}
    for m in moves_of(trace):
        evident.setdefault(m.name, m.new)
    moves = set((evident or _moved(trace)).values())
    if not moves:
        return trace
    # The next round reads it under other names.
    first = {b.step: n for n, b in reversed(list(enumerate(trace.bindings))) if b.step in moves}
    last = max(first.values(), default=-1)
    kept = trace.bindings[: last + 1]
    return replace(trace.until(max((b.step for b in kept), default=-1) + 1), bindings=kept)


def parameters_of(trace: Trace) -> dict[int, int]:
    """What is moved, and where that begins; what derivatives are called after, and is not moved: never."""
    # Labels that are written into zeros are moved as well, where nothing tells what trains.
    evident = {m.old: m.new for m in reversed(moves_of(trace)) if trace.graph.steps[m.old].is_input}
    return dict.fromkeys(claimed(trace), len(trace.graph)) | (evident or _moved(trace))


def claimed(trace: Trace) -> set[int]:
    """Inputs that something is called the gradient by: ``weights[0]`` where there is ``nabla_w[-2]``."""
    steps = trace.graph.steps
    names = {f.step: f.name for f in trace.leaves if steps[f.step].is_input}
    called = {normal(name): i for i, name in names.items()}
    found = set()
    for name in {b.name for b in trace.bindings if not steps[b.step].is_leaf}:
        exact = [called[c.bottom] for c in claims(name) if not c.top and c.bottom in called]
        found.update(exact or [abbreviated(name, list(names), names)])
    return found - {-1}


def _moved(trace: Trace) -> dict[int, int]:
    """Inputs from which something is taken away, or to which something is added, under their own names -> the step at
    which that begins. What is made of a name's value otherwise is the state of a forward pass: ``a = tanh(w @ a)``."""
    steps = trace.graph.steps
    starts: dict[str, int] = {}
    later: dict[str, list[int]] = {}
    for b in trace.bindings:
        if steps[b.step].is_input:
            starts.setdefault(b.name, b.step)
        elif b.name in starts and _is_a_move(b.step, steps):
            later.setdefault(b.name, []).append(b.step)
    moved: dict[str, int] = {}
    names = list(later)
    for some in (names[k : k + AT_ONCE] for k in range(0, len(names), AT_ONCE)):
        reached = _reached(steps, [starts[name] for name in some])
        for bit, name in enumerate(some):
            step = next((i for i in later[name] if reached[i] >> bit & 1), None)
            if step is not None:
                moved[name] = step
    return {starts[name]: moved[name] for name in sorted(moved, key=moved.__getitem__)}


def _reached(steps: Sequence[Step], sources: Sequence[int]) -> list[int]:
    """For each step, which of some others it is made of: one bit for each."""
    out = [0] * len(steps)
    for bit, i in enumerate(sources):
        out[i] |= 1 << bit
    for i, step in enumerate(steps):
        for j in step.inputs:
            out[i] |= out[j]
    return out


def _is_a_move(i: int, steps: Sequence[Step]) -> bool:
    """A sum, a difference, or what was written into."""
    while not steps[i].is_leaf and OPS[steps[i].op].renames:
        i = steps[i].inputs[0]
    if steps[i].is_leaf:
        return False  # handed to a function, under the same name
    return is_sum(steps[i].op) or write_at(steps, i, steps[i].inputs) is not None


__all__ = ["claimed", "differences_of", "first_epoch", "is_called_derivative", "parameters_of", "picked_of", "trained"]
