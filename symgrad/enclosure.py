"""Proven values: a derivative enclosed in Arb balls, at the exact binary values that a dtype holds.

Precision is doubled until the digits are proven or a limit is reached. Where the graph passes through a kink (relu at
0, a tie of max) the two one-sided derivatives are computed instead of one value.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from flint import arb, ctx

from symgrad.backward import Backward
from symgrad.errors import SymgradError
from symgrad.graph import Graph
from symgrad.ops import OPS, Condition
from symgrad.ops.balls import ArbMath, exact_ball, precision, run_balls

#: Precision to start with, and where to give up (in bits). The limit is lowered for large graphs.
FIRST_BITS = 128
LAST_BITS = 16384
#: Proven means: this many bits of the value.
PROVEN_BITS = 80
#: Work limit: bits of precision times steps, beyond which precision is not doubled again.
WORK_LIMIT = 2**31

_M = ArbMath()


class OutsideDomain(SymgradError):
    """The point is outside the domain of a step."""

    def __init__(self, message: str, graph: Graph, index: int) -> None:
        super().__init__(message, graph.steps[index].span, source=graph.source)
        self.index = index


@dataclass(frozen=True, slots=True)
class Proven:
    """A value that is known.

    Attributes:
        ball: encloses the true value; ``rad`` is below ``2**-PROVEN_BITS`` of it, or it is provably almost zero.
        kink: position of the first forward step whose kink the point lies on, or ``None``.
        left, right: one-sided derivatives where there is a kink.
        reason: why there is no derivative, in words; empty where there is one.
        where: the step that ``reason`` speaks of.
    """

    ball: Any
    kink: int | None = None
    left: Any = None
    right: Any = None
    reason: str = ""
    where: int | None = None

    @property
    def defined(self) -> bool:
        return not self.reason


@dataclass(frozen=True, slots=True)
class Proof:
    """Everything that was proven about one point.

    Attributes:
        output: the value of the function.
        gradients: one per variable, in the order asked for.
        bits: the working precision that it took.
        steps: a ball per step of the backward graph, at that precision.
    """

    output: Proven
    gradients: tuple[Proven, ...]
    bits: int
    steps: tuple[Any, ...]


def _proven(ball: Any) -> bool:
    """Enough digits are known, or the value is zero beyond any doubt that a float could resolve."""
    if not ball.is_finite():
        return False
    if ball.is_zero() or ball.rel_accuracy_bits() >= PROVEN_BITS:
        return True
    return bool(ball.abs_upper() < arb((1, -4096)))


def kinks_at(graph: Graph, balls: Sequence[Any], needed: Sequence[bool]) -> list[int]:
    """Forward steps that stand on a kink, or that cannot be told apart from it at this precision."""
    found = []
    for i, step in enumerate(graph.steps):
        if i >= len(needed) or not needed[i] or step.is_leaf or not OPS[step.op].kinks:
            continue
        if all(graph.steps[j].is_const for j in step.inputs):
            continue
        inputs = [balls[j] for j in step.inputs]
        for kink in OPS[step.op].kinks:
            if kink.varies is not None and graph.steps[step.inputs[kink.varies]].is_const:
                continue
            if kink.active is not None and kink.active(_M, *inputs).is_zero():
                continue
            if kink.expr(_M, *inputs).contains(0):
                found.append(i)
                break
    return found


def prove(reverse: Backward, point: Mapping[int, Fraction]) -> Proof:
    """Enclose the output and the gradients of ``reverse`` at ``point``.

    Args:
        reverse: a reverse pass, preferably in the accurate style: it then needs the least precision.
        point: the exact value of every input step that the output depends on.

    Raises:
        OutsideDomain: the point is outside the domain of some step (located at that step).
    """
    graph = reverse.graph
    targets = (graph.output, *reverse.gradients)
    needed = graph.ancestors(*targets)
    forward_needed = graph.ancestors(graph.output)
    bits = FIRST_BITS
    while True:
        with precision(bits):
            balls = run_balls(graph, {i: exact_ball(v) for i, v in point.items()}, needed)
            edge = _check_domain(graph, balls, forward_needed, final=_is_last(bits, len(graph)))
            kinked = kinks_at(graph, balls, forward_needed[: reverse.forward])
            sure = edge != "unknown" and all(_on_kink(graph, balls, i) for i in kinked)
            done = bool(kinked) or edge == "edge" or all(_proven(balls[t]) for t in targets)
            if (sure and done) or _is_last(bits, len(graph)) or (bits >= 1024 and _hopeless(graph, balls, needed)):
                break
        bits *= 2
    with precision(bits):
        output = _outcome(graph, balls, graph.output, reverse, "value")
        if kinked and output.defined:
            value, variables = _finely(reverse, point, bits), range(len(reverse.gradients))
            gradients = tuple(_one_sided(reverse, point, balls, kinked, t, value) for t in variables)
        else:
            gradients = tuple(_outcome(graph, balls, t, reverse, "derivative") for t in reverse.gradients)
    return Proof(output, gradients, bits, tuple(balls))


def _is_last(bits: int, steps: int) -> bool:
    return bits * 2 > LAST_BITS or bits * 2 * steps > WORK_LIMIT


def _hopeless(graph: Graph, balls: Sequence[Any], needed: Sequence[bool]) -> bool:
    """Some step has no finite value although its inputs are known well: more precision will not give it one."""
    for i, step in enumerate(graph.steps):
        if needed[i] and not step.is_leaf and not balls[i].is_finite():
            return all(balls[j].is_finite() and balls[j].rel_accuracy_bits() > 200 for j in step.inputs)
    return False


def _on_kink(graph: Graph, balls: Sequence[Any], index: int) -> bool:
    step = graph.steps[index]
    inputs = [balls[j] for j in step.inputs]
    return any(k.expr(_M, *inputs).is_zero() for k in OPS[step.op].kinks)


def _check_domain(graph: Graph, balls: Sequence[Any], needed: Sequence[bool], *, final: bool) -> str:
    """Refuse a point at which some forward step has no value.

    Returns:
        ``"unknown"`` where more precision is needed to tell, ``"edge"`` where a step is at the edge of its domain, else
        ``"inside"``.
    """
    status = "inside"
    for i, step in enumerate(graph.steps):
        if not needed[i] or step.is_leaf:
            continue
        op = OPS[step.op]
        inputs = [balls[j] for j in step.inputs]
        if any(not b.is_finite() for b in inputs):
            continue
        for condition in op.domain:
            at = condition.expr(_M, *inputs)
            if _violates(condition, at):
                if condition.relation == ">=" or at < 0:
                    message = f"{op.title} needs {condition.words}; here it is given {_given(inputs)}"
                    raise OutsideDomain(message, graph, i)
                status = "edge"
            elif not _satisfies(condition, at):
                status = "unknown"
        if status == "inside" and not balls[i].is_finite():
            status = "unknown" if not final else "edge"
        if status != "inside":
            return status
    return status


def _violates(condition: Condition, at: Any) -> bool:
    if condition.relation == ">":
        return bool(at <= 0)
    return bool(at < 0) if condition.relation == ">=" else bool(at.is_zero())


def _satisfies(condition: Condition, at: Any) -> bool:
    if condition.relation == ">":
        return bool(at > 0)
    return bool(at >= 0) if condition.relation == ">=" else not at.contains(0)


def _short(ball: Any) -> str:
    return trimmed(str(ball.str(6, radius=False)))


def trimmed(digits: str) -> str:
    """A decimal number without the zeros at the end of its mantissa."""
    mantissa, e, exponent = digits.partition("e")
    return (mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa) + e + exponent


def _given(inputs: Sequence[Any]) -> str:
    return " and ".join(_short(b) for b in inputs)


def _outcome(graph: Graph, balls: Sequence[Any], target: int, reverse: Backward, what: str) -> Proven:
    """The proven value of one step, or why there is none."""
    ball = balls[target]
    if _proven(ball):
        return Proven(ball)
    needed = graph.ancestors(target)
    for i, step in enumerate(graph.steps):
        if not needed[i] or balls[i].is_finite():
            continue
        owner = i if i < reverse.forward or step.of is None else step.of[0]
        forward = graph.steps[owner]
        inputs = [balls[j] for j in forward.inputs]
        if any(not b.is_finite() for b in inputs):
            inputs = []
        title = OPS[forward.op].title
        for condition in OPS[forward.op].domain if inputs else ():
            at = condition.expr(_M, *inputs)
            if _violates(condition, at):
                reason = f"{title} needs {condition.words}, and is given {_given(inputs)}, the edge of its domain"
                return Proven(ball, reason=reason, where=owner)
            if condition.relation == ">=" and at.is_zero():
                return Proven(ball, reason=f"{title} has no finite derivative at {_given(inputs)}", where=owner)
        if i < reverse.forward:
            return Proven(ball, reason=f"{title} gives a value too large to be enclosed", where=owner)
        return Proven(ball, reason=f"{title} has no finite derivative here", where=owner)
    bits = max(int(ball.rel_accuracy_bits()), 0)
    return Proven(ball, reason=f"only {bits} bits of the {what} could be proven", where=target)


def _finely(reverse: Backward, point: Mapping[int, Fraction], bits: int) -> Any:
    """The function's value at the precision at which the values beside the point are found."""
    graph = reverse.graph
    with precision(16 * bits):
        at = {i: exact_ball(v) for i, v in point.items()}
        return run_balls(graph, at, graph.ancestors(graph.output))[graph.output]


