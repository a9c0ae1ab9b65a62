"""Walking through the manual part: what is right, what is wrong, and what is wrong only because of something earlier.

Each assignment is evaluated with the *true* values of what it was given. If that comes out as something true, the
assignment is right, whatever its own inputs were. If not, it is a root: the mistake is in it.

A walk may be told which lines are under suspicion; then the others are taken at their word, and what of them does not
fit is counted. `search` compares such walks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import cached_property

from symgrad.diagnose.meaning.again import names_again
from symgrad.diagnose.meaning.reading import MANY, is_shaped_later
from symgrad.diagnose.observing.subject import BITS, Unit, is_one_number
from symgrad.diagnose.observing.truth import Quantity
from symgrad.diagnose.text.naming import is_bare
from symgrad.diagnose.values.vectors import Vec, apply, constant
from symgrad.diagnose.walking.choosing import RANK, Choosing
from symgrad.diagnose.walking.places import Line, Place, Repair
from symgrad.diagnose.walking.repair import repairs
from symgrad.diagnose.walking.verdicts import DERIVATIVES, Root, Verdicts
from symgrad.enclosure import precision
from symgrad.ops import OPS

#: In so many rounds it is asked whether the same change does it.
MOST_AGAIN = 4


class Walk(Choosing):
    """One pass over the manual assignments of a subject, in the order in which they ran."""

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
        if self.reading.is_of_what_follows(unit):
            self._settled.add(i)
            return
        pairs = self.reading.pairs_of(unit)
        final = self.layout.last[name] is unit
        free = self.suspects is not None and unit.line in self.suspects
        if self.subject.is_shaped and self._is_under_way(unit, vec):
            return
        # A zero of this very round's result is no sum that is only begun.
        its_own = len(pairs) < len(self.reading.pairs(name)) and not any(self.reading.vec(p).is_zero for p in pairs)
        # The 0 that is a field's default is another name for a number.
        given = self.graph.steps[i if self.subject.is_shaped else self.layout.original(i)].is_leaf
        starts = vec.is_zero and (given or not (final or free or its_own))
        if starts and "..." in name:
            return  # dout[mask] = 0 claims nothing of the whole
        if starts and self.subject.stopped:
            return  # its value may have been still to come
        told = i in self.reading.own or (final and self.reading.is_result(name))
        if starts and not told and not (final and self._is_never_assigned(unit)):
            return
        matches = [q for q in self.known.right_of(i, vec) if q.kind in DERIVATIVES]
        if not pairs:
            self._helper(unit, matches)
            return
        agree = [q for q in matches if self.reading.says(q, name, unit)]
        # The right entries in another shape are looked at below.
        fitting = (q for q in agree if q.kind in ("cotangent", "tangent") and q.vec.shape == vec.shape)
        whole = next(fitting, None) or self.reading.whole(vec, name, unit)
        more = self.aims.accumulates_on(unit)
        if whole is None and vec.shaped and (turned := self._in_another_shape(unit, vec)) is not None:
            ends = final or i in self.reading.own
            ends = ends or self.layout.original(self.layout.last[name].step) == self.layout.original(i)
            ends = ends and not self._moves_all_the_same(unit, turned)
            ends = ends and (bool(vec.shape) or not is_one_number(turned.vec.shape))
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
        elif more and (grown := self._grown(unit, vec)) is not None:
            self._settle(unit, replace(grown, kind="term", vec=vec))
        else:
            self._root(unit)

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
        if matches and OPS[self.graph.steps[i].op].renames and unit.name in self._unpacked:
            self._settled.add(i)  # x, y, z = X, which a function for the value begins with as well
            self._mean(i, matches[0])
            return
        if matches and self._is_of_another(unit):
            return  # dE_dx is right as that, or not, whatever of L has the same value
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
        if matches and (self._is_part_of_a_result(unit, matches) or self._is_by_chance(unit, matches)):
            self._settled.add(i)
        elif matches:
            # Where two have the same value (relu, where it is on), the one that is not held yet.
            kinds = {matches[0].kind}
            fresh = [q for q in matches if q.kind in kinds and (q.kind, q.top, q.bottom) not in self._held]
            self._settle(unit, (fresh or matches)[0])
        elif is_bare(unit.name):
            self._root(unit)

    @cached_property
    def _unpacked(self) -> set[str]:
        """Names that hold in the derivation what they hold in the forward pass."""
        return names_again(self.layout, self.known)

    def _is_of_another(self, unit: Unit) -> bool:
        """The name says that it is the derivative of a result that the forward pass knows nothing of."""
        if self.subject.is_shaped:
            return False
        results = (self.layout.actual(i) for i in self.reading.others(unit.name))
        return any(not any(q.kind == "forward" for q in self.known.right(vec)) for vec in results)

    def _ambiguous(self, unit: Unit, readings: Sequence[Quantity], partly: bool, final: bool) -> None:
        """A value that is true of something, though not of what the name says: an accumulation under way, a name used
        for one cotangent after the other, or a mistake that hits upon another true value. What comes later decides."""
        used_later = self.layout.dependents(unit.step)
        pairs = self.reading.pairs(unit.name)
        if not used_later:
            # Nothing follows: the name must be right, if it names a result.
            named = all(self.graph.steps[b].is_input or t != self.subject.loss for t, b in pairs)
            named = named or (not partly and self._does_not_fit(unit))
            # In a loop, what the line has wrong in other rounds is wrong in the last one, if it is part of something.
            if final and (named or (unit.place in self._seen and not self.subject.is_shaped)):
                self._root(unit)
            else:
                self._settle(unit, readings[0])
            return
        turned = self.reading.rearranged(unit, self.layout.actual(unit.step), readings)
        if turned is not None or (partly and self.aims.accumulates_on(unit)):
            self._settle(unit, turned or readings[0])
            return
        if partly and final and (self._is_all(unit) or self._is_left_so(unit, readings)):
            self._root(unit)  # a path is missing, whatever is made of it
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

    def _does_not_fit(self, unit: Unit) -> bool:
        """The run stopped where this was to be used: it has not the shape of what its name says."""
        if not (self.subject.stopped and self.subject.is_shaped and self.reading.is_exact(unit.name)):
            return False
        (pair,) = self.reading.pairs(unit.name)
        return self.reading.vec(pair).usable and self.reading.vec(pair).shape != self.layout.actual(unit.step).shape

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

    def _give(self, unit: Unit, target: Quantity) -> None:
        """A root whose repair is known, or several: changes of lines that assign nothing come to one assignment."""
        found = self.corrected(unit.step)
        for repair, line in self.given[unit.step]:
            if all(r.repairs != (repair,) for r in self.out.roots):
                self._seen[unit.place] = len(self.out.roots)
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

    def _again(self, unit: Unit, line: Line, targets: Sequence[Quantity], *, surely: bool = True) -> bool:
        """The same line in another round of a loop: what the same change makes of it tells the target.

        ``surely``: the line is wrong in this round, whether the same change puts it right or not.
        """
        n = self._seen[unit.place]
        old = self.out.roots[n]
        target = targets[0] if surely else None
        astray = 0
        told = surely and not self.subject.is_shaped and old.again < MOST_AGAIN
        if len(old.repairs) == 1 and (len(targets) > 1 or not surely or told):
            first, found = old.repairs[0], None
            slots = None if first.everywhere else [slot for _, slot in first.place.path]
            least = first.cost + 2 * RANK
            for rank, option in enumerate(targets[:6]):
                for r in repairs(line, self._context(unit, option), slots):
                    alike = r.combine == first.combine and (r.op, r.number) == (first.op, first.number)
                    if alike and r.cost + RANK * rank < least:
                        least, found = r.cost + RANK * rank, option
            q = first.quantity
            # A derivative that nobody wrote down is another one in each round.
            unwritten = first.mistake == "wrong-formula" and q is not None and q.kind not in ("forward", "local")
            astray = int(told and (unwritten or (found is None and not self._does(first, line))))
            target = found or target
        if target is None:
            return False
        self.out.roots[n] = replace(old, again=old.again + 1, astray=old.astray + astray)
        self._put_right(unit, target)
        return True

    def _does(self, repair: Repair, line: Line) -> bool:
        """The change of another round makes something true of the line, though not what was looked for: there may be
        many things that a name is given in a loop."""
        node = line.root
        for _, slot in repair.place.path:
            inputs = self.graph.steps[node].inputs
            if (node != line.root and line.is_stop(node)) or slot >= len(inputs):
                return False
            node = inputs[slot]
        step, value = self.graph.steps[node], line.values(node)
        with precision(BITS):
            if repair.quantity is not None or repair.everywhere or step.is_leaf:
                return False
            if repair.op:
                made = apply(repair.op, [line.values(j) for j in step.inputs])
            elif repair.keep >= 0 and repair.keep < len(step.inputs):
                made = line.values(step.inputs[repair.keep])
            elif isinstance(repair.number, Fraction) and repair.combine in ("*", "+"):
                number = constant(repair.number, self.truth.points)
                made = value * number if repair.combine == "*" else value + number
            else:
                return False
            found = line.recompute({node: made})
        return any(q.kind in DERIVATIVES for q in self.known.right(found))

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
        if unit.augmented and self.graph.steps[node].is_leaf and self.layout.actual(node).is_zero:
            return False  # the zeros that a sum begins with
        q = repair.quantity
        if q is not None and q.kind == "forward" and not repair.combine:
            # Another variable, unless it is what the helper works out once more, under its name or one of its own.
            called = self.subject.names.get(q.bottom, "")
            if (called and called != units[0].name) or self.graph.steps[q.bottom].is_leaf:
                return False
        self._settled.add(node)
        self._root(units[0], [Quantity("helper", -1, -1, repair.place.wanted)])
        return units[0].place in self._seen

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
