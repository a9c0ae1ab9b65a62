"""What would make a wrong line of arrays right: changes are tried, one by one, until the line comes out as it should.

A matrix product cannot be solved for its factors, nor a sum for its terms. So where :mod:`repair` asks what value a
sub-expression would need, here each sub-expression is changed in every way that people slip, and the line is computed
again: at one random point first, and at all of them where that fits. A line that ran many times (a loop) is changed in
every round alike, as an editor would.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import partial
from operator import add, itemgetter, mul, sub, truediv

from symgrad.diagnose.observing.match import Known
from symgrad.diagnose.observing.replay import Budget
from symgrad.diagnose.observing.truth import Quantity
from symgrad.diagnose.values.shaped import Shape, Shaped, lifted, shape_of
from symgrad.diagnose.values.vectors import Vec, apply, constant
from symgrad.diagnose.walking.confusions import alternatives, differ_by_sign, swapped
from symgrad.diagnose.walking.offers import offers as offers_of
from symgrad.diagnose.walking.places import Context, Line, Place, Repair
from symgrad.diagnose.walking.region import Make, Offer, Region, Site, is_slim, slim, slimmed
from symgrad.graph import Step
from symgrad.ops import OPS, TensorOp
from symgrad.ops.slips import Slip, around, is_place, is_same_place, repeating, slips, written
from symgrad.ops.tensor import typed

#: Changes that cost so little more than the cheapest are found as well.
TIE = 0.1
#: What a change of sign or scale costs at least.
SCALES = 0.9


def changes(
    line: Line, context: Context, ends: Sequence[int] = (), bound: float = math.inf, budget: Budget | None = None
) -> list[Repair]:
    """The cheapest changes of one sub-expression that make the line's value the goal.

    Args:
        ends: where the rounds of a loop end that this line is.
        bound: only changes that cost less are looked for.
        budget: what may be computed; what is used is taken off it.
    """
    region = Region(line, context, ends)
    budget = budget or Budget()
    given = region.left = min(region.left, budget.left)
    offers = offers_of(region)
    tried: list[tuple[float, int, tuple[Site, ...], Make, Repair]] = []
    places = [(depth, sites) for depth, sites in enumerate(region.groups()) if region.may_fit(sites)]
    for depth, sites in places:
        tried += [(r.cost, depth, sites, make, r) for make, r in ways(region, sites, offers) if r.cost < bound]
    tried.sort(key=itemgetter(0, 1))
    found: list[Repair] = []
    for cost, _, sites, make, repair in tried:
        if region.left <= 0 or (found and cost > found[0].cost + TIE):
            break
        if region.works(sites, make):
            found.append(replace(repair, place=region.place(sites, make)))
    least = found[0].cost if found else bound
    for depth, sites in places:
        if least > SCALES:
            for make, repair in _scaled(region, sites, is_root=depth == 0, is_variable=sites[0][1] >= 0):
                if repair.cost < least and region.works(sites, make):
                    found.append(replace(repair, place=region.place(sites, make)))
    budget.left -= given - region.left
    return sorted(found, key=lambda r: (r.cost, len(r.place.path)))


_NOWHERE = Place(-1, -1, -1, constant(0, 1), ())


def _repair(mistake: str, words: str, cost: float, **more: object) -> Repair:
    return Repair(_NOWHERE, mistake, words, cost, **more)  # type: ignore[arg-type]


def ways(region: Region, sites: tuple[Site, ...], offers: Sequence[Offer]) -> Iterator[tuple[Make, Repair]]:
    """Everything that is tried at one place."""
    i, slot = sites[0]
    step = region.graph.steps[i]
    node = step.inputs[slot] if slot >= 0 else i
    have = region.value(node)
    is_root = node == region.line.root
    if not region.graph.steps[node].is_const:
        yield from _as_known(region, have, node)  # of a number that is written down it says nothing
    if slot < 0:
        yield from _other_op(region, i)
        if is_place(step.op) and len({region.graph.steps[k].params for k, _ in sites}) == 1:
            yield from _other_place(region, i)
        yield from _fewer(region, i)
        yield from _added(region, i)
    elif region.graph.steps[node].is_const:
        yield from _other_number(region, sites)
        return
    else:
        yield from _other_variable(region, node, have, offers)
        yield from _powers()
    for slip in around(have.shape):
        if region.wraps(sites, slip):
            yield _around(slip)
    if is_root and have.shape != region.goal.shape and have.alike(region.goal):
        yield _reshaped(region.goal)
    factors, terms = region.takes(sites)
    if factors or terms:
        goal = region.goal.shape
        yield from _combined(have, offers, goal, is_variable=slot >= 0, factors=factors, terms=terms)
    if factors:
        yield from _columns(have, offers)


def _on_inputs(compute: Callable[[Sequence[Vec]], Vec]) -> Make:
    """Something else made of a step's inputs."""

    def make(_i: int, _value: Vec, args: Sequence[Vec]) -> Vec:
        return compute(args)

    return make


