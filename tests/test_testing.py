"""symgrad.testing: assertions whose text is the diagnostic; under pytest, unittest, and by themselves."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import warnings
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import symgrad
from examples.check_backward import Neuron
from symgrad.errors import Span, SymgradError
from symgrad.report.model import Report, Unchecked
from symgrad.testing import (
    DerivativeError,
    NotChecked,
    assert_backward,
    assert_derivation,
    assert_derivative,
    assert_report,
)

ROOT = Path(__file__).parent.parent
FLAGSHIP = "40*tanh(w*tanh(w*0.5))"
RIGHT = "20*(w*sech(w/2)**2 + 2*tanh(w/2))*sech(w*tanh(w/2))**2"
WRONG = "40*(1-(w*tanh(w*0.5))**2)*(tanh(w*0.5)+w*(1-tanh(w*0.5)**2)*0.5)"


def said(call: Callable[..., None], *args: Any, **options: Any) -> str:
    """The text of the assertion that fails; empty where none does."""
    try:
        call(*args, **options)
    except AssertionError as error:
        return str(error)
    return ""


RIGHT_ANSWERS: list[tuple[str, Any, dict[str, Any]]] = [
    (FLAGSHIP, RIGHT, {}),
    (FLAGSHIP, {"w": RIGHT}, {"at": "w=2"}),
    ("tanh(w)**3", lambda w: 3 * np.tanh(w) ** 2 / np.cosh(w) ** 2, {}),
    (FLAGSHIP, 8.188808168328, {"at": {"w": 2}}),
    ("x**2*y", (12.0, 9), {"at": "x=3,y=2"}),
    ("x**2*y", {"y": 9}, {"at": "x=3,y=2"}),
    ("x**2*y", lambda y, x: {"x": 2 * x * y, "y": x * x}, {}),
    ("sum(W @ x)", lambda W, x: (np.outer(np.ones(2), x), W.sum(0)), {"shapes": {"W": (2, 3), "x": (3,)}}),
    ("sum((W @ x)**2)", {"W": "2*outer(W @ x, x)"}, {"shapes": {"W": (2, 3), "x": (3,)}}),
]
WRONG_ANSWERS: list[tuple[str, Any, dict[str, Any], str]] = [
    (FLAGSHIP, WRONG, {}, "w"),
    (FLAGSHIP, 8.1, {"at": {"w": 2}}, "w"),
    (FLAGSHIP, lambda w: 40 * np.tanh(w), {}, "w"),
    ("x**2*y", {"x": "2*x*y", "y": "x"}, {}, "y"),
    ("x**2*y", (12.0, 3), {"at": "x=3,y=2"}, "y"),
    ("x**2*y", lambda x, y: (2 * x * y, 9.0), {"at": "x=3,y=2"}, "y"),  # a number that was written down
    ("sum(W @ x)", lambda W, x: (np.ones((2, 3)), W.sum(0)), {"shapes": {"W": (2, 3), "x": (3,)}}, "W"),
    ("sum((W @ x)**2)", {"x": "W.T @ (W @ x)"}, {"shapes": {"W": (2, 3), "x": (3,)}}, "x"),
]


@pytest.mark.parametrize("case", RIGHT_ANSWERS, ids=range(len(RIGHT_ANSWERS)))
def test_right_answers(case: tuple[str, Any, dict[str, Any]]) -> None:
    assert_derivative(case[0], case[1], **case[2])


@pytest.mark.parametrize("hint", ["none", "line", "factor", "fix"])
@pytest.mark.parametrize("case", WRONG_ANSWERS, ids=range(len(WRONG_ANSWERS)))
def test_wrong_answers(case: tuple[str, Any, dict[str, Any], str], hint: str) -> None:
    text = said(assert_derivative, case[0], case[1], hint=hint, **case[2])
    assert text.startswith(f"wrong gradient: {case[3]}")
    if hint in ("none", "line"):
        assert not re.search(r"should be|times|proven|8\.18|belongs", text)
    if hint == "none":
        assert "\n" not in text


@pytest.mark.parametrize(
    ("function", "answer", "options", "says"),
    [
        (FLAGSHIP, "40*tnah(w)", {}, "tnah"),
        (FLAGSHIP, "1", {"hint": "lines"}, "no such level"),
        ("relu(x)", "heaviside(x)", {"at": "x=0"}, "cannot be judged"),
        ("x*y", "y", {}, "say whose"),
        ("x*y", (1.0, 2.0, 3.0), {"at": "x=1,y=2"}, "must have 2 gradients"),
        ("x*y", {"z": 1.0}, {"at": "x=1,y=2"}, "no input 'z'"),
    ],
)
def test_what_cannot_be_judged_is_no_failure(function: str, answer: Any, options: dict[str, Any], says: str) -> None:
    """The question is wrong, or the answer unreadable: an error of the test, and never "your derivative is wrong"."""
    with pytest.raises(SymgradError, match=says):
        assert_derivative(function, answer, **options)


def test_backward_passes() -> None:
    def forward(x: float, w: float) -> Any:
        z = w * x
        return np.tanh(z), (x, w, z)

    def right(dout: float, cache: Any) -> Any:
        x, w, z = cache
        dz = dout / np.cosh(z) ** 2
        dx = dz * w
        dw = dz * x
        return dx, dw

    assert_backward(forward, right, {"x": 0.7, "w": -0.6})
    text = said(assert_backward, Neuron(w=0.8, b=-0.1), inputs={"x": 0.6}, hint="line", message="question 3")
    assert text.startswith("question 3\nwrong gradients: ")
    assert "dz = dout * (1 - self.z**2)" in text
    assert "fix: 1 - self.y**2" in said(assert_backward, Neuron(w=0.8, b=-0.1), inputs={"x": 0.6})
    assert not hasattr(DerivativeError("x"), "report")


def test_files() -> None:
    assert_derivation(ROOT / "examples" / "affine_chain.py")
    assert "homework.ipynb, cell 5, line 2" in said(assert_derivation, str(ROOT / "examples" / "homework.ipynb"))


def test_what_is_not_checked_is_a_warning() -> None:
    report = symgrad.check("x**2", manual="2*x")
    assert isinstance(report, Report)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert_report(report)
        assert_report(replace(report, unchecked=(Unchecked("q", Span("a.py", 4, 1, 4, 9)),)))
    assert [(w.category, str(w.message)) for w in caught] == [(NotChecked, "not checked: a.py:4: q")]


# --- pytest and unittest, as courses run them -----------------------------------------------------------------------

HOMEWORK_TEST = '''
import numpy as np

SECRET = "40*(1 - tanh(w)**2)"


def student(w):
    return 40*np.tanh(w)


def test_wrong(derivatives):
    derivatives.assert_derivative("40*tanh(w)", student)


def test_right(derivatives):
    derivatives.assert_derivative("40*tanh(w)", SECRET)


def test_other():
    assert 1 == 2
'''


def run_pytest(folder: Path, *options: str, bare: bool = True) -> str:
    """A run of pytest in a process of its own.

    Args:
        bare: without the plugins of this environment but ours, which start slowly; else as it comes, with ours by its
            entry point where symgrad is installed.
    """
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    installed = not bare and any(e.name == "symgrad" for e in entry_points(group="pytest11"))
    if bare:
        env["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    plugin = [] if installed else ["-p", "symgrad.pytest_plugin"]
    command = [sys.executable, "-m", "pytest", *plugin, "-p", "no:cacheprovider", *options]
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("options", [("-q", "-n", "1"), ("-q",), ("-v", "-l", "--tb=long")])
def test_pytest_shows_the_diagnostic_and_nothing_else(tmp_path: Path, options: tuple[str, ...]) -> None:
    (tmp_path / "test_hw.py").write_text(HOMEWORK_TEST)
    (tmp_path / "pytest.ini").write_text("[pytest]\nsymgrad_hint = line\n")
    out = run_pytest(tmp_path, *options, bare="-n" not in options)
    assert "wrong gradient: w" in out
    assert "SECRET" not in out
    assert "Traceback" not in out
    assert re.search(r"FAILED test_hw.py::test_wrong - wrong gradient: w$", out, re.M)
    assert "assert 1 == 2" in out  # other failures are shown as ever
    assert "2 failed, 1 passed" in out


def test_pytest_options(tmp_path: Path) -> None:
    (tmp_path / "test_hw.py").write_text(HOMEWORK_TEST)
    out = run_pytest(tmp_path, "-q", "--symgrad-hint", "factor", "--symgrad-full-trace")
    assert "times what it should be" in out or "should be" in out
    assert "derivatives.assert_derivative(" in out


def test_unittest_shows_the_diagnostic(tmp_path: Path) -> None:
    (tmp_path / "test_hw.py").write_text(
        "import unittest\nfrom symgrad.testing import assert_derivative\n\n\nclass Homework(unittest.TestCase):\n"
        "    def test_one(self):\n        with self.subTest('w'):\n"
        f"            assert_derivative({FLAGSHIP!r}, {WRONG!r}, hint='factor')\n"
    )
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-m", "unittest", "-q"], cwd=tmp_path, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "symgrad.testing.DerivativeError: wrong gradient: w" in done.stderr
    assert "^^^^^^^^^^^^^^^^^^^^ should be 0.94654, is 0.94456" in done.stderr
    assert "During handling" not in done.stderr
