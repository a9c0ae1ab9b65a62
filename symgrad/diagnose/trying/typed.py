"""Changes to one operation of a line, as functions of the values around it: in floats and in vectors alike."""

from __future__ import annotations

import ast
import math
import re
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Any

from symgrad.diagnose.values.vectors import TOLERANCE

Get = Callable[[int], Any]
Run = Callable[[str, Sequence[Any]], Any]
Number = Callable[[Fraction], Any]
#: What a step becomes, from the values of other steps: in floats or in vectors alike.
Change = Callable[[Get, Run, Number], Any]

#: Derivatives of the common activations, by their output: what is forgotten.
FORMS: tuple[tuple[str, Callable[[Any, Number], Any]], ...] = (
    ("(1 - {0}**2)", lambda x, one: one(Fraction(1)) - x * x),
    ("{0}*(1 - {0})", lambda x, one: x * (one(Fraction(1)) - x)),
)


#: ... and what is left of the second one where its first factor is there.
ONE_LESS: tuple[str, Callable[[Any, Number], Any]] = ("(1 - {0})", lambda x, one: one(Fraction(1)) - x)


def squared_below(x: Any, one: Number) -> Any:
    """What is left of d(1/x) where it is divided by: 1/x**2."""
    return one(Fraction(1)) / (x * x)


def itself(step: Any, get: Get, run: Run) -> Any:
    return run(step.op, [get(j) for j in step.inputs])


def second(step: Any, get: Get, run: Run) -> Any:  # noqa: ARG001
    return get(step.inputs[1])


def finish(step: Any, value: Callable[..., Any], made: Any, get: Get, run: Run) -> Any:
    """The line's value with what is added changed, where it is an accumulation."""
    return run(step.op, [get(step.inputs[0]), made]) if value is second else made


def made(step: Any, value: Callable[..., Any], make: Callable[[Any, Number], Any]) -> Change:
    return lambda get, run, one: finish(step, value, make(value(step, get, run), one), get, run)


def times(factor: Fraction) -> Callable[[Any, Number], Any]:
    return lambda x, one: x * one(factor)


def plus(term: Fraction) -> Callable[[Any, Number], Any]:
    return lambda x, one: x + one(term)


def kept(step: Any, slot: int) -> Change:
    return lambda get, run, one: get(step.inputs[slot])


def to_number(value: Fraction) -> Change:
    return lambda get, run, one: one(value)


def to_product(value: Fraction, want: int) -> Change:
    return lambda get, run, one: one(value) * get(want)


def to_quotient(value: Fraction, want: int) -> Change:
    return lambda get, run, one: one(value) / get(want)


def to_rest(value: Fraction, want: int) -> Change:
    """``p - 1``, or ``1 - p``."""
    return lambda get, run, one: one(value) - get(want) if value > 0 else get(want) + one(value)


def to_step(want: int) -> Change:
    return lambda get, run, one: get(want)


def with_step(step: Any, slot: int, want: int) -> Change:
    return lambda get, run, one: run(step.op, [get(want if n == slot else j) for n, j in enumerate(step.inputs)])


def with_steps(step: Any, by: Mapping[int, int]) -> Change:
    return lambda get, run, one: run(step.op, [get(by.get(n, j)) for n, j in enumerate(step.inputs)])


def with_all_scaled(step: Any, by: Mapping[int, int], how: str) -> Change:
    """Some operands are each multiplied by another step, or divided by it."""

    def change(get: Get, run: Run, one: Number) -> Any:  # noqa: ARG001
        args = [get(j) for j in step.inputs]
        for n, want in by.items():
            args[n] = args[n] * get(want) if how == "*" else args[n] / get(want)
        return run(step.op, args)

    return change


