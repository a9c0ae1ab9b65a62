"""Results that a loop gives in turn with their derivatives: in each round the one belongs to the other."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from symgrad.diagnose.observing.subject import Subject, Unit

Pair = tuple[int, int]


class Turns:
    """Which of the derivatives that a name may stand for is meant in one round of a loop."""

    def __init__(self, subject: Subject) -> None:
        self._loss = subject.loss
        self._tops: dict[str, tuple[list[int], dict[int, list[Pair]]]] = {}
        #: What each assignment of the text gave, in all its rounds.
        self._steps: dict[tuple[int, int, int, str], list[int]] = {}
        for unit in subject.units:
            self._steps.setdefault(unit.place, []).append(unit.step)

    def pairs(self, unit: Unit, everything: Sequence[Pair]) -> Sequence[Pair]:
        """Of the pairs (top, bottom) that a name may stand for, those that one assignment may: the derivatives of the
        result that was given in the same round, or of the next one, where the derivative comes first; all of them where
        the two are not given in turn."""
        tops, mine = self._by_top(unit.name, everything)
        if len(tops) < 2:
            return everything
        steps = self._steps[unit.place]
        at = bisect_left(steps, unit.step)
        begin, end = bisect_right(tops, steps[at - 1] if at else -1), bisect_left(tops, unit.step)
        if end - begin != 1:
            return everything
        return [*mine[tops[begin]], *(mine[tops[end]] if end < len(tops) else ())]

    def _by_top(self, name: str, pairs: Sequence[Pair]) -> tuple[list[int], dict[int, list[Pair]]]:
        """The results whose derivative a name may be, in order, with what it may be of each; nothing, if it may be that
        of the loss: cotangents come in the other direction."""
        if name not in self._tops:
            mine: dict[int, list[Pair]] = {}
            for pair in pairs:
                mine.setdefault(pair[0], []).append(pair)
            self._tops[name] = ([], {}) if self._loss in mine else (sorted(mine), mine)
        return self._tops[name]


__all__ = ["Turns"]
