"""Functions that are written out: ``1/(1 + exp(-z))`` is a sigmoid, whose rule and pitfalls are known."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import numpy as np

from symgrad.diagnose.values.closeness import SMALL
from symgrad.diagnose.values.shaped import lifted
from symgrad.diagnose.values.vectors import TOLERANCE, Vec, apply
from symgrad.ops import OPS, Op
from symgrad.ops.values import scalar


def recognised(x: Vec, y: Vec) -> Op | None:
    """The function of the table that makes one value of another, where there is one with pitfalls."""
    probe = _Probe.of(x, y)
    for op in _with_pitfalls():
        if (probe is None or probe.may_be(op)) and not x.same(y) and apply(op.name, [x]).same(y):
            return op
    return None


@cache
def _with_pitfalls() -> tuple[Op, ...]:
    """The functions of one value that people are known to get the derivative of wrong."""
    return tuple(op for op in OPS.values() if op.arity == 1 and op.pitfalls)


@dataclass(frozen=True, slots=True)
class _Probe:
    """Two values at one point, and of arrays two of their entries: most often these tell that no function makes one of
    the other.

    Attributes:
        pairs: entries of both.
        rest: what is small beside the other entries is not compared so closely.
    """

    pairs: tuple[tuple[float, float], ...]
    rest: float = 0.0
    shaped: bool = False

    @staticmethod
    def of(x: Vec, y: Vec) -> _Probe | None:
        """``None`` where there are no entries that belong together."""
        if not (x.shaped or y.shaped):
            return _Probe(((x.floats[1], y.floats[1]),))
        made = lifted(y)
        given, held = lifted(x).arrays[1], made.arrays[1]
        if not given.size or given.shape != held.shape:
            return None
        # The largest as well: many arrays begin with zeros.
        places = (0, int(np.abs(given).argmax()))
        return _Probe(
            tuple((float(given.flat[k]), float(held.flat[k])) for k in places), 10 * SMALL * made.tops[1], shaped=True
        )

    def may_be(self, op: Op) -> bool:
        """Whether ``y`` can be ``op(x)``."""
        if self.shaped and not op.elementwise:
            return True
        return all(self._agrees(op, at, b) for at, b in self.pairs)

    def _agrees(self, op: Op, at: float, b: float) -> bool:
        try:
            a = float(scalar(op.name)(at))
        except (ArithmeticError, ValueError):
            a = math.nan
        if not math.isfinite(self.rest):
            return True
        if not (math.isfinite(a) and math.isfinite(b)):
            return not self.shaped or not math.isfinite(b)  # an array has values in the same places as another one
        return abs(a - b) <= 10 * TOLERANCE * max(abs(a), abs(b)) + self.rest
