"""States that a derivation goes through once more from the same number: ``acc = 0.0`` for a sum that began ``y = 0.0``.

Where the forward pass is looked at with another beginning, what goes through it again has to begin there as well.
"""

from __future__ import annotations

from symgrad.arrays import Program
from symgrad.diagnose.observing.subject import Subject
from symgrad.diagnose.text.naming import claims, is_bare, normal
from symgrad.errors import SymgradError

#: A state has so many values at least, and so many at most are looked at.
LEAST, MOST = 3, 400


def retraced(subject: Subject) -> dict[int, int]:
    """Numbers that a derivation begins with -> those of the forward pass, where the same values follow on both."""
    if subject.is_shaped:
        return {}
    steps, forward = subject.graph.steps, dict[str, list[int]]()
    for name, i in subject.aliases:
        forward.setdefault(name, []).append(i)
    called, again = {normal(name) for name in forward}, dict[str, list[int]]()
    derivatives = {n for u in subject.units if is_bare(n := u.name) or any(c.bottom in called for c in claims(n))}
    for unit in (u for u in subject.units if u.name not in derivatives):
        again.setdefault(unit.name, []).append(unit.step)
    free = set(subject.leaves()) - set(subject.frozen)
    states = [s for s in forward.values() if LEAST <= len(s) <= MOST and s[0] in free and not steps[s[0]].shape]
    pairs = [
        (one, other)
        for one in again.values()
        for other in states
        if len(one) == len(other) and steps[one[0]].is_input and one[0] not in free and len(set(one)) > 1
        and subject.point.get(one[0]) == subject.point.get(other[0])
    ]  # fmt: skip
    if not pairs:
        return {}
    needed = sorted({i for pair in pairs for some in pair for i in some})
    try:
        found = Program(subject.graph, needed)({i: float(x) for i, x in subject.point.items()})
        value = {i: float(v) for i, v in zip(needed, found, strict=True)}
    except (SymgradError, ArithmeticError, ValueError, TypeError):
        return {}
    same = [(one, other) for one, other in pairs if [value[i] for i in one] == [value[i] for i in other]]
    return {one[0]: other[0] for one, other in same}


__all__ = ["retraced"]
