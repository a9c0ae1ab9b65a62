"""How parameters are moved by gradients that are right: one that goes another way than the others is a mistake.

The length of a step is the author's choice, and nobody is blamed for it: of a step of another length than the others
take it is only said. But where others go down, one that goes up, one that takes the place of the parameter, and one
that does not follow its gradient are not meant.
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from symgrad.diagnose.deciding.unapplied import unapplied
from symgrad.diagnose.observing.subject import BITS, Unit
from symgrad.diagnose.observing.truth import Quantity
from symgrad.diagnose.text.naming import is_gain, is_surely_loss
from symgrad.diagnose.text.source import SourceMap
from symgrad.diagnose.text.syntax import module
from symgrad.diagnose.values.shaped import Shaped, lifted
from symgrad.diagnose.values.vectors import Vec
from symgrad.diagnose.walking.blame import Walk
from symgrad.diagnose.walking.places import Place, Repair
from symgrad.diagnose.walking.verdicts import Root
from symgrad.enclosure import precision

#: Two ratios that differ by less are the same.
SAME = 1e-7


@dataclass(frozen=True, slots=True)
class _Step:
    """One parameter, moved once.

    Attributes:
        bottom: the parameter; ``value``: what it becomes, if its gradient is right.
        rate: how much of its gradient is taken off; NaN where it is something else.
        instead: how much of its gradient it becomes; NaN where it is something else.
    """

    unit: Unit
    bottom: int
    value: Vec
    rate: float
    instead: float


def stepping(walk: Walk, source: SourceMap) -> tuple[list[Root], list[str]]:
    """The moves that are mistakes, and what is to be said of others."""
    subject = walk.subject
    if subject.stopped or walk.brief:
        return [], []
    if not subject.is_shaped:
        return list(_by_anothers(walk, source)), []
    way = _way(walk, source)
    steps = list(_steps(walk)) if way else []
    down = [s for s in steps if s.rate * way > 0]
    roots: list[Root] = []
    notes: list[str] = []
    for s in steps:
        others = [o for o in down if o is not s]
        sizes = [abs(x) for x in (s.rate, s.instead) if not math.isnan(x)]
        like = [o.rate for o in others if any(abs(x / o.rate - 1) <= SAME for x in sizes)]
        if not others:
            continue
        rate = like[0] if like else others[0].rate
        text = source.text(s.unit.span) if (whole := source.statement(s.unit.span)) is None else source.text(whole)
        if abs(s.rate / rate + 1) <= SAME and (turned := _negative(s, walk)) is not None:
            roots.append(turned)
            continue
        told = _told(s, rate, text, others, source)
        if told is not None and whole is not None:
            words, mistake, new = told
            truth = lifted(walk.truth.values[s.bottom] or s.value)
            gradient = lifted(walk.truth.cotangents[s.bottom])
            target = Shaped([p - rate * g for p, g in zip(truth.arrays, gradient.arrays, strict=True)])
            repair = Repair(Place(s.unit.step, -1, -1, target, ()), mistake, words, 0.5, text=new, span=whole)
            helper = Quantity("helper", -1, -1, target)
            roots.append(Root(s.unit, helper, s.value, (repair,), frozenset((s.unit.line,)), 0.5))
        elif s.rate * way > 0 and len(others) > 1 and not like and len({f"{o.rate:.6g}" for o in others}) == 1:
            factor = f"{s.rate / rate:.6g}"
            notes.append(f"line {s.unit.line}: {s.unit.name} is moved by {factor} times the step that the others take")
    roots += unapplied(walk, source, [s.unit for s in down])
    return roots, notes


def _by_anothers(walk: Walk, source: SourceMap) -> Iterator[Root]:
    """Of numbers: ``Km -= rate*grad_Vmax``, where Vmax is moved by that as well, and the right gradient of Km by
    nothing."""
    layout, subject = walk.layout, walk.subject
    held = {m.source: q for m in subject.moves if (q := walk.out.meaning.get(m.source)) is not None}
    own = {
        layout.original(q.bottom): u for u in walk.out.right
        if (q := walk.out.meaning[u.step]).kind == "cotangent" and layout.last[u.name] is u
    }  # fmt: skip
    for m in subject.moves:
        q, right = held.get(m.source), own.get(layout.original(m.bottom))
        if q is None or right is None or q.kind != "cotangent":
            continue
        other = layout.original(q.bottom)
        moved = [layout.original(n.bottom) for n in subject.moves if n.source == m.source]
        used = layout.dependents(right.step) or layout.original(right.step) in map(layout.original, held)
        if other == layout.original(m.bottom) or other not in moved or used:
            continue
        made = subject.graph.dependents(m.source)
        unit = next((u for u in layout.by_name.get(m.name, ()) if made[u.step]), None)
        wrong = next((u.name for u in layout.units_at.get(m.source, ()) if u.name.isidentifier()), "")
        whole = source.statement(unit.span) if unit is not None else None
        if unit is None or whole is None or not wrong:
            continue
        new = re.sub(rf"\b{wrong}\b", right.name, source.text(whole))
        found, before = layout.actual(unit.step), layout.actual(m.bottom)
        with precision(BITS):
            rate = (found - before) / layout.actual(m.source)
            target = Quantity("helper", -1, -1, before + rate * layout.actual(right.step))
        place = Place(unit.step, -1, -1, target.vec, ())
        words = f"moves {m.name} by the gradient of {subject.names.get(q.bottom, 'another one')}"
        repair = Repair(place, "wrong-variable", words, 0.5, text=new, span=whole)
        yield Root(unit, target, found, (repair,), frozenset((unit.line,)), 0.5)


def _way(walk: Walk, source: SourceMap) -> int:
    """1 where the parameters should go down what is differentiated, -1 where up, 0 where nothing says which.

    Where the derivation only starts with ``y - out``, that is the negative gradient of what is made smaller.
    """
    subject, layout = walk.subject, walk.layout
    result = subject.names.get(subject.loss, "")
    if is_surely_loss(result):
        return 1 if (subject.seed < 0) == is_gain(result) else -1
    steps = layout.graph.steps
    # sum(out * (y - out)), made up of where it starts
    product = steps[steps[subject.loss].inputs[0]] if subject.made_up and steps[subject.loss].inputs else None
    if product is None or len(product.inputs) != 2:
        return 0
    for out, start in (product.inputs, product.inputs[::-1]):
        called = {name for name, i in subject.aliases if layout.original(i) == layout.original(out)}
        span = steps[start].span
        match module(source.text(span)) if span is not None else None:
            case ast.Module(body=[ast.Expr(value=ast.BinOp(left=left, op=ast.Sub(), right=right))]):
                sides = ast.unparse(left), ast.unparse(right)
                if called & set(sides) and sides[0] != sides[1]:
                    return 1 if sides[0] in called else -1
    return 0


def _negative(step: _Step, walk: Walk) -> Root | None:
    """The assignment that should be the gradient by its name, and is its negative: the move itself is right."""
    layout, target = walk.layout, walk.truth.cotangents[step.bottom]
    for unit in layout.subject.units:
        pairs = walk.reading.pairs(unit.name)
        if not walk.reading.is_exact(unit.name) or [layout.original(b) for _, b in pairs] != [step.bottom]:
            continue
        have = layout.actual(unit.step)
        if (-have).same(target) and not layout.is_forward(unit.step) and layout.feeds(unit.step, {step.unit.step}):
            place = Place(unit.step, -1, -1, target, ())
            repair = Repair(place, "sign", "has the wrong sign", 0.9, None, "*", Fraction(-1))
            meant = Quantity("cotangent", walk.subject.loss, step.bottom, target)
            return Root(unit, meant, have, (repair,), frozenset((unit.line,)), 0.9)
    return None


def _told(
    step: _Step, rate: float, text: str, others: Sequence[_Step], source: SourceMap
) -> tuple[str, str, str] | None:
    """What is wrong with a move, the kind of mistake, and how it should read."""
    if abs(abs(step.instead) / rate - 1) <= SAME and (assigned := re.match(r"(.+?)(?<![-+*/])=(?!=)\s*(.+)$", text)):
        sign = "-" if step.instead > 0 else "+"
        words = "throws away the value that it should change"
        return words, "lost-accumulation", f"{assigned[1].rstrip()} {sign}= {assigned[2]}"
    if abs(step.rate / rate + 1) <= SAME:
        turned = {"+=": "-=", "-=": "+=", "+": "-", "-": "+"}
        new = re.sub(r"\+=|-=", lambda m: turned[m.group()], text, count=1)
        if new == text and (own := re.match(r"(\S+)\s*=\s*(\S+)\s*([-+])", text)) and own[1] == own[2]:
            new = text[: own.start(3)] + turned[own[3]] + text[own.end(3) :]
        return ("goes up where the others go down", "sign", new) if new != text else None
    if math.isnan(step.rate) and math.isnan(step.instead) and len(others) > 0:
        like = _as_the_others(step, others, source)
        return ("does not follow its gradient as the others do", "extra-factor", like) if like else None
    return None


def _as_the_others(step: _Step, others: Sequence[_Step], source: SourceMap) -> str:
    """The statement of another parameter, in the names of this one; empty where their names are not alike."""
    own = source.statement(step.unit.span)
    for other in others:
        whole = source.statement(other.unit.span)
        if whole is None or own is None:
            continue
        mine, text = source.text(own), source.text(whole)
        here, there = step.unit.name.rsplit(".", 1)[-1], other.unit.name.rsplit(".", 1)[-1]
        new = re.sub(rf"(?<![A-Za-z0-9]){re.escape(there)}(?![A-Za-z0-9])|(?<=d){re.escape(there)}\b", here, text)
        words = set(re.findall(r"[A-Za-z_][\w.]*", new))
        # Nothing is named that this line does not name itself.
        if new != text and words <= set(re.findall(r"[A-Za-z_][\w.]*", mine)):
            return new
    return ""


def _steps(walk: Walk) -> Iterator[_Step]:
    """The parameters that are moved once, by nothing but their gradients."""
    layout, truth, subject = walk.layout, walk.truth, walk.subject
    leaves: dict[str, list[int]] = {}
    for name, i in subject.aliases:
        first = layout.original(i)
        if first in truth.cotangents and layout.graph.steps[first].is_input:
            leaves.setdefault(name, []).append(first)
    # In the order of the assignments: a loss that is computed after the moves has its steps at the end.
    order = {(name, i): n for n, (name, i, _) in reversed(list(enumerate(subject.bound)))}  # when it was given first
    last_forward = max((order.get(named, -1) for named in subject.aliases), default=-1)
    moved: dict[int, list[Unit]] = {}
    for unit in subject.units:
        known, step = leaves.get(unit.name, []), layout.original(unit.step)
        made_of = [i for i in map(layout.original, layout.graph.steps[step].inputs) if i in known]
        bottom = next(iter([*made_of, *known]), -1)  # several objects have a self.w
        if bottom >= 0 and not layout.is_forward(unit.step) and step != bottom:
            moved.setdefault(bottom, []).append(unit)
    for bottom, units in moved.items():
        steps = {layout.original(u.step) for u in units}
        vec, gradient = truth.values[bottom], truth.cotangents[bottom]
        if len(steps) != 1 or vec is None or order.get((units[0].name, units[0].step), -1) < last_forward:
            continue
        value = walk.corrected(units[0].step)
        if value.shape != vec.shape or not _uses(walk, units[0].step, bottom):
            continue
        rate, instead = _ratio(vec - value, gradient), _ratio(value, gradient)
        if math.isnan(rate) and math.isnan(instead) and not _climbs(walk, units[0].step, bottom, vec - value):
            continue  # clipped, scaled entry by entry, with a decay
        yield _Step(units[0], bottom, value, rate, instead)


def _climbs(walk: Walk, step: int, bottom: int, taken: Vec) -> bool:
    """Nothing but the gradient and numbers is in what is taken off, and some entries go up the slope by it."""
    layout, steps = walk.layout, walk.layout.graph.steps
    seen, stack, reads = {step}, [step], 0
    while stack:
        i = stack.pop()
        for j in steps[i].inputs:
            meaning = walk.out.meaning.get(j)
            if layout.original(j) == bottom:
                reads += 1
            elif meaning is not None and layout.original(meaning.bottom) == bottom:
                continue
            elif layout.is_forward(j) and not steps[j].is_const:
                return False
            elif j not in seen:
                seen.add(j)
                stack.append(j)
    gradient = lifted(walk.truth.cotangents[bottom])
    pairs = zip(lifted(taken).arrays, gradient.arrays, strict=True)
    return reads == 1 and any(bool((a * g < -SAME * np.abs(a * g).max()).any()) for a, g in pairs)


def _uses(walk: Walk, step: int, bottom: int) -> bool:
    """The gradient that is right is in it: a line is made of what was worked out, and not of something else."""
    layout = walk.layout
    seen, stack = {step}, [step]
    while stack:
        i = stack.pop()
        meaning = walk.out.meaning.get(i)
        if meaning is not None and meaning.kind == "cotangent" and layout.original(meaning.bottom) == bottom:
            return True
        if i != bottom and not layout.is_forward(i):
            fresh = [j for j in layout.graph.steps[i].inputs if j not in seen]
            seen.update(fresh)
            stack.extend(fresh)
    return False


def _ratio(have: Vec, gradient: Vec) -> float:
    """The number by which a gradient was multiplied, at every point; NaN where there is none."""
    found = []
    for a, g in zip(lifted(have).arrays, lifted(gradient).arrays, strict=True):
        size = float((g * g).sum()) if g.size and a.shape == g.shape else 0.0
        if not size or not np.isfinite(a).all():
            return math.nan
        ratio = float((a * g).sum()) / size
        if not ratio or float(np.abs(a - ratio * g).max()) > SAME * float(np.abs(a).max()):
            return math.nan
        found.append(ratio)
    same = all(abs(r - found[0]) <= SAME * abs(found[0]) for r in found)
    return found[0] if found and same else math.nan
