"""Where courses already are: Gradescope, Otter-Grader and nbgrader, each run for real."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from symgrad.cli import main
from symgrad.grading.gradescope import results_of
from tests.homework import HOMEWORK, RIGHT, SUBMISSIONS, graded

ROOT = Path(__file__).parent.parent
LIGHTER = ROOT / "tests" / "lighter"


def environment(**more: str) -> dict[str, str]:
    """That of a command of this very environment, which need not load what takes seconds and is of no use here."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    return {**os.environ, "PATH": path, "PYTHONPATH": f"{LIGHTER}{os.pathsep}{ROOT}", **more}


# --- Gradescope -----------------------------------------------------------------------------------------------------

#: The documented keys of results.json, and of a test in it.
TOP = {"score", "execution_time", "output", "output_format", "test_output_format", "test_name_format", "visibility",
       "stdout_visibility", "extra_data", "tests", "leaderboard"}  # fmt: skip
TEST = {"score", "max_score", "status", "name", "name_format", "number", "output", "output_format", "tags",
        "visibility", "extra_data"}  # fmt: skip
VISIBILITY = {"hidden", "after_due_date", "after_published", "visible"}


def check_format(document: dict[str, Any]) -> None:
    assert set(document) <= TOP
    assert document["visibility"] in VISIBILITY
    assert document["output_format"] in {"text", "html", "simple_format", "md", "ansi"}
    for test in document["tests"]:
        assert set(test) <= TEST
        assert 0 <= test["score"] <= test["max_score"] or test["max_score"] == 0
        assert test["status"] in {"passed", "failed"}
        assert test["visibility"] in VISIBILITY
        assert isinstance(test["output"], str)
    assert document["score"] == pytest.approx(sum(t["score"] for t in document["tests"]))


def test_gradescope_runs_the_autograder_folder(tmp_path: Path) -> None:
    """The folder that symgrad makes, run as Gradescope runs it; the symgrad in it is its own."""
    source = tmp_path / "source"
    made = CliRunner().invoke(
        main, ["gradescope", "--assignment", str(HOMEWORK / "hw.toml"), "--folder", str(source)]
    )  # fmt: skip
    assert made.exit_code == 0, made.output
    for name in ("setup.sh", "run_autograder"):
        assert os.access(source / name, os.X_OK)
        subprocess.run(["bash", "-n", str(source / name)], check=True)
    assert (source / "lib" / "symgrad" / "grading" / "worker.py").is_file()
    assert "sympy==" in (source / "requirements.txt").read_text()
    assert "torch" not in (source / "requirements.txt").read_text()
    (tmp_path / "submission").mkdir()
    shutil.copy(SUBMISSIONS / "dora.py", tmp_path / "submission")
    env = environment(AUTOGRADER_ROOT=str(tmp_path), SYMGRAD_VENV=str(Path(sys.prefix)))
    subprocess.run([str(source / "run_autograder")], check=True, env=env, cwd=tmp_path)
    document = json.loads((tmp_path / "results" / "results.json").read_text())
    check_format(document)
    assert document["score"] == 6.8
    assert [t["score"] for t in document["tests"]] == [4.8, 2, 0]
    assert "dora.py:16" in document["output"]
    shown = json.dumps([t for t in document["tests"] if t["visibility"] != "hidden"]) + document["output"]
    assert "input-for-output" not in shown
    (hidden,) = [t for t in document["tests"] if t["visibility"] == "hidden"]
    assert "input-for-output" in hidden["output"]


@pytest.mark.parametrize(
    ("source", "score"),
    [(RIGHT, 10), ("", 0), ("while", 0), (RIGHT.replace("dw_h +=", "dw_h -="), 9.2), ("import os\nos.x\n", 0)],
)
def test_gradescope_results(source: str, score: float) -> None:
    document = results_of(graded(source, "hw.py"), "after_published")
    check_format(document)
    assert document["score"] == pytest.approx(score, abs=0.5)
    assert document["tests"][0]["visibility"] == "after_published"


