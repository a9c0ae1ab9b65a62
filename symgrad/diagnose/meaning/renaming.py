"""``db = dout``: an array under a second name is one thing in memory, and two to the reader.

A result gets a step of its own, so that a line that wrongly leaves out all but ``dout`` can be told from ``dout``.
Of numbers, ``c, (dka, dke) = model(t, ka, ke)``: what the function calls ``dc_dka`` is that under another name as well.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from symgrad.diagnose.meaning.names import Pair
from symgrad.diagnose.meaning.reading import MANY, Reading
from symgrad.diagnose.observing.match import Known
from symgrad.diagnose.observing.replay import Layout
from symgrad.diagnose.observing.subject import Subject, Unit
from symgrad.diagnose.text.naming import claims, is_bare
from symgrad.diagnose.values.vectors import Vec
from symgrad.graph import Graph, GraphBuilder
from symgrad.ops import sign_of

#: What a loop carries on is given a value so often.
ROUNDS = 3


def called_shorter(layout: Layout, reading: Reading) -> dict[str, tuple[Pair, ...]]:
    """Names that say only by what a derivative is, and always hold what another name says in full, of an inner step:
    with what that says."""
    out: dict[str, tuple[Pair, ...]] = {}
    for name, units in layout.by_name.items() if not layout.subject.is_shaped else ():
        if not reading.is_topless(name) or not reading.by_inputs(name):
            continue
        bottoms, told = {b for _, b in reading.pairs(name)}, dict[Pair, None]()
        for unit in units:
            made = (u.name for u in layout.units_at.get(layout.original(unit.step), ()) if u.name != name)
            full = next((n for n in made if reading.pairs(n) and not reading.is_topless(n)), "")
            mine = [(t, b) for t, b in reading.pairs(full) if t != layout.subject.loss and b in bottoms] if full else []
            if not mine and not layout.graph.steps[unit.step].is_leaf:
                break
            told.update(dict.fromkeys(mine))
        else:
            if told:
                out[name] = tuple(told)
    return out


def inner(layout: Layout, reading: Reading) -> set[str]:
    """Names that say only by what a derivative is, ``da``, where ``dL_da`` is made of it: that is the derivative of the
    result, and the other one that of something on the way there."""
    loss, out = layout.subject.loss, set[str]()
    if layout.subject.is_shaped:
        return out
    full = {b: u for name, u in layout.last.items() for t, b in _told(name, reading) if t == loss}
    for name, units in layout.by_name.items() if full else ():
        pairs = reading.pairs(name)
        if not reading.is_topless(name) or len(pairs) != 1 or pairs[0][1] not in full:
            continue
        last = full[pairs[0][1]]
        moved = layout.original(last.step) != layout.original(units[-1].step)
        if moved and last.step > units[-1].step and layout.feeds(units[-1].step, {last.step}):
            out.add(name)
    return out


def carried_forward(layout: Layout, known: Known, reading: Reading) -> set[str]:
    """Names that say only by what a derivative is, and hold in every round that of a state by one input: ``de1`` for
    that of ``alpha1`` by e0, whatever there is an e1 as well."""
    steps, out = layout.graph.steps, set[str]()
    # What holds that of the result itself by another input is that wrongly.
    result = layout.subject.names.get(layout.subject.loss, "")
    states = {i for i, name in layout.subject.names.items() if name != result and not steps[i].is_leaf}
    states.discard(layout.subject.loss)
    for name, units in layout.by_name.items() if not layout.subject.is_shaped else ():
        if len(units) < ROUNDS or is_bare(name) or not reading.is_topless(name) or not reading.by_inputs(name):
            continue
        rounds = [u for u in units if not steps[u.step].is_leaf and not layout.actual(u.step).is_zero]
        if len(rounds) < ROUNDS:
            continue
        by: set[int] | None = None
        for unit in rounds:
            held = known.right(layout.actual(unit.step))
            mine = {q.bottom for q in held if q.kind == "tangent" and q.top in states}
            by = mine if by is None else by & mine
            if not by or any(layout.actual(unit.step).same(right) for right in reading.rights(name)):
                break
        else:
            out.add(name)
    return out


def differentials(layout: Layout, reading: Reading) -> set[str]:
    """Small changes: ``dx`` in ``dE_dx*dx``, and the ``dE`` that is made of such products."""
    out, steps = set[str](), layout.graph.steps
    for name, units in layout.by_name.items() if not layout.subject.is_shaped else ():
        bottoms = {c.bottom for c in claims(name) if not c.top}
        for unit in units if reading.is_topless(name) else ():
            for k in layout.children[unit.step]:
                beside = (u.name for j in steps[k].inputs for u in layout.units_at.get(j, ()))
                slopes = any(c.top and c.bottom in bottoms for other in beside for c in claims(other))
                if sign_of(steps[k].op) == "*" and slopes:
                    out.add(name)
                    made = {u.name for i in layout.dependents(unit.step) for u in layout.units_at.get(i, ())}
                    out |= {n for n in made if any(not c.top for c in claims(n))}
    return out


def of_predictions(layout: Layout, known: Known, reading: Reading) -> dict[str, tuple[Pair, ...]]:
    """``dy = 2*(out - y)`` under the name of the labels, of which ``dW = x.T @ dy`` is made: nothing flows on from the
    gradient by an input, so this is the one by what the labels are held against, ``out``."""
    loss, out = layout.subject.loss, dict[str, tuple[Pair, ...]]()
    for name, units in layout.by_name.items():
        pairs = reading.pairs(name)
        bottoms = {b for _, b in pairs}
        if name in layout.subject.mapped or is_bare(name) or not pairs or len(units) > MANY:
            continue
        if not reading.is_topless(name) or not reading.by_inputs(name) or not _flows_on(name, bottoms, layout, reading):
            continue
        worked = [layout.actual(u.step) for u in units if not layout.graph.steps[u.step].is_leaf]
        if not worked or any(v.constant() is not None for v in worked):
            continue
        rights = reading.rights(name)
        if any(v.same(r) for v in worked for r in rights) and not _negates(name, layout, reading):
            continue
        held = dict.fromkeys(i for v in worked for i in _by_computed(v, layout, known))
        if any(b in held for u in units for b in _by_another_name(u, layout, reading)):
            continue  # grad_beta = grad_y: of y there is one by that name, and this was to be another
        held = held or dict.fromkeys(i for v in worked for i in _by_computed(-v, layout, known))
        found = held or dict.fromkeys(i for b in bottoms for i in _beside(b, layout))
        if found:
            out[name] = tuple((loss, i) for i in found)
    return out


def _by_another_name(unit: Unit, layout: Layout, reading: Reading) -> Iterator[int]:
    """What the same array was the gradient of by the name that it had before."""
    for first in layout.units_at.get(layout.original(unit.step), ()):
        if first.name != unit.name and first.line != unit.line:
            yield from (b for _, b in reading.pairs(first.name))


def _negates(name: str, layout: Layout, reading: Reading) -> bool:
    """All that is a gradient by an input and made of what has this name is the negative of what it should be."""
    steps = {u.step for u in layout.by_name[name]}
    fed = [u for u in layout.last.values() if u.name != name and reading.by_inputs(u.name)]
    fed = [u for u in fed if layout.feeding([u.step]) & steps]
    return bool(fed) and all(any((-layout.actual(u.step)).same(r) for r in reading.rights(u.name)) for u in fed)


def _flows_on(name: str, bottoms: set[int], layout: Layout, reading: Reading) -> bool:
    """What is called a derivative by something else is made of what has this name."""
    made = (u for unit in layout.by_name[name] for i in layout.dependents(unit.step) for u in layout.units_at[i])
    return any(u.name != name and (p := reading.pairs(u.name)) and not bottoms & {b for _, b in p} for u in made)


def _by_computed(vec: Vec, layout: Layout, known: Known) -> list[int]:
    """The steps that are worked out of which a value is the gradient."""
    steps, loss = layout.graph.steps, layout.subject.loss
    held = [q.bottom for q in known.right(vec) if q.kind == "cotangent" and q.top == loss]
    return [i for i in held if not steps[layout.original(i)].is_leaf]


def _beside(label: int, layout: Layout) -> list[int]:
    """What is worked out and stands beside an input in what is made of the two: ``out``, in ``out - y``."""
    steps = layout.graph.steps
    # Nothing is held against what is added to it, or multiplied by it.
    held = [k for k in layout.children[label] if layout.is_forward(k) and sign_of(steps[k].op) not in ("+", "*", "/")]
    others = [j for k in held for j in steps[k].inputs if j != label]
    return [j for j in others if not steps[layout.original(j)].is_leaf and steps[j].shape == steps[label].shape]


def of_parts(layout: Layout, reading: Reading) -> dict[str, tuple[Pair, ...]]:
    """``d_soft``, an array, beside ``loss = a*soft + b*hard``: the gradient by a number is a number, so this is that of
    ``soft``, by whatever the gradient is of that is made of it and has its shape."""
    subject, steps = layout.subject, layout.graph.steps
    out: dict[str, tuple[Pair, ...]] = {}
    for name, units in layout.by_name.items() if subject.is_shaped else ():
        pairs = reading.pairs(name)
        if name in subject.mapped or is_bare(name) or not pairs or len(units) > MANY or not reading.is_topless(name):
            continue
        shapes = {steps[u.step].shape for u in units if not steps[u.step].is_leaf}
        parts = [b for _, b in pairs if not steps[b].shape and not steps[layout.original(b)].is_leaf]
        if len(shapes) != 1 or shapes <= {(), (1,)} or len(parts) < len(pairs) or subject.loss in parts:
            continue
        fed = [u.name for u in layout.last.values() if u.name != name and reading.by_inputs(u.name)
               and layout.feeds(units[-1].step, {u.step})]  # fmt: skip
        by = dict.fromkeys(b for n in fed for _, b in reading.pairs(n) if {steps[b].shape} == shapes)
        found = tuple((s, b) for s in parts for b in by if layout.graph.ancestors(s)[b])
        if found:
            out[name] = found
    return out


def _told(name: str, reading: Reading) -> tuple[Pair, ...]:
    """What a name says in full."""
    return () if reading.is_topless(name) or not reading.is_exact(name) else reading.pairs(name)


def no_upstream(layout: Layout, reading: Reading) -> dict[str, tuple[Pair, ...]]:
    """``dfx = df(x)`` is no upstream gradient of ``fx = f(x)``, if it is no number: it is by the x that Newton's method
    moves by it, or whatever else it may be by."""
    subject, loss = layout.subject, layout.subject.loss
    same = {i for name, i in subject.aliases if name == subject.names.get(loss, "")} | {loss}
    out: dict[str, tuple[Pair, ...]] = {}
    for name in subject.called if not subject.is_shaped else ():
        pairs = reading.pairs(name)
        mine = [u for u in layout.by_name.get(name, ()) if not layout.graph.steps[u.step].is_leaf]
        if not any(b in same for _, b in pairs) or any(layout.actual(u.step).constant() is not None for u in mine):
            continue
        moved = (m.bottom for m in subject.moves if any(layout.feeds(u.step, {m.source}) for u in mine))
        others = tuple((loss, i) for i in moved) or tuple(p for p in pairs if p[1] not in same)
        if others:
            out[name] = others
    return out


def with_own_steps(layout: Layout, reading: Reading) -> Subject | None:
    """The subject with a step for each result that is only another name; ``None`` if there is none."""
    subject = layout.subject
    if not subject.is_shaped:
        return None
    chosen = []
    for unit in layout.last.values():
        first = layout.units_at[unit.step][0]
        shared = first.name != unit.name and first.line != unit.line
        if unit.augmented or not (shared or layout.is_forward(unit.step)) or layout.graph.steps[unit.step].is_leaf:
            continue
        if reading.by_inputs(unit.name):
            chosen.append(unit)
    if not chosen:
        return None
    builder = GraphBuilder(subject.graph)
    own = {u: builder.add("alias", (u.step,), span=u.span) for u in chosen}
    graph = Graph(tuple(builder.steps), subject.graph.output, subject.graph.source)
    return replace(
        subject, graph=graph, units=tuple(replace(u, step=own[u]) if u in own else u for u in subject.units)
    )
