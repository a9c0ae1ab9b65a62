"""Graphs of arrays as graphs of single numbers: one step for each entry.

What is known of single numbers (proven values, kinks, domains, rounding bounds, what SymPy confirms) is then known of
arrays, entry by entry. A sum of products becomes products and additions; nothing of the ops' ``vjp`` rules is used.

A graph of single numbers can be differentiated and enclosed: that derivative is a witness of its own against the rules
for matrices. Or it stands for what a library does with the arrays, to find out how far that rounds: then sums are added
up in an unknown order (:mod:`symgrad.ops.gathering`). Either way it belongs to one point: what is taken out of a
softmax so that nothing overflows, and which entry is the largest, are read off there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from symgrad.errors import SymgradError, Unsupported
from symgrad.graph import Graph, GraphBuilder, Step
from symgrad.ops.balls import NAN, exact_ball
from symgrad.ops.base import OPS, Op
from symgrad.ops.floats import COMPARISONS
from symgrad.ops.gathering import TOTAL
from symgrad.ops.reductions import fold
from symgrad.ops.tensor import ObjectMath, TensorOp, objects

#: A function of more single numbers than this is refused; so is a reverse pass of :data:`REVERSE` times as many.
MOST = 50_000
REVERSE = 8

#: Of two equal numbers: what a comparison says.
_REFLEXIVE = {name: name in ("eq", "le", "ge") for name in COMPARISONS}


@dataclass(frozen=True, slots=True)
class Spread:
    """A graph of single numbers that computes what a graph of arrays computes.

    Attributes:
        graph: its steps have no shape.
        place: for each step of the graph of arrays the positions of its entries, an int64 array of the step's shape;
            ``None`` for a step that was not needed.
        origin: for each single number the step that it is an entry of, or helps to compute.
        entry: the flat place in that step's array; -1 for what is no entry.
    """

    graph: Graph
    place: tuple[Any, ...]
    origin: tuple[int, ...]
    entry: tuple[int, ...]

    def label(self, number: int, name: str, shape: tuple[int, ...]) -> str:
        """``W[1,2]`` for a number that is an entry of the step called so; the step's name for any other."""
        flat = self.entry[number]
        return f"{name}{bracket(flat, shape)}" if flat >= 0 else name


def bracket(flat: int, shape: tuple[int, ...]) -> str:
    """The place of an entry as it is written behind a name: ``[1,2]``; nothing for a single number."""
    if not shape:
        return ""
    return f"[{','.join(str(int(n)) for n in np.unravel_index(flat, shape))}]"


class Entry:
    """One number under construction: a step, or a sum whose terms are not added up yet."""

    __slots__ = ("index", "left", "math", "right")

    def __init__(self, math: EntryMath, index: int, left: Entry | None = None, right: Entry | None = None) -> None:
        self.math = math
        self.index = index
        self.left = left
        self.right = right

    def step(self) -> int:
        """Its step; a pending sum is added up."""
        if self.index < 0:
            self.index = self.math.added(self._terms())
            self.left = self.right = None
        return self.index

    def _terms(self) -> list[int]:
        out: list[int] = []
        stack: list[Entry | None] = [self]
        while stack:
            node = stack.pop()
            if node is None:
                continue
            if node.index >= 0:
                out.append(node.index)
            else:
                stack += [node.right, node.left]
        return out

    def __add__(self, other: Any) -> Any:
        if isinstance(other, np.ndarray):
            return NotImplemented
        return Entry(self.math, -1, self, self.math.make(other))

    def __radd__(self, other: Any) -> Any:
        return Entry(self.math, -1, self.math.make(other), self)

    def _of(self, op: str, *operands: Any) -> Any:
        if any(isinstance(o, np.ndarray) for o in operands):
            return NotImplemented
        return self.math.number(OPS[op], *operands)

    def __sub__(self, other: Any) -> Any:
        return self._of("sub", self, other)

    def __rsub__(self, other: Any) -> Any:
        return self._of("sub", other, self)

    def __mul__(self, other: Any) -> Any:
        return self._of("mul", self, other)

    def __rmul__(self, other: Any) -> Any:
        return self._of("mul", other, self)

    def __truediv__(self, other: Any) -> Any:
        return self._of("div", self, other)

    def __rtruediv__(self, other: Any) -> Any:
        return self._of("div", other, self)

    def __pow__(self, other: Any) -> Any:
        return self._of("pow", self, other)

    def __neg__(self) -> Any:
        return self._of("neg", self)