def called_with(steps: Sequence[Any], inside: Sequence[int], given: int, want: int) -> Change:
    """What a call gives where it is handed another value: ``inside`` are the steps that it makes, in their order."""

    def change(get: Get, run: Run, one: Number) -> Any:  # noqa: ARG001
        held = {given: get(want)}
        for k in inside:
            held[k] = run(steps[k].op, [held[j] if j in held else get(j) for j in steps[k].inputs])
        return held[inside[-1]]

    return change


def with_number(step: Any, slot: int, want: Fraction) -> Change:
    return lambda get, run, one: run(step.op, [one(want) if n == slot else get(j) for n, j in enumerate(step.inputs)])


def squared(step: Any, slot: int) -> Change:
    def change(get: Get, run: Run, one: Number) -> Any:  # noqa: ARG001
        return run(step.op, [get(j) * get(j) if n == slot else get(j) for n, j in enumerate(step.inputs)])

    return change


def with_made(step: Any, slot: int, make: Callable[[Any, Number], Any]) -> Change:
    """One operand becomes a function of itself."""

    def change(get: Get, run: Run, one: Number) -> Any:
        return run(step.op, [make(get(j), one) if n == slot else get(j) for n, j in enumerate(step.inputs)])

    return change


def combined(value: Fraction, how: str) -> Callable[[Any, Number], Any]:
    """A number times a variable, or over it."""
    return lambda x, one: one(value) * x if how == "*" else one(value) / x


def less(x: Any, one: Number) -> Any:
    return one(Fraction(1)) - x


def own_slope(_: Any, one: Number) -> Any:
    """What an input is derived to, by itself."""
    return one(Fraction(1))


def negative(x: Any, one: Number) -> Any:  # noqa: ARG001
    return -x


def with_joined(step: Any, slot: int, want: int, make: Callable[[Any, Number], Any]) -> Change:
    """One operand becomes a function of another step."""

    def change(get: Get, run: Run, one: Number) -> Any:
        return run(step.op, [make(get(want), one) if n == slot else get(j) for n, j in enumerate(step.inputs)])

    return change


def with_scaled(step: Any, slot: int, have: int, want: int, how: str) -> Change:
    """One operand is multiplied by another step, or divided by it."""

    def change(get: Get, run: Run, one: Number) -> Any:  # noqa: ARG001
        made = get(have) * get(want) if how == "*" else get(have) / get(want)
        return run(step.op, [made if n == slot else get(j) for n, j in enumerate(step.inputs)])

    return change


def with_factor(step: Any, value: Callable[..., Any], want: int) -> Change:
    return lambda get, run, one: finish(step, value, value(step, get, run) * get(want), get, run)


def with_divisor(step: Any, value: Callable[..., Any], want: int) -> Change:
    return lambda get, run, one: finish(step, value, value(step, get, run) / get(want), get, run)


def with_form(step: Any, value: Callable[..., Any], want: int, make: Callable[[Any, Number], Any]) -> Change:
    return lambda get, run, one: finish(step, value, value(step, get, run) * make(get(want), one), get, run)


def with_term(step: Any, value: Callable[..., Any], want: int, sign: str) -> Change:
    def change(get: Get, run: Run, one: Number) -> Any:  # noqa: ARG001
        have = value(step, get, run)
        return finish(step, value, have + get(want) if sign == "+" else have - get(want), get, run)

    return change


def of_function(step: Any, value: Callable[..., Any], op: str) -> Change:
    """A function of what stands there."""
    return lambda get, run, one: finish(step, value, run(op, [value(step, get, run)]), get, run)


def called_as(step: Any, op: str) -> Change:
    """Another function of the same number."""
    return lambda get, run, one: run(op, [get(step.inputs[0])])


def with_applied(step: Any, slot: int, op: str) -> Change:
    """A function of an operand in its place."""

    def change(get: Get, run: Run, one: Number) -> Any:  # noqa: ARG001
        args = [get(j) for j in step.inputs]
        args[slot] = run(op, [args[slot]])
        return run(step.op, args)

    return change


