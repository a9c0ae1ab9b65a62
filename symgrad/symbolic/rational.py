"""Rational functions of sub-expressions, by FLINT's multivariate polynomials.

Whatever is no sum, product or integer power is a generator: a symbol, ``tanh(u)``, ``pi``, ``sqrt(u)``, ``exp(u)``.
FLINT's arithmetic is some hundred times faster than SymPy's, and every product is measured before it is formed.
"""

from __future__ import annotations

from collections.abc import Callable
from math import comb, lcm
from typing import Any

import sympy as sp
from flint import Ordering, fmpz_mpoly_ctx

from symgrad.symbolic.census import is_plain

#: Beyond these there is no rational form: factoring in more variables, degrees or terms may take seconds.
MAX_GENERATORS = 12
MAX_DEGREE = 24
MAX_TERMS = 64
MAX_COEFFICIENT = 256


class _TooMuch(Exception):
    """The rational form is beyond the limits, or the budget is."""


def rational_forms(expr: Any, spend: Callable[[int], bool]) -> tuple[Any, ...]:
    """Other ways to write ``expr``: factored, and expanded over a factored denominator.

    Args:
        expr: any expression.
        spend: takes units of work off a budget and says whether they were left.

    Returns an empty tuple where the form is beyond the limits or the budget.
    """
    try:
        return _Rational(expr, spend).forms()
    except _TooMuch:
        return ()


