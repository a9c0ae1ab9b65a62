"""The words and places of a mistake: from a root to what is shown, and to the text that puts it right."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import product

from symgrad.diagnose.blame import Walk
from symgrad.diagnose.entries import difference, is_right_but_for_some, shown
from symgrad.diagnose.forgotten import Statement, edit, statement
from symgrad.diagnose.headlines import beside, code_of, headline, short
from symgrad.diagnose.numbers import Numbers
from symgrad.diagnose.parameters import Parameters
from symgrad.diagnose.places import Repair
from symgrad.diagnose.rounds import POINT, close, formula_value, in_all_rounds
from symgrad.diagnose.signs import signed as signed_term
from symgrad.diagnose.source import SourceMap, number_names
from symgrad.diagnose.spelling import Owner
from symgrad.diagnose.subject import Subject, Unit
from symgrad.diagnose.truth import Quantity, Truth
from symgrad.diagnose.vectors import Vec
from symgrad.diagnose.verdicts import Root, handed
from symgrad.diagnose.wording import Wording, number
from symgrad.errors import Span
from symgrad.graph import Step


@dataclass(frozen=True, slots=True)
class Blame:
    """One mistake, in words and places. See the JSON findings of the manual-derivation issue for the fields.

    ``message`` is the headline, ``label`` stands beside the carets, ``edit`` is the repair as (place, new text).
    """

    code: str
    mistake: str
    message: str
    label: str
    span: Span
    step: str
    factor: str
    found: str
    expected: str
    found_value: float
    expected_value: float
    ratio: float | None
    fix: str
    edits: tuple[tuple[Span, str], ...]
    forward: str
    forward_span: Span | None
    inherited: tuple[int, ...]
    again: int
    hidden: bool
    fix_verified: bool = False


def blames(root: Root, subject: Subject, truth: Truth, walk: Walk, wording: Wording, source: SourceMap) -> list[Blame]:
    """The words for one root: one blame for each of its repairs, or one for the line where no repair was found."""
    made = statement(root, walk, wording, source)
    if made is not None:
        return [_forgotten(root, made, subject, wording, source)]
    if text := _other_branch(root, walk, source):
        return [_turned(root, text, subject, wording, source)]
    if not root.repairs:
        return [_whole_line(root, subject, walk, wording, source)]
    return [_one(root, repair, subject, truth, walk, wording, source) for repair in root.repairs]


def _forgotten(root: Root, made: Statement, subject: Subject, wording: Wording, source: SourceMap) -> Blame:
    """A line that is missing: what to add, and where."""
    span = _value_span(root.unit, source, subject.graph.steps[root.unit.step])
    name, code = root.unit.name, "never-assigned" if root.found.is_zero else "missing-term"
    if root.found.is_zero:
        message = f"{name} is never given its value: it is still zero where it is used"
    else:
        message = f"{_meaning(root, wording)}: a term is missing; the paths through all uses add up"
    blame = _make(
        root, code, code, f"{message}; after line {made.after} add `{made.text}`", span, "", source.text(span),
        "", root.found, root.target.vec, "", wording, source, subject,
    )  # fmt: skip
    label = f"{_meaning(root, wording)} should be {shown(blame.expected_value)}; this is {shown(blame.found_value)}"
    return replace(blame, label=label, expected=made.text, fix=made.text, edits=(edit(made, source, span.file),))


def _other_branch(root: Root, walk: Walk, source: SourceMap) -> str:
    """``b if test else a`` for ``a if test else b`` where the branch not taken is what belongs here; empty if not."""
    text = source.turned(root.unit.span)
    branches = source.branches(root.unit.span)
    if not text or (root.found.is_zero and "0" in branches):
        return text
    values = [formula_value(branch, root.unit, walk) for branch in branches]
    return text if any(close(v, root.target.vec.floats[POINT]) for v in values) else ""


def _turned(root: Root, text: str, subject: Subject, wording: Wording, source: SourceMap) -> Blame:
    """``0 if z > 0 else dh``: the other branch is the one that belongs here."""
    span = root.unit.span
    words = "branch that is zero where there is a gradient" if root.found.is_zero else "wrong branch"
    message = f"`{short(source.text(span))}` takes the {words}"
    return _make(
        root, "wrong-factor", "wrong-formula", message, span, "", source.text(span), text, root.found, root.target.vec,
        text, wording, source, subject,
    )  # fmt: skip


def _whole_line(root: Root, subject: Subject, walk: Walk, wording: Wording, source: SourceMap) -> Blame:
    expected = wording.own(wording.expected(root.target, root.unit.step))
    expected = in_all_rounds(expected, root.unit, walk, root.target.vec, whole=True)
    span = _value_span(root.unit, source, subject.graph.steps[root.unit.step], _made(root.unit, subject))
    what = _meaning(root, wording)
    code, mistake = "wrong-value", "wrong-formula" if expected else "unknown"
    message = (
        f"this is not {what}, nor a part of it"
        if expected
        else f"this line's value is no derivative here; expected {what}"
    )
    wanted = root.target.vec
    if root.found.shape != wanted.shape and not root.found.is_zero and root.found.alike(wanted):
        code = mistake = "wrong-shape"
        message = f"{root.unit.name} has the right entries in another shape: {root.found.shape} for {wanted.shape}"
        expected = ""
    if root.found.is_zero and subject.graph.steps[root.unit.step].is_leaf:
        code = mistake = "never-assigned"
        message = f"{root.unit.name} is never given its value: it is still zero where it is used"
    return _make(
        root,
        code,
        mistake,
        message,
        span,
        "",
        source.text(span),
        expected,
        root.found,
        root.target.vec,
        expected,
        wording,
        source,
        subject,
    )


def _value_span(unit: Unit, source: SourceMap, step: Step | None = None, made: Step | None = None) -> Span:
    """The right-hand side also of an augmented assignment, and of a call the expression that it returns.

    ``made``: what a function worked out that the assignment calls, where that has no name of its own there.
    """
    if made is not None and made.span is not None and not made.is_leaf and not _within(made.span, unit.span):
        alone = source.is_pure_helper(made.span.line) and "()" not in source.text(unit.span)
        if source.statement(made.span) is not None and not alone:
            return made.span
    if step is not None and step.span is not None and not step.is_leaf and not _within(step.span, unit.span):
        # A function that does part of the work is to blame itself; one that is a mere formula was used wrongly.
        own = step.name == unit.name or step.name.startswith(f"{unit.name}#")
        if own and not source.is_pure_helper(step.span.line):
            return step.span
    if unit.augmented:
        value = source.operand(unit.span, 1)
        if value is not None:
            return value
    return unit.span


def _made(unit: Unit, subject: Subject) -> Step | None:
    """What a method that is called in the line of an assignment worked out."""
    from symgrad.ops import OPS

    i, steps = unit.step, subject.graph.steps
    while not steps[i].is_leaf and OPS[steps[i].op].renames:
        i = steps[i].inputs[0]
    call = subject.callers.get(i)
    return steps[i] if call is not None and call.line == unit.span.line and not unit.augmented else None


def _meaning(root: Root, wording: Wording) -> str:
    q = root.target
    if q.kind in ("tangent", "local"):
        return wording.factor(q.top, q.bottom)
    if q.kind == "helper":
        return root.unit.name
    return wording.factor(wording.subject.loss, q.bottom)


def _one(
    root: Root, repair: Repair, subject: Subject, truth: Truth, walk: Walk, wording: Wording, source: SourceMap
) -> Blame:
    place = repair.place
    span = _place_span(root.unit, repair, subject, walk, source)
    have = walk_value(walk, root, repair)
    text = source.text(span)
    q = repair.quantity
    expected = ""
    if repair.text and repair.span is not None:
        span, expected = repair.span, repair.text
        text = source.text(span)
    elif repair.regain:
        held = source.target(span.line) or repair.regain
        value = source.assigned(span.line)
        span, text = (value, source.text(value)) if value is not None and held.endswith("]") else (span, text)
        expected = f"{held} {repair.combine or '+'} {text}"
    elif repair.keep >= 0:
        expected = _kept(repair, subject, walk, source)
    elif repair.respell or repair.template or repair.operand or repair.series:
        expected = _respelled(repair, span, text, subject, source)
        if repair.template and "{0}" not in repair.template and (whole := source.statement(span)) is not None:
            span, text = whole, source.text(whole)  # a call stands for the whole statement
    elif repair.op and place.parent < 0 and (made := _with_other_sign(root.unit, repair, source)) is not None:
        span, expected = made
        text = source.text(span)
    elif repair.op:
        expected = _with_op(repair, subject, walk, source, span)
    elif repair.everywhere and handed(repair, root.unit, walk.layout) is None:
        assert q is not None  # one variable in place of another
        spans = [source.operand(subject.graph.steps[i].span, slot) for i, slot in repair.everywhere]
        piece = repair.spelling or wording.quantity(q, root.unit.step)
        span, expected = source.respelled(spans, piece, root.unit.span)
        text = source.text(span)
    elif repair.mistake == "sign" and q is not None and not repair.combine and have.same(-place.wanted):
        body = f"({text})" if _additive(text) else text
        expected = body[1:] if body.startswith("-") and not _additive(body[1:]) else f"-{body}"
    elif q is not None:
        piece = (
            wording.expected(q, root.unit.step)
            if place.parent < 0 and q.kind != "forward" and not repair.combine
            else wording.quantity(q, root.unit.step)
        )
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
            piece = piece[1:] if piece.startswith("-") and not _additive(piece) else f"(-{piece})"
        expected = _combined(text, how, piece)
        if handed(repair, root.unit, walk.layout) is not None:
            # dtanh(x) for dtanh(h): the same call with the other argument.
            old = walk.layout.variable(place.node)
            expected = re.sub(rf"(?<![\w.]){re.escape(old)}(?![\w.])", lambda _: piece, text) if old in text else ""
    elif repair.number is not None:
        expected = _numbered(text, repair, number_names(subject.graph, source))
    factor = _factor(root, repair, truth, wording)
    want, line = place.wanted, place.parent < 0
    named = q is not None and q.kind == "local" and not repair.combine
    if not expected or (root.astray and not repair.text and not line):
        expected_whole = wording.own(wording.expected(root.target, root.unit.step))
        whole = _value_span(root.unit, source, subject.graph.steps[root.unit.step])
        if expected_whole and whole.line == span.line:
            span, text, expected = whole, source.text(whole), expected_whole
            have, want, line, named = root.found, root.target.vec, True, False
            if not repair.combine:
                repair = replace(repair, words="is not the derivative that belongs here")
    for entry, called in repair.renamed:
        expected = expected.replace(entry, called)
    if not repair.text:
        expected = in_all_rounds(expected, root.unit, walk, want, whole=line)
    if line and not repair.regain and root.unit.augmented in ("+=", "-=") and not subject.is_shaped:
        # What is added is what is shown.
        before = walk.corrected(root.unit.previous)
        if have is root.found:
            have, want = have - before, want - before
            have, want = (-have, -want) if root.unit.augmented == "-=" else (have, want)
    signed = signed_term(source, span, expected) if repair.mistake == "sign" else None
    if signed is not None:
        span, expected = signed
        text = source.text(span)
    blame = _make(
        root,
        code_of(repair),
        repair.mistake,
        "",
        span,
        factor,
        text,
        expected,
        have,
        want,
        expected,
        wording,
        source,
        subject,
    )
    plain = line and not root.unit.augmented and not repair.everywhere and not repair.text
    message = blame.message or headline(repair, factor, wording, text, blame.expected, signed=signed is not None)
    name = factor if named else _meaning(root, wording) if plain and signed is None else ""
    label = beside(blame.label, blame.expected, name, valued=signed is None and not repair.at_parent)
    return replace(blame, message=message, label=label)


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


def _place_span(unit: Unit, repair: Repair, subject: Subject, walk: Walk, source: SourceMap) -> Span:
    """Where the wrong sub-expression is written: an operand's own characters if they can be told."""
    place = repair.place
    if repair.span is not None:
        return repair.span
    if place.parent < 0:
        return _value_span(unit, source, subject.graph.steps[unit.step])
    parent = subject.graph.steps[place.parent].span
    step = subject.graph.steps[place.node]
    if (call := handed(repair, unit, walk.layout)) is not None:
        return call
    named = bool(walk.layout.variable(place.node))
    operand = source.operand(parent, place.slot) if parent is not None else None
    own = step.span if not step.is_leaf and not named else None
    lent = own in walk.layout.forward_spans  # by a function of the forward pass, which is right
    if own is not None and not (lent and operand) and (operand is None or not _within(own, operand)):
        return own  # inside a helper function, not where it is called
    return operand or own or parent or unit.span


