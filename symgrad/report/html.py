"""A report as one HTML file that needs nothing else: no network, no script of others, nothing of the user's as markup.

Everything is in the page before any script runs; the script only shows beside a step of the drawing what its row in the
table of steps says. A content security policy lets no other script run. What comes from outside goes through
:func:`html.escape` here, or through :mod:`symgrad.report.mathml`.
"""

from __future__ import annotations

import base64
import hashlib
from functools import lru_cache
from html import escape
from importlib import resources

from symgrad import __version__
from symgrad.errors import Span
from symgrad.report.arrays import ArrayReport
from symgrad.report.formulas import Formulas
from symgrad.report.html_steps import derivation, drawing, steps_table
from symgrad.report.html_tables import gradients
from symgrad.report.mathml import mathml
from symgrad.report.model import Finding, Report
from symgrad.report.moving import in_cells, joined
from symgrad.report.sheets import WORDS
from symgrad.report.sources import FORMULA, headline, source_of, why_unchecked
from symgrad.report.typeset import code_latex
from symgrad.report.values import digits

#: Longer programs are shown around the lines that something is said about.
MOST_LINES = 3000


@lru_cache(maxsize=2)
def _asset(name: str) -> str:
    return resources.files("symgrad.report").joinpath(name).read_text(encoding="utf-8")


def page(report: Report | ArrayReport) -> str:
    """The report as HTML."""
    body = _body(report)
    style, script = _asset("page.css"), _asset("page.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; img-src data:"
    title = f"{headline(report).words}: {_target(report)}"
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{escape(policy)}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title[:150])}</title>\n<style>\n{style}</style>\n</head>\n<body>\n"
        f"{body}\n<script>{script}</script>\n</body>\n</html>\n"
    )


def _target(report: Report | ArrayReport) -> str:
    return " ".join(report.target.split())


def _body(report: Report | ArrayReport) -> str:
    parts = [_header(report), '<main id="main">', _findings(report), _sources(report)]
    if report.picture is not None:
        formulas = Formulas(report.picture)
        parts += [drawing(report.picture), steps_table(report, formulas), derivation(report)]
    parts += [gradients(report), "</main>", _footer()]
    return "\n".join(p for p in parts if p)


def _footer() -> str:
    return f'<footer class="soft"><p>Made by symgrad {escape(__version__)}.</p></footer>'


def _header(report: Report | ArrayReport) -> str:
    head = headline(report)
    caution = f'; <strong class="verdict undefined">{escape(head.caution)}</strong>' if head.caution else ""
    verdict = f"{head.mark} {head.verdict}: " if head.verdict else ""
    out = [
        "<header>",
        '<p><a class="skip" href="#main">Skip to the findings</a></p>',
        f'<h1><span class="verdict {escape(head.verdict)}">{escape(verdict)}{escape(head.words)}</span>{caution}</h1>',
        f'<p class="soft"><code>{escape(_clipped(_target(report), 300))}</code></p>',
    ]
    if report.at:
        out.append(f'<p class="soft">{escape(_point(report))} ({escape(report.dtype)} on {escape(report.device)})</p>')
    if report.is_code and report.confirmed:
        out.append(f'<p><span class="word right">✓ right:</span> <code>{escape(joined(report.confirmed))}</code></p>')
    for u in getattr(report, "unchecked", ()):
        out.append(
            f'<p><span class="word inherited">? not checked:</span> {_place(u.span)} <code>{escape(u.name)}</code>; '
            f"{why_unchecked(report)}, so neither right nor wrong</p>"
        )
    out.append("</header>")
    return "\n".join(out)


def _clipped(text: str, most: int) -> str:
    return text if len(text) <= most else text[:most] + " …"


def _point(report: Report | ArrayReport) -> str:
    if isinstance(report, ArrayReport):
        shown = [f"{n} {'drawn by symgrad' if n in report.drawn else 'as given'}" for n in report.at]
        return "at " + ", ".join(shown)
    return "at " + ", ".join(f"{name} = {value!r}".removesuffix(".0") for name, value in report.at.items())


# --- findings -------------------------------------------------------------------------------------------------------


