"""The command line: exit codes, what goes where, options, and input that is out to hurt."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner, Result

from symgrad import cli
from symgrad.errors import InternalError

FLAGSHIP = "40*tanh(w*tanh(w*0.5))"
ROOT = Path(__file__).parent.parent


def run(*arguments: str, stdin: str | bytes | None = None, **environment: str) -> Result:
    result = CliRunner().invoke(cli.main, arguments, input=stdin, env={"COLUMNS": "100", **environment})
    assert "Traceback" not in result.output
    return result


def document(result: Result) -> dict[str, Any]:
    """Standard output holds one JSON document and not a character more."""
    assert result.stdout.count("\n") == 1
    found = json.loads(result.stdout, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert isinstance(found, dict)
    return found


# --- exit codes ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "code", "verdict"),
    [
        ((FLAGSHIP, "--at", "w=2"), 0, "agree"),
        ((FLAGSHIP, "--at", "w=10", "--dtype", "float32"), 0, "rounding"),
        (("relu(x)", "--at", "x=0"), 2, "undefined"),
        (("1/x", "--at", "x=0"), 2, "undefined"),
        (("tnah(x)", "--at", "x=0"), 2, "error"),
        (("log(x)", "--at", "x=-1"), 2, "error"),
    ],
)
def test_exit_codes(arguments: tuple[str, ...], code: int, verdict: str) -> None:
    assert run(*arguments).exit_code == code
    as_json = run(*arguments, "--json")
    assert as_json.exit_code == code
    found = document(as_json)
    assert (found["exit_code"], found["verdict"]) == (code, verdict)


def test_a_disagreement_exits_1(monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    from symgrad.ops import OPS

    op = OPS["tanh"]
    wrong = replace(op, partials=(lambda m, y, x: 1 - x**2,), autograd=op.autograd or op.partials)
    monkeypatch.setitem(OPS, "tanh", wrong)
    result = run(FLAGSHIP, "--at", "w=2")
    assert result.exit_code == 1
    assert "✗ disagree: a witness disagrees with the exact derivative" in result.stdout
    assert document(run(FLAGSHIP, "--at", "w=2", "--json"))["verdict"] == "disagree"


@pytest.mark.parametrize("problem", [InternalError("two steps are called x"), RuntimeError("boom"), RecursionError()])
def test_a_bug_of_ours_exits_70(monkeypatch: pytest.MonkeyPatch, problem: Exception) -> None:
    def broken(*_args: Any, **_options: Any) -> None:
        raise problem

    monkeypatch.setattr("symgrad.api.check", broken)
    result = run("x", "--at", "x=1")
    assert result.exit_code == 70
    assert result.stdout == ""
    assert "a bug in symgrad" in result.stderr
    assert result.stderr.count("\n") <= 2


def test_a_traceback_on_request(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_args: Any, **_options: Any) -> None:
        raise ValueError("boom")

    monkeypatch.setattr("symgrad.api.check", broken)
    result = CliRunner().invoke(cli.main, ["x"], env={"SYMGRAD_TRACEBACK": "1"})
    assert isinstance(result.exception, ValueError)


# --- JSON ---------------------------------------------------------------------------------------------------------


def test_the_json_document() -> None:
    found = document(run("f = q*z; q2 = x + y; g = f*q2", "--at", "q=1,z=2,x=3,y=4", "--json"))
    assert found["schema"] == "symgrad-report/1"
    assert found["target"] == "f = q*z; q2 = x + y; g = f*q2"
    assert found["verdict"] == "agree"
    assert found["order"] == 1
    assert found["findings"] == []
    assert found["at"] == {"q": 1, "z": 2, "x": 3, "y": 4}
    assert found["value"] == "14"
    assert [g["wrt"] for g in found["gradients"]] == ["q", "z", "x", "y"]
    first = found["gradients"][0]
    assert first["exact"] == "14"
    assert first["derivative"]
    assert first["latex"]
    assert set(first["witnesses"]) == {"symbolic", "autograd", "backward"}
    for witness in first["witnesses"].values():
        assert set(witness) >= {"value", "difference", "bound", "verdict", "lost_at"}
        assert witness["value"] == 14
    names = [s["name"] for s in found["steps"]]
    assert names == ["f", "q2", "g"]
    assert {"line", "column", "formula", "value"} <= set(found["steps"][0])
    assert found["backward"][0]["step"] == "g"


def test_json_of_rounding_names_the_step() -> None:
    text = "s = sigmoid(x^2+z); f = s + tanh(x^3 z^2)"
    found = document(run(text, "--at", "x=3,z=2", "--dtype", "float32", "--json"))
    dz = next(g for g in found["gradients"] if g["wrt"] == "z")
    assert dz["witnesses"]["autograd"]["verdict"] == "rounding"
    assert dz["witnesses"]["autograd"]["lost_at"] == "s"
    assert dz["witnesses"]["symbolic"]["lost_at"] is None


def test_json_has_no_infinities() -> None:
    """JSON knows neither inf nor nan: those are strings."""
    found = document(run("1/x", "--at", "x=0", "--json"))
    assert found["gradients"][0]["witnesses"]["autograd"]["value"] == "-inf"
    assert found["gradients"][0]["exact"] is None
    assert found["findings"][0]["code"] == "undefined"


@pytest.mark.parametrize("arguments", [("tnah(x)",), ("x", "--at", "x="), ("x*y", "--at", "x=1"), ("", "--at", "x=1")])
def test_json_of_bad_input_is_a_document_too(arguments: tuple[str, ...]) -> None:
    result = run(*arguments, "--json")
    assert result.exit_code == 2
    found = document(result)
    assert found["verdict"] == "error"
    (finding,) = found["findings"]
    assert finding["code"] == "bad-input"
    assert finding["message"]
    assert result.stderr.startswith("error: ")


def test_json_without_a_point() -> None:
    found = document(run("x*tanh(x)", "--json"))
    assert found["at"] == {}
    assert found["gradients"][0]["witnesses"] == {}
    assert found["gradients"][0]["exact"] is None


# --- LaTeX --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", [FLAGSHIP, "q = x + y; f = q*z", "where(x < 1, sqrt(x), log2(x))*alpha_1", "x_h*β/max(x_h, 2)"]
)
def test_latex(text: str) -> None:
    result = run(text, "--latex")
    assert result.exit_code == 0
    body = result.stdout.strip()
    assert body.startswith("\\begin{align*}")
    assert body.endswith("\\end{align*}")
    # Escaped braces are text; all others come in pairs, never closed before they are open.
    depth = 0
    for character in re.sub(r"\\[{}]", "", body):
        depth += {"{": 1, "}": -1}.get(character, 0)
        assert depth >= 0
    assert depth == 0
    assert body.count("\\left") == body.count("\\right")
    assert result.stderr == ""


def test_latex_of_second_order() -> None:
    assert "\\partial x \\, \\partial y" in run("x^2*y", "--order", "2", "--latex").stdout


# --- options ------------------------------------------------------------------------------------------------------


def test_standard_input() -> None:
    for stdin in ("q = x+y\nf = q*z\n", "q = x+y\r\nf = q*z\r\n", "\ufeffq = x+y;f = q*z", b"q = x+y; f = q*z"):
        result = run("-", "--at", "x=-2,y=5,z=-4", stdin=stdin)
        assert result.exit_code == 0
        assert "df/dz = 3" in result.stdout
    bad = run("-", stdin=b"x + \xff")
    assert bad.exit_code == 2
    assert "not UTF-8" in bad.stderr
    assert run("-", stdin="").exit_code == 2


def test_points_repeated_and_together() -> None:
    assert "dg" not in run("x*y", "--at", "x=3,y=2").stdout
    for arguments in (("--at", "x=3,y=2"), ("--at", "x=3", "--at", "y=2"), ("--at=x=3", "--at", "y=4/2")):
        result = run("x*y", *arguments, "--json")
        assert [g["exact"] for g in document(result)["gradients"]] == ["2", "3"]


def test_wrt_and_order() -> None:
    only = document(run("x*y", "--at", "x=3,y=2", "--wrt", "y", "--json"))
    assert [g["wrt"] for g in only["gradients"]] == ["y"]
    second = document(run("x^2*y", "--at", "x=3,y=2", "--order", "2", "--json"))
    assert {g["wrt"]: g["exact"] for g in second["gradients"]} == {"x,x": "4", "x,y": "6", "y,y": "0"}
    assert run("x", "--order", "3").exit_code == 2
    assert "cannot differentiate by 'q'" in run("x", "--wrt", "q").stderr


@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16", "float16"])
def test_dtypes(dtype: str) -> None:
    found = document(run("x*y", "--at", "x=3,y=0.1", "--dtype", dtype, "--json"))
    assert found["dtype"] == dtype
    exact = float(torch.tensor(0.1, dtype=torch.float64).to(getattr(torch, dtype)))
    assert float(found["gradients"][0]["exact"]) == pytest.approx(exact, rel=1e-15)
    bad = run("x", "--dtype", "float8")
    assert bad.exit_code == 2
    assert "float64, float32, bfloat16, float16" in bad.stderr


def test_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    result = run("x", "--at", "x=1", "--device", "cuda")
    assert result.exit_code == 2
    assert "'cuda' is not there" in result.stderr
    assert run("x", "--at", "x=1", "--device", "abacus").exit_code == 2


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device, and torch sees none")
def test_cuda() -> None:
    assert document(run(FLAGSHIP, "--at", "w=2", "--device", "cuda", "--json"))["verdict"] == "agree"


def test_a_target_that_begins_with_a_minus_sign() -> None:
    for arguments in (("-x^2", "--at", "x=3"), ("--at", "x=3", "-x^2"), ("--at", "x=3", "--", "-x^2")):
        result = run(*arguments)
        assert result.exit_code == 0, result.output
        assert "df/dx = -6" in result.stdout
    assert run("--nonsense", "x").exit_code == 2
    assert run("-x", "--at", "x=-1").exit_code == 0


def test_colours() -> None:
    assert "\x1b[" not in run(FLAGSHIP, "--at", "w=2").stdout
    assert "\x1b[" in run(FLAGSHIP, "--at", "w=2", "--color", "always").stdout
    assert "\x1b[" not in run(FLAGSHIP, "--at", "w=2", "--color", "never").stdout


@pytest.mark.parametrize(
    ("environment", "colored"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)]
)
def test_colour_in_a_terminal(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], colored: bool) -> None:
    for name in ("NO_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert cli._colored("auto") is colored
    assert cli._colored("always") is True
    assert cli._colored("never") is False


def test_no_line_is_wider_than_the_terminal() -> None:
    for columns in ("60", "80", "100"):
        for line in run(FLAGSHIP, "--at", "w=2", COLUMNS=columns).stdout.splitlines():
            assert len(line) <= int(columns)


def test_help_names_examples_and_exit_codes() -> None:
    for option in ("--help", "-h"):
        result = run(option)
        assert result.exit_code == 0
        assert f'symgrad "{FLAGSHIP}" --at w=2' in result.stdout
        assert "Exit codes:" in result.stdout
    assert re.fullmatch(r"symgrad, version \d+\.\d+\.\d+\n", run("--version").stdout)
    assert run().exit_code == 2


# --- bad input ----------------------------------------------------------------------------------------------------

BAD = [
    ("tnah(x)", "x=1", "1:1: unknown function 'tnah'; did you mean 'tanh'?"),
    ("(x + 1", "x=1", "1:1: this '(' is never closed"),
    ("x + 1)", "x=1", "1:6: this ')' has no '('"),
    ("2 +* x", "x=1", "1:4: "),
    ("", "x=1", "empty"),
    ("   ", "x=1", "empty"),
    ("x*y", "x=1", "no value for y"),
    ("x", "x=1,q=2", "'q', which is no variable"),
    ("x", "x=", "--at:1:2: 'x' has no value"),
    ("x", "x", "--at:1:1: "),
    ("x", "x=nan", "--at:1:3: 'nan' is not a finite number"),
    ("x", "x=-inf", "--at:1:4: 'inf' is not a finite number"),
    ("x", "x=1e400", "too large for float64"),
    ("log(x)", "x=-1", "1:1: log needs a positive argument; here it is given -1"),
    ("2 + sqrt(x)", "x=-1", "1:5: sqrt needs"),
    ("9**9**9", "x=1", "no variable"),
    ("x!", "x=1", "1:2: "),
    ("1e999999999", "x=1", "1:1: the exponent"),
    ("x*1e999999999", "x=1", "1:3: the exponent"),
    ('__import__("os").system("x")', "x=1", "1:1: "),
    ("lambda x: x", "x=1", "1:1: 'lambda'"),
    ('f"{x}"', "x=1", "1:2: "),
    ("x.real", "x=1", "1:2: "),
    ("x\0", "x=1", "1:2: "),
    ("class", "x=1", "1:1: 'class'"),
    ("__dict__", "x=1", "1:1: "),
    ("x", "__x=1", "--at:1:1: "),
    ("x", "x=__import__('os')", "--at:1:3: "),
    ("x", "x=2;import os", "--at:"),
]


@pytest.mark.parametrize(("text", "at", "message"), BAD, ids=[ascii(f"{b[0]} {b[1]}"[:40]) for b in BAD])
def test_bad_input(text: str, at: str, message: str) -> None:
    result = run(text, "--at", at)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith("error: ")
    first = result.stderr.splitlines()[0]
    assert message in first
    assert len(first) < 200
    assert len(result.stderr.splitlines()) <= 5
    # A place comes with its source line and a caret.
    if re.match(r"error: \S+:\d+:\d+: ", first):
        assert re.search(r"^ *\| +\^", result.stderr, re.MULTILINE) or "^" in result.stderr


USED_WRONGLY = [
    (["check"], "check what? See symgrad check --help"),
    (["grade"], "grade what? See symgrad grade --help"),
    (["check", "work"], "'work' is a folder"),
    (["work"], "'work' is a folder"),
    (["work.txt"], "'work.txt' is a file, but neither a script (.py) nor a notebook (.ipynb)"),
    (["work.py"], "work.py is empty"),
    (["work.py", "other.py"], "one target at a time, and 'other.py' is a second one"),
    (["sin", "x"], "one target at a time, and 'x' is a second one; an expression stands in quotes"),
    (["tahn(x)"], "did you mean 'tanh'?"),
]


@pytest.mark.parametrize(("arguments", "message"), USED_WRONGLY, ids=[" ".join(a) for a, _ in USED_WRONGLY])
def test_what_a_newcomer_types(
    arguments: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "work.txt").write_text("y = x**2\n")
    (tmp_path / "work.py").write_text("\n")
    monkeypatch.chdir(tmp_path)
    result = run(*arguments)
    assert result.exit_code == 2
    assert not result.stdout
    assert message in result.stderr


def test_a_name_is_an_expression_beside_a_folder_of_that_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x").mkdir()
    monkeypatch.chdir(tmp_path)
    assert run("x", "--at", "x=2").exit_code == run("(x)").exit_code == 0


BOMBS = [
    ("9**9**9*x", "x=1", {0, 2}),
    ("exp(exp(exp(exp(x))))", "x=3", {0, 2}),
    ("gamma(gamma(gamma(x)))", "x=7", {0, 2}),
    ("x^x^x^x^x^x", "x=9", {0, 2}),
    ("(" * 50_000 + "x" + ")" * 50_000, "x=1", {2}),
    ("(" * 100_000, "x=1", {2}),
    ("x*" * 500_000, "x=1", {2}),
    ("1e999999999*x", "x=1", {2}),
    ("x", "x=9**9**9", {2}),
    ("x", "x=gamma(gamma(gamma(50)))", {2}),
]


def test_bombs_take_bounded_time_and_memory() -> None:
    """In one process of their own: 200 s and 500 MB for all of them."""
    if not sys.platform.startswith("linux"):
        pytest.skip("peak memory is read from /proc")
    code = """
