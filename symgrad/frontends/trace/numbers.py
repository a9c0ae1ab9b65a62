"""A script's built-in functions and operators that compute: traced where that means something, bounded where not."""

from __future__ import annotations

import builtins
import operator
from collections.abc import Callable, Iterable
from typing import Any

from symgrad.frontends.trace.arrays import Array, item
from symgrad.frontends.trace.lib_math import add_up, power, raw
from symgrad.frontends.trace.tracer import Tracer
from symgrad.frontends.trace.values import Exact, TracedFloat, TracedInt, Value, apply, matmul, number

#: ``old op value``, for what an in-place operator does to an array before the array takes the result over.
PLAIN_OPERATORS: dict[str, Callable[..., Any]] = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv, "//": operator.floordiv,
    "%": operator.mod, "**": operator.pow, "@": matmul, ">>": operator.rshift, "<<": operator.lshift,
    "&": operator.and_, "|": operator.or_, "^": operator.xor,
}  # fmt: skip

#: ``old op= value`` of everything else. Powers and shifts are bounded, so they are not here.
IN_PLACE: dict[str, Callable[..., Any]] = {
    "+": operator.iadd, "-": operator.isub, "*": operator.imul, "/": operator.itruediv, "//": operator.ifloordiv,
    "%": operator.imod, "@": operator.imatmul, ">>": operator.irshift, "&": operator.iand, "|": operator.ior,
    "^": operator.ixor,
}  # fmt: skip


#: ``value op other``, by what is asked of ``other``.
PLAIN_LEFT: dict[str, Callable[..., Any]] = {
    "__radd__": operator.add, "__rsub__": operator.sub, "__rmul__": operator.mul, "__rtruediv__": operator.truediv,
}  # fmt: skip


class Numbers:
    """``float``, ``sum``, ``max``, ``**`` and their like, for one run."""

    def __init__(self, tr: Tracer) -> None:
        self.tr = tr

    def float(self, value: Any = 0.0) -> Any:
        """``float(x)`` of a traced number is the same step."""
        if isinstance(value, Array):
            value = item(value)
        if isinstance(value, Value):
            return value if isinstance(value, Exact) else number(self.tr, float(raw(value)), value.step)
        return float(value)

    def int(self, value: Any = 0, *base: Any) -> Any:
        if type(value) is TracedInt:
            return value
        if isinstance(value, TracedFloat | Array):
            self.tr.note("the result of int is taken as a constant")
        return int(raw(value), *base)

    def boolean(self, value: Any = False) -> builtins.bool:
        return bool(value)

    def round(self, value: Any, digits: Any = None) -> Any:
        return round(value) if digits is None else round(value, digits)

    def pow(self, base: Any, exponent: Any, modulus: Any = None) -> Any:
        return power(self.tr, base, exponent) if modulus is None else pow(raw(base), raw(exponent), raw(modulus))

    def sum(self, items: Iterable[Any], /, start: Any = 0) -> Any:
        return add_up(self.tr, items, start)

    def max(self, *args: Any, **options: Any) -> Any:
        return self._extreme("max", max, args, options)

    def min(self, *args: Any, **options: Any) -> Any:
        return self._extreme("min", min, args, options)

    def _extreme(self, op: str, plain: Callable[..., Any], args: tuple[Any, ...], options: dict[str, Any]) -> Any:
        items = list(args[0]) if len(args) == 1 else list(args)
        traced = any(isinstance(a, Value) for a in items) and all(isinstance(a, int | float | Value) for a in items)
        if options or not traced:
            return plain(items, **options)
        best = items[0]
        for other in items[1:]:
            best = (
                apply(op, (best, other)) if isinstance(best, Value) or isinstance(other, Value) else plain(best, other)
            )
        return best

    # --- operators that could explode ---------------------------------------------------------------------------

    def power(self, base: Any, exponent: Any) -> Any:
        return power(self.tr, base, exponent)

    def shift(self, value: Any, places: Any) -> Any:
        if isinstance(places, int) and places > 1 << 16:
            self.tr.stop("limit", "a shift this far is too large to compute")
        return value << places

    @staticmethod
    def left(reflected: str, value: Any, other: Any) -> Any:
        """``1.0 / n``, by the name of what is asked of ``n``: Python would have the float do it, untraced, since a
        traced whole number is an int."""
        if isinstance(other, TracedInt):
            return getattr(other, reflected)(value)
        return PLAIN_LEFT[reflected](value, other)

    def inplace(self, symbol: str, old: Any, value: Any) -> Any:
        """``old op= value``: an array changes in place, everything else gives a new object."""
        self.tr.alive()
        if isinstance(old, Array):
            return old.replace(PLAIN_OPERATORS[symbol](old, value))
        if symbol == "**":
            return self.power(old, value)
        if symbol == "<<":
            return self.shift(old, value)
        return IN_PLACE[symbol](old, value)
