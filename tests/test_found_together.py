"""Slips in passes over arrays: what the forward pass divides by, a softmax entry by entry, what functions are handed,
gradients that come to nothing; alone, and together with another one."""

from __future__ import annotations

import pytest

from symgrad.manual import check_source
from tests.benchmarks.tensor_corpus import tensor_corpus

#: A normalisation, path by path.
NORM = """\
import numpy as np
rng = np.random.RandomState(9)
x, R = rng.randn(3, 5), rng.randn(3, 5)
m = x.mean(axis=1, keepdims=True)
c = x - m
v = (c * c).mean(axis=1, keepdims=True)
s = np.sqrt(v + 1e-3)
out = c / s
loss = (out * R).sum()
dout = R
dc = dout / s
ds = (-dout * c / s**2).sum(axis=1, keepdims=True)
dv = ds / (2 * s)
dc += 2 * c * dv / 5
dm = -dc.sum(axis=1, keepdims=True)
dx = dc + dm / 5
"""

#: Attention over a batch.
ATTENTION = """\
import numpy as np
rng = np.random.RandomState(2)
q, k, v = rng.randn(2, 4, 3), rng.randn(2, 4, 3), rng.randn(2, 4, 3)
t = rng.randn(2, 4, 3)
scale = 0.6
z = q @ k.transpose(0, 2, 1) * scale
e = np.exp(z)
a = e / e.sum(axis=2, keepdims=True)
out = a @ v
loss = ((out - t) ** 2).mean()
dout = 2 * (out - t) / t.size
dv = a.transpose(0, 2, 1) @ dout
da = dout @ v.transpose(0, 2, 1)
dz = a * (da - np.sum(da * a, axis=2, keepdims=True))
dz = dz * scale
dq = dz @ k
dk = dz.transpose(0, 2, 1) @ q
"""

#: Two towers, with a function of the script for both of them.
TOWERS = """\
import numpy as np
rng = np.random.RandomState(8)
X, Y = rng.randn(4, 3), rng.randn(4, 5)
U, V = rng.randn(3, 6) * 0.6, rng.randn(5, 6) * 0.6
def unit(a):
    n = np.sqrt((a * a).sum(axis=1, keepdims=True))
    return a / n, n
def unit_back(g, u, n):
    inner = (g * u).sum(axis=1, keepdims=True)
    return (g - u * inner) / n
a, na = unit(X @ U)
b, nb = unit(Y @ V)
S = a @ b.T
loss = 0.5 * (S ** 2).sum()
dS = S + 0.0
da = dS @ b
db = dS.T @ a
dA = unit_back(da, a, na)
dB = unit_back(db, b, nb)
dU = X.T @ dA
dV = Y.T @ dB
"""

#: A gradient that is given again under its name.
ROBUST = """\
import numpy as np
rng = np.random.RandomState(25)
X, t, s = rng.randn(5, 3), rng.randn(5), rng.rand(5) + 0.5
w, b = rng.randn(3), -0.6
r = X @ w + b - t
loss = (s * np.log(1 + r ** 2)).sum() / s.sum()
gr = 2 * r / (1 + r ** 2)
gr = s * gr / s.sum()
gw = X.T @ gr
gb = gr.sum()
"""

#: A step inside backward.
STEP = """\
import numpy as np
class Net:
    def __init__(self):
        rng = np.random.RandomState(1)
        self.W1, self.b1 = rng.randn(3, 5) * 0.6, rng.randn(5) * 0.2
        self.W2, self.lr = rng.randn(5, 2) * 0.6, 0.05
    def forward(self, X):
        self.X = X
        self.h = np.tanh(X @ self.W1 + self.b1)
        return self.h @ self.W2
    def backward(self, pred, Y):
        d2 = 2 * (pred - Y)
        dW2 = self.h.T @ d2
        d1 = d2 @ self.W2.T * (1 - self.h ** 2)
        dW1 = self.X.T @ d1
        db1 = d1.sum(axis=0)
        dX = d1 @ self.W1.T
        self.W2 -= self.lr * dW2
        self.W1 -= self.lr * dW1
        self.b1 -= self.lr * db1
rng = np.random.RandomState(4)
X, Y = rng.randn(4, 3), rng.randn(4, 2)
net = Net()
pred = net.forward(X)
loss = np.sum((pred - Y) ** 2)
net.backward(pred, Y)
"""

