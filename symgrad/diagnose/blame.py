"""Walking through the manual part: what is right, what is wrong, and what is wrong only because of something earlier.

Each assignment is evaluated with the *true* values of what it was given. If that comes out as something true, the
assignment is right, whatever its own inputs were. If not, it is a root: the mistake is in it.
"""

from __future__ import annotations

import bisect
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field

from symgrad.diagnose.match import Known
from symgrad.diagnose.naming import LOSS_NAMES, claims, is_bare, key_of, normal
from symgrad.diagnose.repair import Context, Line, Place, Repair, pair_repairs, repairs
from symgrad.diagnose.subject import BITS, Subject, Unit
from symgrad.diagnose.truth import Quantity, Truth
from symgrad.diagnose.vectors import Vec, apply, constant
from symgrad.enclosure import precision
from symgrad.ops import OPS
from symgrad.ops.balls import exact_ball

#: How far ahead two readings of an assignment are compared.
LOOK_AHEAD = 40

#: A name that stands for more steps than this (a loop) is looked up by value and not compared one by one.
MANY = 12

#: Forward-mode values are looked for with respect to every input as long as there are no more than this.
TANGENT_WORK = 5000

DERIVATIVES = ("cotangent", "contribution", "sum", "tangent", "term", "local")


@dataclass(frozen=True, slots=True)
class Root:
    """One mistake.

    Attributes:
        unit: the assignment in which it shows first.
        target: what the assignment should be.
        found: its value, with what it was given corrected.
        repairs: the change (or the two changes) that make it right; empty where none was found.
        again: how many more times the same place went wrong (a loop).
    """

    unit: Unit
    target: Quantity
    found: Vec
    repairs: tuple[Repair, ...]
    again: int = 0


@dataclass(slots=True)
class Verdicts:
    """What came of the walk."""

    roots: list[Root] = field(default_factory=list)
    right: list[Unit] = field(default_factory=list)
    inherited: list[Unit] = field(default_factory=list)
    literal: list[tuple[Unit, Repair]] = field(default_factory=list)
    meaning: dict[int, Quantity] = field(default_factory=dict)


