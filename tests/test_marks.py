"""Partial credit: each step judged given its own inputs, rubrics, and what is neither right nor wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

import symgrad
from symgrad.errors import Span, SymgradError
from symgrad.report.hints import LEVELS, hinted
from symgrad.report.marks import Rubric, marked_steps, rubric_of
from symgrad.report.model import Report

EXAMPLES = Path(__file__).parent.parent / "examples"


@pytest.fixture(scope="module")
def forum() -> Report:
    """Four wrong factors in two derivations."""
    report = symgrad.check(EXAMPLES / "recurrent_tanh.py")
    assert isinstance(report, Report)
    return report


def test_error_carried_forward(forum: Report) -> None:
    status = {(s.name, s.span.line if s.span else 0): s.status for s in forum.marks().steps}
    assert [line for (_, line), s in status.items() if s == "wrong"] == [25, 27, 35, 38]
    assert status["dh2raw_dwh", 26] == status["dh1", 37] == "carried"
    assert status["dw_y", 34] == "right"
    assert forum.score == pytest.approx(8 / 12)


def test_a_right_derivation_has_all_marks() -> None:
    report = symgrad.check(EXAMPLES / "affine_chain.py")
    assert isinstance(report, Report)
    assert report.score == 1
    assert report.marks().open == 0


@pytest.mark.parametrize(
    ("rubric", "earned"),
    [
        ({}, 10 * 8 / 12),
        ({"points": 26}, 26 * 8 / 12),
        ({"mistakes": {"input-for-output": 0.25}}, 10 * 11 / 12),
        ({"mistakes": {"*": 0}}, 10),
        ({"steps": {"dh*": 0}}, 10),
        ({"steps": {"dh2_raw": 3, "dh1_raw": 3, "*": 0}}, 0),
        ({"gradients": {"w_h": 6, "w_y": 4}}, 6 * 3 / 5 + 4),
        ({"gradients": {"w_h": 1, "h0": 1}}, 5 * 3 / 5),
    ],
)
def test_rubrics(forum: Report, rubric: dict[str, object], earned: float) -> None:
    assert forum.marks(rubric).earned == pytest.approx(earned)
    assert forum.marks(rubric_of(rubric)).earned == pytest.approx(earned)


def test_a_rubric_in_toml(forum: Report) -> None:
    text = "[rubric]\npoints = 20\n[rubric.gradients]\nw_h = 1\nw_y = 1\n[rubric.mistakes]\nsign = 0.1\n"
    marks = forum.marks(text)
    assert marks.out_of == 20
    assert marks.gradients["w_y"] == (10, 0, 10)


@pytest.mark.parametrize(
    ("rubric", "says"),
    [
        ("[rubric", "no TOML"),
        ("[rubric]\npointz = 1", "did you mean 'points'"),
        ("[rubric]\npoints = true", "a number"),
        ("[rubric]\npoints = inf", "finite"),
        ("[rubric.mistakes]\nsign = 1.5", "from 0 to 1"),
        ("[rubric.steps]\ndx = -1", "from 0 on"),
        ("[rubric]\nsteps = 3", "table"),
        (3, "table"),
    ],
)
def test_rubrics_that_cannot_be_used(forum: Report, rubric: object, says: str) -> None:
    with pytest.raises(SymgradError, match=says):
        forum.marks(rubric)


@pytest.mark.parametrize(("choice", "earned", "still"), [("review", 0, 10), ("right", 10, 0), ("wrong", 0, 0)])
def test_what_was_not_checked_is_open(forum: Report, choice: str, earned: float, still: float) -> None:
    from dataclasses import replace

    from symgrad.report.model import Judged

    judged = Judged("q", Span("a.py", 3, 1, 3, 5), "unchecked")
    report = replace(forum, judged=(judged,), findings=())
    marks = report.marks({"unchecked": choice})
    assert (marks.earned, marks.open) == (earned, still)


def test_a_loop_is_one_step(tmp_path: Path) -> None:
    path = tmp_path / "loop.py"
    path.write_text(
        "import math\nw = 0.7\nh = [0.3]\nfor t in range(4):\n    h.append(math.tanh(w*h[t]))\nloss = h[4]\n"
        "dw = 0.0\ndh = 1.0\nfor t in reversed(range(4)):\n    dz = (1 - h[t + 1]**2)*dh\n    dw += dz*h[t + 1]\n"
        "    dh = dz*w\n"
    )
    report = symgrad.check(path)
    assert isinstance(report, Report)
    steps = {s.name: s for s in marked_steps(report, Rubric()) if s.span and s.span.line >= 10}
    assert set(steps) == {"dz", "dw", "dh"}
    assert steps["dw"].status == "wrong"
    assert steps["dz"].status == steps["dh"].status == "right"


def test_formulas_have_marks() -> None:
    report = symgrad.check("x**2*y", manual={"x": "2*x*y", "y": "x"})
    assert isinstance(report, Report)
    assert report.score == 0.5
    with pytest.raises(SymgradError, match="no step"):
        symgrad.check("x**2", "x=3").marks()  # type: ignore[union-attr]


def test_notebooks_have_marks() -> None:
    report = symgrad.check(EXAMPLES / "homework.ipynb")
    assert isinstance(report, Report)
    assert [(s.name, s.status) for s in report.marks().steps] == [("dz", "right"), ("dw", "wrong"), ("db", "right")]
    assert report.judged[1].span.cell == 5
    assert report.score == pytest.approx(2.5 / 3)  # a constant factor costs half a step


def test_hints_tell_more_and_more(forum: Report) -> None:
    texts = [hinted(forum, level) for level in LEVELS]
    assert texts[0] == "wrong gradient: w_h"
    assert "recurrent_tanh.py:25" in texts[1]
    assert "the factor dh2/dh2_raw is wrong" in texts[2]
    assert "should be 0.17326" in texts[2]
    assert "fix: 1 - h2**2" in texts[3]
    for text in texts[:2]:  # below "factor" the right value can be read nowhere, nor the kind of the mistake
        for secret in ("0.17", "0.41", "h2**2", "h1**2", "belongs", "should", "dh2/dh2_raw"):
            assert secret not in text
    assert "h2**2" not in texts[2]
    with pytest.raises(SymgradError, match="did you mean 'line'"):
        hinted(forum, "lines")
