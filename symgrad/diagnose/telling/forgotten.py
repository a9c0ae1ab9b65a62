"""A statement that is missing altogether: ``dw += error*x`` in a loop, or ``dx += dz*w`` once dz is there.

Where a sum lacks a term, or a gradient never gets its value, the line to blame is the last one that sets the name; what
would put it right may be a new line further down, where the gradients that it needs are known by then.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from symgrad.diagnose.observing.subject import BITS, Unit
from symgrad.diagnose.observing.truth import Quantity
from symgrad.diagnose.telling.added import of_products
from symgrad.diagnose.telling.rounds import Rounds
from symgrad.diagnose.text.naming import is_bare, stem_of
from symgrad.diagnose.text.source import SourceMap
from symgrad.diagnose.text.statements import Statement
from symgrad.diagnose.values.vectors import Vec, constant
from symgrad.diagnose.walking.blame import Walk
from symgrad.diagnose.walking.verdicts import Root
from symgrad.diagnose.words.formulas import names_in
from symgrad.diagnose.words.numbers import numbers_of
from symgrad.diagnose.words.wording import Wording
from symgrad.enclosure import precision
from symgrad.errors import Span

#: A term of a part of an array, in zeros elsewhere.
_IN_A_PART = re.compile(r"add_at\(zeros\((?:\d+|\([\d, ]*\))\), (?P<part>\[[^\[\]]*:[^\[\]]*\]), (?P<term>.+)\)")
#: The end of the script, as a step.
END = 10**9
#: A loop of more rounds than this is not searched for what could be added up in it.
ROUNDS = 50
#: A random point, at which products are tried first.
POINT = 1


def statement(root: Root, walk: Walk, wording: Wording, source: SourceMap) -> Statement | None:
    """The line that is missing, where a root is a name that lacks something in the end; ``None`` if there is none."""
    unit, target, layout = root.unit, root.target, walk.layout
    made: Statement | None = layout.missing.get(layout.original(unit.step)) if root.found.is_zero else None
    tops = [t for t, _ in walk.truth.into.get(target.bottom, ())]
    if made is not None and not wording.paths(tops, target.bottom, unit.step):
        return made
    if target.kind == "cotangent" and layout.subject.is_shaped and layout.last[unit.name] is unit:
        return _of_arrays(root, wording, walk, source)
    if target.kind == "tangent" and root.found.is_zero and not layout.subject.is_shaped:
        return _carried(root, walk, source) if layout.last[unit.name] is unit else None
    if target.kind != "cotangent" or layout.subject.is_shaped or layout.last[unit.name] is not unit:
        return None
    if (is_bare(unit.name) or layout.dependents(unit.step)) and not root.found.is_zero:
        return None
    lacks = not root.repairs or all(r.place.parent < 0 and r.combine == "+" for r in root.repairs)
    if not lacks:
        return None
    with precision(BITS):
        gap = target.vec - root.found
        if not gap.usable or gap.is_zero:
            return None
        return (
            _once(root, gap, walk, wording, source)
            or _along(root, gap, walk, wording, source)
            or of_products(root, gap, walk, source)
        )


def _carried(root: Root, walk: Walk, source: SourceMap) -> Statement | None:
    """What a derivative that is carried forward gains in every round: in the end it is that of the last value."""
    pairs = [p for p in walk.reading.pairs(root.unit.name) if p[1] == root.target.bottom]
    top, bottom = max(pairs, default=(root.target.top, root.target.bottom))
    with precision(BITS):
        vec = walk.reading.vec((top, bottom))
        meant = replace(root, target=Quantity("tangent", top, bottom, vec))
        return of_products(meant, vec, walk, source) if vec.usable and not vec.is_zero else None


def _of_arrays(root: Root, wording: Wording, walk: Walk, source: SourceMap) -> Statement | None:
    """``c_grad += 2*c*v_grad/n``, once v_grad is there, and before c_grad is read."""
    unit, bottom, layout = root.unit, root.target.bottom, walk.layout
    lacks = not root.repairs or all(r.place.parent < 0 and r.combine == "+" for r in root.repairs)
    if not lacks or not unit.name.isidentifier() or root.found.shape != root.target.vec.shape:
        return None
    gap = root.target.vec - root.found
    if not gap.usable or gap.is_zero:
        return None
    parts = walk.truth.into.get(bottom, [])
    tops = [t for t, flow in parts if flow.same(gap)][:1]
    if not tops and not gap.same(root.target.vec):
        return None
    tops = tops or [t for t, _ in parts]
    if said := wording.paths(tops, bottom, unit.step) or wording.through(bottom, unit.step, tops):
        # It can be said at once; but what belongs in a part of the array only is best added there.
        part = _IN_A_PART.fullmatch(wording.own(said))
        if part is None or any(unit.name in names_in(text) for text in part.groups()):
            return None
        text = numbers_of(layout.subject).named(source.spelled(part["term"]), unit.line)
        return Statement(unit.span.end_line, f"{unit.name}{part['part']} += {text}", _indent(unit, source))
    text = wording.own(wording.paths(tops, bottom, END) or wording.through(bottom, END, tops))
    used = names_in(text)
    if not text or unit.name in used:
        return None
    held = [u for u in layout.subject.units if u.name in used and not layout.is_forward(u.step)]
    last = max(held, key=lambda u: u.step, default=None)
    if last is None or last.span.end_line <= unit.line or _indent(last, source) != _indent(unit, source):
        return None
    word = re.compile(rf"(?<![\w.]){re.escape(unit.name)}(?!\w)")
    if any(word.search(line) for line in source.lines[unit.line : last.span.end_line]):
        return None  # it is read before
    if (wide := re.fullmatch(r"broadcast_to\((.*), \([\d, ]*\)\)", text)) is not None:
        text = wide.group(1)  # what is added is as wide as it must be
    numbers = numbers_of(layout.subject)
    text = numbers.named(source.spelled(text), last.line)
    return Statement(last.span.end_line, f"{unit.name} += {text}", _indent(unit, source))


def _once(root: Root, gap: Vec, walk: Walk, wording: Wording, source: SourceMap) -> Statement | None:
    """Paths whose gradients are known only later."""
    bottom, unit = root.target.bottom, root.unit
    loop = source.statements.loop_around(unit.line) if len(_rounds(unit, walk)) > 1 else None
    parts = walk.truth.into.get(bottom, [])
    tops = [t for t, flow in parts if flow.same(gap)][:1] or [t for t, _ in parts]
    if len(tops) > 1 and not gap.same(root.target.vec):
        return None
    text = wording.own(wording.paths(tops, bottom, END))
    if loop is not None and text and tops == [t for t, flow in parts if flow.same(gap)]:
        return Statement(loop[1], f"{unit.name} += {source.spelled(text)}", _indent_of(loop[0], source))
    if not text or wording.paths(tops, bottom, unit.step):
        return None
    used = names_in(text)
    held = [u for u in walk.layout.subject.units if u.name in used]
    last = max(held, key=lambda u: u.step, default=None)
    if last is None or last.span.end_line <= unit.line or len(walk.layout.by_name[last.name]) > 1:
        return None
    indent = _indent(last, source)
    if indent != _indent(unit, source):
        return None
    return Statement(last.span.end_line, f"{unit.name} += {source.spelled(text)}", indent)


def _along(root: Root, gap: Vec, walk: Walk, wording: Wording, source: SourceMap) -> Statement | None:
    """The path of every round of a loop: ``alpha_bar += s_bar*(data[k] - s[k])``, where s_bar is known."""
    unit, bottom, layout = root.unit, root.target.bottom, walk.layout
    groups: dict[str, list[tuple[int, Vec]]] = {}
    for top, flow in walk.truth.into.get(bottom, ()):
        groups.setdefault(stem_of(layout.subject.names.get(top, "")), []).append((top, flow))
    fitting = (g for g in groups.values() if 2 <= len(g) <= ROUNDS and _sum(g, walk).same(gap))
    parts = next(fitting, None)
    if parts is None:
        return None
    first = layout.by_name[unit.name][0].step
    for name, mine in layout.by_name.items():
        for order in (parts, parts[::-1]) if name != unit.name and mine[-1].step > first else ():
            rounds = _holders(mine, [walk.truth.cotangents[top] for top, _ in order], walk)
            end = source.statements.loop_statement([u.line for u in rounds]) if rounds else None
            if end is None:
                continue
            texts = set()
            said = Rounds(rounds, walk)
            for n, (top, flow) in enumerate(order):
                local = wording.local(top, bottom)
                factor = local if local.isidentifier() else f"({local})"
                text = wording.own(name if local == "1" else f"{name}*{factor}") if local else ""
                texts.add(said.respelled(text, n, flow.floats[POINT], after=True))
            flows = [flow.floats[POINT] for _, flow in order]
            made = next((t for t in sorted(texts) if t and all(said.is_(t, n, x) for n, x in enumerate(flows))), "")
            if made:
                text = f"{unit.name} += {source.spelled(made)}"
                return Statement(end[1], text, _indent_of(end[0], source))
    return None


def _sum(parts: Sequence[tuple[int, Vec]], walk: Walk) -> Vec:
    total = constant(0, walk.truth.points)
    for _, flow in parts:
        total = total + flow
    return total


def _holders(units: Sequence[Unit], wanted: Sequence[Vec], walk: Walk) -> list[Unit]:
    """Assignments that hold some values one after the other; none where they do not all."""
    out: list[Unit] = []
    for u in units:
        if len(out) < len(wanted) and walk.corrected(u.step).same(wanted[len(out)]):
            out.append(u)
    return out if len(out) == len(wanted) else []


def _rounds(unit: Unit, walk: Walk) -> list[Unit]:
    """An assignment in all rounds of a loop."""
    return [u for u in walk.layout.by_name[unit.name] if u.line == unit.line]


def _indent(unit: Unit, source: SourceMap) -> str:
    return _indent_of(unit.line, source)


def _indent_of(number: int, source: SourceMap) -> str:
    line = source.lines[number - 1]
    return line[: len(line) - len(line.lstrip())]


def edit(made: Statement, source: SourceMap, file: str) -> tuple[Span, str]:
    """The statement as a change to the text."""
    column = len(source.lines[made.after - 1]) + 1
    return Span(file, made.after, column, made.after, column), f"\n{made.indent}{made.text}"
