"""Derivatives that have names of their own: the delta, vega and rho of an option, by its spot, volatility and rate.

Of numbers only, and only where one of them has the value that its name promises, or is made of derivatives by just
that input. Who gives them for a change of one
percent, or of one basis point, has them divided by that: nothing is said of these.
"""

from __future__ import annotations

from fractions import Fraction

from symgrad.diagnose.observing.replay import Layout
from symgrad.diagnose.observing.subject import BITS
from symgrad.diagnose.text.naming import claims, normal
from symgrad.enclosure import precision

#: What each is by, as that is called.
_BY = {
    "delta": ("s", "s0", "spot", "stock", "underlying"),
    "vega": ("sigma", "sig", "vol", "volatility"),
    "rho": ("r", "rate", "rf", "riskfree"),
}
#: The names of which two tell that an option is meant.
_GREEKS = frozenset({*_BY, "gamma", "theta", "vanna", "volga"})
#: The changes for which they are given.
_UNITS = (Fraction(1, 100), Fraction(1, 10000))


def sensitivities(layout: Layout) -> dict[str, tuple[tuple[int, int], ...]]:
    """Names -> the pair (result, input) of which they hold the derivative."""
    truth, loss, names = layout.truth, layout.subject.loss, layout.subject.names
    called = {normal(name): name for name in layout.last}
    if layout.subject.is_shaped or len(_GREEKS & called.keys()) < 2:
        return {}
    inputs = {normal(names[i]): i for i in truth.leaves if i in names and i in truth.cotangents}
    out: dict[str, tuple[tuple[int, int], ...]] = {}
    right = 0
    for greek, by in _BY.items():
        meant = [inputs[name] for name in by if name in inputs]
        if greek not in called or len(meant) != 1:
            continue
        have, wanted = layout.actual(layout.last[called[greek]].step), truth.cotangents[meant[0]]
        with precision(BITS):
            ratio = (have / wanted).constant()
        right += have.same(wanted) or _is_made_of_one(layout.last[called[greek]].step, normal(names[meant[0]]), layout)
        if ratio not in _UNITS:
            out[called[greek]] = ((loss, meant[0]),)
    return out if right else {}


def _is_made_of_one(step: int, bottom: str, layout: Layout) -> bool:
    """Something that is called a derivative by the same input goes into an assignment: ``dd1_dS`` into delta."""
    inside = layout.feeding((step,)) - {step}
    units = (u for i in inside if not layout.is_forward(i) for u in layout.units_at.get(i, ()))
    return any(c.top and c.bottom == bottom for u in units for c in claims(u.name))


__all__ = ["sensitivities"]
