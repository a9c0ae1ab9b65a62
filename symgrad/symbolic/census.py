"""Looking at every distinct node of growing expressions once, and hiding large arguments of functions from SymPy.

SymPy looks for a simpler form whenever it builds something. To do so it asks for the sign and the finiteness of all
parts, and to tell them it expands real and imaginary parts, in time exponential in the nesting: a Heaviside of five
nested functions took it minutes. So an argument that is large, or nested, is hidden behind a real symbol while
expressions are built, and put back at the end as it stands. What SymPy is given then is always small.
"""

from __future__ import annotations

from functools import cmp_to_key
from typing import Any

import sympy as sp

from symgrad.symbolic.guard import MAX_BITS, MAX_DEPTH, TooLarge, bits

#: An argument with more operations, or with functions nested deeper, is hidden.
EASY_SIZE = 10
EASY_NESTING = 1

_NO_NUMBER = (sp.S.ComplexInfinity, sp.S.NaN, sp.S.Infinity, sp.S.NegativeInfinity, sp.S.ImaginaryUnit)


def _compare(a: Any, b: Any) -> int:
    return int(a.compare(b))


_order = cmp_to_key(_compare)


def depth(expr: Any) -> int:
    """Levels of nesting."""
    return Census().depth(expr)


def operations(expr: Any) -> int:
    """Operations of an expression written out. Linear in its distinct parts."""
    return Census().size(expr)


def is_plain(node: Any) -> bool:
    """A sum, a product or an integer power: SymPy builds these without questions."""
    return bool(node.is_Add or node.is_Mul or (node.is_Pow and node.exp.is_Integer))


