"""Further changes to a line of arrays, beside those of single operations: places beside the one that is read, what was
to be done to a whole array and was not, and numbers that stand where arrays belong."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

from symgrad.diagnose.observing.subject import Unit
from symgrad.diagnose.observing.truth import Quantity
from symgrad.diagnose.trying.typed import shifted as moved
from symgrad.diagnose.values.shaped import lifted, shape_of
from symgrad.diagnose.values.vectors import Vec, apply, constant
from symgrad.diagnose.walking.places import UNPLACED, Repair
from symgrad.diagnose.walking.region import Make, Offer, Site, slimmed
from symgrad.ops import OPS, is_sum
from symgrad.ops.slips import cases, is_place, is_within, shifted, shifts, written

if TYPE_CHECKING:
    from symgrad.diagnose.effects.passage import Passage

Try = tuple[tuple[Site, ...], int, Make, Repair]




def lapses(passage: Passage, offers: Sequence[Offer]) -> Iterator[Try]:
    """What is tried in a line: where, how deep, what, and in words."""
    for depth, sites in enumerate(passage.groups()):
        i, slot = sites[0]
        step = passage.graph.steps[i]
        if slot < 0 and is_place(step.op):
            yield from _places(passage, sites, depth)
        if slot < 0 and step.op in OPS and OPS[step.op].infix is not None:
            yield from _rests(passage, sites, depth, offers)
        if slot >= 0 and OPS[step.op].infix is not None:
            yield from _differences(passage, sites, depth, offers)
        if slot >= 0 and len(step.inputs) == 1 and OPS[step.op].infix is None and OPS[step.op].elementwise:
            yield from _mirrored(passage, sites, depth)
        if OPS[step.op].infix is not None:
            yield from _unapplied(passage, sites, depth)
        if slot >= 0 and passage.graph.steps[step.inputs[slot]].is_leaf:
            yield from _numbers(passage, sites, depth, offers)
        if slot in cases(step.op) and passage.graph.steps[step.inputs[slot]].is_const:
            yield from _other_case(passage, sites, depth)
    yield from _undone(passage)
    yield from _not_divided_before(passage)
    yield from _too_early(passage)
    yield from _added_later(passage)
    yield from _flows(passage)
    for unit in passage.units[-1:] if len(passage.ends) == 1 else ():
        for part in passage.parts:
            if part.vec.shape in ((), passage.graph.steps[unit.step].shape):
                yield _lacking(unit, part)


def _places(passage: Passage, sites: tuple[Site, ...], depth: int) -> Iterator[Try]:
    """``x[i - 1]`` for ``x[i]``, in every round."""
    steps = passage.graph.steps
    first = steps[sites[0][0]]
    kinds = {tuple(shifts(steps[i].op, dict(steps[i].params))) for i, _ in sites}
    if len(kinds) != 1:
        return
    for n, by in kinds.pop():
        found = passage.text.source.index(first.span, n)
        if found is None:
            continue
        span, index = found

        def make(i: int, _value: Vec, args: Sequence[Vec], n: int = n, by: int = by) -> Vec:
            return apply(steps[i].op, args[:1], shifted(dict(steps[i].params), n, by))

        words = "is another part of the array than belongs here"
        yield sites, depth, make, Repair(UNPLACED, "wrong-time-step", words, 1.0, text=moved(index, by), span=span)


def _mirrored(passage: Passage, sites: tuple[Site, ...], depth: int) -> Iterator[Try]:
    """``exp(a)`` for ``exp(-a)``."""
    step = passage.graph.steps[sites[0][0]]
    where = passage.text.source.operand(step.span, 0)
    if where is None or not passage.text.source.is_atom(passage.text.source.text(where)):
        return

    def make(_i: int, value: Vec, _args: Sequence[Vec]) -> Vec:
        return -value

    text = f"-{passage.text.source.text(where)}"
    yield sites, depth, make, Repair(UNPLACED, "sign", "has the wrong sign", 0.95, text=text, span=where)


def _unapplied(passage: Passage, sites: tuple[Site, ...], depth: int) -> Iterator[Try]:
    """``1 + -a`` for ``1 + np.exp(-a)``: a function that the forward pass applies to such a value."""
    i, slot = sites[0]
    steps = passage.graph.steps
    node = steps[i].inputs[slot] if slot >= 0 else i
    where = passage.text.source.operand(steps[i].span, slot) if slot >= 0 else steps[i].span
    if not steps[node].shape or where is None or (slot < 0 and not passage.users.get(i)):
        return
    inner = node if steps[node].is_leaf or len(steps[node].inputs) != 1 else steps[node].inputs[0]
    near = {node, inner, passage.layout.origin(node), passage.layout.origin(inner)}
    for op, called in passage.text.functions(near).items():

        def make(_i: int, value: Vec, _args: Sequence[Vec], op: str = op) -> Vec:
            return apply(op, [value])

        text = f"{called}({passage.text.source.text(where)})"
        words = f"leaves out {called}"
        yield sites, depth, make, Repair(UNPLACED, "missing-factor", words, 1.0, text=text, span=where)


def _rests(passage: Passage, sites: tuple[Site, ...], depth: int, offers: Sequence[Offer]) -> Iterator[Try]:
    """``-p`` for ``1 - p``, ``-t`` for ``y - t``."""
    step = passage.graph.steps[sites[0][0]]
    infix = OPS[step.op].infix
    if infix is None or not infix.prefix or not infix.symbol or step.span is None:
        return
    operand = passage.text.source.operand(step.span, 0)
    if operand is None:
        return

    def make(_i: int, value: Vec, _args: Sequence[Vec]) -> Vec:
        return value + constant(1, len(lifted(value).arrays))

    own = passage.text.source.text(operand)
    words = "leaves out a term"
    yield sites, depth, make, Repair(UNPLACED, "missing-term", words, 0.95, text=f"1 - {own}", span=step.span)
    for offer in offers:
        shape = offer.quantity.vec.shape
        if offer.text and shape and is_within(step.shape, shape):

            def more(i: int, value: Vec, _args: Sequence[Vec], offer: Offer = offer) -> Vec:
                return value + slimmed(offer.value(i), value)

            text = f"{offer.text} - {own}"
            yield (
                sites,
                depth,
                more,
                Repair(UNPLACED, "missing-term", words, 1.25, offer.quantity, "+", text=text, span=step.span),
            )


def _differences(passage: Passage, sites: tuple[Site, ...], depth: int, offers: Sequence[Offer]) -> Iterator[Try]:
    """``2*y`` for ``2*(y - t)``."""
    i, slot = sites[0]
    step = passage.graph.steps[i]
    node = step.inputs[slot]
    infix = OPS[step.op].infix
    shape = passage.graph.steps[node].shape
    if infix is None or infix.prefix or infix.symbol not in ("*", "/", "@") or passage.layout.origin(node) != node:
        return
    where = passage.text.source.operand(step.span, slot)
    if where is None or not shape or not passage.layout.is_forward(node):
        return
    for offer in offers:
        if offer.quantity.kind == "forward" and offer.text and offer.quantity.vec.shape == shape:

            def less(i: int, value: Vec, _args: Sequence[Vec], offer: Offer = offer) -> Vec:
                return value - slimmed(offer.value(i), value)

            text = f"({passage.text.source.text(where)} - {offer.text})"
            yield (
                sites,
                depth,
                less,
                Repair(UNPLACED, "missing-term", "leaves out a term", 1.45, offer.quantity, "-", text=text, span=where),
            )


def _numbers(passage: Passage, sites: tuple[Site, ...], depth: int, offers: Sequence[Offer]) -> Iterator[Try]:
    """A count where an array belongs: ``s - n`` for ``s - y``."""
    i, slot = sites[0]
    step = passage.graph.steps[i]
    if passage.graph.steps[step.inputs[slot]].shape:
        return
    operand = passage.text.source.operand(step.span, slot)
    if operand is None or not passage.text.source.text(operand).isidentifier():
        return
    shapes = [passage.graph.steps[j].shape for j in step.inputs]
    ends = {passage.graph.steps[u.step].shape for u in passage.units}
    for offer in offers:
        q = offer.quantity
        if q.kind != "forward" or not offer.text or not q.vec.shape:
            continue
        made = shape_of(OPS[step.op], [*shapes[:slot], q.vec.shape, *shapes[slot + 1 :]], dict(step.params))
        if made != step.shape and (made is None or not any(is_within(end, made) for end in ends)):
            continue

        def make(i: int, value: Vec, _args: Sequence[Vec], offer: Offer = offer) -> Vec:
            return slimmed(offer.value(i), value)

        words = "is another variable than belongs here"
        yield (
            sites,
            depth,
            make,
            Repair(UNPLACED, "wrong-variable", words, 1.05, q, spelling=offer.text, text=offer.text, span=operand),
        )


def _other_case(passage: Passage, sites: tuple[Site, ...], depth: int) -> Iterator[Try]:
    """``where(z > 0, g, 0)`` for ``where(z > 0, g, 0.1*g)``: a number of the forward pass times the other case."""
    i, slot = sites[0]
    step, source = passage.graph.steps[i], passage.text.source
    other = next(k for k in cases(step.op) if k != slot)
    where, beside = source.operand(step.span, slot), source.operand(step.span, other)
    if where is None or beside is None or not passage.graph.steps[step.inputs[other]].shape:
        return
    for number, said in passage.numbers:

        def make(_i: int, value: Vec, args: Sequence[Vec], number: Fraction = number) -> Vec:
            return slimmed(args[other] * constant(number, len(lifted(args[other]).arrays)), value)

        own = source.text(beside)
        text = f"{said} * {own}" if source.is_atom(own) else f"{said} * ({own})"
        yield sites, depth, make, Repair(
            UNPLACED, "missing-factor", "leaves out the gradient that arrives", 1.0, text=text, span=where
        )


def _too_early(passage: Passage) -> Iterator[Try]:
    """A value that is read before the line that works it out: two lines changed places."""
    if len(passage.ends) > 1:
        return
    source = passage.text.source
    for i in passage.steps:
        step = passage.graph.steps[i]
        for slot, j in enumerate(step.inputs):
            where = source.operand(step.span, slot)
            name = source.text(where) if where is not None else ""
            times = [(t, k) for t, k in passage.text.bound.get(name, ()) if t > i and k != j]
            if not times or passage.layout.is_forward(times[0][1]) or i in passage.layout.feeding([times[0][1]]):
                continue
            later = times[0][1]
            told = source.statements.moved_behind(source.statement(step.span), name)
            if told is None or passage.graph.steps[later].is_leaf:
                continue

            def make(_i: int, value: Vec, _args: Sequence[Vec], later: int = later) -> Vec:
                return slimmed(passage.board.now(later), value)

            words = f"is read before {name} is worked out"
            span, text = told
            yield ((i, slot),), 0, make, Repair(UNPLACED, "overwritten", words, 0.9, text=text, span=span)


def _added_later(passage: Passage) -> Iterator[Try]:
    """``dcounts += dcounts_sum`` is missing further down, where that is worked out and used nowhere."""
    if len(passage.ends) > 1:
        return
    source, layout = passage.text.source, passage.layout
    for unit in passage.units:
        shape = passage.graph.steps[unit.step].shape
        statement = source.statement(unit.span)
        if not unit.name.isidentifier() or not shape or statement is None or (unit.name, unit.step) in layout.continued:
            continue
        for name in passage.idle & layout.last.keys():
            late = layout.last[name]
            # dx = dx1, further down, is where dx2 belongs.
            renamed = next((u for u in layout.units_at[unit.step] if u.line > late.line and not u.augmented), None)
            if renamed is unit:
                continue
            told = source.statements.followed(statement, late.span.line, f"{unit.name} += {name}")
            if renamed is not None:
                told = renamed.span, f"{source.text(renamed.span)} + {name}"
            if late.step <= unit.step or told is None or unit.step in layout.feeding([late.step]):
                continue
            if shape_of(OPS["add"], [shape, passage.graph.steps[late.step].shape], {}) != shape:
                continue

            def make(_i: int, value: Vec, _args: Sequence[Vec], later: int = late.step) -> Vec:
                return apply("add", [value, slimmed(passage.board.now(later), value)])

            span, text = told
            words = f"leaves out {name}, which is worked out in line {late.line} and used nowhere"
            yield ((unit.step, -1),), 0, make, Repair(UNPLACED, "missing-term", words, 0.85, text=text, span=span)


def _flows(passage: Passage) -> Iterator[Try]:
    """What flows along another path is left out, in every round of a loop."""
    rounds = len(passage.ends)
    ends = tuple((i, -1) for i in sorted({u.step for u in passage.units if not u.augmented}) or passage.handed)
    if len(ends) != rounds:
        return
    shape = passage.graph.steps[ends[0][0]].shape
    for q, vecs in passage.flowing(rounds):
        if vecs[0].shape == shape != ():

            def make(i: int, value: Vec, _args: Sequence[Vec], vecs: Sequence[Vec] = vecs) -> Vec:
                return value + slimmed(vecs[passage.round_of(i)], value)

            cost = 1.5 if rounds > 1 else 1.9  # whatever the line is
            yield ends, 0, make, Repair(UNPLACED, "missing-term", "leaves out a term", cost, q, "+")


def _lacking(unit: Unit, part: Quantity) -> Try:
    """One of the paths is left out: that through the regulariser."""

    def make(_i: int, value: Vec, _args: Sequence[Vec]) -> Vec:
        return value + slimmed(part.vec, value)

    words = "leaves out a term"
    return ((unit.step, -1),), 0, make, Repair(UNPLACED, "missing-term", words, 1.2, part, "+")


def _undone(passage: Passage) -> Iterator[Try]:
    """``dlogits /= N`` is missing after ``dlogits[i, y] -= 1``."""
    if passage.text.loops.get(passage.number):
        return
    for unit in passage.units:
        step = passage.graph.steps[unit.step]
        if (unit.name, unit.step) in passage.layout.continued or not (written(step.op) or _adds(passage, unit)):
            continue
        name = unit.name.split("[", maxsplit=1)[0]
        span = passage.text.source.statement(unit.span)
        if span is None:
            continue
        own = passage.text.source.text(span)
        lengths = {n for j in (unit.step, *passage.line.used()) for n in passage.graph.steps[j].shape if n > 1}
        for n in dict.fromkeys((2, *sorted(lengths), *(2 * n for n in sorted(lengths)))):
            for factor in (Fraction(1, n), Fraction(n)):

                def make(_i: int, value: Vec, _args: Sequence[Vec], factor: Fraction = factor) -> Vec:
                    return value * constant(factor, len(lifted(value).arrays))

                text = f"{own}; {name} {'/' if factor < 1 else '*'}= {passage.text.count(n, unit.line)}"
                yield ((unit.step, -1),), 0, make, Repair(
                    UNPLACED, "scale", "leaves the whole off by a constant factor", 1.2, None, "*", factor,
                    text=text, span=span,
                )  # fmt: skip


def _not_divided_before(passage: Passage) -> Iterator[Try]:
    """``dW /= N`` is missing before ``dW += reg*W``: the sum over the samples that a penalty is added to."""
    if passage.text.loops.get(passage.number) or len(passage.ends) > 1:
        return
    for unit in passage.units:
        step = passage.graph.steps[unit.step]
        added = is_sum(step.op) and step.inputs[0] != step.inputs[1]
        if not added or not step.shape or passage.graph.steps[step.inputs[0]].shape != step.shape:
            continue
        span, before = passage.text.source.statement(unit.span), passage.text.source.operand(step.span, 0)
        name = unit.name.split("[", maxsplit=1)[0]
        if span is None or not (unit.augmented or (before and passage.text.source.text(before) == name)):
            continue
        own = passage.text.source.text(span)
        for n in passage.counts:

            def make(_i: int, value: Vec, _args: Sequence[Vec], n: int = n) -> Vec:
                return value * constant(Fraction(1, n), len(lifted(value).arrays))

            words = f"adds to a sum that is {n} times too large: it is not divided before"
            text = f"{name} /= {passage.text.count(n, unit.line)}; {own}"
            yield ((unit.step, 0),), 0, make, Repair(
                UNPLACED, "scale", words, 1.15, None, "*", Fraction(1, n), text=text, span=span
            )


def _adds(passage: Passage, unit: Unit) -> bool:
    infix = OPS[passage.graph.steps[unit.step].op].infix
    return bool(unit.augmented) or (infix is not None and unit.previous in passage.graph.steps[unit.step].inputs)
