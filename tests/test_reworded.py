"""Slips that leave no trace in what was computed, and derivatives told in the names that the user has."""

from __future__ import annotations

import numpy as np
import pytest

from symgrad.diagnose.text.rewordings import rewordings
from symgrad.diagnose.words.numbers import Numbers
from symgrad.frontends.tracing import trace_source
from symgrad.manual import check_source
from symgrad.report.model import Report
from symgrad.subjects.chosen import choose

SOFTMAX = """\
import numpy as np
rng = np.random.RandomState(0)
X, W, y = rng.randn(5, 4), rng.randn(4, 3), np.array([0, 2, 1, 1, 0])
N = X.shape[0]
scores = X @ W
p = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
loss = -np.log(p[np.arange(N), y]).mean()

dscores = p.copy()
dscores[np.arange(N), y] -= 1
dscores /= N
dW = X.T @ dscores
dX = dscores @ W.T
"""

POOL = """\
import numpy as np
rng = np.random.RandomState(1)
def forward(x, size, stride):
    rows = (x.shape[1] - size) // stride + 1
    out = np.zeros((x.shape[0], rows))
    for i in range(rows):
        out[:, i] = np.max(x[:, i * stride : i * stride + size], axis=1)
    return out, (x, size, stride)

def backward(dout, cache):
    x, size, stride = cache
    dx = np.zeros_like(x)
    for n in range(x.shape[0]):
        for i in range(dout.shape[1]):
            r = i * stride
            window = x[n, r : r + size]
            mask = window == np.max(window)
            dx[n, r : r + size] += mask * dout[n, i]
    return dx

x = rng.randn(3, 6)
out, cache = forward(x, 3, 2)
dout = rng.randn(*out.shape)
loss = np.sum(out * dout)
dx = backward(dout, cache)
"""

NET = """\
import numpy as np
rng = np.random.RandomState(2)
X, Y, W1, W2 = rng.randn(6, 4), rng.randn(6, 2), rng.randn(4, 3), rng.randn(3, 2)
m, k = X.shape[0], 4
h = np.tanh(X @ W1)
out = h @ W2
loss = np.sum((out - Y) ** 2) / Y.size

dout = 2 * (out - Y) / Y.size
dW2 = h.T @ dout
dh = dout @ W2.T
dz = dh * (1 - h**2)
dW1 = X.T @ dz
"""

NORM = """\
import numpy as np
rng = np.random.RandomState(3)
x, g, R = rng.randn(3, 5), rng.randn(5), rng.randn(3, 5)
n = x.shape[-1]
mu = x.sum(axis=-1, keepdims=True) / n
c = x - mu
v = (c * c).sum(axis=-1, keepdims=True) / n
s = np.sqrt(v + 1e-4)
xn = c / s
out = xn * g
loss = (out * R).sum()

xn_grad = R * g
c_grad = xn_grad / s
s_grad = (-xn_grad * c / s**2).sum(axis=-1, keepdims=True)
v_grad = s_grad / (2 * s)
c_grad += 2 * c * v_grad / n
mu_grad = -c_grad.sum(axis=-1, keepdims=True)
x_grad = c_grad + mu_grad / n
"""

