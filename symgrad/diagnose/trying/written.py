"""What can be written in all rounds of a loop, with the values that it has there: variables, and what the forward pass
works out of them without a name, or by calling a function of the script."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from symgrad.diagnose.observing.subject import Unit
from symgrad.diagnose.text.callees import called_by
from symgrad.diagnose.trying.products import Atom
from symgrad.diagnose.trying.roles import Role, Roles, names_in
from symgrad.diagnose.trying.typed import entry
from symgrad.diagnose.values.vectors import Vec
from symgrad.errors import Span
from symgrad.ops import OPS

#: The random points.
RANDOM = slice(1, None)
_WORD = re.compile(r"(?<![\w.])[A-Za-z_]\w*(?![\w(])")
#: So many operations of the forward pass are looked at, each so deep.
MOST, DEEPEST = 60, 2
#: ... and of each of them not more than so many, rounds times rounds.
MOST_WRITTEN = 5000
#: In a run with more steps in functions it is not asked what these were called with.
MOST_CALLS = 2000


def at_hand(roles: Roles, units: Sequence[Unit], *, after: bool = False) -> list[Role]:
    """What can be written in a line, or ``after`` it, of which ``units`` are the rounds: of variables, each once."""
    places = [replace(u, step=u.step + 1) for u in units] if after else list(units)
    loss = {roles.subject.loss}  # no derivative is made of what is derived
    known = (r for r in roles.at_hand(places) if set(r.steps) != loss)
    found = {r.text: r for r in known if all(0 <= i < p.step for i, p in zip(r.steps, places, strict=True))}
    others = (*_handed(roles, units, len(units)), *_read_before(roles, units, len(units)), *_before(roles, units))
    for role in others:
        # A variable of the loop that nothing reads in it has only its last value so far.
        if role.text not in found or len(set(found[role.text].steps)) == 1:
            found[role.text] = role
    for role in _made(roles, list(found.values()), len(units)):
        found.setdefault(role.text, role)
    # Of several names of one value the one that the loop itself uses: ``x`` of ``for x in data``.
    used = {name for line in _body(roles, units[0].line) for name in _WORD.findall(line)}
    real = roles.layout.original
    # A gradient comes before what it is multiplied by.
    forward = {t: roles.layout.is_forward(real(r.steps[-1])) for t, r in found.items()}
    return sorted(
        found.values(),
        key=lambda r: (not used.issuperset(_WORD.findall(r.text)), "(" in r.text, "[" in r.text, forward[r.text]),
    )


def atoms(roles: Sequence[Role], value: Callable[[int], Vec], points: slice = RANDOM) -> list[Atom]:
    """The same with their values at some points."""
    return [Atom(r.text, np.array([value(i).floats[points] for i in r.steps], dtype=np.float64)) for r in roles]


def _body(roles: Roles, line: int) -> list[str]:
    """The lines of the loop around a line, without its head."""
    loop = roles.source.statements.loop_around(line, inner=True)
    return roles.source.lines[loop[0] : loop[1]] if loop is not None else roles.source.lines


def _handed(roles: Roles, units: Sequence[Unit], count: int) -> Iterator[Role]:
    """What functions of the script are called with in the same loop: ``rating[white]``."""
    loop = roles.source.statements.loop_around(units[0].line, inner=True) or (0, 10**9)
    calls: dict[Span, list[int]] = {}
    callers = roles.subject.callers
    for i, place in callers.items() if len(callers) <= MOST_CALLS else ():
        span, inside = roles.graph.steps[i].span, loop[0] < place.line <= loop[1]
        callee = roles.calls.at(span) if inside and not roles.layout.is_forward(i) else None
        if span is not None and callee is not None and callee.place == (span.line, span.column, span.end_column):
            calls.setdefault(place, []).append(i)
    for place, made in calls.items():
        callee = roles.calls.at(roles.graph.steps[made[0]].span)
        if callee is None or len(made) != count:
            continue
        given = [roles.calls.given(i, callee) for i in made]
        for parameter, text in roles.calls.arguments(place, callee).items():
            if all(parameter in g for g in given):
                yield Role(text, tuple(g[parameter] for g in given))


def _read_before(roles: Roles, units: Sequence[Unit], count: int) -> Iterator[Role]:
    """What the forward pass reads in as many rounds of a loop over the same variables: these, and ``z[i]``."""
    variables = roles.source.statements.loop_variables(units[0].line)
    for (span, slot), steps in roles.reads.items() if variables else ():
        place = roles.source.operand(span, slot) if len(steps) == count else None
        text = roles.source.text(place) if place is not None else ""
        if text in variables or ("[" in text and variables.issuperset(_WORD.findall(text.partition("[")[2]))):
            yield Role(text, tuple(steps))


def _before(roles: Roles, units: Sequence[Unit]) -> Iterator[Role]:
    """The last entry of the list that a line appends to."""
    places = [entry(u.name) for u in units]
    stem = places[0][0] if places[0] is not None else ""
    line = roles.source.lines[units[0].line - 1]
    if not stem or f"{stem}.append(" not in line or len(units) < 2:
        return
    held = [roles.layout.by_name.get(f"{p[0]}[{p[1] - 1}]", ()) for p in places if p is not None]
    steps = [some[-1].step for some in held if some]
    if len(steps) == len(units):
        yield Role(f"{stem}[-1]", tuple(steps))


def _made(roles: Roles, known: Sequence[Role], count: int) -> Iterator[Role]:
    """``(x - mu)``, ``cos(th)``, ``score(mine, theirs)``: what the forward pass makes of it in every round."""
    real = roles.layout.original
    texts: list[dict[int, list[str]]] = [{} for _ in range(count)]
    for role in known:
        for n, i in enumerate(role.steps):
            texts[n].setdefault(real(i), []).append(role.text)
    for group in [g for g in roles.unnamed.values() if len(g) * count <= MOST_WRITTEN][:MOST]:
        by: list[dict[str, int]] = []
        for n in range(count):
            by.append({t: i for i in group for t in _written(roles, i, texts[n])})
        for text in by[0]:
            if all(text in some for some in by):
                yield Role(text, tuple(some[text] for some in by))
    yield from _called(roles, known, count)


def _written(roles: Roles, i: int, texts: Mapping[int, list[str]]) -> Iterator[str]:
    """How an operation is written whose operands can be: a sum, or a function of one operand."""
    step = roles.graph.steps[i]
    infix = OPS[step.op].infix
    if infix is None and len(step.inputs) == 1:
        function, _, rest = roles.source.text(step.span).partition("(") if step.span is not None else ("", "", "")
        if rest and function.replace(".", "").isidentifier():
            yield from (f"{function}({t})" for t in _operand(roles, i, 0, texts, DEEPEST))
    elif infix is not None and infix.symbol in ("+", "-") and not infix.prefix:
        yield from (f"({t})" for t in _joined(roles, i, texts, DEEPEST))


def _joined(roles: Roles, i: int, texts: Mapping[int, list[str]], depth: int) -> list[str]:
    """Two operands with what stands between them."""
    infix = OPS[roles.graph.steps[i].op].infix
    if infix is None or infix.prefix or infix.symbol not in ("+", "-", "*", "/"):
        return []
    space = " " if infix.symbol in "+-" else ""
    left, right = (_operand(roles, i, slot, texts, depth) for slot in (0, 1))
    return [f"{a}{space}{infix.symbol}{space}{b}" for a in left for b in right if a != b]


def _operand(roles: Roles, i: int, slot: int, texts: Mapping[int, list[str]], depth: int) -> list[str]:
    """How an operand is written: as what is known, as a number, or as two operands in brackets."""
    step, j = roles.graph.steps[i], roles.graph.steps[i].inputs[slot]
    if roles.graph.steps[j].is_const:
        place = roles.source.operand(step.span, slot)
        return [roles.source.text(place)] if place is not None else []
    known = texts.get(roles.layout.original(j), [])
    if known or depth == 0 or j in roles.subject.names or roles.graph.steps[j].is_leaf:
        return known
    infix, outer = OPS[roles.graph.steps[j].op].infix, OPS[step.op].infix
    made = _joined(roles, j, texts, depth - 1)
    plain = infix is not None and infix.symbol in "*/" and outer is not None and outer.symbol in "+-"
    return made if plain or outer is None else [f"({t})" for t in made]


def _called(roles: Roles, known: Sequence[Role], count: int) -> Iterator[Role]:
    """The value of a call of the forward pass, where the loop has the same arguments at hand under the same names."""
    by_text = {r.text: r for r in known}
    calls: dict[str, list[int]] = {}
    for i, name in roles.subject.names.items():
        place = roles.subject.callers.get(i)
        if name and place is not None:
            calls.setdefault(roles.source.text(place), []).append(i)
    for text, made in calls.items():
        call = called_by(text, roles.calls.callees)
        parts = [p for a in (call[1] if call else ()) for p in ((a,) if a in by_text else sorted(names_in(a)))]
        needed = [by_text.get(p) for p in parts]
        if len(made) != count or not needed or not all(needed):
            continue
        above = [roles.graph.ancestors(i) for i in made]
        if all(above[n][roles.layout.original(r.steps[n])] for r in needed if r is not None for n in range(count)):
            yield Role(text, tuple(made))
