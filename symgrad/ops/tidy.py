"""A backward pass as a person would write it: constants gathered, signs drawn out, idle broadcasts left out.

The rules of the table give the chain rule as it is taught, one factor a step. Generated source wants ``2*(pred - y)/n``
for ``1/n*(2*(pred - y))``. Nothing here changes a value but by rounding.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from symgrad.graph import Graph, GraphBuilder
from symgrad.ops.base import OPS
from symgrad.ops.build import Formula, Ref
from symgrad.ops.tensor import TensorOp, broadcast


@dataclass(frozen=True, slots=True)
class Coefficient:
    """A number as it came about, ``top/bottom``: ``2/4`` says more of a mean of squares than ``1/2``."""

    top: Fraction
    bottom: Fraction = Fraction(1)

    @property
    def value(self) -> Fraction:
        return self.top / self.bottom

    def times(self, other: Coefficient) -> Coefficient:
        return Coefficient(self.top * other.top, self.bottom * other.bottom)


ONE = Coefficient(Fraction(1))


def _coefficient(value: Fraction) -> Coefficient:
    """1/5 divides by 5; 0.5 is half of something."""
    if abs(value.numerator) == 1 and value.denominator > 2:
        return Coefficient(Fraction(value.numerator), Fraction(value.denominator))
    return Coefficient(value)


@dataclass(frozen=True, slots=True)
class Tidied:
    """A graph, and where each step of the original is in it."""

    graph: Graph
    place: tuple[int, ...]


def tidy(graph: Graph, forward: int, opaque: Collection[int] = ()) -> Tidied:
    """Rewrite the steps from ``forward`` on.

    Args:
        graph: a reverse pass behind its forward pass.
        forward: how many steps are kept as they are.
        opaque: steps that will have names: nothing is drawn out of them.
    """
    builder = GraphBuilder(Graph(graph.steps[:forward], 0, graph.source), share=True)
    tidier = _Tidier(Formula(builder))
    place = list(range(forward))
    for index in range(forward, len(graph)):
        step = graph.steps[index]
        if step.is_leaf:
            place.append(builder.add(step.op, params=step.params, name="" if step.is_const else step.name))
            continue
        tidier.m.of = step.of
        made = tidier.make(step.op, [Ref(tidier.m, place[j]) for j in step.inputs], dict(step.params))
        if index in opaque:
            tidier.opaque.add(made.index)
        place.append(made.index)
    return Tidied(builder.build(place[graph.output]), tuple(place))


class _Tidier:
    def __init__(self, m: Formula) -> None:
        self.m = m
        self.opaque: set[int] = set()

    def make(self, name: str, inputs: list[Ref], params: dict[str, Any]) -> Ref:
        op = OPS[name]
        if op.elementwise:
            shape = broadcast(*(r.shape for r in inputs))
            inputs = self._bare(inputs, shape)
        if name == "mul":
            return self._product(*inputs)
        if name == "div":
            return self._quotient(*inputs)
        if name == "neg":
            number, rest = self._split(inputs[0])
            return self._scaled(number.times(Coefficient(Fraction(-1))), rest)
        if name in ("add", "sub"):
            return self._sum(name, *inputs)
        if name == "sum":
            number, rest = self._split(inputs[0])
            if rest is not None and number != ONE:
                return self._scaled(number, self.m.call("sum", rest, **params))
        if name == "reshape":
            kept = self._kept(inputs[0], params)
            if kept is not None:
                return kept
        return self.m.call(name, *inputs, **params)

    def _step(self, ref: Ref) -> tuple[str, list[Ref], dict[str, Any]]:
        step = self.m.builder.steps[ref.index]
        if ref.index in self.opaque or not step.is_hidden:
            return "", [], {}
        return step.op, [Ref(self.m, j) for j in step.inputs], dict(step.params)

    def _split(self, ref: Ref) -> tuple[Coefficient, Ref | None]:
        """A value as a number times the rest; ``None`` for a number alone."""
        value = self.m.rational(ref)
        if value is not None:
            return _coefficient(value), None
        name, inputs, given = self._step(ref)
        if name == "neg":
            number, rest = self._split(inputs[0])
            return number.times(Coefficient(Fraction(-1))), rest
        if name == "mul":
            value = self.m.rational(inputs[0])
            if value is not None:
                number, rest = self._split(inputs[1])
                return number.times(_coefficient(value)), rest
        if name in ("broadcast_to", "reshape", "transpose"):
            number, rest = self._split(inputs[0])
            if rest is not None and number != ONE:
                return number, self.m.call(name, rest, **given)
        if name == "div":
            value = self.m.rational(inputs[1])
            if value:
                number, rest = self._split(inputs[0])
                return number.times(Coefficient(Fraction(1), value)), rest
            value = self.m.rational(inputs[0])
            if value is not None and value not in (0, 1):
                return Coefficient(value), self.m.call("div", 1, inputs[1])
        return ONE, ref

    def _scaled(self, number: Coefficient, rest: Ref | None) -> Ref:
        if rest is None:
            return self.m.constant(number.value)
        top, bottom = number.top, number.bottom
        if number.value in (1, -1):
            return self._signed(number.value, rest)
        name, inputs, _ = self._step(rest)
        if name == "div" and self.m.rational(inputs[0]) == 1:
            return self.m.call("div", number.value, inputs[1])
        if number.value.denominator == 1:
            return self._signed(number.value, self.m.call("mul", abs(number.value), rest))
        if top.denominator != 1 and (top / bottom).numerator in (1, -1):
            top, bottom = Fraction((top / bottom).numerator), Fraction((top / bottom).denominator)
        inner = rest if abs(top) == 1 else self.m.call("mul", abs(top), rest)
        return self._signed(top, inner if bottom == 1 else self.m.call("div", inner, bottom))

    def _signed(self, sign: Fraction, ref: Ref) -> Ref:
        return self.m.call("neg", ref) if sign < 0 else ref

    def _product(self, a: Ref, b: Ref) -> Ref:
        (x, left), (y, right) = self._split(a), self._split(b)
        if left is None or right is None:
            return self._spread(self._scaled(x.times(y), left or right), a, b)
        left, right = self._bare([left, right], broadcast(left.shape, right.shape))
        name, inputs, _ = self._step(right)
        if name == "div" and self.m.rational(inputs[0]) == 1:
            product = self.m.call("div", left, inputs[1])
        else:
            product = self.m.call("mul", left, right)
        return self._scaled(x.times(y), product)

    def _quotient(self, a: Ref, b: Ref) -> Ref:
        (x, top), (y, bottom) = self._split(a), self._split(b)
        if bottom is None and y.value:
            return self._spread(self._scaled(x.times(Coefficient(Fraction(1), y.value)), top), a, b)
        if top is None or x == ONE:
            return self.m.call("div", a, b)
        top, b = self._bare([top, b], broadcast(top.shape, b.shape))
        return self._scaled(x, self.m.call("div", top, b))

    def _spread(self, found: Ref, *inputs: Ref) -> Ref:
        """A number times an array of ones is an array."""
        shape = broadcast(*(r.shape for r in inputs))
        return found if found.shape == shape else self.m.call("broadcast_to", found, shape=shape)

    def _sum(self, name: str, a: Ref, b: Ref) -> Ref:
        one, inner, _ = self._step(b)
        if one == "neg":
            return self.m.call("sub" if name == "add" else "add", a, inner[0])
        other, inner, _ = self._step(a)
        if other == "neg" and name == "add":
            return self.m.call("sub", b, inner[0])
        return self.m.call(name, a, b)

    def _bare(self, inputs: list[Ref], shape: tuple[int, ...]) -> list[Ref]:
        """Inputs of an elementwise op without what broadcasting does by itself."""
        out = list(inputs)
        for n in range(len(out)):
            while True:
                name, inner, _ = self._step(out[n])
                op = OPS.get(name)
                if not (isinstance(op, TensorOp) and name in ("broadcast_to", "reshape")):
                    break
                if name == "reshape" and inner[0].shape != out[n].shape[len(out[n].shape) - len(inner[0].shape) :]:
                    break
                others = [*out[:n], inner[0], *out[n + 1 :]]
                if broadcast(*(r.shape for r in others)) != shape:
                    break
                out = others
        return out

    def _kept(self, ref: Ref, params: dict[str, Any]) -> Ref | None:
        """A sum whose axis is put back is a sum that keeps it."""
        name, inner, given = self._step(ref)
        if name in ("sum", "mean", "amax", "amin") and not given["keepdims"]:
            kept = self.m.call(name, inner[0], axis=given["axis"], keepdims=True)
            return kept if kept.shape == params["shape"] else None
        return None
