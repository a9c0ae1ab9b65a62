"""``s*(1 - s)*g`` for a softmax: its derivative is no matter of single entries, and that is said by name.

The line is a mistake that was found already. Here it is seen what mistake it is: the value of the line is the upstream
gradient times ``s*(1 - s)``, the diagonal of the Jacobian, and what belongs there is ``s*(g - sum(g*s))``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from symgrad.arrays import evaluate
from symgrad.backward import backward
from symgrad.diagnose.observing.subject import Subject, Unit, sample_points
from symgrad.diagnose.telling.frames import Blame
from symgrad.errors import Span, SymgradError
from symgrad.manual.work import Account
from symgrad.ops.recognise import Softmax, softmaxes

#: How far back from a line what it multiplies may stand.
MOST_STEPS = 24


def named_softmax(taken: Account) -> Account:
    """The account in which the lines that treat a softmax entry by entry are said to."""
    subject, found = taken.subject, taken.diagnosis
    if not found.blames:
        return taken
    forward = subject.graph.ancestors(subject.loss)
    known = [s for s in softmaxes(subject.graph) if all(forward[i] for i in s.outputs)]
    if not known:
        return taken
    told = [_told(b, subject, known) for b in found.blames]
    # Of a list comprehension the same place is meant by each entry.
    once: dict[tuple[int, int, str], Blame] = {(b.span.line, b.span.column, b.mistake): b for b in reversed(told)}
    kept = [b for b in told if once[b.span.line, b.span.column, b.mistake] is b]
    return replace(taken, diagnosis=replace(found, blames=tuple(kept)))


def _told(blame: Blame, subject: Subject, known: list[Softmax]) -> Blame:
    units = [u for u in subject.units if u.line == blame.span.line and not u.augmented]
    # All entries of a list comprehension are one line; at one of them y may be 0.
    for unit in sorted(units, key=lambda u: u.name != blame.step):
        for softmax in known:
            found = _elementwise(unit, softmax, subject)
            if found is not None:
                return _renamed(blame, unit, softmax, found, subject)
    return blame


def _elementwise(unit: Unit, softmax: Softmax, subject: Subject) -> tuple[int, int] | None:
    """The step of the upstream gradient that the line multiplies by s*(1 - s), and which output s is; ``None`` where it
    is another mistake."""
    graph = subject.graph
    shape = graph.steps[unit.step].shape
    if shape != graph.steps[softmax.outputs[0]].shape:
        return None
    candidates = [i for i in _before(unit.step, subject) if graph.steps[i].shape in (shape, ())]
    whole = backward(graph, softmax.inputs)
    point = _near(subject)
    try:
        values = evaluate(graph, point, [unit.step, *softmax.outputs, *candidates])
        rights = evaluate(whole.graph, point, whole.gradients)
    except SymgradError:
        return None
    actual, outputs, held = values[0], values[1 : 1 + len(softmax.outputs)], values[1 + len(softmax.outputs) :]
    for n, s in enumerate(outputs):
        right = np.asarray(rights[n]) * float(subject.seed)
        for i, g in zip(candidates, held, strict=True):
            if _same(actual, s * (1 - s) * g) and not _same(actual, right) and not _scaled(g, right):
                return i, n
    return None


def _same(a: Any, b: Any) -> bool:
    return bool(np.allclose(a, b, rtol=1e-9, atol=0.0)) and bool(np.any(np.asarray(a)))


def _scaled(a: Any, b: Any) -> bool:
    """The same but for a number: the gradient is there already, and a mean is taken later."""
    size = float(np.sum(np.square(a)))
    if np.size(a) < 2 or np.shape(a) != np.shape(b):
        return False  # of two numbers that says nothing
    return size > 0 and _same(np.asarray(a) * (float(np.sum(a * b)) / size), b)


def _before(step: int, subject: Subject) -> Iterator[int]:
    """What a value is made of, the nearest first."""
    seen: dict[int, None] = {}
    queue = list(subject.graph.steps[step].inputs)
    while queue and len(seen) < MOST_STEPS:
        i = queue.pop(0)
        if i not in seen:
            seen[i] = None
            queue.extend(subject.graph.steps[i].inputs)
    return iter(seen)


def _near(subject: Subject) -> Mapping[int, Any]:
    """A point near the user's: at one-hot labels a line may well be right, or 0."""
    point = sample_points(subject, 0.05)[1]
    return {i: v if isinstance(v, np.ndarray) else float(v) for i, v in point.items()}


def _renamed(blame: Blame, unit: Unit, softmax: Softmax, found: tuple[int, int], subject: Subject) -> Blame:
    upstream, n = found
    names: dict[int, str] = {step: name for name, step, time in subject.bound if time <= unit.step}
    named = softmax.outputs[n] in names and upstream in names
    s, g = names.get(softmax.outputs[n], "s"), names.get(upstream, "g")
    z = subject.names.get(softmax.inputs[n], "z")
    edits: tuple[tuple[Span, str], ...] = ()
    rank = len(subject.graph.steps[unit.step].shape)
    if rank:
        along = f", axis={softmax.axis}, keepdims=True" if rank > 1 else ""
        module = "torch" if "torch." in subject.source and "np." not in subject.source else "np"
        fix = f"{s} * ({g} - {module}.sum({g} * {s}{along}))"
        edits = ((unit.span, fix),) if named else ()
    elif "[" not in s or "[" not in g:
        # Numbers with names of their own: what was found to put the line right stays.
        fix, edits = blame.fix, blame.edits
    else:
        stems = [name.split("[", maxsplit=1)[0] for name in (s, g)]
        fix = f"{s} * ({g} - sum({stems[0]}[k] * {stems[1]}[k] for all k))"
    message = (
        f"softmax is taken entry by entry: {s}*(1 - {s}) is only the diagonal of its Jacobian, and every entry of {s} "
        f"depends on every entry of {z}"
    )
    wanted = f"the gradient by {z} should be {fix}" if fix else blame.label
    return replace(
        blame, code="wrong-factor", mistake="softmax-elementwise", message=message, span=unit.span, fix=fix,
        edits=edits, expected=fix or blame.expected, found=f"{s}*(1 - {s})*{g}", factor=f"d{s}/d{z}",
        label=wanted, fix_verified=False,
    )  # fmt: skip