import json, re, sys
from pathlib import Path
from click.testing import CliRunner
from symgrad.cli import main
out = []
for text, at, codes in json.load(sys.stdin):
    result = CliRunner().invoke(main, ["-", "--at", at], input=text)
    out.append((text[:30], result.exit_code, codes, result.stderr[-200:]))
# Not ru_maxrss: after fork and exec that begins at the memory of the parent, here pytest with torch in it.
peak = int(re.search(r"VmHWM:\\s*(\\d+) kB", Path("/proc/self/status").read_text())[1]) / 1024
print(json.dumps([out, peak]))
"""
    bombs = json.dumps([(text, at, sorted(codes)) for text, at, codes in BOMBS])
    done = subprocess.run(
        [sys.executable, "-c", code], input=bombs, capture_output=True, text=True, timeout=200, check=True
    )
    found, peak = json.loads(done.stdout)
    for text, exit_code, codes, message in found:
        assert exit_code in codes, (text, exit_code, message)
    assert len(found) == len(BOMBS)
    assert peak < 500


# --- as a process -------------------------------------------------------------------------------------------------


def test_as_a_process() -> None:
    command = [sys.executable, "-m", "symgrad", "x*y", "--at", "x=4,y=-3", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert done.stderr == ""
    assert json.loads(done.stdout)["verdict"] == "agree"


def test_a_closed_pipe_is_no_error() -> None:
    """As in ``symgrad ... | head -0``: the reader is gone before anything is written."""
    read, write = os.pipe()
    os.close(read)
    process = subprocess.Popen(
        [sys.executable, "-m", "symgrad", "x = w;" + "x = tanh(w*x);" * 50, "--json"],
        stdout=write, stderr=subprocess.PIPE, cwd=ROOT,
    )  # fmt: skip
    os.close(write)
    _, errors = process.communicate(timeout=60)
    assert errors == b""
    assert process.returncode == 0
