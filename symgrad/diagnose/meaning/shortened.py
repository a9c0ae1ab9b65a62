"""Names that are cut short, ``dl_da`` for that of ``level`` by ``alpha``: believed where a value bears it out. So are
those that say what they are by, and nothing else: ``x_r`` and ``y_r``.

A variable may also be called like the beginning of another one (``h2``, and ``h2_raw``). So it takes a derivative that
has the right value for each of the two short forms, under this name or another, before a wrong value counts as wrong.
Who writes b for beta writes a for alpha, though: of the inputs one is enough.
"""

from __future__ import annotations

from symgrad.diagnose.observing.replay import Layout
from symgrad.diagnose.observing.subject import Unit
from symgrad.diagnose.text.abbreviations import spelled_out, subscripted
from symgrad.diagnose.text.naming import Claim, claims, normal

Pair = tuple[int, int]

#: So many assignments under a name are looked at, from the first and from the last ones of a loop.
_LOOKS = 4
#: So many names that end in the same way are no accident.
_MANY = 4


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
    borne_out: set[tuple[str, str]] = set()
    for name in full:
        if any(_is_one(unit, pairs[name], layout) for unit in _some(name, layout)):
            borne_out |= _readings(name, full[name])
    inputs = {normal(subject.names[i]) for i in subject.leaves() if i in subject.names}
    alike = {len(a) for a, b in borne_out if b in inputs}
    return {
        name: pairs[name] for name in full
        if pairs[name]
        and all(r in borne_out or (r[1] in inputs and len(r[0]) in alike) for r in _readings(name, full[name]))
    }  # fmt: skip


def by_their_ends(layout: Layout) -> dict[str, tuple[Pair, ...]]:
    """The same of names such as ``x_r``, where one of those that are made in this way has a value that bears it out; or
    where there are many, and several begin with zero: of what is wrong in the first round, nothing is right later."""
    subject, steps = layout.subject, layout.graph.steps
    if subject.is_shaped:
        return {}
    made = {name for name, i in subject.aliases if not steps[i].is_leaf}
    given = {name for name, i in subject.aliases if steps[i].is_input} - made
    mine_of = subscripted(dict.fromkeys(u.name for u in subject.units), given, made)
    held = subscripted(dict.fromkeys(u.name for u in subject.units), given, made, across=True)
    called: dict[str, list[int]] = {}
    for name, i in dict.fromkeys(subject.aliases):
        called.setdefault(normal(name), []).append(i)
    out: dict[str, tuple[Pair, ...]] = {}
    for bottom in {claim.bottom for claim in mine_of.values()}:
        mine = {name: _pairs(claim, called, layout) for name, claim in mine_of.items() if claim.bottom == bottom}
        begun = [name for name in mine if _begins_with_zero(name, layout)]
        many = len(mine) >= _MANY and len(begun) > 1
        if many or any(_is_one(u, mine[name], layout) for name in mine for u in _some(name, layout)):
            out |= mine
    # w_lr beside w_mu, of which the one is w by mu, and both go on from zero.
    for top in {claim.top for claim in held.values()}:
        mine = {name: _pairs(c, called, layout) for name, c in held.items() if c.top == top and name not in out}
        begun = [name for name in mine if _begins_with_zero(name, layout)]
        if len(begun) > 1 and any(_is_one(u, mine[name], layout) for name in begun for u in _some(name, layout)):
            out |= {name: mine[name] for name in begun}
    return out


def _begins_with_zero(name: str, layout: Layout) -> bool:
    first = layout.by_name[name][0]
    return layout.graph.steps[first.step].is_leaf and layout.actual(first.step).is_zero


def _some(name: str, layout: Layout) -> list[Unit]:
    held = [u for u in layout.by_name[name] if not layout.graph.steps[u.step].is_leaf]
    return list(dict.fromkeys((*held[:_LOOKS], *held[-_LOOKS:])))


def _readings(name: str, claim: Claim) -> set[tuple[str, str]]:
    """The short forms in a name, each with what it is short for."""
    short = next((c for c in claims(name) if c.top), claim)
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


__all__ = ["by_their_ends", "shortened"]
