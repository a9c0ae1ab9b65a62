"""The results of a derivation, and what a step would have to be for them to be right."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from fractions import Fraction

from symgrad.diagnose.meaning.reading import MANY, Reading, is_shaped_later
from symgrad.diagnose.observing.replay import Layout, Result
from symgrad.diagnose.observing.subject import BITS, Unit, broadcasts, is_one_number
from symgrad.diagnose.text.naming import claims, normal
from symgrad.diagnose.values.shaped import lifted
from symgrad.diagnose.values.vectors import Vec, constant
from symgrad.enclosure import precision
from symgrad.ops import is_sum

#: So many terms of a sum are looked at.
MOST_TERMS = 500


def results(layout: Layout, reading: Reading, moves: Collection[Unit] = ()) -> list[Result]:
    """The results of the derivation: the last values of names that stand for derivatives by an input, or that nothing
    uses further."""
    out = []
    last = {u.name: u for u in layout.subject.units if u not in moves} if moves else layout.last
    for unit in last.values():
        if not reading.pairs(unit.name) or reading.is_of_what_follows(unit):
            continue
        if layout.last[unit.name] in moves and layout.graph.steps[layout.original(unit.step)].is_leaf:
            continue  # the zeros that a mean of gradients starts with: v = 0.9*v + 0.1*dw
        by_inputs = reading.by_inputs(unit.name) or _is_of_an_input(unit, layout, reading)
        if not by_inputs and (layout.dependents(unit.step) or reading.is_topless(unit.name)):
            continue
        actual = layout.actual(unit.step)
        if _is_on_the_way(unit, actual, reading, layout):
            continue
        # That dx/dx is 1 makes no other dx right, nor one that is worked out.
        given = layout.graph.steps[layout.original(unit.step)].is_leaf and layout.begins(unit)
        wanted = reading.rights(unit.name, unit)
        rights = [v for v in wanted if v.constant() != 1 or (given and v.same(actual))] or wanted
        steps, moved = layout.graph.steps, [m.bottom for m in layout.subject.moves if m.source == unit.step]
        if any(broadcasts(actual.shape, steps[i].shape) for i in moved):
            rights += [v.reshaped(actual.shape) for r in rights if broadcasts(actual.shape, (v := lifted(r)).shape)]
        if not actual.shape:
            rights += [v.reshaped(()) for r in rights if is_one_number((v := lifted(r)).shape)]
        if _is_left_over(unit, layout):
            rights += [r * constant(Fraction(n), layout.truth.points) for r in rights for n in {*actual.shape} - {1}]
        turned = actual.shaped and any(v.shape != actual.shape and actual.alike(v) for v in rights)
        if turned and is_shaped_later(unit, layout, reading):
            continue
        out.append(Result(unit, actual, tuple(rights)))
    out += _of_other_objects(out, layout, reading)
    ends = ((u, layout.moved[u.step][1]) for u in last.values() if u.step in layout.moved)
    out += [Result(u, layout.actual(u.step), (end,)) for u, end in ends]
    if not out:
        out = [r for unit in last.values() if (r := _carried(unit, layout, reading)) is not None]
        out = out or [r for unit in last.values() if (r := _scaled(unit, layout, reading)) is not None]
    beside = (_is_of_another, _is_added_up, _is_handed_on)
    out = [r for r in out if not any(test(r, out, layout, reading) for test in beside)]
    # What a parameter is moved by says no more than the gradient that it is made of.
    named = {b for r in out if not r.unit.unnamed for _, b in reading.pairs(r.unit.name)}
    return [r for r in out if not r.unit.unnamed or not named & {b for _, b in reading.pairs(r.unit.name)}]


def _is_on_the_way(unit: Unit, actual: Vec, reading: Reading, layout: Layout) -> bool:
    """``da = dh*(1 - h**2)`` of which ``dW = X.T @ da`` is made, beside an input A of wholly another shape."""
    if not layout.subject.is_shaped or not unit.scope or not _is_used(unit.step, layout):
        return False
    mine = actual.shape
    others = [v.shape for v in reading.rights(unit.name, unit)]
    return bool(mine) and not any(
        sorted(mine) == sorted(shape) or math.prod(mine) == math.prod(shape)
        or broadcasts(mine, shape) or broadcasts(shape, mine) or mine[-len(shape) :] == shape
        for shape in others
    )  # fmt: skip


def _is_left_over(unit: Unit, layout: Layout) -> bool:
    """What the last round of a loop hands on to no further one: ``dA_prev`` of the first layer. Its factor 1/m may come
    later, as that of those before it did, which others are made of; here nothing comes later."""
    mine = [u for u in layout.by_name[unit.name] if u.span == unit.span] if unit.name.isidentifier() else []
    return len(mine) > 1 and not _is_used(unit.step, layout) and any(_is_used(u.step, layout) for u in mine)


def _is_used(step: int, layout: Layout) -> bool:
    """Something else than another name is made of a step."""
    names = [step]
    while names:
        i = names.pop()
        for k in layout.dependents(i):
            if layout.original(k) != layout.original(i):
                return True
            names.append(k)
    return False


def _is_of_an_input(unit: Unit, layout: Layout, reading: Reading) -> bool:
    """``dx``, used no further, where an input is called x, and besides it only attributes of objects: ``self.x``."""
    subject, own = layout.subject, layout.original(unit.step)
    # That a loop gives it another name as well is no use; that an object keeps it, x.grad = gx, is one.
    used = any(
        layout.original(k) != own or not all(u.name.isidentifier() for u in layout.units_at.get(k, ()))
        for k in layout.dependents(unit.step)
    )
    if not subject.is_shaped or not unit.name.isidentifier() or used:
        return False
    plain: set[int] = set()
    said = {c.bottom for c in claims(unit.name)}
    for name, i in subject.aliases:
        # `x = self.cache` of a layer is a name for what was kept there, as `h` is another name for it.
        if "." not in name and normal(name) in said and ((name, i) not in subject.later or reading.is_input(i)):
            plain.add(i)
    called = [b for _, b in reading.pairs(unit.name) if b in plain]
    actual = layout.actual(unit.step)
    if not called or not all(reading.is_input(b) and subject.graph.steps[b].shape == actual.shape for b in called):
        return False
    if len(called) == 1 and not any(actual.same(v) for v in reading.rights(unit.name)):
        reading.own[unit.step] = called[0]
    return True


def _of_other_objects(known: Sequence[Result], layout: Layout, reading: Reading) -> list[Result]:
    """``self.dW`` of one layer after the other: of a name that several objects have, the last value is that of one of
    them. What moves the parameter of another is a result as well."""
    loss, told = layout.subject.loss, {r.unit.step for r in known}
    out = []
    for m in layout.subject.moves:
        named = (u for u in layout.units_at.get(m.source, ()) if "." in u.name and not u.unnamed)
        unit = next((u for u in named if (loss, m.bottom) in reading.pairs(u.name)), None)
        if unit is not None and m.source not in told and layout.last[unit.name] is not unit:
            told.add(m.source)
            out.append(Result(unit, layout.actual(m.source), (reading.vec((loss, m.bottom)),)))
    for name in layout.by_name:
        out += _of_as_many_objects(name, told, layout, reading)
    return out


def _of_as_many_objects(name: str, told: Collection[int], layout: Layout, reading: Reading) -> list[Result]:
    """What several objects call ``self.db``, of which there are as many ``self.b``: each is the gradient by one of
    them, and not only that which came last."""
    bottoms = {b for t, b in reading.pairs(name) if t == layout.subject.loss}
    if "." not in name or len(bottoms) < 2 or not reading.by_inputs(name):
        return []
    units = [u for u in layout.by_name[name] if (name, u.step) not in layout.continued and not u.unnamed]
    steps = dict.fromkeys(u.step for u in units)
    if len(steps) != len(bottoms) or any(layout.dependents(i) for i in steps):
        return []  # made of one another: values of one and the same object
    rights = {b: reading.vec((layout.subject.loss, b)) for b in sorted(bottoms)}
    wrong = [i for i in steps if not any(layout.actual(i).same(v) for v in rights.values())]
    left = [b for b, v in rights.items() if not any(layout.actual(i).same(v) for i in steps)]
    if len(wrong) == len(left) == 1:
        reading.own[wrong[0]] = left[0]  # all others are told by their values
    last = layout.last[name].step
    others = {u.step: u for u in units if u.step != last and u.step not in told}
    return [Result(u, layout.actual(i), tuple(rights.values())) for i, u in others.items()]


def _is_of_another(r: Result, all_of_them: Sequence[Result], layout: Layout, reading: Reading) -> bool:
    """``G_e``, which is no derivative of the loss by e, and goes into a ``dloss_de`` that is right: it is one of G."""
    if not reading.is_topless(r.unit.name) or r.is_right(r.actual):
        return False
    mine = set(reading.pairs(r.unit.name))
    return any(
        not reading.is_topless(s.unit.name)
        and mine <= set(reading.pairs(s.unit.name))
        and layout.feeds(r.unit.step, {s.unit.step})
        and s.is_right(s.actual)
        for s in all_of_them
    )


def _is_added_up(r: Result, all_of_them: Sequence[Result], layout: Layout, reading: Reading) -> bool:
    """What one sample gives, where another result is the sum over the samples: ``total_w = [t + dw for ...]``."""
    if not layout.subject.is_shaped or r.is_right(r.actual):
        return False
    mine, own = set(reading.pairs(r.unit.name)), layout.original(r.unit.step)
    return any(
        s.unit.step != r.unit.step
        and s.actual.shape == r.actual.shape
        and mine <= set(reading.pairs(s.unit.name))
        and own in _terms(layout, s.unit.step)
        for s in all_of_them
    )


def _is_handed_on(r: Result, all_of_them: Sequence[Result], layout: Layout, reading: Reading) -> bool:
    """``dw`` of a function that ends with ``return -dw``: what comes back is the gradient, and decides."""
    if not layout.subject.is_shaped or r.is_right(r.actual):
        return False
    mine = set(reading.pairs(r.unit.name))
    return any(
        s.unit.step > r.unit.step
        and not s.unit.unnamed
        and s.actual.shape == r.actual.shape
        and mine <= set(reading.pairs(s.unit.name))
        and layout.feeds(r.unit.step, {s.unit.step})
        and (s.actual / r.actual).constant() not in (None, 1)
        for s in all_of_them
    )


def _terms(layout: Layout, step: int) -> set[int]:
    """What is added up to a value; not the value itself."""
    found: set[int] = set()
    stack = [layout.original(step)]
    while stack and len(found) < MOST_TERMS:
        i = stack.pop()
        row = layout.graph.steps[i]
        # That one of them is taken away may be the mistake.
        new = {layout.original(j) for j in row.inputs} if is_sum(row.op) else set()
        stack.extend(new - found)
        found |= new
    return found


def _carried(unit: Unit, layout: Layout, reading: Reading) -> Result | None:
    """dy, carried forward to the end: d y/d (a variable that goes without saying), of the loss y."""
    loss = layout.subject.loss
    claimed = reading.is_topless(unit.name) and any(b == loss for _, b in reading.pairs(unit.name))
    if not claimed or _is_used(unit.step, layout) or layout.subject.is_shaped:
        return None
    actual = layout.actual(unit.step)
    found = (layout.truth.tangents(leaf).get(loss) for leaf in reading.carried)
    rights = [v for v in found if v is not None and not v.is_zero]
    return Result(unit, actual, tuple(rights)) if rights and actual.constant() != 1 else None


def _scaled(unit: Unit, layout: Layout, reading: Reading) -> Result | None:
    """``dinp``, with which a pass ends that keeps its results in objects, and which is off by a number. So may all be
    of them: a learning rate makes up for it."""
    pairs = reading.pairs(unit.name)
    if not reading.is_exact(unit.name) or pairs[0][0] != layout.subject.loss or layout.dependents(unit.step):
        return None
    actual, right = layout.actual(unit.step), reading.vec(pairs[0])
    if layout.is_forward(unit.step) or not actual.shape or actual.shape != right.shape:
        return None
    return Result(unit, actual, (right,)) if (actual / right).constant() not in (None, 1) else None


def solve(layout: Layout, step: int, wanted: Sequence[Result]) -> Vec | None:
    """The value of one step for which all results are right, all else being as it is; ``None`` if there is none.

    Results depend linearly on a cotangent or a tangent, so two runs tell which value is needed, and a third confirms.
    """
    last = max((r.unit.step for r in wanted), default=-1)
    if last < step:
        return None
    have = layout.actual(step)
    with precision(BITS):
        other = have + constant(1, layout.truth.points)
        moved = layout.with_value(step, other, last)
        for r in wanted:
            if r.unit.step not in moved or len(r.rights) > MANY:
                continue
            slope = moved[r.unit.step] - r.actual
            if slope.is_zero:
                continue
            for right in r.rights:
                needed = have + (right - r.actual) / slope
                if needed.usable and not needed.same(have):
                    after = layout.with_value(step, needed, last)
                    if all(s.is_right(after.get(s.unit.step) or s.actual) for s in wanted):
                        return needed
            return None
    return None