#: A state that is carried, and what is made of it.
CARRIED = """\
import numpy as np
rng = np.random.RandomState(1)
T, D, H = 3, 2, 4
x, G, h0 = rng.randn(T, D), rng.randn(T, H), rng.randn(H)
W, U = rng.randn(D, H) * 0.5, rng.randn(H, H) * 0.4
h, c = h0, np.zeros(H)
hs = []
loss = 0.0
for t in range(T):
    before = h
    c = 0.7 * c + x[t] @ W + h @ U
    h = np.tanh(c)
    hs.append((before, h))
    loss += np.sum(h * G[t])
dW, dU = np.zeros_like(W), np.zeros_like(U)
dh_next, dc_next = np.zeros(H), np.zeros(H)
for t in reversed(range(T)):
    before, h = hs[t]
    dh = G[t] + dh_next
    dc = dh * (1 - h ** 2) + dc_next
    dW += np.outer(x[t], dc)
    dU += np.outer(before, dc)
    dh_next = U @ dc
    dc_next = 0.7 * dc
dh0 = dh_next
"""

#: A function that is given everything, and gives all of it back.
LOOPED = """\
import numpy as np
rng = np.random.RandomState(1)
def forward(x, w):
    out = np.zeros((3, 4))
    for t in range(4):
        out[:, t] = x[:, t : t + 3] @ w
    return out
def backward(g, x, w):
    dw, dx = np.zeros_like(w), np.zeros_like(x)
    for t in range(4):
        dw += x[:, t : t + 3].T @ g[:, t]
        dx[:, t : t + 3] += np.outer(g[:, t], w)
    return dx, dw
signal, kernel = rng.randn(3, 6), rng.randn(3)
out = forward(signal, kernel)
loss = np.sum(out ** 2)
dsignal, dkernel = backward(2 * out, signal, kernel)
"""

CORPUS = {c.name: c.source for c in tensor_corpus()}
LSTM = CORPUS["lstm"]

