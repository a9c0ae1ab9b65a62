"""What of a derivation was not recognised, and therefore not checked: it is said, since silence would be praise.

Not everything that stands in the manual part is listed. A learning rate times a gradient, a norm, a moving average are
made of gradients and of nothing else; an intermediate value that ends in a line that was judged was judged with it; a
difference quotient is a check and no derivation.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection

from symgrad.diagnose.meaning.evidence import scaled
from symgrad.diagnose.observing.replay import LOOK_AHEAD
from symgrad.diagnose.observing.subject import BITS, Unit
from symgrad.diagnose.text.naming import claims, is_loss, normal
from symgrad.diagnose.values.vectors import Vec
from symgrad.diagnose.walking.blame import Walk
from symgrad.enclosure import precision
from symgrad.ops import OPS

#: A difference quotient is this near to the derivative, and a mistake is not.
NEAR = 2e-3
#: What numbers from difference quotients are called.
NUMERIC = ("num", "fd", "approx", "finite", "check", "auto", "torch", "expected", "diff", "err", "rel")


def not_checked(walk: Walk) -> tuple[Unit, ...]:
    """The assignments of a walk that it could say nothing about, in their order, one for each name and line."""
    layout, out = walk.layout, walk.out
    graph = layout.graph
    judged = {u.step for u in (*out.right, *out.inherited, *out.limited, *out.misnamed)}
    judged |= {r.unit.step for r in out.roots} | set(out.meaning)
    lines = {n for r in out.roots for n in r.lines} | {r.unit.line for r in out.roots}
    forward_names = {normal(name) for name, _ in layout.subject.aliases}
    moved = {
        u.step for u in layout.subject.units
        if normal(_parameter(u)) in forward_names and u.step not in judged
    }  # fmt: skip
    names = {normal(name) for name, _, _ in layout.subject.bound}
    steps = {u.step for u in walk.moves}
    told = {u.place for u in layout.subject.units if u.step in judged}
    live = _live(walk)
    feeding = layout.feeding(judged)
    found: dict[tuple[str, int], Unit] = {}
    fine: set[int] = judged | {u.step for u, _ in scaled(layout)}
    with precision(BITS):
        for unit in layout.subject.units:
            i = unit.step
            if i in judged or i in fine or graph.steps[i].is_leaf or layout.is_forward(i):
                continue
            ends = layout.last[unit.name] is unit and not layout.subject.is_shaped
            if unit.place in told and (ends or walk.reading.is_of_what_follows(unit)):
                continue  # the last round of a loop, of which the loss knows the others
            if layout.origin(i) != i and not any({c.top, c.bottom} <= names for c in claims(unit.name)):
                continue  # another name for a value, unless it says of what it is the derivative, and by what
            if is_loss(unit.name) or i in feeding or unit in walk.moves or unit.line in lines:
                continue
            if not live[i] and not walk.reading.others(unit.name):
                continue
            if (users := layout.dependents(i)) and steps.issuperset(users):
                continue  # by what a gradient is clipped
            if i in moved or _uses(walk, i, moved):
                moved.add(i)  # a value of the next step of the descent
                continue
            if _made_of(walk, i, fine) and not walk.reading.others(unit.name):
                fine.add(i)
                continue
            if _is_numeric(walk, unit):
                continue
            found.setdefault((unit.name, unit.line), unit)
    return tuple(found.values())


def _parameter(unit: Unit) -> str:
    """What has another value from here on: ``w_new`` for ``w``, and for ``W[i] -= lr*g`` all of ``W``."""
    is_part = unit.augmented in ("-=", "+=") and '["' not in unit.name
    name = unit.name.split("[", maxsplit=1)[0] if is_part else unit.name
    return re.sub(r"_?(new|next|updated)$", "", name)


def _live(walk: Walk) -> list[bool]:
    """For each step, whether it moves with the forward pass, and not only jumps: a count of hits is no derivative."""
    graph = walk.graph
    out: list[bool] = []
    for i, step in enumerate(graph.steps):
        if step.is_leaf:
            out.append(walk.layout.is_forward(i) and not step.is_const)
            continue
        rules = OPS[step.op].partials
        smooth = len(rules) != len(step.inputs)
        out.append(any(out[j] and (smooth or rules[n] is not None) for n, j in enumerate(step.inputs)))
    return out


def _ends(walk: Walk, step: int) -> list[int]:
    """The named values that a step is made of."""
    out: list[int] = []
    seen: set[int] = set()
    stack = list(walk.graph.steps[step].inputs)
    while stack and len(seen) < 10 * LOOK_AHEAD:
        i = stack.pop()
        if i in seen:
            continue
        seen.add(i)
        if walk.layout.is_forward(i) or walk.graph.steps[i].is_leaf or i in walk.layout.units_at:
            out.append(i)
        else:
            stack.extend(walk.graph.steps[i].inputs)
    return out


def _uses(walk: Walk, step: int, some: Collection[int]) -> bool:
    return any(i in some for i in _ends(walk, step))


def _made_of(walk: Walk, step: int, fine: Collection[int]) -> bool:
    """Nothing but what was checked, and numbers of its own, is in a value: it is no derivative that was worked out."""
    layout, truth = walk.layout, walk.truth
    for i in _ends(walk, step):
        varies = layout.is_forward(i) and not truth.subject.graph.steps[i].is_const
        if i not in fine and (varies or not layout.graph.steps[i].is_leaf):
            return False
    return True


def _is_numeric(walk: Walk, unit: Unit) -> bool:
    """A difference quotient, or what compares one with something."""
    plain = normal(unit.name)
    if any(plain.startswith(word) or plain.endswith(word) for word in NUMERIC):
        return True
    if walk.reading.others(unit.name):
        return False  # it says that it is the derivative of another result
    have = walk.layout.actual(unit.step)
    return any(_near(have, vec) and not have.same(vec) for vec in walk.truth.cotangents.values())


def _near(a: Vec, b: Vec) -> bool:
    pairs = list(zip(a.floats, b.floats, strict=True))
    return all(math.isfinite(x) and math.isfinite(y) and abs(x - y) <= NEAR * max(abs(x), abs(y)) for x, y in pairs)