def test_markdown_of_a_submission_is_text() -> None:
    document = graded("# ```\n" + RIGHT.replace("(1 - h1**2) * dh1", "(1 - h1) * dh1  # ``` <b>"))
    output = results_of(document)["output"]
    fence = output.split("text\n")[0]
    assert set(fence) == {"`"}
    assert fence not in output[len(fence) : output.rindex(fence)]


@pytest.mark.parametrize(
    "arguments",
    [["--assignment", "x.toml"], ["a.py", "--assignment", "x.toml"], ["a.py", "--assignment", "x", "--results", "r"]],
)
def test_gradescope_options_that_make_no_sense(arguments: list[str]) -> None:
    result = CliRunner().invoke(main, ["gradescope", *arguments])
    assert result.exit_code == 2
    assert "error: " in result.stderr


# --- Otter-Grader ---------------------------------------------------------------------------------------------------


def otter(name: str, folder: Path) -> str:
    pytest.importorskip("otter", reason="Otter-Grader is not installed: pip install 'symgrad[courses]'")
    shutil.copy(SUBMISSIONS / name, folder)
    tests = HOMEWORK / "otter" / "tests"
    done = subprocess.run(
        [sys.executable, "-m", "otter", "check", name, "-t", str(tests)], cwd=folder, env=environment(),
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.stdout + done.stderr


def test_otter_shows_the_diagnostic(tmp_path: Path) -> None:
    text = otter("dora.py", tmp_path)
    assert "Test case passed" in text
    assert "Test case failed" in text
    assert "DerivativeError: wrong gradient: w_h" in text
    assert "8.18" not in text


# --- nbgrader -------------------------------------------------------------------------------------------------------

QUESTION = "import numpy as np\ndef gradient(w):\n"
SOLUTION = "    ### BEGIN SOLUTION\n    return 2*np.tanh(w)*(1 - np.tanh(w)**2)\n    ### END SOLUTION\n"
TEST_CELL = """from symgrad.testing import assert_derivative

assert_derivative("tanh(w)**2", gradient, hint="factor")"""


def notebook(path: Path, answer: str) -> None:
    """A question and its test, as nbgrader's extension marks them."""

    def cell(name: str, text: str, **marks: Any) -> dict[str, Any]:
        about = {"grade": False, "solution": False, "locked": False, "task": False, "schema_version": 3, **marks}
        return {"cell_type": "code", "id": name, "execution_count": None, "outputs": [], "source": text,
                "metadata": {"nbgrader": {**about, "grade_id": name}}}  # fmt: skip

    cells = [
        cell("gradient", QUESTION + answer, solution=True),
        cell("test", TEST_CELL, grade=True, locked=True, points=4),
    ]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    path.parent.mkdir(parents=True)
    path.write_text(
        json.dumps({"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5})
    )


def test_nbgrader_shows_the_diagnostic_and_gives_marks(tmp_path: Path) -> None:
    pytest.importorskip("nbgrader", reason="nbgrader is not installed: pip install 'symgrad[courses]'")
    notebook(tmp_path / "source" / "ps1" / "hw.ipynb", SOLUTION)
    notebook(tmp_path / "submitted" / "ada" / "ps1" / "hw.ipynb", SOLUTION)
    notebook(tmp_path / "submitted" / "emil" / "ps1" / "hw.ipynb", "    return -4*np.tanh(w)*(1 - np.tanh(w)**2)\n")
    for step in ("generate_assignment", "autograde"):
        done = subprocess.run(
            [sys.executable, "-m", "nbgrader", step, "ps1", f"--course-dir={tmp_path}"], cwd=tmp_path,
            env=environment(HOME=str(tmp_path)), capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    from nbgrader.api import Gradebook

    with Gradebook(f"sqlite:///{tmp_path}/gradebook.db") as book:
        assert {s.student.id: s.score for s in book.assignment_submissions("ps1")} == {"ada": 4, "emil": 0}
    graded_cells = json.loads((tmp_path / "autograded" / "emil" / "ps1" / "hw.ipynb").read_text())["cells"]
    (output,) = graded_cells[1]["outputs"]
    assert output["ename"] == "DerivativeError"
    assert output["evalue"] == "wrong gradient: w\nd/dw is -2 times what it should be"
    assert output["traceback"] == output["evalue"].split("\n")