def _joined(operation: Callable[[Vec, Vec], Vec], given: Make) -> Make:
    """What stands there, and something more."""

    def make(i: int, value: Vec, args: Sequence[Vec]) -> Vec:
        return operation(value, given(i, value, args))

    return make


def _around(slip: Slip) -> tuple[Make, Repair]:
    def make(_i: int, value: Vec, _args: Sequence[Vec]) -> Vec:
        return _apply(slip, [value])

    return make, _repair(slip.mistake, slip.words, slip.cost, template=slip.template)


def _reshaped(goal: Shaped) -> tuple[Make, Repair]:
    """The right numbers in another shape."""

    def make(_i: int, value: Vec, _args: Sequence[Vec]) -> Vec:
        found = lifted(value)
        fits = all(a.size in (1, math.prod(goal.shape)) for a in found.arrays)
        return found.reshaped(goal.shape) if fits else value

    how = ", ".join(map(str, goal.shape)) if len(goal.shape) > 1 else str(goal.shape[0] if goal.shape else ())
    return make, _repair(
        "wrong-shape", "has the right entries in another shape", 0.75, template=f"{{0}}.reshape({how})"
    )


def _apply(slip: Slip, values: Sequence[Vec]) -> Vec:
    """The op that a slip leads to; NaN where it does not fit."""
    args = [values[k] for k in slip.inputs]
    if shape_of(OPS[slip.op], [a.shape for a in args], slip.params) is None:
        return Shaped([float("nan")] * len(lifted(args[0]).arrays))
    return apply(slip.op, args, typed(slip.op, [a.shape for a in args], slip.params)[0])


def _as_known(region: Region, have: Vec, node: int) -> Iterator[tuple[Make, Repair]]:
    """A local derivative that is known to be written wrongly in just this way."""
    known: Known = region.context.known
    for wrong in known.wrong(have):
        for links in (known.truth.links.get(wrong.top, ()), known.truth.elementary.get(wrong.top, ())):
            for link in links:
                if link.bottom == wrong.bottom and link.local is not None:
                    q = Quantity("local", link.top, link.bottom, link.local)
                    extra = 0.45 if region.context.variable(node) else 0.0
                    yield _constantly(q.vec), _repair(wrong.mistake, wrong.words, wrong.cost + extra, quantity=q)
                    break


def _constantly(vec: Vec) -> Make:
    thin = slim(vec)

    def make(_i: int, value: Vec, _args: Sequence[Vec]) -> Vec:
        return thin if is_slim(value) else vec

    return make


