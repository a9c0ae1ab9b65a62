"""What a function gives back, or hands on; one mistake that shows in several results, or that what follows hides."""

from __future__ import annotations

import pytest

from symgrad.manual import check_source
from symgrad.report.model import Finding

LAYERS = """\
import numpy as np
class Linear:
    def __init__(self, n, k):
        self.W, self.b = np.random.randn(n, k), np.random.randn(k)
    def forward(self, x):
        self.x = x
        return x @ self.W + self.b
    def backward(self, grad):
        self.dW = self.x.T @ grad
        self.db = grad.sum(axis=0)
        return grad @ self.W.T
class Sigmoid:
    def forward(self, x):
        self.out = 1 / (1 + np.exp(-x))
        return self.out
    def backward(self, grad):
        return grad * self.out * (1 - self.out)
class MSE:
    def forward(self, h, y):
        self.diff = h - y
        return (self.diff**2).mean()
    def backward(self):
        return 2 * self.diff / self.diff.size
np.random.seed(0)
x, y = np.random.randn(5, 3), np.random.randn(5, 2)
first, act, second, crit = Linear(3, 4), Sigmoid(), Linear(4, 2), MSE()
loss = crit.forward(second.forward(act.forward(first.forward(x))), y)
grad = crit.backward()
grad = second.backward(grad)
grad = act.backward(grad)
dx = first.backward(grad)
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
X, Y = rng.randn(4, 6), (rng.rand(1, 6) > 0.5) * 1.0
m, keep = X.shape[1], 0.7
W1, b1, W2, b2 = rng.randn(5, 4), rng.randn(5, 1), rng.randn(1, 5), rng.randn(1, 1)
D1 = rng.rand(5, 6) < keep
Z1 = W1 @ X + b1
A1 = np.maximum(0, Z1)
A1 = A1 * D1 / keep
A2 = 1 / (1 + np.exp(-(W2 @ A1 + b2)))
cost = -np.mean(Y * np.log(A2) + (1 - Y) * np.log(1 - A2))
dZ2 = (A2 - Y) / m
dW2 = dZ2 @ A1.T
db2 = dZ2.sum(axis=1, keepdims=True)
dA1 = W2.T @ dZ2
dA1 = dA1 * D1 / keep
dZ1 = dA1 * (A1 > 0)
dW1 = dZ1 @ X.T
db1 = dZ1.sum(axis=1, keepdims=True)
"""
#: The same with the division by the count at the end.
LATER = NET.replace("(A2 - Y) / m", "A2 - Y").replace(".T\nd", ".T / m\nd").replace("dims=True)\n", "dims=True) / m\n")

HINGE = """\
import numpy as np
rng = np.random.RandomState(6)
X, W, y, reg = rng.randn(5, 3), rng.randn(3, 4), np.array([1, 3, 0, 1, 2]), 0.05
n = X.shape[0]
scores = X @ W
margins = np.maximum(0, scores - scores[np.arange(n), y].reshape(-1, 1) + 1.0)
margins[np.arange(n), y] = 0
loss = margins.sum() / n + reg * np.sum(W**2)
mask = (margins > 0).astype(float)
mask[np.arange(n), y] = -mask.sum(axis=1)
dW = X.T @ mask / n
dW = dW + 2 * reg * W
"""

JACOBIAN = """\
import numpy as np
rng = np.random.RandomState(3)
x, W, label = rng.randn(3), rng.randn(4, 3), 2
z = W @ x
p = np.exp(z) / np.exp(z).sum()
L = -np.log(p[label])
dp = np.zeros(4)
dp[label] = -1 / p[label]
J = np.diag(p) - np.outer(p, p)
dz = J @ dp
dW = np.outer(dz, x)
dx = W.T @ dz
"""

HUBER = """\
import numpy as np
rng = np.random.RandomState(25)
X, t, s, w, delta = rng.randn(5, 3) * 1.5, rng.randn(5), rng.rand(5) + 0.5, rng.randn(3), 0.9
r = np.dot(X, w) - t
small = np.abs(r) <= delta
loss = np.sum(s * np.where(small, 0.5 * r**2, delta * (np.abs(r) - 0.5 * delta))) / np.sum(s)
gr = np.where(small, r, delta * np.sign(r))
gr = s * gr / np.sum(s)
gw = np.dot(gr, X)
"""

