"""Running graphs and rules in Arb's ball arithmetic: every result is an interval that is proven to hold the truth."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from functools import cache
from typing import Any

from flint import arb, ctx, fmpq

from symgrad.errors import InternalError
from symgrad.graph import Graph
from symgrad.ops.base import OPS, Op
from symgrad.ops.tensor import ObjectMath, shape_of

#: What stands for "no value": outside the domain, or too large even for Arb.
NAN = arb("nan")


class precision:
    """Run a block at this working precision; Arb's context is global.

    It is entered hundreds of times in a check, and so no generator.
    """

    __slots__ = ("_before", "_bits")

    def __init__(self, bits: int) -> None:
        self._bits = self._before = bits

    def __enter__(self) -> None:
        self._before = ctx.prec
        ctx.prec = self._bits

    def __exit__(self, *_: object) -> None:
        ctx.prec = self._before


def exact_ball(value: Fraction | int | str) -> arb:
    """A rational (exact up to the context's precision) or one of the constants ``"pi"`` and ``"E"``."""
    if isinstance(value, Fraction):
        if value.denominator & (value.denominator - 1) == 0:  # a binary fraction: exact at any precision
            return arb((value.numerator, 1 - value.denominator.bit_length()))
        return arb(fmpq(value.numerator, value.denominator))
    if isinstance(value, int):
        return arb(value)
    if value == "pi":
        return arb.pi()
    if value == "E":
        return arb.const_e()
    raise InternalError(f"there is no constant called {value}")


def _ball(value: Any) -> arb:
    if isinstance(value, arb):
        return value
    if hasattr(value, "item"):  # NumPy fills with its own numbers
        value = value.item()
    return value if isinstance(value, arb) else _number(value)


def _number(value: Any) -> arb:
    return arb(value) if isinstance(value, float) else exact_ball(value)


class ArbMath:
    """The namespace ``m`` of rules, over balls and arrays of balls."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name not in OPS:
            raise AttributeError(name)
        op = OPS[name]

        def call(*args: Any, **params: Any) -> Any:
            filled = [*args, *op.defaults[len(args) - op.arity + len(op.defaults) :]] if op.defaults else args
            if not op.elementwise or any(shape_of(a) for a in filled):
                return BALLS.apply(op, *filled, **params)
            return op.enclose(*(a if isinstance(a, arb) else exact_ball(a) for a in filled))

        # Found once, called often: later look-ups do not come here.
        setattr(self, name, call)
        return call

    def constant(self, value: Fraction | int | str) -> arb:
        return exact_ball(value)


@cache
def _guarded(op: Op) -> Callable[..., Any]:
    """An op on single balls that has a value everywhere: one bad entry must not take the others along."""

    def call(*args: Any) -> Any:
        try:
            return op.enclose(*args)
        except (ValueError, ZeroDivisionError, OverflowError):
            return NAN

    return call


#: The same over arrays of objects, slower for single balls.
BALLS = ObjectMath(lambda op: _guarded(op) if op.elementwise else op.enclose, _ball)


def filled(value: Any, shape: tuple[int, ...]) -> Any:
    """An object at every place of a shape."""
    if not shape:
        return value
    import numpy as np

    out = np.empty(shape, dtype=object)
    out.fill(value)
    return out


def run_balls(
    graph: Graph, values: Mapping[int, arb], needed: Sequence[bool] | None = None
) -> list[Any]:
    """Enclose every step (or every ``needed`` one; others are ``None``) at the context's precision.

    Args:
        graph: any graph.
        values: for each input step that is needed a ball, or an object array of balls of the step's shape.

    Returns:
        for each step a ball, or an object array of the step's shape (of length 0 too).

    A step without a value (outside its op's domain, or not enclosable) is NaN, and so is all that uses it.
    """
    out: list[Any] = [None] * len(graph)
    for i, step in enumerate(graph.steps):
        if needed is not None and not needed[i]:
            continue
        if step.is_input:
            out[i] = values[i]
        elif step.is_const:
            out[i] = exact_ball(step.value)
        else:
            op, inputs = OPS[step.op], [out[j] for j in step.inputs]
            try:
                if op.elementwise and not step.shape:
                    out[i] = op.enclose(*inputs)
                elif op.elementwise:
                    out[i] = BALLS.apply(op, *inputs)
                else:
                    out[i] = op.enclose(*inputs, **dict(step.params))
            except (ValueError, ZeroDivisionError, OverflowError):
                out[i] = filled(NAN, step.shape)
    return out
