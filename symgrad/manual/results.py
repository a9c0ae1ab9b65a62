"""What the main result leaves open is held against the other results of the run: a Jacobian has several, and a second
derivative is the first one's."""

from __future__ import annotations

from dataclasses import replace

from symgrad.diagnose.deciding.prepared import prepare
from symgrad.diagnose.engine import Diagnosis, diagnose, glance
from symgrad.diagnose.observing.subject import Subject
from symgrad.manual.targets import of_targets_held_fixed
from symgrad.manual.work import Account
from symgrad.subjects.further import further, is_only_of, names_result, still_open


def of_further_results(taken: Account) -> Account:
    """The account in which open assignments that are derivatives of other results are judged as those."""
    subject, found = taken.subject, taken.diagnosis
    others = further(taken.trace, subject, found.unchecked, found.right) if found.unchecked else []
    if not others:
        return taken
    # F_yy is a derivative of F_y, whatever of F_x has its value.
    own = {u.name: [o.loss for o in others if names_result(u.name, o)] for u in found.unchecked}
    prepared = prepare(subject)
    called = {u.name for u in subject.units if prepared is not None and prepared.reading.pairs(u.name)}
    for other in others:
        left = {u.step: u for u in found.unchecked if not own[u.name] or other.loss in own[u.name]}
        if not left:
            continue
        explicit = {u.name for u in left.values() if names_result(u.name, other) or is_only_of(u, other, subject)}
        # Who does not say that it is this result's cannot be blamed for what it is not: then a look is enough.
        more = _judged(taken, other) if explicit else glance(other)
        # What stands before the result is its derivative only where its name says so: in a loop the two come in turn.
        mine = (u for u in more.right if u.step in left)
        right = [left[u.step] for u in mine if u.step > other.loss or u.name in explicit]
        # What makes a result wrong that says what it is, is wrong, whatever it is called itself.
        wrong = explicit - {u.name for u in more.right}
        blames = [b for b in more.blames if b.step in explicit or (wrong and b.step in {u.name for u in left.values()})]
        told = {other.loss} if right or blames else set()
        done = told | {u.step for u in right} | {u.step for u in left.values() if u.name in {b.step for b in blames}}
        # What a result is made of that has been judged by now is no derivative that was left open.
        forward = other.graph.ancestors(other.loss) if told else []
        done |= {u.step for u in left.values() if u.step < len(forward) and forward[u.step]}
        found = replace(
            found,
            blames=tuple(sorted((*found.blames, *blames), key=lambda b: (b.span.line, b.span.column))),
            # What only happens to be a derivative is a result now; a first derivative is both.
            right=(*(u for u in found.right if u.step not in told or u.name in called), *right),
            unchecked=tuple(u for u in found.unchecked if u.step not in done),
        )
    left_open = still_open(subject, found.unchecked, found.right)
    return replace(taken, diagnosis=replace(found, unchecked=left_open))


def _judged(taken: Account, other: Subject) -> Diagnosis:
    """What is wrong with the derivation of another result: a target may be held fixed in that as well."""
    return of_targets_held_fixed(replace(taken, subject=other, diagnosis=diagnose(other))).diagnosis