def _one_sided(
    reverse: Backward, point: Mapping[int, Fraction], balls: Sequence[Any], kinked: Sequence[int], t: int, value: Any
) -> Proven:
    """Left and right derivative with respect to one variable at a point on a kink: its limits from both sides.

    ``value`` is the function's at the point, known as well as the values beside it.
    """
    graph, gradient = reverse.graph, reverse.gradients[t]
    depends = graph.dependents(reverse.wrt[t])
    where = next((i for i in kinked if depends[i]), None)
    plain = _outcome(graph, balls, gradient, reverse, "derivative")
    if where is None:
        return plain
    bits = ctx.prec
    name = OPS[graph.steps[where].op].title
    with precision(16 * bits):
        left, below = _beside(reverse, point, t, -1, bits)
        right, above = _beside(reverse, point, t, 1, bits)
        sides = _limit(left, bits), _limit(right, bits)
        beyond = _limit(below, bits), _limit(above, bits)
        jumps = not all(_vanishes([b - value for b in beside], bits) for beside in (below, above))
        differ = not _vanishes([a - b for a, b in zip(left, right, strict=True)], bits)
    if None in sides or None in beyond:
        # Perhaps it is not the kink that is to blame, but a step that has no finite derivative.
        place = "left" if sides[0] is None else "right"
        reason = f"{name} has a kink here, and no derivative on the {place} that could be proven"
        if None in beyond and not any(b.is_finite() for b in (below if beyond[0] is None else above)):
            reason = f"the function has no value on the {'left' if beyond[0] is None else 'right'} of this point"
        reason = plain.reason or reason
    elif jumps:
        at, before, after = _short(value), _short(beyond[0]), _short(beyond[1])
        between = f"{at} at the point, " if at not in (before, after) else ""
        reason = f"{name} jumps here: {before} on the left, {between}{after} on the right"
    elif differ:
        on = [_short(side) for side in sides]
        reason = f"{name} has a kink here: the derivative is {on[0]} on the left, {on[1]} on the right"
    else:
        return Proven(sides[1], where, *sides)
    return Proven(balls[gradient], where, *sides, reason, where)


