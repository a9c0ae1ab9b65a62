"""Walking through the manual part: what is right, what is wrong, and what is wrong only because of something earlier.

Each assignment is evaluated with the *true* values of what it was given. If that comes out as something true, the
assignment is right, whatever its own inputs were. If not, it is a root: the mistake is in it.

A walk may be told which lines are under suspicion; then the others are taken at their word, and what of them does not
fit is counted. `search` compares such walks.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache

from symgrad.diagnose.aims import Aims
from symgrad.diagnose.likeness import Likeness
from symgrad.diagnose.match import Known
from symgrad.diagnose.naming import is_bare
from symgrad.diagnose.reading import MANY, Reading, is_shaped_later
from symgrad.diagnose.repair import Context, Line, Place, Repair, pair_repairs, repairs
from symgrad.diagnose.replay import LOOK_AHEAD, Layout, Replay
from symgrad.diagnose.subject import BITS, Unit, broadcasts
from symgrad.diagnose.truth import Quantity
from symgrad.diagnose.vectors import Vec, apply, each
from symgrad.diagnose.wording import Wording
from symgrad.enclosure import precision
from symgrad.errors import Span
from symgrad.ops import OPS

DERIVATIVES = ("cotangent", "contribution", "sum", "tangent", "term", "local")

#: What a later target costs against an earlier one, and how many are tried.
RANK = 0.3
MOST_TARGETS = 12
#: Derivatives held by then that are tried in the place of others.
MOST_HELD = 30
#: Beyond this cost a change of two places is looked for as well.
FAR_FETCHED = 2.0
#: What it costs that a value was never given.
FORGOTTEN = 1.2
#: So many changes of a line are compared with what is taught.
MOST_LIKENED = 16
#: What a mistake costs that no change puts right.
UNEXPLAINED = 3.0


@dataclass(frozen=True, slots=True)
class Root:
    """One mistake.

    Attributes:
        unit: the assignment in which it shows first.
        target: what the assignment should be.
        found: its value, with what it was given corrected.
        repairs: the change (or the two changes) that make it right; empty where none was found.
        lines: where the repairs are made; the assignment's own line where there are none.
        cost: how far-fetched the repairs are.
        again: how many more times the same place went wrong (a loop).
        unlike: how unlike the chain rule as taught the line is with the repair; ``None`` where that is not known.
    """

    unit: Unit
    target: Quantity
    found: Vec
    repairs: tuple[Repair, ...]
    lines: frozenset[int]
    cost: float = 0.0
    again: int = 0
    unlike: float | None = None


@dataclass(slots=True)
class Verdicts:
    """What came of the walk.

    Attributes:
        roots, right, inherited: as their names say.
        literal: assignments with a number written out where a variable of the same value belongs.
        meaning: step -> what it holds.
        limited: assignments that clip a gradient.
        misnamed: assignments that hold something true, though not what their names say.
        aimed: step -> what the assignments that name it should be, where they are wrong.
        doubts: assignments that were not under suspicion, and nevertheless are not what they should be.
    """

    roots: list[Root] = field(default_factory=list)
    right: list[Unit] = field(default_factory=list)
    inherited: list[Unit] = field(default_factory=list)
    literal: list[tuple[Unit, Repair]] = field(default_factory=list)
    meaning: dict[int, Quantity] = field(default_factory=dict)
    doubts: list[Unit] = field(default_factory=list)
    limited: list[Unit] = field(default_factory=list)
    misnamed: list[Unit] = field(default_factory=list)
    aimed: dict[int, list[Vec]] = field(default_factory=dict)


class Walk:
    """One pass over the manual assignments of a subject, in the order in which they ran.

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
        self.suspects, self.hints, self.moves, self.brief = suspects, hints or {}, moves, brief
        #: Changes that are known already: for each assignment that one is a part of, the change and its line.
        self.given: Mapping[int, tuple[Repair, int]] = {}
        self._settled: set[int] = set()
        self._forward = {name for name, _ in self.subject.aliases}
        self._seen: dict[tuple[int, int, int, str], int] = {}
        self._held: dict[tuple[str, int, int], int] = {}

    def run(self, ends: Callable[[int, Verdicts], bool] = lambda n, out: False) -> Verdicts:
        """Walk, until there are no more assignments, or until ``ends`` of the next one's number and of what was found
        by then says that the rest does not matter."""
        with precision(BITS):
            for n, unit in enumerate(self.subject.units):
                if ends(n, self.out):
                    break
                self.replay.advance(unit.step)
                self._judge(unit)
        return self.out

    # --- judging ------------------------------------------------------------------------------------------------

    def _judge(self, unit: Unit) -> None:
        i = unit.step
        vec = self.corrected(i)
        name = unit.name
        if unit in self.moves:
            self._settled.add(i)
            return
        if i in self.hints:
            self._settle(unit, self.hints[i]) if vec.same(self.hints[i].vec) else self._root(unit, [self.hints[i]])
            return
        pairs = self.reading.pairs(name)
        final = self.layout.last[name] is unit
        free = self.suspects is not None and unit.line in self.suspects
        if self.subject.is_shaped and self._is_under_way(unit, vec):
            return
        starts = vec.is_zero and (self.graph.steps[i].is_leaf or not (final or free))
        if starts and "..." in name:
            return  # dout[mask] = 0 claims nothing of the whole
        if starts and self.subject.stopped:
            return  # its value may have been still to come
        if starts and not (final and (self.reading.is_result(name) or self._is_never_assigned(unit))):
            return
        matches = [q for q in self.known.right(vec) if q.kind in DERIVATIVES]
        if not pairs:
            self._helper(unit, matches)
            return
        agree = [q for q in matches if self.reading.says(q, name)]
        # The right entries in another shape are looked at below.
        fitting = (q for q in agree if q.kind in ("cotangent", "tangent") and q.vec.shape == vec.shape)
        whole = next(fitting, None) or self.reading.whole(vec, name)
        more = self.aims.accumulates_on(unit)
        if whole is None and vec.shaped and (turned := self._in_another_shape(unit, vec)) is not None:
            ends = final or self.layout.original(self.layout.last[name].step) == self.layout.original(i)
            ends = ends and not self._moves_all_the_same(unit, turned)
            if ends and self.reading.is_parameter(unit) and not is_shaped_later(unit, self.layout, self.reading):
                self._root(unit, [turned])
            else:
                self._settle(unit, replace(turned, vec=vec))
            return
        if whole is not None:
            self._settle(unit, whole)
        elif not agree and self.reading.is_parameter(unit) and (unit.augmented or more):
            self._root(unit)  # what is added up for one input is true of something else
        elif agree or matches:
            self._ambiguous(unit, agree or matches, bool(agree), final)
        elif not any(self.reading.vec(p).usable for p in pairs[:MANY]):
            return
        elif vec.is_zero and all(self.reading.vec(p).is_zero for p in pairs):
            self._settle(unit, Quantity("cotangent", *pairs[0], vec))
        else:
            self._root(unit)

    def _in_another_shape(self, unit: Unit, vec: Vec) -> Quantity | None:
        """What the name says, as it should be, where the entries are right and the shape is another one."""
        pairs = self.reading.pairs(unit.name)
        for pair in pairs if len(pairs) <= MANY else ():
            wanted = self.reading.vec(pair)
            if wanted.shape != vec.shape and not wanted.is_zero and vec.alike(wanted):
                return Quantity("cotangent" if pair[0] == self.subject.loss else "tangent", *pair, wanted)
        return None

    def _moves_all_the_same(self, unit: Unit, meant: Quantity) -> bool:
        """It is right as what the parameter is moved by."""
        have, want = self.graph.steps[unit.step].shape, self.graph.steps[meant.bottom].shape
        return broadcasts(have, want) and any(
            m.source == unit.step and m.bottom == meant.bottom for m in self.subject.moves
        )

    def _is_changed_next(self, unit: Unit) -> bool:
        """An array that is changed in place next: what it holds by then says nothing."""
        return self.subject.is_shaped and (unit.name, unit.step) in self.layout.continued

    def _is_under_way(self, unit: Unit, vec: Vec) -> bool:
        """An array that is not done: changed in place by what comes next (``d[i, y] -= 1``, ``d /= n``, ``dW += ...``),
        and nothing true as yet. It is judged when it is done, with all that made it."""
        if (unit.name, unit.step) not in self.layout.continued:
            return False
        return not any(self.reading.says(q, unit.name) for q in self.known.right(vec)) or vec.is_zero

    def _is_never_assigned(self, unit: Unit) -> bool:
        """Set to zero at the start of an accumulation that never came."""
        used = self.layout.dependents(unit.step)
        return bool(used) and not unit.augmented and self.reading.is_exact(unit.name)

    def _helper(self, unit: Unit, matches: Sequence[Quantity]) -> None:
        """A name that says nothing. If its value is nothing true, or what uses it goes wrong, its users are asked what
        it should have been."""
        i = unit.step
        if self.graph.steps[i].is_leaf or self.layout.is_forward(i):
            # A number, or a value of the forward pass, may happen to be some derivative; that is no work of the user's.
            if matches and is_bare(unit.name):
                self._settle(unit, matches[0])
            elif matches:
                self._settled.add(i)
                self._mean(i, matches[0])
            return
        if self.layout.origin(i) != i and not is_bare(unit.name):
            self._settled.add(i)  # another name for a forward value
            return
        if is_bare(unit.name) and self.aims.follows(unit) >= 0:
            # One cotangent after the other: what is carried forward has no place here.
            flowing = [q for q in matches if q.kind in ("cotangent", "contribution", "sum")]
            if matches and not flowing and self._targets(unit):
                self._root(unit)
                return
            ends = all(self.reading.is_input(q.bottom) for q in flowing)
            if flowing and ends and self._flows_on(unit) and self._targets(unit):
                self._root(unit)  # the gradient of a weight: nothing flows on from there
                return
            matches = flowing
        if not matches and unit.place in self._seen:
            targets = self._targets(unit)
            if targets and self._again(unit, self.line(unit), targets, surely=False):
                return
        if self.suspects is not None and not self.suspects:
            pass  # nobody is suspected
        elif not matches or self._users_fail(i):
            # A hidden step's derivative (of the denominator in a sigmoid written out) may be hit upon by accident.
            named = self.subject.names
            sure = any(q.kind in ("cotangent", "tangent") and q.bottom in named for q in matches)
            wanted = self._wanted_by_users(unit, 2 if sure else 1)
            if wanted is not None:
                self._root(unit, [wanted])
                return
        if matches:
            # Where two have the same value (relu, where it is on), the one that is not held yet.
            kinds = {matches[0].kind}
            fresh = [q for q in matches if q.kind in kinds and (q.kind, q.top, q.bottom) not in self._held]
            self._settle(unit, (fresh or matches)[0])
        elif is_bare(unit.name):
            self._root(unit)

    def _flows_on(self, unit: Unit) -> bool:
        """More is computed from a gradient: another one of the same name."""
        for k in self.layout.dependents(unit.step):
            infix = OPS[self.graph.steps[k].op].infix
            added = infix is not None and infix.symbol == "+" and unit.step in self.graph.steps[k].inputs
            for user in self.layout.units_at[k]:
                if user.name == unit.name and not user.augmented and not added and user not in self.moves:
                    return True
        return False

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
                for target in self.aims.targets(user, line, {i})[:6]:
                    for place in line.places(target.vec):
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

    def _ambiguous(self, unit: Unit, readings: Sequence[Quantity], partly: bool, final: bool) -> None:
        """A value that is true of something, though not of what the name says: an accumulation under way, a name used
        for one cotangent after the other, or a mistake that hits upon another true value. What comes later decides."""
        used_later = self.layout.dependents(unit.step)
        pairs = self.reading.pairs(unit.name)
        if not used_later:
            # Nothing follows: the name must be right, if it names a result.
            named = all(self.graph.steps[b].is_input or t != self.subject.loss for t, b in pairs)
            if final and named:
                self._root(unit)
            else:
                self._settle(unit, readings[0])
            return
        if partly and self.aims.accumulates_on(unit):
            self._settle(unit, readings[0])
            return
        accepted: float = self._score(unit.step, self.corrected(unit.step), used_later)
        if not partly and all(q.kind in ("local", "term", "tangent") for q in readings):
            accepted -= 0.5  # a weight happens to be the local derivative of something, always
        for target in self._targets(unit):
            if self._score(unit.step, target.vec, used_later) > accepted:
                self._root(unit)
                return
        # dA, where the forward pass keeps a list A, may be of an entry that nothing else names.
        sure = self.reading.by_inputs(unit.name) and not self.reading.is_loose(unit.name)
        if final and sure and not partly:
            self._root(unit)
            return
        plainly = partly or not self.reading.is_exact(unit.name) or self.layout.last[unit.name] is not unit
        self._settle(unit, readings[0], plainly=plainly)

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

    def _settle(self, unit: Unit, meaning: Quantity, *, plainly: bool = True) -> None:
        """The assignment is believed; ``plainly`` unless it holds something else than its name says."""
        i = unit.step
        if not plainly:
            self._settled.add(i)
            self._mean(i, meaning)
            self.out.misnamed.append(unit)
            return
        self._settled.add(i)
        self._mean(i, meaning)
        same = self.layout.actual(i).same(self.corrected(i))
        (self.out.right if same else self.out.inherited).append(unit)

    def _mean(self, i: int, meaning: Quantity) -> None:
        self.out.meaning[i] = meaning
        key = (meaning.kind, meaning.top, meaning.bottom)
        self._held[key] = min(i, self._held.get(key, i))

    # --- roots --------------------------------------------------------------------------------------------------

    def line(self, unit: Unit) -> Line:
        """The steps that an assignment computes by itself."""
        return Line(self.graph, unit.step, self.corrected, self._is_stop, self._is_lent)

    def _targets(self, unit: Unit) -> list[Quantity]:
        return self.aims.targets(unit, self.line(unit))

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

    def _give(self, unit: Unit, target: Quantity) -> None:
        """A root whose repair is known."""
        repair, line = self.given[unit.step]
        if all(r.repairs != (repair,) for r in self.out.roots):
            self._seen[unit.place] = len(self.out.roots)
            found = self.corrected(unit.step)
            self.out.roots.append(Root(unit, target, found, (repair,), frozenset((line,)), repair.cost))
        self._put_right(unit, target)

    def _root(self, unit: Unit, targets: Sequence[Quantity] = ()) -> None:
        if targets and unit.step in self.given:
            self._give(unit, targets[0])
            return
        line = self.line(unit)
        limited = self._limited(line)
        if limited is not None:
            self.out.limited.append(unit)
            self._put_right(unit, limited)
            return
        if not self._is_suspect(unit, line):
            self.out.doubts.append(unit)
            self._settled.add(unit.step)
            return
        targets = targets or self._targets(unit)
        if not targets:
            self.out.doubts.append(unit)
            return
        found = self.corrected(unit.step)
        key = unit.place
        if key in self._seen:
            # The line was understood when it went wrong first; here only its right value is needed.
            self._again(unit, line, targets)
            return
        best = self._best(unit, line, targets)
        target = best[1] if best else targets[0]
        chosen = best[2] if best else ()
        if len(chosen) == 1 and self._blame_helper(chosen[0], unit):
            if not self.corrected(unit.step).same(target.vec):
                self._root(unit, targets)
            else:
                self._settle(unit, target)
            return
        breaker = self._lost(unit, target)
        if self._overwrites(unit):
            place = Place(unit.step, -1, -1, target.vec, ())
            words = f"overwrites {unit.name} before its old value is used"
            chosen = (Repair(place, "overwritten", words, 0.8),)
            best = (0.8, target, chosen)
        elif (habit := self._habit(unit, chosen)) is not None:
            chosen = (habit,)
        elif breaker is not None:
            unit, chosen = breaker, (self._regained(breaker),)
            best = (0.0, target, chosen)
            key = unit.place
        if chosen and all(self._is_literal(r, found, target) for r in chosen):
            self.out.literal.append((unit, chosen[0]))
        elif key not in self._seen:
            self._seen[key] = len(self.out.roots)
            lines = frozenset(self._place_line(unit, r) for r in chosen) or frozenset((unit.line,))
            unlike = None
            if len(chosen) == 1 and not self.subject.is_shaped:
                likeness = self.likeness()
                unlike = likeness.distance(likeness.of_repair(unit, line, chosen[0]), likeness.taught(unit, target))
            cost = best[0] if best else self._unexplained(unit)
            self.out.roots.append(Root(unit, target, found, chosen, lines, cost, unlike=unlike))
        for repair in chosen:
            self._apply(repair, unit, line)
        self._put_right(unit, target)

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
        return held[0] if len(held) == 1 else None

    def _best(
        self, unit: Unit, line: Line, targets: Sequence[Quantity]
    ) -> tuple[float, Quantity, tuple[Repair, ...]] | None:
        """The cheapest way to make an assignment right, and what it then is."""
        best: tuple[float, Quantity, tuple[Repair, ...]] | None = None
        most = MOST_TARGETS if not self.subject.is_shaped else MOST_TARGETS // 3
        for rank, target in enumerate(targets[:most]):
            options = self._options(unit, line, target)
            if self.suspects is not None:
                options = [r for r in options if self._place_line(unit, r) in self.suspects]
            options = self._liked(unit, line, target, options)
            if options and (best is None or options[0].cost + RANK * rank < best[0]):
                best = (options[0].cost + RANK * rank, target, (options[0],))
        if best is None or best[0] > FAR_FETCHED:
            for rank, target in enumerate(targets[:3]):
                pairs = pair_repairs(line, self._context(unit, target))
                if pairs:
                    cost = sum(r.cost for r in pairs[0]) + RANK * rank
                    if best is None or cost < best[0]:
                        best = (cost, target, pairs[0])
        return best

    def likeness(self) -> Likeness:
        """Compares lines with what is taught, by what is understood by now."""
        layout = self.layout
        return Likeness(
            layout, Wording(self.subject, self.truth, self.out.meaning, layout.variable, layout.formulas)
        )

    def _liked(self, unit: Unit, line: Line, target: Quantity, options: list[Repair]) -> list[Repair]:
        """The changes of a line, those first that are the cheapest if unlikeness to what is taught counts as well."""
        if len(options) < 2 or self.subject.is_shaped:
            return options
        likeness = self.likeness()
        taught = likeness.taught(unit, target)
        if not taught:
            return options
        apart = [likeness.distance(likeness.of_repair(unit, line, r), taught) for r in options[:MOST_LIKENED]]
        order = sorted(range(len(apart)), key=lambda n: (options[n].cost + apart[n], n))
        return [options[n] for n in order] + options[MOST_LIKENED:]

    def _options(self, unit: Unit, line: Line, target: Quantity) -> list[Repair]:
        """The changes of one place that make an assignment what it should be, cheapest first."""
        context = self._context(unit, target)
        options = repairs(line, context)
        if self.subject.is_shaped and not self.brief:
            from symgrad.diagnose.changes import changes


            inside = set(line.inside())
            ends = [u.step for u in self.layout.by_name[unit.name] if u.step in inside]
            bound = options[0].cost if options else UNEXPLAINED + 1
            # Another walk, under other suspicions, may come to the same line with the same values.
            key = (*self._situation(unit, line, target), tuple(ends), bound)
            if key not in self.layout.tried:
                self.layout.tried[key] = changes(line, context, ends, bound, self.layout.budget)
            options += self.layout.tried[key]
            options.sort(key=lambda r: (r.cost, len(r.place.path)))
        return options

    def _situation(self, unit: Unit, line: Line, target: Quantity) -> tuple[Hashable, ...]:
        """All that a change which makes a line its target depends on."""
        meant = frozenset(
            (i, m.kind, m.top, m.bottom, self.corrected(i).floats) for i, m in self.out.meaning.items() if i < unit.step
        )
        held = frozenset(key for key, i in self._held.items() if i < unit.step)
        seeded = ("cotangent", self.subject.loss, self.subject.loss) in self._held
        given = tuple((i, self.corrected(i).floats) for i in line.used())
        goal = (target.kind, target.top, target.bottom, target.vec.floats, target.vec.shape)
        return unit.step, goal, tuple(line.inside()), given, meant, held, seeded

    def _again(self, unit: Unit, line: Line, targets: Sequence[Quantity], *, surely: bool = True) -> bool:
        """The same line in another round of a loop: what the same change makes of it tells the target.

        ``surely``: the line is wrong in this round, whether the same change puts it right or not.
        """
        n = self._seen[unit.place]
        old = self.out.roots[n]
        target = targets[0] if surely else None
        if len(old.repairs) == 1 and (len(targets) > 1 or not surely):
            first = old.repairs[0]
            slots = None if first.everywhere else [slot for _, slot in first.place.path]
            least = first.cost + 2 * RANK
            for rank, option in enumerate(targets[:6]):
                for r in repairs(line, self._context(unit, option), slots):
                    alike = r.combine == first.combine and (r.op, r.number) == (first.op, first.number)
                    if alike and r.cost + RANK * rank < least:
                        least, target = r.cost + RANK * rank, option
        if target is None:
            return False
        self.out.roots[n] = replace(old, again=old.again + 1)
        self._put_right(unit, target)
        return True

    def _put_right(self, unit: Unit, target: Quantity) -> None:
        """What follows is judged as if this assignment had its true value."""
        self.out.aimed.setdefault(unit.step, []).append(target.vec)
        first = self.layout.units_at[unit.step][0]
        if first is not unit or self.layout.is_forward(unit.step):
            return  # another name for what stands elsewhere: that keeps its value
        self._settled.add(unit.step)
        self._mean(unit.step, target)
        self.replay.override(unit.step, target.vec)

    def _blame_helper(self, repair: Repair, unit: Unit) -> bool:
        """If what must change is a variable that nothing true was found in, its own assignment is the place to look."""
        node = repair.place.node
        units = self.layout.units_at.get(node)
        if not units or node in self._settled or node == unit.step or self.layout.is_forward(node):
            return False
        if repair.quantity is not None and repair.quantity.kind == "forward" and not repair.combine:
            return False
        self._settled.add(node)
        self._root(units[0], [Quantity("helper", -1, -1, repair.place.wanted)])
        return units[0].place in self._seen

    def _lost(self, unit: Unit, target: Quantity) -> Unit | None:
        """The assignment that throws away what was accumulated under its name before, where just that is missing."""
        mine = [u for u in self.layout.by_name[unit.name] if u.step <= unit.step][-MANY:]
        with precision(BITS):
            gap = target.vec - self.corrected(unit.step)
        if gap.is_zero:
            return None
        if len(mine) > 1 and not unit.augmented and self.layout.feeds(mine[-2].step, {unit.step}):
            mine = mine[-1:]  # what it held before is used: delta = delta*w
        total = None
        for earlier in reversed(mine[:-1]):
            # dw = dz*hs[t] in a loop: all rounds but the last are lost.
            if unit.augmented or (earlier.line != unit.line and not self.corrected(earlier.step).is_zero):
                break
            value = self.corrected(earlier.step)
            total = value if total is None else total + value
            if earlier.line == unit.line and total.same(gap):
                return unit
        for n, earlier in enumerate(mine[:-1]):
            follower = mine[n + 1]
            if follower.augmented or earlier.step == follower.step or self.layout.feeds(earlier.step, {follower.step}):
                continue
            if self.suspects is not None and follower.line not in self.suspects:
                continue
            if self.subject.is_shaped and self.layout.actual(follower.step).is_zero:
                continue  # zeros begin an accumulation, in another epoch
            if self.corrected(earlier.step).same(gap):
                return follower
        return None

    def _habit(self, unit: Unit, chosen: Sequence[Repair]) -> Repair | None:
        """p - y for the gradient at a sigmoid's input, where the loss is not the cross-entropy that this belongs to."""
        if len(chosen) != 1 or chosen[0].quantity is None or chosen[0].quantity.kind != "local":
            return None
        repair, q = chosen[0], chosen[0].quantity
        links = (self.truth.written_out.get(q.top), *self.truth.links.get(q.top, ()))
        op = next((link.op for link in links if link is not None and link.op is not None), None)
        if repair.mistake != "missing-factor" or repair.place.parent >= 0 or op is None or op.canonical is None:
            return None
        rule, loss = op.canonical
        found, y = self.corrected(unit.step), self.truth.values[q.top]
        for i in self.truth.leaves:
            target = self.truth.values[i]
            if (
                y is not None
                and target is not None
                and each(lambda a, b: rule(None, a, None, b), y, target).same(found)
            ):
                return replace(
                    repair, mistake="other-objective", words=f"is the gradient of {loss}, and the loss is not"
                )
        return None

    def _overwrites(self, unit: Unit) -> bool:
        """A name of the forward pass, which stands for no derivative, gets another value."""
        if unit.name not in self._forward or self.reading.pairs(unit.name):
            return False
        # In the next epoch the same line runs again: that is no other value.
        spans = (self.graph.steps[i].span for name, i in self.subject.aliases if name == unit.name)
        return not any(span is not None and span.line == unit.span.line for span in spans)

    def _regained(self, unit: Unit) -> Repair:
        """``=`` should be ``+=``."""
        value = self.corrected(unit.step)
        place = Place(unit.step, -1, -1, value, ())
        return Repair(place, "lost-accumulation", "throws away what was accumulated before", 0.0, regain=unit.name)

    def _context(self, unit: Unit, target: Quantity) -> Context:
        def held(q: Quantity) -> bool:
            first = self._held.get((q.kind, q.top, q.bottom))
            return first is not None and first < unit.step

        def flows(i: int) -> bool:
            meaning = self.out.meaning.get(i)
            return meaning is not None and meaning.kind in ("cotangent", "contribution", "sum", "helper")

        loss = self.subject.loss
        seeded = target.kind in ("cotangent", "contribution", "sum") and ("cotangent", loss, loss) in self._held
        @cache
        def derivatives(before: int) -> list[tuple[Quantity, Vec]]:
            held = {u.step for u in self.subject.units if u.step < before} & set(self.out.meaning)
            return [(self.out.meaning[i], self.corrected(i)) for i in sorted(held, reverse=True)[:MOST_HELD]]

        return Context(self.known, self.layout.variable, held, self.layout.origin, flows, seeded, target, derivatives)

    def _is_literal(self, repair: Repair, found: Vec, target: Quantity) -> bool:
        """A number written out where a variable of the same value stands in the forward pass: right, as it is."""
        node = self.graph.steps[repair.place.node]
        return bool(node.is_const and repair.quantity is not None and found.same_at_user(target.vec))

    def _apply(self, repair: Repair, unit: Unit, line: Line) -> None:
        """What else is computed from the repaired place changes with it: an argument that a whole function uses, a
        helper of the line that gives something elsewhere."""
        place: Place = repair.place
        node = place.node
        if place.parent >= 0 and not repair.everywhere and not self.graph.steps[node].is_leaf:
            inside = set(line.inside())
            way = (node, *(step for step, _ in place.path[1:]))
            lent = any(k not in inside for i in way for k in self.layout.children[i])
            changed = repair.combine or repair.op or repair.keep >= 0 or not self.layout.variable(node)
            if lent and changed and not self.layout.is_forward(node) and not self.layout.units_at.get(node):
                self.replay.override(node, place.wanted)
                return
        for step, _slot in place.path[1:]:
            if self.layout.units_at.get(step) and step != unit.step:
                self.replay.override(step, self._wanted_at(place, step))
                return

    def _wanted_at(self, place: Place, step: int) -> Vec:
        """The value that a helper step needs: recomputed from the repaired place upwards."""
        values: dict[int, Vec] = {place.node: place.wanted}
        for parent, slot in reversed(place.path):
            args = [self.corrected(j) for j in self.graph.steps[parent].inputs]
            child = self.graph.steps[parent].inputs[slot]
            args[slot] = values[child]
            values[parent] = apply(self.graph.steps[parent].op, args, self.graph.steps[parent].params)
            if parent == step:
                break
        return values[step]

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


def handed(repair: Repair, unit: Unit, layout: Layout) -> Span | None:
    """The call in an assignment that hands the wrong variable to a function: the call is to blame, not the function."""
    q = repair.quantity
    if q is None or repair.combine or q.kind not in ("forward", "cotangent", "tangent"):
        return None
    node = repair.place.node
    if not layout.variable(node):
        return None
    if not repair.everywhere and len(layout.uses_within(node, unit)) > 1:
        return None  # the function reads its argument elsewhere as well, and there it is right
    for parent, _ in (*repair.place.path[-1:], *repair.everywhere):
        call = layout.subject.callers.get(parent)
        if call is not None and unit.span.line <= call.line <= unit.span.end_line:
            return call
    return None

