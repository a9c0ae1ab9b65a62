"""What makes a value a claim where its name says nothing: what is done with it.

``w -= lr*g`` says that g is the gradient by w; ``abs(analytic - numeric)`` that analytic is what the difference
quotient approximates; a function ``df`` that what it returns is the derivative of f. Such evidence is weaker than
a name that spells the derivative out: what it makes wrong is blamed only where a repair explains it.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterator, Sequence

import numpy as np

from symgrad.diagnose.meaning.following import ends_of, original
from symgrad.diagnose.meaning.functions import stems
from symgrad.diagnose.meaning.likely import likely
from symgrad.diagnose.meaning.parameters import named_by_parameters
from symgrad.diagnose.meaning.sensitivities import sensitivities
from symgrad.diagnose.meaning.shortened import by_their_ends, shortened
from symgrad.diagnose.meaning.symbols import affixed, ordered, symbols
from symgrad.diagnose.observing.match import Known
from symgrad.diagnose.observing.replay import Layout
from symgrad.diagnose.observing.subject import BITS, Unit
from symgrad.diagnose.text.naming import TIMES, claims, dotted, is_generic, is_score, normal, primitives
from symgrad.diagnose.values.shaped import lifted
from symgrad.diagnose.values.vectors import Vec
from symgrad.enclosure import precision
from symgrad.ops import sign_of

Pair = tuple[int, int]

#: What is a part of the gradient, or all of it.
_FLOWING = ("cotangent", "contribution", "sum")
#: A difference quotient is this near to the derivative, and a mistake is not.
NEAR = 2e-3
#: Two ratios that differ by less are one.
SAME_RATIO = 1e-9


def guesses(layout: Layout, known: Known) -> dict[str, tuple[Pair, ...]]:
    """Names that say nothing, or only "the derivative" -> what they hold, by what is done with them."""
    subject, truth = layout.subject, layout.truth
    out: dict[str, dict[Pair, None]] = {n: dict.fromkeys(pairs) for n, pairs in subject.guessed.items()}
    made = {u.step: u for u in subject.units}
    with precision(BITS):
        for m in subject.moves if subject.sure else ():
            unit = made.get(m.source)
            right = truth.cotangents.get(m.bottom)
            if unit is None or right is None or layout.is_forward(m.source):
                continue
            ratio = _ratio(layout.actual(m.source), right)
            uneven = ratio is not None and claims(unit.name) and uneven_moves(layout, ratio, up=m.up)
            exact = ratio is not None and abs(ratio - 1) <= SAME_RATIO
            if (ratio is None or exact or uneven) and _is_single(unit, layout):
                out.setdefault(unit.name, {})[subject.loss, m.bottom] = None
        for name, pair in _compared(layout):
            out.setdefault(name, {})[pair] = None
    leaves = [i for i in truth.leaves if i in truth.cotangents]
    # Nobody differentiates by what must not be moved: by the last number of Horner's scheme v*v would have 2*v.
    leaves = [i for i in leaves if i not in subject.frozen] or leaves
    result = subject.names.get(subject.loss, "")
    # Not t += dt of a simulation, in which x_dot is what x goes on by.
    often = Counter(name for name, _, _ in subject.bound)
    times = [i for i in leaves if normal(n := subject.names.get(i, "")) in TIMES and often[n] == 1]
    scores: set[str] = set()
    tops: dict[str, list[int]] = {}
    for name, step in subject.aliases:
        tops.setdefault(normal(name), []).append(step)
    for unit in subject.units:
        if unit.name in out or layout.is_forward(unit.step) or layout.graph.steps[unit.step].is_leaf:
            continue
        score = is_score(unit.name, [result])
        said = score or is_generic(unit.name)
        bare = normal(unit.name) in ("grad", "gradient")
        matches = [q for q in known.right(layout.actual(unit.step)) if q.kind != "forward"] if said or bare else []
        # What nothing is made of is no slope of one step on the way.
        idle = not subject.is_shaped and bool(matches) and not layout.dependents(unit.step)
        idle = idle and not any(q.kind in _FLOWING or q.top == subject.loss for q in matches)
        generic = score or (bare and idle) or (is_generic(unit.name) and (idle or _works_on_values(unit, layout)))
        if generic and unit.name not in subject.called:
            if matches and not idle:
                continue  # some derivative it is: the slope of one step, say
            meant = _meant(unit, leaves, layout, known)
            out[unit.name] = dict.fromkeys((subject.loss, i) for i in meant)
            scores.update([unit.name] if score and len(meant) == 1 else [])
            continue
        for top in tops.get(dotted(unit.name), ())[-3:] if times else ():
            below = layout.graph.ancestors(top)
            out.setdefault(unit.name, {}).update(dict.fromkeys((top, i) for i in times if below[i] and top != i))
        # That dx_dy says something of y does not make it the derivative of y: that one has no other top.
        of = (c.bottom for c in claims(unit.name) if not c.top)
        held = [*primitives(unit.name), *(bottom for bottom in of if tops.get(bottom) == [subject.loss])]
        for stem in (*held, *stems(subject.called.get(unit.name, ""))):
            if unit.name == stem + "p" and any(u.name == stem + "m" for u in subject.units):
                continue  # f(x + h) and f(x - h)
            for top in tops.get(stem, ())[-3:]:
                if layout.graph.steps[top].is_input:
                    continue
                below = layout.graph.ancestors(top)
                by = _moved_by(unit, leaves, layout) or leaves
                out.setdefault(unit.name, {}).update(dict.fromkeys((top, i) for i in by if below[i]))
                if stem in primitives(unit.name) and layout.dependents(unit.step):
                    # f_prime = cos(g), which the chain rule multiplies by g_prime
                    inner = ends_of(layout.graph, top, subject.names.__contains__)
                    out[unit.name].update(dict.fromkeys((top, j) for j in inner if not layout.graph.steps[j].is_leaf))
    inside = named_by_parameters(layout)
    for name, pairs in inside.items():
        out.setdefault(name, dict.fromkeys(pairs))
    if subject.is_shaped:
        for name, found in likely(layout, known).items():
            if not out.get(name):
                out[name] = dict.fromkeys(found)
    told, untold = symbols(layout)
    told |= affixed(layout, known) | ordered(layout, known) | by_their_ends(layout) | sensitivities(layout)
    # What is done with it may say the same.
    new = {name for name, pairs in told.items() if name not in untold and tuple(out.get(name, pairs)) == pairs}
    layout.told = frozenset(scores | inside.keys() | new)
    for name, found in (shortened(layout) | told).items():
        if not out.get(name):
            out[name] = dict.fromkeys(found)
    return {name: tuple(pairs) for name, pairs in out.items() if pairs}


def _moved_by(unit: Unit, leaves: Sequence[int], layout: Layout) -> list[int]:
    """The inputs that are given another value, made of an assignment: ``eta -= dlogpost/d2logpost``."""
    names = layout.subject.names
    if len(leaves) < 2 or layout.subject.is_shaped or layout.last[unit.name] is not unit:
        return []
    made = layout.graph.dependents(unit.step)
    given = {name for name, step, _ in layout.subject.bound if made[step] and step != unit.step}
    return [i for i in leaves if names.get(i, "") in given]


def _meant(unit: Unit, leaves: Sequence[int], layout: Layout, known: Known) -> Collection[int]:
    """Of some inputs, the one by which a derivative is that says nothing of it: the one that its other assignments are
    right for, as far as they go; or the one number that is no entry of a list, as data are."""
    flows = (
        q.bottom
        for u in layout.by_name[unit.name]
        if layout.actual(u.step).constant() is None
        for q in known.right(layout.actual(u.step))
        if q.kind in ("cotangent", "contribution", "sum")
    )
    names, steps = layout.subject.names, layout.graph.steps
    right = set(flows) & set(leaves)
    alone = [i for i in leaves if i in names and "[" not in names[i] and not steps[i].shape]
    return right if len(right) == 1 else alone if len(alone) == 1 and not layout.subject.is_shaped else leaves


def scaled(layout: Layout) -> list[tuple[Unit, float]]:
    """What moves a parameter and is its gradient up to a constant factor (a learning rate, a deferred mean, a sign),
    and that factor."""
    made = {u.step: u for u in layout.subject.units}
    out = []
    with precision(BITS):
        for m in layout.subject.moves:
            unit, right = made.get(m.source), layout.truth.cotangents.get(m.bottom)
            if unit is None or right is None or layout.is_forward(m.source):
                continue
            if _is_constant(layout.actual(m.source), right):
                out.append((unit, layout.actual(m.source).floats[0] / right.floats[0]))
    return out


def uneven_moves(layout: Layout, ratio: float, *, up: bool) -> bool:
    """What moves a parameter is its gradient times ``ratio``, and what moves another one is its gradient: no factor
    that all of them have, and a learning rate makes up for."""
    if abs((-ratio if up else ratio) - 1) <= SAME_RATIO:
        return False
    with precision(BITS):
        for m in layout.subject.moves:
            right = layout.truth.cotangents.get(m.bottom)
            if right is None or layout.is_forward(m.source):
                continue
            other = _ratio(layout.actual(m.source), right)
            if other is not None and abs((-other if m.up else other) - 1) <= SAME_RATIO:
                return True
    return False


def is_negative(layout: Layout) -> bool:
    """Every parameter is moved by the negative of its gradient, up to a factor that is a number."""
    ratios = []
    with precision(BITS):
        for m in layout.subject.moves:
            right = layout.truth.cotangents.get(m.bottom)
            if right is None or right.shaped or layout.is_forward(m.source):
                return False
            ratios.append((layout.actual(m.source) / right).constant())
    return bool(ratios) and all(r is not None and r < 0 for r in ratios)


def _works_on_values(unit: Unit, layout: Layout) -> bool:
    """Values of the forward pass are in the line itself."""
    return any(
        layout.is_forward(j) and not layout.graph.steps[j].is_const
        for j in ends_of(layout.graph, unit.step, lambda j: layout.is_forward(j) or j in layout.units_at)
    )


def _is_single(unit: Unit, layout: Layout) -> bool:
    """The name is used for one thing, not for one gradient after the other."""
    made = [u for u in layout.by_name[unit.name] if not layout.graph.steps[u.step].is_leaf]
    # What a function returns has the same name where it is called.
    return len({u.line for u in made}) == 1 or len({layout.original(u.step) for u in made}) == 1


def _compared(layout: Layout) -> Iterator[tuple[str, Pair]]:
    """What stands beside autograd's number, or beside a difference quotient."""
    graph, subject, truth = layout.graph, layout.subject, layout.truth
    for i, step in enumerate(graph.steps):
        if layout.is_forward(i) or sign_of(step.op) != "-":
            continue
        a, b = step.inputs
        for mine, other in ((a, b), (b, a)):
            units = layout.units_at.get(mine) or layout.units_at.get(original(graph, mine))
            if not units or layout.is_forward(other) or not _works_on_values(units[-1], layout):
                continue
            target = subject.autograd.get(original(graph, other), -1)
            if target < 0:
                value = layout.actual(other)
                if not value.usable or layout.actual(mine).same(value):
                    continue
                target = next((k for k in truth.leaves if _is_near(value, truth.cotangents.get(k))), -1)
            if target >= 0:
                yield units[-1].name, (subject.loss, target)


