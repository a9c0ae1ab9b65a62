"""What the table of ops looks like from SymPy: definitions, their derivatives, and functions that SymPy lacks.

Everything here is read off ``op.sympy``; no op is mentioned by name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar

import sympy as sp
from sympy.core.function import ArgumentIndexError

from symgrad.ops import OPS, Op
from symgrad.symbolic.identities import combine


@cache
def placeholder(index: int) -> Any:
    """The symbol that stands for input ``index`` in a definition."""
    return sp.Dummy(f"x{index}", real=True)


@cache
def definition(name: str) -> Any:
    """The definition of the op called ``name``, in placeholders."""
    op = OPS[name]
    return op.sympy(*(placeholder(i) for i in range(op.arity)))


def _real(expr: Any) -> Any:
    """What SymPy's derivative is for real arguments, away from jumps.

    SymPy differentiates for complex numbers where it cannot tell that a function is real, and writes the derivative
    of a jump as a DiracDelta, which is zero wherever there is a derivative.
    """
    return (
        expr.replace(sp.re, lambda u: u)
        .replace(sp.im, lambda u: sp.S.Zero)
        .replace(sp.conjugate, lambda u: u)
        .replace(sp.DiracDelta, lambda *u: sp.S.Zero)
    )


@cache
def slope(name: str, index: int) -> Any:
    """SymPy's own derivative of an op's definition by its input ``index``, in placeholders; ``None`` if it has none."""
    x = placeholder(index)
    for expr in (definition(name), definition(name).rewrite(sp.Piecewise)):
        try:
            found = expr.diff(x)
        except (ArgumentIndexError, ValueError):
            continue
        if not found.has(sp.Derivative, sp.Subs):
            # a**b*b/a has no value at a = 0, b*a**(b - 1) has.
            return combine(sp.powsimp(_real(found), combine="exp"))
    return None


class Named(sp.Function):  # type: ignore[misc]
    """A function of the table under its own name, for closed forms that stay readable.

    It differentiates, evaluates and expands by its definition: ``sp.expand_func(e)`` or ``e.rewrite(sp.exp)`` show it.
    """

    row: ClassVar[Op]

    def __new__(cls, *args: Any, **options: Any) -> Any:
        """Missing trailing arguments take the op's defaults."""
        row = cls.row
        missing = row.arity - len(args)
        if 0 < missing <= len(row.defaults):
            args = (*args, *(sp.Rational(d.numerator, d.denominator) for d in row.defaults[-missing:]))
        return super().__new__(cls, *args, **options)

    def definition(self) -> Any:
        """The function written out in SymPy's own functions."""
        return self.row.sympy(*self.args)

    def fdiff(self, argindex: int = 1) -> Any:
        """The derivative of the definition by one argument.

        Raises:
            ArgumentIndexError: SymPy has no derivative by that argument.
        """
        found = slope(self.row.name, argindex - 1) if 1 <= argindex <= self.row.arity else None
        if found is None:
            raise ArgumentIndexError(self, argindex)
        return found.xreplace({placeholder(i): a for i, a in enumerate(self.args)})

    def _eval_evalf(self, prec: int) -> Any:
        # SymPy's precision is in bits, evalf's in decimal digits.
        return self.definition().evalf(1 + int(prec * 0.30103)) if self.is_number else None

    def _eval_expand_func(self, **_hints: Any) -> Any:
        return self.definition()

    def _eval_rewrite(self, _rule: Any, args: Any, **_hints: Any) -> Any:
        return self.row.sympy(*args)

    def _eval_is_extended_real(self) -> bool | None:
        return True if not self.row.domain and all(a.is_extended_real for a in self.args) else None

    def _eval_is_finite(self) -> bool | None:
        return True if not self.row.domain and all(a.is_real for a in self.args) else None

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        template = self.row.latex
        given = len(self.args)
        for i in range(self.row.arity - 1, -1, -1):  # a default that the template leaves out is shown where it differs
            if f"{{{i}}}" not in template and self.args[i] != _default(self.row, i):
                break
            given = i if f"{{{i}}}" not in template else given
            if f"{{{i}}}" in template:
                break
        inner = [printer.doprint(a) for a in self.args]
        if given > 1 and f"{{{given - 1}}}" not in template:
            inner[0] = ", ".join(inner[:given])
        text = template.format(*inner)
        if exp is None:
            return text
        return f"{text}^{{{exp}}}" if template.endswith("\\right)") else f"\\left({text}\\right)^{{{exp}}}"