def _other_op(region: Region, i: int) -> Iterator[tuple[Make, Repair]]:
    """Another op on the same inputs."""
    step = region.graph.steps[i]
    args = [region.value(j) for j in step.inputs]
    for slip in slips(step.op, [a.shape for a in args], dict(step.params)):
        swaps = slip.op == step.op and slip.inputs[-2:] != (len(slip.inputs) - 2, len(slip.inputs) - 1)
        yield (
            _on_inputs(partial(_apply, slip)),
            _repair(
                slip.mistake,
                slip.words,
                slip.cost,
                op=slip.op if swaps or not slip.respell else "",
                respell=slip.respell,
            ),
        )
    if not isinstance(OPS[step.op], TensorOp):
        for name in alternatives(step.op):
            sign = differ_by_sign(name, step.op)
            yield (
                _on_inputs(partial(apply, name)),
                _repair(
                    "sign" if sign else "wrong-formula", "applies another operation than belongs here",
                    # That a plus and a minus are mixed up is likelier than that a whole line lacks its sign.
                    0.88 if sign else 1.0, op=name,
                ),
            )
        if len(args) == 2:
            yield (
                _on_inputs(lambda args: apply(step.op, args[::-1])),
                _repair("wrong-formula", "has its two operands the wrong way round", 1.15, op=step.op),
            )


def _other_place(region: Region, i: int) -> Iterator[tuple[Make, Repair]]:
    """Another part of an array: one that is read elsewhere from an array of this shape."""
    step = region.graph.steps[i]
    shape = region.graph.steps[step.inputs[0]].shape
    seen = {step.params}
    for other in region.graph.steps:
        if other.op != step.op or len(other.inputs) != 1 or len(step.inputs) != 1 or other.params in seen:
            continue
        if region.graph.steps[other.inputs[0]].shape != shape or other.shape != step.shape:
            continue
        seen.add(other.params)
        if len(seen) > 40:
            return
        op = OPS[step.op]
        assert isinstance(op, TensorOp)  # only arrays have parts
        template = op.template(dict(other.params), [shape])
        yield (
            _on_inputs(partial(apply, step.op, params=other.params)),
            _repair("wrong-variable", "is another part of the array than belongs here", 0.95, operand=template),
        )


def _fewer(region: Region, i: int) -> Iterator[tuple[Make, Repair]]:
    """A factor, a term, a sign or a function that should not be there."""
    step = region.graph.steps[i]
    op = OPS[step.op]
    if op.infix is None and len(step.inputs) != 1:
        return
    for slot, _ in enumerate(step.inputs):
        make = _on_inputs(itemgetter(slot))
        if op.infix is None and region.value(i).alike(region.value(step.inputs[slot])):
            yield make, _repair("wrong-shape", "has the right entries in another shape", 0.7, keep=slot)
        elif op.infix is None:
            yield make, _repair("wrong-formula", f"applies {op.title} where nothing belongs", 0.98, keep=slot)
        elif op.infix.prefix:
            if op.infix.symbol:
                yield make, _repair("sign", "has a minus sign too many", 0.85, keep=slot)
        elif op.infix.symbol in "+-":
            yield make, _repair("extra-term", "has a term too many", 0.95, keep=slot)
        else:
            dropped = region.graph.steps[step.inputs[1 - slot]]
            if dropped.is_const and op.infix.symbol in "*/":
                yield make, _repair("scale", "has a constant factor too many", 0.45, keep=slot)
            else:
                cost = 0.95 if op.infix.symbol in "*/@" else 1.3
                yield make, _repair("extra-factor", "has a factor too many", cost, keep=slot)


def _added(region: Region, i: int) -> Iterator[tuple[Make, Repair]]:
    """``G[idx] += v`` where a place comes twice: only the last is kept."""
    step = region.graph.steps[i]
    if len(step.inputs) < 2:
        return
    value = region.graph.steps[step.inputs[1]]
    reading = written(step.op)
    # What is read out of another array is fresh: x[i:i+3] = cols[i].
    fresh = not any(_reads(region, j, step, reading) for j in (step.inputs[1], *value.inputs))
    if len(step.inputs) == 2 and reading and fresh:
        # Where nothing is there as yet, what is taken away is the value with the wrong sign.
        empty = apply(reading, [region.value(step.inputs[0])], step.params).is_zero
        for sign in (1, -1):

            def keep(k: int, _old: Vec, args: Sequence[Vec], sign: int = sign) -> Vec:
                place = region.graph.steps[k].params
                held = apply(reading, args[:1], place)
                return apply(step.op, [args[0], held + args[1] if sign > 0 else held - args[1]], place)

            yield keep, _repair(
                "lost-accumulation", "throws away what was there before", 0.4 if sign > 0 else 0.96 if empty else 0.5,
                regain=region.context.variable(i) or "it", combine="+" if sign > 0 else "-",
            )  # fmt: skip
    name = repeating(step.op, dict(step.params))
    if not name:
        return
    found = [-1]
    for slot, j in enumerate(() if value.is_leaf else value.inputs):
        read = region.graph.steps[j]
        same = not read.is_leaf and read.inputs == (step.inputs[0], *step.inputs[2:])
        if same and is_same_place(value.op, read.op, dict(read.params), dict(step.params)):
            found = [1 - slot]
    for other in found:

        def make(k: int, old: Vec, args: Sequence[Vec], other: int = other) -> Vec:
            steps = region.graph.steps
            added = args[1]
            if other >= 0:
                added = slimmed(region.value(steps[steps[k].inputs[1]].inputs[other]), old)
            return apply(name, [args[0], added, *args[2:]], steps[k].params)

        yield make, _repair(
            "lost-accumulation", "keeps only the last of what is added at a place that comes twice",
            0.3 if other >= 0 else 0.45, template="np.add.at",
        )  # fmt: skip


