"""Which step is the loss, where the script does not say: values decide between the candidates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

from symgrad.diagnose.blame import Verdicts, Walk
from symgrad.diagnose.engine import index_tangents, prepare
from symgrad.diagnose.evidence import guesses, is_negative, scaled, stems
from symgrad.diagnose.naming import LOSS_NAMES, SURELY_LOSS, claims, normal, primitives
from symgrad.diagnose.reading import Reading
from symgrad.diagnose.replay import Layout
from symgrad.diagnose.subject import Subject
from symgrad.diagnose.unchecked import not_checked
from symgrad.diagnose.updates import updates

#: What speaks for a reading under which every line is right.
FLAWLESS = 6.0


def _beyond(subject: Subject, everything: set[str], right: set[str]) -> int:
    """How many names claim to be derivatives by steps that are not part of this reading's forward pass."""
    mine = {normal(name) for name, _ in subject.aliases}
    out = 0
    for name in {u.name for u in subject.units} - right:
        bottoms = {c.bottom for c in claims(name)}
        out += bool(bottoms & everything) and not bottoms & mine
    return out


def _walked(subject: Subject) -> Walk | None:
    """One walk over a subject, with the moves of its parameters."""
    prepared = prepare(subject)
    if prepared is None:
        return None
    truth, known = prepared
    layout = Layout(subject, truth)
    reading = Reading(subject, truth, guesses(layout, known))
    index_tangents(subject, truth, known, reading)
    walk = Walk(layout, known, reading, moves=updates(layout, reading), brief=True)
    walk.run()
    return walk


def best_seed(subject: Subject, others: Sequence[Fraction]) -> Subject:
    """A subject with another upstream gradient than one, if more lines are right with it."""
    found = _walked(subject)
    best, most = subject, (_explained(found.out) if found is not None else 0.0)
    plain = found is not None and found.out.right and not found.out.roots and not scaled(found.layout)
    for seed in () if plain else others:
        tried = replace(subject, seed=seed, convention=_convention(seed))
        walk = _walked(tried)
        if walk is None or not walk.out.right:
            continue
        # What moves the parameters decides where the lines themselves say nothing.
        as_good = seed < 0 and best is subject and found is not None and is_negative(found.layout)
        if _explained(walk.out) > most or (as_good and _explained(walk.out) == most):
            best, most = tried, _explained(walk.out)
    return best


def _score(out: Verdicts) -> int:
    return 2 * len(out.right) + len(out.inherited) - 2 * len(out.roots)


def _explained(out: Verdicts) -> float:
    """As the score, but a mistake that a small change puts right speaks for a reading."""
    return _score(out) - 0.5 * sum(min(r.cost, 3.0) for r in out.roots)


def _convention(seed: Fraction) -> str:
    if seed == -1:
        return "every result is the negative of the gradient: a convention of descent directions, and right as that"
    words = "the negative of the gradient times" if seed < 0 else "the gradient times"
    return f"every result is {words} {float(abs(seed)):g}, a learning rate: right as that"


def best_subject(candidates: Sequence[Subject]) -> Subject | None:
    """Of several guesses at which step the loss is, the one under which most assignments make sense. Values decide."""
    named = [normal(s.names.get(s.loss, "")) for s in candidates]
    # dL_dx says itself what is differentiated.
    asked = {c.top for s in candidates for u in s.units for c in claims(u.name)}
    asked |= {stem for s in candidates for name in s.called.values() for stem in stems(name)}
    asked |= {stem for s in candidates for u in s.units for stem in primitives(u.name)}
    asked &= set(named)
    for name, subject in zip(named, candidates, strict=True):
        part = any(s.graph.ancestors(s.loss)[subject.loss] for s in candidates if s is not subject)
        if name in SURELY_LOSS and not part and (not asked or name in asked):
            return subject
    scored = []
    flawless: dict[int, int] = {}
    most = 1
    everything = {normal(name) for s in candidates for name, _ in s.aliases}
    told = bool(asked) or any(name in LOSS_NAMES for name in named)
    late = 3.0 if told else 0.3
    for n, subject in enumerate(candidates):
        walk = _walked(subject)
        if walk is None:
            continue
        out, moves, steps = walk.out, walk.moves, scaled(walk.layout)
        # A pass that leaves out the upstream gradient is a perfect derivative of an inner step. So what is called a
        # loss, and what stands late in the forward pass, counts for more than a few lines that fit.
        name = named[n]
        prior = (
            3 * (name in LOSS_NAMES) + 3 * (name in asked) + 2 * len(moves) - late * n
            - 6 * _beyond(subject, everything, {u.name for u in out.right})
        )
        if not (out.right or out.inherited or out.roots or steps):
            prior -= 1000  # nothing in the script is about this step
        prior += 2 * len(set(steps) - set(out.right)) - min(2.0, 0.5 * len(not_checked(walk)))
        # A value from before the loss, whose name claims nothing, is no derivative of it, whatever it happens to be.
        before = [u for u in out.right if u.step < subject.loss and not walk.reading.pairs(u.name)]
        part = any(s.graph.ancestors(s.loss)[subject.loss] for s in candidates if s is not subject)
        if not out.roots and not out.inherited and not before and not part:
            flawless[n] = len(out.right)
        most = max(most, len(out.right) + len(out.inherited))
        scored.append((_score(out) - 2 * len(before) + prior, -n, subject))
    # What accounts for as many lines as any other reading, and finds nothing wrong, is hardly right by accident.
    scored = [(score + FLAWLESS * (flawless.get(-n, 0) >= most), n, subject) for score, n, subject in scored]
    return max(scored, key=lambda s: s[:2])[2] if scored else (candidates[0] if candidates else None)
