"""Functions whose lines read like those of the forward pass, run on gradients: rotations, shifts, the same one again.

What is worked out in them is no value of the forward pass that was run once more: all that follows is checked.
"""

from __future__ import annotations

import pytest

from symgrad.manual import check_source
from symgrad.report.model import Report

HEAD = """\
import numpy as np
rng = np.random.RandomState(4)
T, d = 5, 4
x, Wq, Wk, R = rng.randn(T, d), rng.randn(d, d), rng.randn(d, d), rng.randn(T, T)
angle = np.arange(T)[:, None] / 10 ** (np.arange(0, d, 2) / d)
cos, sin = np.cos(angle), np.sin(angle)

"""
#: A function with lines of its own.
APART = HEAD + """\
def rope(v):
    v1, v2 = v[:, 0::2], v[:, 1::2]
    out = np.zeros_like(v)
    out[:, 0::2] = v1 * cos - v2 * sin
    out[:, 1::2] = v1 * sin + v2 * cos
    return out

def rope_backward(g):
    g1, g2 = g[:, 0::2], g[:, 1::2]
    out = np.zeros_like(g)
    out[:, 0::2] = g1 * cos + g2 * sin
    out[:, 1::2] = g2 * cos - g1 * sin
    return out

qr, kr = rope(x @ Wq), rope(x @ Wk)
out = qr @ kr.T / np.sqrt(d)
loss = (out * R).sum()

dout = R
dqr = dout @ kr / np.sqrt(d)
dkr = dout.T @ qr / np.sqrt(d)
dq, dk = rope_backward(dqr), rope_backward(dkr)
dWq, dWk = x.T @ dq, x.T @ dk
dx = dq @ Wq.T + dk @ Wk.T
"""  # fmt: skip
#: The same function, turned the other way round.
AGAIN = HEAD + """\
def rotate(v, cos, sin):
    v1, v2 = v[:, : d // 2], v[:, d // 2 :]
    out = np.concatenate([v1 * cos - v2 * sin, v1 * sin + v2 * cos], axis=1)
    return out

qr, kr = rotate(x @ Wq, cos, sin), rotate(x @ Wk, cos, sin)
out = qr @ kr.T / np.sqrt(d)
loss = (out * R).sum()

dout = R
dqr = dout @ kr / np.sqrt(d)
dkr = dout.T @ qr / np.sqrt(d)
dq = rotate(dqr, cos, -sin)
dk = rotate(dkr, cos, -sin)
dWq, dWk = x.T @ dq, x.T @ dk
dx = dq @ Wq.T + dk @ Wk.T
"""  # fmt: skip

#: (source, what is replaced by what, the text of the blamed line as it is then)
SLIPS = {
    "sign in the function": (APART, "g1 * cos + g2 * sin", "g1 * cos - g2 * sin", "    out[:, 0::2] = g1 * cos - g2"),
    "behind it, a term": (APART, " + dk @ Wk.T", "", "dx = "),
    "behind it, a variable": (APART, "dk @ Wk.T", "dk @ Wq.T", "dx = "),
    "behind it, of two": (APART, "x.T @ dq, x.T @ dk", "x.T @ dq, x.T @ dq", "dWq, dWk"),
    "behind the same function": (AGAIN, "dk @ Wk.T", "dk @ Wq.T", "dx = "),
    "behind the same function, a term": (AGAIN, "dq @ Wq.T + ", "", "dx = "),
}


def diagnosed(source: str) -> Report:
    return check_source(source, sandbox=False)


@pytest.mark.parametrize("case", SLIPS.values(), ids=SLIPS)
def test_what_follows_is_checked(case: tuple[str, str, str, str]) -> None:
    source, old, new, blamed = case
    assert source.count(old) == 1
    text = source.replace(old, new)
    report = diagnosed(text)
    (found,) = [f for f in report.findings if f.root]
    (line,) = [n for n, row in enumerate(text.split("\n"), 1) if row.startswith(blamed)]
    assert found.line == line, report.explain()


@pytest.mark.parametrize("source", [APART, AGAIN])
def test_right_passes_are_right_to_the_end(source: str) -> None:
    report = diagnosed(source)
    assert not report.findings, report.explain()
    assert {"dq", "dk", "dWq", "dWk", "dx"} <= set(report.confirmed)