def taken_from(step: Any, want: int) -> Change:
    """The value is taken from another one."""
    return lambda get, run, one: get(want) - itself(step, get, run)


def negated(step: Any) -> Change:
    return lambda get, run, one: -itself(step, get, run)


def plain(x: Any, one: Number) -> Any:  # noqa: ARG001
    return x


def with_product(step: Any, first: int, other: int, make: Callable[[Any, Number], Any]) -> Change:
    """A term more: one step times a function of another one."""

    def change(get: Get, run: Run, one: Number) -> Any:
        return itself(step, get, run) + get(first) * make(get(other), one)

    return change


def with_powers(
    step: Any, value: Callable[..., Any] | Fraction, number: Fraction, powers: Sequence[tuple[int, int]]
) -> Change:
    """A term more: a number times powers of other steps. ``value`` is the number that a leaf holds."""

    def change(get: Get, run: Run, one: Number) -> Any:
        term = _product(one(number), powers, get)
        if isinstance(value, Fraction):
            return one(value) + term
        return finish(step, value, value(step, get, run) + term, get, run)

    return change


def with_sums(step: Any, slot: int, terms: Sequence[tuple[Fraction, Sequence[tuple[int, int]]]]) -> Change:
    """One operand with more added to it: numbers times powers of other steps."""

    def change(get: Get, run: Run, one: Number) -> Any:
        args = [get(j) for j in step.inputs]
        for number, powers in terms:
            args[slot] = args[slot] + _product(one(number), powers, get)
        return run(step.op, args)

    return change


def _product(term: Any, powers: Sequence[tuple[int, int]], get: Get) -> Any:
    for want, power in powers:
        for _ in range(abs(power)):
            term = term * get(want) if power > 0 else term / get(want)
    return term


def operated(step: Any, symbol: str, *, swap: bool = False) -> Change:
    def change(get: Get, run: Run, one: Number) -> Any:  # noqa: ARG001
        a, b = (get(j) for j in (reversed(step.inputs) if swap else step.inputs))
        if symbol == "+":
            return a + b
        if symbol == "-":
            return a - b
        return a * b if symbol == "*" else a / b

    return change


def is_in(x: float, truths: Sequence[float]) -> bool:
    """A value is among some, given in order."""
    if not math.isfinite(x) or x == 0:
        return False
    near = abs(x) * TOLERANCE
    n = bisect_left(truths, x - near)
    return n < len(truths) and truths[n] <= x + near


def entry(name: str) -> tuple[str, int] | None:
    """``hs`` and 3 for ``hs[3]``."""
    match = re.fullmatch(r"([\w.]+)\[(-?\d+)\]", name)
    return (match[1], int(match[2])) if match else None


def shifted(index: ast.expr, by: int) -> str:
    """An index some places on: ``t`` for ``t+1``; both ends of a slice."""
    if isinstance(index, ast.Slice):
        ends = [shifted(end, by) if end is not None else "" for end in (index.lower, index.upper)]
        return ":".join([*ends, *([ast.unparse(index.step)] if index.step is not None else [])])
    if (
        isinstance(index, ast.BinOp)
        and isinstance(index.op, ast.Add | ast.Sub)
        and isinstance(index.right, ast.Constant)
    ):
        value = index.right.value
        if isinstance(value, int):
            by += value if isinstance(index.op, ast.Add) else -value
            index = index.left
    if isinstance(index, ast.Constant) and isinstance(index.value, int):
        return str(index.value + by)
    text = ast.unparse(index)
    return text if by == 0 else f"{text}+{by}" if by > 0 else f"{text}-{-by}"


def written(value: Fraction) -> str:
    return str(value.numerator) if value.denominator == 1 else repr(float(value))


def is_sum(text: str) -> bool:
    depth = 0
    for n, c in enumerate(text):
        depth += (c in "([") - (c in ")]")
        if depth == 0 and c in "+-" and n > 0:
            return True
    return text.startswith("-")
