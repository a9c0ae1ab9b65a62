"""Gradients in a list whose name says nothing of what: ``grad[i]``, appended one after the other.

Where they are right their values tell whose gradients they are. Where all of them are wrong, by a mistake in the one
line that makes them, only their number does: they belong to a list of as many inputs. Each such list is tried, and one
is believed where the mistakes that are found then have fixes after which the whole script is right.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import replace

from symgrad.diagnose.engine import Diagnosis, diagnose
from symgrad.diagnose.observing.subject import Subject
from symgrad.diagnose.text.naming import is_bare
from symgrad.effort import is_spent
from symgrad.frontends.trace.data import Trace
from symgrad.manual.verifying import MANY, verified_fixes
from symgrad.manual.work import Work

_ENTRY = re.compile(r"(.+)\[(\d+)\]")
#: So many lists are tried.
MOST = 4

Entries = dict[int, int]


def of_lists(
    work: Work, trace: Trace, subject: Subject, diagnosis: Diagnosis, verified: Collection[int]
) -> tuple[Diagnosis, set[int]]:
    """The diagnosis under which such a list holds gradients by a list of inputs, if one explains it; and the numbers of
    its findings whose fixes are verified."""
    same = diagnosis, set(verified)
    if subject.is_shaped or trace.error is not None or len(trace.bindings) > MANY:
        return same
    found: list[tuple[Diagnosis, set[int]]] = []
    for mapped in _mappings(subject, {u.name for u in diagnosis.unchecked}, {u.step for u in diagnosis.right}):
        if is_spent():
            break
        again = diagnose(replace(subject, mapped={**subject.mapped, **mapped}))
        if again.blames and not again.unchecked and all(b.edits for b in again.blames):
            right = verified_fixes(work, trace, again)
            if len(right) == len(again.blames):
                found.append((again, right))
    return min(found, key=lambda f: len(f[0].blames), default=same)


def _mappings(
    subject: Subject, unchecked: Collection[str], right: Collection[int]
) -> Iterator[dict[str, tuple[int, int]]]:
    """For each list of inputs that a list of gradients may belong to, what each of its names stands for then.

    What something is made of that is ``right`` is on the way to it, and no gradient by an input.
    """
    leaves, steps = set(subject.leaves()) - subject.frozen, subject.graph.steps
    lists = _entries((name, i) for name, i in subject.aliases if i in leaves and steps[i].is_input)
    made = _entries((u.name, u.step) for u in subject.units)
    for stem, entries in made.items():
        if not is_bare(stem) or not any(f"{stem}[{k}]" in unchecked for k in entries):
            continue
        made_of = subject.graph.dependents(*entries.values())
        if any(made_of[i] and i not in entries.values() for i in right):
            continue
        fitting = [mine for mine in lists.values() if len(entries) > 1 and mine.keys() == entries.keys()]
        for mine in fitting[:MOST]:
            yield {f"{stem}[{k}]": (subject.loss, i) for k, i in mine.items()}


def _entries(named: Iterator[tuple[str, int]]) -> dict[str, Entries]:
    """The entries of every list by their places."""
    out: dict[str, Entries] = {}
    for name, i in named:
        if (m := _ENTRY.fullmatch(name)) is not None:
            out.setdefault(m[1], {})[int(m[2])] = i
    return out


__all__ = ["of_lists"]
