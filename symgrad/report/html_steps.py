"""The drawing of a page, the table of its steps, and the derivation in typeset mathematics."""

from __future__ import annotations

from html import escape

from symgrad.report.arrays import ArrayReport
from symgrad.report.formulas import Formulas
from symgrad.report.layout import place
from symgrad.report.mathml import mathml
from symgrad.report.model import Finding, Report
from symgrad.report.paper import is_plain_number, paper
from symgrad.report.picture import Held, Node, Picture
from symgrad.report.sheets import MARK, WORDS, Sheet, sheets
from symgrad.report.svg import svg
from symgrad.report.typeset import code_latex
from symgrad.report.values import brief, shape_text

#: With more steps than this the table is folded away.
MOST_ROWS = 60


def drawing(picture: Picture) -> str:
    """The computation graph, in stages where it is long, and the panel that tells of one step."""
    sheet = sheets(picture)
    legend = [
        '<li><span class="word above">above a line:</span> the value that flows forward</li>',
        '<li><span class="word below">below:</span> the gradient that flows back</li>',
    ]
    if picture.judged:
        legend += [
            '<li><span class="word wrong">✗ thick:</span> a wrong factor</li>',
            '<li><span class="word inherited">~ dashed:</span> wrong only because of another</li>',
            '<li><span class="word right">✓ thin:</span> right</li>',
        ]
    return (
        '<section><h2 id="h-graph">Computation graph</h2>'
        f'<ul class="legend">{"".join(legend)}</ul>{_sheet(sheet, top=True)}'
        '<div class="panel" id="panel" role="status"><p class="soft">Point at a step, or reach it with the Tab key: '
        "its factors are shown here.</p></div></section>"
    )


def _sheet(sheet: Sheet, *, top: bool = False) -> str:
    name = escape(sheet.title)
    figure = (
        f'<div class="drawing scroll" tabindex="0" role="group" aria-label="{name}">'
        f"{svg(place(sheet), title=sheet.title)}</div>"
    )
    inner = figure + "".join(_sheet(child) for child in sheet.children)
    if top:
        return inner
    count = len(sheet.boxes)
    return f'<details class="stage" id="{escape(sheet.key)}"><summary>{name} ({count} boxes)</summary>{inner}</details>'


def steps_table(report: Report | ArrayReport, formulas: Formulas) -> str:
    """One row for each step: what it is, its value and gradient, and the factors of its inputs."""
    picture = formulas.picture
    into: dict[int, list[int]] = {}
    for n, link in enumerate(picture.links):
        into.setdefault(link.head, []).append(n)
    yours = any(node.manual is not None for node in picture.nodes)
    rows = [_row(report, formulas, n, into.get(n, []), yours=yours) for n in range(len(picture.nodes))]
    names = ["step", "value", "gradient", *(["yours"] if yours else []), "local factors"]
    head = "".join(f'<th scope="col">{n}</th>' for n in names)
    table = (
        '<div class="scroll" tabindex="0" role="group" aria-label="Steps"><table>'
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )
    if len(rows) > MOST_ROWS:
        table = f"<details><summary>{len(rows)} steps</summary>{table}</details>"
    about = f"gradient: of {escape(picture.result_name)} by the step"
    if picture.upstream:
        about += f", where {escape(picture.upstream)} flows into {escape(picture.result_name)}"
    return f'<section><h2 id="h-steps">Steps</h2><p class="soft">{about}</p>{table}</section>'