def _findings(report: Report | ArrayReport) -> str:
    if not report.findings:
        return ""
    items = "\n".join(_finding(report, f, n) for n, f in enumerate(report.findings))
    return (
        '<section><h2 id="h-findings">Findings</h2>'
        f'<ol class="findings">{items}</ol></section>'
    )


def _finding(report: Report | ArrayReport, f: Finding, n: int) -> str:
    kind = f"error[{f.code}]" if f.root else "note"
    look = "wrong" if f.root else "soft"
    rows: list[tuple[str, str]] = []
    if f.span is not None:
        rows.append(("where", _place(f.span)))
    power = not report.is_code
    arrays = _arrays(report)
    if f.factor:
        rows.append(("factor", f"<code>{escape(f.factor)}</code>"))
    if f.found:
        value = "" if f.found_value is None else f" = {digits(f.found_value)}"
        rows.append(("found", _typeset(f.found, arrays, power, "del") + escape(value)))
    if f.expected:
        value = "" if f.expected_value is None else f" = {digits(f.expected_value)}"
        rows.append(("expected", _typeset(f.expected, arrays, power, "ins") + escape(value)))
    elif f.label:
        rows.append(("expected", escape(f.label)))
    if f.forward:
        where = f" ({escape(f.forward_span.where)})" if f.forward_span is not None and report.is_code else ""
        rows.append(("forward", f"<code>{escape(f.forward)}</code>{where}"))
    if f.fix:
        proof = "" if f.fix_verified else " (not verified)"
        rows.append(("fix", f"<code>{escape(f.fix)}</code>{proof}"))
    if f.hint:
        rows.append(("help", escape(f.hint)))
    if f.inherited:
        be = "are" if len(f.inherited) > 1 else "is"
        rows.append(("note", f"{in_cells(f.inherited, f.inherited_cells)} {be} wrong only because of this one"))
    inner = "".join(f"<dt>{k}</dt><dd>{v}</dd>" for k, v in rows)
    body = f"<dl>{inner}</dl>" if rows else ""
    word = f'<span class="word {look}">{escape(kind)}:</span>'
    root = " root" if f.root else ""
    return f'<li class="finding{root}" id="finding-{n + 1}"><h3>{word} {escape(f.message)}</h3>{body}</li>'


def _arrays(report: Report | ArrayReport) -> frozenset[str]:
    if report.picture is None:
        return frozenset()
    return frozenset(n.name for n in report.picture.nodes if n.shape)


def _typeset(text: str, arrays: frozenset[str], power: bool, tag: str) -> str:
    """A formula in the element that says what is to become of it, and beside it the code that it was."""
    latex = code_latex(text, arrays, caret_is_power=power)
    code = f"<code>{escape(text)}</code>"
    return f'<{tag}>{mathml(latex)}</{tag}> <span class="soft">{code}</span>' if latex else f"<{tag}>{code}</{tag}>"


def _anchor(span: Span) -> str:
    if span.cell:
        return f"C{span.cell}L{span.line}"
    if span.file.startswith(FORMULA):
        return f"M-{_slug(span.file.removeprefix(FORMULA))}-L{span.line}"
    return f"L{span.line}"


def _slug(text: str) -> str:
    return "".join(c if c.isascii() and c.isalnum() else f".{ord(c):x}." for c in text)


def _place(span: Span) -> str:
    return f'<a href="#{_anchor(span)}">{escape(str(span))}</a>'


# --- the user's text -------------------------------------------------------------------------------------------------


def _sources(report: Report | ArrayReport) -> str:
    """The text, line by line, with carets and messages where something is said."""
    blocks: list[tuple[str, Span, str]] = []
    if report.cells:
        for cell, text in report.cells.items():
            blocks.append((f"Cell {cell}", Span(report.target, 1, 1, 1, 1, cell), text))
    elif report.is_code:
        text = report.manual_source or report.source
        blocks.append((report.target, Span(report.target, 1, 1, 1, 1), text))
    else:
        blocks.append(("The function", Span("expression", 1, 1, 1, 1), report.source or report.target))
        formulas = report.manual_source.split("\n") if report.manual_source else []
        names = [g.wrt for g in report.gradients]
        for n, formula in enumerate(formulas):
            name = names[n] if n < len(names) else ""
            blocks.append((f"Your derivative by {name}", Span(FORMULA + name, 1, 1, 1, 1), formula))
    status = _line_status(report)
    out = [_block(report, title, span, text, status) for title, span, text in blocks]
    return f'<section><h2 id="h-code">Your code</h2>{"".join(out)}</section>'


