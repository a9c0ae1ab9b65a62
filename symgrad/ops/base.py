"""What an op declares, and the table that holds every op.

An op is declared once. Everything else in symgrad (parsing, evaluation, enclosure, derivation, printing,
tests) reads the table; nothing outside ``symgrad.ops`` branches on an op's name.

:class:`Op` is an elementwise function: it has local derivatives (``partials``) and broadcasts as NumPy does. What
moves numbers about or adds them up is a :class:`symgrad.ops.tensor.TensorOp`, which stands in the same table.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Protocol

from symgrad.errors import InternalError

#: A rule is written against a namespace ``m`` (see :class:`Math`), the output ``y`` and the inputs. It is typed
#: loosely on purpose: the same lambda runs on graph references, on Arb balls and on SymPy expressions.
Rule = Callable[..., Any]


class Math(Protocol):
    """The namespace ``m`` that rules are written against: every op of the table by name, and exact constants."""

    def __getattr__(self, name: str) -> Callable[..., Any]: ...


#: The op that only gives its input another name.
COPY = "alias"
#: The op that adds two.
SUM = "add"
#: ... and that takes one from another.
DIFFERENCE = "sub"
#: ... and the exponential: what a parameter is of its logarithm.
EXPONENTIAL = "exp"


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition on an op's inputs: ``expr(m, *inputs)`` stands in ``relation`` to zero.

    ``relation`` is ``">"``, ``">="`` or ``"!="``. On the wrong side the op has no value; at zero of ``">"`` and
    ``"!="`` it is at the edge of its domain. ``words`` completes "log needs ...".
    """

    expr: Rule
    relation: str
    words: str


@dataclass(frozen=True, slots=True)
class Kink:
    """A place where the op is not differentiable: where ``expr(m, *inputs)`` is zero.

    ``jump`` says that the op itself, not only its derivative, is discontinuous there. ``active`` (optional) says
    for given inputs whether the place is a kink at all: ``elu`` with alpha = 1 has none. ``varies`` (optional) is the
    input that must vary for it to be one: where that is a constant, there is no kink.
    """

    expr: Rule
    jump: bool = False
    active: Rule | None = None
    varies: int | None = None


@dataclass(frozen=True, slots=True)
class Pitfall:
    """A wrong local factor that people write, and the words for it.

    ``factor`` has the form of a rule of ``partials``; ``words`` may refer to inputs as ``{0}``, ``{1}`` and to the
    output as ``{y}``; ``mistake`` is one of the kinds that findings use.
    """

    factor: Rule
    words: str
    mistake: str = "wrong-formula"
    input: int = 0


@dataclass(frozen=True, slots=True)
class Infix:
    """How an op is written between or before its inputs, in text.

    ``symbol`` such as ``"+"``; ``precedence`` grows with binding strength; ``right`` is the precedence that the right
    operand needs; unary minus has ``prefix=True``. With an empty symbol the op is written as its input alone.
    """

    symbol: str
    precedence: int
    left: int
    right: int
    prefix: bool = False


