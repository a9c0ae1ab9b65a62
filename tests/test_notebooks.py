"""Notebooks: which text is run, where findings stand, and what is no notebook."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import symgrad
from symgrad import cli
from symgrad.errors import SymgradError
from symgrad.frontends.cells import read_cell
from symgrad.frontends.notebook import read_notebook

ATTACKS = sorted((Path(__file__).parent / "attacks").glob("*.ipynb"))
CANARY = Path("/tmp/symgrad-canary")

Write = Callable[..., str]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def make(*cells: str, name: str = "hw.ipynb", **metadata: Any) -> str:
        """A notebook of code cells; one that begins with ``md:`` is a text cell."""
        made = [
            {"cell_type": "markdown", "metadata": {}, "source": text[3:]}
            if text.startswith("md:")
            else {
                "cell_type": "code", "execution_count": None, "metadata": {}, "outputs": [],
                "source": text.splitlines(keepends=True),
            }
            for text in cells
        ]  # fmt: skip
        path = tmp_path / name
        path.write_text(json.dumps({"cells": made, "metadata": metadata, "nbformat": 4, "nbformat_minor": 4}))
        return str(path)

    return make


def run(*arguments: str) -> Result:
    result = CliRunner().invoke(cli.main, arguments, env={"COLUMNS": "100"})
    assert "Traceback" not in result.output
    return result


FORWARD = "import math\nw = 0.7\nx = 1.3\nb = 0.1\nz = w*x + b\nh = math.tanh(z)\nloss = (h - 0.5)**2\n"
HOMEWORK = (
    "md:# Homework 1",
    "%matplotlib inline\n!pip install torch\n" + FORWARD,
    "md:## The backward pass",
    "%%time\ndh = 2*(h - 0.5)\n\n%time dz = dh*(1 - z**2)",
    "dw = dz*x\ndb = dz\n%timeit dz*x\ndisplay(dw)",
)


# --- findings -----------------------------------------------------------------------------------------------------


def test_a_finding_points_to_its_cell(write: Write) -> None:
    report = symgrad.check(write(*HOMEWORK))
    (found,) = [f for f in report.findings if f.root]
    assert found.span is not None
    assert (found.span.file, found.span.cell, found.line, found.column) == ("hw.ipynb", 4, 4, 16)
    assert HOMEWORK[3].split("\n")[3][15:23] == found.found == "1 - z**2"
    assert (found.mistake, found.fix, found.fix_verified) == ("input-for-output", "1 - h**2", True)
    assert (found.inherited, found.inherited_cells) == ((1, 2), (5, 5))
    assert found.forward_span is not None
    assert (found.forward_span.cell, found.forward_span.line) == (2, 8)
    assert report.exit_code == 1
    assert report.confirmed == ("dh",)


@pytest.mark.parametrize("command", [(), ("check",)])
def test_on_the_command_line(command: tuple[str, ...], write: Write) -> None:
    result = run(*command, write(*HOMEWORK))
    assert result.exit_code == 1
    assert "--> hw.ipynb, cell 4, line 4:16\n" in result.output
    assert "4 | %time dz = dh*(1 - z**2)\n  |                ^^^^^^^^ dh/dz should be" in result.output
    assert "forward: h = tanh(z)   (hw.ipynb, cell 2, line 8)" in result.output
    assert "note: cell 5, lines 1 and 2 are wrong only because of this one" in result.output
    commands = "`!pip install torch` (cell 2, line 2), `%timeit dz*x` (cell 5, line 3)"
    assert f"not run, since it is no Python: {commands}" in result.output
    assert "matplotlib" not in result.output


def test_json_has_the_cell(write: Write) -> None:
    findings = json.loads(run(write(*HOMEWORK), "--json").stdout)["findings"]
    assert (findings[0]["file"], findings[0]["cell"], findings[0]["line"]) == ("hw.ipynb", 4, 4)
    assert (findings[0]["inherited"], findings[0]["inherited_cells"]) == ([1, 2], [5, 5])
    assert findings[1]["cell"] == 2


def test_the_diff_is_told_by_cell(write: Write) -> None:
    cells = [*HOMEWORK[:4], "dw = dz*b\ndb = dz"]
    diff = run(write(*cells), "--diff").stdout
    assert diff == (
        "--- a/hw.ipynb, cell 4\n+++ b/hw.ipynb, cell 4\n@@ -1,4 +1,4 @@\n %%time\n dh = 2*(h - 0.5)\n \n"
        "-%time dz = dh*(1 - z**2)\n+%time dz = dh*(1 - h**2)\n"
        "--- a/hw.ipynb, cell 5\n+++ b/hw.ipynb, cell 5\n@@ -1,2 +1,2 @@\n-dw = dz*b\n+dw = dz*x\n db = dz\n"
    )


def test_several_mistakes_are_summed_up_by_cell(write: Write) -> None:
    result = run(write(*HOMEWORK[:4], "dw = dz*b\ndb = dz"))
    assert result.output.startswith("2 mistakes, in cell 4, line 4; cell 5, line 1: ")


def test_a_right_notebook(write: Write) -> None:
    result = run(write(FORWARD, "dh = 2*(h - 0.5)\ndz = dh*(1 - h**2)", "dw = dz*x"))
    assert result.exit_code == 0
    assert result.output == "✓ agree: 3 lines of the derivation checked, no mistake found\n\nright: dh, dz and dw\n"


def test_the_witnesses_of_a_notebook(write: Write) -> None:
    report = symgrad.check(write(*HOMEWORK), witnesses=True)
    assert report["w"].witnesses["manual"].verdict == "disagree"
    assert {s.span.cell for s in report.steps if s.span} <= {2, 4, 5}


def test_where_a_notebook_stops_is_told_by_cell(write: Write) -> None:
    result = run(write(FORWARD, "dh = 2*(h - 0.5)", "1/0\ndz = dh"))
    assert "the script stopped here: ZeroDivisionError" in result.output
    assert "--> hw.ipynb, cell 3, line 1:1" in result.output


def test_the_example() -> None:
    report = symgrad.check(Path(__file__).parent.parent / "examples" / "homework.ipynb")
    (found,) = [f for f in report.findings if f.root]
    assert found.span is not None
    assert (found.span.cell, found.line, found.mistake) == (5, 2, "scale")


# --- blanks -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("blank", "line"),
    [
        ("# YOUR CODE HERE\nraise NotImplementedError()", 2),
        ("raise NotImplementedError  # delete this", 1),
        ("...", 1),
        ("# dw =\n# TODO: fill in the gradient", 2),
        ("dx = ...  # what is it?", 1),
        ("dx = None  # YOUR CODE HERE", 1),
        ("def f(x):\n    '''The gradient.'''\n    # YOUR CODE HERE\n    raise NotImplementedError()", 4),
        ("pass  # your code", 1),
    ],
)
def test_blanks_are_noted(blank: str, line: int, write: Write) -> None:
    result = run(write(FORWARD, blank, "dh = 2*(h - 0.5)"))
    assert result.exit_code == 0, result.output
    assert f"note: this is still to be filled in\n  --> hw.ipynb, cell 2, line {line}:" in result.output
    assert "right: dh" in result.output


@pytest.mark.parametrize(
    "filled", ["# YOUR CODE HERE\nk = 2.0", "s = 'your code'", "a = xs[..., 0] if False else 1", "k = None"]
)
def test_what_is_filled_in_is_no_blank(filled: str, write: Write) -> None:
    assert "filled in" not in run(write(FORWARD, filled, "dh = 2*(h - 0.5)")).output


def test_a_blank_may_be_why_nothing_is_found(write: Write) -> None:
    result = run(write(FORWARD, "md:now derive it", "# YOUR CODE HERE\nraise NotImplementedError()"))
    assert result.exit_code == 2
    assert "no line was recognised as a derivative" in result.stderr
    assert "still to be filled in: cell 3, line 2" in result.stderr


# --- which text is Python -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "python", "commands"),
    [
        ("x = 1", "x = 1", []),
        ("", "", []),
        ("%matplotlib inline\nx = 1", "pass\nx = 1", []),
        ("!ls\nx = 1", "pass\nx = 1", [(1, "!ls")]),
        ("?print", "pass", [(1, "?print")]),
        ("print?", "pass", [(1, "print?")]),
        ("np.tanh??", "pass", [(1, "np.tanh??")]),
        ("if a:\n    !ls", "if a:\n    pass", [(2, "!ls")]),
        ("files = !ls", "pass", [(1, "files = !ls")]),
        ("t = %timeit -o f()", "pass", [(1, "t = %timeit -o f()")]),
        ("pip install numpy", "pass", [(1, "pip install numpy")]),
        ("!pip install \\\n  numpy\nx = 1", "pass\n\nx = 1", [(1, "!pip install \\")]),
        ("%time y = f(x)", "if 1: y = f(x)", []),
        ("%time y = f(\n% x)", "if 1: y = f(\n% x)", []),
        ("%time y = 1 + \\\n  2", "if 1: y = 1 + \\\n  2", []),
        ("%%time\ny = 1", "pass\ny = 1", []),
        ("%%capture out\ny = 1", "pass\ny = 1", []),
        ("%%bash\nrm -rf x\n", "\n\n", [(1, "%%bash")]),
        ("%%writefile a.py\nimport os", "\n", [(1, "%%writefile a.py")]),
        ("\n%%html\n<b>", "\n\n", [(2, "%%html")]),
        # what only looks like a command
        ("y = (a\n% b)", "y = (a\n% b)", []),
        ("y = [a,\n  !b]", "y = [a,\n  !b]", []),
        ("s = '''\n%run x\n!ls\n'''", "s = '''\n%run x\n!ls\n'''", []),
        ('s = """#\n!ls"""\nx = a % b', 's = """#\n!ls"""\nx = a % b', []),
        ("y = a \\\n% b", "y = a \\\n% b", []),
        ("# what?\nx = 1  # why?", "# what?\nx = 1  # why?", []),
        ("print('how?')", "print('how?')", []),
        ("x = '(' + \"[\"\n!ls", "x = '(' + \"[\"\npass", [(2, "!ls")]),
        ("x = 'it\\'s ('\n!ls", "x = 'it\\'s ('\npass", [(2, "!ls")]),
        ("x = 'a\\\nb'\n!ls", "x = 'a\\\nb'\npass", [(3, "!ls")]),
        ("a != b\nx == y", "a != b\nx == y", []),
        ("pip = 3\nconda = pip", "pip = 3\nconda = pip", []),
    ],
)
def test_what_of_a_cell_is_run(text: str, python: str, commands: list[tuple[int, str]]) -> None:
    cell = read_cell(1, text)
    assert (cell.python, cell.commands) == (python, commands)
    assert cell.python.count("\n") == text.count("\n")
    assert cell.unclosed is None


