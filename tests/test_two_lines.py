"""Mistakes in arrays that hang together: two on one path, a parameter moved another way, a line that is missing."""

from __future__ import annotations

import pytest

from symgrad.manual import check_source
from tests.test_tensor_diagnosing import MLP
from tests.test_whole import LOOP

NET = """\
import numpy as np
rng = np.random.RandomState(3)
class Net:
    def __init__(self):
        self.W1, self.b1, self.W2 = rng.randn(3, 5) * 0.6, rng.randn(5) * 0.2, rng.randn(5, 2) * 0.6
        self.lr = 0.05
    def forward(self, X):
        self.X = X
        self.h1 = np.tanh(X @ self.W1 + self.b1)
        return self.h1 @ self.W2
    def backward(self, pred, Y):
        d2 = 2 * (pred - Y) / Y.shape[0]
        dW2 = self.h1.T @ d2
        d1 = (d2 @ self.W2.T) * (1 - self.h1**2)
        dW1 = self.X.T @ d1
        db1 = d1.sum(axis=0)
        self.W2 -= self.lr * dW2
        self.W1 -= self.lr * dW1
        self.b1 -= self.lr * db1
net = Net()
X, Y = rng.randn(4, 3), rng.randn(4, 2)
pred = net.forward(X)
loss = np.sum((pred - Y) ** 2) / 4
net.backward(pred, Y)
"""

SOFTMAX = """\
import numpy as np
rng = np.random.RandomState(4)
W, b, X, y = rng.randn(4, 3) * 0.5, rng.randn(3) * 0.1, rng.randn(5, 4), np.array([0, 2, 1, 2, 2])
n = X.shape[0]
scores = X @ W + b
e = np.exp(scores)
probs = e / e.sum(axis=1, keepdims=True)
loss = -np.log(probs[np.arange(n), y]).sum() / n
d = probs.copy()
d[np.arange(n), y] -= 1
d /= n
dW = X.T @ d
db = d.sum(axis=0)
"""

GATED = """\
import numpy as np
rng = np.random.RandomState(7)
x1, x2, s0, y = rng.randn(3), rng.randn(3), rng.randn(4), rng.randn(4)
W, U, V = rng.randn(4, 3), rng.randn(4, 4) * 0.5, rng.randn(4, 3)
steps, s = [], s0
for x in (x1, x2):
    z = 1 / (1 + np.exp(-(V @ x)))
    hh = np.tanh(W @ x + U @ s)
    new = (1 - z) * s + z * hh
    steps.append((x, s, z, hh))
    s = new
loss = 0.5 * np.sum((s - y) ** 2)
dW, dU, dV = np.zeros_like(W), np.zeros_like(U), np.zeros_like(V)
delta = s - y
for x, before, z, hh in reversed(steps):
    dh = delta * z * (1 - hh**2)
    dz = delta * (hh - before) * z * (1 - z)
    dW += np.outer(dh, x)
    dU += np.outer(dh, before)
    dV += np.outer(dz, x)
    carry = delta * (1 - z) + U.T @ dh
    delta = carry
"""

NORM = """\
import numpy as np
rng = np.random.RandomState(8)
x, g = rng.randn(3, 5), rng.randn(5)
mean = x.mean(axis=1, keepdims=True)
rstd = 1 / np.sqrt(((x - mean) ** 2).mean(axis=1, keepdims=True) + 1e-3)
norm = (x - mean) * rstd
out = g * norm
loss = np.sum(out**3)
dout = 3 * out**2
dg = np.sum(dout * norm, axis=0)
dnorm = dout * g
m1 = dnorm.mean(axis=1, keepdims=True)
m2 = (dnorm * norm).mean(axis=1, keepdims=True)
dx = (dnorm - m1 - norm * m2) * rstd
"""

