"""Gradients of arrays that are right and come to nothing: ``dW2`` is read nowhere, and W2 is left as it is, where W1 is
moved by dW1.

To leave a parameter as it is may be meant, and then its move is often put into a comment; but not to work out its
gradient for nothing.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

from symgrad.diagnose.meaning.parameters import function_at
from symgrad.diagnose.observing.subject import Unit
from symgrad.diagnose.observing.truth import Quantity
from symgrad.diagnose.text.source import SourceMap
from symgrad.diagnose.text.syntax import nodes
from symgrad.diagnose.walking.blame import Walk
from symgrad.diagnose.walking.places import Place, Repair
from symgrad.diagnose.walking.verdicts import Root
from symgrad.errors import Span

#: ``W2``: what it is, and of which layer.
_NAME = re.compile(r"([A-Za-z]\w*?)_?(\d*)")
#: What reads every name.
_EVERYTHING = frozenset({"locals", "globals", "vars", "exec", "eval"})
#: What a layer has beside its weights.
_BIAS = re.compile(r"b|bias|biases|intercept", re.IGNORECASE)


def unapplied(walk: Walk, source: SourceMap, moved: Sequence[Unit]) -> Iterator[Root]:
    """The moves that are missing, each told where it is to be written.

    Args:
        moved: the assignments of the parameters that go down their gradients.
    """
    layout, subject = walk.layout, walk.subject
    again = {u.name: u for u in subject.units if not layout.is_forward(u.step)}
    idle = list(_idle(walk))
    known = [u.name for u in moved]
    while more := [name for _, name in idle if name not in known and _is_kin(name, known)]:
        known += more
    for unit, name in idle:
        here = function_at(subject.source, unit.line)
        beside = [u for u in moved if u.name != name and function_at(subject.source, u.line) is here]
        made = next(((u, text) for u in beside if (text := _as(u, name, unit, source))), None)
        if made is None or name not in known or _is_put_aside(name, subject.source):
            continue
        other, text = made
        if (own := again.get(name)) is None:
            span, before = _place(unit, other, here, source)
            mistake, words = "missing-term", f"leaves {name} as it is: {unit.name} is worked out and used nowhere"
        elif (whole := source.statement(own.span)) is not None and function_at(subject.source, own.line) is here:
            span, before = whole, ""
            mistake = "wrong-variable" if _is_one_other(source.text(whole), text) else "missing-factor"
            words = f"moves {name} without {unit.name}, which is used nowhere"
        else:
            continue
        vec = walk.out.meaning[unit.step].vec
        repair = Repair(
            Place(unit.step, -1, -1, vec, ()), mistake, words, 0.5, text=f"{before}{text}", span=span
        )
        target = Quantity("helper", -1, -1, vec)
        yield Root(unit, target, vec - vec, (repair,), frozenset((span.line,)), 0.5)


def _idle(walk: Walk) -> Iterator[tuple[Unit, str]]:
    """Gradients that nothing is made of, each with the parameter that it is of."""
    layout, subject = walk.layout, walk.subject
    for unit in (*walk.out.right, *walk.out.inherited):
        q = walk.out.meaning.get(unit.step)
        name = subject.names.get(q.bottom, "") if q is not None and q.kind == "cotangent" else ""
        alone = name and unit.name.isidentifier() and layout.last[unit.name] is unit
        if alone and not layout.children[unit.step] and not _is_read(unit, subject.source):
            yield unit, name


def _is_read(unit: Unit, source: str) -> bool:
    """It is read somewhere in the function, or in one inside it; ``locals()`` reads everything."""
    here = function_at(source, unit.line)
    first, last = (here.lineno, here.end_lineno or here.lineno) if here is not None else (0, source.count("\n") + 1)
    reads = _reads(source, first, last)
    return unit.name in reads or not reads.isdisjoint(_EVERYTHING)


@lru_cache(maxsize=64)
def _reads(source: str, first: int, last: int) -> frozenset[str]:
    """The names that are read in some lines."""
    return frozenset(n.id for n in nodes(source) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)
                     and first <= n.lineno <= last)  # fmt: skip


def _is_one_other(have: str, want: str) -> bool:
    """Two statements differ in one name."""
    mine, theirs = (re.findall(r"[\w.]+|\S", text) for text in (have, want))
    return len(mine) == len(theirs) and sum(a != b for a, b in zip(mine, theirs, strict=True)) == 1


def _is_put_aside(name: str, source: str) -> bool:
    """Its move is there, as a comment: for now it is not wanted."""
    return re.search(rf"#\s*{re.escape(name)}\s*[-+]?=", source) is not None


def _is_kin(name: str, others: Sequence[str]) -> bool:
    """W2 beside W1; b beside W, b1 beside W1: a parameter as they are, and no input."""
    mine, found = _NAME.fullmatch(_tail(name)), [m for o in others if (m := _NAME.fullmatch(_tail(o))) is not None]
    if mine is None:
        return False
    alike = any(m[1] == mine[1] for m in found)
    biased = any(m[2] == mine[2] and (_BIAS.fullmatch(m[1]) or _BIAS.fullmatch(mine[1])) for m in found)
    return alike or biased


def _tail(name: str) -> str:
    return name.rsplit(".", 1)[-1]


def _as(other: Unit, name: str, unit: Unit, source: SourceMap) -> str:
    """The statement that moves another parameter, for this one; empty where their names are not alike."""
    whole = source.statement(other.span)
    if whole is None:
        return ""
    there = re.escape(_tail(other.name))
    new = re.sub(rf"(?<![A-Za-z0-9]){there}(?![A-Za-z0-9])|(?<=d){there}\b", _tail(name), source.text(whole))
    return new if re.search(rf"\b{unit.name}\b", new) and new.startswith(name) else ""


def _place(unit: Unit, other: Unit, here: ast.FunctionDef | None, source: SourceMap) -> tuple[Span, str]:
    """Where a statement is to be written, and what stands there: a ``pass`` among other statements holds the place of
    one; else it goes behind that of another parameter."""
    tree = here if here is not None else next((n for n in nodes(source.source) if isinstance(n, ast.Module)), None)
    for node in tree.body if tree is not None and len(tree.body) > 1 else ():
        if isinstance(node, ast.Pass) and node.lineno > unit.line:
            return Span("", node.lineno, node.col_offset + 1, node.lineno, node.col_offset + 5), ""
    whole = source.statement(other.span) or other.span
    return whole, f"{source.text(whole)}; "
