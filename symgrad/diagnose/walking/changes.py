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
from operator import add, itemgetter, mul, sub, truediv

from symgrad.diagnose.observing.match import Known
from symgrad.diagnose.observing.replay import Budget
from symgrad.diagnose.observing.truth import Quantity
from symgrad.diagnose.values.shaped import Shape, lifted, shape_of
from symgrad.diagnose.values.vectors import Vec, apply, constant
from symgrad.diagnose.walking.confusions import swapped
from symgrad.diagnose.walking.offers import offers as offers_of
from symgrad.diagnose.walking.otherwise import around_it, operations, repaired, reshaped_to
from symgrad.diagnose.walking.places import Context, Line, Repair
from symgrad.diagnose.walking.region import Make, Offer, Region, Site, is_slim, slim, slimmed
from symgrad.effort import is_spent
from symgrad.ops import OPS
from symgrad.ops.slips import around

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
        told = region.bending(sites, offers)
        tried += [(r.cost, depth, sites, make, r) for make, r in ways(region, sites, told) if r.cost < bound]
    tried.sort(key=itemgetter(0, 1))
    found: list[Repair] = []
    for cost, _, sites, make, repair in tried:
        if region.left <= 0 or is_spent() or (found and cost > found[0].cost + TIE):
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
        yield from operations(region, sites)
    elif region.graph.steps[node].is_const:
        yield from _other_number(region, sites)
        return
    else:
        yield from _other_variable(region, node, have, offers)
        yield from _powers()
    for slip in around(have.shape):
        if region.wraps(sites, slip):
            yield around_it(slip)
    if is_root and have.shape != region.goal.shape and have.alike(region.goal):
        yield reshaped_to(region.goal)
    factors, terms = region.takes(sites)
    if factors or terms:
        shapes = region.goal.shape, step.shape if slot >= 0 else have.shape
        yield from _combined(have, offers, shapes, is_variable=slot >= 0, factors=factors, terms=terms)
    if factors:
        yield from _columns(have, offers)


def _joined(operation: Callable[[Vec, Vec], Vec], given: Make) -> Make:
    """What stands there, and something more."""

    def make(i: int, value: Vec, args: Sequence[Vec]) -> Vec:
        return operation(value, given(i, value, args))

    return make


def _as_known(region: Region, have: Vec, node: int) -> Iterator[tuple[Make, Repair]]:
    """A local derivative that is known to be written wrongly in just this way."""
    known: Known = region.context.known
    for wrong in known.wrong(have):
        for links in (known.truth.links.get(wrong.top, ()), known.truth.elementary.get(wrong.top, ())):
            for link in links:
                if link.bottom == wrong.bottom and link.local is not None:
                    q = Quantity("local", link.top, link.bottom, link.local)
                    extra = 0.45 if region.context.variable(node) else 0.0
                    yield _constantly(q.vec), repaired(wrong.mistake, wrong.words, wrong.cost + extra, quantity=q)
                    break


def _constantly(vec: Vec) -> Make:
    thin = slim(vec)

    def make(_i: int, value: Vec, _args: Sequence[Vec]) -> Vec:
        return thin if is_slim(value) else vec

    return make


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
                repaired(mistake, "is another number than belongs here", cost, number=number),
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
            yield given(offer), repaired(mistake, words, cost, quantity=q, series=offer.series, spelling=offer.text)
        elif q.kind != "local":
            cost = 1.25 if is_value else 1.05
            words = "is another derivative than belongs here"
            yield (
                given(offer),
                repaired("wrong-variable", words, cost, quantity=q, series=offer.series, spelling=offer.text),
            )


def given(offer: Offer) -> Make:
    """What is offered, in place of what is there."""

    def make(i: int, value: Vec, _args: Sequence[Vec]) -> Vec:
        return slimmed(offer.value(i), value)

    return make


def _scaled(
    region: Region, sites: tuple[Site, ...], *, is_root: bool, is_variable: bool
) -> Iterator[tuple[Make, Repair]]:
    """The sign or a constant factor: the line is linear in most of its places, so two runs tell the factor."""
    if region.left <= 0 or is_spent():
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
        yield make, repaired("sign", "has the wrong sign", 0.9 + extra, number=factor, combine="*")
    else:
        yield make, repaired("scale", "is off by a constant factor", 1.1 + extra, number=factor, combine="*")


def _powers() -> Iterator[tuple[Make, Repair]]:
    """x where x**2 belongs."""
    yield (
        lambda i, v, args: v * v,
        repaired("missing-factor", "is of a lower power than belongs here", 1.15, number=2, combine="**"),
    )


def _combined(
    have: Vec, offers: Sequence[Offer], shapes: tuple[Shape, Shape], *, is_variable: bool, factors: bool = True,
    terms: bool = True,
) -> Iterator[tuple[Make, Repair]]:  # fmt: skip
    """A factor or a term that is missing, or one too many that is not written as an operand of its own.

    Args:
        shapes: that of the line's value, and of what the operation gives that reads the place.
    """
    goal, around = shapes
    extra = 0.15 if is_variable else 0.0
    for offer in offers:
        q = offer.quantity
        whole = shape_of(OPS["mul"], [have.shape, q.vec.shape], {})
        if whole is None or whole not in (have.shape, q.vec.shape):
            continue
        own = given(offer)
        more = {"quantity": q, "series": offer.series, "spelling": offer.text}
        if q.kind != "sum" and factors:
            wider = 0.0 if whole in (have.shape, around) else 0.3
            cost = 1.35 + (0.0 if q.kind == "local" else 0.1) + extra + wider
            yield _joined(mul, own), repaired("missing-factor", "leaves out a factor", cost, combine="*", **more)
            yield _joined(truediv, own), repaired("extra-factor", "has a factor too many", 1.9, combine="/", **more)
        wide = whole == have.shape or (q.vec.shape == goal and q.kind not in ("forward", "local"))
        if q.kind == "local" or not wide or q.vec.same(have) or not terms:
            continue
        far = 0.5 if q.kind == "forward" else 0.0
        cost = 1.5 + far + extra
        yield _joined(add, own), repaired("missing-term", "leaves out a term", cost, combine="+", **more)
        yield _joined(sub, own), repaired("extra-term", "has a term too many", 1.9 + extra, combine="-", **more)


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
        yield make, repaired("missing-factor", "leaves out a factor", 1.45, template=text)
