"""Channels in front and channels at the end: one axis that was to be moved past others, and was not."""

from __future__ import annotations

import pytest

from symgrad.manual import check_source
from symgrad.report.model import Report

CONV = """\
import numpy as np
rng = np.random.RandomState(0)
N, C, F = 2, 2, 3
x, W, G = rng.randn(N, 4, 3, C), rng.randn(F, C), rng.randn(N, F, 4, 3)
cols = x.reshape(-1, C)
out = (cols @ W.T).reshape(N, 4, 3, F).transpose(0, 3, 1, 2)
loss = np.sum(np.tanh(out) * G)

dout = G * (1 - np.tanh(out) ** 2)
drows = dout.transpose(0, 2, 3, 1).reshape(-1, F)
dW = drows.T @ cols
dx = (drows @ W).reshape(x.shape)
"""


def diagnosed(source: str) -> Report:
    return check_source(source, sandbox=False)


@pytest.mark.parametrize("left", ["dout.reshape(-1, F)", "dout.transpose(0, 2, 1, 3).reshape(-1, F)"])
def test_an_axis_that_was_not_moved(left: str) -> None:
    old = "dout.transpose(0, 2, 3, 1).reshape(-1, F)"
    report = diagnosed(CONV.replace(old, left))
    (found,) = [f for f in report.findings if f.root]
    assert found.line == 10, report.explain()
    assert found.fix_verified, report.explain()


def test_the_right_pass_is_left_alone() -> None:
    report = diagnosed(CONV)
    assert not report.findings, report.explain()
