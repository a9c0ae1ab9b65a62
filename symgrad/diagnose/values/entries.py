"""Which entries of an array are wrong, in numbers and in words."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from symgrad.diagnose.values.vectors import TOLERANCE, Vec

if TYPE_CHECKING:
    from symgrad.diagnose.values.shaped import Shape

#: Places along an axis are listed up to this many.
LISTED = 6


@dataclass(frozen=True, slots=True)
class Difference:
    """What stands somewhere, beside what should.

    Attributes:
        have, want: values at the user's point: of arrays, those of the entry that differs most.
        words: the two of them in words.
        hidden: they are the same at the user's point, and elsewhere are not.
    """

    have: float
    want: float
    words: str
    hidden: bool


def difference(have: Vec, want: Vec) -> Difference:
    """Set two values side by side."""
    if have.shaped or want.shaped:
        if have.shape != want.shape:
            a, b = have.at_user, want.at_user
            return Difference(a, b, f"should have shape {want.shape}; this has {have.shape}", False)
        if want.shape:
            return _of_arrays(have, want)
    a, b = have.at_user, want.at_user
    return Difference(a, b, f"should be {shown(b)}; this is {shown(a)}", abs(a - b) <= 1e-9 * abs(b))


def _of_arrays(have: Vec, want: Vec) -> Difference:
    import numpy as np

    from symgrad.diagnose.values.shaped import lifted

    hidden = have.same_at_user(want)
    point = 1 if hidden else 0
    a, b = lifted(have).arrays[point], lifted(want).arrays[point]
    gaps = np.abs(a - b)
    gaps[~np.isfinite(gaps)] = math.inf
    place = np.unravel_index(int(gaps.argmax()), gaps.shape) if gaps.size else ()
    x, y = (float(a[place]), float(b[place])) if gaps.size else (math.nan, math.nan)
    wrong = gaps > TOLERANCE * np.maximum(np.abs(a), np.abs(b))
    where = _where(wrong, want.shape)
    entry = ", ".join(str(int(n)) for n in place)
    near = " at a point nearby" if hidden else ""
    words = f"[{entry}] should be {shown(y)}; this is {shown(x)}{near}{where}"
    return Difference(x, y, words, hidden)


def is_right_but_for_some(have: Vec, want: Vec) -> bool:
    """At least half of the entries are right, and not by being zero."""
    import numpy as np

    from symgrad.diagnose.values.shaped import lifted

    if have.shape != want.shape or not want.shape:
        return False
    a, b = lifted(have).arrays[1], lifted(want).arrays[1]
    fine = np.abs(a - b) <= TOLERANCE * np.maximum(np.abs(a), np.abs(b))
    return bool((fine & (b != 0)).sum() * 2 >= b.size and not fine.all())


def _where(wrong: Any, shape: Shape) -> str:
    """The rows, columns or entries that are wrong, where some are right."""
    if not wrong.size or wrong.all() or not wrong.any():
        return ""
    for axis, n in enumerate(shape):
        others = tuple(a for a in range(len(shape)) if a != axis)
        hit = wrong.any(axis=others) if others else wrong
        whole = wrong.all(axis=others) if others else wrong
        count = int(hit.sum())
        if count < n and (hit == whole).all():
            what = ("row", "column")[axis] if len(shape) == 2 else "entry" if len(shape) == 1 else f"axis {axis} place"
            places = [str(k) for k in range(n) if hit[k]]
            if count <= LISTED:
                many = {"entry": "entries"}.get(what, what + "s") if count > 1 else what
                return f" (wrong in {many} {', '.join(places)} of {n})"
    return f" ({int(wrong.sum())} of {wrong.size} entries are wrong)"


def shown(x: float) -> str:
    """A number, short."""
    return f"{x:.5f}".rstrip("0").rstrip(".") if 1e-3 <= abs(x) < 1e6 else f"{x:.6g}"