#: Two classes whose objects call their parameters, and the gradients by them, alike.
KINDS = """\
import numpy as np
class Dense:
    def __init__(self, W, b):
        self.W, self.b = W, b
    def forward(self, x):
        self.x = x
        return x @ self.W + self.b
    def backward(self, dout):
        self.dW = self.x.T @ dout
        self.db = dout.sum(axis=0)
        return dout @ self.W.T
class Conv:
    def __init__(self, W, b):
        self.W, self.b = W, b
    def forward(self, x):
        self.x = x
        out = np.zeros((x.shape[0], x.shape[2] - 1, 4))
        for t in range(out.shape[1]):
            out[:, t] = np.tensordot(x[:, :, t : t + 2], self.W, axes=([1, 2], [1, 2])) + self.b
        return np.tanh(out).mean(axis=1), out
    def backward(self, dout, out):
        d = np.repeat(dout[:, None, :], 3, axis=1) / 3 * (1 - np.tanh(out) ** 2)
        self.dW = np.zeros_like(self.W)
        self.db = d.sum(axis=(0, 1))
        dx = np.zeros_like(self.x)
        for t in range(3):
            self.dW += np.tensordot(d[:, t], self.x[:, :, t : t + 2], axes=([0], [0]))
            dx[:, :, t : t + 2] += np.tensordot(d[:, t], self.W, axes=([1], [0]))
        return dx
r = np.random.RandomState(1)
conv, fc = Conv(r.randn(4, 2, 2), r.randn(4)), Dense(r.randn(4, 3), r.randn(3))
x, y = r.randn(5, 2, 4), r.randn(5, 3)
h, out = conv.forward(x)
pred = fc.forward(h)
loss = np.sum((pred - y) ** 2)
dx = conv.backward(fc.backward(2 * (pred - y)), out)
"""

#: One function is called for both towers, and what it is given has no name of its own there.
TOWERS = """\
import numpy as np
def normed(z):
    length = np.sqrt(np.sum(z**2, axis=1, keepdims=True))
    return z / length, length
def normed_back(d, zn, length):
    inner = np.sum(d * zn, axis=1, keepdims=True)
    return (d - zn * inner) / length
def step(Xa, Xb, Wa, Wb, tau):
    N = len(Xa)
    za, na = normed(Xa @ Wa)
    zb, nb = normed(Xb @ Wb)
    e = np.exp(za @ zb.T / tau)
    pr = e / e.sum(axis=1, keepdims=True)
    pc = e / e.sum(axis=0, keepdims=True)
    loss = -0.5 * np.mean(np.log(np.diag(pr))) - 0.5 * np.mean(np.log(np.diag(pc)))
    dsim = pr + pc
    dsim -= 2 * np.eye(N)
    dsim /= 2 * N
    dza = dsim @ zb / tau
    dzb = dsim.T @ za / tau
    grads = {"Wa": Xa.T @ normed_back(dza, za, na), "Wb": Xb.T @ normed_back(dzb, zb, nb)}
    return loss, grads
r = np.random.RandomState(8)
Xa, Xb, Wa, Wb = r.randn(4, 3), r.randn(4, 5), r.randn(3, 6), r.randn(5, 6)
loss, grads = step(Xa, Xb, Wa, Wb, 0.5)
"""

#: What flows in is a parameter, which no line gives a name, and goes on as it is along a skip.
SKIP = """\
import numpy as np
def backward(p, dy, cache):
    x, h = cache
    g = {}
    g["V"] = h.T @ dy
    dh = dy @ p["V"].T * (1 - h**2)
    g["W"] = x.T @ dh
    dx = dh @ p["W"].T
    dx += dy
    return dx, g
r = np.random.RandomState(2)
p = {"W": r.randn(3, 4), "V": r.randn(4, 3)}
x, t = r.randn(5, 3), r.randn(5, 3)
h = np.tanh(x @ p["W"])
y = x + h @ p["V"]
loss = 0.5 * np.sum((y - t) ** 2)
dx, g = backward(p, y - t, (x, h))
"""

#: A number in every round of a loop over samples.
SAMPLES = """\
import numpy as np
r = np.random.RandomState(6)
X, t, w, V = r.randn(5, 3), np.array([1, -1, 1, -1, 1]), r.randn(3), r.randn(3, 2)
loss, margins = 0.0, []
for s in range(5):
    m = t[s] * (X[s] @ w + np.sum((X[s] @ V) ** 2))
    margins.append(m)
    loss += np.log(1 + np.exp(-m)) / 5
dw, dV = np.zeros(3), np.zeros((3, 2))
for s in range(5):
    c = -t[s] / (1 + np.exp(margins[s])) / 5
    dw += c * X[s]
    dV += c * 2 * np.outer(X[s], X[s] @ V)
"""

