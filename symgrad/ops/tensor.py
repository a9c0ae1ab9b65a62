"""Ops that are not elementwise: sums, products of matrices, rearrangements, indexing.

They stand in the same table as the elementwise ops. Instead of local derivatives they declare a ``vjp``: how the
cotangent of the output becomes that of an input, written in ops of the table; and a shape rule, since an array that
does not fit is the commonest mistake of all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from symgrad.errors import SymgradError
from symgrad.graph import Param
from symgrad.ops.base import OPS, Infix, Op, Rule, register

Shape = tuple[int, ...]

#: One application to test an op with: the inputs' shapes, and the parameters.
Example = tuple[tuple[Shape, ...], dict[str, Any]]


class ShapeError(SymgradError):
    """Arrays that do not fit together. The message holds every shape involved."""


class PlaceError(ShapeError):
    """An index that leads outside the array."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorOp(Op):
    """One row of the table that is no elementwise function.

    ``arity`` is the number of inputs, or, where ``variadic`` is set, the least number. A step's ``params`` always hold
    every parameter, in the canonical form that ``settle`` gives them (axes counted from the front, no ``None``).

    Attributes:
        vjp: one rule per input, ``(m, g, y, *x, **params) -> cotangent of that input``, where ``g`` is the cotangent
            of ``y``; ``None`` where the output is piecewise constant in that input. The result may have the shape that
            the input was broadcast to: ``backward.py`` sums it back. A variadic op has one rule, which is told the
            input as ``index=`` and may return ``None``.
        shape: ``(*input shapes, **params) -> output shape``.
        run: the value in float64: ``(np, *arrays, **params)``. Where neither ``define`` nor ``enclose`` is given it
            must run on arrays of objects too, that is, only move, add and multiply entries.
        settle: ``(*input shapes, **params) -> params`` in canonical form; its keyword arguments are the op's
            parameters, with their defaults.
        define: ``(m, *x, **params)``, the definition in simpler ops: what is enclosed, and handed to SymPy.
        stable: like ``define``, as libraries compute it: ``m.largest(x, axis)`` is taken out first, a number that the
            point fixes. Rounding is modelled on it.
        join: the op of two numbers of which this is a fold along ``axis``: the larger of two, for the largest of all.
        trivial: whether, with these shapes and parameters, the op returns its first input unchanged.
        variadic: it takes ``arity`` inputs or more.
        write: ``(m, v, x, *rest, **params) -> x`` with ``v`` in the place of what the op reads from ``x``: for ops
            whose value may be a view of their first input, so that writing into it changes that.
        uniform: of an array of one number over and over it makes another of the same number.
        whole: its values are whole numbers: places, which another op may use as an index.
        typeset: ``(texts of the inputs, params) -> LaTeX``, where ``latex`` as a template cannot say it.
        text: ``(params, input shapes) -> template`` of how Python writes it, where that is no plain call: ``{0}.T``,
            ``{0}[1, :]``. An operand that stands before a dot or a bracket binds strongest.
        examples: applications with which the tests exercise it.
    """

    vjp: tuple[Rule | None, ...]
    shape: Callable[..., Shape]
    run: Callable[..., Any]
    settle: Callable[..., dict[str, Param]]
    define: Rule | None = None
    stable: Rule | None = None
    join: str = ""
    trivial: Callable[..., bool] | None = None
    variadic: bool = False
    write: Rule | None = None
    whole: bool = False
    uniform: bool = False
    typeset: Callable[[Sequence[str], Mapping[str, Any]], str] | None = None
    text: Callable[[Mapping[str, Any], Sequence[Shape]], str] | None = None
    examples: tuple[Example, ...] = ()

    @property
    def elementwise(self) -> bool:
        return False

    def rule(self, index: int, style: str) -> Rule | None:  # noqa: ARG002
        """There is no local factor: what an edge carries is given by :meth:`pull`."""
        return None

    def pull(self, index: int) -> Rule | None:
        """``(m, g, y, *x, **params) -> cotangent of input index``, or ``None`` where nothing flows."""
        if not self.variadic:
            return self.vjp[index]
        rule = self.vjp[0]
        return None if rule is None else partial(rule, index=index)

    def tex(self, inputs: Sequence[str], params: Mapping[str, Any]) -> str:
        """The op applied to inputs that are LaTeX already."""
        return self.typeset(inputs, params) if self.typeset is not None else self.latex.format(*inputs)

    def template(self, params: Mapping[str, Any], shapes: Sequence[Shape]) -> str:
        """How Python writes it, with ``{0}``, ``{1}``, ... for the inputs; parameters that say nothing are left out."""
        if self.text is not None:
            return self.text(params, shapes)
        words = [f"{{{i}}}" for i in range(len(shapes))]
        everything = tuple(range(len(shapes[0]))) if shapes else ()
        for key, value in params.items():
            if value is False or (key == "axis" and value == everything) or (key == "k" and value == 0):
                continue
            short = isinstance(value, tuple) and len(value) == 1 and key == "axis"
            words.append(f"{key}={value[0] if short else value!r}")
        return f"{self.name}({', '.join(words)})"

    def incomplete(self) -> str:
        if self.partials or self.accurate or self.autograd or self.lower is not None:
            return "gives local derivatives, but is not elementwise"
        if len(self.vjp) != (1 if self.variadic else self.arity):
            return f"has {self.arity} inputs but {len(self.vjp)} vjp rules"
        if not callable(self.torch):
            return "needs a torch function (torch, *tensors, **params)"
        if not self.examples:
            return "names no examples to test it with"
        if any(len(s) < self.arity or (len(s) > self.arity and not self.variadic) for s, _ in self.examples):
            return "has examples of another arity"
        if self.typeset is None and any(f"{{{i}}}" not in self.latex for i in range(self.arity)):
            return "has a LaTeX template that leaves out an input"
        if self.numpy is None and not self.hidden:
            return "has no NumPy name"
        return ""


