"""What a name in code with arrays may be short for: ``db`` for the gradient by ``bias``, ``dws[1]`` for ``weights[1]``.

Where letters do not tell, shapes do: a gradient has the shape of what it is the gradient by, and seldom do two
parameters have one shape. Nothing here decides what is right; it says what a wrong value was meant to be.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping, Sequence

from symgrad.diagnose.observing.match import Known
from symgrad.diagnose.observing.replay import Layout
from symgrad.diagnose.observing.subject import Unit
from symgrad.diagnose.text.naming import LOSS_NAMES, claims, is_bare, is_generic, normal, singulars
from symgrad.graph import Step

#: How names of gradients begin or end, beyond those that :func:`claims` reads.
_BEGINNINGS = ("d", "g", "delta", "nabla")


def likely(layout: Layout, known: Known) -> dict[str, tuple[tuple[int, int], ...]]:
    """Names that no step of the forward pass answers to -> the derivative they are likely to hold."""
    subject, truth = layout.subject, layout.truth
    leaves = [
        i for i in truth.leaves
        if i in truth.cotangents and i in subject.names and i not in subject.frozen and not _arrives(subject.names[i])
    ]  # fmt: skip
    called = {normal(name) for name, _ in subject.aliases}
    steps = layout.graph.steps
    # d_i is of i_gate then, and not of inputs.
    computed = {normal(name) for name, i in subject.aliases if steps[i].shape and not steps[i].is_input}
    stems = {stem for name in called for stem, bracket, _ in [name.partition("[")] if bracket}
    taken = _taken(layout, known)
    spelled = {c.bottom for name in {u.name for u in subject.units} for c in claims(name)}
    out: dict[str, tuple[tuple[int, int], ...]] = {}
    for unit in layout.last.values():
        if layout.is_forward(unit.step) or any(c.bottom in called for c in claims(unit.name)):
            continue
        if normal(unit.name) in called and not is_bare(unit.name):
            continue  # gamma, moved: whatever else has its shape, and no gradient yet
        kinds = {q.kind for q in known.right_of(unit.step, layout.actual(unit.step))}
        if "forward" in kinds and kinds <= {"forward", "local"}:
            continue  # a part of the forward pass, read once more: g_i, the input gate
        if any(stem in stems for c in claims(unit.name) for stem in singulars(c.bottom)):
            continue  # dh, of the entries of hs
        free = [i for i in leaves if i not in taken]
        # Beside a dgamma, dg is no gradient by gamma.
        others = [i for i in leaves if normal(subject.names[i]) not in spelled]
        found = abbreviated(unit.name, others, subject.names, computed)
        goes_on = unit.name.isidentifier() and layout.dependents(unit.step)
        if found >= 0 and goes_on and _size(steps[found]) != _size(steps[unit.step]):
            found = -1  # dy, of one round, that goes on: no gradient by all of ys
        if found < 0 and not layout.dependents(unit.step):
            found = numbered(unit.name, leaves, subject.names)
        if found < 0 and not _is_one(unit, leaves, layout, known):
            found = _by_shape(unit, free, layout)
        if found >= 0:
            out[unit.name] = ((subject.loss, found),)
    return out


def _size(step: Step) -> int:
    return math.prod(step.shape)


def _arrives(name: str) -> bool:
    """The gradient that a pass starts with: nobody differentiates by that."""
    return is_bare(name) or any(c.top in LOSS_NAMES for c in claims(name))


def _is_one(unit: Unit, leaves: Collection[int], layout: Layout, known: Known) -> bool:
    """It is the gradient by some input as it stands: ``grad``, by x, where b has the same shape."""
    held = known.right_of(unit.step, layout.actual(unit.step))
    return any(q.kind == "cotangent" and q.bottom in leaves for q in held)


def _taken(layout: Layout, known: Known) -> set[int]:
    """Inputs whose gradients are there, and right."""
    out: set[int] = set()
    for unit in layout.last.values():
        if not layout.is_forward(unit.step):
            out.update(q.bottom for q in known.right_of(unit.step, layout.actual(unit.step)) if q.kind == "cotangent")
    return out


def abbreviated(name: str, leaves: Sequence[int], names: Mapping[int, str], others: Collection[str] = ()) -> int:
    """The one input whose name begins as a claim does: ``b`` of ``bias``, ``ws[1]`` of ``weights[1]``, and ``w[-1]`` of
    the last of them; -1 if none, or if one of the other names begins so too."""
    for claim in claims(name):
        base, _, index = claim.bottom.partition("[")
        for short in dict.fromkeys((base, base.removesuffix("s"))):
            if not short or any(other.startswith(short) for other in others):
                continue
            entries: dict[str, dict[str, int]] = {}
            for i in leaves:
                whole, _, place = normal(names[i]).partition("[")
                if whole.startswith(short):
                    entries.setdefault(whole, {})[place] = i
            found = [places[at] for places in entries.values() if (at := _from_the_start(index, places)) in places]
            if len(found) == 1:
                return found[0]
    return -1


def _from_the_start(index: str, places: Collection[str]) -> str:
    """``0]`` for ``-2]`` of a list of two."""
    return f"{len(places) + int(index[:-1])}]" if re.fullmatch(r"-\d+\]", index) else index


def numbered(name: str, leaves: Sequence[int], names: Mapping[int, str]) -> int:
    """``grad0`` for the gradient by ``theta0``; -1 if there is none, or several. (delta2 is an error of a layer.)"""
    match = re.fullmatch(r"grad(?:ient)?(\d+)", normal(name))
    ends = [i for i in leaves if match and re.fullmatch(rf".*\D{match[1]}", normal(names[i]))]
    return ends[0] if len(ends) == 1 else -1


def _by_shape(unit: Unit, free: Sequence[int], layout: Layout) -> int:
    """The one input of a result's shape whose gradient is not there yet; -1 if there is none, or several."""
    plain = normal(unit.name)
    reads = is_bare(unit.name) or is_generic(unit.name) or plain.startswith(_BEGINNINGS) or "grad" in plain
    steps = layout.graph.steps
    if not reads or layout.dependents(unit.step) or not steps[unit.step].shape:
        return -1
    fitting = [i for i in free if steps[i].shape == steps[unit.step].shape]
    return fitting[0] if len(fitting) == 1 else -1
