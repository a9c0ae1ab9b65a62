"""Writing formulas that become graph steps: the namespace ``m`` over a :class:`GraphBuilder`.

A rule such as ``1 - y**2`` is run once on :class:`Ref` handles and leaves steps behind. Only identities that a person
applies without noticing are applied (``1*x``, ``x + 0``, ``x**1``, arithmetic on two rationals); everything else is
kept as written, because what is shown must look as taught.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import lru_cache
from math import isfinite
from typing import Any

from symgrad.errors import InternalError, Span, Unsupported
from symgrad.graph import GraphBuilder, Step
from symgrad.ops.base import OPS, Op
from symgrad.ops.tensor import Shape, ShapeError, TensorOp, broadcast, typed

#: Rationals longer than this (in bits) are not folded: 9**9**9 must stay three symbols.
FOLD_BITS = 256

Number = int | Fraction


class Ref:
    """A step under construction. Supports ``+ - * / ** @`` and unary minus with references and exact numbers."""

    __slots__ = ("index", "math")

    def __init__(self, math: Formula, index: int) -> None:
        self.math = math
        self.index = index

    @property
    def shape(self) -> Shape:
        return self.math.builder.steps[self.index].shape

    def __add__(self, other: Ref | Number) -> Ref:
        return self.math.call("add", self, other)

    def __radd__(self, other: Number) -> Ref:
        return self.math.call("add", other, self)

    def __sub__(self, other: Ref | Number) -> Ref:
        return self.math.call("sub", self, other)

    def __rsub__(self, other: Number) -> Ref:
        return self.math.call("sub", other, self)

    def __mul__(self, other: Ref | Number) -> Ref:
        return self.math.call("mul", self, other)

    def __rmul__(self, other: Number) -> Ref:
        return self.math.call("mul", other, self)

    def __truediv__(self, other: Ref | Number) -> Ref:
        return self.math.call("div", self, other)

    def __rtruediv__(self, other: Number) -> Ref:
        return self.math.call("div", other, self)

    def __pow__(self, other: Ref | Number) -> Ref:
        return self.math.call("pow", self, other)

    def __matmul__(self, other: Ref) -> Ref:
        return self.math.call("matmul", self, other)

    def __neg__(self) -> Ref:
        return self.math.call("neg", self)


class Formula:
    """The namespace ``m`` whose ops append steps to a graph."""

    def __init__(self, builder: GraphBuilder, *, of: tuple[int, int] | None = None) -> None:
        self.builder = builder
        #: The chain-rule factor that steps made now belong to.
        self.of = of
        self.span: Span | None = None
        #: Whole numbers that are in the graph already: rules write the same few over and over.
        self._whole: dict[int, int] = {}

    def __getattr__(self, name: str) -> Callable[..., Ref]:
        if name.startswith("_"):
            raise AttributeError(name)
        if name not in OPS:
            raise InternalError(f"a rule uses {name}, which is not in the table")
        return lambda *args, **params: self.call(name, *args, **params)

    def constant(self, value: Number | float | str) -> Ref:
        """An exact rational (of a float the decimal that Python writes for it), or ``"pi"`` or ``"E"``.

        Raises:
            Unsupported: an infinity, which is no rational.
        """
        if type(value) is int:
            known = self._whole.get(value)
            if known is None:
                known = self._whole[value] = self.builder.const(_whole(value), self.span)
            return Ref(self, known)
        if isinstance(value, float) and not isfinite(value):
            raise Unsupported(f"the constant {value}")
        exact = _whole(int(value)) if isinstance(value, int) else value
        if isinstance(exact, float):
            exact = Fraction(repr(float(exact)))
        return Ref(self, self.builder.const(exact, self.span))

    def ref(self, index: int) -> Ref:
        return Ref(self, index)

    def rational(self, ref: Ref) -> Fraction | None:
        """The value of a rational constant, else ``None``."""
        step = self.builder.steps[ref.index]
        if not step.is_const:
            return None
        value = step.value
        return value if isinstance(value, Fraction) else None

    def call(self, name: str, *args: Ref | Number, label: str = "", **params: Any) -> Ref:
        """Append one step (or fold it away). Missing trailing inputs take the op's defaults.

        Raises:
            ShapeError: the inputs' shapes do not fit; located where ``span`` is set.
        """
        op = OPS[name]
        operands: list[Ref | Number] = list(args)
        operands += op.defaults[len(operands) - op.arity + len(op.defaults) :] if op.defaults else ()
        refs = [a if isinstance(a, Ref) else self.constant(a) for a in operands]
        if isinstance(op, TensorOp):
            return self._tensor(op, refs, label, params)
        if len(refs) != op.arity:
            raise InternalError(f"{name} takes {op.arity} inputs, not {len(args)}")
        shapes = [r.shape for r in refs]
        shape = self._broadcast(op, shapes) if any(shapes) else ()
        if shape and not label and any(r.shape and self.everywhere(r) for r in refs):
            # One number over and over is that number: ones times x is x.
            single = [self.everywhere(r) or r for r in refs]
            return self.call("broadcast_to", self.call(name, *single), shape=shape)
        fold = _FOLDS.get(name)
        if fold is not None and not label:
            folded = fold(self, *refs)
            if folded is not None:
                # 0*x is as many zeros as x has entries.
                return folded if folded.shape == shape else self.call("broadcast_to", folded, shape=shape)
        index = self.builder.add(
            name, (r.index for r in refs), name=label, shape=shape, span=self.span, of=self.of
        )
        return Ref(self, index)

    def everywhere(self, ref: Ref) -> Ref | None:
        """The constant that an array holds at every place, where that is plain to see."""
        step = self.builder.steps[ref.index]
        if step.is_const:
            return ref
        op = OPS.get(step.op)
        spread = isinstance(op, TensorOp) and op.uniform and self.builder.steps[step.inputs[0]].is_const
        return self.ref(step.inputs[0]) if spread else None

    def _broadcast(self, op: Op, shapes: Sequence[Shape]) -> Shape:
        try:
            return broadcast(*shapes, what=op.title)
        except ShapeError as problem:
            raise self._located(problem) from None

    def _located(self, problem: ShapeError) -> ShapeError:
        source = self.builder.source if self.span is not None else None
        return ShapeError(problem.message, self.span, source=source)

    def _tensor(self, op: TensorOp, refs: Sequence[Ref], label: str, params: dict[str, Any]) -> Ref:
        if len(refs) < op.arity or (len(refs) > op.arity and not op.variadic):
            raise InternalError(f"{op.name} takes {op.arity} inputs, not {len(refs)}")
        shapes = [r.shape for r in refs]
        try:
            settled, shape = typed(op.name, shapes, params)
        except ShapeError as problem:
            raise self._located(problem) from None
        if op.trivial is not None and not label and op.trivial(*shapes, **dict(settled)):
            return refs[0]
        if op.name == "transpose" and not label:
            below = self.builder.steps[refs[0].index]
            if below.op == op.name and settled == typed(op.name, shapes, {"axes": _turned_back(below)})[0]:
                return self.ref(below.inputs[0])
        single = self.everywhere(refs[0]) if op.uniform and not label and len(refs) == 1 else None
        if single is not None and (op.name != "broadcast_to" or single.index != refs[0].index):
            return self.call("broadcast_to", single, shape=shape)
        index = self.builder.add(
            op.name, (r.index for r in refs), name=label, params=settled, shape=shape, span=self.span, of=self.of
        )
        return Ref(self, index)


def _turned_back(step: Step) -> list[int]:
    """The axes that undo a transposition."""
    axes = dict(step.params)["axes"]
    order = list(axes) if isinstance(axes, tuple) else []
    return [order.index(a) for a in range(len(order))]


@lru_cache(maxsize=256)
def _whole(value: int) -> Fraction:
    """The small numbers of rules, over and over."""
    return Fraction(value)


def _small(value: Fraction) -> bool:
    return value.numerator.bit_length() + value.denominator.bit_length() <= FOLD_BITS


def _exact(m: Formula, value: Fraction) -> Ref | None:
    return m.constant(value) if _small(value) else None


def _fold_add(m: Formula, a: Ref, b: Ref) -> Ref | None:
    va, vb = m.rational(a), m.rational(b)
    if va == 0:
        return b
    if vb == 0:
        return a
    return _exact(m, va + vb) if va is not None and vb is not None else None


def _fold_sub(m: Formula, a: Ref, b: Ref) -> Ref | None:
    va, vb = m.rational(a), m.rational(b)
    if vb == 0:
        return a
    if va == 0:
        return -b
    return _exact(m, va - vb) if va is not None and vb is not None else None


def _fold_mul(m: Formula, a: Ref, b: Ref) -> Ref | None:
    va, vb = m.rational(a), m.rational(b)
    if va == 0 or vb == 0:
        return m.constant(0)
    if va == 1:
        return b
    if vb == 1:
        return a
    if vb == -1:
        return -a
    if va == -1:
        return -b
    return _exact(m, va * vb) if va is not None and vb is not None else None


def _fold_div(m: Formula, a: Ref, b: Ref) -> Ref | None:
    va, vb = m.rational(a), m.rational(b)
    if vb == 1:
        return a
    if va is None or vb is None or vb == 0:
        return None
    return _exact(m, va / vb)


def _fold_neg(m: Formula, a: Ref) -> Ref | None:
    va = m.rational(a)
    if va is not None:
        return m.constant(-va)
    step = m.builder.steps[a.index]
    return m.ref(step.inputs[0]) if step.op == "neg" else None


def _fold_pow(m: Formula, a: Ref, b: Ref) -> Ref | None:
    va, vb = m.rational(a), m.rational(b)
    if vb == 1:
        return a
    if vb == 0:
        return m.constant(1)
    if va is None or vb is None or vb.denominator != 1 or abs(vb) > FOLD_BITS:
        return None
    if va == 0 and vb < 0:
        return None
    bits = va.numerator.bit_length() + va.denominator.bit_length()
    return _exact(m, va ** int(vb)) if bits * abs(int(vb)) <= 2 * FOLD_BITS else None


_FOLDS: dict[str, Callable[..., Ref | None]] = {
    "add": _fold_add,
    "sub": _fold_sub,
    "mul": _fold_mul,
    "div": _fold_div,
    "neg": _fold_neg,
    "pow": _fold_pow,
}