ONES = """\
import numpy as np
r = np.random.RandomState(9)
p = {"s": np.ones(3), "W": r.randn(3, 2)}
x = r.randn(4, 3)
n = x * p["s"]
out = n @ p["W"]
loss = 0.5 * np.sum(out**2)
g = {}
g["W"] = n.T @ out
dn = out @ p["W"].T
g["s"] = np.sum(dn * x, axis=0)
dx = dn * p["s"]
"""

NORM = """\
import numpy as np
r = np.random.RandomState(4)
x, gamma, dy = r.randn(4, 6), r.randn(6), r.randn(4, 6)
mean = np.mean(x, axis=1, keepdims=True)
rstd = (np.mean((x - mean) ** 2, axis=1, keepdims=True) + 1e-3) ** -0.5
n = (x - mean) * rstd
loss = np.sum(gamma * n * dy)
dgamma = np.sum(dy * n, axis=0)
d = dy * gamma
m1 = np.mean(d, axis=1, keepdims=True)
m2 = np.mean(d * n, axis=1, keepdims=True)
dx = (d - m1 - n * m2) * rstd
"""

SOFTPLUS = """\
import numpy as np
r = np.random.RandomState(5)
x, W, b, W2, t = r.randn(4, 3), r.randn(3, 5), r.randn(5), r.randn(5, 2), r.randn(4, 2)
a = x @ W + b
u = np.log(1 + np.exp(a))
d = u @ W2 - t
loss = 0.5 * np.sum(d**2)
dW2 = u.T @ d
du = d @ W2.T
da = du / (1 + np.exp(-a))
dW = x.T @ da
db = da.sum(axis=0)
"""

SUMS = """\
import numpy as np
r = np.random.RandomState(7)
W, X, y = r.randn(3, 4), r.randn(5, 3), np.array([3, 0, 2, 3, 1])
loss, probs = 0.0, []
for i in range(5):
    e = np.exp(X[i] @ W)
    probs.append(e / np.sum(e))
    loss = loss - np.log(probs[i][y[i]])
loss = loss / 5 + 0.25 * np.sum(W * W)
dW = np.zeros(W.shape)
for i in range(5):
    for j in range(4):
        dW[:, j] += (probs[i][j] - (j == y[i])) * X[i]
dW /= 5
dW += 0.5 * W
"""