class Census:
    """Measures of nodes, remembered; and what is hidden."""

    def __init__(self) -> None:
        self._depth: dict[Any, int] = {}
        self._size: dict[Any, int] = {}
        self._nesting: dict[Any, int] = {}
        self._cased: dict[Any, bool] = {}
        self._hidden: dict[Any, Any] = {}
        #: symbol -> what it hides, which may hold symbols that stand before it
        self.values: dict[Any, Any] = {}

    # --- measures -------------------------------------------------------------------------------------------------

    def depth(self, expr: Any) -> int:
        """Levels of nesting, what is hidden included; shared parts are visited once, over all calls."""
        known = self._depth
        stack = [expr]
        while stack:
            node = stack[-1]
            if node in known:
                stack.pop()
                continue
            missing = [a for a in node.args if a not in known]
            if missing:
                stack += missing
                continue
            stack.pop()
            known[node] = 1 + max((known[a] for a in node.args), default=0)
            own = len(node.args) - 1 if node.is_Add or node.is_Mul else min(1, len(node.args))
            self._size[node] = own + sum(self._size[a] for a in node.args)
            self._nesting[node] = max((self._nesting[a] for a in node.args), default=0) + bool(
                node.args and not is_plain(node)
            )
            self._cased[node] = isinstance(node, sp.Piecewise) or any(self._cased[a] for a in node.args)
            self.look(node)
        return known[expr]

    def has_cases(self, expr: Any) -> bool:
        """Whether there is a Piecewise in it, what is hidden included."""
        self.depth(expr)
        return self._cased[expr]

    def size(self, expr: Any) -> int:
        """Operations when written out; what is hidden counts nothing."""
        self.depth(expr)
        return self._size[expr]

    def look(self, node: Any) -> None:
        """Called once for each node, inner ones first."""

    # --- hiding ---------------------------------------------------------------------------------------------------

    def hide(self, arg: Any) -> Any:
        """An argument of a function, or the symbol that stands for it if it is large; equal ones share a symbol."""
        if self.size(arg) <= EASY_SIZE and self._nesting[arg] <= EASY_NESTING:
            return arg
        if arg not in self._hidden:
            symbol = sp.Symbol(f"%u{len(self._hidden):05}", real=True)
            self._hidden[arg] = symbol
            self.values[symbol] = arg
            self._depth[symbol], self._cased[symbol] = self._depth[arg], self._cased[arg]
            self._size[symbol] = self._nesting[symbol] = 0
            self.look(symbol)
        return self._hidden[arg]

    def hidden(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """Arguments of a function, the large ones hidden. Conditions stay: SymPy does not look into them."""
        return tuple(self.hide(a) if isinstance(a, sp.Expr) else a for a in args)

    def abstract(self, expr: Any) -> Any:
        """``expr`` with large arguments hidden everywhere but in conditions."""
        done: dict[Any, Any] = {}
        stack = [expr]
        while stack:
            node = stack[-1]
            if node in done:
                stack.pop()
                continue
            operands = [a for a in _operands(node) if a not in done]
            if operands:
                stack += reversed(operands)
                continue
            stack.pop()
            done[node] = self.rebuilt(node, done)
        return done[expr]

    def rebuilt(self, node: Any, done: dict[Any, Any]) -> Any:
        """``node`` of other operands, the large ones hidden where it is a function."""
        if isinstance(node, sp.Piecewise):
            return sp.Piecewise(*((done[v], c) for v, c in node.args), evaluate=False)
        if not node.args or not isinstance(node, sp.Expr):
            return node
        args = tuple(done[a] for a in node.args)
        if not is_plain(node):
            args = self.hidden(args)
        if all(a is b for a, b in zip(args, node.args, strict=True)):
            return node
        if isinstance(node, sp.Max | sp.Min):
            return node.func(*args, evaluate=False)
        return node.func(*args)

    def reveal(self, expr: Any) -> Any:
        """``expr`` with everything put back, as it stands: nothing is evaluated."""
        if not self.values:
            return expr
        done: dict[Any, Any] = {}
        stack = [expr]
        while stack:
            node = stack[-1]
            if node in done:
                stack.pop()
                continue
            inner = (self.values[node],) if node in self.values else node.args
            missing = [a for a in inner if a not in done]
            if missing:
                stack += missing
                continue
            stack.pop()
            if node in self.values:
                done[node] = done[self.values[node]]
            else:
                done[node] = _assembled(node, tuple(done[a] for a in node.args))
        return done[expr]


def _operands(node: Any) -> tuple[Any, ...]:
    if isinstance(node, sp.Piecewise):
        return tuple(value for value, _ in node.args)
    return tuple(node.args) if isinstance(node, sp.Expr) else ()


def _assembled(node: Any, args: tuple[Any, ...]) -> Any:
    """``node`` of other arguments without evaluation, in SymPy's own order of terms and factors."""
    if all(a is b for a, b in zip(args, node.args, strict=True)):
        return node
    if node.is_Add or node.is_Mul:
        # A sum put back into a sum is one sum, as SymPy has it.
        flat = [p for a in args for p in (a.args if a.func == node.func else (a,))]
        numbers = [a for a in flat if a.is_Number]
        others = sorted((a for a in flat if not a.is_Number), key=_order)
        if len(numbers) > 1:
            return node.func(*flat)
        return node.func._from_args([*numbers, *others])
    if isinstance(node, sp.Tuple):  # a case of a Piecewise
        return node.func(*args)
    return node.func(*args, evaluate=False)


class ClosedFormCensus(Census):
    """Rejects what must not stand in a closed form."""

    def look(self, node: Any) -> None:
        """Check one node.

        Raises:
            TooLarge: it is no finite real number, or too long.
        """
        if node.is_Rational and bits(node) > MAX_BITS:
            raise TooLarge(f"a number of the closed form has more than {MAX_BITS} binary digits")
        if node in _NO_NUMBER or isinstance(node, sp.AccumBounds):
            raise TooLarge("a part of the closed form has no real value")

    def admit(self, expr: Any) -> Any:
        """Return ``expr``.

        Raises:
            TooLarge: it holds something that must not be there, or is too deep.
        """
        if self.depth(expr) > MAX_DEPTH:
            raise TooLarge(f"the closed form is nested more than {MAX_DEPTH} deep")
        return expr
