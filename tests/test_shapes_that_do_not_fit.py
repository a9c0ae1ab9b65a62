"""Runs that stop at arrays which do not fit: the line is told, with the change after which the derivation is right."""

import pytest

import symgrad

MLP = """import numpy as np
np.random.seed(1)
N, D, H, C = 6, 4, 5, 3
X = np.random.randn(N, D)
y = np.random.randint(0, C, N)
W1 = np.random.randn(D, H) * np.sqrt(2.0 / D)
b1 = np.zeros(H)
W2 = np.random.randn(H, C) * np.sqrt(2.0 / H)
b2 = np.zeros(C)

Z1 = X.dot(W1) + b1
A1 = np.maximum(0, Z1)
scores = A1.dot(W2) + b2
scores -= scores.max(axis=1, keepdims=True)
P = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
loss = -np.log(P[np.arange(N), y]).mean()

dscores = P.copy()
dscores[np.arange(N), y] -= 1
dscores /= N
dW2 = A1.T.dot(dscores)
db2 = dscores.sum(axis=0)
dA1 = dscores.dot(W2.T)
dZ1 = dA1 * (Z1 > 0)
dW1 = X.T.dot(dZ1)
db1 = dZ1.sum(axis=0)
print(loss, dW1, db1, dW2, db2)
"""

RECURRENT = """import numpy as np

class RNN:
    def __init__(self, n_in, n_hid, n_out):
        rng = np.random.default_rng(0)
        self.Wx = rng.normal(size=(n_hid, n_in)) / np.sqrt(n_in)
        self.Wh = rng.normal(size=(n_hid, n_hid)) / np.sqrt(n_hid)
        self.Wy = rng.normal(size=(n_out, n_hid)) / np.sqrt(n_hid)
        self.bh = np.zeros(n_hid)
        self.by = np.zeros(n_out)

    def forward(self, xs, ts):
        self.xs, self.ts = xs, ts
        self.hs = [np.zeros(len(self.bh))]
        self.ys = []
        loss = 0
        for x, t in zip(xs, ts):
            h = np.tanh(self.Wx @ x + self.Wh @ self.hs[-1] + self.bh)
            y = self.Wy @ h + self.by
            self.hs.append(h)
            self.ys.append(y)
            loss += 0.5 * np.sum((y - t) ** 2)
        return loss

    def backward(self):
        self.dWx = np.zeros_like(self.Wx)
        self.dWh = np.zeros_like(self.Wh)
        self.dWy = np.zeros_like(self.Wy)
        self.dbh = np.zeros_like(self.bh)
        self.dby = np.zeros_like(self.by)
        dh_next = np.zeros_like(self.bh)
        for t in reversed(range(len(self.xs))):
            dy = self.ys[t] - self.ts[t]
            self.dWy += np.outer(dy, self.hs[t + 1])
            self.dby += dy
            dh = self.Wy.T @ dy + dh_next
            dz = (1 - self.hs[t + 1] ** 2) * dh
            self.dWx += np.outer(dz, self.xs[t])
            self.dWh += np.outer(dz, self.hs[t])
            self.dbh += dz
            dh_next = self.Wh.T @ dz

rng = np.random.default_rng(1)
xs = rng.normal(size=(4, 3))
ts = rng.normal(size=(4, 2))
net = RNN(3, 5, 2)
print(net.forward(xs, ts))
net.backward()
print(net.dWx, net.dWh, net.dWy, net.dbh, net.dby)
"""

TORCH = """import torch
torch.manual_seed(0)
N, D_in, H, D_out = 8, 5, 6, 2
x = torch.randn(N, D_in)
y = torch.randn(N, D_out)
w1 = torch.randn(D_in, H, requires_grad=True)
w2 = torch.randn(H, D_out, requires_grad=True)

h = x.mm(w1)
h_relu = h.clamp(min=0)
y_pred = h_relu.mm(w2)
loss = (y_pred - y).pow(2).sum()
loss.backward()

grad_y_pred = 2.0 * (y_pred - y)
grad_w2 = h_relu.t().mm(grad_y_pred)
grad_h_relu = grad_y_pred.mm(w2.t())
grad_h = grad_h_relu.clone()
grad_h[h < 0] = 0
grad_w1 = x.t().mm(grad_h)
print(torch.allclose(grad_w1, w1.grad), torch.allclose(grad_w2, w2.grad))
"""