def _reads(region: Region, j: int, step: Step, reading: str) -> bool:
    """A step reads the very place that another one writes."""
    read = region.graph.steps[j]
    return read.op == reading and read.params == step.params and read.inputs[:1] == step.inputs[:1]


def _other_number(region: Region, sites: tuple[Site, ...]) -> Iterator[tuple[Make, Repair]]:
    """A number in place of another one."""
    i, slot = sites[0]
    have = region.graph.steps[region.graph.steps[i].inputs[slot]].value
    tried = [Fraction(1), Fraction(2), Fraction(1, 2), Fraction(3)]  # a sign is a mistake of its own
    if isinstance(have, Fraction):
        tried += [-have, have + 1, have - 1, 2 * have, have / 2, *([1 / have] if have else [])]
        tried += [Fraction(n) for n in _lengths(region)]
        parts = have.limit_denominator(1000)
        if parts.numerator == 1 and parts.denominator > 1 and abs(parts - have) < have / 10**9:
            tried += [Fraction(1, n) for n in (parts.denominator + k for k in (-1, 1, -2, 2)) if n > 1]
            tried += [Fraction(1, n) for n in _lengths(region)]
    rests = {Fraction(n) for n in _lengths(region) if n > 2}
    for number in dict.fromkeys(tried):
        if number != have:
            mistake = "sign" if isinstance(have, Fraction) and number == -have else "scale"
            # 2*x for 2*x/n: that a count is left out is likelier than another number.
            counted = isinstance(have, Fraction) and have > 1 and {number / have, have / (number or 1)} & rests
            cost = 1.02 + (0.12 if counted else 0.0)
            yield (
                _constantly(constant(number, len(region.goal.arrays))),
                _repair(mistake, "is another number than belongs here", cost, number=number),
            )


def _lengths(region: Region) -> list[int]:
    """The lengths of the axes that are about: N of the wrong axis is a common slip."""
    return sorted({n for i in (*region.steps, *region.line.used()) for n in region.graph.steps[i].shape if n > 1})


def _other_variable(region: Region, node: int, have: Vec, offers: Sequence[Offer]) -> Iterator[tuple[Make, Repair]]:
    context = region.context
    origin = context.origin(node)
    is_value = context.known.truth.values[origin] is not None
    for offer in offers:
        q = offer.quantity
        if not region.fits(offer, have) or q.vec.same(have):
            continue
        if q.kind == "forward":
            cost = 1.0 + (0.0 if is_value else 0.6)
            mistake, words = swapped(context.known, origin, q, context.variable)
            yield _given(offer), _repair(mistake, words, cost, quantity=q, series=offer.series, spelling=offer.text)
        elif q.kind != "local":
            cost = 1.25 if is_value else 1.05
            words = "is another derivative than belongs here"
            yield (
                _given(offer),
                _repair("wrong-variable", words, cost, quantity=q, series=offer.series, spelling=offer.text),
            )