#: (source, what is replaced by what, text of the blamed line as it is then, kind, what the fix holds)
SLIPS = {
    "lines in the wrong order": (
        SOFTMAX, "dscores /= N\ndW = X.T @ dscores", "dW = X.T @ dscores\ndscores /= N", "dW = X.T @ dscores",
        "overwritten", "dscores /= N",
    ),
    "changed before it is read": (
        NET, "dW2 = h.T @ dout\ndh = dout @ W2.T", "dout = dout @ W2.T\ndW2 = h.T @ dout\ndh = dout",
        "dout = dout @ W2.T", "overwritten", "dW2 = h.T @ dout",
    ),
    "return in a loop": (
        POOL, "    return dx\n", "        return dx\n", "        return dx", "lost-accumulation", "return dx",
    ),
    "unpacked in another order": (
        POOL, "    x, size, stride = cache", "    x, stride, size = cache", "    x, stride, size = cache",
        "wrong-variable", "x, size, stride",
    ),
    "bound of a slice": (
        POOL, "window = x[n, r : r + size]", "window = x[n, r : size]", "            window = x[n, r : size]",
        "wrong-formula", "r : r + size",
    ),
    "item of an array": (
        POOL, "+= mask * dout[n, i]", "+= mask", "            dx[n, r : r + size] += mask", "missing-factor",
        "mask * dout[n, i]",
    ),
    "another count": (SOFTMAX, "dscores /= N", "dscores /= k\nk = 1", "dscores /= k", "scale", "N"),
    "what is used nowhere": (
        NORM, "x_grad = c_grad + mu_grad / n", "x_mean = mu_grad / n\nx_grad = c_grad", "x_grad = c_grad",
        "missing-term", "c_grad + x_mean",
    ),
    "a line that is missing": (
        NORM, "c_grad += 2 * c * v_grad / n\n", "", "c_grad = xn_grad / s", "missing-term",
        "c_grad += 2*v_grad*c/n",
    ),
    "a term that is right as it stands": (
        NET.replace("/ Y.size\n\n", "/ Y.size + 0.1 * np.sum(W2 * W2)\n\n"), "dW2 = h.T @ dout",
        "dW2 = h.T @ dout + 0.1 * W2\ndW2 = dW2 + 2 * 0.1 * W2", "dW2 = h.T @ dout + 0.1 * W2", "extra-term",
        "h.T @ dout",
    ),
}  # fmt: skip


def diagnosed(source: str) -> Report:
    return check_source(source, sandbox=False)


@pytest.mark.parametrize("case", SLIPS.values(), ids=SLIPS)
def test_slips_of_a_text(case: tuple[str, str, str, str, str, str]) -> None:
    source, old, new, line, kind, fix = case
    assert source.count(old) == 1
    text = source.replace(old, new)
    if "k = 1" in text:
        text = text.replace("\nk = 1", "").replace("N = X.shape[0]\n", "N = X.shape[0]\nk = 3\n")
    report = diagnosed(text)
    (found,) = [f for f in report.findings if f.root]
    assert found.line == text.split("\n").index(line) + 1, report.explain()
    assert found.mistake == kind, report.explain()
    assert fix in found.fix, report.explain()
    assert found.fix_verified, report.explain()


@pytest.mark.parametrize("source", [SOFTMAX, POOL, NET, NORM])
def test_right_passes_are_left_alone(source: str) -> None:
    report = diagnosed(source)
    assert not report.findings, report.explain()


def test_counts_are_told_by_their_names() -> None:
    report = diagnosed(NET.replace("2 * (out - Y) / Y.size", "2 * (out - Y)"))
    (found,) = [f for f in report.findings if f.root]
    assert found.fix.endswith("/Y.size")


def test_a_gradient_that_is_held_is_written_by_its_name() -> None:
    """dscale is made of dK, which is there, by way of two values whose gradients are not."""
    source = """\
import numpy as np
rng = np.random.RandomState(4)
A, log_s, R = rng.randn(4, 4), 0.3, rng.randn(4, 4)
D = A * A
s2 = np.exp(2 * log_s)
Kf = s2 * np.exp(-D)
K = Kf + np.eye(4)
loss = np.sum(R * np.tanh(K))
dK = R * (1 - np.tanh(K) ** 2)
dlog_s = 2
"""
    (found,) = [f for f in diagnosed(source).findings if f.root]
    assert "dK" in found.fix
    assert "tanh" not in found.fix
    assert found.fix_verified