def _within(inner: Span, outer: Span) -> bool:
    return (outer.line, outer.column) <= (inner.line, inner.column) and (inner.end_line, inner.end_column) <= (
        outer.end_line,
        outer.end_column,
    )


def _combined(text: str, how: str, piece: str) -> str:
    if not piece:
        return ""
    if not how:
        return piece
    left = f"({text})" if how in "*/" and _additive(text) else text
    right = f"({piece})" if _additive(piece) or (how in "*/-" and "/" in piece) else piece
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
            return f"{number(value)} - {text[1:].lstrip()}"
        return f"{text} + {number(value)}" if value > 0 else f"{text} - {number(-value)}"
    if repair.combine == "**":
        return f"{text}**{repair.number}" if text.isidentifier() else f"({text})**{repair.number}"
    return _scaled(text, repair, names) if repair.combine else number(repair.number)


def _scaled(text: str, repair: Repair, names: Mapping[Fraction, str]) -> str:
    factor = repair.number
    body = f"({text})" if _additive(text) else text
    if factor == -1:
        return body[1:] if body.startswith("-") and not _additive(body[1:]) else f"-{body}"
    if isinstance(factor, Fraction) and factor.numerator == 1:
        return f"{body}/{names.get(Fraction(factor.denominator), factor.denominator)}"
    return (
        f"{number(factor)}*{body}"
        if not isinstance(factor, Fraction) or factor.denominator == 1
        else f"({number(factor)})*{body}"
    )


