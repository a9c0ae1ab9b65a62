"""Parameters that are moved by formulas: ``w2[j] -= lr*d_o*h[j]``, where no line holds the gradient by itself.

What is taken off is a learning rate, which the forward pass knows nothing of, times a gradient. Where it is that for
some of the parameters, it is meant to be that for the others as well: where the rate is left out, and where the step
takes the place of the parameter.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from symgrad.diagnose.meaning.reading import Reading
from symgrad.diagnose.observing.match import Known
from symgrad.diagnose.observing.replay import Layout
from symgrad.diagnose.observing.subject import BITS, Unit
from symgrad.diagnose.observing.truth import Quantity
from symgrad.diagnose.text.naming import is_bare
from symgrad.diagnose.values.vectors import Vec
from symgrad.enclosure import precision
from symgrad.ops import is_sum, sign_of

#: One in so many lines must be right as it stands.
SHARE = 3
#: So many lines must have one rate for it to be that of all.
MANY_LINES = 2


@dataclass(frozen=True, slots=True)
class _Stride:
    """A line that moves a parameter, ``before`` it is moved.

    Attributes:
        rate: what a gradient is multiplied by; ``None`` where there is no such thing.
        made: the user's own values that the step is made of.
    """

    unit: Unit
    before: int
    rate: Vec | None
    made: tuple[int, ...]


def strides(layout: Layout, reading: Reading, known: Known) -> dict[int, tuple[int, Quantity]]:
    """For each assignment that moves a parameter by such a formula, the parameter as it was, and what it should be
    then."""
    subject = layout.subject
    if subject.is_shaped or not any(u.augmented in ("-=", "+=") for u in subject.units):
        return {}
    with precision(BITS):
        found = list(_strides(layout, reading))
        way, right = _way(found, layout, known)
        if not right:
            return {}
        rates = [s.rate for s in right if s.rate is not None]
        lines = {s.unit.line for s in right}
        common = rates[0] if len(lines) >= MANY_LINES and all(rates[0].same(r) for r in rates) else None
        out = {}
        for s in found:
            rate = s.rate
            if rate is None and s.unit.augmented and all(_is_gradient(i, layout, reading, known) for i in s.made):
                rate = common
            if rate is not None:
                step = rate * layout.truth.cotangents[s.before]
                have = layout.actual(s.before)
                out[s.unit.step] = s.before, Quantity("helper", -1, -1, have - step if way < 0 else have + step)
    return out


def _way(found: Sequence[_Stride], layout: Layout, known: Known) -> tuple[int, list[_Stride]]:
    """Whether parameters are moved down (-1) or up, and the lines that are right as that: none, where nobody can tell.

    What is wanted may be as large as possible. A line that is made of values that are nothing true tells nothing.
    """
    told = [s for s in found if s.rate is not None and s.unit.augmented]
    right: dict[int, list[_Stride]] = {-1: [], 1: []}
    for s in told:
        assert s.rate is not None
        step, have = s.rate * layout.truth.cotangents[s.before], layout.actual(s.before)
        for way, ends in ((-1, have - step), (1, have + step)):
            if layout.actual(s.unit.step).same(ends):
                right[way].append(s)
    counts = {way: len({s.unit.line for s in mine}) for way, mine in right.items()}
    if counts[-1] == counts[1]:
        return -1, []
    way = max(counts, key=counts.__getitem__)
    fair = {s.unit.line for s in told if s in right[way] or all(_is_true(i, layout, known) for i in s.made)}
    return way, right[way] if counts[way] * SHARE >= len(fair) else []


def _is_true(i: int, layout: Layout, known: Known) -> bool:
    return any(q.kind != "forward" for q in known.right(layout.actual(i)))


def _is_gradient(i: int, layout: Layout, reading: Reading, known: Known) -> bool:
    """By its value, or by its name."""
    names = [u.name for u in layout.units_at.get(i, ())]
    return _is_true(i, layout, known) or any(is_bare(name) or reading.pairs(name) for name in names)


def _strides(layout: Layout, reading: Reading) -> Iterator[_Stride]:
    named = dict(reversed(layout.subject.aliases))
    for unit in layout.subject.units:
        before = named.get(unit.name, -1)
        cotangent = layout.truth.cotangents.get(before)
        if cotangent is None or cotangent.is_zero or not layout.graph.steps[before].is_input:
            continue
        made = _made(unit, before, layout)
        if made is None or not made[1]:
            continue
        rate, own = made
        units = [u for i in own for u in layout.units_at.get(i, ())]
        if any(any(b == before for _, b in reading.pairs(u.name)) for u in units):
            continue  # its gradient has a name
        if unit.augmented or rate is not None:
            yield _Stride(unit, before, rate, own)


def _made(unit: Unit, before: int, layout: Layout) -> tuple[Vec | None, tuple[int, ...]] | None:
    """What a gradient is multiplied by, and the user's own values in what a parameter is moved by; ``None`` where it is
    something else than that."""
    steps = layout.graph.steps
    row = steps[unit.step]
    if unit.augmented in ("-=", "+="):
        if not is_sum(row.op) or len(row.inputs) != 2 or layout.original(row.inputs[0]) != before:
            return None
        stack = [row.inputs[1]]
    elif not unit.augmented and not layout.is_forward(unit.step) and sign_of(row.op) in ("*", "/"):
        stack = [unit.step]
    else:
        return None
    rate: Vec | None = None
    own: list[int] = []
    while stack:
        i = stack.pop()
        step, sign = steps[i], sign_of(steps[i].op)
        if step.is_input and not layout.is_forward(i):
            rate = layout.actual(i) if rate is None else rate * layout.actual(i)
        elif i == unit.step or not (layout.is_forward(i) or _is_named(i, layout)):
            if sign == "*":
                stack.extend(step.inputs)
            elif sign == "/" or len(step.inputs) == 1:
                stack.append(step.inputs[0])
        elif _is_named(i, layout):
            own.append(i)
    return rate, tuple(own)


def _is_named(i: int, layout: Layout) -> bool:
    """The user has a name for it; that the parameter is moved by it is none."""
    return any(not u.unnamed for u in layout.units_at.get(i, ()))


__all__ = ["strides"]
