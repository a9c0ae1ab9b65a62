"""A simplified form is shown only after it was found equal, at random points, to what it was made of."""

from __future__ import annotations

import random
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from flint import arb

from symgrad.errors import Unsupported
from symgrad.graph import Graph
from symgrad.ops.balls import exact_ball, precision, run_balls
from symgrad.symbolic.reading import from_sympy

#: Points that must agree, and how many are tried to find them.
POINTS = 4
TRIES = 84
#: Precision in bits: first, and last where digits cancel; and the accuracy below which a value says nothing.
FIRST_BITS, LAST_BITS, SURE_BITS = 256, 2048, 64
#: Points at which more than the first precision is tried.
HARD_POINTS = 12
#: Values below 2**(this) that cannot be told from zero are taken for zero, if all are.
ZERO_SCALE = -1024
#: How far from 0 the points go, in turn: functions may have a narrow domain, or a far one.
REACHES = tuple(Fraction(r) for r in ("3", "1", "10", "1/2", "40", "1/50", "1000"))

#: Beyond this functions overflow even Arb, one form of them sooner than another.
MODERATE = 3

SEED = 0x5EED


def verified(graph: Graph, index: int, simplified: Any) -> bool:
    """Whether ``simplified`` has the value of the step at ``index``, at random points of its domain.

    Both are enclosed in Arb balls at the same rational points, which depend on nothing but the number of variables.
    ``False`` also where they could not be compared at ``POINTS`` of the ``TRIES`` points, and where ``simplified`` has
    no value at a point where the step has one.

    Args:
        graph: the graph, not simplified.
        index: position of the step.
        simplified: what is to be checked.
    """
    try:
        other = from_sympy(simplified, graph.variables)
    except Unsupported:
        return False
    needed = graph.ancestors(index)
    places = graph.variables
    if any(n not in places for n in other.variables):
        return False
    draw = random.Random(SEED)
    sure = zeros = hard = 0
    for attempt in range(TRIES):
        point = {n: _value(draw, attempt) for n in places}
        a, b, tried = _both(graph, index, needed, other, point, LAST_BITS if hard < HARD_POINTS else FIRST_BITS)
        hard += tried > FIRST_BITS
        if a is None or (b is None and REACHES[attempt % 7] > MODERATE):
            continue
        if b is None or not a.overlaps(b):
            return False
        if _is_sure(a) and _is_sure(b):
            sure += 1
        else:
            zeros += 1
        if max(sure, zeros - HARD_POINTS // 2) >= POINTS:
            return True
    return False


def _value(draw: random.Random, attempt: int) -> Fraction:
    """A random rational; every other attempt a positive one."""
    low = 0 if attempt % 2 else -1
    return REACHES[attempt % 7] * Fraction(draw.randint(low * 10007 + 1, 10007), 10009)


def _is_sure(ball: Any) -> bool:
    return bool(ball.is_zero() or ball.rel_accuracy_bits() >= SURE_BITS)


def _is_close(ball: Any) -> bool:
    """Known well, or beyond doubt close to zero."""
    return _is_sure(ball) or bool(ball.abs_upper() < arb((1, ZERO_SCALE)))


def _both(
    graph: Graph, index: int, needed: Sequence[bool], other: Graph, point: dict[str, Fraction], last: int
) -> tuple[Any, Any, int]:
    """Both values, at a precision that tells them well, and that precision; ``None`` for one without a value."""
    bits = FIRST_BITS
    while True:
        with precision(bits):
            a = _run(graph, index, needed, point)
            b = _run(other, other.output, other.ancestors(other.output), point)
            done = all(v is not None and _is_close(v) for v in (a, b))
        # Where the graph has no value, more digits seldom give it one.
        if done or a is None or bits >= last:
            return a, b, bits
        bits *= 8


def _run(graph: Graph, index: int, needed: Sequence[bool], point: dict[str, Fraction]) -> Any:
    inputs = {i: exact_ball(point[n]) for n, i in graph.variables.items()}
    try:
        ball = run_balls(graph, inputs, needed)[index]
    except TypeError:  # the order of polygamma is no integer
        return None
    return ball if ball.is_finite() else None