@dataclass(frozen=True, slots=True)
class Op:
    """One row of the table.

    Attributes:
        name: as written in expressions and in graphs.
        arity: number of inputs, defaults included.
        partials: one rule per input, ``(m, y, *x) -> local derivative``, as taught: what is shown and compared. A
            rule may be ``None`` where the output is piecewise constant in that input.
        sympy: ``(*x) -> Expr``, the definition in functions that SymPy differentiates by itself.
        enclose: ``(*balls) -> ball`` in Arb at the context's precision.
        torch: dotted name of the torch function, or a callable ``(torch, *tensors)``; ``None`` if ``lower`` is given.
        lower: ``(m, *x)``: the op composed from others, where torch has no function for it.
        numpy: dotted name of the NumPy function or ``None``.
        math: dotted name in Python's ``math`` or ``None``.
        accurate: like ``partials``, but free of cancellation: what is evaluated. ``None`` entries fall back.
        autograd: like ``partials``: the formula that torch's own backward evaluates, where it is another one.
        residual: ``(torch, y, *x)``: an estimate of exact minus rounded ``y``, for compensated evaluation.
        latex: template with ``{0}``, ``{1}`` for the inputs.
        infix: how it is written in text, where it is not a function call.
        domain: conditions under which the op has a value.
        kinks: where it has no derivative.
        ulp: bound on torch's error of one evaluation, in units in the last place of the result.
        ulp_absolute: the same as an absolute error in units of roundoff: for functions with zeros that torch
            evaluates with an error relative to 1, not to the result.
        pitfalls: wrong factors that people write.
        aliases: other names accepted in expressions.
        defaults: values of trailing inputs that may be left out.
        named: SymPy has no function for it, so closed forms show it under its own name.
        points: inputs at which the tests exercise it.
        hidden: not accepted in expressions (it only appears in derivatives).
        limits: gradients are clipped with it.
        canonical: the gradient at the input, ``(m, y, x, target)``, of the loss that goes with the op, and that loss's
            name: what is written by habit where the loss is another one.
        lossy: where the accurate factor is ill-conditioned: a predicate on floats, and the words that name it.
    """

    name: str
    arity: int
    partials: tuple[Rule | None, ...]
    sympy: Callable[..., Any]
    enclose: Callable[..., Any]
    latex: str
    torch: str | Callable[..., Any] | None = None
    lower: Rule | None = None
    numpy: str | None = None
    math: str | None = None
    accurate: tuple[Rule | None, ...] = ()
    autograd: tuple[Rule | None, ...] = ()
    residual: Callable[..., Any] | None = None
    infix: Infix | None = None
    domain: tuple[Condition, ...] = ()
    kinks: tuple[Kink, ...] = ()
    ulp: float = 2.0
    ulp_absolute: float = 0.0
    pitfalls: tuple[Pitfall, ...] = ()
    aliases: tuple[str, ...] = ()
    defaults: tuple[Fraction, ...] = ()
    named: bool = False
    points: tuple[tuple[float, ...], ...] = ()
    hidden: bool = False
    limits: bool = False
    canonical: tuple[Rule, str] | None = None
    lossy: tuple[Callable[..., bool], str] | None = None

    @property
    def title(self) -> str:
        """How a message speaks of it: ``tanh``, or ``'/'`` for what is written between its inputs."""
        return f"'{self.infix.symbol}'" if self.infix and self.infix.symbol else self.name

    @property
    def elementwise(self) -> bool:
        """Each entry of the output depends on the inputs' entries at the same place alone."""
        return True

    @property
    def gathers(self) -> bool:
        """It adds up any number of inputs in an order of its own."""
        return False

    @property
    def renames(self) -> bool:
        """The op only gives its input another name."""
        return self.infix is not None and not self.infix.symbol

    def rule(self, index: int, style: str) -> Rule | None:
        """The local derivative with respect to input ``index``.

        ``style`` is ``"taught"``, ``"accurate"`` or ``"autograd"``; the latter two fall back to the taught one.
        """
        chosen: tuple[Rule | None, ...] = ()
        if style == "accurate":
            chosen = self.accurate
        elif style == "autograd":
            chosen = self.autograd
        if index < len(chosen) and chosen[index] is not None:
            return chosen[index]
        return self.partials[index]

    def incomplete(self) -> str:
        """What the declaration lacks, in words; empty if it lacks nothing."""
        if len(self.partials) != self.arity:
            return f"has {self.arity} inputs but {len(self.partials)} partials"
        if (self.torch is None) == (self.lower is None):
            return "needs either a torch function or a lowering"
        if not self.points:
            return "names no points to test it at"
        if any(len(p) != self.arity for p in self.points):
            return "has test points of another arity"
        if any(f"{{{i}}}" not in self.latex for i in range(self.arity - len(self.defaults))):
            return "has a LaTeX template that leaves out an input"
        return ""


#: Every op by name. Filled by the modules of this package; read by everyone else.
OPS: dict[str, Op] = {}
#: The ops that only give their input another name. A leaf is none of them.
RENAMING: set[str] = set()

#: Every accepted spelling -> op name.
SPELLINGS: dict[str, str] = {}


def sign_of(op: str) -> str:
    """What is written between two operands: ``+``, ``/``, ...; nothing for a leaf, or what is written otherwise."""
    row = OPS.get(op)
    infix = row.infix if row is not None else None
    return infix.symbol if infix is not None and not infix.prefix else ""


def is_sum(op: str) -> bool:
    """A sum of two, or a difference."""
    return sign_of(op) in ("+", "-")


def register(op: Op) -> Op:
    """Add an op to the table.

    Raises:
        InternalError: the declaration is incomplete or its name is taken. This is raised at import, so that an
            unfinished rule cannot go unnoticed.
    """
    problem = "is declared twice" if op.name in OPS else op.incomplete()
    if problem:
        raise InternalError(f"the op {op.name} {problem}")
    OPS[op.name] = op
    if op.renames:
        RENAMING.add(op.name)
    if not op.hidden:
        for spelling in (op.name, *op.aliases):
            if spelling in SPELLINGS:
                raise InternalError(f"the spelling {spelling} is taken by {SPELLINGS[spelling]}")
            SPELLINGS[spelling] = op.name
    return op
