"""What a name says about a second derivative: ``d2y_dx2``, ``d2f_dxdy``, ``ddy``, ``f_double_prime``, ``hxy``,
``u_xx``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from symgrad.diagnose.text.naming import claims, normal, primitives


@dataclass(frozen=True, slots=True)
class Second:
    """A name read as a second derivative: of ``top``, by ``first`` and then by ``then``, all normalised names.

    ``first`` and ``then`` are empty where the name does not say by what, and ``top`` where it does not say of what.
    """

    top: str
    first: str = ""
    then: str = ""


_BOTH = re.compile(r"^d2(?P<top>\w+?)d(?P<a>\w+?)(?:2|sq|squared)$")
_MIXED = re.compile(r"^d2(?P<top>\w+?)d(?P<a>\w+?)d(?P<b>\w+)$")
_PLAIN = re.compile(r"^(?:d2|dd)(?P<top>\w+)$")
_PRIMES = re.compile(r"^(?P<top>\w+?)(?:pp|doubleprime|2prime|primeprime|dprime|dd|ddot|second|2nd)$")
_HESSIAN = re.compile(r"^h(?:ess(?:ian)?)?(?P<a>[a-z])(?P<b>[a-z])$")
_SUBSCRIPTS = re.compile(r"^(?P<top>[A-Za-z]\w*)_(?P<a>[a-z])(?P<b>[a-z])$")
_WORDS = re.compile(r"^(?:second|2nd)(?:deriv(?:ative)?)?(?:of)?(?P<top>\w+)$")


@lru_cache(maxsize=10_000)
def seconds(name: str) -> tuple[Second, ...]:
    """The readings of a name as a second derivative, the most specific first; those that mean nothing among them."""
    low = normal(name)
    out: list[Second] = []
    if (m := _BOTH.match(low)) is not None:
        out.append(Second(m["top"], m["a"], m["a"]))
    if (m := _MIXED.match(low)) is not None:
        out.append(Second(m["top"], m["a"], m["b"]))
    if (m := _HESSIAN.match(low)) is not None:
        out.append(Second("", m["a"], m["b"]))
    if (m := _SUBSCRIPTS.match(name)) is not None:
        out.append(Second(normal(m["top"]), m["a"], m["b"]))
    for pattern in (_PLAIN, _PRIMES, _WORDS):
        if (m := pattern.match(low)) is not None:
            out.append(Second(m["top"]))
    return tuple(out)


def is_first_of(name: str, second: Second) -> bool:
    """A name is that of the first derivative which a second one is the derivative of."""
    for claim in claims(name):
        if claim.top == second.top and (not second.first or claim.bottom == second.first):
            return True
        if not claim.top and claim.bottom == second.top:
            return True  # dy
    if second.top and second.first and normal(name) == second.top + second.first:
        return True  # u_x of u_xx
    return bool(second.top) and (second.top in primitives(name) or normal(name) == second.top + "p")


__all__ = ["Second", "is_first_of", "seconds"]
