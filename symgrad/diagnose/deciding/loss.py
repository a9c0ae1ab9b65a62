"""Which step is the loss, where the script does not say: values decide between the candidates."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import accumulate

from symgrad.diagnose.deciding.outcomes import results
from symgrad.diagnose.deciding.prepared import Prepared, forget, prepare
from symgrad.diagnose.deciding.unchecked import not_checked
from symgrad.diagnose.meaning.evidence import is_negative, scaled
from symgrad.diagnose.meaning.following import original
from symgrad.diagnose.meaning.functions import stems
from symgrad.diagnose.observing.replay import Layout
from symgrad.diagnose.observing.subject import BITS, Subject, Unit
from symgrad.diagnose.text.naming import (
    claims,
    is_bare,
    is_gain,
    is_loss,
    is_score,
    is_some_loss,
    is_surely_loss,
    normal,
    primitives,
)
from symgrad.diagnose.text.seconds import seconds
from symgrad.diagnose.values.quiet import quiet
from symgrad.diagnose.walking.blame import Walk
from symgrad.diagnose.walking.verdicts import DERIVATIVES, Verdicts
from symgrad.enclosure import precision

#: What speaks for a reading under which every line is right.
FLAWLESS = 6.0
#: What speaks against one under which a name claims to be the derivative by something that it does not know.
BEYOND = 6
#: What speaks against one under which what is differentiated is made of derivatives.
OF_DERIVATIVES = 5


def _beyond(subject: Subject, everything: set[str], right: set[str]) -> int:
    """How many names claim to be derivatives by steps that are not part of this reading's forward pass. ``ddh`` is none
    of these where h is a part: it is a second derivative."""
    mine = {normal(name) for name, _ in subject.aliases}
    out = 0
    for name in {u.name for u in subject.units} - right:
        bottoms = {c.bottom for c in claims(name)}
        known = bottoms & mine or any(s.top in mine for s in seconds(name))
        out += bool(bottoms & everything) and not known
    return out


def _walked(subject: Subject) -> Walk | None:
    """One walk over a subject, with the moves of its parameters; ``None`` where its forward pass has no values."""
    prepared = prepare(subject)
    if prepared is None:
        return None
    if prepared.walk is None:
        p = prepared
        p.walk = Walk(p.layout, p.known, p.reading, moves=p.moves, brief=True)
        p.walk.run()
    return prepared.walk


class _Hope:
    """How high the score of a reading may still come to be, at any place of the walk over it.

    What is right holds something true, or zero. Any other assignment is inherited at best, and that only where it is
    made of an assignment before it, or of something that another line uses as well.

    Args:
        prior: what counts beside the assignments, at most.
        everything: what has a name in the forward pass of any reading.
    """

    def __init__(self, prepared: Prepared, prior: float, everything: set[str]) -> None:
        layout, known, reading = prepared.layout, prepared.known, prepared.reading
        may_be_right: list[bool] = []
        handed_on = _handed_on(layout)
        with precision(BITS):
            for unit in layout.subject.units:
                vec = layout.actual(unit.step)
                may_be_right.append(
                    unit not in prepared.moves
                    and (
                        vec.is_zero
                        or any(q.kind in DERIVATIVES for q in known.right_of(unit.step, vec))
                        or reading.whole(vec, unit.name) is not None
                    )
                )
        self.prior = prior + 2 * len(prepared.moves) + 2 * len(layout.subject.moves)
        hopeful = {unit.name for unit, right in zip(layout.subject.units, may_be_right, strict=True) if right}
        self.prior -= BEYOND * _beyond(layout.subject, everything, hopeful)
        #: What the assignments from one on add to the score at most.
        worth = [
            2 if right else int(handed_on[unit.step] and unit not in prepared.moves)
            for unit, right in zip(layout.subject.units, may_be_right, strict=True)
        ]
        self._rest = [0, *accumulate(reversed(worth))][::-1]
        self._flawless = 2 * sum(may_be_right) + FLAWLESS

    def score(self, n: int, out: Verdicts) -> float:
        """The highest that can come of it, when ``n`` assignments have been judged."""
        whole: float = _score(out) + self._rest[n]
        if not out.roots and not out.inherited:
            whole = max(whole, self._flawless)
        return whole + self.prior


def _handed_on(layout: Layout) -> list[bool]:
    """For each step, whether what is put right in one assignment may change it."""
    out: list[bool] = []
    for i, step in enumerate(layout.graph.steps):
        out.append(
            not layout.is_forward(i)
            and any(
                out[j] or (not layout.is_forward(j) and (j in layout.units_at or len(layout.children[j]) > 1))
                for j in step.inputs
            )
        )
    return out


@quiet()
def best_seed(subject: Subject, others: Sequence[Fraction]) -> Subject:
    """A subject with another upstream gradient than one, if more lines are right with it."""
    found = _walked(subject)
    best, most = subject, (_explained(found.out) if found is not None else 0.0)
    plain = found is not None and found.out.right and not found.out.roots and not scaled(found.layout)
    # What is to become large is moved up by its gradient, and not by the negative one.
    sure = is_gain(subject.names.get(subject.loss, "")) and bool(subject.moves) and all(m.up for m in subject.moves)
    for seed in () if plain else [s for s in others if s > 0] if sure else others:
        tried = replace(subject, seed=seed, convention=convention(seed))
        walk = _walked(tried)
        # Of what is carried forward the upstream gradient is no part: that says nothing for one.
        right = [] if walk is None else walk.out.right if subject.is_shaped else _carried_back(walk.out)
        if walk is None or not right or not _holds_rate(subject, abs(seed), right):
            continue
        # What moves the parameters decides where the lines themselves say nothing.
        as_good = seed < 0 and best is subject and found is not None and is_negative(found.layout)
        if _explained(walk.out) > most or (as_good and _explained(walk.out) == most):
            best, most = tried, _explained(walk.out)
    return best


def _carried_back(out: Verdicts) -> list[Unit]:
    """The assignments that are right as something that flows back."""
    kinds = ("tangent", "term", "local")
    return [u for u in out.right if (m := out.meaning.get(u.step)) is None or m.kind not in kinds]


def _holds_rate(subject: Subject, rate: Fraction, right: Sequence[Unit]) -> bool:
    """What is right with a learning rate in it is made of that rate; 1 is none."""
    steps, leaves = subject.graph.steps, subject.leaves()
    rates = (i for i, s in enumerate(steps) if s.is_input and not s.shape and subject.point.get(i) == rate)
    made = subject.graph.dependents(*(i for i in rates if i not in leaves))
    return rate == 1 or all(made[u.step] or steps[u.step].is_leaf for u in right)


def _score(out: Verdicts) -> int:
    return 2 * len(out.right) + len(out.inherited) - 2 * len(out.roots)


def _explained(out: Verdicts) -> float:
    """As the score, but a mistake that a small change puts right speaks for a reading."""
    return _score(out) - 0.5 * sum(min(r.cost, 3.0) for r in out.roots)


def convention(seed: Fraction) -> str:
    if seed == -1:
        return "every result is the negative of the gradient: a convention of descent directions, and right as that"
    words = "the negative of the gradient times" if seed < 0 else "the gradient times"
    return f"every result is {words} {float(abs(seed)):g}, a learning rate: right as that"


@quiet()
def best_subject(candidates: Sequence[Subject]) -> Subject | None:
    """Of several guesses at which step the loss is, the one under which most assignments make sense. Values decide."""
    named = [_called(s) for s in candidates]
    # dL_dx says itself what is differentiated.
    asked = {c.top for s in candidates for u in s.units for c in claims(u.name)}
    asked |= {stem for s in candidates for name in s.called.values() for stem in stems(name)}
    asked |= {stem for s in candidates for u in s.units for stem in primitives(u.name)}
    # A score is that of a likelihood.
    begins = {u.name.split("_")[0].split("[")[0] for s in candidates for u in s.units}
    likelihoods = {name for name in named if any(is_score(word, [name]) for word in begins)}
    asked |= likelihoods
    begun = {stem for s in candidates for stem in _begun(s)} & set(named)
    asked = (asked & set(named) - {""}) | begun
    for name, subject in zip(named, candidates, strict=True):
        # The sum of all that a loop carries on has no name, and is no reason to differentiate it.
        others = (s for s, called in zip(candidates, named, strict=True) if s is not subject and called)
        part = any(s.graph.ancestors(s.loss)[subject.loss] for s in others)
        surely = is_surely_loss(name) or name in likelihoods
        if surely and not part and (not asked or name in asked or _is_made_of(subject, asked)):
            return subject
    kept = [s for s in candidates if not _goes_on(s, candidates, begun)]
    if kept and len(kept) < len(candidates):
        return best_subject(kept)
    everything = {normal(name) for s in candidates for name, _ in s.aliases}
    told = bool(asked) or any(is_loss(name) for name in named)
    late = 3.0 if told else 0.3
    found: dict[int, _Scored] = {}
    passed: list[int] = []

    def is_beside(n: int) -> bool:
        """``e = exp(-x)``, worked out for ``dF_dx``: F is what is differentiated, and no e is made of it."""
        if named[n] in asked or is_surely_loss(named[n]):
            return False
        below = candidates[n].graph.ancestors(candidates[n].loss)
        return any(name in asked and not below[s.loss] for name, s in zip(named, candidates, strict=True))

    def prior(n: int) -> float:
        # A pass that leaves out the upstream gradient is a perfect derivative of an inner step. So what is called a
        # loss, and what stands late in the forward pass, counts for more than a few lines that fit.
        called = int(_is_called_loss(candidates[n], named[n]) and not is_beside(n))
        called += (named[n] in asked) + (named[n] in begun)
        return (3 * called or -OF_DERIVATIVES * _is_of_derivatives(candidates[n], candidates)) - late * n

    def walk(n: int) -> None:
        scored = _scored(candidates, n, everything, prior(n))
        if scored is not None:
            found[n] = scored

    for n, subject in enumerate(candidates):
        least = max((s.score for s in found.values()), default=-math.inf)
        if found and not _may_reach(subject, prior(n), everything, least):
            passed.append(n)
            forget(subject)
            continue
        walk(n)
        # Of what cannot be chosen any more, nothing is kept.
        best = max((s.score for s in found.values()), default=-math.inf)
        for k, s in found.items():
            if s.score + FLAWLESS < best:
                forget(candidates[k])
    chosen = _chosen(found)
    if chosen is None:
        return candidates[0] if candidates else None
    won = found[chosen]
    if passed and won.flawless and any(len(candidates[n].units) > won.accounted for n in passed):
        # Whether it accounts for as many lines as any other reading is not known yet, and may have decided.
        plain = max(found, key=lambda n: (found[n].score, -n))
        if plain != chosen:
            for n in passed:
                walk(n)
            chosen = _chosen(found)
    return candidates[chosen] if chosen is not None else None


def _is_made_of(subject: Subject, names: Collection[str]) -> bool:
    """All that has one of some names in a forward pass: ``dc_dk`` is an inner slope of ``obj = (c - y)**2``."""
    inner = {normal(name) for name, i in subject.aliases if i != subject.loss}
    return not subject.is_shaped and bool(names) and inner.issuperset(names)


def _is_of_derivatives(subject: Subject, others: Sequence[Subject]) -> bool:
    """It is made of what is called a derivative: ``duration = -dP_dy/price`` is no price, and a velocity made of
    ``dh0`` and ``dh1`` is no place, where another result is made of h0 and h1."""
    forward = subject.graph.ancestors(subject.loss)
    mine = {name: i for name, i in subject.aliases if forward[i] and i != subject.loss}
    if any(c.top for name in mine for c in claims(name)):
        return True
    steps = subject.graph.steps
    made = {normal(n) for s in others if s is not subject for n, i in s.aliases if not s.graph.steps[i].is_leaf}
    called = [n for n, i in mine.items() if not steps[i].is_leaf and not is_bare(n)]
    return sum(any(c.bottom in made and c.bottom not in mine for c in claims(n)) for n in called) > 1


def _called(subject: Subject) -> str:
    """The name of what is differentiated, or of the array of which it is the sum."""
    called = [subject.names.get(subject.loss, ""), *(name for name, i in subject.aliases if i == subject.loss)]
    surely = (name for name in called if is_surely_loss(name))  # css returns an s
    return normal(next(surely, "") or next(filter(None, called), ""))


def _goes_on(subject: Subject, others: Sequence[Subject], begun: Collection[str]) -> bool:
    """Something is made of what has this name, and after that a gradient that is worked out arrives at it:
    ``d_o = (o - t)*...`` by o. So it is no end, whatever the values happen to be where a label is 0."""
    name = normal(subject.names.get(subject.loss, ""))
    if not name or name in begun:
        return False
    given = [u for u in subject.units if any(c.bottom == name and not c.top for c in claims(u.name))]
    made = subject.graph.dependents(*subject.leaves())
    for s in others if any(made[u.step] for u in given) else ():
        forward, span = s.graph.ancestors(s.loss), s.graph.steps[s.loss].span
        used = normal(s.names.get(s.loss, "")) != name and name in {normal(n) for n, _ in s.aliases}
        # Of a loop it is the text that tells what comes first.
        if used and all(not forward[u.step] and span is not None and span.line < u.line for u in given):
            return True
    return any(_is_handed_back(subject, s) for s in others if not subject.is_shaped)


def _is_handed_back(subject: Subject, whole: Subject) -> bool:
    """The gradient by what a subject differentiates is worked out, and nothing is made of it: ``n.back(2*(out - t))``
    where that method leaves it out. What that is the gradient of is what all is done for."""
    inner, steps = subject.loss, whole.graph.steps
    if whole.loss == inner or not whole.graph.ancestors(whole.loss)[inner]:
        return False
    used = {j for step in steps for j in step.inputs} | {i for _, i in whole.aliases} | {u.step for u in whole.units}
    left = [i for i in range(whole.loss + 1, len(steps)) if i not in used and not steps[i].is_leaf]
    prepared = prepare(whole) if left else None
    arriving = prepared.truth.cotangents.get(inner) if prepared is not None else None
    if prepared is None or arriving is None or arriving.constant() is not None:
        return False
    return any(prepared.layout.actual(i).same(arriving) for i in left)


def _is_called_loss(subject: Subject, name: str) -> bool:
    """It is called a loss; of arrays, where a name is hardly a derivative of one, also as whose: ``actor_loss``."""
    return is_loss(name) or (subject.is_shaped and is_some_loss(subject.names.get(subject.loss, "")))


def _begun(subject: Subject) -> Iterator[str]:
    """What a pass plainly begins with: ``dout = 1.0``, where there is an ``out``."""
    steps = subject.graph.steps
    for unit in subject.units:
        step = steps[unit.step]
        if unit.augmented or not (step.is_const or (step.is_input and not step.shape)):
            continue
        value = step.value if step.is_const else subject.point.get(unit.step)
        if isinstance(value, Fraction) and value == 1:
            yield from (c.bottom for c in claims(unit.name) if not c.top)


@dataclass(frozen=True, slots=True)
class _Scored:
    """What speaks for one reading: its score, how many assignments it accounts for, and whether it finds nothing wrong
    (then these are all right)."""

    score: float
    accounted: int
    flawless: bool


def _chosen(found: Mapping[int, _Scored]) -> int | None:
    """The number of the best reading: what accounts for as many lines as any other, and finds nothing wrong, is hardly
    right by accident."""
    if not found:
        return None
    most = max(1, *(s.accounted for s in found.values()))

    def score(n: int) -> float:
        return found[n].score + FLAWLESS * (found[n].flawless and found[n].accounted >= most)

    return max(found, key=lambda n: (score(n), -n))


def _may_reach(subject: Subject, prior: float, everything: set[str], least: float) -> bool:
    """The score of a reading may be higher than this, for all that a walk over it tells; the walk is done then."""
    prepared = prepare(subject)
    if subject.is_shaped or prepared is None or _is_settled(prepared):
        return True  # what has another shape may be right as well
    hope = _Hope(prepared, prior, everything)
    p = prepared
    walk = Walk(p.layout, p.known, p.reading, moves=p.moves, brief=True)
    low = False

    def ends(n: int, out: Verdicts) -> bool:
        nonlocal low
        # Of two that are as good, the first is chosen; and others have been before.
        low = hope.score(n, out) <= least
        return low

    walk.run(ends)
    if low:
        return False
    prepared.walk = walk
    return True


def _is_settled(prepared: Prepared) -> bool:
    """Results of numbers that say themselves of what they are the derivatives, dy_dx: all of them are right."""
    layout, reading = prepared.layout, prepared.reading
    if layout.subject.is_shaped:
        return False
    found = results(layout, reading, prepared.moves)
    return any(not reading.is_topless(r.unit.name) for r in found) and all(r.is_right(r.actual) for r in found)


def _scored(candidates: Sequence[Subject], n: int, everything: set[str], prior: float) -> _Scored | None:
    """What a walk over one candidate speaks for it; ``None`` where it cannot be walked over."""
    subject = candidates[n]
    walk = _walked(subject)
    if walk is None:
        return None
    if walk.out.roots and (prepared := prepare(subject)) is not None and _is_settled(prepared):
        # All results are right, so every line is taken at its word: g_x may be a slope of something else.
        walk = Walk(walk.layout, walk.known, walk.reading, (), moves=walk.moves, brief=True)
        walk.run()
    out, moves, steps = walk.out, walk.moves, [u for u, _ in scaled(walk.layout)]
    prior += 2 * len(moves) - BEYOND * _beyond(subject, everything, {u.name for u in out.right})
    if not (out.right or out.inherited or out.roots or steps):
        prior -= 1000  # nothing in the script is about this step
    prior += 2 * len(set(steps) - set(out.right)) - min(2.0, 0.5 * len(not_checked(walk)))
    # A value from before the loss, whose name claims nothing, is no derivative of it, whatever it happens to be; nor is
    # one that is only given, such as the x1 = 1 of another sample.
    graph = walk.layout.graph
    given = {u.step for u in out.right if graph.steps[original(graph, u.step)].is_leaf and not is_bare(u.name)}
    before = [
        u for u in out.right
        if (u.step < subject.loss or u.step in given) and not walk.reading.pairs(u.name)
    ]  # fmt: skip
    part = any(s.graph.ancestors(s.loss)[subject.loss] for s in candidates if s is not subject)
    flawless = not (out.roots or out.inherited or before or part or _is_of_derivatives(subject, candidates))
    return _Scored(_score(out) - 2 * len(before) + prior, len(out.right) + len(out.inherited), flawless)
