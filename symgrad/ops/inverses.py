"""What an input would have to be for an op to give a wanted value: how a repair finds what a sub-expression should be.

Keyed by (op, input position); each entry gives the branches of the inverse as ``(wanted, *inputs)``, over Arb balls.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def _root(w: Any, b: Any) -> Any:
    """A real root where there is one; exponents that are no integer need a positive value."""
    return w ** (1 / b)


INVERSES: dict[tuple[str, int], tuple[Callable[..., Any], ...]] = {
    ("add", 0): (lambda w, a, b: w - b,),
    ("add", 1): (lambda w, a, b: w - a,),
    ("sub", 0): (lambda w, a, b: w + b,),
    ("sub", 1): (lambda w, a, b: a - w,),
    ("mul", 0): (lambda w, a, b: w / b,),
    ("mul", 1): (lambda w, a, b: w / a,),
    ("div", 0): (lambda w, a, b: w * b,),
    ("div", 1): (lambda w, a, b: a / w,),
    ("alias", 0): (lambda w, a: w,),
    ("neg", 0): (lambda w, a: -w,),
    ("pow", 0): (lambda w, a, b: _root(w, b), lambda w, a, b: -_root(w, b)),
    ("pow", 1): (lambda w, a, b: w.log() / a.log(),),
    ("sqrt", 0): (lambda w, a: w * w,),
    ("exp", 0): (lambda w, a: w.log(),),
    ("log", 0): (lambda w, a: w.exp(),),
    ("tanh", 0): (lambda w, a: w.atanh(),),
    ("sin", 0): (lambda w, a: w.asin(),),
    ("cos", 0): (lambda w, a: w.acos(), lambda w, a: -w.acos()),
    ("sinh", 0): (lambda w, a: w.asinh(),),
    ("cosh", 0): (lambda w, a: w.acosh(), lambda w, a: -w.acosh()),
    ("sigmoid", 0): (lambda w, a: (w / (1 - w)).log(),),
    ("abs", 0): (lambda w, a: w, lambda w, a: -w),
    ("where", 1): (lambda w, c, a, b: w,),
    ("where", 2): (lambda w, c, a, b: w,),
}
