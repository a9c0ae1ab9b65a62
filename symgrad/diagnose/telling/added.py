"""A statement that is missing in a loop, found as a product of what is at hand in its rounds:
``dmu -= r*(x - mu)/s**2``."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence

import numpy as np

from symgrad.diagnose.observing.subject import BITS, Unit
from symgrad.diagnose.observing.truth import Quantity
from symgrad.diagnose.text.source import SourceMap, number_names, source_map
from symgrad.diagnose.text.statements import Statement
from symgrad.diagnose.trying.products import Atom, Product, Products
from symgrad.diagnose.trying.roles import Role, roles_of
from symgrad.diagnose.trying.written import at_hand, atoms
from symgrad.diagnose.values.vectors import Vec, constant
from symgrad.diagnose.walking.blame import Walk
from symgrad.diagnose.walking.places import Repair
from symgrad.diagnose.walking.verdicts import Root
from symgrad.enclosure import precision

_ENTRY, _NAME = re.compile(r"\w\[\d+\]"), re.compile(r"(?<![\w.])[A-Za-z_]\w*(?!\w|\()")
#: A loop of more rounds than this is not searched for what could be added up in it.
ROUNDS = 50
#: So many places of the forward pass that use a variable are each given a term.
MOST_TERMS = 4
#: A term of a higher cost than this is no help.
DEAREST = 4.5
#: So many lines of a loop are tried as the one that it stands behind.
MOST_PLACES = 6


def of_products(root: Root, gap: Vec, walk: Walk, source: SourceMap) -> Statement | None:
    """The line that adds up what a gradient lacks: a product for each place where the forward pass uses it."""
    unit, layout = root.unit, walk.layout
    if not unit.name.isidentifier():
        return None
    parts = [p for p in _by_place(root.target, walk) if not p.is_zero]
    whole = [gap] if not parts or len(parts) > MOST_TERMS or not _total(parts, walk).same(gap) else parts
    roles, numbers = roles_of(layout), number_names(layout.graph, source)
    best: tuple[float, Statement | None] = math.inf, None
    for rounds, after in _places(unit, walk, source):
        hand = [r for r in at_hand(roles, rounds, after=after) if r.text != unit.name]
        known = atoms(hand, lambda i: layout.actual(i) if layout.is_forward(i) or i == unit.step else walk.corrected(i))
        shape = len(rounds), walk.truth.points - 1
        known += [Atom(name, np.full(shape, float(n))) for n, name in numbers.items()]
        found = Products(known)
        for wanted in ([gap], whole) if len(whole) > 1 else (whole,):
            terms = _each(found, wanted)
            cost = sum(t.cost + 1 for t in terms)
            if terms and cost < best[0]:
                line = rounds[-1].line
                end = rounds[-1].span.end_line if after else line - 1
                best = cost, Statement(end, _text(unit.name, terms), _indent(line, source))
    return best[1]


def missing_term(root: Root, repair: Repair, have: Vec, walk: Walk) -> str:
    """What a place lacks, with its sign, as a product of what its line has at hand; empty where there is none."""
    unit, layout = root.unit, walk.layout
    if layout.subject.is_shaped:
        return ""
    mine = [u for u in walk.subject.units if (u.line, u.span.column) == (unit.line, unit.span.column)]
    if unit not in mine or len(mine) > ROUNDS or repair.place.wanted.is_zero:
        return ""  # x - x is no way to write a zero
    with precision(BITS):
        gap = repair.place.wanted - have
    n, roles = mine.index(unit), roles_of(layout)
    ready = [r for r in at_hand(roles, mine) if r.steps[n] < unit.step and r.text != unit.name]
    here = [Role(r.text, (r.steps[n],)) for r in ready]
    known = Products(atoms(here, lambda i: layout.actual(i) if layout.is_forward(i) else walk.corrected(i)))
    found = known.adding_up_to(np.array(gap.floats[1:], dtype=np.float64)) if gap.usable else []
    sign = -1 if repair.place.parent < 0 and unit.augmented == "-=" else 1
    plain = bool(found) and found[0].cost <= DEAREST
    return f"{'+' if found[0].sign * sign > 0 else '-'} {found[0].text}" if plain else ""


def is_of_one_round(text: str, root: Root, walk: Walk) -> bool:
    """A formula for a line of a loop is true of one round only: it names ``ns[0]``, or the p of another loop."""
    unit, layout = root.unit, walk.layout
    rounds = [u for u in walk.subject.units if (u.line, u.span.column) == (unit.line, unit.span.column)]
    if walk.subject.is_shaped or len(rounds) < 2:
        return False
    if _ENTRY.search(text):
        return True
    for name in set(_NAME.findall(text)):
        held = {i for own, i in walk.subject.aliases if own == name and i < unit.step}
        own = any(not layout.is_forward(u.step) for u in layout.by_name.get(name, ()))
        if len(held) > 1 and not own and not _changes(name, unit, walk):
            return True
    return False


def _changes(name: str, unit: Unit, walk: Walk) -> bool:
    """A name is given a value in the loop around a line."""
    statements = source_map(walk.subject.source).statements
    loop = statements.loop_around(unit.line)
    return name in statements.loop_variables(unit.line) or (
        loop is not None and any(re.match(rf"\s*{name}\b.*=", line) for line in statements.lines[loop[0] : loop[1]])
    )


def _each(hand: Products, wanted: Sequence[Vec]) -> list[Product]:
    """The simplest product for each of some values; none where one has none."""
    found = [hand.adding_up_to(np.array(w.floats[1:], dtype=np.float64)) for w in wanted]
    return [some[0] for some in found] if all(found) else []


def _text(name: str, terms: Sequence[Product]) -> str:
    """``ds -= a - b`` for the terms -a and b."""
    first = terms[0].sign
    rest = "".join(f" {'+' if t.sign == first else '-'} {t.text}" for t in terms[1:])
    return f"{name} {'+' if first > 0 else '-'}= {terms[0].text}{rest}"


def _by_place(target: Quantity, walk: Walk) -> list[Vec]:
    """What flows to a variable from each place in the text that uses it, over all rounds."""
    places: dict[tuple[object, int], list[Vec]] = {}
    links = [k for some in walk.truth.elementary.values() for k in some if k.bottom == target.bottom]
    for link in links if len(links) <= MOST_TERMS * ROUNDS else ():
        flow: Vec | None = link.flow
        if target.kind == "tangent":
            above = walk.truth.segment(target.top, link.top) if link.top <= target.top else None
            flow = above * link.local if above is not None and link.local is not None else None
        if flow is not None:
            places.setdefault((walk.layout.graph.steps[link.top].span, link.slot), []).append(flow)
    return [_total(flows, walk) for flows in places.values()]


def _total(parts: Sequence[Vec], walk: Walk) -> Vec:
    total = constant(0, walk.truth.points)
    for part in parts:
        total = total + part
    return total


def _places(unit: Unit, walk: Walk, source: SourceMap) -> Iterator[tuple[list[Unit], bool]]:
    """Where in the loops after an assignment a line could stand: behind a line, the last first; before the first."""
    loops: dict[tuple[int, int], dict[int, list[Unit]]] = {}
    for u in walk.subject.units:
        if u.step > unit.step and not walk.layout.is_forward(u.step) and u.step not in walk.subject.callers:
            loop = source.statements.loop_around(u.line, inner=True)
            if loop is not None:
                loops.setdefault(loop, {}).setdefault(u.line, []).append(u)
    readers = [u.line for i in walk.layout.dependents(unit.step) for u in walk.layout.units_at[i]]
    for loop, by_line in loops.items():
        if any(line <= loop[1] for line in readers):
            continue  # there it is used by then
        lines = [list({u.step: u for u in mine}.values()) for _, mine in sorted(by_line.items())]
        full = len(lines[-1])  # a line that sets three names has three times as many
        rounds = [mine for mine in lines if len(mine) == full]
        if 2 <= full <= ROUNDS:
            yield from ((mine, True) for mine in reversed(rounds[-MOST_PLACES:]))
            yield rounds[0], False


def _indent(number: int, source: SourceMap) -> str:
    line = source.lines[number - 1]
    return line[: len(line) - len(line.lstrip())]
