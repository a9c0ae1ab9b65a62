"""How a place in the text reads with a repair in it."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from fractions import Fraction

from symgrad.diagnose.meaning.parameters import Parameters
from symgrad.diagnose.observing.subject import Subject, Unit
from symgrad.diagnose.observing.truth import Quantity
from symgrad.diagnose.text.source import SourceMap, number_names
from symgrad.diagnose.text.syntax import module
from symgrad.diagnose.values.vectors import Vec
from symgrad.diagnose.walking.blame import Walk
from symgrad.diagnose.walking.places import Repair
from symgrad.diagnose.walking.verdicts import Root, handed
from symgrad.diagnose.words.wording import Wording
from symgrad.errors import Span
from symgrad.printing import value_text


def corrected(
    root: Root, repair: Repair, span: Span, subject: Subject, walk: Walk, wording: Wording, source: SourceMap
) -> tuple[Span, str]:
    """The place that is changed, which may be more than what stands at ``span``, and how it reads then; empty where
    there is no text for it."""
    q, text = repair.quantity, source.text(span)
    if repair.text and repair.span is not None:
        return repair.span, repair.text
    if repair.regain:
        held = source.target(span.line) or repair.regain
        value = source.assigned(span.line)
        span = value if value is not None and held.endswith("]") else span
        return span, f"{held} {repair.combine or '+'} {source.text(span)}"
    if repair.keep >= 0:
        return span, _kept(repair, subject, walk, source)
    if repair.respell or repair.template or repair.operand or repair.series:
        expected = _respelled(repair, span, text, subject, source)
        if repair.template and "{0}" not in repair.template and (whole := source.statement(span)) is not None:
            span = whole  # a call stands for the whole statement
        return span, expected
    if repair.op and repair.place.parent < 0 and (made := _with_other_sign(root.unit, repair, source)) is not None:
        return made
    if repair.op:
        return span, _with_op(repair, subject, walk, source, span)
    if repair.everywhere and handed(repair, root.unit, walk.layout) is None:
        assert q is not None  # one variable in place of another
        spans = [source.operand(subject.graph.steps[i].span, slot) for i, slot in repair.everywhere]
        piece = repair.spelling or wording.quantity(q, root.unit.step)
        return source.respelled(spans, piece, root.unit.span)
    turned = repair.mistake == "sign" and not repair.combine
    if q is not None and turned and walk_value(walk, root, repair).same(-repair.place.wanted):
        return span, _negative(text)
    if q is not None and (added := _added_after(root, repair, q, walk, wording, source)) is not None:
        return added
    if q is not None:
        return span, _with_quantity(root, repair, q, text, walk, wording)
    if repair.number is not None:
        return span, _numbered(text, repair, number_names(subject.graph, source))
    return span, ""


def _with_quantity(root: Root, repair: Repair, q: Quantity, text: str, walk: Walk, wording: Wording) -> str:
    """What is written, with a derivative or a value in its place, as a factor, or as a term."""
    place, before = repair.place, root.unit.step
    whole = place.parent < 0 and q.kind != "forward" and not repair.combine
    piece = wording.expected(q, before) if whole else wording.quantity(q, before)
    if repair.spelling:
        piece = repair.spelling
    elif repair.combine:
        piece = wording.own(_operand(q, piece, root, walk, wording))
    else:
        piece = wording.own(piece)
    how = repair.combine
    if repair.negated and how == "+":
        how = "-"
    elif repair.negated and piece:
        piece = piece[1:] if piece.startswith("-") and not _is_sum(piece) else f"(-{piece})"
    if handed(repair, root.unit, walk.layout) is not None:
        # dtanh(x) for dtanh(h): the same call with the other argument.
        old = walk.layout.variable(place.node)
        return re.sub(rf"(?<![\w.]){re.escape(old)}(?![\w.])", lambda _: piece, text) if old in text else ""
    return _combined(text, how, piece)


def _added_after(
    root: Root, repair: Repair, q: Quantity, walk: Walk, wording: Wording, source: SourceMap
) -> tuple[Span, str] | None:
    """``dW /= n; dW += 2*reg*W``: a term that is missing after a product in place is no part of that."""
    unit, statement = root.unit, source.statement(root.unit.span)
    if unit.augmented not in ("*=", "/=") or repair.combine != "+" or repair.place.parent >= 0 or statement is None:
        return None
    made = _with_quantity(root, repair, q, unit.name, walk, wording)
    for sign in ("+", "-"):
        if made.startswith(f"{unit.name} {sign} "):
            return statement, f"{source.text(statement)}; {unit.name} {sign}= {made[len(unit.name) + 3 :]}"
    return None


def _operand(q: Quantity, piece: str, root: Root, walk: Walk, wording: Wording) -> str:
    """How a factor or a term is written that was left out: as the chain rule has it, where it has names for it."""
    for name, step in Parameters(walk.layout).given(root.unit.step, root.unit.span.line).items():
        if walk.layout.actual(step).same(q.vec):
            return name
    if piece and (piece.isidentifier() or q.kind in ("contribution", "term")):
        return piece
    return wording.variable(q.vec) or walk.spelled(q.vec, root.unit.step) or piece


def walk_value(walk: Walk, root: Root, repair: Repair) -> Vec:
    """What stands at the place, given true inputs."""
    place = repair.place
    if repair.at_parent:
        return walk.layout.actual(place.parent)
    inner = place.parent >= 0 or (repair.text and place.node >= 0 and place.node != root.unit.step)
    return walk.layout.actual(place.node) if inner else root.found


def _combined(text: str, how: str, piece: str) -> str:
    if not piece:
        return ""
    if not how:
        return piece
    left = f"({text})" if how in "*/" and _is_sum(text) else text
    right = f"({piece})" if _is_sum(piece) or (how in "*/-" and "/" in piece) else piece
    return f"{left}{how}{right}" if how in "*/" else f"{left} {how} {right}"


def _kept(repair: Repair, subject: Subject, walk: Walk, source: SourceMap) -> str:
    """The one operand that stays, as it is written."""
    step = subject.graph.steps[repair.place.node]
    operand = source.operand(step.span, repair.keep) if step.span is not None else None
    j = step.inputs[repair.keep]
    span = subject.graph.steps[j].span
    if operand is not None:
        return source.text(operand)
    return walk.layout.variable(j) or (source.text(span) if span is not None else "")


def _numbered(text: str, repair: Repair, names: Mapping[Fraction, str]) -> str:
    """A number in its place, as a factor, or as a term."""
    if repair.combine == "+":
        value = repair.number
        assert isinstance(value, Fraction)  # only rationals are offered as terms
        if text.startswith("-") and value > 0:
            return f"{value_text(value)} - {text[1:].lstrip()}"
        return f"{text} + {value_text(value)}" if value > 0 else f"{text} - {value_text(-value)}"
    if repair.combine == "**":
        return f"{text}**{repair.number}" if text.isidentifier() else f"({text})**{repair.number}"
    return _scaled(text, repair, names) if repair.combine else value_text(repair.number)


def _scaled(text: str, repair: Repair, names: Mapping[Fraction, str]) -> str:
    factor = repair.number
    body = f"({text})" if _is_sum(text) else text
    if factor == -1:
        return _negative(text)
    if isinstance(factor, Fraction) and factor.numerator == 1:
        return f"{body}/{names.get(Fraction(factor.denominator), factor.denominator)}"
    return (
        f"{value_text(factor)}*{body}"
        if not isinstance(factor, Fraction) or factor.denominator == 1
        else f"({value_text(factor)})*{body}"
    )


def _negative(text: str) -> str:
    body = f"({text})" if _is_sum(text) else text
    return body[1:] if body.startswith("-") and not _is_sum(body[1:]) else f"-{body}"


def _is_sum(text: str) -> bool:
    depth = 0
    for n, c in enumerate(text):
        depth += (c in "([") - (c in ")]")
        if depth == 0 and c in "+-" and n > 0 and text[n - 1] not in "eE*":
            return True
    return False


def _respelled(repair: Repair, span: Span, text: str, subject: Subject, source: SourceMap) -> str:
    """What is written, changed as a slip says."""
    if repair.series is not None:
        stem, offset = repair.series
        at = re.search(r"\[(.+)\]", text)
        index = at.group(1) if at else ""
        entry = f"{stem}[{index} {'+' if offset > 0 else '-'} {abs(offset)}]" if offset else f"{stem}[{index}]"
        return _combined(text, repair.combine, entry) if index else ""
    if repair.operand:
        first = source.operand(subject.graph.steps[repair.place.node].span, 0)
        return repair.operand.format(source.text(first)) if first is not None else ""
    for pattern, replacement in repair.respell:
        if re.search(pattern, text):
            return re.sub(pattern, replacement, text, count=1)
    if "{0}" in repair.template:
        bare = source.is_atom(text) or (repair.template.startswith(("{0} + ", "{0} - ")) and _is_arithmetic(text))
        return repair.template.format(text if bare else f"({text})")
    return source.added_at(span, repair.template) if repair.template else ""


def _is_arithmetic(text: str) -> bool:
    """Its outermost operator binds as a sum does, or closer."""
    tree = module(text)
    node = tree.body[0] if tree is not None and len(tree.body) == 1 else None
    made = node.value if isinstance(node, ast.Expr) else None
    return isinstance(made, ast.BinOp) and isinstance(
        made.op, ast.Add | ast.Sub | ast.Mult | ast.Div | ast.MatMult | ast.Pow
    )


def _with_other_sign(unit: Unit, repair: Repair, source: SourceMap) -> tuple[Span, str] | None:
    """``grad *= k`` for ``grad /= k``: the statement, and how it should be."""
    from symgrad.ops import OPS

    infix = OPS[repair.op].infix
    target, value = source.operand(unit.span, 0), source.operand(unit.span, 1)
    if not unit.augmented or infix is None or target is None or value is None or len(infix.symbol) != 1:
        return None
    return unit.span, f"{source.text(target)} {infix.symbol}= {source.text(value)}"


def _with_op(repair: Repair, subject: Subject, walk: Walk, source: SourceMap, span: Span) -> str:
    """The same operands under another op."""
    from symgrad.ops import OPS

    op = OPS[repair.op]
    step = subject.graph.steps[repair.place.node]
    parts = []
    for slot, j in enumerate(step.inputs):
        operand = source.operand(step.span, slot) if step.span is not None else None
        parts.append(source.text(operand) if operand is not None else walk.layout.variable(j))
    if not all(parts):
        return ""
    if op.name == step.op:
        return source.exchanged(step.span)
    if op.infix is not None and len(parts) == 2:
        wrapped = [f"({p})" if _is_sum(p) and op.infix.precedence > 1 else p for p in parts]
        space = " " if op.infix.precedence == 1 else ""
        return f"{wrapped[0]}{space}{op.infix.symbol}{space}{wrapped[1]}"
    prefix = source.text(span).split("(")[0]
    module = prefix.rsplit(".", 1)[0] + "." if "." in prefix else ""
    made = f"{op.name}({', '.join(parts)})"
    if module and "." not in source.spelled(made).partition("(")[0]:
        return ""  # the module has no such function
    return f"{module}{made}"
