"""Names that are cut short, ``dl_da`` for that of ``level`` by ``alpha``: believed where a value bears it out.

A variable may also be called like the beginning of another one (``h2``, and ``h2_raw``). So it takes a derivative that
has the right value for each of the two short forms, under this name or another, before a wrong value counts as wrong.
Who writes b for beta writes a for alpha, though: of the inputs one is enough.
"""

from __future__ import annotations

from symgrad.diagnose.observing.replay import Layout
from symgrad.diagnose.observing.subject import Unit
from symgrad.diagnose.text.abbreviations import spelled_out
from symgrad.diagnose.text.naming import Claim, claims, normal

Pair = tuple[int, int]

#: So many assignments under a name are looked at, from the first and from the last ones of a loop.
_LOOKS = 4


def shortened(layout: Layout) -> dict[str, tuple[Pair, ...]]:
    """Names -> the pairs (top, bottom) whose derivative they may hold, if read in full. Of numbers only: for arrays
    there are shapes to go by."""
    subject = layout.subject
    full = spelled_out({u.name for u in subject.units}, {name for name, _ in subject.aliases})
    if subject.is_shaped or not full:
        return {}
    steps: dict[str, list[int]] = {}
    for name, i in dict.fromkeys(subject.aliases):
        steps.setdefault(normal(name), []).append(i)
    pairs = {name: _pairs(claim, steps, layout) for name, claim in full.items()}
    units: dict[str, list[Unit]] = {name: [] for name in full}
    for unit in subject.units:
        if unit.name in full and not layout.graph.steps[unit.step].is_leaf:
            units[unit.name].append(unit)
    borne_out: set[tuple[str, str]] = set()
    for name, held in units.items():
        some = dict.fromkeys((*held[:_LOOKS], *held[-_LOOKS:]))
        if any(_is_one(unit, pairs[name], layout) for unit in some):
            borne_out |= _readings(name, full[name])
    inputs = {normal(subject.names[i]) for i in subject.leaves() if i in subject.names}
    alike = {len(a) for a, b in borne_out if b in inputs}
    return {
        name: pairs[name] for name in full
        if pairs[name]
        and all(r in borne_out or (r[1] in inputs and len(r[0]) in alike) for r in _readings(name, full[name]))
    }  # fmt: skip


def _readings(name: str, claim: Claim) -> set[tuple[str, str]]:
    """The short forms in a name, each with what it is short for."""
    short = next(c for c in claims(name) if c.top)
    return {(a, b) for a, b in ((short.top, claim.top), (short.bottom, claim.bottom)) if a != b}


def _pairs(claim: Claim, steps: dict[str, list[int]], layout: Layout) -> tuple[Pair, ...]:
    truth, loss = layout.truth, layout.subject.loss
    tops = steps.get(claim.top, [loss])
    found = ((t, b) for t in tops for b in steps.get(claim.bottom, ()) if t >= b)
    return tuple(
        (t, b) for t, b in found if (b in truth.cotangents if t == loss else truth.segment(t, b) is not None)
    )


def _is_one(unit: Unit, pairs: tuple[Pair, ...], layout: Layout) -> bool:
    truth, actual = layout.truth, layout.actual(unit.step)
    rights = (truth.cotangents.get(b) if t == layout.subject.loss else truth.segment(t, b) for t, b in pairs)
    return not actual.is_zero and any(v is not None and actual.same(v) for v in rights)


__all__ = ["shortened"]
