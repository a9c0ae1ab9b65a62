"""Large results by a few of their columns: enough to see that a change makes nothing right, as most of them do.

The gradient of a layer of 512 by 256 is a product of matrices that takes some milliseconds, and a search tries some
thousand changes. What differs from the right value in a column that was looked at differs from it; what does not is
computed as a whole. So nothing is decided by these columns but that something is wrong.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np

from symgrad.diagnose.effects.board import Board
from symgrad.diagnose.observing.replay import Layout
from symgrad.diagnose.values.closeness import signature
from symgrad.diagnose.values.vectors import TOLERANCE
from symgrad.ops import OPS
from symgrad.ops.columns import has_columns

#: Arrays of fewer entries, or fewer columns, are computed as they are.
LARGE, WIDE = 4096, 32
#: Columns that are looked at besides those of the largest entries; more in all are not worth it.
FEW, MOST = 3, 12
#: What is this small beside the largest entry is a rest of rounding.
REST = 1e-11


class Narrow:
    """The steps that are computed in a few columns, and what these should be.

    Args:
        board: what computes them.
        rights: of steps whose value is known, what it may be. ``others``: steps that are needed as a whole.

    Attributes:
        columns: step -> the columns, by their numbers.
    """

    def __init__(
        self, layout: Layout, board: Board, rights: Mapping[int, Sequence[Any]], others: Collection[int]
    ) -> None:
        steps = [i for i in board.steps if board.within is None or i in board.within]
        among = set(steps)
        self.columns: dict[int, Any] = {}
        graph = layout.graph
        picked: dict[int, set[int]] = {}
        for i, found in rights.items():
            shape = graph.steps[i].shape
            if _is_large(shape) and all(r.shape == shape for r in found):
                here = picked.setdefault(shape[-1], set())
                # That of the largest entry, beside which the others are held where a factor is looked for.
                here |= {int(np.abs(r).argmax()) % shape[-1] for r in found}
                here |= {shape[-1] * (2 * k + 1) // (2 * FEW) for k in range(FEW)}
        known = {n: np.array(sorted(p)) for n, p in picked.items() if len(p) <= MOST}
        for i in reversed(steps):
            step = graph.steps[i]
            after = [k for k in board.users.get(i, ()) if k in among]
            fits = step.shape == () or step.shape[-1] not in known or not _is_large(step.shape)
            if fits or not has_columns(OPS[step.op]) or not (after or i in rights):
                continue
            if i in others or (i in rights and not all(r.shape == step.shape for r in rights[i])):
                continue
            if all(
                k in self.columns and graph.steps[k].shape == step.shape and OPS[graph.steps[k].op].elementwise
                for k in after
            ):
                self.columns[i] = known[step.shape[-1]]
        self._shapes = {i: graph.steps[i].shape for i in self.columns}
        self._arrays: dict[tuple[int, ...], list[tuple[Any, float]]] = {}
        self._parts = {i: (*graph.steps[i].shape[:-1], len(c)) for i, c in self.columns.items()}
        self._rights = {
            i: tuple((r[..., c], float(np.abs(r).max())) for r in rights[i])
            for i, c in self.columns.items()
            if i in rights
        }

    def is_part(self, i: int, value: Any) -> bool:
        """A step's value is no more than these columns of it."""
        return i in self._parts and value.shape == self._parts[i]

    def may_be_right(self, i: int, value: Any) -> bool:
        """False where a step's value, of which these are the columns, is nothing that it may be."""
        return self.is_part(i, value) and any(_may_be(value, right, scale) for right, scale in self._rights[i])

    def may_be_any(self, i: int, value: Any, among: Callable[[int], Sequence[Any]]) -> bool:
        """False where a step's value is none of the arrays that there are with so many entries."""
        shape, columns = self._shapes[i], self.columns[i]
        if shape not in self._arrays:
            whole = [a.reshape(shape) for a in among(math.prod(shape))]
            self._arrays[shape] = [(a[..., columns], float(np.abs(a).max())) for a in whole]
        return any(_may_be(value, part, scale) for part, scale in self._arrays[shape])

    def may_be_multiple(self, i: int, value: Any) -> bool:
        """False where it is none of that times a number."""
        for right, scale in self._rights[i]:
            n = int(np.abs(right).argmax())
            x, y = float(value.flat[n]), float(right.flat[n])
            if x and y and math.isfinite(x) and _may_be(value * (y / x), right, scale):
                return True
        return False

    def signature(self, i: int, value: Any) -> float:
        """The signature of these columns of a step's value, given as a whole or as they are."""
        columns = self.columns.get(i)
        if columns is None:
            return signature(value)
        return signature(np.ascontiguousarray(value if self.is_part(i, value) else value[..., columns]))


def _is_large(shape: tuple[int, ...]) -> bool:
    return len(shape) > 1 and shape[-1] >= WIDE and math.prod(shape) >= LARGE


def _may_be(a: Any, b: Any, scale: float) -> bool:
    """Whether two arrays may be near each other as a whole, of which ``b`` has entries up to ``scale``."""
    rest = REST * max(2 * scale, 1.0)
    return not (np.abs(a - b) > TOLERANCE * np.maximum(np.abs(a), np.abs(b)) + rest).any()
