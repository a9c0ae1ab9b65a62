"""``gws = gws[::1]``: gradients that were put into a list from the last layer to the first, and never turned round; or
``gws = gws[::-1]`` where they were put there from the first to the last.

A list that stays in the other order is no mistake by itself: it may be read from its end. A slice with the step 1 does
nothing, so who writes one meant another; and who turns a list round wants the order of the weights.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import replace

from symgrad.diagnose.deciding.prepared import Prepared, prepare
from symgrad.diagnose.observing.subject import Subject
from symgrad.diagnose.telling.frames import Blame
from symgrad.diagnose.text.naming import claims, normal
from symgrad.diagnose.text.source import source_map
from symgrad.diagnose.text.syntax import nodes
from symgrad.diagnose.values.vectors import Vec
from symgrad.errors import Span, SymgradError
from symgrad.manual.edits import patched
from symgrad.manual.work import Account

_ENTRY = re.compile(r"^(?P<stem>.+)\[(?P<at>\d+)\]$")


def of_lists_not_reversed(taken: Account) -> Account:
    """The account in which such a line is told, where the list is the wrong way round after it."""
    text = taken.work.source.replace(" ", "")
    if ("::1]" not in text and "::-1]" not in text) or taken.subject.is_shaped:
        return taken
    nodes = list(_idle(taken.work.source))
    subject = _mended(taken) if nodes else None
    prepared = prepare(subject) if subject is not None else None
    told = [b for node in nodes if prepared and (b := _blame(node, prepared, taken)) is not None]
    if not told:
        return taken
    blames = tuple(sorted((*taken.diagnosis.blames, *told), key=lambda b: (b.span.line, b.span.column)))
    return replace(taken, diagnosis=replace(taken.diagnosis, blames=blames))


def _mended(taken: Account) -> Subject | None:
    """What runs where the other mistakes are put right, if they can be: a wrong value is not known again elsewhere."""
    fixed = patched(taken.work.source, [edit for b in taken.diagnosis.blames for edit in b.edits])
    if fixed is None:
        return taken.subject
    try:
        return replace(taken.work, source=fixed, like=taken.subject).subject(taken.work.run(fixed))
    except SymgradError:
        return None


def _idle(source: str) -> Iterator[tuple[str, ast.Subscript, bool]]:
    """What is assigned, the slice with the step 1 or -1 that it is given, and whether it turns round."""
    for node in nodes(source):
        match node:
            case ast.Assign(
                targets=[target], value=ast.Subscript(slice=ast.Slice(None, None, ast.expr() as step)) as value
            ):
                turns = ast.unparse(step) == "-1"
                own = ast.unparse(target) == ast.unparse(value.value)
                if node.lineno == node.end_lineno and (ast.unparse(step) == "1" or (turns and own)):
                    yield ast.unparse(target), value, turns


def _blame(node: tuple[str, ast.Subscript, bool], prepared: Prepared, taken: Account) -> Blame | None:
    target, value, turns = node
    stem, subject = ast.unparse(value.value), prepared.layout.subject
    entries = {int(m["at"]): u for u in subject.units if (m := _ENTRY.match(u.name)) and m["stem"] == stem}
    steps = {normal(name): i for name, i in subject.aliases}
    layout, cotangents = prepared.layout, prepared.truth.cotangents
    bottoms = [next((steps[c.bottom] for c in claims(f"{target}[{n}]") if c.bottom in steps), -1) for n in entries]
    if len(entries) < 2 or sorted(entries) != list(range(len(entries))) or any(i not in cotangents for i in bottoms):
        return None
    have = [layout.actual(entries[n].step) for n in range(len(entries))]
    want = [cotangents[i] for _, i in sorted(zip(entries, bottoms, strict=True))]
    mirrored, straight = (all(map(Vec.same, have, order)) for order in (want[::-1], want))
    if mirrored == straight or straight != turns:
        return None
    source = source_map(taken.work.source)
    where = source.assigned(value.lineno)
    assert where is not None  # it is an assignment to one target
    span = Span(taken.work.filename, where.line, where.column, where.end_line, where.end_column)
    found, fix, last = source.text(where), stem if turns else f"{stem}[::-1]", len(entries) - 1
    a, b = have[-1 if turns else 0].floats[0], want[0].floats[0]
    does = "turns the list round, which was in the right order" if turns else "leaves the list the wrong way round"
    message = f"`{found}` {does}: its first entry is the gradient that belongs to the last"
    name = subject.names.get(bottoms[list(entries).index(0)], "")
    return Blame(
        "wrong-value", "sign", message, f"{target}[0] should be what {target}[{last}] is", span, target,
        f"d{subject.names.get(subject.loss, 'f')}/d{name}", found, fix, a, b, a / b if b else None, fix,
        ((span, fix),), "", None, (), 0, False,
    )  # fmt: skip


__all__ = ["of_lists_not_reversed"]