def _additive(text: str) -> bool:
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
        return repair.template.format(text if source.is_atom(text) else f"({text})")
    return source.added_at(span, repair.template) if repair.template else ""


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
        wrapped = [f"({p})" if _additive(p) and op.infix.precedence > 1 else p for p in parts]
        space = " " if op.infix.precedence == 1 else ""
        return f"{wrapped[0]}{space}{op.infix.symbol}{space}{wrapped[1]}"
    prefix = source.text(span).split("(")[0]
    module = prefix.rsplit(".", 1)[0] + "." if "." in prefix else ""
    made = f"{op.name}({', '.join(parts)})"
    if module and "." not in source.spelled(made).partition("(")[0]:
        return ""  # the module has no such function
    return f"{module}{made}"


def _factor(root: Root, repair: Repair, truth: Truth, wording: Wording) -> str:
    """Which chain-rule factor the place belongs to."""
    q = repair.quantity
    if q is not None and q.kind == "local":
        return wording.factor(q.top, q.bottom)
    target = root.target
    if target.kind == "tangent":
        links = truth.links.get(target.top, [])
        near = [link for link in links if link.bottom in truth.tangents(target.bottom)] if links else []
        if len(near) == 1:
            return wording.factor(target.top, near[0].bottom)
        return wording.factor(target.top, target.bottom)
    if target.kind == "helper":
        return root.unit.name
    if target.kind == "contribution":
        return wording.factor(target.top, target.bottom)
    tops = [t for t, _ in truth.into.get(target.bottom, ())]
    if len(tops) == 1:
        return wording.factor(tops[0], target.bottom)
    return wording.factor(wording.subject.loss, target.bottom)