FUNCTIONS = """import numpy as np

def sigmoid(z):
    return 1 / (1 + np.exp(-z))

def initialize(n_x, n_h, n_y):
    np.random.seed(2)
    W1 = np.random.randn(n_h, n_x) * 0.1
    b1 = np.zeros((n_h, 1))
    W2 = np.random.randn(n_y, n_h) * 0.1
    b2 = np.zeros((n_y, 1))
    return {"W1": W1, "b1": b1, "W2": W2, "b2": b2}

def forward(X, params):
    Z1 = np.dot(params["W1"], X) + params["b1"]
    A1 = np.tanh(Z1)
    Z2 = np.dot(params["W2"], A1) + params["b2"]
    A2 = sigmoid(Z2)
    return A2, {"Z1": Z1, "A1": A1, "Z2": Z2, "A2": A2}

def compute_cost(A2, Y):
    m = Y.shape[1]
    return -np.sum(Y * np.log(A2) + (1 - Y) * np.log(1 - A2)) / m

def backward(params, cache, X, Y):
    m = X.shape[1]
    A1 = cache["A1"]
    A2 = cache["A2"]
    dZ2 = A2 - Y
    dW2 = np.dot(dZ2, A1.T) / m
    db2 = np.sum(dZ2, axis=1, keepdims=True) / m
    dZ1 = np.dot(params["W2"].T, dZ2) * (1 - np.power(A1, 2))
    dW1 = np.dot(dZ1, X.T) / m
    db1 = np.sum(dZ1, axis=1, keepdims=True) / m
    return {"dW1": dW1, "db1": db1, "dW2": dW2, "db2": db2}

def update(params, grads, lr=1.2):
    for k in params:
        params[k] = params[k] - lr * grads["d" + k]
    return params

X = np.random.randn(2, 7)
Y = (np.random.rand(1, 7) > 0.5).astype(float)
params = initialize(2, 4, 1)
for i in range(3):
    A2, cache = forward(X, params)
    cost = compute_cost(A2, Y)
    grads = backward(params, cache, X, Y)
    params = update(params, grads)
    print(i, cost)
"""

ATTENTION = """import numpy as np
rng = np.random.default_rng(3)
T, d, dk = 5, 6, 4
x = rng.normal(size=(T, d))
Wq = rng.normal(size=(d, dk)) / np.sqrt(d)
Wk = rng.normal(size=(d, dk)) / np.sqrt(d)
Wv = rng.normal(size=(d, dk)) / np.sqrt(d)
target = rng.normal(size=(T, dk))

q, k, v = x @ Wq, x @ Wk, x @ Wv
scores = q @ k.T / np.sqrt(dk)
e = np.exp(scores - scores.max(axis=-1, keepdims=True))
att = e / e.sum(axis=-1, keepdims=True)
out = att @ v
loss = np.mean((out - target) ** 2)

dout = 2 * (out - target) / out.size
datt = dout @ v.T
dv = att.T @ dout
dscores = att * (datt - np.sum(datt * att, axis=-1, keepdims=True))
dscores /= np.sqrt(dk)
dq = dscores @ k
dk_ = dscores.T @ q
dWq = x.T @ dq
dWk = x.T @ dk_
dWv = x.T @ dv
dx = dq @ Wq.T + dk_ @ Wk.T + dv @ Wv.T
print(dWq, dWk, dWv, dx)
"""

TIED = """import numpy as np

class TiedAutoencoder:
    def __init__(self, n_in, n_hid, rng):
        self.W = rng.normal(0, 0.3, (n_in, n_hid))
        self.b = np.zeros(n_hid)
        self.c = np.zeros(n_in)

    def forward(self, X):
        self.X = X
        self.H = 1 / (1 + np.exp(-(X @ self.W + self.b)))
        self.R = self.H @ self.W.T + self.c
        return np.mean(np.sum((self.R - X) ** 2, axis=1))

    def backward(self):
        n = self.X.shape[0]
        dR = 2 * (self.R - self.X) / n
        self.dc = dR.sum(axis=0)
        dH = dR @ self.W
        dZ = dH * self.H * (1 - self.H)
        self.db = dZ.sum(axis=0)
        self.dW = self.X.T @ dZ + dR.T @ self.H

rng = np.random.default_rng(1)
X = rng.random((6, 5))
ae = TiedAutoencoder(5, 3, rng)
for step in range(3):
    loss = ae.forward(X)
    ae.backward()
    ae.W -= 0.1 * ae.dW
    ae.b -= 0.1 * ae.db
    ae.c -= 0.1 * ae.dc
    print(step, loss)
"""