def _beside(
    reverse: Backward, point: Mapping[int, Fraction], t: int, sign: int, bits: int
) -> tuple[list[Any], list[Any]]:
    """The derivative and the value a hair's breadth beside the point, for a hair and for its square.

    Two of them, so that what tends to a limit can be told from what does not.
    """
    graph, variable = reverse.graph, reverse.wrt[t]
    needed = graph.ancestors(graph.output, reverse.gradients[t])
    slopes, outputs = [], []
    for hair in (arb((sign, -2 * bits)), arb((sign, -4 * bits))):
        at = {i: exact_ball(v) for i, v in point.items()}
        at[variable] = at[variable] + hair
        balls = run_balls(graph, at, needed)
        slopes.append(balls[reverse.gradients[t]])
        outputs.append(balls[graph.output])
    return slopes, outputs


def _vanishes(found: Sequence[Any], bits: int) -> bool:
    """Whether what was found at a hair and at its square tends to 0: it shrinks with the hair, or is noise."""
    near, nearer = (abs(ball) for ball in found)
    if nearer.contains(0) and max(near.abs_upper(), nearer.abs_upper()) < arb((1, -2 * bits)):
        return True
    return bool(nearer.abs_upper() <= near.abs_lower() * arb((1, -bits // 4)))


def _limit(found: Sequence[Any], bits: int) -> Any:
    """The limit of what was found at a hair and at its square; ``None`` if it has none that is finite."""
    near, nearer = found
    if not (near.is_finite() and nearer.is_finite()):
        return None
    if _vanishes(found, bits):
        return arb(0)
    gap = abs(near - nearer).abs_upper()
    if gap > abs(nearer).abs_lower() * arb((1, -bits // 2)):
        return None
    return arb(nearer.mid(), gap)


__all__ = [
    "FIRST_BITS", "LAST_BITS", "PROVEN_BITS", "OutsideDomain", "Proof", "Proven", "precision", "prove", "trimmed",
]  # fmt: skip