def too_large() -> SymgradError:
    """The refusal of what comes to too many single numbers."""
    message = f"these arrays are too large to be proven entry by entry: more than {MOST} numbers"
    return SymgradError(message, hint="check the formula at smaller shapes")


class EntryMath(ObjectMath):
    """The namespace ``m`` of rules, over arrays of entries.

    Args:
        gathered: sums are added up in an unknown order.
        source: the text that spans point into.
    """

    def __init__(self, *, gathered: bool, source: str) -> None:
        super().__init__(self._caller, self.make)
        self.builder = GraphBuilder(source=source)
        self.gathered = gathered
        self.most = MOST * REVERSE if gathered else MOST
        self.origin: list[int] = []
        self.owner = 0
        self._balls: list[Any] = []
        self.inputs: dict[int, Fraction] = {}

    def _caller(self, op: Op) -> Callable[..., Any]:
        if isinstance(op, TensorOp):
            return lambda *args, **params: self.tensor(op, *args, **params)
        return lambda *args: self.number(op, *args)

    def make(self, value: Any) -> Entry:
        if isinstance(value, Entry):
            return value
        if hasattr(value, "item"):
            value = value.item()
        if isinstance(value, Entry):
            return value
        if isinstance(value, float):
            exact: Fraction | str = Fraction(repr(value))
        else:
            exact = value if isinstance(value, str) else Fraction(value)
        return Entry(self, self.builder.const(exact))

    def constant(self, value: Any) -> Entry:
        return self.make(value)

    def number(self, op: Op, *operands: Any) -> Entry:
        """An elementwise op of single numbers."""
        inputs = tuple(self.make(o).step() for o in operands)
        if op.name in COMPARISONS and inputs[0] == inputs[1]:
            return self.make(int(_REFLEXIVE[op.name]))
        self.room(1)
        return Entry(self, self.builder.add(op.name, inputs))

    def room(self, count: int) -> None:
        """Refuse to become too large.

        Raises:
            SymgradError: with so many numbers more it would be.
        """
        if len(self.builder.steps) + count > self.most:
            raise too_large()

    def added(self, terms: Sequence[int]) -> int:
        """The sum of steps; zeros are left out."""
        self.room(len(terms))
        steps = self.builder.steps
        kept = [i for i in terms if not (steps[i].is_const and steps[i].value == 0)]
        if not kept:
            return terms[0] if terms else self.make(0).step()
        if self.gathered and len(kept) > 1:
            return self.builder.add(TOTAL, kept)
        total = kept[0]
        for i in kept[1:]:
            total = self.builder.add("add", (total, i))
        return total

    def tensor(self, op: TensorOp, *args: Any, **params: Any) -> Any:
        if op.join:
            return fold(args[0], params["axis"], params["keepdims"], lambda a, b: self._joined(OPS[op.join], a, b))
        if op.stable is not None:
            return op.stable(self, *args, **params)
        if op.define is None and op.run is None:
            raise Unsupported(f"{op.title} is not taken apart into single numbers")
        return super().tensor(op, *args, **params)

    def _joined(self, op: Op, a: Any, b: Any) -> Any:
        """The larger of two, for instance: simply the one that is, so that what compares it with others sees that."""
        one, other = self._ball(a), self._ball(b)
        if one.is_finite() and other.is_finite() and not one.overlaps(other):
            return a if op.enclose(one, other).overlaps(one) else b
        return self.number(op, a, b)

    def largest(self, x: Any, axis: tuple[int, ...]) -> Any:
        """Along these axes, which stay with length 1: about the largest, as numbers that do not depend on ``x``."""
        array = np.asarray(x, dtype=object)
        mids = np.vectorize(lambda e: float(self._ball(e).mid()), otypes=[np.float64])(array)
        top = np.amax(mids, axis=axis, keepdims=True)
        top = np.where(np.isfinite(top), top, 0.0)
        return objects(np.frompyfunc(lambda v: self.make(Fraction(float(v))), 1, 1)(top))

    def _ball(self, entry: Any) -> Any:
        """The value of a number at the point."""
        wanted = self.make(entry).step()
        steps = self.builder.steps
        for i in range(len(self._balls), wanted + 1):
            step = steps[i]
            if step.is_input:
                self._balls.append(exact_ball(self.inputs[i]))
            elif step.is_const:
                self._balls.append(exact_ball(step.value))
            else:
                self._balls.append(_enclosed(step, [self._balls[j] for j in step.inputs]))
        return self._balls[wanted]

    def claim(self) -> None:
        """Whatever was made since the last time belongs to the step at work."""
        self.origin += [self.owner] * (len(self.builder.steps) - len(self.origin))