def typed(name: str, shapes: Sequence[Shape], params: Mapping[str, Any]) -> tuple[tuple[tuple[str, Param], ...], Shape]:
    """The canonical parameters of a step, and the shape of its value.

    Args:
        name: an op of the table; an elementwise one takes no parameters.
        shapes: of the inputs.
        params: as a person gives them: an axis may be negative, one integer or ``None``; what is left out takes its
            default.

    Raises:
        ShapeError: the inputs do not fit.
    """
    op = OPS[name]
    if not isinstance(op, TensorOp):
        return (), broadcast(*shapes, what=op.title)
    settled = op.settle(*shapes, **params)
    return tuple(sorted(settled.items())), op.shape(*shapes, **settled)


def broadcast(*shapes: Shape, what: str = "") -> Shape:
    """NumPy's broadcasting: shapes are aligned at the right, and an axis of length 1 is stretched.

    Raises:
        ShapeError: two lengths differ and neither is 1.
    """
    if not any(shapes):
        return ()
    rank = max(map(len, shapes))
    out = [1] * rank
    for shape in shapes:
        for axis, n in enumerate(shape, rank - len(shape)):
            if n != 1 and out[axis] == 1:
                out[axis] = n
            elif n not in (1, out[axis]):
                given = " and ".join(str(s) for s in shapes if s)
                raise ShapeError(f"{what + ' of ' if what else ''}shapes {given}: they cannot be broadcast together")
    return tuple(out)


# --- arrays of objects ----------------------------------------------------------------------------------------------


def objects(value: Any) -> Any:
    """An array of objects, or one object where the array has no axes."""
    import numpy as np

    array = np.asarray(value, dtype=object)
    return array.item() if array.ndim == 0 else array


