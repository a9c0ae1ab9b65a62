"""SymPy expressions as text that symgrad's own expressions are written in, and as LaTeX."""

from __future__ import annotations

from typing import Any

import sympy as sp
from sympy.printing.latex import LatexPrinter
from sympy.printing.str import StrPrinter

from symgrad.errors import Unsupported
from symgrad.ops import OPS
from symgrad.symbolic.census import depth
from symgrad.symbolic.guard import MAX_DEPTH, TooLarge
from symgrad.symbolic.named import lattices, relations, selector, spelled

#: Printers recurse; what this module's callers build is never deeper than ``MAX_DEPTH``.
PRINT_DEPTH = 2 * MAX_DEPTH


class _Text(StrPrinter):  # type: ignore[misc]
    """SymPy's printer with the table's spellings."""

    def _print_Function(self, expr: Any) -> str:
        found = spelled(expr)
        if found is None:
            raise Unsupported(f"the function {expr.func.__name__} has no spelling")
        name, inputs = found
        shown = list(inputs)
        defaults = [sp.Rational(d.numerator, d.denominator) for d in OPS[name].defaults]
        while defaults and shown[-1] == defaults.pop():
            shown.pop()
        return f"{name}({', '.join(self._print(a) for a in shown)})"

    _print_Abs = _print_Function
    _print_Heaviside = _print_Function

    def _print_LatticeOp(self, expr: Any) -> str:
        name = lattices()[expr.func]
        first, *rest = expr.args
        text: str = self._print(first)
        for arg in rest:
            text = f"{name}({text}, {self._print(arg)})"
        return text

    _print_Max = _print_LatticeOp
    _print_Min = _print_LatticeOp

    def _print_Piecewise(self, expr: Any) -> str:
        *pieces, (last, always) = expr.args
        if always != True:  # noqa: E712  (SymPy's true)
            raise Unsupported("a Piecewise without a last, unconditional case has no spelling")
        text: str = self._print(last)
        for value, condition in reversed(pieces):
            text = self._choose(condition, self._print(value), text)
        return text

    def _choose(self, condition: Any, yes: str, no: str) -> str:
        if isinstance(condition, sp.Not):
            return self._choose(condition.args[0], no, yes)
        if isinstance(condition, sp.And):
            for part in reversed(condition.args):
                yes = self._choose(part, yes, no)
            return yes
        if isinstance(condition, sp.Or):
            for part in reversed(condition.args):
                no = self._choose(part, yes, no)
            return no
        if condition in (True, False):
            return yes if condition else no
        if condition.func not in relations():
            raise Unsupported(f"the condition {condition.func.__name__} has no spelling")
        left, right = (self._print(a) for a in condition.args)
        infix = OPS[relations()[condition.func]].infix
        return f"{selector()}({left} {infix.symbol if infix else ''} {right}, {yes}, {no})"

    def _print_Float(self, expr: Any) -> str:
        # A decimal is exact in our expressions, so this must be the number, not a rounding of it.
        return repr(float(expr)) if expr == sp.Float(float(expr)) else super()._print_Float(expr)


class _Latex(LatexPrinter):  # type: ignore[misc]
    """SymPy's printer, but the step function is H: theta is a common name of a variable."""

    def _print_Heaviside(self, expr: Any, exp: str | None = None) -> str:
        found = spelled(expr)
        text = OPS[found[0]].latex.format(*(self._print(a) for a in found[1])) if found else "H"
        return f"{text}^{{{exp}}}" if exp else text


    def _print_Piecewise(self, expr: Any, exp: str | None = None) -> str:
        # SymPy gives every function its exponent, and its own printer of this one takes none.
        text: str = super()._print_Piecewise(expr)
        return f"\\left({text}\\right)^{{{exp}}}" if exp else text


def _checked(expr: Any) -> Any:
    if depth(expr) > PRINT_DEPTH:
        raise TooLarge(f"an expression nested more than {PRINT_DEPTH} deep is not written out")
    return expr


def sympy_text(expr: Any) -> str:
    """``expr`` as text in our own grammar, on one line.

    Raises:
        Unsupported: it holds something that the grammar has no spelling for.
        TooLarge: it is nested too deep to be printed.
    """
    return str(_Text().doprint(_checked(expr)))


def sympy_latex(expr: Any) -> str:
    """``expr`` as LaTeX, without dollar signs.

    Raises:
        TooLarge: it is nested too deep to be printed.
    """
    return str(_Latex().doprint(_checked(expr)))
