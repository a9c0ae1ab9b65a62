"""``target = r + gamma*q_next`` is made of the weights as well, and held fixed in the derivation: a semi-gradient.

Where a value that is called a target, or one of another time, is cut off from what it is made of, and the derivation is
right then, that was meant: it is said as a deliberate difference.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

from symgrad.diagnose.deciding.prepared import prepare
from symgrad.diagnose.engine import glance
from symgrad.diagnose.observing.subject import Subject
from symgrad.diagnose.values.shaped import lifted
from symgrad.graph import INPUT, Graph
from symgrad.manual.work import Account
from symgrad.ops import sign_of

#: What is held fixed is called, in parts of a name: what is aimed at, what is of another time, what is only compared.
_HELD = re.compile(
    r"(?:^|_)(?:(?:td|q|y|v)?_?(?:targets?|tgt)|bootstrap(?:ped)?|advantages?|adv|baselines?|teacher|old|frozen|"
    r"stopped|detached|sg|(?:q|v|max|value)_?next|next_?(?:q|v|max|values?))(?:_|\d|$)",
    re.IGNORECASE,
)
#: What the value of a later state is multiplied by.
_DISCOUNT = re.compile(r"gamma|discount(?:_?factor)?", re.IGNORECASE)
#: How it is said.
HELD_FIXED = "(a semi-gradient)"
#: So many values are tried, those nearest to the loss first.
MOST = 3


def of_targets_held_fixed(taken: Account) -> Account:
    """The account in which a target is held fixed, if that leaves less wrong."""
    subject, found = taken.subject, taken.diagnosis
    if not found.blames or subject.convention:
        return taken
    for step in list(_held(subject))[:MOST]:
        cut = _cut(subject, step)
        if cut is None or len(glance(cut).right) < len(found.right):
            continue
        again = taken.against(cut)
        fewer = len(again.diagnosis.blames) < len(found.blames)
        if fewer and len(again.diagnosis.right) >= len(found.right):
            return again
    return taken


def _held(subject: Subject) -> Iterator[int]:
    """Values with such names that are made of an input which the loss is made of in another way as well."""
    steps, loss = subject.graph.steps, subject.loss
    forward = subject.graph.ancestors(loss)
    for i in sorted(subject.names, reverse=True):
        if steps[i].is_leaf or not forward[i] or i == loss:
            continue
        if _HELD.search(subject.names[i]) is None and not _is_discounted(subject, i):
            continue
        made = subject.graph.ancestors(i)
        cut = [replace(s, op=INPUT, inputs=()) if n == i else s for n, s in enumerate(steps)]
        other = Graph(tuple(cut), loss, subject.graph.source).ancestors(loss)
        if any(made[j] and other[j] for j in subject.leaves() if j not in subject.frozen):
            yield i


def _is_discounted(subject: Subject, i: int) -> bool:
    """What is only multiplied by a number that is called a discount is the value of a later state."""
    steps, names = subject.graph.steps, subject.names
    users = [s for s in steps if i in s.inputs]
    discounts = {
        j for s in users for j in s.inputs
        if j != i and steps[j].is_leaf and not steps[j].shape and _DISCOUNT.fullmatch(names.get(j, ""))
    }  # fmt: skip
    return bool(users) and all(sign_of(s.op) == "*" and not discounts.isdisjoint(s.inputs) for s in users)


def _cut(subject: Subject, step: int) -> Subject | None:
    """The same where a step is given, and made of nothing."""
    prepared = prepare(subject)
    value = prepared.truth.values[step] if prepared is not None else None
    if value is None:
        return None
    steps = subject.graph.steps
    at = lifted(value).arrays[0] if steps[step].shape else Fraction(value.floats[0])
    cut = [replace(s, op=INPUT, inputs=()) if n == step else s for n, s in enumerate(steps)]
    name = subject.names[step]
    said = (
        f"{name} is held fixed in the derivation, though it is made of what is differentiated by {HELD_FIXED}: "
        "right as that"
    )
    graph = Graph(tuple(cut), subject.graph.output, subject.graph.source)
    return replace(subject, graph=graph, point={**subject.point, step: at}, convention=said)


__all__ = ["HELD_FIXED", "of_targets_held_fixed"]