def _given(offer: Offer) -> Make:
    def make(i: int, value: Vec, _args: Sequence[Vec]) -> Vec:
        return slimmed(offer.value(i), value)

    return make


def _scaled(
    region: Region, sites: tuple[Site, ...], *, is_root: bool, is_variable: bool
) -> Iterator[tuple[Make, Repair]]:
    """The sign or a constant factor: the line is linear in most of its places, so two runs tell the factor."""
    if region.left <= 0:
        return
    goal = region.goal
    node = region.graph.steps[sites[0][0]].inputs[sites[0][1]] if is_variable else sites[0][0]
    if region.graph.steps[node].is_const:
        return
    with_it, without = lifted(region.value(region.line.root)), lifted(region.attempt(sites, lambda i, v, args: v - v))
    if with_it.shape != goal.shape or without.shape != goal.shape:
        return
    factor = ((goal - without) / (with_it - without)).constant()
    if factor is None or factor == 1:
        return
    extra = (0.0 if is_root else 0.1) + (0.2 if is_variable else 0.0)
    number = constant(factor, len(region.goal.arrays))
    make: Make = lambda i, v, args: v * (slim(number) if is_slim(v) else number)  # noqa: E731
    if factor == -1:
        yield make, _repair("sign", "has the wrong sign", 0.9 + extra, number=factor, combine="*")
    else:
        yield make, _repair("scale", "is off by a constant factor", 1.1 + extra, number=factor, combine="*")


def _powers() -> Iterator[tuple[Make, Repair]]:
    """x where x**2 belongs."""
    yield (
        lambda i, v, args: v * v,
        _repair("missing-factor", "is of a lower power than belongs here", 1.15, number=2, combine="**"),
    )


def _combined(
    have: Vec, offers: Sequence[Offer], goal: Shape, *, is_variable: bool, factors: bool = True, terms: bool = True
) -> Iterator[tuple[Make, Repair]]:
    """A factor or a term that is missing, or one too many that is not written as an operand of its own."""
    extra = 0.15 if is_variable else 0.0
    for offer in offers:
        q = offer.quantity
        whole = shape_of(OPS["mul"], [have.shape, q.vec.shape], {})
        if whole is None or whole not in (have.shape, q.vec.shape):
            continue
        given = _given(offer)
        more = {"quantity": q, "series": offer.series, "spelling": offer.text}
        if q.kind != "sum" and factors:
            cost = 1.35 + (0.0 if q.kind == "local" else 0.1) + extra + (0.3 if whole != have.shape else 0.0)
            yield _joined(mul, given), _repair("missing-factor", "leaves out a factor", cost, combine="*", **more)
            yield _joined(truediv, given), _repair("extra-factor", "has a factor too many", 1.9, combine="/", **more)
        wide = whole == have.shape or (q.vec.shape == goal and q.kind not in ("forward", "local"))
        if q.kind == "local" or not wide or q.vec.same(have) or not terms:
            continue
        far = 0.5 if q.kind == "forward" else 0.0
        cost = 1.5 + far + extra
        yield _joined(add, given), _repair("missing-term", "leaves out a term", cost, combine="+", **more)
        yield _joined(sub, given), _repair("extra-term", "has a term too many", 1.9 + extra, combine="-", **more)


def _columns(have: Vec, offers: Sequence[Offer]) -> Iterator[tuple[Make, Repair]]:
    """A factor for each row: ``v[:, None]``."""
    for offer in offers:
        shape = offer.quantity.vec.shape
        if len(have.shape) != 2 or len(shape) != 1 or offer.quantity.kind != "forward" or not offer.text:
            continue
        if shape[0] != have.shape[0] or shape[0] == have.shape[1]:
            continue  # of as many rows as columns it would be a factor for each column

        def make(i: int, value: Vec, _args: Sequence[Vec], offer: Offer = offer) -> Vec:
            column = apply("reshape", [offer.value(i)], (("shape", (value.shape[0], 1)),))
            return value * slimmed(column, value)

        text = f"{{0}}*{offer.text}[:, None]"
        yield make, _repair("missing-factor", "leaves out a factor", 1.45, template=text)