def _default(row: Op, index: int) -> Any:
    place = index - row.arity + len(row.defaults)
    return sp.Rational(row.defaults[place].numerator, row.defaults[place].denominator) if place >= 0 else None


@cache
def named_function(name: str) -> Any:
    """The SymPy function class for an op that SymPy has no function for."""
    op = OPS[name]
    return type(name, (Named,), {"row": op, "nargs": op.arity, "__module__": __name__, "__doc__": f"The op {name}."})


def __getattr__(name: str) -> Any:
    """Named functions are attributes of this module, so that expressions can be pickled."""
    if name in OPS and OPS[name].named:
        return named_function(name)
    raise AttributeError(name)


@dataclass(frozen=True, slots=True)
class Pattern:
    """An op that is one application of a SymPy function: which of its arguments are inputs, which are fixed."""

    op: str
    #: For each argument of the SymPy function: the number of the op's input, or the fixed expression.
    places: tuple[Any, ...]

    def match(self, expr: Any) -> tuple[Any, ...] | None:
        """The op's inputs in order, if ``expr`` is of this form."""
        if len(expr.args) != len(self.places):
            return None
        inputs: dict[int, Any] = {}
        for place, arg in zip(self.places, expr.args, strict=True):
            if isinstance(place, int):
                inputs[place] = arg
            elif place != arg:
                return None
        return tuple(inputs[i] for i in range(len(inputs)))


def _plain() -> Iterator[Op]:
    """The ops that are written in SymPy's own functions: the others' definitions take SymPy a while."""
    return (op for op in OPS.values() if not op.named)


@cache
def patterns() -> dict[Any, tuple[Pattern, ...]]:
    """SymPy's own function class -> the ops that it can be, the most specific first."""
    found: dict[Any, list[Pattern]] = {}
    for op in _plain():
        expr = definition(op.name)
        if not expr.is_Function or isinstance(expr, sp.Piecewise | sp.Max | sp.Min):
            continue
        inputs = {placeholder(i): i for i in range(op.arity)}
        places = tuple(inputs.get(a, a) for a in expr.args)
        if {p for p in places if isinstance(p, int)} == set(range(op.arity)):
            found.setdefault(expr.func, []).append(Pattern(op.name, places))
    return {
        func: tuple(sorted(rows, key=lambda r: sum(isinstance(p, int) for p in r.places)))
        for func, rows in found.items()
    }


@cache
def lattices() -> dict[Any, str]:
    """``Max`` and ``Min``, which take any number of arguments in any order -> op."""
    kinds = (sp.Max, sp.Min)
    return {d.func: op.name for op in _plain() if isinstance(d := definition(op.name), kinds)}


@cache
def relations() -> dict[Any, str]:
    """SymPy's relations -> the op that is 1 where the relation holds, and 0 elsewhere."""
    return {
        d.args[0][1].func: op.name
        for op in _plain()
        if isinstance(d := definition(op.name), sp.Piecewise)
        and d.args[0][0] == 1
        and d.args[0][1].args == tuple(placeholder(i) for i in range(op.arity))
    }


@cache
def selector() -> str:
    """The op that chooses between two values by a condition."""
    wanted = sp.Piecewise((placeholder(1), sp.Ne(placeholder(0), 0)), (placeholder(2), True))
    return next(op.name for op in _plain() if definition(op.name) == wanted)


def spelled(expr: Any) -> tuple[str, tuple[Any, ...]] | None:
    """The op that an application of a SymPy function is, and its inputs; ``None`` where the table has none."""
    if isinstance(expr, Named):
        return expr.row.name, expr.args
    for pattern in patterns().get(expr.func, ()):
        inputs = pattern.match(expr)
        if inputs is not None:
            return pattern.op, inputs
    return None


def apply(m: Any, name: str, *args: Any) -> Any:
    """Apply an op by name through a namespace of rules."""
    call: Callable[..., Any] = getattr(m, name)
    return call(*args)