SLIPS = [
    (MLP, "dscores.dot(W2.T)", "dscores.dot(W2)", "transpose", "W2.T"),
    (MLP, "dscores.dot(W2.T)", "W2.dot(dscores)", "transpose", "dscores.dot(W2.T)"),
    (MLP, "A1.T.dot(dscores)", "A1.dot(dscores)", "transpose", "A1.T"),
    (MLP, "dA1 * (Z1 > 0)", "dA1 * (scores > 0)", "wrong-variable", "Z1"),
    (MLP, "dA1 * (Z1 > 0)", "dscores * (Z1 > 0)", "missing-factor", "(dscores @ W2.T)"),
    (RECURRENT, "outer(dy, self.hs[t + 1])", "outer(self.hs[t + 1], dy)", "transpose", "np.outer(dy, self.hs[t + 1])"),
    (RECURRENT, "self.Wy.T @ dy + dh_next", "dy + dh_next", "missing-factor", "(self.Wy.T @ dy)"),
    (RECURRENT, "(1 - self.hs[t + 1] ** 2)", "(1 - self.ys[t] ** 2)", "wrong-variable", "self.hs[t + 1]"),
    (TORCH, "grad_y_pred.mm(w2.t())", "grad_y_pred.mm(w2)", "transpose", "w2.T"),
    (TORCH, "grad_h_relu.clone()", "grad_y_pred.clone()", "wrong-variable", "grad_h_relu"),
    (FUNCTIONS, "np.dot(dZ2, A1.T) / m", "np.dot(dZ2, A1) / m", "transpose", "A1.T"),
    (ATTENTION, "dscores @ k\n", "dscores @ k.T\n", "transpose", "k"),
    (TIED, "dH = dR @ self.W", "dH = dR", "wrong-formula", "dR@self.W"),
]


@pytest.mark.parametrize("source", [MLP, RECURRENT, TORCH, FUNCTIONS, ATTENTION, TIED])
def test_right_work(source: str) -> None:
    report = symgrad.check(source)
    assert report.ok, report.explain()
    assert report.confirmed


@pytest.mark.parametrize(("source", "right", "wrong", "mistake", "fix"), SLIPS)
def test_the_line_that_stops_the_run(source: str, right: str, wrong: str, mistake: str, fix: str) -> None:
    assert source.count(right) == 1
    report = symgrad.check(source.replace(right, wrong))
    (found,) = [f for f in report.findings if f.root]
    assert found.span is not None
    assert found.span.line == source[: source.index(right)].count("\n") + 1, report.explain()
    assert (found.mistake, found.fix, found.fix_verified) == (mistake, fix, True)


def test_what_comes_after_it_is_checked_as_well() -> None:
    """Two mistakes; the second stands in a line that never ran."""
    wrong = MLP.replace("dscores.dot(W2.T)", "dscores.dot(W2)").replace("dZ1.sum(axis=0)", "dZ1.sum(axis=1)")
    report = symgrad.check(wrong)
    assert [f.span.line for f in report.findings if f.root and f.span] == [23, 26], report.explain()
    assert "dZ1" in report.confirmed
    assert "dA1" not in report.confirmed


def test_two_runs_that_stop() -> None:
    wrong = MLP.replace("dscores.dot(W2.T)", "dscores.dot(W2)").replace("X.T.dot(dZ1)", "X.dot(dZ1)")
    report = symgrad.check(wrong)
    assert [f.span.line for f in report.findings if f.root and f.span] == [23, 25], report.explain()


def test_a_stop_that_no_small_change_mends_is_said_as_it_was() -> None:
    report = symgrad.check(MLP.replace("dscores.dot(W2.T)", "np.zeros((7, 7)).dot(np.ones((3, 3)))"))
    assert not [f for f in report.findings if f.root], report.explain()
    assert report.exit_code == 2
    assert any(f.code == "stopped" for f in report.findings)