ATTENTION = """\
import numpy as np
rng = np.random.RandomState(9)
Q, K, d = rng.randn(3, 4), rng.randn(5, 4), 4
S = Q @ K.T / np.sqrt(d)
loss = np.sum(np.tanh(S))
dS = 1 - np.tanh(S) ** 2
dQ = dS @ K / np.sqrt(d)
dK = dS.T @ Q / np.sqrt(d)
"""

#: The pass, (as it is, with a mistake) pairs, and for each finding a part of the line, the kind, and the fix.
MISTAKES = [
    pytest.param(
        SOFTMAX, [("probs.copy()", "e.copy()"), ("-= 1\n", "-= 0.5\n")],
        [("d = e.copy()", "input-for-output", "probs"), ("-= 0.5", "scale", "1")], id="one path, added",
    ),
    pytest.param(
        MLP, [("dh = dscores @ W2.T", "dh = -dscores @ W2.T"), ("dW1 = X.T @ dz1", "dW1 = 2 * X.T @ dz1")],
        [("dh = -", "sign", "dscores"), ("dW1 = 2", "scale", "X.T")], id="one path, multiplied",
    ),
    pytest.param(
        GATED, [("delta * (1 - z) + U.T @ dh", "delta * (1 - z) + 2 * U.T @ dh"), ("delta = carry", "delta = -carry")],
        [("carry = ", "scale", "U.T"), ("delta = -", "sign", "carry")], id="in a recurrence",
    ),
    pytest.param(
        GATED, [("delta * z * (1 - hh**2)", "delta * z * (1)"), ("+ U.T @ dh", "+ U @ dh")],
        [("dh = ", "missing-factor", "delta * z * (1)*(1 - hh**2)"), ("carry = ", "transpose", "U.T")],
        id="in a recurrence, left out",
    ),
    pytest.param(
        NORM, [(" - norm * m2", "")], [("dx = ", "missing-term", "dnorm - m1 - norm*m2")], id="used nowhere"
    ),
    pytest.param(
        NORM, [("- m1 -", "-")], [("dx = ", "missing-term", "dnorm - norm * m2 - m1")], id="used nowhere, alone"
    ),
    pytest.param(
        ATTENTION, [("dS @ K / np.sqrt(d)", "dS @ K / d")], [("dQ = ", "wrong-formula", "d**0.5")], id="no root"
    ),
    pytest.param(
        SOFTMAX, [("d /= n\n", "m = X.shape[1]\nd /= m\n")], [("m = X.shape", "scale", "X.shape[0]")], id="another axis"
    ),
    pytest.param(
        SOFTMAX, [("d /= n\n", "")], [("-= 1", "scale", "d[np.arange(n), y] -= 1; d /= n")], id="never divided"
    ),
    pytest.param(
        LOOP, [("    db += dz\n", "")], [("dWx, dWh, db = ", "never-assigned", "db += dz")], id="a line is missing"
    ),
    pytest.param(
        LOOP, [("    dWh += np.outer(hs[t], dz)\n", "")],
        [("dWx, dWh, db = ", "never-assigned", "dWh += np.outer(hs[t], dz)")], id="a product is missing",
    ),
    pytest.param(
        LOOP, [("    dh = Wh @ dz\n", "    Wh -= 0.1 * dWh\n    dh = Wh @ dz\n")],
        [("Wh -= 0.1", "overwritten", "dh = Wh @ dz\nWh -= 0.1 * dWh")], id="updated in the loop",
    ),
    pytest.param(
        NET, [("self.b1 -=", "self.b1 +=")], [("self.b1 +=", "sign", "self.b1 -= self.lr * db1")], id="uphill"
    ),
    pytest.param(
        NET, [("self.W1 -=", "self.W1 =")], [("self.W1 =", "lost-accumulation", "self.W1 -= self.lr * dW1")],
        id="replaced by its step",
    ),
    pytest.param(
        NET, [("self.lr * db1", "self.lr * db1 * db1")], [("self.b1 -=", "extra-factor", "self.b1 -= self.lr * db1")],
        id="another way",
    ),
    pytest.param(
        NET, [("dW2 = self.h1.T @ d2", "dW2 = -(self.h1.T @ d2)")], [("dW2 = -", "sign", "(self.h1.T @ d2)")],
        id="a negative gradient among others",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("source", "edits", "found"), MISTAKES)
def test_mistakes_that_hang_together(
    source: str, edits: list[tuple[str, str]], found: list[tuple[str, str, str]]
) -> None:
    for old, new in edits:
        assert source.count(old) == 1, old
        source = source.replace(old, new)
    report = check_source(source, sandbox=False)
    roots = [f for f in report.findings if f.root]
    lines = source.split("\n")
    assert len(roots) == len(found), roots
    for f, (text, mistake, fix) in zip(roots, found, strict=True):
        assert text in lines[(f.line or 0) - 1], f
        assert f.mistake == mistake, f
        assert fix in f.fix, f
        assert f.fix_verified, f


#: Steps that are their author's choice.
CHOICES = [
    pytest.param([("self.lr * db1", "2 * self.lr * db1")], True, id="twice as far"),
    pytest.param([("self.lr * db1", "0.5 * self.lr * db1")], True, id="half as far"),
    pytest.param([("-= self.lr * dW2", "-= self.lr * (dW2 + 0.1 * self.W2)")], False, id="decay"),
    pytest.param([("self.W1 -= self.lr * dW1\n", "pass  # self.W1 -= self.lr * dW1\n")], False, id="frozen"),
    pytest.param([("self.lr * db1", "self.lr * np.clip(db1, -0.01, 0.01)")], False, id="clipped"),
    pytest.param([("loss = ", "L = "), ("self.b1 -=", "self.b1 +=")], False, id="a saddle point"),
    pytest.param(
        [("self.W2 -=", "self.W2 +="), ("self.W1 -=", "self.W1 +="), ("self.b1 -=", "self.b1 +=")], False, id="ascent"
    ),
]


@pytest.mark.parametrize(("edits", "said"), CHOICES)
def test_steps_are_a_choice(edits: list[tuple[str, str]], said: bool) -> None:
    source = NET
    for old, new in edits:
        assert source.count(old) == 1, old
        source = source.replace(old, new)
    report = check_source(source, sandbox=False)
    assert not [f for f in report.findings if f.root], report.findings
    assert said == any("times the step that the others take" in f.message for f in report.findings)


@pytest.mark.parametrize("call", ["x.sum(keepdim=True)", "torch.mean(x, keepdim=True)", "x.max(keepdim=True)"])
def test_torch_keeps_axes_that_are_named(call: str) -> None:
    source = f"import torch\nx = torch.ones(2, 3)\nloss = (x * x).sum()\ndx = 2 * x\ny = {call}\n"
    stopped = [f for f in check_source(source, sandbox=False).findings if f.code == "stopped"]
    assert [f.line for f in stopped] == [5]
    assert "keepdim" in stopped[0].message


def test_the_order_of_the_forward_pass_is_right() -> None:
    """The names are unpacked as they were packed: one of them is the wrong one in one line."""
    source = """\
import numpy as np
rng = np.random.RandomState(2)
def forward(X, W1, W2):
    z = X @ W1
    a = np.maximum(0, z)
    return a @ W2, (z, a)
def backward(d, X, W2, cache):
    z, a = cache
    dW2 = z.T @ d
    dz = (d @ W2.T) * (z > 0)
    return X.T @ dz, dW2
X, W1, W2 = rng.randn(4, 3), rng.randn(3, 5), rng.randn(5, 2)
out, cache = forward(X, W1, W2)
loss = 0.5 * np.sum(out**2)
dW1, dW2 = backward(out, X, W2, cache)
"""
    (found,) = [f for f in check_source(source, sandbox=False).findings if f.root]
    assert (found.line, found.fix) == (9, "a")
    assert found.fix_verified
