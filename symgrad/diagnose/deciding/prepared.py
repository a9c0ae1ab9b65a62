"""What is worked out once for a subject, for all who ask about it: the truth, and what it is compared by."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from symgrad.diagnose.meaning.again import names_again
from symgrad.diagnose.meaning.analogies import analogies
from symgrad.diagnose.meaning.averages import averages
from symgrad.diagnose.meaning.carried import carried
from symgrad.diagnose.meaning.clipping import limits
from symgrad.diagnose.meaning.curves import slopes
from symgrad.diagnose.meaning.directions import directions, other_directions
from symgrad.diagnose.meaning.evidence import guesses
from symgrad.diagnose.meaning.forces import forces
from symgrad.diagnose.meaning.joined import joined
from symgrad.diagnose.meaning.partials import partials
from symgrad.diagnose.meaning.places import in_order
from symgrad.diagnose.meaning.reading import Reading
from symgrad.diagnose.meaning.renaming import (
    called_shorter,
    carried_forward,
    differentials,
    inner,
    no_upstream,
    of_parts,
    of_predictions,
)
from symgrad.diagnose.meaning.residuals import converged, is_near, residuals
from symgrad.diagnose.meaning.strides import strides
from symgrad.diagnose.meaning.updates import updates
from symgrad.diagnose.observing.branches import borders, branches, keep
from symgrad.diagnose.observing.match import Known
from symgrad.diagnose.observing.replay import Layout
from symgrad.diagnose.observing.subject import Subject, Unit, forward_values, sample_points
from symgrad.diagnose.observing.truth import Quantity, Truth
from symgrad.diagnose.values.quiet import quiet
from symgrad.diagnose.values.vectors import Vec
from symgrad.diagnose.walking.blame import Walk

#: How far random points lie from the user's, tried in this order until the forward pass has values at all of them.
RADII = (0.4, 0.1, 0.02, 0.002)
#: ... where there are arrays: near enough that the code would seldom take another path.
SHAPED_RADII = (0.05, 0.005, 0.0005)
#: Under what name a subject keeps what was prepared for it.
_PREPARED = "prepared"


@dataclass(slots=True)
class Prepared:
    """What is worked out once for a subject, for all who walk over it.

    Attributes:
        moves: what is made of the gradients, once they are there.
        limited: those of them that only clip a gradient.
        walk: the walk in which every line is under suspicion, where it was done.
    """

    truth: Truth
    known: Known
    layout: Layout
    reading: Reading
    moves: Collection[Unit]
    limited: Collection[Unit] = ()
    walk: Walk | None = None


@quiet()
def prepare(subject: Subject) -> Prepared | None:
    """The truth at points where the forward pass has values, and what it is compared by; ``None`` where it has none."""
    if _PREPARED not in subject.memo:
        truth = truth_of(subject)
        if truth is None:
            subject.memo[_PREPARED] = None
            return None
        known, layout = Known(truth), Layout(subject, truth)
        reading = Reading(subject, truth, analogies(layout, known) | guesses(layout, known))
        reading.retell(called_shorter(layout, reading) | in_order(layout, reading) | no_upstream(layout, reading))
        reading.retell(of_predictions(layout, known, reading))
        reading.retell(of_parts(layout, reading))
        reading.retell(directions(layout, reading))
        index_tangents(subject, truth, known, reading)
        moved = strides(layout, reading, known)
        forward = carried(layout, reading.moved)
        layout.aside = {
            **slopes(layout), **residuals(layout, known), **partials(layout, reading), **joined(layout),
            **{i: q for i, (_, q) in moved.items()}, **forward.meant, **forces(layout),
        }  # fmt: skip
        layout.moved = {i: (before, q.vec) for i, (before, q) in moved.items()}
        aside = {u.name for u in subject.units if u.step in layout.aside}
        layout.averages = averages(layout, reading)
        parameters = {m.name for m in subject.moves}  # ``slope = slope - rate*D_slope`` is no slope of anything
        reading.leave(aside | forward.names | names_again(layout, known) | layout.averages.keys() | parameters)
        reading.leave(inner(layout, reading) | differentials(layout, reading) | carried_forward(layout, known, reading))
        reading.leave(other_directions(layout, reading))
        limited = limits(layout, reading)
        moves = updates(layout, reading) | limited
        subject.memo[_PREPARED] = Prepared(truth, known, layout, reading, moves, limited)
    found: Prepared | None = subject.memo[_PREPARED]
    return found


def forget(subject: Subject) -> None:
    """Let go of what was worked out: of a long loop it takes much memory."""
    subject.memo.pop(_PREPARED, None)


def truth_of(subject: Subject) -> Truth | None:
    """The true derivatives at points where the forward pass has values; ``None`` where it has none."""
    shapes = subject.graph.steps
    integers = [i for i in subject.leaves() if not shapes[i].shape and subject.point[i].denominator == 1]
    solved, chosen = [] if subject.is_shaped else converged(subject), branches(subject)
    spare: list[tuple[list[dict[int, Any]], list[Vec | None]]] = []
    still = borders(subject)
    radii = SHAPED_RADII if subject.is_shaped else RADII
    tries = [(frozen, r, True) for frozen in (still, [*still, *integers]) for r in radii]
    tries += [(still, r, False) for r in radii if not subject.is_shaped]
    for frozen, radius, shifted in tries:
        points = sample_points(subject, radius, frozen, shifted=shifted)
        values = forward_values(subject, points)
        loss = values[subject.loss]
        if loss is None or not all(math.isfinite(x) for x in loss.floats[1:]):
            continue
        kept = keep(subject, chosen, points) and all(is_near(values[i], values[j]) for i, j in solved)
        if not kept:
            spare.append((points, values))
        elif (truth := _usable(subject, points, values)) is not None:
            return truth
    return next((t for points, values in spare if (t := _usable(subject, points, values)) is not None), None)


def _usable(subject: Subject, points: list[dict[int, Any]], values: list[Vec | None]) -> Truth | None:
    truth = Truth(subject, points, values)
    return truth if all(v.usable for v in truth.cotangents.values()) else None


def index_tangents(subject: Subject, truth: Truth, known: Known, reading: Reading) -> None:
    """Forward-mode values are indexed for the variables that some name differentiates by."""
    for name in {unit.name: None for unit in subject.units}:
        for top, bottom in reading.pairs(name):
            if top != subject.loss and (vec := truth.segment(top, bottom)) is not None:
                known.add(Quantity("tangent", top, bottom, vec))
    for leaf in reading.carried:
        known.add_tangents(leaf)
