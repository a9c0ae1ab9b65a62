"""Results that are all off by one number: then a number is likeliest wrong, in a line that all of them are made of."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from symgrad.diagnose.effects.edits import Check
from symgrad.diagnose.walking.places import Repair

#: Two ratios that differ by less are one.
SAME = 1e-7


def one_ratio(wrong: Iterable[Check], array: Callable[[int], Any]) -> bool:
    """Whether some wrong results, two at least, are what they should be times the same number."""
    ratios = [_ratio(np.asarray(array(c.step)), c) for c in wrong if c.is_result]
    first = ratios[0] if ratios else None
    return first is not None and len(ratios) > 1 and all(r is not None and abs(r - first) <= SAME for r in ratios)


def _ratio(have: Any, check: Check) -> float | None:
    for right in check.rights:
        if have.shape != np.shape(right) or not np.any(right):
            continue
        place = np.unravel_index(int(np.argmax(np.abs(right))), have.shape)
        ratio = float(have[place] / right[place])
        if np.allclose(have, ratio * right, rtol=SAME, atol=SAME * float(np.abs(have).max(initial=0.0))):
            return ratio
    return None


def is_number(repair: Repair) -> bool:
    """The change multiplies by a number, or has another one in the place of it."""
    q = repair.quantity
    return repair.mistake in ("scale", "sign") or (q is not None and not q.vec.shape)


__all__ = ["is_number", "one_ratio"]