def _row(report: Report | ArrayReport, formulas: Formulas, n: int, links: list[int], *, yours: bool) -> str:
    picture = formulas.picture
    node = picture.nodes[n]
    name = formulas.symbols[node.step]
    formula = formulas.node(n)
    shape = f' <span class="soft">{escape(shape_text(node.shape))}</span>' if node.shape else ""
    what = mathml(f"{name} = {formula}" if formula else name) + shape
    what += f' <code class="soft">{escape(node.name)}</code>'
    gradient = _value(node.gradient, node) if node.step in picture.reverse.cotangents else ""
    if node.status:
        word = f'<span class="word {node.status}">{MARK[node.status]} {WORDS[node.status]}</span>'
        gradient += f"<br>{word}"
    cells = [("step", what, "", True), ("value", _value(node.value, node), "number", False),
             ("gradient", gradient, "number", False)]  # fmt: skip
    if yours:
        mine = _value(node.manual, node) if node.manual is not None else ""
        cells.append(("yours", mine, "number", False))
    cells.append(("local factors", _factors(report, formulas, links), "", False))
    out = []
    for title, inner, look, is_head in cells:
        tag, extra = ("th", ' scope="row"') if is_head else ("td", f' class="{look}"' if look else "")
        out.append(f'<{tag}{extra} data-name="{title}">{inner}</{tag}>')
    wrong = [report.findings[k].line for m in links for k in picture.links[m].findings]
    lines = [f"L{k}" for k in (*node.lines, *wrong) if k] if report.is_code and not report.cells else []
    if node.span is not None and (report.is_code or report.cells or node.span.line):
        lines.insert(0, f"C{node.span.cell}L{node.span.line}" if node.span.cell else f"L{node.span.line}")
    attr = f' data-lines="{escape(" ".join(dict.fromkeys(lines)))}"' if lines else ""
    return f'<tr id="step-{n}"{attr}>{"".join(out)}</tr>'


def _value(value: Held, node: Node) -> str:
    if value is None:
        return escape(shape_text(node.shape)) if node.shape else ""
    return escape(brief(value, 7))


def _factors(report: Report | ArrayReport, formulas: Formulas, links: list[int]) -> str:
    items = [_factor(report, formulas, n) for n in links if formulas.picture.links[n].edge >= 0]
    return f'<ul class="factors">{"".join(items)}</ul>' if items else ""


def _factor(report: Report | ArrayReport, formulas: Formulas, n: int) -> str:
    link = formulas.picture.links[n]
    local = formulas.local(n)
    if local:
        latex = f"{formulas.factor(n)} = {local}"
        if isinstance(link.factor, float) and not is_plain_number(local):
            latex += f" = {_number(link.factor)}"
        said = mathml(latex)
    else:
        tail = formulas.gradient(formulas.picture.nodes[link.tail].step)
        said = mathml(f"{tail} \\mathrel{{+}}= {formulas.flow(n)}")
    code = f' <code class="soft">{escape(link.symbol)}</code>' if link.status else ""
    word = f' <span class="word {link.status}">{MARK[link.status]} {WORDS[link.status]}</span>' if link.status else ""
    wrong = "".join(_wrong(report, report.findings[k], k) for k in dict.fromkeys(link.findings))
    look = f" {link.status}" if link.status else ""
    return f'<li class="factor{look}">{said}{code}{word}{wrong}</li>'


def _number(value: float) -> str:
    text = f"{value + 0.0:.7g}"
    head, e, power = text.partition("e")
    return f"{head} \\cdot 10^{{{int(power)}}}" if e else text


def _wrong(report: Report | ArrayReport, f: Finding, n: int) -> str:
    """What stands in the user's text where this factor belongs."""
    if not f.found:
        return ""
    latex = code_latex(f.found, caret_is_power=not report.is_code)
    found = mathml(latex) if latex else f"<code>{escape(f.found)}</code>"
    value = "" if f.found_value is None else f" = {escape(brief(f.found_value))}"
    where = f" in line {f.line}" if f.line else ""
    return f'<br>found{where}: <del>{found}</del>{value} (<a href="#finding-{n + 1}">finding {n + 1}</a>)'


def derivation(report: Report | ArrayReport) -> str:
    """The derivation as on paper."""
    found = paper(report)
    if not found:
        return ""
    out = []
    for section in found:
        lines = "".join(f"<div>{mathml(line.whole, block=True)}</div>" for line in section.lines)
        out.append(f"<h3>{escape(section.title)}</h3>{lines}")
    body = f'<div class="derivation" tabindex="0" role="group" aria-label="Derivation">{"".join(out)}</div>'
    return f'<section><h2 id="h-paper">Derivation</h2>{body}</section>'