def is_strong(name: str, layout: Layout) -> bool:
    """The script itself shows what a name stands for, by comparing it with that, or by what is right beside it."""
    return name in layout.subject.guessed or name in layout.told or any(name == held for held, _ in _compared(layout))


def _is_near(a: Vec, b: Vec | None) -> bool:
    """A difference quotient of it, and not the thing itself."""
    if b is None or a.same(b):
        return False
    pairs = list(zip(a.floats, b.floats, strict=True))
    return all(math.isfinite(x) and math.isfinite(y) and abs(x - y) <= NEAR * max(abs(x), abs(y)) for x, y in pairs)


def _is_constant(have: Vec, right: Vec) -> bool:
    return _ratio(have, right) is not None


def _ratio(have: Vec, right: Vec) -> float | None:
    """The number by which the one is the other; ``None`` where it is none. Zeros in both say nothing."""
    ratio = have / right
    arrays = lifted(ratio).arrays if ratio.shaped else [np.array([x]) for x in ratio.floats]
    finite = [a[np.isfinite(a)].ravel() for a in arrays]
    found = np.concatenate(finite)
    if found.size < 3 or not all(a.size for a in finite) or found[0] == 0:
        return None
    first = float(found[0])
    return first if bool((np.abs(found - first) <= SAME_RATIO * abs(first)).all()) else None