def test_what_autograd_hands_over_is_a_factor() -> None:
    pytest.importorskip("torch")
    source = """\
import torch
class Squash(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        y = torch.tanh(x)
        ctx.save_for_backward(y)
        return y
    @staticmethod
    def backward(ctx, grad_output):
        (y,) = ctx.saved_tensors
        return 1 - y**2
x = torch.randn(4, 3, dtype=torch.float64, requires_grad=True)
loss = (Squash.apply(x) ** 3).sum()
loss.backward()
print(x.grad)
"""
    (found,) = [f for f in diagnosed(source).findings if f.root]
    assert "grad_output" in found.fix
    assert found.mistake == "missing-factor"


def test_sign_in_a_derivation_is_no_straight_through_estimator() -> None:
    source = """\
import numpy as np
rng = np.random.RandomState(5)
r, s = rng.randn(5), rng.rand(5) + 0.5
loss = np.sum(s * np.abs(r)) / np.sum(s)
dr = s * np.sign(r) / s
"""
    report = diagnosed(source)
    assert not any("straight" in f.message for f in report.findings)
    (found,) = [f for f in report.findings if f.root]
    assert found.mistake in ("missing-reduction", "wrong-reduction")


def test_numbers_know_shapes() -> None:
    trace = trace_source(NET, "net.py")
    numbers = Numbers(choose(trace, None, {}, None))
    assert numbers.called(6, 9) == "m"
    assert numbers.called(12, 9) == "Y.size"
    assert numbers.named("dout/12", 9) == "dout/Y.size"
    assert numbers.named("dout/12", 9, own="dout/12") == "dout/12"
    assert numbers.named("x/2", 9) == "x/2"


def test_rewordings_keep_to_the_derivation() -> None:
    lines = set(range(9, 14))
    found = rewordings(SOFTMAX, lines, {12}, {"X": 2, "dscores": 2})
    assert found
    assert all(r.line in lines for r in found)
    assert not rewordings("def (", lines, {12}, {})
    assert np.all(np.diff([r.cost for r in found]) >= 0)


LISTS = """\
import math
x, t = [0.4, -0.7, 1.2], [0.3, -0.5]
w = [[0.5, -0.3, 0.8], [0.2, 0.9, -0.6]]
out = [math.tanh(sum(w[k][i] * x[i] for i in range(3))) for k in range(2)]
loss = sum((out[k] - t[k]) ** 2 for k in range(2)) / 2
dw = [[0.0] * 3 for _ in range(2)]
for k in range(2):
    dz = (out[k] - t[k]) * (1 - out[k] ** 2)
    for i in range(3):
        dw[k][i] = dz * x[i]
"""


@pytest.mark.parametrize(
    ("old", "new", "fix"),
    [("dz * x[i]", "dz * x[i - 1]", "x[i]"), ("dz * x[i]", "dz", "dz*x[i]")],
    ids=["another entry", "a factor is missing"],
)
def test_rows_of_lists_of_lists_are_told_apart(old: str, new: str, fix: str) -> None:
    assert not diagnosed(LISTS).findings
    report = diagnosed(LISTS.replace(old, new))
    (found,) = [f for f in report.findings if f.root]
    assert found.line == 10, report.explain()
    assert fix in found.fix, report.explain()
    assert found.fix_verified


def test_a_method_that_returns_the_wrong_thing_is_to_blame_itself() -> None:
    source = """\
import numpy as np
class Norm:
    def forward(self, x):
        self.mu = x.mean(axis=1, keepdims=True)
        self.c = x - self.mu
        return self.c**3
    def backward(self, dy):
        dc = 3 * dy * self.c**2
        mean = dc.mean(axis=1, keepdims=True)
        return dc - dy * mean
rng = np.random.RandomState(6)
x, R = rng.randn(3, 5), rng.randn(3, 5)
norm = Norm()
y = norm.forward(x)
loss = np.sum(y * R)
dy = R
dx = norm.backward(dy)
"""
    report = diagnosed(source)
    (found,) = [f for f in report.findings if f.root]
    assert found.line == 10, report.explain()
    assert not diagnosed(source.replace("dy * mean", "mean")).findings
