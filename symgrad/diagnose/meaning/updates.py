"""What is done with a gradient once it is there: a learning rate, clipping, decay, Newton's step. None is a mistake.

Such a line often keeps the gradient's name: ``dw = lr*dw``, ``dw = dw/abs(dw)``, ``dx = -g/h``. What tells it is that
the parameter is moved by it next, and that it is made from a gradient that is right, or is the gradient times a number
of its own (the learning rate).
"""

from __future__ import annotations

import math
from collections.abc import Collection
from fractions import Fraction

from symgrad.diagnose.meaning.reading import Reading
from symgrad.diagnose.observing.replay import LOOK_AHEAD, Layout
from symgrad.diagnose.observing.subject import BITS, Unit
from symgrad.diagnose.text.naming import is_bare, key_of, normal
from symgrad.diagnose.values.vectors import Vec
from symgrad.enclosure import precision


def updates(layout: Layout, reading: Reading) -> frozenset[Unit]:
    """The assignments that make a step of a gradient."""
    called: dict[int, set[str]] = {}
    for name, step in layout.subject.aliases:
        called.setdefault(step, set()).add(normal(name))
    own: dict[str, set[str]] = {}
    out: set[Unit] = set()
    with precision(BITS):
        for unit in layout.subject.units:
            if not reading.by_inputs(unit.name):
                continue
            if unit.name not in own:
                own[unit.name] = {n for _, b in reading.pairs(unit.name) for n in called.get(b, ())}
            if _is_update(unit, own[unit.name], out, layout, reading):
                out.add(unit)
    return frozenset(out)


def _is_update(unit: Unit, own: set[str], known: Collection[Unit], layout: Layout, reading: Reading) -> bool:
    if layout.is_forward(unit.step) or not _moves(unit, own, layout, reading):
        return False
    rights = reading.rights(unit.name)
    have = layout.actual(unit.step)
    if any(have.same(right) for right in rights):
        return False
    used = _used(unit, layout)
    parameters = _own(unit, layout, reading)
    others = [i for i in used if layout.is_forward(i) and layout.original(i) not in parameters]
    held = [
        i for i in used
        if layout.units_at.get(i)
        and (
            any(layout.actual(i).same(right) for right in rights)
            or _is_called_the_same(i, unit, layout, reading)
            or any(u in known and parameters & _own(u, layout, reading) for u in layout.units_at[i])
        )
    ]  # fmt: skip
    if held and not others:
        return True
    free = any(_is_a_rate(i, layout) for i in used)
    return free and any(_is_constant(have, right) for right in rights)


def _own(unit: Unit, layout: Layout, reading: Reading) -> set[int]:
    """The parameters by which it is the derivative, by its name."""
    return {layout.original(b) for _, b in reading.pairs(unit.name)}


def _is_called_the_same(i: int, unit: Unit, layout: Layout, reading: Reading) -> bool:
    """A value has another name for the same gradient: ``gx``, and ``dx`` is the step that is made of it, whether it is
    right or not. Of arrays only the entry of another dictionary under the same key: ``v["dW"]`` of ``grads["dW"]``."""
    if layout.subject.is_shaped:
        key, at = key_of(unit.name), layout.original(i)
        others = (name for name in _by_key(layout).get(key, ()) if key != name != unit.name)
        return any(layout.original(u.step) == at for name in others for u in layout.by_name[name])
    mine = set(reading.pairs(unit.name))
    named = (u.name for u in layout.units_at[i] if u.name != unit.name and not is_bare(u.name))
    return any(mine & set(reading.pairs(name)) for name in named)


def _by_key(layout: Layout) -> dict[str, list[str]]:
    """The names of the entries of dictionaries, by their keys."""
    out: dict[str, list[str]] = {}
    for name in layout.by_name:
        out.setdefault(key_of(name), []).append(name)
    return out


def _is_a_rate(i: int, layout: Layout) -> bool:
    """A number of the derivation's own that has a name, and counts nothing: n is no learning rate."""
    if not layout.graph.steps[i].is_input or layout.is_forward(i) or not layout.units_at.get(i):
        return False
    value = layout.subject.point.get(i)
    return not isinstance(value, Fraction) or value.denominator != 1 or abs(value) <= 1


def _used(unit: Unit, layout: Layout) -> list[int]:
    """The named values that a line is made of."""
    out: list[int] = []
    seen: set[int] = set()
    stack = list(layout.graph.steps[unit.step].inputs)
    while stack and len(seen) < LOOK_AHEAD:
        i = stack.pop()
        if i in seen:
            continue
        seen.add(i)
        step = layout.graph.steps[i]
        if layout.is_forward(i) or step.is_leaf or i in layout.units_at:
            if not step.is_const:
                out.append(i)
        else:
            stack.extend(step.inputs)
    return out


def _moves(unit: Unit, own: set[str], layout: Layout, reading: Reading) -> bool:
    """The parameter, which has one of these names, gets a new value from this one next."""
    parameters = set(reading.pairs(unit.name))
    seen: set[int] = set()
    stack = list(layout.children[unit.step])
    while stack and len(seen) < LOOK_AHEAD:
        k = stack.pop()
        if k in seen:
            continue
        seen.add(k)
        named = layout.units_at.get(k, [])
        if any(normal(u.name) in own for u in named):
            return True
        # v_hat = v["dW"]/(1 - beta**t) is on the way from v to W; what is called the gradient of something else is not.
        # And an array that is filled entry by entry is on the way to itself only.
        if all(u.name != unit.name and parameters.issuperset(reading.pairs(u.name)) for u in named):
            stack.extend(layout.children[k])
    return False


def _is_constant(have: Vec, right: Vec) -> bool:
    ratios = [x for x in (have / right).floats if math.isfinite(x)]
    return len(ratios) >= 3 and all(abs(x - ratios[0]) <= 1e-9 * abs(ratios[0]) for x in ratios) and ratios[0] != 0
