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


class Gain:
    """How much of an array becomes right by one change or another: many are held against the same right value."""

    def __init__(self, right: Any) -> None:
        self.right, self._large, self._any = right, np.abs(right), right != 0
        self._rest = REST * max(float(self._large.max()), 1.0) if right.size else REST
        self._before: Any = None
        self._open: Any = None
        self._was: Any = None
        self._wrong = 0

    def of(self, before: Any, after: Any) -> float:
        """Which share of the entries that are wrong becomes right; 0 where it is little.

        What is right only by being zero counts as well, but not where all that should be something is zero then.
        """
        right = self.right
        if not before.shape == after.shape == right.shape or right.size < FEW:
            return 0.0
        with unwarned():
            if before is not self._before:
                self._before, self._was = before, self._near(before)
                self._open = ~self._was
                self._wrong = int(np.count_nonzero(self._open))
            now = self._near(after)
            new = int(np.count_nonzero(now & self._open))
            if not new or new / self._wrong < LEAST:
                return 0.0  # what is lost besides makes it no more
            gone = (after == 0) & self._any
            lost = int((self._was & ~now).sum()) + int((gone & (before != 0)).sum())
        share = (new - lost) / self._wrong
        return share if share >= LEAST and not gone.all() else 0.0

    def _near(self, a: Any) -> Any:
        larger = np.maximum(np.abs(a), self._large)
        near = np.abs(a - self.right) <= TOLERANCE * larger + self._rest
        return near & np.isfinite(a)  # what is infinite is near everything
