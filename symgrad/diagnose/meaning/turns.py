"""Results that a loop gives in turn with their derivatives: in each round the one belongs to the other."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from symgrad.diagnose.meaning.following import is_made_of, original
from symgrad.diagnose.observing.subject import Subject, Unit
from symgrad.diagnose.text.naming import claims, normal

Pair = tuple[int, int]


class Turns:
    """Which of the derivatives that a name may stand for is meant in one round of a loop."""

    def __init__(self, subject: Subject) -> None:
        self._loss = subject.loss
        self._forward = subject.graph.ancestors(subject.loss)
        self._graph = subject.graph
        #: The values that each name was given, with the latest step by then. (``for x, pred in zip(xs, preds)`` gives
        #: the name its old values again.)
        self._given: dict[str, list[tuple[int, int]]] = {}
        for name, step, time in subject.bound:
            self._given.setdefault(normal(name), []).append((time, original(subject.graph, step)))
        #: Where in the run each name was given a value, and which step that was.
        self._places: dict[str, list[tuple[int, int]]] = {}
        for place, (name, step, _) in enumerate(subject.bound):
            self._places.setdefault(normal(name), []).append((place, step))
        self._called = {step: name for name, values in self._given.items() for _, step in values}
        self._known = {n: sorted({i for _, i in held if self._forward[i]}) for n, held in self._given.items()}
        self._tops: dict[str, tuple[list[int], dict[int, list[Pair]]]] = {}
        #: What was asked for, and what came of it: each assignment is asked about time and again.
        self._found: dict[int, tuple[Unit, Sequence[Pair], Sequence[Pair]]] = {}
        #: What each assignment of the text gave, in all its rounds.
        self._steps: dict[tuple[int, int, int, str], list[int]] = {}
        for unit in subject.units:
            self._steps.setdefault(unit.place, []).append(unit.step)

    def pairs(self, unit: Unit, everything: Sequence[Pair]) -> Sequence[Pair]:
        """Of the pairs (top, bottom) that a name may stand for, those that one assignment may: the derivatives of the
        result that was given in the same round, or of the next one, where the derivative comes first; all of them where
        the two are not given in turn."""
        held = self._found.get(id(unit))
        if held is None or held[0] is not unit or held[1] is not everything:
            held = self._found[id(unit)] = unit, everything, self._pairs(unit, everything)
        return held[2]

    def _pairs(self, unit: Unit, everything: Sequence[Pair]) -> Sequence[Pair]:
        tops, mine = self._by_top(unit.name, everything)
        if not tops:
            states = set(self._states(unit))
            if not states:
                return everything
            return [pair for pair in everything if original(self._graph, pair[1]) in states] or everything
        if len(tops) < 2:
            return everything
        steps = self._steps[unit.place]
        at = bisect_left(steps, unit.step)
        begin, end = bisect_right(tops, steps[at - 1] if at else -1), bisect_left(tops, unit.step)
        if end - begin != 1:
            return everything
        return [*mine[tops[begin]], *(mine[tops[end]] if end < len(tops) else ())]

    def is_of_what_follows(self, unit: Unit) -> bool:
        """``ds``, in turn with a state ``s`` of which the loss does not know this round's value: after the last round
        nothing is made of it any more."""
        if any(not self._forward[step] and self._goes_on(step) for step in self._states(unit)):
            return True
        return (step := self._beside(unit)) >= 0 and not self._forward[original(self._graph, step)]

    def _beside(self, unit: Unit) -> int:
        """What is given its value right before its derivative is, each time: ``V[j] = cont; dV[j] = dcont``, where the
        loss may be made of another V[j]. -1 where that is not so."""
        mine = self._places.get(normal(unit.name), [])
        for claim in claims(unit.name) if len(mine) > 1 else ():
            values = self._places.get(claim.bottom, [])
            pairs = list(zip(values, mine, strict=False))
            after = [place for place, _ in values[1:]]
            if claim.top or len(values) != len(mine) or not all(v[0] < d[0] for v, d in pairs):
                continue
            if all(d[0] < place for (_, d), place in zip(pairs, after, strict=False)):
                return next((v[1] for v, d in pairs if d[1] == unit.step), -1)
        return -1

    def _goes_on(self, step: int) -> bool:
        """Something outside of the loss is made of a state inside it, under the same name: ``pred``, worked out once
        more for the derivation, is not."""
        known = self._known.get(self._called.get(step, ""), [])
        at = bisect_left(known, step)
        return at > 0 and is_made_of(self._graph.steps, step, known[at - 1])

    def _states(self, unit: Unit) -> list[int]:
        """The values of a state in the round in which its derivative is given: the one before, and the next one; none
        where the two are not given in turn."""
        steps = self._steps[unit.place]
        at = bisect_left(steps, unit.step)
        for claim in claims(unit.name) if at else ():
            given = self._given.get(claim.top or claim.bottom, [])
            begin, end = bisect_right(given, (steps[at - 1], len(self._forward))), bisect_left(given, (unit.step, -1))
            if end - begin == 1:
                return [step for _, step in given[begin : end + 1]]
        return []

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