class _Rational:
    def __init__(self, expr: Any, spend: Callable[[int], bool]) -> None:
        self.spend = spend
        self.order = _postorder(expr)
        #: base of a generator -> common denominator of its exponents
        self.roots: dict[Any, int] = {}
        self.index: dict[Any, int] = {}
        leaves = [n for n in self.order if not is_plain(n) and not n.is_Rational]
        for node in leaves:
            base, exponent = _as_power(node)
            self.roots[base] = lcm(self.roots.get(base, 1), int(exponent.q))
            self.index.setdefault(base, len(self.index))
        if not 0 < len(self.index) <= MAX_GENERATORS:
            raise _TooMuch
        self.context = fmpz_mpoly_ctx.get(tuple(f"g{i}" for i in range(len(self.index))), Ordering.lex)
        self.generators = self.context.gens()
        self.one = self.context.constant(1)
        self.value = self._evaluate()

    def _pay(self, units: int) -> None:
        if not self.spend(units):
            raise _TooMuch

    # --- arithmetic -----------------------------------------------------------------------------------------------

    def _evaluate(self) -> tuple[Any, Any]:
        values: dict[Any, tuple[Any, Any]] = {}
        for node in self.order:
            self._pay(1)
            if node.is_Rational:
                values[node] = self._constant(node)
            elif node.is_Add:
                values[node] = self._sum([values[a] for a in node.args])
            elif node.is_Mul:
                top, bottom = self.one, self.one
                for a in node.args:
                    top = self._times(top, values[a][0])
                    bottom = self._times(bottom, values[a][1])
                values[node] = top, bottom
            elif is_plain(node):
                values[node] = self._raise(*values[node.base], int(node.exp))
            else:
                base, exponent = _as_power(node)
                n = int(exponent * self.roots[base])
                if abs(n) > MAX_DEGREE:
                    raise _TooMuch
                values[node] = self._raise(self.generators[self.index[base]], self.one, n)
        top, bottom = values[self.order[-1]]
        self._pay(len(top) * len(bottom))
        shared = top.gcd(bottom)
        return top / shared, bottom / shared

    def _constant(self, node: Any) -> tuple[Any, Any]:
        if int(node.p).bit_length() + int(node.q).bit_length() > MAX_COEFFICIENT:
            raise _TooMuch
        return self.context.constant(int(node.p)), self.context.constant(int(node.q))

    def _times(self, a: Any, b: Any) -> Any:
        if len(a) * len(b) > 4 * MAX_TERMS:
            raise _TooMuch
        self._pay(len(a) * len(b) // 4 + 1)
        product = a * b
        if len(product) > MAX_TERMS or (product and product.total_degree() > 4 * MAX_DEGREE):
            raise _TooMuch
        return product

    def _raise(self, top: Any, bottom: Any, n: int) -> tuple[Any, Any]:
        if n < 0:
            if not top:
                raise _TooMuch
            top, bottom, n = bottom, top, -n
        for p in (top, bottom):
            if n > MAX_DEGREE or (len(p) > 1 and comb(len(p) + n - 1, n) > MAX_TERMS):
                raise _TooMuch
            self._pay(len(p) * n)
        return top**n, bottom**n

    def _sum(self, parts: list[tuple[Any, Any]]) -> tuple[Any, Any]:
        top, bottom = parts[0]
        for a, b in parts[1:]:
            if b == bottom:
                top = top + a
            else:
                self._pay(len(b) + len(bottom))
                shared = b.gcd(bottom)
                left, right = b / shared, bottom / shared
                top = self._times(top, left) + self._times(a, right)
                bottom = self._times(bottom, left)
            if len(top) > MAX_TERMS:
                raise _TooMuch
            self._pay(len(a))
        return top, bottom

    # --- back to SymPy --------------------------------------------------------------------------------------------

    def forms(self) -> tuple[Any, ...]:
        top, bottom = self.value
        if not top:
            return (sp.S.Zero,)
        below = self._factored(bottom)
        above = self._factored(top)
        found = [sp.Mul(*above, *(1 / f for f in below))]
        if len(top) > 1:
            plain = self._written(top)
            found.append(sp.Mul(plain, *(1 / f for f in below)))
            if len(above) > 1:
                # Only what is common to all terms taken out, and the rest left as a sum.
                content = top.term_content()
                shared, rest = self._written(content), self._written(top / content)
                found.append(sp.Mul(shared, rest, *(1 / f for f in below)))
        return tuple(found)

    def _factored(self, p: Any) -> list[Any]:
        degrees = p.degrees()
        if len(p) > 1 and (sum(degrees) > 2 * MAX_DEGREE or max(degrees) > MAX_DEGREE):
            raise _TooMuch
        self._pay(4 * len(p) * (1 + sum(1 for d in degrees if d)))
        constant, factors = p.factor()
        sign = 1
        out = []
        for f, n in factors:
            written = self._written(f)
            if written.is_Add and _cost_of_sign(written) > _cost_of_sign(-written):
                written, sign = -written, sign * (-1) ** int(n)
            out.append(written ** int(n))
        out.sort(key=sp.default_sort_key)
        return [sp.Integer(int(constant) * sign), *out]

    def _written(self, p: Any) -> Any:
        bases = list(self.index)
        self._pay(len(p) * 2)
        terms = []
        for exponents, c in p.to_dict().items():
            powers = [
                _from_power(b, sp.Rational(int(n), self.roots[b])) for b, n in zip(bases, exponents, strict=True) if n
            ]
            terms.append(sp.Mul(sp.Integer(int(c)), *powers))
        return sp.Add(*terms)


def _postorder(expr: Any) -> list[Any]:
    """Distinct nodes of the rational skeleton, operands first."""
    done: dict[Any, None] = {}
    stack = [expr]
    while stack:
        node = stack[-1]
        if node in done:
            stack.pop()
            continue
        operands = ((node.base,) if node.is_Pow else node.args) if is_plain(node) else ()
        missing = [a for a in operands if a not in done]
        if missing:
            stack += reversed(missing)
        else:
            done[stack.pop()] = None
    return list(done)


def _as_power(node: Any) -> tuple[Any, Any]:
    """A generator and its exponent: exp(-2*u/3) is exp(u)**(-2/3), and so are other powers with rational exponents."""
    if isinstance(node, sp.exp):
        c, rest = node.args[0].primitive() if node.args[0].is_Add else node.args[0].as_coeff_Mul()
        if not c.is_Rational or c == 0:
            return node, sp.S.One
        if rest.could_extract_minus_sign():
            c, rest = -c, -rest
        return sp.exp(rest), c
    if node.is_Pow and node.exp.is_Rational:
        return node.base**sp.Rational(1, node.exp.q), sp.Integer(node.exp.p)
    return node, sp.S.One


def _from_power(base: Any, exponent: Any) -> Any:
    if isinstance(base, sp.exp):
        return sp.exp(base.args[0] * exponent)
    return base**exponent


def _cost_of_sign(total: Any) -> tuple[int, bool]:
    """Minus signs at the front of terms; a leading one cannot be avoided where all terms have it."""
    minus = sum(1 for t in total.args if t.as_coeff_Mul()[0].is_negative)
    return minus, bool(total.could_extract_minus_sign())
