"""The derivation as a person would write it on paper: steps, local derivatives, the chain rule, the result.

It is made of lines of LaTeX, from which both the LaTeX file and the page's MathML come. Rounds of a loop that read
alike are written once, with an index: forward steps as a recurrence, the paths through them as a sum over time.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from symgrad.ops.arithmetic import PRODUCT
from symgrad.report.folding import fold, summed
from symgrad.report.formulas import Formulas
from symgrad.report.latex import escaped, partial, symbol
from symgrad.report.model import Finding
from symgrad.report.picture import Picture
from symgrad.report.typeset import code_latex
from symgrad.report.values import digits

#: More paths from a variable to the result than this, or longer ones, are written step by step.
MOST_PATHS, LONGEST_PATH = 6, 12
#: More lines of one kind than this are cut: nobody reads page four.
LIMIT = 200


@dataclass(frozen=True, slots=True)
class Line:
    """``left = first = second = ...``.

    Attributes:
        left: what is defined or derived.
        rights: what it is, in one form after the other.
        value: at the point; empty where it is not known.
        about: what is said at the end: a shape, the range of an index.
    """

    left: str
    rights: tuple[str, ...]
    value: str = ""
    about: str = ""

    @property
    def formula(self) -> str:
        """Without the value: what is compared between the rounds of a loop."""
        return " = ".join((self.left, *self.rights))

    @property
    def whole(self) -> str:
        """All on one line."""
        text = self.formula + (f" {self.value}" if self.value else "")
        return text + (f" \\qquad {self.about}" if self.about else "")


@dataclass(frozen=True, slots=True)
class Section:
    """Lines of one kind, under a title."""

    title: str
    lines: tuple[Line, ...]


def paper(report: Any, notation: str = "fraction") -> tuple[Section, ...]:
    """The derivation of a report, in sections; empty where there is nothing to draw."""
    if report.picture is None:
        return ()
    closed = {g.wrt: getattr(g, "latex", "") for g in report.gradients}
    exact = {g.wrt: g.exact for g in report.gradients if isinstance(g.exact, str)}
    at = ""
    if isinstance(report.at, Mapping) and report.at and all(isinstance(v, float) for v in report.at.values()):
        at = ", ".join(f"{symbol(n)} = {_number(v)}" for n, v in report.at.items())
    return sections(
        report.picture, closed, exact=exact, at=at, findings=report.findings, code=report.is_code, notation=notation,
        order=report.order,
    )  # fmt: skip


def sections(
    picture: Picture,
    closed: Mapping[str, str],
    *,
    exact: Mapping[str, str] | None = None,
    at: str = "",
    findings: Sequence[Finding] = (),
    code: bool = False,
    notation: str = "fraction",
    order: int = 1,
) -> tuple[Section, ...]:
    """The whole derivation.

    Args:
        picture: the function and its reverse pass.
        closed: variable (or ``"x,z"`` of second derivatives) -> simplified form in LaTeX; may be empty.
        exact: likewise -> proven digits at the point; ``at`` is the point in LaTeX.
        findings: mistakes, to be struck out where they stand.
        code: the findings are about Python, in which ``^`` is no power.
        notation: how gradients are written, one of :data:`symgrad.report.formulas.NOTATIONS`.
        order: 2 for second derivatives: then only the steps and the results.
    """
    f = Formulas(picture, notation)
    arrays = any(n.shape for n in picture.nodes)
    out = [Section("Steps", _folded([_step(f, n) for n, node in enumerate(picture.nodes) if node.formula]))]
    if order == 1:
        struck: set[int] = set()
        title = "Wrong factors" if arrays else "Local derivatives"
        out.append(Section(title, _folded(_locals(f, findings, struck, code=code, everything=not arrays))))
        out.append(Section("Chain rule", _gradients(f) if arrays else _chain(f)))
        rest = [_mistake(x, code=code) for n, x in enumerate(findings) if x.root and n not in struck and x.found]
        if rest:
            out.append(Section("Mistakes", tuple(rest)))
    results = _results(f, closed, exact or {}, at)
    if results:
        out.append(Section("Result", tuple(results)))
    return tuple(s for s in out if s.lines)


def _step(f: Formulas, n: int) -> Line:
    node = f.picture.nodes[n]
    return Line(f.symbols[node.step], (f.node(n),), _value(node.value), _space(node.shape))


def _space(shape: tuple[int, ...]) -> str:
    lengths = " \\times ".join(map(str, shape))
    return f"\\in \\mathbb{{R}}^{{{lengths}}}" if shape else ""


def _number(value: float) -> str:
    text = digits(value, 7)
    head, e, power = text.partition("e")
    return f"{head} \\cdot 10^{{{int(power)}}}" if e else {"inf": "\\infty", "-inf": "-\\infty"}.get(text, text)


def _value(value: Any) -> str:
    """``= 0.5`` where that is the whole value, else with as many digits as are read in passing."""
    if not isinstance(value, float) or math.isnan(value):
        return ""
    text = _number(value)
    short = digits(value, 7)
    return ("= " if float(short) == value else "\\approx ") + text


def _same(one: str, other: str) -> bool:
    """The same formula, however it is set."""
    plain = [re.sub(r"[\s()]", "", text) for text in (one, other)]
    return plain[0] == plain[1]


def _locals(
    f: Formulas, findings: Sequence[Finding], struck: set[int], *, code: bool, everything: bool
) -> list[Line]:
    """Each chain-rule factor worked out; or only those that were got wrong."""
    out = []
    for n, link in enumerate(f.picture.links):
        if link.edge < 0:
            continue
        local = f.local(n)
        # Struck out is what stands in the place of the whole factor, not a part of a line.
        wrong = [k for k in link.findings if findings[k].found and _same(findings[k].expected, link.local)]
        struck.update(wrong)
        if not local or not (wrong or everything):
            continue
        cross = " \\; ".join(dict.fromkeys(f"\\sgwrong{{{_code(findings[k].found, code)}}}" for k in wrong))
        said = f"{cross} \\; \\sgright{{{local}}}" if cross else local
        value = "" if is_plain_number(said) else _value(link.factor)
        out.append(Line(f.factor(n), (said,), value))
    return out


def is_plain_number(text: str) -> bool:
    """Nothing needs to be added to say what its value is."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def _code(text: str, code: bool) -> str:
    return code_latex(text, caret_is_power=not code) or f"\\texttt{{{_typewriter(text)}}}"