def test_lines_keep_their_places(write: Write) -> None:
    notebook = read_notebook(write("md:text", "a = 1\n\n!ls\nb = 2", "   ", "md:", "c = 3\n"))
    lines = notebook.source.split("\n")
    for cell in notebook.cells:
        for n, line in enumerate(cell.text.split("\n"), 1):
            if line.startswith(("a", "b", "c")):
                at = lines.index(line) + 1
                place = notebook.place(symgrad.errors.Span("hw.ipynb", at, 1, at, 2))
                assert (place.cell, place.line) == (cell.number, n)
    assert [cell.number for cell in notebook.cells] == [2, 5]


# --- what cannot be used ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (("x = 1.0", "print 'y', x"), "hw.ipynb, cell 2, line 1:1: this is a Python 2 print statement"),
        (("x = 1.0\ny = (x*", "z = 3"), "hw.ipynb, cell 1, line 2:5: '(' was never closed in its cell"),
        (("s = '''abc", "'''"), "hw.ipynb, cell 1, line 1:5: this string is not closed in its cell"),
        (("y = 1 + \\", "2"), "hw.ipynb, cell 1, line 1:9: the cell ends in a line that goes on"),
        (("def f():", "    x = 1"), "hw.ipynb, cell 1, line 1:9: expected an indented block"),
        (("x = 1", "  y = 2"), "hw.ipynb, cell 2, line 1:2: unexpected indent"),
        (("if True:\n    pass", "else:\n    x = 1"), "hw.ipynb, cell 2, line 1:"),
        (("x = 2.0", "x = 'a\nb'"), "hw.ipynb, cell 2, line 1:5: unterminated string"),
        (("md:only text",), "hw.ipynb: the notebook has no code"),
        ((), "hw.ipynb: the notebook has no code"),
        (("x = 2.0\ny = x*x",), "no line was recognised as a derivative"),
        (("x = 2.0", "import os\nos.listdir('.')"), "hw.ipynb, cell 2, line 2:1: "),
        (("x = 2.0", "while True:\n    x = x*0.5; slow = 'x' * 10**7"), "hw.ipynb, cell 2, line"),
    ],
)
def test_cells_that_cannot_be_used(cells: tuple[str, ...], message: str, write: Write) -> None:
    result = run(write(*cells), "--timeout", "1")
    assert result.exit_code == 2, result.output
    assert result.stderr.startswith(f"error: {message}"), result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "hw.ipynb:1:1: the notebook is no JSON"),
        ("{", "hw.ipynb:1:2: the notebook is no JSON"),
        ('{\n "cells": [\n  {"a" 1}\n]}', "hw.ipynb:3:8: the notebook is no JSON"),
        ("x = 1", "hw.ipynb:1:1: the notebook is no JSON"),
        ("[" * 100_000, "hw.ipynb: the notebook is no JSON"),
        ("{}", "hw.ipynb is no notebook: it has no cells"),
        ("[1, 2]", "hw.ipynb is no notebook: it has no cells"),
        ('{"cells": 3, "nbformat": 4}', "hw.ipynb is no notebook"),
        ('{"cells": [3], "metadata": {}, "nbformat": 4, "nbformat_minor": 4}', "hw.ipynb is no notebook"),
        ('{"cells": [], "metadata": {}, "nbformat": 99, "nbformat_minor": 4}', "hw.ipynb is no notebook"),
        ('{"cells": [], "metadata": 7, "nbformat": 4, "nbformat_minor": 4}', "hw.ipynb is no notebook"),
    ],
)
def test_what_is_no_notebook(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "hw.ipynb"
    path.write_text(text)
    result = run(str(path))
    assert result.exit_code == 2
    assert result.stderr.startswith(f"error: {message}"), result.stderr


def test_bytes_and_no_file(tmp_path: Path) -> None:
    (tmp_path / "hw.ipynb").write_bytes(b'{"cells": "\xff"}')
    assert "the notebook is no JSON" in run(str(tmp_path / "hw.ipynb")).stderr
    assert "cannot be read: No such file" in run(str(tmp_path / "missing.ipynb")).stderr


def test_other_languages_are_refused(write: Write) -> None:
    path = write("x <- 1", kernelspec={"name": "ir", "language": "R", "display_name": "R"})
    assert "the notebook's language is `r`, not Python" in run(path).stderr
    path = write("x = 1", language_info={"name": "julia"})
    assert run(path).exit_code == 2


def test_a_python_2_notebook_is_said_to_be_one(write: Write) -> None:
    cells = (FORWARD, "dh = 2*(h - 0.5)")
    result = run(write(*cells, kernelspec={"name": "python2", "language": "python", "display_name": "2"}))
    assert result.exit_code == 0
    assert "it was run as Python 3, where 1/2 is 0.5" in result.output
    assert "Python 3" not in run(write(*cells, language_info={"name": "python", "version": "3.11.7"})).output


def test_an_old_notebook(tmp_path: Path) -> None:
    cell = {"cell_type": "code", "collapsed": False, "input": FORWARD + "dh = 3*(h - 0.5)", "language": "python",
            "metadata": {}, "outputs": []}  # fmt: skip
    old = {"metadata": {"name": ""}, "nbformat": 3, "nbformat_minor": 0, "worksheets": [{"cells": [cell]}]}
    (tmp_path / "hw.ipynb").write_text(json.dumps(old))
    assert "hw.ipynb, cell 1, line 8:" in run(str(tmp_path / "hw.ipynb")).output


# --- attacks ------------------------------------------------------------------------------------------------------


def test_there_are_attacks() -> None:
    assert len(ATTACKS) >= 10


@pytest.mark.parametrize("path", ATTACKS, ids=lambda p: p.stem)
def test_attack(path: Path) -> None:
    """Refused with its place, or left out with a remark; in no case done."""
    expected = json.loads(path.read_text())["metadata"]["symgrad"]
    try:
        report = symgrad.check(path, timeout=5)
    except SymgradError as error:
        message, span = error.message, error.span
    else:
        notes = [f for f in report.findings if not f.root and f.span is not None]
        (found,) = [f for f in notes if re.search(expected["says"], f.message)]
        message, span = found.message, found.span
    assert re.search(expected["says"], message), message
    assert span is not None
    assert [span.cell, span.line] == expected["at"], message
    assert not CANARY.exists()