def _by_variables(text: str, unit: Unit, source: SourceMap) -> str:
    """``dz * x[j]`` for ``dz * x[0]``, in the line that sets ``dw[i][j]``, in the round in which j is 0."""
    target = source.target(unit.line)
    values, variables = (re.findall(r"\[(\w+)\]", t) for t in (unit.name, target))
    if len(values) != len(variables) or not target.startswith(unit.name.partition("[")[0]):
        return text
    pairs = [(v, k) for v, k in zip(values, variables, strict=True) if v.isdecimal() and k.isidentifier()]
    known = source.source.replace(" ", "")

    def called(match: re.Match[str]) -> str:
        """As the script itself writes it somewhere; what it nowhere writes so stays."""
        name, *places = match.groups()
        options = [[k for v, k in pairs if v == place] for place in places if place is not None]
        made = (f"{name}{''.join(f'[{k}]' for k in some)}" for some in product(*options))
        return next((m for m in made if m in known), match.group())

    return re.sub(r"(\w+)\[(\d+)\](?:\[(\d+)\])?", called, text)


def _as_in_line(text: str, unit: Unit, subject: Subject) -> str:
    """A formula as a line says it that has names of its own for the objects it works on: ``other.data`` for ``b``."""
    words: dict[str, str] = {}
    gradient = unit.written.rpartition(".")[2]
    for own, step in unit.near:
        name = subject.names.get(step)
        if name is not None:
            words[name] = own
            words[f"{name}.{gradient}"] = f"{own.rpartition('.')[0]}.{gradient}"
    if not words:
        return text
    known = "|".join(re.escape(w) for w in sorted(words, key=len, reverse=True))
    return re.sub(rf"(?<![\w.])(?:{known})(?![\w(\[])", lambda m: words[m.group()], text)