def _typewriter(text: str) -> str:
    words = {"\\": "\\textbackslash{}", "^": "\\textasciicircum{}", "~": "\\textasciitilde{}"}
    return "".join(words.get(c) or (escaped(c) if c.isascii() and c.isprintable() else "?") for c in text[:200])


def _mistake(x: Finding, *, code: bool) -> Line:
    """A mistake that is no factor of a drawn step: what stands there, and what belongs there."""
    left = symbol(x.step) if x.step else f"\\text{{line {x.line or 1}}}"
    said = f"\\sgwrong{{{_code(x.found, code)}}}"
    if x.expected:
        said += f" \\; \\sgright{{{_code(x.expected, code)}}}"
    return Line(left, (said,))


# --- the chain rule ---------------------------------------------------------------------------------------------------


def _chain(f: Formulas) -> tuple[Line, ...]:
    """For each variable the sum over its paths, or step by step where there are too many of them."""
    picture = f.picture
    leaving: dict[int, list[int]] = {}
    for n, link in enumerate(picture.links):
        if link.edge >= 0:
            leaving.setdefault(link.tail, []).append(n)
    out: list[Line] = []
    staged = False
    for variable in picture.wrt:
        paths = _paths(f, variable, leaving)
        if paths is None:
            staged = True
            continue
        if paths:
            out.append(_summed(f, variable, paths))
    return _staged(f, leaving) if staged else tuple(out)


def _paths(f: Formulas, start: int, leaving: Mapping[int, Sequence[int]]) -> list[list[int]] | None:
    """The ways from a variable to the result, each as its links from the result down; ``None`` where too many."""
    found: list[list[int]] = []
    stack: list[tuple[int, tuple[int, ...]]] = [(start, ())]
    while stack:
        node, way = stack.pop()
        if node == f.picture.result:
            found.append(list(reversed(way)))
            if len(found) > MOST_PATHS:
                return None
            continue
        if len(way) >= LONGEST_PATH:
            return None
        for n in reversed(leaving.get(node, ())):
            stack.append((f.picture.links[n].head, (*way, n)))
    return sorted(found, key=len)


def _summed(f: Formulas, variable: int, paths: Sequence[Sequence[int]]) -> Line:
    node = f.picture.nodes[variable]
    left = partial(f.loss, f.symbols[node.step], single=f.single)
    rule = " + ".join(" \\cdot ".join(f.factor(n) for n in way) for way in paths)
    many = max(len(way) for way in paths) > 1
    worked = [" \\cdot ".join(_factor(f.local(n, PRODUCT if many else 0)) for n in way) for way in paths]
    text = " + ".join(worked)
    same = rule.replace("\\mathrm{d}", "\\partial") == left.replace("\\mathrm{d}", "\\partial")
    return Line(left, (text,) if same else (rule, text), _value(node.gradient))