#: The pass, (as it is, with a slip), the kinds to be reported at these lines.
SLIPS = [
    pytest.param(NORM, [("* c / s**2)", "* c)")], ["missing-factor"], id="a quotient's square"),
    pytest.param(
        ATTENTION,
        [("(da - np.sum(da * a, axis=2, keepdims=True))", "(1 - a) * da"), ("dz = dz * scale", "dz = -dz * scale")],
        ["softmax-elementwise", "sign"], id="a softmax entry by entry",
    ),
    pytest.param(
        ATTENTION, [("2 * (out - t)", "2 * np.sign(out - t)"), ("dv = a.transpose(0, 2, 1) @ dout", "dv = dout")],
        ["wrong-formula", "wrong-formula"], id="what is left is one result's own line",
    ),
    pytest.param(TOWERS, [("unit_back(da, a", "unit_back(db, a")], ["wrong-variable"], id="another gradient is handed"),
    pytest.param(
        TOWERS, [("db = dS.T @ a", "db = -dS.T @ a"), ("unit_back(da, a", "unit_back(b, a")],
        ["sign", "wrong-variable"], id="a value for a gradient",
    ),
    pytest.param(
        ROBUST, [("gw = X", "gw = 2 * X"), ("gb = gr", "gb = 2 * gr")], ["scale", "scale"],
        id="two numbers, and what they are made of is right",
    ),
    pytest.param(CARRIED, [("G[t] + dh_next", "G[t]")], ["missing-term"], id="a carry that no round uses"),
    pytest.param(
        LSTM, [("dh * o * (1 - tanh_c**2) + dc_next", "dc_next")], ["missing-term"],
        id="all but the carry, in the last round as well",
    ),
    pytest.param(LOOPED, [("    return dx, dw", "        return dx, dw")], ["lost-accumulation"], id="in the loop"),
    pytest.param(STEP, [("        self.W2 -= self.lr * dW2", "        pass")], ["missing-term"], id="never moved"),
    pytest.param(STEP, [("self.W2 -= self.lr * dW2", "self.W2 -= self.lr")], ["missing-factor"], id="by a number"),
    pytest.param(STEP, [("self.lr * dW2", "self.lr * self.W2")], ["wrong-variable"], id="by another array"),
    pytest.param(
        STEP, [("2 * (pred - Y)", "2 * (pred - Y) * pred"), ("        self.b1 -= self.lr * db1", "        pass")],
        None, id="never moved, and wrong",
    ),
    pytest.param(
        CORPUS["svm_hinge"],
        [("-mask.sum(axis=1)", "-mask.sum(axis=1) / n"), ("dW = dW +", "W -= 0.1 * dW; dW = dW +")],
        ["scale", "overwritten"], id="what follows the first is a part of the gradient then",
    ),
    pytest.param(
        CORPUS["softmax_jacobian"], [("dz = J @ dp", "dz = J"), ("W.T @ dz", "W.T")], None, id="flat, whatever its size"
    ),
    pytest.param(
        CORPUS["svm_hinge"], [(".astype(float)", ".astype(float) / n"), ("dW = X.T", "dW = -X.T")], ["scale", "sign"],
        id="two numbers on one path",
    ),
    pytest.param(
        CORPUS["batchnorm_long"],
        [("divar = np", "divar = -np"), ("0.5 * 1.0 / np.sqrt(var + eps)", "0.5 * 1.0 / (var + eps)")], None,
        id="one change makes up for both, and leaves what has a name wrong",
    ),
    pytest.param(
        CORPUS["factorization_machine"], [("x[i] ** 2 * V[i])", "x[i] ** 2)")], ["missing-factor"],
        id="an entry where the line reads others",
    ),
    pytest.param(
        CARRIED, [("G[t] + dh_next", "G[t] + before"), ("dc = dh *", "dc = 2 * dh *")], ["wrong-variable", "scale"],
        id="the first change reads what the second one changes",
    ),
    pytest.param(
        CORPUS["batchnorm_long"],
        [("(var + eps) * dsqrtvar", "(var + eps) * dsqrtvar / N"), ("-1 * np.sum(dx", "-1 * np.mean(dx")], None,
        id="two that leave right what has a name",
    ),
    pytest.param(
        CORPUS["conv1d_stride"],
        [("return dout @ self.W.T", "self.W -= 0.1 * self.dW; return dout @ self.W.T"),
         ("2 * (pred - y)", "2 * np.sign(pred - y)")], None, id="behind a line that only hands on",
    ),
    pytest.param(CORPUS["word2vec"], [("cost, grad_v,", "cost, v,")], ["wrong-variable"], id="the wrong name returned"),
    pytest.param(CORPUS["conv1d_stride"], [("return dx", "return self.x")], ["wrong-variable"], id="by a method"),
    pytest.param(
        CARRIED, [("G[t] + dh_next", "G[t]"), ("(1 - h ** 2)", "(1 - h)")], ["missing-term", "wrong-formula"],
        id="right in the first round only",
    ),
]  # fmt: skip


@pytest.mark.parametrize("source", [NORM, ATTENTION, TOWERS, ROBUST, STEP, CARRIED, LOOPED])
def test_right_passes(source: str) -> None:
    report = check_source(source, sandbox=False)
    assert not [f for f in report.findings if f.root], report.explain()
    assert report.confirmed


@pytest.mark.parametrize(("source", "edits", "kinds"), SLIPS)
def test_slips(source: str, edits: list[tuple[str, str]], kinds: list[str] | None) -> None:
    wrong = source
    for old, new in edits:
        assert source.count(old) == 1
        wrong = wrong.replace(old, new)
    lines = sorted(source[: source.index(old)].count("\n") + 1 + old.startswith("\n") for old, _ in edits)
    report = check_source(wrong, sandbox=False)
    found = {f.line: f for f in report.findings if f.root}
    assert sorted(found) == lines, report.explain()
    assert all(f.fix and f.fix_verified for f in found.values()), report.explain()
    if kinds:
        assert [found[line].mistake for line in lines] == kinds, report.explain()


def test_the_return_is_told_and_not_what_made_the_value() -> None:
    source = CORPUS["layernorm_class"]
    place = source.index("(dnorm - mean1 -")
    for other in ("self.rstd", "dnorm", "mean2"):
        wrong = source[:place] + other + source[source.index("\n", place) :]
        found = [f.line for f in check_source(wrong, sandbox=False).findings if f.root]
        assert found == [source[:place].count("\n") + 1], other


