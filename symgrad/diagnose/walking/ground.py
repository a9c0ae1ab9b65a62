"""What a walk over the manual part knows at each assignment: what it uses, and what uses it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from symgrad.diagnose.meaning.clipping import is_smaller
from symgrad.diagnose.meaning.reading import MANY, Reading
from symgrad.diagnose.observing.match import Known
from symgrad.diagnose.observing.replay import LOOK_AHEAD, Layout, Replay
from symgrad.diagnose.observing.subject import BITS, Unit, broadcasts, is_one_number
from symgrad.diagnose.observing.truth import Quantity
from symgrad.diagnose.text.naming import is_bare
from symgrad.diagnose.values.shaped import lifted
from symgrad.diagnose.values.vectors import Vec
from symgrad.diagnose.walking.aims import Aims
from symgrad.diagnose.walking.places import Line, Repair
from symgrad.diagnose.walking.verdicts import DERIVATIVES, Verdicts, handed
from symgrad.enclosure import precision
from symgrad.ops import OPS

#: What it costs that a value was never given.
FORGOTTEN = 1.2
#: What a mistake costs that no change puts right.
UNEXPLAINED = 3.0


class Ground:
    """What is known at each point of a walk, and what can be asked of it.

    Args:
        suspects: lines in which a mistake may be; ``None`` for all.
        moves: assignments that make a step of a gradient, and claim nothing.
        hints: step -> the value that it must have for the results to be right.
        brief: only what is wrong is asked, not what would make it right: of arrays that is dear.
    """

    def __init__(
        self,
        layout: Layout,
        known: Known,
        reading: Reading,
        suspects: Collection[int] | None = None,
        hints: Mapping[int, Quantity] | None = None,
        moves: Collection[Unit] = (),
        *,
        brief: bool = False,
    ) -> None:
        self.layout, self.known, self.reading = layout, known, reading
        self.subject, self.truth, self.graph = layout.subject, layout.truth, layout.graph
        self.out = Verdicts()
        self.replay = Replay(layout)
        self.corrected = self.replay.corrected
        self.aims = Aims(layout, known, reading, self.replay, self.out.meaning)
        self.suspects, self.moves, self.brief = suspects, moves, brief
        self.hints: Mapping[int, Quantity] = {**(hints or {}), **layout.aside}
        #: Changes that are known already: for each assignment that one is a part of, the change and its line.
        self.given: Mapping[int, tuple[tuple[Repair, int], ...]] = {}
        #: So many wrong results are right with these.
        self.settled = 0
        self._settled: set[int] = set()
        self._forward = {name for name, _ in self.subject.aliases}
        self._seen: dict[tuple[int, int, int, str], int] = {}
        self._held: dict[tuple[str, int, int], int] = {}

    def _mean(self, i: int, meaning: Quantity) -> None:
        self.out.meaning[i] = meaning
        key = (meaning.kind, meaning.top, meaning.bottom)
        self._held[key] = min(i, self._held.get(key, i))

    def line(self, unit: Unit) -> Line:
        """The steps that an assignment computes by itself."""
        return Line(self.graph, unit.step, self.corrected, self._is_stop, self._is_lent)

    def _targets(self, unit: Unit) -> list[Quantity]:
        """What an assignment may be meant to be; the gradient of an array of one number may be a number."""
        found = self.aims.targets(unit, self.line(unit))
        shape = self.graph.steps[unit.step].shape
        if not self.subject.is_shaped or shape:
            return found
        return [replace(q, vec=lifted(q.vec).reshaped(())) if is_one_number(q.vec.shape) else q for q in found]

    def _is_stop(self, i: int) -> bool:
        """Lines end at forward steps and at manual steps that are understood."""
        return self.layout.is_forward(i) or i in self._settled or i in self.replay.overrides or self.layout.is_shared(i)

    def _is_lent(self, i: int) -> bool:
        """A step that a function of the forward pass made for the manual part."""
        return self.layout.is_shared(i) and not self.layout.is_forward(i) and i not in self._settled

    def _is_suspect(self, unit: Unit, line: Line) -> bool:
        """Whether a mistake may be in this assignment, or in a function that does a part of it."""
        if self.suspects is None:
            return True
        if any(n in self.suspects for n in range(unit.span.line, unit.span.end_line + 1)):
            return True
        spans = (self.graph.steps[i].span for i in line.inside())
        return any(s is not None and s.line in self.suspects for s in spans)

    def _place_line(self, unit: Unit, repair: Repair) -> int:
        if (call := handed(repair, unit, self.layout)) is not None:
            return call.line
        place = repair.place
        holder = place.parent if place.parent >= 0 else unit.step
        span = self.graph.steps[holder].span
        return span.line if span is not None and not self.graph.steps[holder].is_leaf else unit.span.line

    def _in_another_shape(self, unit: Unit, vec: Vec) -> Quantity | None:
        """What the name says, as it should be, where the entries are right and the shape is another one."""
        pairs = self.reading.pairs(unit.name)
        for pair in pairs if len(pairs) <= MANY else ():
            wanted = self.reading.vec(pair)
            if wanted.shape != vec.shape and not wanted.is_zero and vec.alike(wanted):
                return Quantity("cotangent" if pair[0] == self.subject.loss else "tangent", *pair, wanted)
        return None

    def _is_changed_next(self, unit: Unit) -> bool:
        """An array that is changed in place next: what it holds by then says nothing."""
        return self.subject.is_shaped and (unit.name, unit.step) in self.layout.continued

    def _moves_all_the_same(self, unit: Unit, meant: Quantity) -> bool:
        """It is right as what the parameter is moved by."""
        have, want = self.graph.steps[unit.step].shape, self.graph.steps[meant.bottom].shape
        return broadcasts(have, want) and any(
            m.source == unit.step and m.bottom == meant.bottom for m in self.subject.moves
        )

    def _is_under_way(self, unit: Unit, vec: Vec) -> bool:
        """An array that is not done: changed in place by what comes next (``d[i, y] -= 1``, ``d /= n``, ``dW += ...``),
        and nothing true as yet. It is judged when it is done, with all that made it."""
        if (unit.name, unit.step) not in self.layout.continued:
            return False
        return not any(self.reading.says(q, unit.name) for q in self.known.right_of(unit.step, vec)) or vec.is_zero

    def _is_never_assigned(self, unit: Unit) -> bool:
        """Set to zero at the start of an accumulation that never came."""
        used = self.layout.dependents(unit.step)
        return bool(used) and not unit.augmented and self.reading.is_exact(unit.name)

    def _flows_on(self, unit: Unit) -> bool:
        """More is computed from a gradient: another one of the same name."""
        for k in self.layout.dependents(unit.step):
            infix = OPS[self.graph.steps[k].op].infix
            added = infix is not None and infix.symbol == "+" and unit.step in self.graph.steps[k].inputs
            for user in self.layout.units_at[k]:
                if user.name == unit.name and not user.augmented and not added and user not in self.moves:
                    return True
        return False

    def _is_all(self, unit: Unit) -> bool:
        """The gradient by an input, to which nothing is added any more: of arrays, what moves that input as it is."""
        if self.reading.is_loose(unit.name) or not self.reading.is_exact(unit.name):
            return False
        if self.subject.is_shaped:
            held = {bottom for top, bottom in self.reading.pairs_of(unit) if top == self.subject.loss}
            moved = {m.bottom for m in self.subject.moves if self.layout.original(m.source) == unit.step}
            return len(held) == 1 and held <= moved
        return self.reading.by_inputs(unit.name) and not self._is_added(unit)

    def _is_left_so(self, unit: Unit, readings: Sequence[Quantity]) -> bool:
        """One term of what is carried forward, under the name of the whole, to which nothing is added any more."""
        if self.subject.is_shaped or not self.reading.is_topless(unit.name) or self.reading.is_loose(unit.name):
            return False
        once = len(self.layout.by_name[unit.name]) == 1 and not unit.augmented
        return once and all(q.kind == "term" for q in readings) and not self._is_added(unit)

    def _is_added(self, unit: Unit) -> bool:
        symbols = (OPS[self.graph.steps[k].op].infix for k in self.layout.children[unit.step])
        return any(i and i.symbol in ("+", "-") for i in symbols)

    def _is_by_chance(self, unit: Unit, matches: Sequence[Quantity]) -> bool:
        """Of numbers: a result of its own under a name that says nothing, with the value of a derivative by something
        that has no name: by the -r of ``exp(-r*T)``. Nobody asks for that; it may be that by r with the wrong sign."""
        if self.subject.is_shaped or is_bare(unit.name) or self.layout.dependents(unit.step):
            return False
        names = self.subject.names
        return all(q.kind in ("cotangent", "contribution", "sum") and q.bottom not in names for q in matches)

    def _is_part_of_a_result(self, unit: Unit, matches: Sequence[Quantity]) -> bool:
        """Of numbers: an entry of a list of gradients, from which nothing follows, and that is one path of several: the
        ``p*(1 - p)*r`` of a softmax taken by itself."""
        stem = unit.name.partition("[")[0]
        if self.subject.is_shaped or stem == unit.name or not is_bare(stem) or self.layout.dependents(unit.step):
            return False
        named = self.subject.names
        return not any(q.kind == "cotangent" or (q.kind == "tangent" and q.top in named) for q in matches)

    def _grown(self, unit: Unit, vec: Vec) -> Quantity | None:
        """The tangent that what is added to an assignment next makes of it: a part of the terms of one is nothing that
        is known by its value."""
        for k, value in self._users(unit.step, vec) if not self.subject.is_shaped else ():
            for user in self.layout.units_at[k]:
                if user.name != unit.name or user.previous != unit.step or user.augmented not in ("+=", "-="):
                    continue
                found = (q for q in self.known.right(value) if q.kind == "tangent" and self.reading.says(q, user.name))
                if (grown := next(found, None)) is not None:
                    return grown
        return None

    def _users_fail(self, i: int) -> bool:
        """The assignments that use this step, and whose names say what they are, come out wrong, all of them."""
        wrong = 0
        for k, value in self._users(i, self.corrected(i)):
            for unit in self.layout.units_at[k]:
                if not self.reading.pairs(unit.name) or unit in self.moves or self._is_changed_next(unit):
                    continue
                found = [q for q in self.known.right(value) if q.kind in DERIVATIVES]
                if self._fits(unit, found) or self.reading.whole(value, unit.name):
                    return False
                wrong += 1
        return wrong > 0

    def _users(self, i: int, vec: Vec) -> list[tuple[int, Vec]]:
        """The next assignments that use this step, with their values if it has this one."""
        used_later = [k for k in self.layout.dependents(i) if k - i <= 20 * LOOK_AHEAD]
        values = self.replay.if_it_were(i, vec, used_later[-1] if used_later else i)
        return [(k, values[k]) for k in used_later]

    def _wanted_by_users(self, unit: Unit, least: int) -> Quantity | None:
        """What this step must be for the assignments that use it to be right, if they agree on something.

        A cotangent of the forward pass that ``least`` users ask for is trusted; anything else must be asked for by two.
        """
        i = unit.step
        have = self.corrected(i)
        votes: list[tuple[Vec, set[int]]] = []
        for k in self.layout.dependents(i)[:6]:
            self.replay.advance(k)
            for user in self.layout.units_at[k]:
                if not self.reading.pairs(user.name) or user.step == i:
                    continue
                if user in self.moves or self._is_changed_next(user):
                    continue
                line = Line(self.graph, user.step, self.corrected, lambda j: j == i or self._is_stop(j))
                way = line.leading_to(i)
                for target in self.aims.targets(user, line, {i})[:6]:
                    for place in line.places(target.vec, way):
                        if place.node == i and place.wanted.usable and not place.wanted.is_zero:
                            for vec, voters in votes:
                                if vec.same(place.wanted):
                                    voters.add(k)
                                    break
                            else:
                                votes.append((place.wanted, {k}))
        best: tuple[int, Quantity] | None = None
        for vec, voters in votes:
            if vec.same(have):
                continue
            known = [q for q in self.known.right(vec) if q.kind in ("cotangent", "tangent")]
            score = len(voters) * 2 + (1 if known else 0)
            if len(voters) >= (least if known else 2) and (best is None or score > best[0]):
                best = (score, known[0] if known else Quantity("helper", -1, -1, vec))
        return best[1] if best else None

    def _score(self, i: int, vec: Vec, used_later: Sequence[int]) -> int:
        """How many of the next assignments come out as something true if this step has this value."""
        score = 0
        for k, value in self._users(i, vec):
            if k not in used_later:
                continue
            found = [q for q in self.known.right(value) if q.kind in DERIVATIVES]
            for unit in self.layout.units_at[k]:
                if unit in self.moves:
                    continue
                if self.reading.pairs(unit.name):
                    good = self._fits(unit, found) or self.reading.whole(value, unit.name) is not None
                    score += 2 if good else (0 if found else -2)
                else:
                    score += 1 if found else 0
        return score

    def _fits(self, unit: Unit, found: Sequence[Quantity]) -> bool:
        """Something that a value is goes with the name that it is given; a part does not, where nothing follows."""
        ends = self.layout.last[unit.name] is unit and not self.layout.dependents(unit.step)
        return any(
            self.reading.says(q, unit.name) and not (ends and q.kind in ("contribution", "sum", "term")) for q in found
        )

    def _unexplained(self, unit: Unit) -> float:
        """Some value at some place always makes a result right; that alone is no reason to blame the place."""
        if self.graph.steps[unit.step].is_leaf and self.layout.actual(unit.step).is_zero:
            return FORGOTTEN
        if self.subject.is_shaped:
            return UNEXPLAINED * (2 if unit.step in self.hints else 1)
        return UNEXPLAINED * (2 if unit.step in self.hints else 1.4)

    def _limited(self, line: Line) -> Quantity | None:
        """What a gradient is that is only clipped here: a deliberate difference."""
        inside = line.inside()
        ops = [OPS[self.graph.steps[i].op] for i in inside]
        if not any(op.limits for op in ops) or not all(op.limits or op.renames for op in ops):
            return None
        held = [m for i in line.used() if (m := self.out.meaning.get(i)) is not None]
        smaller = len(held) == 1 and is_smaller(self.corrected(line.root), held[0].vec)
        return held[0] if smaller else None

    def spelled(self, vec: Vec, before: int) -> str:
        """A value in terms of what the user has by then: a variable, or a derivative times a forward value."""
        held = {u.name: u for u in self.subject.units if u.step < before and u.step in self.out.meaning}
        # The latest first, and plain names before self.db and grads["b"].
        holders = sorted(held.values(), key=lambda u: (u.name.isidentifier(), u.step))
        for unit in reversed(holders):
            if self.corrected(unit.step).same(vec):
                return unit.name
        with precision(BITS):
            for unit in reversed(holders[-40:]):
                for q in self.known.right(vec / self.corrected(unit.step)):
                    if q.kind == "forward" and q.bottom in self.subject.names:
                        return f"{unit.name}*{self.subject.names[q.bottom]}"
        return ""
