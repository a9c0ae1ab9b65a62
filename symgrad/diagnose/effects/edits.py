"""Changes to the text of a line, what is known of what they lead to, and what came of one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from symgrad.diagnose.effects.board import Change
from symgrad.diagnose.effects.partly import Gain
from symgrad.diagnose.effects.passage import Passage
from symgrad.diagnose.values.closeness import Multiples, is_near
from symgrad.diagnose.walking.places import Repair
from symgrad.diagnose.walking.region import Make, Site


@dataclass(frozen=True, slots=True)
class Edit:
    """One change to the text of a line, in all its rounds."""

    passage: Passage
    sites: tuple[Site, ...]
    make: Make
    repair: Repair

    @property
    def change(self) -> Change:
        return self.sites, self.make


@dataclass(frozen=True)
class Check:
    """A value that is known: a result, or one in between whose name says what it is."""

    step: int
    rights: tuple[Any, ...]
    is_result: bool

    def is_right(self, array: Any) -> bool:
        """Of a value in between the shape is no matter of its own."""
        return any(
            is_near(array, right)
            or (
                not self.is_result and array.shape != right.shape and array.size == right.size
                and is_near(array.ravel(), right.ravel())
            )
            for right in self.rights
        )  # fmt: skip

    def is_multiple(self, array: Any) -> bool:
        """It is right but for a constant factor."""
        return any(of.has(array) for of in self._multiples)

    @cached_property
    def _multiples(self) -> tuple[Multiples, ...]:
        return tuple(map(Multiples, self.rights))

    @cached_property
    def gains(self) -> tuple[Gain, ...]:
        """What tells how much of it becomes right."""
        return tuple(map(Gain, self.rights))


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of a change.

    Attributes:
        values: what changes; ``fixed``: the numbers of what becomes right; ``full``: whether that is all.
        meant: an assignment that is something true by the change, or -1; ``scaled``: how many results are right then
            but for a constant factor.
        deferred: values in between that were right are so but for a constant factor, which comes later.
        broken: results that were right are off by a constant factor then: another line made up for this one.
        gained: which share of the wrong entries of a result becomes right.
    """

    edit: Edit
    values: dict[int, Any]
    fixed: frozenset[int]
    full: bool
    cost: float
    meant: int = -1
    scaled: int = 0
    deferred: bool = False
    gained: float = 0.0
    broken: frozenset[int] = frozenset()


def cost_of(edits: Sequence[Edit]) -> float:
    return sum(e.repair.cost for e in edits)
