"""The sum of several numbers in an order that is not known: how libraries add up the entries of an array.

It is not written by anybody and not differentiated. Rounding is modelled with it: whatever the order, each term takes
part in at most n - 1 additions, so that the error is at most (n - 1)*u times the sum of the terms' sizes.
"""

from __future__ import annotations

import operator
from functools import reduce
from typing import Any

from symgrad.ops.base import Op, Rule, register


class Gathering(Op):
    """An op of two or more inputs; declared for two."""

    __slots__ = ()

    @property
    def gathers(self) -> bool:
        return True

    def rule(self, index: int, style: str) -> Rule | None:
        return super().rule(min(index, 1), style)


def _sum(*x: Any) -> Any:
    return reduce(operator.add, x)


TOTAL = register(
    Gathering(
        "total", 2, (lambda m, y, *x: 1, lambda m, y, *x: 1),
        sympy=_sum, enclose=_sum, torch=lambda t, *x: _sum(*x), latex="\\operatorname{{total}}\\left({0}, {1}\\right)",
        hidden=True, points=((3.0, -4.0), (-2.5, 0.75)), ulp=0.5,
    )
).name  # fmt: skip
