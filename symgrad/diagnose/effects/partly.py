"""How much of an array is right: of two mistakes in one line of results, what mends one makes some entries right.

Windows that are cut out wrongly, and then added up wrongly: no entry of the result need be right as it stands, and no
change of one line makes all of them so.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from symgrad.diagnose.values.closeness import REST
from symgrad.diagnose.values.quiet import unwarned
from symgrad.diagnose.values.vectors import TOLERANCE

#: Of arrays of fewer entries nothing is said; nor where less of what is wrong becomes right.
FEW = 6
LEAST = 0.2


def gained(before: Any, after: Any, right: Any) -> float:
    """Which share of the entries that are wrong becomes right; 0 where it is little.

    What is right only by being zero counts as well, but not where all that should be something is zero then.
    """
    if not before.shape == after.shape == right.shape or right.size < FEW:
        return 0.0
    with unwarned():
        was, now = _near(before, right), _near(after, right)
        gone = (after == 0) & (right != 0)
    wrong = int((~was).sum())
    new, lost = int((now & ~was).sum()), int((was & ~now).sum()) + int((gone & (before != 0)).sum())
    share = (new - lost) / wrong if wrong else 0.0
    return share if share >= LEAST and not gone.all() else 0.0


def _near(a: Any, b: Any) -> Any:
    x, y = np.abs(a), np.abs(b)
    larger = np.maximum(x, y)
    near = np.abs(a - b) <= TOLERANCE * larger + REST * max(float(y.max()), 1.0)
    return near & np.isfinite(a)  # what is infinite is near everything