def _factor(text: str) -> str:
    return f"\\left({text}\\right)" if text.startswith("-") else text


def _staged(f: Formulas, leaving: Mapping[int, Sequence[int]]) -> tuple[Line, ...]:
    """The derivative by each step, from those by the steps that use it."""
    picture = f.picture
    lines = []
    for n in range(len(picture.nodes) - 1, -1, -1):
        links = leaving.get(n, ())
        node = picture.nodes[n]
        if not links or node.step not in picture.reverse.cotangents:
            continue
        rules, worked = [], []
        for k in links:
            head = picture.nodes[picture.links[k].head].step
            if picture.links[k].head == picture.result:
                rules.append(f.factor(k))
                worked.append(f.local(k))
            else:
                rules.append(f"{f.gradient(head)} \\cdot {f.factor(k)}")
                local = f.local(k, PRODUCT)
                worked.append(f.gradient(head) + ("" if local == "1" else f" \\cdot {_factor(local)}"))
        left = f.gradient(node.step)
        rule, text = summed(rules), summed(worked)
        same = rule.replace("\\mathrm{d}", "\\partial") == left.replace("\\mathrm{d}", "\\partial")
        lines.append(Line(left, (text,) if same or rule == text else (rule, text), _value(node.gradient)))
    return _folded(lines)


def _gradients(f: Formulas) -> tuple[Line, ...]:
    """Of arrays: the gradient by each step in matrix form, a sum where several steps use it."""
    picture = f.picture
    leaving: dict[int, list[int]] = {}
    for n, link in enumerate(picture.links):
        if link.edge >= 0:
            leaving.setdefault(link.tail, []).append(n)
    lines = []
    for n in range(len(picture.nodes) - 1, -1, -1):
        node = picture.nodes[n]
        links = leaving.get(n, ())
        if n == picture.result or node.step not in picture.reverse.cotangents or not links:
            if n == picture.result and picture.upstream:
                lines.append(Line(f.gradient(node.step), ("\\text{as given}",), "", _space(node.shape)))
            continue
        lines.append(
            Line(
                f.gradient(node.step), (summed([f.flow(k) for k in links]),), _value(node.gradient), _space(node.shape)
            )
        )
    return _folded(lines)


# --- results ----------------------------------------------------------------------------------------------------------


def _results(f: Formulas, closed: Mapping[str, str], exact: Mapping[str, str], at: str) -> list[Line]:
    out = []
    for label, latex in closed.items():
        left = derivative(f.loss, label, single=f.single)
        value = exact.get(label, "")
        if not latex and not (value and at):
            continue
        rights = (latex,) if latex else ()
        shown = ""
        if value and at:
            head, _, power = value.partition("e")
            number = f"{head} \\cdot 10^{{{int(power)}}}" if power else value
            shown = f"= {number}" if len(value) < 15 else f"\\approx {number}"
            shown += f" \\quad \\text{{at }} {at}" if len(at) < 60 else ""
        out.append(Line(left, rights, shown))
    return out


def derivative(result: str, label: str, *, single: bool) -> str:
    """``df/dw``, or of a pair of variables a second derivative."""
    if "," not in label:
        return partial(result, symbol(label), single=single)
    a, b = label.split(",")
    d = "\\mathrm{d}" if single else "\\partial"
    if a == b:
        return f"\\frac{{{d}^{{2}} {result}}}{{{d} {symbol(a)}^{{2}}}}"
    return f"\\frac{{{d}^{{2}} {result}}}{{{d} {symbol(a)} \\, {d} {symbol(b)}}}"


def _folded(lines: Sequence[Line]) -> tuple[Line, ...]:
    """Rounds that read alike written once; of what is still too long, the beginning and the end."""
    out: list[Line] = []
    for piece in fold([line.formula + line.about for line in lines]):
        if not piece.times:
            out.append(lines[piece.start])
            continue
        for n, text in enumerate(piece.texts):
            line = lines[piece.start + n]
            about = f"{piece.index} = {piece.first}, \\dots, {piece.last}" if n == 0 else ""
            about = f"{line.about}, \\quad {about}" if line.about and about else about or line.about
            body = text.removesuffix(line.about) if line.about else text
            left, *rights = body.split(" = ")
            out.append(Line(left, tuple(rights), "", about))
    if len(out) > LIMIT:
        half = LIMIT // 2
        out = [*out[:half], Line("\\vdots", ()), *out[-half:]]
    return tuple(out)
