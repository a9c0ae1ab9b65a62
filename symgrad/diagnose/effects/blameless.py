"""What of a line no change may be blamed on: what the forward pass runs itself, lengths of arrays, and changes after
which nothing is left."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np

from symgrad.diagnose.effects.board import Board
from symgrad.diagnose.effects.edits import Edit
from symgrad.diagnose.effects.passage import Passage
from symgrad.diagnose.observing.replay import Layout
from symgrad.diagnose.values.closeness import REST
from symgrad.diagnose.walking.region import Site


class Blameless:
    """What of a derivation is right as the forward pass has it."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout

    def runs_forward(self, passage: Passage, site: Site) -> bool:
        """The forward pass runs the very characters of a change as well, inside a function: they are right, and what is
        wrong may be that this function is called. What it gives, or is given, as a whole belongs to the call."""
        (i, slot), steps = site, self.layout.graph.steps
        if not self.layout.is_shared(i):
            return False
        given = steps[steps[i].inputs[slot]] if slot >= 0 else None
        if given is not None and given.is_leaf and given.span == steps[i].span:
            return True  # a number that is written there
        around = [k for k, _ in passage.users.get(steps[i].inputs[slot] if slot >= 0 else i, ())]
        return any(self.layout.is_shared(k) and (slot < 0 or len(around) > 1) for k in around)

    def is_length(self, i: int) -> bool:
        """A number of the forward pass, ``d = heads*d_head``, that is the length of an array: it is right as that."""
        step = self.layout.graph.steps[i]
        value = self.layout.actual(i).constant() if not step.shape and i < self.layout.subject.loss else None
        return value is not None and value in self._lengths

    @cached_property
    def _lengths(self) -> frozenset[int]:
        steps = self.layout.graph.steps
        return frozenset(n for i, s in enumerate(steps) if self.layout.is_forward(i) for n in s.shape) - {0, 1}


def comes_to_nothing(edit: Edit, values: Mapping[int, Any], board: Board) -> bool:
    """A change of numbers, and not of a mask, leaves nothing of what is there: what of a sum is true then is so without
    any line being put right."""
    made = [i for i, _ in edit.sites if i in values]
    if not made or not leaves_nothing(edit, values, board):
        return False
    return any(not np.isin(board.array(i), (0.0, 1.0)).all() for i in made)


def leaves_nothing(edit: Edit, values: Mapping[int, Any], board: Board) -> bool:
    """What is changed is zero by that, or what the line makes of it is."""
    sites = [i for i, _ in edit.sites if i in values]
    ends = [u.step for u in edit.passage.units if u.step in values]
    return any(made and all(is_nothing(values[i], board.array(i)) for i in made) for made in (sites, ends))


def is_nothing(value: Any, before: Any) -> bool:
    """Zeros, or what rounding makes of them: the sum of values that are centred."""
    if not value.any():
        return True
    return bool(before.size) and bool(np.abs(value).max() <= REST * np.abs(before).max())
