"""Slips of a text in and around loops: places that stay, caches unpacked in another order, counts of rounds."""

from __future__ import annotations

import pytest

from symgrad.manual import check_source
from symgrad.report.model import Report

CONV = """\
import numpy as np
rng = np.random.RandomState(7)
width, stride = 3, 2
x, W, G = rng.randn(2, 9), rng.randn(4, 3), rng.randn(2, 4, 4)
out = np.zeros((2, 4, 4))
for t in range(4):
    out[:, :, t] = x[:, t * stride : t * stride + width] @ W.T
loss = np.sum(G * out)

dW = np.zeros_like(W)
dx = np.zeros_like(x)
for t in range(4):
    lo = t * stride
    hi = lo + width
    dW += G[:, :, t].T @ x[:, lo:hi]
    dx[:, lo:hi] += G[:, :, t] @ W
"""

CELL = """\
import numpy as np
rng = np.random.RandomState(3)
T, N, D, H = 3, 2, 4, 3
x, h0, G = rng.randn(N, T, D), rng.randn(N, H), rng.randn(N, T, H)
Wx, Wh, b = rng.randn(D, 3 * H), rng.randn(H, 3 * H), rng.randn(3 * H)
h, caches, hs = h0, [], []
for t in range(T):
    a = x[:, t, :] @ Wx + h @ Wh + b
    i = 1 / (1 + np.exp(-a[:, :H]))
    f = 1 / (1 + np.exp(-a[:, H : 2 * H]))
    g = np.tanh(a[:, 2 * H :])
    caches.append((h, i, f, g, a))
    h = f * h + i * g
    hs.append(h)
loss = sum(np.sum(hs[t] * G[:, t, :]) for t in range(T))

dWx, dWh, db = np.zeros_like(Wx), np.zeros_like(Wh), np.zeros_like(b)
dh_next = np.zeros((N, H))
for t in reversed(range(T)):
    h_prev, i, f, g, a = caches[t]
    dh = G[:, t, :] + dh_next
    df = dh * h_prev
    di = dh * g
    dg = dh * i
    da = np.concatenate([di * i * (1 - i), df * f * (1 - f), dg * (1 - g**2)], axis=1)
    dWx += x[:, t, :].T @ da
    dWh += h_prev.T @ da
    db += da.sum(axis=0)
    dh_next = da @ Wh.T + dh * f
dh0 = dh_next
"""

SUMS = """\
import numpy as np
rng = np.random.RandomState(5)
W, X, y = rng.randn(3, 4), rng.randn(5, 3), np.array([3, 0, 2, 3, 1])
num_train, num_classes, reg = 5, 4, 0.25
loss, probs = 0.0, []
for i in range(num_train):
    p = np.exp(X[i].dot(W)) / np.sum(np.exp(X[i].dot(W)))
    probs.append(p)
    loss = loss - np.log(p[y[i]])
loss = loss / num_train + 0.5 * reg * np.sum(W * W)

dW = np.zeros(W.shape)
for i in range(num_train):
    for j in range(num_classes):
        dscore = probs[i][j] - (j == y[i])
        dW[:, j] += dscore * X[i]
dW /= num_train
dW += reg * W
"""

ADDED = """\
import numpy as np
rng = np.random.RandomState(9)
x, R = rng.randn(5, 3), rng.randn(5, 3)
n = 5
mean = x.sum(0) / n
d = x - mean
var = (d**2).sum(0) / (n - 1)
inv = (var + 1e-3) ** -0.5
out = d * inv
loss = (out * R).sum()

dd = inv * R
dinv = (d * R).sum(0)
dvar = -0.5 * (var + 1e-3) ** -1.5 * dinv
dsq = np.ones_like(d) * dvar / (n - 1)
dd += 2 * d * dsq
dx = dd.copy()
dmean = -dd.sum(0)
dx += np.ones_like(x) * dmean / n
"""

#: (source, what is replaced by what, where it is then, kind, what the fix holds)
SLIPS = {
    "the same place in every round": (CONV, "lo = t * stride", "lo = width * stride", "wrong-variable", "t"),
    "a long cache in another order": (
        CELL, "h_prev, i, f, g, a = caches", "h_prev, f, i, g, a = caches", "wrong-variable", "h_prev, i, f, g, a",
    ),
    "the number of a round for a count": (SUMS, "dW /= num_train", "dW /= j", "scale", "num_train"),
    "copied before it is whole": (
        ADDED, "dd += 2 * d * dsq\ndx = dd.copy()", "dx = dd.copy()\ndd += 2 * d * dsq", "overwritten", "dd += 2",
    ),
}  # fmt: skip


def diagnosed(source: str) -> Report:
    return check_source(source, sandbox=False)


@pytest.mark.parametrize("case", SLIPS.values(), ids=SLIPS)
def test_slips_in_loops(case: tuple[str, str, str, str, str]) -> None:
    source, old, new, kind, fix = case
    assert source.count(old) == 1
    text = source.replace(old, new)
    report = diagnosed(text)
    (found,) = [f for f in report.findings if f.root]
    assert found.line == text[: text.index(new)].count("\n") + 1, report.explain()
    assert found.mistake == kind, report.explain()
    assert fix in found.fix, report.explain()
    assert found.fix_verified, report.explain()


@pytest.mark.parametrize("source", [CONV, CELL, SUMS, ADDED])
def test_right_passes_are_left_alone(source: str) -> None:
    report = diagnosed(source)
    assert not [f for f in report.findings if f.root], report.explain()
    assert report.exit_code == 0
