"""A value of the forward pass that the derivation works out again wrongly: ``r = m*x - t`` for ``r = m*x + c - t``.

What is wrong then is that line, and not those that use what it gives. It is not told by a derivative: the same name
holds another value than in the forward pass. Whether that is the mistake is found out by putting the forward pass's own
expression in its place and running the script, since another value may take other branches (``if abs(r) <= delta``).
It counts only if less is wrong by then and no less is right.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from operator import itemgetter

from symgrad.diagnose.deciding.standing import standing
from symgrad.diagnose.telling.frames import Blame
from symgrad.diagnose.text.naming import claims, is_bare
from symgrad.diagnose.text.source import SourceMap, source_map
from symgrad.diagnose.text.syntax import nodes, segment
from symgrad.errors import Span, SymgradError
from symgrad.frontends.trace.data import Trace
from symgrad.manual.slips import Slip, distance, slip
from symgrad.manual.work import Account

#: So many lines are tried, each a run of its own.
MOST = 4
#: ... and so many such lines are found in one script.
DEEPEST = 2
#: A run of more assignments is not run again for this.
LONGEST = 2000
#: How much of a line may differ from a piece of the forward pass, at most.
ALIKE = 0.45
#: Two values that are nearer than this are the same.
NEAR = 1e-9


@dataclass(frozen=True, slots=True)
class Recomputed:
    """A line of the derivation that gives another value than an expression of the forward pass that reads much alike.

    Attributes:
        line: of the assignment; ``target``: what it assigns to.
        forward: the line of the forward pass; 0 where it is an entry of what that keeps.
        slip: what is wrong with the line, if that is the mistake.
        whole: all that is assigned, with the text that the forward pass has.
    """

    line: int
    target: str
    forward: int
    slip: Slip
    whole: tuple[Span, str]


def of_recomputed(taken: Account) -> Account:
    """The account in which such a line is the mistake, where that explains more."""
    found = taken.diagnosis
    trace = taken.trace
    if not found.blames or taken.brief or taken.subject.is_shaped or len(trace.bindings) > LONGEST:
        return taken
    if taken.subject.made_up or taken.work.changed >= DEEPEST:
        return taken
    if trace.error is not None and trace.error.kind == "time":
        return taken  # as long again for each
    for again in islice(_candidates(taken), MOST):
        if (told := _explained(taken, again)) is not None:
            return told
    return taken


def _candidates(taken: Account) -> Iterator[Recomputed]:
    """Lines of the derivation whose values are not those that the same name has in the forward pass; then those with
    another name that read almost like a piece of it."""
    source, file = taken.work.source, taken.work.filename
    steps = taken.subject.graph.steps
    first = {span.line for _, i in taken.subject.aliases if (span := steps[i].span) is not None}
    derivation = {u.line for u in taken.subject.units} - first
    values = _values(taken.trace)
    assigned: dict[str, list[ast.Assign]] = {}
    given: list[ast.stmt] = []
    for node in nodes(source):
        if isinstance(node, ast.Assign | ast.AugAssign | ast.Return) and node.lineno not in derivation:
            given.append(node)
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and node.lineno in values:
            assigned.setdefault(ast.unparse(node.targets[0]), []).append(node)
    forward = {name for name, _ in taken.subject.aliases}
    known = {u.line for u in (*taken.diagnosis.right, *taken.diagnosis.inherited)}
    others: list[tuple[float, Recomputed]] = []
    for target, writes in assigned.items():
        for node in writes:
            if node.lineno not in derivation or _reads(node.value, target):
                continue
            if target in forward:
                have = values[node.lineno].get(target, [])
                for other in writes:
                    if other.lineno not in derivation and _apart(have, values[other.lineno].get(target, [])):
                        yield from _again(source, file, node, other.value)
            elif node.lineno not in known and not any(claims(target)) and not is_bare(target):
                pieces = ((distance(node.value, n), n) for n in _pieces(given))
                d, piece = min(pieces, key=itemgetter(0), default=(1.0, node.value))
                if 0 < d <= ALIKE:
                    others += [(d, again) for again in _again(source, file, node, piece)]
    yield from (again for _, again in sorted(others, key=itemgetter(0)))
    if len(taken.diagnosis.blames) > 1 or not all(b.edits for b in taken.diagnosis.blames):
        for writes in assigned.values():
            for node in writes:
                if node.lineno in derivation:
                    yield from _entries(source, file, node)


def _entries(source: str, file: str, node: ast.Assign) -> Iterator[Recomputed]:
    """``n = history[k]`` for ``n = history[k - 1]``: the entry before, and the one after."""
    place = source_map(source).assigned(node.lineno)
    value = node.value
    if not isinstance(value, ast.Subscript) or place is None or place.line != place.end_line:
        return
    stem, at = ast.unparse(value.value), value.slice
    shift = 0
    match at:
        case ast.BinOp(ast.Name() as at, ast.Add() | ast.Sub() as op, ast.Constant(int() as by)):
            shift = by if isinstance(op, ast.Add) else -by
    if not isinstance(at, ast.Name):
        return
    place = replace(place, file=file)
    found = source_map(source).text(place)
    for n in (shift + 1, shift - 1):
        moved = f" {'+' if n > 0 else '-'} {abs(n)}" if n else ""
        meant = f"{stem}[{at.id}{moved}]"
        words = "is the value of another step in time"
        made = Slip(place, found, meant, "wrong-time-step", words)
        yield Recomputed(node.lineno, ast.unparse(node.targets[0]), 0, made, (place, meant))


def _reads(value: ast.expr, target: str) -> bool:
    """``h = 1 - h`` works out nothing again: it changes what is there."""
    return any(isinstance(n, ast.Name | ast.Attribute | ast.Subscript) and ast.unparse(n) == target
               for n in ast.walk(value))  # fmt: skip


def _again(source: str, file: str, node: ast.Assign, other: ast.expr) -> Iterator[Recomputed]:
    made, place = slip(source, file, node.value, other), source_map(source).assigned(node.lineno)
    text = segment(source, other)
    if made is not None and place is not None and place.line == place.end_line and "\n" not in text:
        target, whole = ast.unparse(node.targets[0]), (replace(place, file=file), text)
        yield Recomputed(node.lineno, target, other.lineno, made, whole)


def _pieces(given: Sequence[ast.stmt]) -> Iterator[ast.expr]:
    """The expressions that the forward pass is made of."""
    for statement in given:
        for node in ast.walk(statement):
            if isinstance(node, ast.BinOp | ast.Call):
                yield node


def _values(trace: Trace) -> dict[int, dict[str, list[float]]]:
    """For each line the numbers that it gave to its names, in their order."""
    out: dict[int, dict[str, list[float]]] = {}
    for b in trace.bindings:
        value = trace.values[b.step]
        if isinstance(value, float) and not trace.graph.steps[b.step].is_const:
            out.setdefault(b.line, {}).setdefault(b.written or b.name, []).append(value)
    return out


def _apart(have: Sequence[float], want: Sequence[float]) -> bool:
    """There are values that the forward pass does not have; the rounds may have run backwards."""
    if len(have) == len(want) and not (_differs(have, want) and _differs(have, want[::-1])):
        return False
    return bool(have and want) and not all(any(_near(a, b) for b in want) for a in have)


def _near(a: float, b: float) -> bool:
    return math.isclose(a, b, rel_tol=NEAR, abs_tol=1e-300)


def _differs(one: Sequence[float], other: Sequence[float]) -> bool:
    return len(one) != len(other) or not all(map(_near, one, other))


def _explained(taken: Account, again: Recomputed) -> Account | None:
    """The account with the line as the forward pass has it, and the line among the mistakes."""
    from symgrad.manual.accounts import account

    source = source_map(taken.work.source)
    work = replace(taken.work, source=source.replaced(*again.whole), like=taken.subject, changed=taken.work.changed + 1)
    before = taken.diagnosis
    try:
        trace = work.run(work.source)
        if trace.error is not None and taken.trace.error is None:
            return None
        stands = standing(work.subject(trace))
        if stands.judged and stands.is_refuted and stands.right <= standing(taken.subject).right:
            return None  # no better than before: mistakes need not be looked for
        after = account(work, trace)
    except SymgradError:
        return None
    now = after.diagnosis
    fewer = len(now.blames) + 1 < len(before.blames) or (not now.blames and len(before.blames) == 1)
    as_many = len(now.blames) + 1 == len(before.blames)
    surer = as_many and sum(bool(b.edits) for b in now.blames) + 1 >= sum(bool(b.edits) for b in before.blames)
    known = now.understood >= before.understood - len(before.blames) and not now.notes[len(before.notes) :]
    if not (fewer or surer) or not known or len(now.unchecked) > len(before.unchecked) or not now.right:
        return None
    if any(b.span.line == again.line for b in now.blames):
        return None
    was, held = _values(taken.trace), _values(trace)
    moved = {
        (line, name) for line, names in held.items() for name, values in names.items()
        if _differs(values, was.get(line, {}).get(name, []))
    }  # fmt: skip
    carried = [u for u in now.right if (u.line, u.written or u.name) in moved and u.line != again.line]
    numbers = (v.get(again.line, {}).get(again.target, []) for v in (was, held))
    apart = next(((a, b) for a, b in zip(*numbers, strict=False) if not _near(a, b)), None)
    if apart is None:
        return None
    blame = _blame(again, apart, source, taken.work.filename, sorted({u.line for u in carried}))
    blames = tuple(sorted((*now.blames, blame), key=lambda b: (b.span.line, b.span.column)))
    right = tuple(u for u in now.right if u not in carried)
    unchecked = tuple(u for u in now.unchecked if u.line != again.line)
    told = replace(now, blames=blames, right=right, inherited=(*now.inherited, *carried), unchecked=unchecked)
    return replace(after, work=taken.work, diagnosis=told)


def _blame(
    again: Recomputed, values: tuple[float, float], source: SourceMap, file: str, inherited: Sequence[int]
) -> Blame:
    """The finding that stands at the line."""
    s, (found, expected) = again.slip, values
    where = source.assigned(again.forward) if again.forward else None
    forward = f"{source.target(again.forward)} = {source.text(where)}" if where is not None else ""
    message = f"{again.target} is worked out again here, and not as in the forward pass: `{s.found}` {s.words}"
    label = f"{again.target} should be {expected:.6g} as in line {again.forward}; this is {found:.6g}"
    if not again.forward:
        message, label = (
            f"`{s.found}` {s.words}",
            f"{again.target} should be {s.meant} = {expected:.6g}; this is {found:.6g}",
        )
    return Blame(
        "wrong-value", s.mistake, message, label, s.span, again.target, again.target, s.found, s.meant, found,
        expected, found / expected if expected else None, s.meant, ((s.span, source.fitted(s.span, s.meant)),), forward,
        replace(where, file=file) if where is not None else None, tuple(inherited), 0, False,
    )  # fmt: skip


__all__ = ["of_recomputed"]
