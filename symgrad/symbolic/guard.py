"""Measuring expressions before SymPy is let near them.

SymPy evaluates as it builds: ``9**9**9``, ``(2*x)**387420489`` or ``gamma(10**9)`` never return, and recursion on depth
ends at some hundred levels. Nothing here recurses, and nothing here evaluates.
"""

from __future__ import annotations

from typing import Any

import sympy as sp

from symgrad.errors import Unsupported

#: Operations in a written-out (not shared) closed form: what is built at most, and what is still read by a person.
BUILD_LIMIT = 2000
READABLE = 300
#: Levels of a SymPy expression: its printers and its assumptions take some eight Python frames each.
MAX_DEPTH = 40
#: Longest exact number (numerator and denominator together) in a closed form, and largest exponent.
MAX_BITS = 512
MAX_POWER = 1000
#: Constants beyond 2**(this) in size, or so close to zero, are not handed to SymPy.
MAX_SCALE = 16384
#: Argument up to which SymPy may write out gamma(n), polygamma(m, n) and their kin as an exact number.
MAX_ARGUMENT = 64

_EXPANDED = (sp.gamma, sp.loggamma, sp.polygamma, sp.factorial, sp.harmonic, sp.zeta, sp.binomial)


class TooLarge(Unsupported):
    """There is no closed form that can be read (or that SymPy can hold): named steps are given instead."""


def bits(value: Any) -> int:
    """Binary digits of an exact rational."""
    return int(value.p).bit_length() + int(value.q).bit_length()


def _numbers(expr: Any) -> int:
    """Binary digits of all numbers that a power of ``expr`` would raise."""
    if expr.is_Rational:
        return bits(expr)
    if expr.is_Mul:
        return sum(_numbers(a) for a in expr.args)
    return _numbers(expr.base) if expr.is_Pow else 0


def check_power(base: Any, exponent: Any) -> None:
    """Reject a power whose numbers SymPy would write out at length.

    Raises:
        TooLarge: it is such a power.
    """
    if base is sp.E:
        check_exponential(exponent)
    if not exponent.is_Rational:
        # c**(b + n) is evaluated when it meets another power of c.
        large = exponent.is_Number or any(abs(n) > MAX_POWER for n in exponent.atoms(sp.Rational))
        if large and _numbers(base):
            raise TooLarge("a number is raised to a power too large to be written out")
        return
    size = abs(int(exponent.p)) // int(exponent.q) + 1
    if size > MAX_POWER + 1 or (_numbers(base) - 1) * size > MAX_BITS:
        raise TooLarge("a power too large to be written out")


def check_exponential(exponent: Any) -> None:
    """Reject exp(n*log(c*x)) with a large n: SymPy turns it into c**n*x**n.

    Raises:
        TooLarge: it is such an exponential.
    """
    if exponent.has(sp.log) and any(abs(n) > MAX_POWER for n in exponent.atoms(sp.Rational)):
        raise TooLarge("a power too large to be written out")


def check_node(node: Any, args: tuple[Any, ...]) -> None:
    """Reject building ``node`` anew of other arguments where SymPy would evaluate it at length.

    Raises:
        TooLarge: it would.
    """
    if node.is_Pow:
        check_power(*args)
    elif isinstance(node, sp.exp):
        check_exponential(*args)
    elif isinstance(node, _EXPANDED):
        _check_expanded(args)


def _check_expanded(args: tuple[Any, ...]) -> None:
    for a in args:
        if a.is_Rational and (abs(a.p) > MAX_ARGUMENT or a.q > MAX_ARGUMENT):
            raise TooLarge("a number too large to be written out")


def check_arguments(definition: Any, args: tuple[Any, ...]) -> None:
    """Reject what SymPy would evaluate at length when it builds an op of this definition.

    Raises:
        TooLarge: it would.
    """
    if definition.has(*_EXPANDED):
        _check_expanded(args)
    if definition.is_Pow and len(args) == 2:
        check_power(*args)
    elif definition.has(sp.exp):
        for a in args:
            check_exponential(a)
