"""What would make a wrong line right: the cheapest change to one sub-expression, or to two.

Each sub-expression of the line is asked: what value would you need for the line to be right? That value is found by
inverting the ops between the line and the sub-expression, and looked up among all that is true of the forward pass.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace

from symgrad.diagnose.observing.replay import Budget
from symgrad.diagnose.observing.subject import BITS
from symgrad.diagnose.observing.truth import Quantity
from symgrad.diagnose.values.vectors import Vec, apply, differ, difference, is_other, quotient
from symgrad.diagnose.walking.confusions import alternatives, differ_by_sign, swapped
from symgrad.diagnose.walking.places import Context, Line, Place, Repair
from symgrad.diagnose.walking.products import divides, is_twice, is_written
from symgrad.effort import is_spent
from symgrad.enclosure import precision
from symgrad.ops import OPS

#: What it costs to divide or subtract something that is nowhere written: what is too many stands there, as a rule.
UNWRITTEN = 1.9
#: ... that the line is to be multiplied by what it divides by: ``x/z**3*z``.
AGAINST = 0.5
#: ... that a divisor was left out.
UNDIVIDED = 1.6
#: ... that a sign is wrong besides a scale.
BOTH = 1.0
#: ... that what is too many is several paths at once.
SEVERAL = 1.0
#: ... that a value of the forward pass belongs there which has no name.
NAMELESS = 0.6
#: What it costs that a factor is one too many that is written twice.
TWICE = 0.8
#: Repairs that are weighed by what they make of the line.
MOST_WEIGHED = 32
#: A missing product is looked for so deep in a line, and made of so many derivatives, the latest first.
DEEPEST, NEAREST = 3, 8
#: A line of arrays with more steps than this is not searched for changes of two places.
ROUNDS = 12


def repairs(
    line: Line, context: Context, slots: Sequence[int] | None = None, budget: Budget | None = None
) -> list[Repair]:
    """All changes of one sub-expression that make the line's value the goal, cheapest first.

    With ``slots`` only the sub-expression is looked at that one comes to by these operands, from the line inwards.
    ``budget``: what may be computed where a variable stands in several places; what is used is taken off it.
    """
    found: list[Repair] = []
    with precision(BITS):
        for place in line.places(context.goal.vec):
            if slots is not None and [slot for _, slot in place.path] != list(slots):
                continue
            have = line.values(place.node)
            if have.same(place.wanted) or not place.wanted.usable:
                continue
            found.extend(_candidates(line, place, have, context))
        if slots is None and not is_dear(line, context):
            found.extend(_everywhere(line, context, budget))
        # In a long loop hundreds of variables have the same value; only what may be chosen is weighed.
        found.sort(key=lambda r: (r.cost, len(r.place.path)))
        found = [*_weighed(line, context, found[:MOST_WEIGHED]), *found[MOST_WEIGHED:]]
    return sorted(found, key=lambda r: (r.cost, len(r.place.path)))


def is_dear(line: Line, context: Context) -> bool:
    """Many rounds of a loop over arrays: there :mod:`changes` looks at all rounds at once."""
    return context.known.truth.subject.is_shaped and len(line.inside()) > ROUNDS


def _weighed(line: Line, context: Context, some: Sequence[Repair]) -> Sequence[Repair]:
    """A line is linear in the gradient that it is given: a change after which it is not is far-fetched."""
    if not some:
        return some
    used = line.used()
    order, ends = sorted({*line.inside(), *used}), set(used)
    before = _degree(line, context, None, order, ends)
    if before == 0 and not context.seeded and not any(context.flows(i) for i in used):
        return some
    right = [_degree(line, context, r, order, ends) == 1 for r in some]
    return [r if fine else replace(r, cost=r.cost + 0.3) for r, fine in zip(some, right, strict=True)]


def _degree(
    line: Line, context: Context, repair: Repair | None, order: Sequence[int], ends: Collection[int]
) -> float:
    """In which power a line holds upstream gradients; with a repair, in which it would.

    ``order`` are its steps, and ``ends`` those at which it ends.
    """
    degrees: dict[int, float] = {}
    for i in order:
        step = line.graph.steps[i]
        if i in ends:
            degrees[i] = float(context.flows(i))
            continue
        infix = OPS[step.op].infix
        parts = [degrees.get(j, 0.0) for j in step.inputs]
        if repair is not None and repair.place.parent == i and not repair.everywhere:
            slot = repair.place.slot
            parts[slot] = _changed(line, context, repair, degrees)
        if infix is None or infix.prefix or infix.symbol in "+-":
            degrees[i] = max(parts, default=0.0)
        elif infix.symbol == "*":
            degrees[i] = parts[0] + parts[1]
        elif infix.symbol == "/":
            degrees[i] = parts[0] - parts[1]
        else:
            degrees[i] = parts[0]
    if repair is not None and repair.place.parent < 0:
        return _changed(line, context, repair, degrees)
    return degrees.get(line.root, 0.0)


def _changed(line: Line, context: Context, repair: Repair, degrees: Mapping[int, float]) -> float:
    """The degree of the repaired place."""
    node = repair.place.node
    have = degrees.get(node, 0.0)
    if repair.keep >= 0:
        return degrees.get(line.graph.steps[node].inputs[repair.keep], 0.0)
    if repair.regain:
        return 1.0
    q = repair.quantity
    if q is None:
        return have if repair.combine or repair.op else 0.0
    at_loss = q.kind == "local" and q.top == context.known.truth.subject.loss
    own = 1.0 if at_loss or q.kind in ("cotangent", "contribution", "sum") else 0.0
    if repair.combine == "*":
        return have + own
    if repair.combine == "/":
        return have - own
    return max(have, own) if repair.combine else own


def _everywhere(line: Line, context: Context, budget: Budget | None) -> Iterator[Repair]:
    """One variable in place of another wherever the line, or the functions that it calls, have it: z*(1 - z)."""
    own = line.graph.steps[line.root].span
    uses: dict[tuple[int, bool], list[tuple[int, int]]] = {}
    if budget is not None and (budget.left <= 0 or is_spent()):
        return
    everything = line.everything()
    for i in everything:
        span = line.graph.steps[i].span
        inside = own is None or span is None or (own.line <= span.line <= own.end_line)
        for slot, j in enumerate(line.graph.steps[i].inputs):
            if context.variable(j) and not line.graph.steps[j].is_const:
                uses.setdefault((j, inside), []).append((i, slot))
    everything.sort()
    for (j, inside), places in uses.items():
        origin = context.origin(j)
        is_value = context.known.truth.values[origin] is not None
        called = any(i in context.known.truth.subject.callers for i, _ in places)
        if (not is_value and (inside or not called)) or (len(places) < 2 and not called):
            continue
        if budget is not None:
            if budget.left <= 0:
                return
            budget.left -= len(everything)
        others = [q for q in context.forward() if q.bottom != origin]
        for n, made in line.respelled(places, [q.vec for q in others], context.goal.vec, everything, budget):
            if made.same(context.goal.vec):
                q = others[n]
                parent, slot = min(places)
                place = Place(j, parent, slot, q.vec, ((parent, slot),))
                mistake, words = swapped(context.known, origin, q, context.variable)
                cost = 1.0 if is_value else 1.3
                yield Repair(place, mistake, words, cost, q, everywhere=tuple(sorted(places)))


def _candidates(line: Line, place: Place, have: Vec, context: Context) -> Iterator[Repair]:
    step = line.graph.steps[place.node]
    is_forward = context.known.truth.values[place.node] is not None
    if step.is_leaf and not is_forward and have.is_zero:
        return  # the start of an accumulation
    is_line = place.parent < 0
    simple = step.is_leaf or (bool(context.variable(place.node)) and not is_line)
    right = context.offers(place.wanted)
    is_one = any(_has_one(line, i) for i in (place.node, *(step for step, _ in place.path)))
    yield from _known_factor(place, have, right, context, simple=simple, is_one=is_one)
    yield from _other_variable(line, place, right, context, simple=simple)
    named = not step.is_const and bool(context.variable(place.node))
    is_number = step.is_const or (step.is_input and not is_forward)
    yield from _other_number(place, have, right, is_number, named=named, is_power=_is_power(line, place))
    yield from _dropped_operand(line, place, context)
    yield from _multiple(place, have, simple=simple, is_const=step.is_const)
    yield from _other_operation(line, place)
    yield from _other_power(line, place, have, is_flow=context.flows(place.node))
    numbers = not context.known.truth.subject.is_shaped
    if not is_line:
        for q in right:
            if q.kind in ("local", "contribution", "term", "sum") or (
                q.kind in ("cotangent", "tangent") and not simple
            ):
                extra = 0.0 if q.kind == "local" else 0.2
                extra += NAMELESS * (numbers and simple and q.kind == "local" and not context.variable(q.top))
                yield Repair(place, "wrong-formula", "is not the derivative that belongs here", 2.6 + extra, q)
            elif q.kind == "forward" and not simple:
                extra = NAMELESS * (numbers and not context.variable(q.bottom))
                yield Repair(place, "wrong-formula", "is another value than belongs here", 2.2 + extra, q)
        for q in context.offers(-place.wanted):
            if q.kind == "local":
                words = "is not the derivative that belongs here"
                yield Repair(place, "wrong-formula", words, 3.2, q, negated=True)
    yield from _factor_or_term(line, place, have, context, simple=simple and not is_line)


def _known_factor(
    place: Place, have: Vec, right: Sequence[Quantity], context: Context, *, simple: bool, is_one: bool
) -> Iterator[Repair]:
    """A factor that is known to be written wrongly. That a lone variable is one is said less readily; nor, ``is_one``,
    that a number was left out, where a product has a number in its place."""
    if place.parent < 0:
        right = [q for q in context.known.right(place.wanted) if q.kind == "local"]
    for wrong in context.known.wrong(have):
        for q in right:
            if q.kind == "local" and (q.top, q.bottom) == (wrong.top, wrong.bottom):
                cost = wrong.cost + (0.45 if simple else 0.0) + (0.6 if is_one else 0.0)
                yield Repair(place, wrong.mistake, wrong.words, cost, q)


def _has_one(line: Line, node: int) -> bool:
    """A product that begins with the number 1: ``0.5 * 2 * x``, which Python itself works out."""
    step = line.graph.steps[node]
    while not step.is_leaf and (infix := OPS[step.op].infix) is not None and infix.symbol == "*":
        first = line.graph.steps[step.inputs[0]]
        if first.is_const and first.value == 1:
            return True
        step = first
    return False


def _other_variable(
    line: Line, place: Place, right: Sequence[Quantity], context: Context, *, simple: bool
) -> Iterator[Repair]:
    """A variable in place of another one; likelier if both are values, or both derivatives."""
    step = line.graph.steps[place.node]
    origin = context.origin(place.node)
    is_value = context.known.truth.values[origin] is not None
    if not simple or step.is_const or (place.parent < 0 and step.is_input and not is_value):
        return
    for q in right:
        if q.kind == "forward":
            named = q.bottom in context.known.truth.subject.names
            cost = 1.0 + (0.0 if named else 0.4) + (0.0 if is_value else 0.6)
            yield Repair(place, *swapped(context.known, origin, q, context.variable), cost, q)
        elif q.kind in ("cotangent", "tangent") and context.held(q):
            cost = 1.25 if is_value else 1.05
            if q.kind == "cotangent" and context.goal.kind in ("cotangent", "contribution", "sum"):
                # That of something else which merely has the same gradient, up to the sign, say.
                cost += 0.5 * (not context.known.truth.reaches(context.goal.bottom, q.bottom))
            # What is carried forward is no part of what is carried back.
            cost += 0.5 * (q.kind == "tangent" and context.goal.kind in ("cotangent", "contribution", "sum"))
            words = "is another derivative than belongs here" if not is_value else "stands where a derivative belongs"
            yield Repair(place, "wrong-variable", words, cost, q)


def _other_number(
    place: Place, have: Vec, right: Sequence[Quantity], is_number: bool, *, named: bool, is_power: bool
) -> Iterator[Repair]:
    """A number in place of another one. An exponent of the other sign is rather a quotient for a product."""
    if not is_number:
        return
    for q in right:
        if q.kind == "forward" and not named and have.same_at_user(place.wanted):
            yield Repair(place, "literal", "is the value of a variable, written out", 0.3, q)
    number = place.wanted.constant()
    if number is not None:
        turned = number == -(have.constant() or 0)
        mistake = "wrong-formula" if is_power else "sign" if turned else "scale"
        cost = 1.02 + 0.4 * (turned and is_power)
        yield Repair(place, mistake, "is another number than belongs here", cost, number=number)


def _is_power(line: Line, place: Place) -> bool:
    """The place is an exponent."""
    infix = OPS[line.graph.steps[place.parent].op].infix if place.parent >= 0 else None
    return infix is not None and infix.symbol == "**" and place.slot == 1


def _dropped_operand(line: Line, place: Place, context: Context) -> Iterator[Repair]:
    """A factor, a term or a sign that should not be there: what is left without it is right.

    A factor that is another one written wrongly is not one too many.
    """
    step = line.graph.steps[place.node]
    if step.is_leaf or (place.parent >= 0 and line.is_stop(place.node)):
        return
    infix = OPS[step.op].infix
    if infix is None:
        return
    for slot, j in enumerate(step.inputs):
        if not line.values(j).same(place.wanted):
            continue
        if infix.prefix:
            if infix.symbol:
                yield Repair(place, "sign", "has a minus sign too many", 0.85, keep=slot)
        elif infix.symbol in "*/" or infix.symbol == "**":
            # x**2 for x is a wrong exponent rather than a factor too many; the number's own repair is cheaper.
            dropped = line.graph.steps[step.inputs[1 - slot]]
            if dropped.is_const and infix.symbol in "*/":
                yield Repair(place, "scale", "has a constant factor too many", 0.45, keep=slot)
                continue
            cost = 0.95 if infix.symbol in "*/" else 1.3
            if is_twice(line, place.node, 1 - slot):
                cost = TWICE
            else:
                cost += 0.5 * bool(context.known.wrong(line.values(step.inputs[1 - slot])))
            yield Repair(place, "extra-factor", "has a factor too many", cost, keep=slot)
        elif infix.symbol in "+-":
            yield Repair(place, "extra-term", "has a term too many", 0.95, keep=slot)


def _multiple(place: Place, have: Vec, *, simple: bool, is_const: bool) -> Iterator[Repair]:
    """The sign, or a constant factor."""
    if is_const or differ(*[quotient(place.wanted.rough(k), have.rough(k)) for k in (1, 2)]):
        return
    factor = (place.wanted / have).constant()
    if factor is None or factor == 1:
        return
    # The outermost place that is off by a factor is the one to name; a variable is never "off by two".
    extra = (0.0 if place.parent < 0 else 0.1) + (0.2 if simple else 0.0)
    if factor == -1:
        yield Repair(place, "sign", "has the wrong sign", 0.9 + extra, number=factor, combine="*")
    else:
        extra += BOTH if factor < 0 else 0.0
        yield Repair(place, "scale", "is off by a constant factor", 1.1 + extra, number=factor, combine="*")


def _other_power(line: Line, place: Place, have: Vec, *, is_flow: bool) -> Iterator[Repair]:
    """x where x**2 belongs; a gradient that comes from above is never squared."""
    step = line.graph.steps[place.node]
    if step.is_const or place.parent < 0 or is_flow:
        return
    x, y = have.rough(1), place.wanted.rough(1)
    for power in (2, 3):
        if abs(x) < 1e9 and differ(x**power, y):
            continue
        wanted = have * have if power == 2 else have * have * have
        if wanted.same(place.wanted):
            yield Repair(
                place, "missing-factor", "is of a lower power than belongs here", 1.15, number=power, combine="**"
            )


def _other_operation(line: Line, place: Place) -> Iterator[Repair]:
    """Another op on the same inputs, or the same op with its inputs the other way round."""
    step = line.graph.steps[place.node]
    if step.is_leaf or (place.parent >= 0 and line.is_stop(place.node)):
        return
    args = [line.values(j) for j in step.inputs]
    for name in alternatives(step.op):
        if OPS[name].arity != len(args):
            continue
        if not is_other(name, args, place.wanted) and apply(name, args).same(place.wanted):
            mistake = "sign" if differ_by_sign(name, step.op) else "wrong-formula"
            yield Repair(place, mistake, "applies another operation than belongs here", 1.0, op=name)
    if len(args) != 2 or is_other(step.op, args[::-1], place.wanted):
        return
    if apply(step.op, args[::-1], step.params).same(place.wanted):
        yield Repair(place, "wrong-formula", "has its two operands the wrong way round", 1.15, op=step.op)


def _factor_or_term(line: Line, place: Place, have: Vec, context: Context, *, simple: bool) -> Iterator[Repair]:
    """A missing factor or term, or one too many that is not written as an operand of its own."""
    known, x, y = context.known, have.rough(1), place.wanted.rough(1)
    # -1 for p - 1: nobody writes the factor 1 alone.
    bare = place.parent < 0 and have.constant() in (1, -1)
    ratio = place.wanted / have
    far = known.is_far(quotient(y, x), quotient(x, y), -quotient(y, x))
    if not far and ratio.usable and not ratio.is_zero and ratio.constant() is None:
        for q in context.offers(ratio):
            if q.kind in ("local", "forward") or (q.kind in ("cotangent", "tangent") and context.held(q)):
                cost = 1.35 + (0.0 if q.kind == "local" else 0.1) + (0.15 if simple else 0) + 0.6 * bare
                cost += AGAINST * divides(line, place.node, q.vec)
                yield Repair(place, "missing-factor", "leaves out a factor", cost, q, "*")
        for q in context.offers(-ratio):
            if q.kind in ("cotangent", "tangent") and context.held(q):
                cost = 1.5 + (0.15 if simple else 0)
                yield Repair(place, "missing-factor", "leaves out a factor", cost, q, "*", negated=True)
        for q in context.offers(have / place.wanted):
            if q.kind in ("local", "forward") or (q.kind in ("cotangent", "tangent") and context.held(q)):
                if is_written(line, place.node, q.vec):
                    yield Repair(place, "extra-factor", "has a factor too many", UNWRITTEN, q, "/")
                else:
                    yield Repair(place, "missing-factor", "leaves out a factor", UNDIVIDED, q, "/")
    rest = difference(y, x)
    unknown = known.is_far(rest, -rest) and differ(abs(rest), 1.0)
    plain = not known.truth.subject.is_shaped and len(place.path) <= DEEPEST
    if unknown and not plain:
        return
    gap = place.wanted - have
    if not gap.usable or gap.is_zero:
        return
    if plain and (unknown or (not context.offers(gap) and not context.offers(-gap))):
        yield from _product_term(place, gap, context)
    if unknown:
        return
    number = gap.constant()
    if number is not None and abs(number) == 1:
        yield Repair(place, "missing-term", "leaves out a term", 1.3, number=number, combine="+")
    kinds = ("contribution", "term", "cotangent", "sum", "tangent", "forward")
    for sign, words, mistake, how in (
        (gap, "leaves out a term", "missing-term", "+"),
        (-gap, "has a term too many", "extra-term", "-"),
    ):
        for q in context.offers(sign):
            if q.kind in kinds:
                far = (q.kind == "forward" and not bare) or (q.kind in ("cotangent", "tangent") and not context.held(q))
                # That it is one too many of something without a name says little.
                cost = UNWRITTEN + 0.5 * (context.goal.kind == "helper") if how == "-" else 1.5 + (0.5 if far else 0.0)
                cost += SEVERAL * (plain and how == "-" and q.kind == "sum")
                yield Repair(place, mistake, words, cost + (0.1 if simple else 0), q, how)


def _product_term(place: Place, gap: Vec, context: Context) -> Iterator[Repair]:
    """A missing term that is a derivative times a variable: du_dx*v of (du_dx*v - u*dv_dx)/v**2."""
    left = gap.rough(1)
    for _, have in context.derivatives(place.parent if place.parent >= 0 else place.node)[:NEAREST]:
        rough = quotient(left, have.rough(1))
        if context.known.is_far(rough, -rough) or have.constant() is not None:
            continue
        for negated, ratio in ((False, gap / have), (True, -gap / have)):
            if any(q.kind in ("forward", "local") for q in context.known.right(ratio)):
                q = Quantity("helper", -1, -1, -gap if negated else gap)
                yield Repair(place, "missing-term", "leaves out a term", 1.6, q, "+", negated=negated)