class Walk:
    """One pass over the manual assignments of a subject, in the order in which they ran."""

    def __init__(self, subject: Subject, truth: Truth, known: Known) -> None:
        self.subject, self.truth, self.known = subject, truth, known
        self.graph = subject.graph
        self.points = truth.points
        self.out = Verdicts()
        self._corrected: list[Vec | None] = list(truth.values)
        self._actual: list[Vec | None] = list(truth.values)
        self._overrides: dict[int, Vec] = {}
        self._done = -1
        self._settled: set[int] = set()
        self._aliases = self._forward_names()
        self._children: list[list[int]] = [[] for _ in self.graph.steps]
        for i, step in enumerate(self.graph.steps):
            for j in step.inputs:
                self._children[j].append(i)
        self._forward_spans = {
            s.span
            for s, v in zip(self.graph.steps, truth.values, strict=True)
            if v is not None and not s.is_leaf and s.span
        }
        self._units_at: dict[int, list[Unit]] = {}
        for unit in subject.units:
            self._units_at.setdefault(unit.step, []).append(unit)
        self._last = {unit.name: unit for unit in subject.units}
        self._seen: dict[tuple[int, int, int], int] = {}
        self._resolved: dict[str, list[tuple[int, int]]] = {}
        self._continued = {(u.name, u.previous) for u in subject.units if u.augmented}
        self._by_name: dict[str, list[Unit]] = {}
        for unit in subject.units:
            self._by_name.setdefault(unit.name, []).append(unit)
        self._topless: set[str] = set()
        self._carried: list[int] = []

    def _forward_names(self) -> dict[str, list[int]]:
        out: dict[str, list[int]] = {}
        for name, step in self.subject.aliases:
            for called in dict.fromkeys((name, key_of(name))):
                steps = out.setdefault(normal(called), [])
                if step not in steps:
                    steps.append(step)
        return out

    # --- values -------------------------------------------------------------------------------------------------

    def run(self) -> Verdicts:
        self._index_tangents()
        with precision(BITS):
            for unit in self.subject.units:
                self._advance(unit.step)
                self._judge(unit)
        return self.out

    def actual(self, i: int) -> Vec | None:
        """What the user's code computes for a step."""
        return self._actual[i]

    def corrected(self, i: int) -> Vec:
        vec = self._corrected[i]
        if vec is None:
            self._advance(i)
            vec = self._corrected[i]
        assert vec is not None  # every step up to i has a value now
        return vec

    def _advance(self, upto: int) -> None:
        """Give every step up to this one its actual value and its corrected one."""
        for i in range(self._done + 1, upto + 1):
            if self._actual[i] is None:
                self._actual[i] = self._compute(i, self._actual)
            if self._corrected[i] is None:
                self._corrected[i] = self._overrides.get(i) or self._compute(i, self._corrected)
        self._done = max(self._done, upto)

    def _compute(self, i: int, values: Sequence[Vec | None]) -> Vec:
        step = self.graph.steps[i]
        if step.is_const:
            return constant(step.value, self.points)
        if i in self.subject.autograd:
            target = self.subject.autograd[i]
            return self.truth.cotangents.get(target) or constant(0, self.points)
        if step.is_input:
            return Vec([exact_ball(self.subject.point[i])] * self.points)
        args = [values[j] for j in step.inputs]
        return apply(step.op, [a for a in args if a is not None])

    def _override(self, i: int, vec: Vec) -> None:
        """From here on this step counts as having had its true value; what was computed from it is computed again."""
        self._overrides[i] = vec
        self._corrected[i] = vec
        stale = {i}
        for k in range(i + 1, self._done + 1):
            free = k not in self._overrides and self.truth.values[k] is None
            if free and any(j in stale for j in self.graph.steps[k].inputs):
                self._corrected[k] = self._compute(k, self._corrected)
                stale.add(k)

    def origin(self, i: int) -> int:
        """The forward step that a step only renames; itself if it is none."""
        first = i
        while self.truth.values[i] is None and len(self.graph.steps[i].inputs) == 1 and self._is_rename(i):
            i = self.graph.steps[i].inputs[0]
        return i if self.truth.values[i] is not None else first

    def _is_rename(self, i: int) -> bool:
        return OPS[self.graph.steps[i].op].renames

    # --- names --------------------------------------------------------------------------------------------------

    def resolve(self, name: str) -> list[tuple[int, int]]:
        """The (top, bottom) pairs that a name may stand for; empty if it says nothing."""
        if name in self.subject.mapped:
            return [self.subject.mapped[name]]
        if name not in self._resolved:
            readings = ((claim, self._pairs(claim.top, claim.bottom)) for claim in claims(name))
            claim, found = next(((c, p) for c, p in readings if p), (None, self._subscripted(name)))
            self._resolved[name] = found
            if claim is not None and not claim.top:
                self._topless.add(name)
        return self._resolved[name]

    def _subscripted(self, name: str) -> list[tuple[int, int]]:
        """F_x and Fx for dF/dx, where F is what the loss is called."""
        loss = normal(self.subject.names.get(self.subject.loss, ""))
        plain = normal(name)
        if not loss or not plain.startswith(loss) or plain == loss or plain in self._aliases:
            return []
        return self._pairs("", plain[len(loss) :])

    def _pairs(self, top: str, bottom: str) -> list[tuple[int, int]]:
        bottoms = self._aliases.get(bottom, [])
        tops = self._aliases.get(top, [])
        if "[" in bottom:
            # dws[0] may be the gradient of ws[2]: lists of gradients are filled from the end.
            stem = bottom.split("[", maxsplit=1)[0] + "["
            bottoms = [i for name, steps in self._aliases.items() if name.startswith(stem) for i in steps] or bottoms
        loss = self.subject.loss
        if not bottoms:
            return []
        if top in ("", *LOSS_NAMES) and not tops:
            return [(loss, b) for b in bottoms if b in self.truth.cotangents]
        return [(t, b) for t in tops for b in bottoms if t >= b and self._depends(t, b)]

    def _depends(self, top: int, bottom: int) -> bool:
        if top == self.subject.loss:
            return bottom in self.truth.cotangents
        return self.truth.segment(top, bottom) is not None

    def _index_tangents(self) -> None:
        """Forward-mode values are indexed for the variables that some name differentiates by."""
        wanted: set[int] = set()
        for unit in self.subject.units:
            for top, bottom in self.resolve(unit.name):
                if top != self.subject.loss:
                    vec = self.truth.segment(top, bottom)
                    if vec is not None:
                        self.known.add(Quantity("tangent", top, bottom, vec))
                    if self.graph.steps[bottom].is_input:
                        wanted.add(bottom)
        leaves = self.truth.leaves
        if len(leaves) * len(self.graph) <= TANGENT_WORK:
            # A bare dy may be carried forward: d y/d (the one variable that is meant).
            wanted.update(leaves)
        self._carried = sorted(wanted)
        for leaf in self._carried:
            self.known.add_tangents(leaf)

    # --- judging ------------------------------------------------------------------------------------------------

    def _judge(self, unit: Unit) -> None:
        i = unit.step
        vec = self.corrected(i)
        pairs = self.resolve(unit.name)
        final = self._last[unit.name] is unit
        is_zero_start = vec.is_zero and (self.graph.steps[i].is_leaf or not final)
        if is_zero_start and not (final and pairs and self._is_leaf_gradient(pairs)):
            return
        matches = [q for q in self.known.right(vec) if q.kind in DERIVATIVES]
        if not pairs:
            self._helper(unit, matches)
            return
        agree = [q for q in matches if self._is(q, unit.name)]
        whole = [q for q in agree if q.kind in ("cotangent", "tangent")] or self._whole(vec, pairs)
        if whole:
            self._settle(unit, whole[0])
        elif not agree and self._is_parameter(unit, pairs) and (unit.augmented or self._accumulates_on(unit)):
            self._root(unit)  # what is added up for one input is true of something else
        elif agree or matches:
            self._ambiguous(unit, agree or matches, bool(agree), final, pairs)
        elif not any(self._vec(p).usable for p in pairs[:MANY]):
            return
        elif vec.is_zero and all(self._vec(p).is_zero for p in pairs):
            self._settle(unit, Quantity("cotangent", *pairs[0], vec))
        else:
            self._root(unit)

    def _helper(self, unit: Unit, matches: Sequence[Quantity]) -> None:
        """A name that says nothing. If its value is nothing true, or what uses it goes wrong, its users are asked what
        it should have been."""
        i = unit.step
        if self.graph.steps[i].is_leaf or self.truth.values[i] is not None:
            if matches:
                self._settle(unit, matches[0])
            return
        if self.origin(i) != i and not is_bare(unit.name):
            self._settled.add(i)  # another name for a forward value
            return
        weak = all(q.kind in ("local", "term") for q in matches)
        if is_bare(unit.name) and matches and weak and self._follows(unit) >= 0 and self._targets(unit):
            self._root(unit)
            return
        if not matches or self._users_fail(i):
            # A hidden step's derivative (of the denominator in a sigmoid written out) may be hit upon by accident.
            named = self.subject.names
            sure = any(q.kind in ("cotangent", "tangent") and q.bottom in named for q in matches)
            wanted = self._wanted_by_users(unit, 2 if sure else 1)
            if wanted is not None:
                self._root(unit, [wanted])
                return
        if matches:
            self._settle(unit, matches[0])
        elif is_bare(unit.name):
            self._root(unit)

    def _follows(self, unit: Unit) -> int:
        """The forward step whose cotangent a name that is used again and again held last; -1 if it held none."""
        mine = self._by_name[unit.name]
        n = bisect.bisect_left(mine, unit.step, key=lambda u: u.step)
        meaning = self.out.meaning.get(mine[n - 1].step) if n else None
        return meaning.bottom if meaning is not None and meaning.kind in ("cotangent", "contribution") else -1

    def _users_fail(self, i: int) -> bool:
        """The assignments that use this step, and whose names say what they are, come out wrong, all of them."""
        wrong = 0
        for k, value in self._users(i, self.corrected(i)):
            for unit in self._units_at[k]:
                pairs = self.resolve(unit.name)
                if not pairs:
                    continue
                found = [q for q in self.known.right(value) if q.kind in DERIVATIVES]
                if any(self._is(q, unit.name) for q in found) or self._whole(value, pairs):
                    return False
                wrong += 1
        return wrong > 0

    def _users(self, i: int, vec: Vec) -> list[tuple[int, Vec]]:
        """The next assignments that use this step, with their values if it has this one."""
        used_later = [k for k in self._dependents(i) if k - i <= 20 * LOOK_AHEAD]
        values: dict[int, Vec] = {i: vec}
        for k in range(i + 1, (used_later[-1] if used_later else i) + 1):
            if self.truth.values[k] is None and any(j in values for j in self.graph.steps[k].inputs):
                args = [values.get(j) or self._peek(j) for j in self.graph.steps[k].inputs]
                values[k] = apply(self.graph.steps[k].op, args)
        return [(k, values[k]) for k in used_later]

    def _wanted_by_users(self, unit: Unit, least: int) -> Quantity | None:
        """What this step must be for the assignments that use it to be right, if they agree on something.

        A cotangent of the forward pass that ``least`` users ask for is trusted; anything else must be asked for by two.
        """
        i = unit.step
        have = self.corrected(i)
        votes: list[tuple[Vec, set[int]]] = []
        for k in self._dependents(i)[:6]:
            self._advance(k)
            for user in self._units_at[k]:
                if not self.resolve(user.name) or user.step == i:
                    continue
                line = Line(self.graph, user.step, self.corrected, lambda j: j == i or self._is_stop(j))
                for target in self._targets(user, line, {i})[:6]:
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

    def _vec(self, pair: tuple[int, int]) -> Vec:
        top, bottom = pair
        vec = self.truth.cotangents.get(bottom) if top == self.subject.loss else self.truth.segment(top, bottom)
        return vec or constant(0, self.points)

    def _whole(self, vec: Vec, pairs: Sequence[tuple[int, int]]) -> list[Quantity]:
        """The claim itself, compared directly: needed where the value is zero or not indexed."""
        out = []
        for pair in pairs if len(pairs) <= MANY else ():
            wanted = self._vec(pair)
            if wanted.same(vec):
                out.append(Quantity("cotangent" if pair[0] == self.subject.loss else "tangent", *pair, wanted))
        return out

    def _is(self, q: Quantity, name: str) -> bool:
        """The quantity is what the name claims."""
        pairs = self.resolve(name)
        if q.kind in ("cotangent", "contribution", "sum"):
            return any(b == q.bottom and t == self.subject.loss for t, b in pairs)
        if q.kind in ("tangent", "term", "local"):
            # dy may be d y/d (a variable that goes without saying), carried forward.
            carried = name in self._topless and q.top != q.bottom and (self.subject.loss, q.top) in pairs
            return (q.top, q.bottom) in pairs or carried
        return False

    def _is_leaf_gradient(self, pairs: Sequence[tuple[int, int]]) -> bool:
        return len(pairs) == 1 and self.graph.steps[pairs[0][1]].is_input

    def _is_parameter(self, unit: Unit, pairs: Sequence[tuple[int, int]]) -> bool:
        """The name is the gradient of an input, and no name that is used for one cotangent after the other."""
        return not is_bare(unit.name) and all(self.graph.steps[b].is_input for _, b in pairs)

    def _ambiguous(
        self, unit: Unit, readings: Sequence[Quantity], partly: bool, final: bool, pairs: Sequence[tuple[int, int]]
    ) -> None:
        """A value that is true of something, though not of what the name says: an accumulation under way, a name used
        for one cotangent after the other, or a mistake that hits upon another true value. What comes later decides."""
        used_later = self._dependents(unit.step)
        if not used_later:
            # Nothing follows: the name must be right, if it names a result.
            named = all(self.graph.steps[b].is_input or t != self.subject.loss for t, b in pairs)
            wrong = final and named
            if wrong:
                self._root(unit)
            else:
                self._settle(unit, readings[0])
            return
        if partly and self._accumulates_on(unit):
            self._settle(unit, readings[0])
            return
        accepted = self._score(unit.step, self.corrected(unit.step), used_later)
        for target in self._targets(unit):
            if self._score(unit.step, target.vec, used_later) > accepted:
                self._root(unit)
                return
        if final and self._is_leaf_gradient(pairs) and not partly:
            self._root(unit)
            return
        self._settle(unit, readings[0])

    def _accumulates_on(self, unit: Unit) -> bool:
        """More is added to this name later."""
        return (unit.name, unit.step) in self._continued

    def _dependents(self, i: int) -> list[int]:
        """The next assignments that use this step, through hidden steps only."""
        out: list[int] = []
        seen = {i}
        stack = list(self._children[i])
        while stack and len(seen) < LOOK_AHEAD:
            k = stack.pop()
            if k in seen or self.truth.values[k] is not None:
                continue
            seen.add(k)
            if k in self._units_at:
                out.append(k)
            else:
                stack.extend(self._children[k])
        return sorted(out)

    def _score(self, i: int, vec: Vec, used_later: Sequence[int]) -> int:
        """How many of the next assignments come out as something true if this step has this value."""
        score = 0
        for k, value in self._users(i, vec):
            if k not in used_later:
                continue
            found = [q for q in self.known.right(value) if q.kind in DERIVATIVES]
            for unit in self._units_at[k]:
                pairs = self.resolve(unit.name)
                if pairs:
                    good = any(self._is(q, unit.name) for q in found) or bool(self._whole(value, pairs))
                    score += 2 if good else (0 if found else -2)
                else:
                    score += 1 if found else 0
        return score

    def _peek(self, j: int) -> Vec:
        """A value further on than the walk has come: as corrected so far."""
        self._advance(j)
        return self.corrected(j)

    def _settle(self, unit: Unit, meaning: Quantity) -> None:
        i = unit.step
        self._settled.add(i)
        self.out.meaning[i] = meaning
        actual = self._actual[i]
        if actual is not None and actual.same(self.corrected(i)):
            self.out.right.append(unit)
        else:
            self.out.inherited.append(unit)

    def finals(self) -> list[tuple[Unit, Vec, list[Vec]]]:
        """The results of the derivation: each with the value that the user gets, and the values that would be right.

        A result is the last value of a name that stands for the derivative by an input, or that nothing uses further.
        """
        out = []
        for unit in self._last.values():
            pairs = self.resolve(unit.name)
            actual = self._actual[unit.step]
            if not pairs or actual is None:
                continue
            by_input = all(self.graph.steps[b].is_input for _, b in pairs)
            if not by_input and (self._dependents(unit.step) or unit.name in self._topless):
                continue
            wanted = [self._vec(p) for p in pairs]
            if unit.name in self._topless:
                wanted += [t[b] for leaf in self._carried for _, b in pairs if b in (t := self.truth.tangents(leaf))]
            out.append((unit, actual, wanted))
        return out

    def spelled(self, vec: Vec, before: int) -> str:
        """A value in terms of what the user has by then: a variable, or a derivative times a forward value."""
        holders = [u for u in self.subject.units if u.step < before and u.step in self.out.meaning]
        for unit in reversed(holders):
            if self.corrected(unit.step).same(vec):
                return unit.name
        with precision(BITS):
            for unit in reversed(holders[-40:]):
                for q in self.known.right(vec / self.corrected(unit.step)):
                    if q.kind == "forward" and q.bottom in self.subject.names:
                        return f"{unit.name}*{self.subject.names[q.bottom]}"
        return ""

    def feeds(self, i: int, targets: Collection[int]) -> bool:
        """Whether some target is computed from step ``i``."""
        seen = {i}
        stack = [i]
        while stack:
            k = stack.pop()
            if k in targets:
                return True
            for child in self._children[k]:
                if child not in seen:
                    seen.add(child)
                    stack.append(child)
        return False

    # --- roots --------------------------------------------------------------------------------------------------

    def line(self, unit: Unit) -> Line:
        return Line(self.graph, unit.step, self.corrected, self._is_stop)

    def _is_stop(self, i: int) -> bool:
        """Lines end at forward steps and at manual steps that are understood."""
        return self.truth.values[i] is not None or i in self._settled or i in self._overrides or self._is_shared(i)

    def _is_shared(self, i: int) -> bool:
        """Made by the same characters as a step of the forward pass: by a function that both use, and that is right."""
        span = self.graph.steps[i].span
        return span is not None and span in self._forward_spans

    def _targets(self, unit: Unit, line: Line | None = None, without: Collection[int] = ()) -> list[Quantity]:
        """What the assignment may have been meant to be, the most likely first."""
        line = line or self.line(unit)
        upstream: set[int] = set()
        for i in line.used():
            if i in without:
                continue
            if self.truth.values[i] is None or i == self.subject.loss:
                for q in self.known.right(self.corrected(i)):
                    if q.kind == "cotangent":
                        upstream.add(q.bottom)
                meaning = self.out.meaning.get(i)
                if meaning is not None and meaning.kind in ("cotangent", "sum", "contribution"):
                    upstream.add(meaning.bottom)
        if not self.resolve(unit.name) and is_bare(unit.name) and (held := self._follows(unit)) >= 0:
            upstream.add(held)
        upstream |= {self.truth.owner[u] for u in upstream if u in self.truth.owner}
        base = None
        if unit.augmented and unit.previous >= 0 and not self.corrected(unit.previous).is_zero:
            base = self.corrected(unit.previous)
        out: list[Quantity] = []
        pairs = self.resolve(unit.name)
        carried = {m.bottom for i in line.used() if (m := self.out.meaning.get(i)) is not None and m.kind == "tangent"}
        for leaf in sorted(carried):
            tangents = self.truth.tangents(leaf) if self.graph.steps[leaf].is_input else {}
            out += [
                Quantity("tangent", b, leaf, tangents[b]) for t, b in pairs if t == self.subject.loss and b in tangents
            ]
        if not pairs:
            for top in sorted(upstream, reverse=True):
                links = sorted(
                    (*self.truth.elementary.get(top, ()), *self.truth.links.get(top, ())),
                    key=lambda link: self.graph.steps[link.bottom].is_leaf,
                )
                for link in links:
                    flow = self.truth.cotangents[top] * link.local
                    # What only passes the gradient on is nothing that one writes a line for.
                    passed_on = any(flow.same(self.corrected(i)) for i in line.used() if i not in without)
                    if not passed_on and all(link.bottom != q.bottom for q in out):
                        out.append(Quantity("contribution", top, link.bottom, flow))
            return out
        for top, bottom in self._by_upstream(pairs, upstream, line.used()):
            if top != self.subject.loss:
                out.append(Quantity("tangent", top, bottom, self._vec((top, bottom))))
                continue
            parts = self.truth.into.get(bottom, [])
            if len(parts) > MANY:
                near = self._near(line.used())
                parts = [(t, v) for t, v in parts if t in near][:MANY] or parts[-MANY:]
            arriving = [flow for t in upstream if (flow := self.truth.along.get((t, bottom))) is not None]
            total = self.truth.cotangents[bottom]
            whole = Quantity("cotangent", top, bottom, total)
            if base is not None and not self._accumulates_on(unit):
                out.append(whole)
            if base is not None:
                for vec in ([_sum(arriving)] if arriving else []) + [v for _, v in parts[:MANY]]:
                    out.append(Quantity("sum", top, bottom, base + vec))
                if self._accumulates_on(unit):
                    out.append(whole)
            elif len(parts) > 1 and self._accumulates_on(unit):
                if arriving and len(arriving) < len(parts):
                    out.append(Quantity("sum", top, bottom, _sum(arriving)))
                out.extend(Quantity("contribution", t, bottom, v) for t, v in parts[:MANY])
                out.append(whole)
            else:
                out.append(whole)
        return out

    def _by_upstream(
        self, pairs: Sequence[tuple[int, int]], upstream: set[int], used: Collection[int]
    ) -> Iterator[tuple[int, int]]:
        """Where a name stands for several steps (a loop), the likeliest first: fed by the upstream gradient, and near
        in the forward pass to what the line uses."""
        if len(pairs) == 1:
            yield from pairs
            return
        near = self._near(used)
        fed = [p for p in pairs if any((t, p[1]) in self.truth.along for t in upstream)] or list(pairs)
        if len(fed) > 10 * MANY:
            fed = [p for p in fed if p[1] in near] or fed[: 10 * MANY]
        forward = {self.origin(i) for i in used}

        def nearness(pair: tuple[int, int]) -> int:
            around = {pair[1], *self.graph.steps[pair[1]].inputs}
            for k in self._children[pair[1]]:
                around.update(self.graph.steps[k].inputs)
                for deeper in self._children[k]:
                    around.update(self.graph.steps[deeper].inputs)
            return len({self.origin(i) for i in around} & forward)

        yield from sorted(fed, key=nearness, reverse=True)[:8]

    def _near(self, used: Collection[int]) -> set[int]:
        """Forward steps within two named steps of those that a line uses."""
        near = {j for i in used for j in (i, self.origin(i)) if self.truth.values[j] is not None}
        # A weight is used everywhere, and so says nothing about where.
        near = {i for i in near if len(self._children[i]) <= MANY}
        for _ in range(4):
            near |= {k for i in near for k in self._children[i] if self.truth.values[k] is not None}
        return near

    def _root(self, unit: Unit, targets: Sequence[Quantity] = ()) -> None:
        targets = targets or self._targets(unit)
        if not targets:
            return
        line = self.line(unit)
        found = self.corrected(unit.step)
        key = (unit.span.line, unit.span.column, unit.span.end_column)
        if key in self._seen:
            # The line was understood when it went wrong first; here only its right value is needed.
            self._again(key, unit, targets[0])
            return
        best: tuple[float, Quantity, tuple[Repair, ...]] | None = None
        for rank, target in enumerate(targets[:12]):
            options = repairs(line, self._context(unit, target))
            if options and (best is None or options[0].cost + 0.3 * rank < best[0]):
                best = (options[0].cost + 0.3 * rank, target, (options[0],))
        if best is None or best[0] > 2.0:
            for rank, target in enumerate(targets[:3]):
                pairs = pair_repairs(line, self._context(unit, target))
                if pairs:
                    cost = sum(r.cost for r in pairs[0]) + 0.3 * rank
                    if best is None or cost < best[0]:
                        best = (cost, target, pairs[0])
        target = best[1] if best else targets[0]
        chosen = best[2] if best else ()
        if len(chosen) == 1 and self._blame_helper(chosen[0], unit):
            if not self.corrected(unit.step).same(target.vec):
                self._root(unit, targets)
            else:
                self._settle(unit, target)
            return
        breaker = self._lost(unit, target)
        if breaker is not None:
            unit, chosen = breaker, (self._regained(breaker),)
            key = (unit.span.line, unit.span.column, unit.span.end_column)
        if chosen and all(self._is_literal(r, found, target) for r in chosen):
            self.out.literal.append((unit, chosen[0]))
        elif key not in self._seen:
            self._seen[key] = len(self.out.roots)
            self.out.roots.append(Root(unit, target, found, chosen))
        for repair in chosen:
            self._apply(repair, unit)
        self._put_right(unit, target)

    def _again(self, key: tuple[int, int, int], unit: Unit, target: Quantity) -> None:
        """The same line in another round of a loop."""
        n = self._seen[key]
        old = self.out.roots[n]
        self.out.roots[n] = Root(old.unit, old.target, old.found, old.repairs, old.again + 1)
        self._put_right(unit, target)

    def _put_right(self, unit: Unit, target: Quantity) -> None:
        """What follows is judged as if this assignment had its true value."""
        if self._units_at[unit.step][0] is not unit or self.truth.values[unit.step] is not None or self._is_copy(unit):
            return  # another name for what stands elsewhere: that keeps its value
        self._settled.add(unit.step)
        self.out.meaning[unit.step] = target
        self._override(unit.step, target.vec)

    def _is_copy(self, unit: Unit) -> bool:
        """``self.db = dout``: what is stored is a value that stands elsewhere under another name."""
        lines = self.subject.source.split("\n")
        span = unit.span
        text = lines[span.line - 1][span.column - 1 : span.end_column - 1] if span.line == span.end_line else ""
        return ("." in unit.name or "[" in unit.name) and not unit.augmented and text.strip().isidentifier()

    def _blame_helper(self, repair: Repair, unit: Unit) -> bool:
        """If what must change is a variable that nothing true was found in, its own assignment is the place to look."""
        node = repair.place.node
        units = self._units_at.get(node)
        if not units or node in self._settled or node == unit.step or self.truth.values[node] is not None:
            return False
        if repair.quantity is not None and repair.quantity.kind == "forward" and not repair.combine:
            return False
        self._settled.add(node)
        span = units[0].span
        self._root(units[0], [Quantity("helper", -1, -1, repair.place.wanted)])
        return (span.line, span.column, span.end_column) in self._seen

    def _lost(self, unit: Unit, target: Quantity) -> Unit | None:
        """The assignment that throws away what was accumulated under its name before, where just that is missing."""
        mine = [u for u in self._by_name[unit.name] if u.step <= unit.step][-MANY:]
        with precision(BITS):
            gap = target.vec - self.corrected(unit.step)
        for n, earlier in enumerate(mine[:-1]):
            follower = mine[n + 1]
            if follower.augmented or self.feeds(earlier.step, {follower.step}) or earlier.step == follower.step:
                continue
            if not gap.is_zero and self.corrected(earlier.step).same(gap):
                return follower
        return None

    def _regained(self, unit: Unit) -> Repair:
        """``=`` should be ``+=``."""
        value = self.corrected(unit.step)
        place = Place(unit.step, -1, -1, value, ())
        return Repair(place, "lost-accumulation", "throws away what was accumulated before", 0.0, regain=unit.name)

    def _context(self, unit: Unit, target: Quantity) -> Context:
        def held(q: Quantity) -> bool:
            return any(
                step < unit.step and (m.kind, m.top, m.bottom) == (q.kind, q.top, q.bottom)
                for step, m in self.out.meaning.items()
            )

        return Context(self.known, self.variable, held, self.origin, target)

    def variable(self, i: int) -> str:
        """The user's name of a step, forward or manual."""
        if i in self.subject.names:
            return self.subject.names[i]
        units = self._units_at.get(i)
        return units[-1].name if units else ""

    def _is_literal(self, repair: Repair, found: Vec, target: Quantity) -> bool:
        """A number written out where a variable of the same value stands in the forward pass: right, as it is."""
        node = self.graph.steps[repair.place.node]
        return bool(node.is_const and repair.quantity is not None and found.same_at_user(target.vec))

    def _apply(self, repair: Repair, unit: Unit) -> None:
        """If the mistake is in a helper of the line, what the helper gives elsewhere is put right as well."""
        place: Place = repair.place
        for step, _slot in place.path[1:]:
            units = self._units_at.get(step)
            if units and step != unit.step:
                self._override(step, _wanted_at(place, step, self))
                return


def _wanted_at(place: Place, step: int, walk: Walk) -> Vec:
    """The value that a helper step needs: recomputed from the repaired place upwards."""
    values: dict[int, Vec] = {place.node: place.wanted}
    for parent, slot in reversed(place.path):
        args = [walk.corrected(j) for j in walk.graph.steps[parent].inputs]
        child = walk.graph.steps[parent].inputs[slot]
        args[slot] = values[child]
        values[parent] = apply(walk.graph.steps[parent].op, args)
        if parent == step:
            break
    return values[step]


def _sum(vecs: Sequence[Vec]) -> Vec:
    total = vecs[0]
    for vec in vecs[1:]:
        total = total + vec
    return total