def _line_status(report: Report | ArrayReport) -> dict[str, str]:
    """Anchor of a line -> what is known of it."""
    out: dict[str, str] = {}
    roots = [f for f in report.findings if f.root and f.span is not None]
    if report.picture is not None and report.picture.judged and report.is_code and not report.cells:
        for node in report.picture.nodes:
            if node.status == "right":
                out.update({f"L{line}": "right" for line in node.lines})
    for f in roots:
        for n, line in enumerate(f.inherited):
            cell = f.inherited_cells[n] if f.inherited_cells else 0
            out[f"C{cell}L{line}" if cell else f"L{line}"] = "inherited"
    for f in roots:
        assert f.span is not None  # those without were left out
        out[_anchor(f.span)] = "wrong"
    return out


def _block(report: Report | ArrayReport, title: str, start: Span, text: str, status: dict[str, str]) -> str:
    lines = text.split("\n")
    while len(lines) > 1 and not lines[-1].strip():
        lines.pop()
    said: dict[int, list[Finding]] = {}
    for f in report.findings:
        if f.span is not None and _same_text(f.span, start, report) and source_of(report, f.span) is not None:
            said.setdefault(f.span.line, []).append(f)
    shown = range(1, len(lines) + 1)
    if len(lines) > MOST_LINES:
        near = {m for n in said for m in range(n - 20, n + 21)}
        shown_lines = [n for n in shown if n in near or n <= 200]
    else:
        shown_lines = list(shown)
    items = []
    last = 0
    for n in shown_lines:
        if n != last + 1:
            items.append(
                f'<li><span class="gutter">⋮</span><code class="soft">{n - last - 1} lines left out</code></li>'
            )
        last = n
        items.append(_line(lines[n - 1], n, start, said.get(n, []), status))
    name = escape(title)
    return (
        f'<div class="source scroll" tabindex="0" role="group" aria-label="{name}"><p class="soft">&nbsp; {name}</p>'
        f"<ol>{''.join(items)}</ol></div>"
    )


def _same_text(span: Span, start: Span, report: Report | ArrayReport) -> bool:
    if span.cell or start.cell:
        return span.cell == start.cell
    if report.is_code:
        return True
    return span.file.startswith(FORMULA) == start.file.startswith(FORMULA) and (
        not span.file.startswith(FORMULA) or span.file == start.file
    )


def _line(text: str, n: int, start: Span, found: list[Finding], status: dict[str, str]) -> str:
    span = Span(start.file, n, 1, n, 1, start.cell)
    anchor = _anchor(span)
    look = status.get(anchor, "")
    clean = "".join(c if c.isprintable() else " " for c in text)
    marks = sorted({_extent(f.span, clean) for f in found if f.span is not None and f.root})
    code, at = [], 0
    for begin, end in marks:
        if begin < at:
            continue
        code.append(escape(clean[at:begin]) + f"<mark>{escape(clean[begin:end])}</mark>")
        at = end
    code.append(escape(clean[at:]))
    words = f'<span class="word {look}" title="{WORDS[look]}">{_MARKS[look]}</span> ' if look else ""
    out = [f'<li id="{anchor}"' + (f' class="{look}"' if look else "") + ">"]
    out.append(f'<span class="gutter">{words}{n}</span><code>{"".join(code)}</code>')
    for f in found:
        assert f.span is not None  # found by its place
        begin, end = _extent(f.span, clean)
        carets = " " * begin + "^" * (end - begin)
        label = f.label or f.message
        kind = "" if f.root else " note"
        out.append(f'<div class="carets{kind}"><span class="gutter"></span>{carets} {escape(label)}</div>')
    out.append("</li>")
    return "".join(out)


_MARKS = {"right": "✓", "wrong": "✗", "inherited": "~"}


def _extent(span: Span, line: str) -> tuple[int, int]:
    """Columns from 0, the end exclusive and at least one further."""
    begin = min(max(span.column - 1, 0), len(line))
    end = span.end_column - 1 if span.end_line == span.line else len(line)
    return begin, max(min(end, len(line)), begin + 1)