class ObjectMath:
    """The namespace ``m`` of rules, over arrays of objects: balls, or SymPy expressions.

    Args:
        entry: what an elementwise op does to single objects: ``Op.enclose`` or ``Op.sympy``.
        make: an exact number as such an object.
    """

    def __init__(self, entry: Callable[[Op], Callable[..., Any]], make: Callable[[Any], Any]) -> None:
        self._entry = entry
        self._make = make

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name not in OPS:
            raise AttributeError(name)
        op = OPS[name]

        def call(*args: Any, **params: Any) -> Any:
            return self.apply(op, *args, **params)

        setattr(self, name, call)
        return call

    def apply(self, op: Op, *args: Any, **params: Any) -> Any:
        import numpy as np

        filled = [*args, *op.defaults[len(args) - op.arity + len(op.defaults) :]] if op.defaults else args
        known = [a if isinstance(a, np.ndarray) else self._make(a) for a in filled]
        if not op.elementwise:
            settled, _ = typed(op.name, [np.shape(a) for a in known], params)
            return self._entry(op)(*known, **dict(settled))
        if not any(isinstance(a, np.ndarray) for a in known):
            return self._entry(op)(*known)
        return objects(np.frompyfunc(self._entry(op), op.arity, 1)(*known))

    def tensor(self, op: TensorOp, *args: Any, **params: Any) -> Any:
        """One op that is not elementwise, by its definition or by moving and adding objects; params are settled."""
        import numpy as np

        if op.define is not None:
            return op.define(self, *args, **params)
        arrays = [np.asarray(a, dtype=object) for a in args]
        found = np.asarray(op.run(np, *arrays, **params), dtype=object)
        shape = op.shape(*(a.shape for a in arrays), **params)
        # A sum of nothing is the integer 0.
        return objects(np.asarray(np.frompyfunc(self._make, 1, 1)(found), dtype=object).reshape(shape))

    def constant(self, value: Any) -> Any:
        return self._make(value)


def shape_of(value: Any) -> Shape:
    """The shape of what a rule holds: a reference to a step, an array, or one object."""
    return tuple(getattr(value, "shape", ()))


def declare(
    name: str,
    arity: int,
    *,
    vjp: Sequence[Rule | None],
    shape: Callable[..., Shape],
    run: Callable[..., Any],
    torch: Callable[..., Any],
    latex: str = "",
    settle: Callable[..., dict[str, Param]] = lambda *shapes: {},
    define: Rule | None = None,
    stable: Rule | None = None,
    join: str = "",
    enclose: Callable[..., Any] | None = None,
    sympy: Callable[..., Any] | None = None,
    numpy: str | None = None,
    infix: Infix | None = None,
    trivial: Callable[..., bool] | None = None,
    variadic: bool = False,
    write: Rule | None = None,
    whole: bool = False,
    uniform: bool = False,
    typeset: Callable[[Sequence[str], Mapping[str, Any]], str] | None = None,
    text: Callable[[Mapping[str, Any], Sequence[Shape]], str] | None = None,
    examples: Sequence[Example] = (),
    ulp: float = 2.0,
) -> TensorOp:
    """Register an op that is not elementwise.

    Enclosure and SymPy's definition follow from ``define`` or ``run``, where they are not given.

    Raises:
        InternalError: the declaration is incomplete.
    """

    def by_balls(*args: Any, **params: Any) -> Any:
        from symgrad.ops.balls import BALLS

        return BALLS.tensor(op, *args, **params)

    def by_sympy(*args: Any, **params: Any) -> Any:
        import sympy as sp

        return ObjectMath(lambda row: row.sympy, sp.sympify).tensor(op, *args, **params)

    op = TensorOp(
        name=name, arity=arity, partials=(), sympy=sympy or by_sympy, enclose=enclose or by_balls, latex=latex,
        torch=torch, numpy=numpy, infix=infix, ulp=ulp, named=True, hidden=True, vjp=tuple(vjp), shape=shape, run=run,
        settle=settle, define=define, stable=stable, join=join, trivial=trivial, variadic=variadic, write=write,
        whole=whole, uniform=uniform, typeset=typeset, text=text, examples=tuple(examples),
    )  # fmt: skip
    register(op)
    return op