#: (source, edits, texts of the blamed lines as they are then, what a fix holds)
SLIPS = {
    "one of two classes that call their gradients alike": (
        KINDS, {"self.db = dout.sum(axis=0)": "self.db = 2 * dout.sum(axis=0)"},
        ["        self.db = 2 * dout.sum(axis=0)"], "dout.sum(axis=0)",
    ),
    "... in its shape": (
        KINDS, {"self.db = dout.sum(axis=0)": "self.db = dout.sum(axis=0, keepdims=True)"},
        ["        self.db = dout.sum(axis=0, keepdims=True)"], "dout.sum(axis=0)",
    ),
    "... by an input that objects keep": (
        KINDS, {"dx[:, :, t : t + 2] += ": "dx[:, :, t : t + 2] -= "},
        ["            dx[:, :, t : t + 2] -= np.tensordot(d[:, t], self.W, axes=([1], [0]))"], "+=",
    ),
    "what a function was given": (
        TOWERS, {"np.sum(d * zn": "np.sum(zn"}, ["    inner = np.sum(zn, axis=1, keepdims=True)"], "d",
    ),
    "a gradient that is handed on in place of a sum": (SKIP, {"dx += dy": "dx = dy"}, ["    dx = dy"], "dx + dy"),
    "... and kept in a dictionary": (
        SKIP, {'g["V"] = h.T @ dy': 'g["V"] = dy'}, ['    g["V"] = dy'], "h.T @ dy",
    ),
    "a window of another array, and what is thrown away besides": (
        POOL, {"window = x[n": "window = dx[n", "+= mask * dout[n, i]": "= mask * dout[n, i]"},
        ["            window = dx[n, r : r + size]", "            dx[n, r : r + size] = mask * dout[n, i]"], "mask",
    ),
    "what ones in a dictionary hide": (
        ONES, {'dx = dn * p["s"]': 'dx = dn * p["s"] * p["s"]'}, ['dx = dn * p["s"] * p["s"]'], 'dn * p["s"]',
    ),
    "a line that comes to nothing": (
        NORM, {"np.mean(d * n, axis=1": "np.mean(n, axis=1"}, ["m2 = np.mean(n, axis=1, keepdims=True)"], "d",
    ),
    "a function that is left out": (
        SOFTPLUS, {"(1 + np.exp(-a))": "(1 + -a)"}, ["da = du / (1 + -a)"], "np.exp(-a)",
    ),
    "two numbers that make up for each other": (
        SOFTPLUS, {"du = d @ W2.T": "du = 0.5 * d @ W2.T", "db = da.sum": "db = 2 * da.sum"},
        ["du = 0.5 * d @ W2.T", "db = 2 * da.sum(axis=0)"], "da.sum(axis=0)",
    ),
    "a term that is missing after a division": (
        SUMS, {"dW += 0.5 * W\n": ""}, ["dW /= 5"], "dW /= 5; dW += ",
    ),
    "a number in every round": (
        SAMPLES, {"-t[s] / (1 + np.exp(margins[s])) / 5": "-t[s] / (1 + np.exp(-margins[s])) / 5"},
        ["    c = -t[s] / (1 + np.exp(-margins[s])) / 5"], "margins[s]",
    ),
    "a bound, and a sum": (
        POOL, {"window = x[n, r : r + size]": "window = x[n, r : size]", "+= mask": "= mask"},
        ["            window = x[n, r : size]", "            dx[n, r : r + size] = mask * dout[n, i]"], "mask",
    ),
    "the wrong array is given back": (POOL, {"    return dx": "    return x"}, ["    return x"], "dx"),
    "a bound, and a factor besides": (
        POOL, {"window = x[n, r : r + size]": "window = x[n, r : size]", "return dx": "return 0.5 * dx"},
        ["            window = x[n, r : size]", "    return 0.5 * dx"], "dx",
    ),
    "a layer hands on what it is given": (
        LAYERS, {"return grad * self.out * (1 - self.out)": "return grad"}, ["        return grad"],
        "grad * self.out * (1 - self.out)",
    ),
    "one sign in two calls": (
        LAYERS, {"return grad @ self.W.T": "return -(grad @ self.W.T)"}, ["        return -(grad @ self.W.T)"],
        "grad @ self.W.T",
    ),
    "a mistake that another one hides": (
        LAYERS, {"self.x.T @ grad\n": "self.x.T @ y\n", "return grad * self.out": "return 0.5 * grad * self.out"},
        ["        self.dW = self.x.T @ y", "        return 0.5 * grad * self.out * (1 - self.out)"], "grad",
    ),
    "an attribute that the method reads": (
        LAYERS, {"return grad @ self.W.T": "return grad @ self.dW.T"}, ["        return grad @ self.dW.T"], "self.W",
    ),
    "a global in a method without arguments": (
        LAYERS, {"2 * self.diff / self": "2 * y / self"}, ["        return 2 * y / self.diff.size"], "self.diff",
    ),
    "a mean over all entries": (
        LAYERS, {"2 * self.diff / self.diff.size": "2 * self.diff"}, ["        return 2 * self.diff"], "2 * self.diff",
    ),
    "a factor that a mask hides": (NET, {"dA1 * D1 / keep": "dA1 * D1"}, ["dA1 = dA1 * D1"], "keep"),
    "a count that two results divide by again": (
        LATER, {"dA1 = W2.T @ dZ2": "dA1 = W2.T @ dZ2 / m"}, ["dA1 = W2.T @ dZ2 / m"], "W2.T @ dZ2",
    ),
    "the Jacobian of a softmax": (
        JACOBIAN, {"np.diag(p) - np.outer(p, p)": "np.diag(p)"}, ["J = np.diag(p)"], "outer(p, p)",
    ),
    "... and a scale": (
        JACOBIAN, {"np.diag(p) - np.outer(p, p)": "np.diag(p * (1 - p))", "W.T @ dz": "2 * W.T @ dz"},
        ["J = np.diag(p * (1 - p))", "dx = 2 * W.T @ dz"], "W.T",
    ),
    "what surrounds a slope": (HUBER, {"s * gr /": "gr /"}, ["gr = gr / np.sum(s)"], "s"),
    "two results off by one number": (
        NET, {"dZ1 @ X.T": "2 * dZ1 @ X.T", "dZ1.sum(": "2 * dZ1.sum("},
        ["dW1 = 2 * dZ1 @ X.T", "db1 = 2 * dZ1.sum(axis=1, keepdims=True)"], "dZ1.sum",
    ),
    "a mask has no scale": (HINGE, {"X.T @ mask / n": "X.T @ mask"}, ["dW = X.T @ mask"], "X.T @ mask"),
}  # fmt: skip


def diagnosed(source: str) -> list[Finding]:
    return [f for f in check_source(source, sandbox=False).findings if f.root]