def _make(
    root: Root, code: str, mistake: str, message: str, span: Span, factor: str, found: str, expected: str, have: Vec,
    want: Vec, fix: str, wording: Wording, source: SourceMap, subject: Subject,
) -> Blame:  # fmt: skip
    top = root.target.top if root.target.kind in ("tangent", "contribution", "local") else -1
    forward = f"{wording.symbol(top)} = {wording.formula(top)}" if top >= 0 and top in subject.names else ""
    if not forward and root.target.kind in ("cotangent", "sum"):
        tops = [t for t, _ in wording.truth.into.get(root.target.bottom, ())]
        if tops and tops[0] in subject.names:
            top = tops[0]
            forward = f"{wording.symbol(top)} = {wording.formula(top)}"
    if fix and "[" in root.unit.name:
        expected, fix = (_by_variables(text, root.unit, source) for text in (expected, fix))
    here = mistake in ("wrong-formula", "unknown") and span.line == root.unit.line
    if here and is_right_but_for_some(root.found, root.target.vec):
        code = mistake = "missing-term"
        message = f"{_meaning(root, wording)} lacks a term in some entries; most of them are right"
    own = Owner(source.source, subject.names.values())
    texts = (_as_in_line(source.spelled(text), root.unit, subject) for text in (expected, fix))
    # What is written into an array is a statement, and no part of a formula.
    expected, fix = ("" if "__setitem__" in text else own.spelled(text, span.line) for text in texts)
    numbers = subject.memo.get("numbers") or subject.memo.setdefault("numbers", Numbers(subject))
    expected, fix = (numbers.named(text, span.line, found) for text in (expected, fix))
    seen = difference(have, want)
    ratio = seen.have / seen.want if math.isfinite(seen.have) and seen.want else None
    what = factor or _meaning(root, wording)
    label = seen.words
    if expected and want.shape == have.shape == ():
        label = f"{what} should be {expected} = {shown(seen.want)}; this is {shown(seen.have)}"
    elif expected:
        label = f"{what} should be {expected}; {seen.words}"
    edits = ((span, source.fitted(span, fix)),) if fix else ()
    return Blame(
        code,
        mistake,
        message,
        label,
        span,
        root.unit.name,
        what,
        found,
        expected,
        seen.have,
        seen.want,
        ratio or None,
        fix,
        edits,
        forward,
        subject.graph.steps[top].span if forward else None,
        (),
        root.again,
        seen.hidden,
    )
