"""The words and places of a mistake: from a root to what is shown, and to the text that puts it right."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from itertools import product

from symgrad.diagnose.observing.subject import Subject, Unit
from symgrad.diagnose.observing.truth import Quantity, Truth
from symgrad.diagnose.telling.added import is_of_one_round, missing_term
from symgrad.diagnose.telling.corrected import corrected, walk_value
from symgrad.diagnose.telling.folded import folded
from symgrad.diagnose.telling.forgotten import edit, statement
from symgrad.diagnose.telling.headlines import beside, code_of, headline, short
from symgrad.diagnose.telling.rounds import POINT, close, formula_value, in_all_rounds
from symgrad.diagnose.telling.undivided import Division, division
from symgrad.diagnose.telling.where import made_by_call, place_span, value_span
from symgrad.diagnose.text.signs import signed as signed_term
from symgrad.diagnose.text.source import SourceMap
from symgrad.diagnose.text.spelling import Owner
from symgrad.diagnose.text.statements import Statement
from symgrad.diagnose.values.entries import difference, is_right_but_for_some, shown
from symgrad.diagnose.values.vectors import Vec
from symgrad.diagnose.walking.blame import Walk
from symgrad.diagnose.walking.places import UNPLACED, Repair
from symgrad.diagnose.walking.verdicts import Root
from symgrad.diagnose.words.numbers import numbers_of
from symgrad.diagnose.words.wording import Wording
from symgrad.errors import Span


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
    file = root.unit.span.file  # a place that was only read in the text knows no file
    told = _blames(root, subject, truth, walk, wording, source)
    return [b if b.span.file else replace(b, span=replace(b.span, file=file), edits=_in(file, b)) for b in told]


def _in(file: str, blame: Blame) -> tuple[tuple[Span, str], ...]:
    return tuple((span if span.file else replace(span, file=file), text) for span, text in blame.edits)


def _blames(root: Root, subject: Subject, truth: Truth, walk: Walk, wording: Wording, source: SourceMap) -> list[Blame]:
    added = (r.adds for r in root.repairs if r.adds is not None)
    made = next(added, None) or statement(root, walk, wording, source)
    if made is not None:
        return [_forgotten(root, made, subject, wording, source)]
    if text := _other_branch(root, walk, source):
        return [_turned(root, text, subject, wording, source)]
    if (lost := division(root, walk, source)) is not None:
        return [_undivided(_one(root, root.repairs[0], subject, truth, walk, wording, source), lost, source)]
    if not root.repairs:
        return [_whole_line(root, subject, walk, wording, source)]
    return [_one(root, repair, subject, truth, walk, wording, source) for repair in root.repairs]


def _forgotten(root: Root, made: Statement, subject: Subject, wording: Wording, source: SourceMap) -> Blame:
    """A line that is missing: what to add, and where."""
    span = value_span(root.unit, source, subject.graph.steps[root.unit.step])
    name, code = root.unit.name, "never-assigned" if root.found.is_zero else "missing-term"
    begins, _, value = made.text.partition(f"{name} = ")
    whole = source.assigned(span.line)
    sets = whole is not None and (whole.column, whole.end_line, whole.end_column) == (
        span.column, span.end_line, span.end_column,
    )  # fmt: skip
    if root.found.is_zero and value and not begins and made.after < span.line and sets:
        # All that it needs is there: the line that sets it to zeros can set it to that.
        message = f"{name} is never given its value: it is still zero where it is used"
        return _make(
            root, code, code, message, span, "", source.text(span), value, root.found, root.target.vec, value, wording,
            source, subject,
        )  # fmt: skip
    if root.found.is_zero:
        message = f"{name} is never given its value: it is still zero where it is used"
    else:
        message = f"{_meaning(root, wording)}: a term is missing; the paths through all uses add up"
    blame = _make(
        root, code, code, f"{message}; after line {made.after} add `{made.text}`", span, "", source.text(span),
        "", root.found, root.target.vec, "", wording, source, subject,
    )  # fmt: skip
    label = f"{_meaning(root, wording)} should be {shown(blame.expected_value)}; this is {shown(blame.found_value)}"
    if root.found.same(root.target.vec):  # a zero to begin with is right: what it should come to is not known
        label, blame = "nothing is added to it", replace(blame, hidden=False)
    return replace(blame, label=label, expected=made.text, fix=made.text, edits=(edit(made, source, span.file),))


def _undivided(blame: Blame, lost: Division, source: SourceMap) -> Blame:
    """A sum that is never divided: what to add after the loop."""
    message = f"a division by {lost.by} is missing: {lost.of} adds up what line {lost.like} divides by {lost.by}"
    told = f"{message}; after line {lost.line.after} add `{lost.line.text}`"
    label = f"{lost.of} comes out {lost.times} times too large"
    if lost.beside is not None:
        text = f"{lost.of} / {lost.by}"
        return replace(
            blame, code="wrong-scale", mistake="scale", message=message, label=label, span=lost.beside, found=lost.of,
            expected=text, fix=text, edits=((lost.beside, text),),
        )  # fmt: skip
    return replace(
        blame, code="wrong-scale", mistake="scale", message=told, label=label, expected=lost.line.text,
        fix=lost.line.text, edits=(edit(lost.line, source, blame.span.file),),
    )  # fmt: skip


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
    wanted = root.target.vec
    turned = root.found.shape != wanted.shape and not root.found.is_zero and root.found.alike(wanted)
    expected = ""  # the right entries in another shape are not worked out anew
    if not turned:
        expected = wording.own(wording.expected(root.target, root.unit.step))
        expected = in_all_rounds(expected, root.unit, walk, wanted, whole=True)
        expected = folded(expected, root.unit, walk, "")
    span = value_span(root.unit, source, subject.graph.steps[root.unit.step], made_by_call(root.unit, subject))
    what = _meaning(root, wording)
    code, mistake = "wrong-value", "wrong-formula" if expected else "unknown"
    whole = Repair(replace(UNPLACED, wanted=wanted), "missing-term", "leaves out a term", 0.0)
    if not expected and not turned and (term := missing_term(root, whole, root.found, walk)):
        code, mistake, expected = "missing-term", "missing-term", f"{source.text(span)} {term}"
    message = (
        f"{what}: a term is missing; the paths through all uses add up"
        if mistake == "missing-term"
        else f"this is not {what}, nor a part of it"
        if expected
        else f"this line's value is no derivative here; expected {what}"
    )
    if turned:
        code = mistake = "wrong-shape"
        message = f"{root.unit.name} has the right entries in another shape: {root.found.shape} for {wanted.shape}"
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


def _meaning(root: Root, wording: Wording) -> str:
    q = root.target
    if q.kind in ("tangent", "local"):
        return wording.factor(q.top, q.bottom)
    if q.kind == "helper":
        return root.unit.name
    return wording.factor(wording.subject.loss, q.bottom)


def _aim(root: Root, walk: Walk) -> Quantity:
    """What a line is to work out: of ``dx += dy`` what it adds to what was there, if that is a part of it."""
    previous = root.unit.previous
    if not walk.subject.is_shaped or root.unit.augmented != "+=" or previous < 0:
        return root.target
    before = walk.corrected(previous)
    if before.shape != root.target.vec.shape or before.is_zero:
        return root.target
    return replace(root.target, kind="sum", vec=root.target.vec - before)


def _one(
    root: Root, repair: Repair, subject: Subject, truth: Truth, walk: Walk, wording: Wording, source: SourceMap
) -> Blame:
    place = repair.place
    span = place_span(root.unit, repair, subject, walk, source)
    have = walk_value(walk, root, repair)
    q = repair.quantity
    span, expected = corrected(root, repair, span, subject, walk, wording, source)
    text = source.text(span)
    factor = _factor(root, repair, truth, wording)
    want, line = place.wanted, place.parent < 0
    named = q is not None and q.kind == "local" and not repair.combine
    if not expected or (root.astray and not repair.text and not line):
        expected_whole = wording.own(wording.expected(_aim(root, walk), root.unit.step))
        whole = value_span(root.unit, source, subject.graph.steps[root.unit.step])
        if expected_whole and whole.line == span.line:
            span, text, expected = whole, source.text(whole), expected_whole
            have, want, line, named = root.found, root.target.vec, True, False
            if not repair.combine:
                repair = replace(repair, words="is not the derivative that belongs here")
    for entry, called in repair.renamed:
        expected = expected.replace(entry, called)
    if not repair.text:
        expected = in_all_rounds(expected, root.unit, walk, want, whole=line)
        expected = folded(expected, root.unit, walk, text)
        lacks = repair.combine == "+" and repair.mistake == "missing-term" and not expected
        local = (lacks or is_of_one_round(expected, root, walk)) and place.wanted is want
        if local and (term := missing_term(root, repair, have, walk)):
            expected = f"{text} {term}"
            repair = replace(repair, mistake="missing-term", words="leaves out a term", combine="+", quantity=None)
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
    if subject.graph.steps[root.unit.step].is_leaf and "[" in root.unit.name and source.text(span)[:1] == "[":
        fix = ""  # what one entry should be is no text for the list that the line makes
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
    numbers = numbers_of(subject)
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