@pytest.mark.parametrize("source", [
    LAYERS, POOL, NET, LATER, HINGE, JACOBIAN, HUBER, KINDS, TOWERS, SKIP, SAMPLES, ONES, NORM, SOFTPLUS, SUMS,
])  # fmt: skip
def test_right_passes_are_left_alone(source: str) -> None:
    report = check_source(source, sandbox=False)
    assert not [f for f in report.findings if f.root], report.explain()
    assert report.confirmed


@pytest.mark.parametrize("case", SLIPS.values(), ids=SLIPS)
def test_slips(case: tuple[str, dict[str, str], list[str], str]) -> None:
    text, edits, lines, fix = case
    for old, new in edits.items():
        assert text.count(old) == 1
        text = text.replace(old, new)
    found = diagnosed(text)
    assert [f.line for f in found] == [text.split("\n").index(line) + 1 for line in lines], found
    assert all(f.fix_verified for f in found), found
    assert fix in found[-1].fix


def test_a_part_of_a_sum_that_is_left_at_zero() -> None:
    text = HINGE.replace("dW = X.T @ mask / n", "dW = np.zeros_like(W)")
    (found,) = diagnosed(text)
    assert (found.line, found.mistake) == (11, "never-assigned")


def test_a_mask_in_place_is_told_where_it_is() -> None:
    pytest.importorskip("torch")
    source = """\
import torch
x, y = torch.randn(5, 3), torch.randn(5, 2)
w1, w2 = torch.randn(3, 4), torch.randn(4, 2)
z1 = x @ w1
a1 = z1.clamp(min=0)
loss = ((a1 @ w2 - y) ** 2).mean()
grad_out = 2 * (a1 @ w2 - y) / 10
grad_a1 = grad_out @ w2.t()
grad_z1 = grad_a1.clone()
grad_z1[z1 < 0] = 0
grad_w1 = x.t() @ grad_z1
"""
    assert not diagnosed(source)
    (found,) = diagnosed(source.replace("grad_z1[z1 < 0]", "grad_z1[a1 < 0]"))
    assert found.line == 10
    assert found.fix == "z1"


LISTS = """\
import math
x, t = [0.4, -0.7, 1.2], [0.3, -0.5]
w, b = [[0.5, -0.3, 0.8], [0.2, 0.9, -0.6]], [0.1, 0.2]
out = [math.tanh(sum(w[k][i] * x[i] for i in range(3)) + b[k]) for k in range(2)]
loss = sum((out[k] - t[k]) ** 2 for k in range(2)) / 2
dw = [[0.0] * 3 for _ in range(2)]
db = [0.0] * 2
for k in range(2):
    dz = (out[k] - t[k]) * (1 - out[k] ** 2)
    db[k] = dz
    for i in range(3):
        dw[k][i] = dz * x[i]
"""


@pytest.mark.parametrize(
    ("old", "line"),
    [("    db[k] = dz\n", "db = [0.0] * 2"), ("dw[k][i] = dz * x[i]", "dw = [[0.0] * 3 for _ in range(2)]")],
)
def test_lists_of_zeros_that_nothing_is_put_into(old: str, line: str) -> None:
    assert not diagnosed(LISTS)
    (found,) = diagnosed(LISTS.replace(old, "" if old.endswith("\n") else "pass"))
    assert found.line == LISTS.split("\n").index(line) + 1
    assert "still zero" in found.message
    assert not found.fix  # what one entry should be is no list


@pytest.mark.parametrize(
    "more",
    [
        "db = [0.0] * 2\n",  # zeros for the next epoch
        "vb, m_w = [0.0] * 2, [0.0] * 3\n",
        "vb = [0.0] * 2\nm_w = [0.0] * 3\n",
        "rows = [0.0] * 2\n",
    ],
)
def test_other_lists_of_zeros_are_no_mistake(more: str) -> None:
    report = check_source(LISTS + more, sandbox=False)
    assert not [f for f in report.findings if f.root], report.explain()
    assert "db[1]" in report.confirmed


def test_what_is_added_last_is_right_and_what_was_there_is_not() -> None:
    """No change that is known makes the loop right; the penalty after it is a term of the gradient as it stands."""
    source = SAMPLES.replace("np.outer(X[s], X[s] @ V)\n", "np.outer(X[s], np.cos(X[s] @ V))\ndV += 0.2 * V\n")
    source = source.replace("dw, dV =", "loss += 0.1 * np.sum(V**2)\ndw, dV =")
    found = diagnosed(source)
    assert [f.line for f in found] == [source.split("\n").index("dV += 0.2 * V")], found