def _enclosed(step: Step, inputs: Sequence[Any]) -> Any:
    try:
        return OPS[step.op].enclose(*inputs)
    except (ValueError, ZeroDivisionError, OverflowError):
        return NAN


def spread(graph: Graph, targets: Sequence[int], values: Mapping[int, Any], *, gathered: bool = False) -> Spread:
    """A graph of arrays as one of single numbers.

    Args:
        graph: any graph, a reverse pass too.
        targets: the steps that are wanted.
        values: the exact value of each needed input: an object array of Fractions of the step's shape.
        gathered: with sums in an unknown order, for models of rounding.

    Comparisons are decided at the context's precision, if they can be.

    Raises:
        SymgradError: it would be more than :data:`MOST` numbers.
        Unsupported: an op cannot be taken apart.
    """
    math = EntryMath(gathered=gathered, source=graph.source)
    needed = graph.ancestors(*targets)
    out: list[Any] = [None] * len(graph)
    for i, step in enumerate(graph.steps):
        if not needed[i]:
            continue
        math.owner = i
        if step.is_input:
            out[i] = _inputs(math, step, values[i])
        elif step.is_const:
            out[i] = math.make(step.value)
        else:
            out[i] = _entries(math, graph, step, out)
        flat = np.asarray(out[i], dtype=object).reshape(-1)
        for e in flat:
            e.step()
        math.claim()
    place = tuple(None if v is None else _positions(v, graph[i].shape) for i, v in enumerate(out))
    entry = [-1] * len(math.builder.steps)
    for i, positions in enumerate(place):
        if positions is not None:
            for flat_place, p in enumerate(positions.reshape(-1).tolist()):
                if math.origin[p] == i and entry[p] < 0:
                    entry[p] = flat_place
    result = place[graph.output]
    output = int(result) if result is not None and result.ndim == 0 else 0
    return Spread(math.builder.build(output), place, tuple(math.origin), tuple(entry))


def _positions(value: Any, shape: tuple[int, ...]) -> Any:
    flat = np.asarray(value, dtype=object).reshape(-1)
    return np.array([e.index for e in flat], dtype=np.int64).reshape(shape)


def _inputs(math: EntryMath, step: Step, values: Any) -> Any:
    out = np.empty(step.shape, dtype=object)
    math.room(out.size)
    exact = np.asarray(values, dtype=object).reshape(-1)
    for flat in range(out.size):
        index = math.builder.add("input", name=step.name + bracket(flat, step.shape), span=step.span)
        math.inputs[index] = exact[flat]
        out.reshape(-1)[flat] = Entry(math, index)
    return objects(out)


def _entries(math: EntryMath, graph: Graph, step: Step, out: Sequence[Any]) -> Any:
    """One step of arrays, entry by entry; each number remembers where in the text it comes from."""
    before = len(math.builder.steps)
    op, args = OPS[step.op], [out[j] for j in step.inputs]
    if isinstance(op, TensorOp):
        found = math.tensor(op, *args, **dict(step.params))
    else:
        found = math.apply(op, *args)
    for e in np.asarray(found, dtype=object).reshape(-1):
        e.step()
    if step.span is not None:
        for i in range(before, len(math.builder.steps)):
            made = math.builder.steps[i]
            if not made.is_leaf:
                math.builder.steps[i] = Step(
                    made.name, made.op, made.inputs, made.params, made.shape, step.span, made.of
                )
    return found