def test_a_line_of_a_loop_is_told_entry_by_entry() -> None:
    source = """\
import numpy as np
W, X, y = np.array([[0.4, -0.3, 0.2], [0.1, 0.6, -0.5]]), np.array([[0.7, -1.1], [0.9, 0.3]]), [2, 0]
loss, probs = 0.0, []
for i in range(2):
    scores = X[i].dot(W)
    p = np.exp(scores) / np.sum(np.exp(scores))
    probs.append(p)
    loss = loss - np.log(p[y[i]])
loss = loss / 2 + 0.5 * 0.3 * np.sum(W * W)
dW = np.zeros(W.shape)
for i in range(2):
    for j in range(3):
        dscore = probs[i][j]
        dW[:, j] += dscore * X[i]
dW /= 2
dW += 0.3 * W * W
"""
    found = [f for f in check_source(source, sandbox=False).findings if f.root]
    assert [f.line for f in found] == [13, 16], found


def test_what_a_function_lacks_is_called_as_it_is_there() -> None:
    source = """\
import numpy as np
rng = np.random.RandomState(3)
def cost_and_grad(v, A, o):
    p = 1 / (1 + np.exp(-np.dot(A[o], v)))
    cost = -np.log(p)
    gA = np.zeros(A.shape)
    gA[o] += (p - 1)
    return cost, (p - 1) * A[o], gA
center, outside = rng.randn(4), rng.randn(6, 4)
cost, grad_center, grad_outside = cost_and_grad(center, outside, 3)
"""
    (found,) = [f for f in check_source(source, sandbox=False).findings if f.root]
    assert (found.line, found.fix, found.fix_verified) == (7, "(p - 1)*v", True)
    assert found.message.endswith("lacks the factor v")


def test_a_sum_that_is_left_at_zeros_is_told_with_the_part_of_an_array() -> None:
    """``dW += x[:, t].T @ dz``: what the forward pass reads in a round over the same variable."""
    source = """\
import numpy as np
rng = np.random.RandomState(1)
x, W, U = rng.randn(3, 4, 2), rng.randn(2, 5) * 0.5, rng.randn(5, 5) * 0.4
hs = [np.zeros((3, 5))]
for t in range(4):
    hs.append(np.tanh(x[:, t] @ W + hs[t] @ U))
loss = 0.5 * np.sum(hs[-1] ** 2)
dW, dU = np.zeros_like(W), np.zeros_like(U)
dh = hs[-1]
for t in reversed(range(4)):
    dz = (1 - hs[t + 1] ** 2) * dh
    dU += hs[t].T @ dz
    dh = dz @ U.T
"""
    (found,) = [f for f in check_source(source, sandbox=False).findings if f.root]
    assert (found.line, found.fix, found.fix_verified) == (8, "dW += x[:, t].T @ dz", True)


def test_the_value_before_is_that_of_the_same_object() -> None:
    """Two layers with a self.W each."""
    source = """\
import numpy as np
rng = np.random.RandomState(1)
class Linear:
    def __init__(self, n, m):
        self.W = rng.randn(n, m)
    def forward(self, x):
        self.x = x
        return x @ self.W
    def backward(self, g):
        self.dW = self.x.T @ g
        self.W -= 0.1 * self.dW
        return g @ self.W.T
one, two = Linear(3, 4), Linear(4, 2)
x, t = rng.randn(5, 3), rng.randn(5, 2)
h = np.tanh(one.forward(x))
y = two.forward(h)
loss = 0.5 * np.sum((y - t) ** 2)
dx = one.backward(two.backward(y - t) * (1 - h ** 2))
"""
    (found,) = [f for f in check_source(source, sandbox=False).findings if f.root]
    assert (found.line, found.mistake) == (11, "overwritten")


def test_a_move_that_is_missing_is_told_behind_another_one() -> None:
    """Without a ``pass`` to hold its place; what is handed back is no such gradient, nor is that of an input."""
    gone = STEP.replace("        self.W2 -= self.lr * dW2\n", "")
    (found,) = [f for f in check_source(gone, sandbox=False).findings if f.root]
    assert found.fix.endswith("; self.W2 -= self.lr * dW2")
    assert found.fix_verified
    kept = gone.replace("self.lr * db1\n", "self.lr * db1\n        return dW2\n", 1)
    assert not [f for f in check_source(kept, sandbox=False).findings if f.root]
