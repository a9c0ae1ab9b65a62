"""Parameters that are moved by formulas: ``w2[j] -= lr*d_o*h[j]``, where no line holds the gradient by itself.

What is taken off is a learning rate, which the forward pass knows nothing of, times a gradient. Where it is that for
some of the parameters, it is meant to be that for the others as well.
"""

from __future__ import annotations

from symgrad.diagnose.meaning.following import sign_of
from symgrad.diagnose.meaning.reading import Reading
from symgrad.diagnose.observing.replay import Layout
from symgrad.diagnose.observing.subject import BITS, Unit
from symgrad.diagnose.observing.truth import Quantity
from symgrad.diagnose.values.vectors import Vec
from symgrad.enclosure import precision

#: One in so many lines must be right as it stands.
SHARE = 3


def strides(layout: Layout, reading: Reading) -> dict[int, Quantity]:
    """For each assignment that moves a parameter by such a formula, what the parameter should be then."""
    subject = layout.subject
    if subject.is_shaped or not any(u.augmented in ("-=", "+=") for u in subject.units):
        return {}
    named = dict(reversed(subject.aliases))
    ends: list[tuple[Unit, tuple[Vec, Vec]]] = []
    with precision(BITS):
        for unit in subject.units:
            before = named.get(unit.name, -1)
            cotangent = layout.truth.cotangents.get(before)
            rate = _rate(unit, before, layout, reading) if cotangent is not None else None
            if rate is not None and cotangent is not None and not cotangent.is_zero:
                step = rate * cotangent
                ends.append((unit, (layout.actual(before) - step, layout.actual(before) + step)))
        lines = {unit.line for unit, _ in ends}
        # All go down, or all go up: what is wanted may be as large as possible.
        right = [{u.line for u, to in ends if layout.actual(u.step).same(to[n])} for n in (0, 1)]
    if len(right[0]) == len(right[1]):
        return {}  # which of them are wrong nobody can tell
    way = 0 if len(right[0]) > len(right[1]) else 1
    if not right[way] or len(right[way]) * SHARE < len(lines):
        return {}
    return {unit.step: Quantity("helper", -1, -1, to[way]) for unit, to in ends}


def _rate(unit: Unit, before: int, layout: Layout, reading: Reading) -> Vec | None:
    """What a gradient is multiplied by; ``None`` where the parameter is moved by something else."""
    steps = layout.graph.steps
    row = steps[unit.step]
    if unit.augmented not in ("-=", "+=") or sign_of(row.op) not in ("+", "-") or len(row.inputs) != 2:
        return None
    if not steps[before].is_input or layout.original(row.inputs[0]) != before:
        return None
    rate: Vec | None = None
    derivative = False
    stack = [row.inputs[1]]
    while stack:
        i = stack.pop()
        step, sign = steps[i], sign_of(steps[i].op)
        if step.is_input and not layout.is_forward(i):
            rate = layout.actual(i) if rate is None else rate * layout.actual(i)
        elif not layout.is_forward(i) and not _is_named(i, layout) and sign == "*":
            stack.extend(step.inputs)
        elif not layout.is_forward(i) and not _is_named(i, layout) and (sign == "/" or len(step.inputs) == 1):
            stack.append(step.inputs[0])
        else:
            derivative = derivative or _is_named(i, layout)
            if any(any(b == before for _, b in reading.pairs(u.name)) for u in layout.units_at.get(i, ())):
                return None  # its gradient has a name
    return rate if derivative else None


def _is_named(i: int, layout: Layout) -> bool:
    """The user has a name for it; that the parameter is moved by it is none."""
    return any(not u.unnamed for u in layout.units_at.get(i, ()))


__all__ = ["strides"]
