"""The example homework, and submissions to it that tests write."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from symgrad.grading.assignment import Assignment, read_assignment
from symgrad.grading.pool import run_task
from symgrad.grading.submissions import Submission
from symgrad.grading.worker import to_task

HOMEWORK = Path(__file__).parent.parent / "examples" / "homework"
SUBMISSIONS = HOMEWORK / "submissions"

FORWARD = """import numpy as np
import math

w_y = 40.0
w_h = 2.0
h0 = 0.5
h1_raw = w_h * h0
h1 = np.tanh(h1_raw)
h2_raw = w_h * h1
h2 = np.tanh(h2_raw)
y2 = w_y * h2
"""
RIGHT = (
    FORWARD
    + """dy2 = 1.0
dw_y = h2 * dy2
dh2 = w_y * dy2
dh2_raw = (1 - h2**2) * dh2
dw_h = h1 * dh2_raw
dh1 = w_h * dh2_raw
dh1_raw = (1 - h1**2) * dh1
dw_h += h0 * dh1_raw
"""
)


def assignment() -> Assignment:
    return read_assignment(HOMEWORK / "hw.toml")


def graded(source: str | bytes, name: str = "hw.py", to: Assignment | None = None, **files: bytes) -> dict[str, Any]:
    """The document of one submission, graded by a warm worker."""
    data = source.encode() if isinstance(source, str) else source
    return run_task((to or assignment()).to_json(), to_task(Submission(name, {name: data, **files})))
