"""Training in rounds: few of them are traced, the last one is judged from the parameters that it began with."""

from __future__ import annotations

import pytest

from symgrad.frontends.sandbox import run_source
from symgrad.manual import check_source

DATA = """
import numpy as np
rng = np.random.default_rng(1)
X = rng.normal(size=(20, 4))
Y = rng.normal(size=(20, 2))
"""

#: Parameters and gradients in dictionaries, what backward needs in a tuple.
DICTIONARIES = (
    DATA
    + """
params = {
    "W1": rng.normal(size=(4, 8)) * 0.1, "b1": np.zeros(8),
    "W2": rng.normal(size=(8, 2)) * 0.1, "b2": np.zeros(2),
}

def forward(X, params):
    Z1 = X @ params["W1"] + params["b1"]
    A1 = np.maximum(0, Z1)
    return A1 @ params["W2"] + params["b2"], (Z1, A1)

def backward(X, Y, Y_hat, cache, params):
    Z1, A1 = cache
    dZ2 = 2*(Y_hat - Y)/Y.size
    grads = {}
    grads["W2"] = A1.T @ dZ2
    grads["b2"] = dZ2.sum(axis=0)
    dA1 = dZ2 @ params["W2"].T
    dZ1 = dA1 * (Z1 > 0)
    grads["W1"] = X.T @ dZ1
    grads["b1"] = dZ1.sum(axis=0)
    return grads

for epoch in range(ROUNDS):
    Y_hat, cache = forward(X, params)
    loss = np.mean((Y_hat - Y)**2)
    grads = backward(X, Y, Y_hat, cache, params)
    for k in params:
        params[k] -= 0.1 * grads[k]
"""
)

#: Names for everything, momentum, and a penalty.
PLAIN = (
    DATA
    + """
W1 = rng.normal(size=(4, 8)) * 0.1
W2 = rng.normal(size=(8, 2)) * 0.1
v1, v2 = np.zeros_like(W1), np.zeros_like(W2)
losses = []
for i in range(ROUNDS):
    H = np.tanh(X @ W1)
    P = H @ W2
    loss = np.mean((P - Y)**2) + 0.01 * np.sum(W1**2)
    losses.append(loss)
    dP = 2 * (P - Y) / Y.size
    dW2 = H.T @ dP
    dH = dP @ W2.T
    dZ = dH * (1 - H**2)
    dW1 = X.T @ dZ + 0.02 * W1
    v1 = 0.9 * v1 - 0.1 * dW1
    v2 = 0.9 * v2 - 0.1 * dW2
    W1 = W1 + v1
    W2 = W2 + v2
"""
)

#: A class that keeps everything in itself, and a hidden state that is carried from one round into the next.
CARRIED = """
import numpy as np
np.random.seed(3)
x = np.random.randn(4, 3)
t = np.random.randn(4, 2)
Wx, Wh, Wy = np.random.randn(5, 3) * 0.3, np.random.randn(5, 5) * 0.3, np.random.randn(2, 5) * 0.3
hprev = np.zeros(5)
for step in range(ROUNDS):
    hs, ys = {-1: hprev}, {}
    loss = 0
    for n in range(4):
        hs[n] = np.tanh(Wx @ x[n] + Wh @ hs[n-1])
        ys[n] = Wy @ hs[n]
        loss += 0.5 * np.sum((ys[n] - t[n])**2)
    dWx, dWh, dWy = np.zeros_like(Wx), np.zeros_like(Wh), np.zeros_like(Wy)
    dhnext = np.zeros(5)
    for n in reversed(range(4)):
        dy = ys[n] - t[n]
        dWy += np.outer(dy, hs[n])
        dh = Wy.T @ dy + dhnext
        dz = dh * (1 - hs[n]**2)
        dWx += np.outer(dz, x[n])
        dWh += np.outer(dz, hs[n-1])
        dhnext = Wh.T @ dz
    for p, d in zip([Wx, Wh, Wy], [dWx, dWh, dWy]):
        p -= 0.05 * d
    hprev = hs[3]
"""

TEXTS = {"dictionaries": DICTIONARIES, "plain": PLAIN, "carried": CARRIED}


@pytest.mark.parametrize("rounds", [1, 2, 3, 400])
@pytest.mark.parametrize("name", TEXTS)
def test_right_training_is_right_in_every_round(name: str, rounds: int) -> None:
    report = check_source(TEXTS[name].replace("ROUNDS", str(rounds)))
    assert report.ok, report.explain()
    assert len(report.confirmed) >= 5, report.explain()
    assert not report.unchecked, report.explain()


#: A text, what is written wrongly, and how.
WRONG = [
    ("dictionaries", "dZ1 = dA1 * (Z1 > 0)", "dZ1 = dA1 * (A1 < 0)"),
    ("dictionaries", 'grads["b2"] = dZ2.sum(axis=0)', 'grads["b2"] = dZ2.mean(axis=0)'),
    ("dictionaries", "dZ2 = 2*(Y_hat - Y)/Y.size", "dZ2 = 2*(Y_hat - Y)/Y.shape[0]"),
    ("plain", "dZ = dH * (1 - H**2)", "dZ = dH * (1 - H)**2"),
    ("plain", "dW1 = X.T @ dZ + 0.02 * W1", "dW1 = X.T @ dZ + 0.01 * W1"),
    ("carried", "dh = Wy.T @ dy + dhnext", "dh = Wy.T @ dy"),
    ("carried", "dWh += np.outer(dz, hs[n-1])", "dWh += np.outer(dz, hs[n])"),
]


@pytest.mark.parametrize("rounds", [1, 3, 400])
@pytest.mark.parametrize(("name", "right", "wrong"), WRONG)
def test_one_mistake_is_found_at_its_line(name: str, right: str, wrong: str, rounds: int) -> None:
    text = TEXTS[name].replace("ROUNDS", str(rounds))
    source = text.replace(right, wrong)
    assert source != text
    report = check_source(source)
    line = 1 + text[: text.index(right)].count("\n")
    assert [f.line for f in report.findings if f.root] == [line], report.explain()


def test_few_rounds_are_traced() -> None:
    trace = run_source(PLAIN.replace("ROUNDS", "100000"))
    assert trace.error is None
    assert trace.hurried
    assert 3 <= len(trace.rounds) <= 10


def test_what_needs_all_rounds_gets_them() -> None:
    """A script that asserts what training comes to does not fail because it was cut short."""
    trace = run_source(PLAIN.replace("ROUNDS", "100") + "assert len(losses) == 100\nlast = losses[99]\n")
    assert trace.error is None
    assert not trace.hurried


def test_what_fails_by_itself_fails_still() -> None:
    trace = run_source(PLAIN.replace("ROUNDS", "100") + "assert len(losses) == 99\n")
    assert trace.error is not None
    assert "AssertionError" in trace.error.message


def test_a_loop_that_does_something_else_in_each_round_is_not_cut() -> None:
    """Of a loop that fills a time series every round is part of the forward pass."""
    source = """
x, v = 1.0, 0.0
k = 0.7
for it in range(40):
    a = -k * x
    v = v + 0.1 * a
    x = x + 0.1 * v
loss = x**2
dx = 2 * x
"""
    trace = run_source(source)
    assert not trace.hurried
    assert trace.rounds == () or len(trace.rounds) == 40
    assert check_source(source).confirmed == ("dx",)


def test_rows_that_a_loop_takes_begin_its_rounds() -> None:
    # The row of the last round is no value that an earlier round handed on: the loss is the whole sum.
    source = """
import numpy as np
states = np.array([[1.0, 0.5], [0.3, -1.0], [0.9, 0.1]])
returns = [1.5, 0.7, -0.4]
theta = np.array([0.1, -0.2])
loss = 0.0
grad = np.zeros_like(theta)
for s, G in zip(states, returns):
    out = np.tanh(s @ theta)
    loss += G * out**2
    grad += G * 2*out*(1 - out**2)*s
print(loss, grad)
"""
    report = check_source(source)
    assert report.ok, report.explain()
    assert report.confirmed
    wrong = check_source(source.replace("grad += G * 2", "grad = G * 2"))
    assert [f.mistake for f in wrong.findings if f.root] == ["lost-accumulation"], wrong.explain()


NAMED_AT_RUN_TIME = """
import numpy as np
rng = np.random.default_rng(0)
class Coder:
    def __init__(self):
        self.W = rng.normal(size=(4, 3))
        self.b = np.zeros(3)
    def forward(self, X):
        self.X = X
        self.a = np.tanh(X @ self.W + self.b)
        return self.a
    def loss(self):
        return np.mean((self.a @ self.W.T - self.X) ** 2)
    def backward(self):
        dout = 2 * (self.a @ self.W.T - self.X) / self.X.size
        dz = (dout @ self.W) * (1 - self.a ** 2)
        self.dW = self.X.T @ dz + dout.T @ self.a
        self.db = dz.sum(axis=0)
    def step(self, lr):
        for p in ("W", "b"):
            setattr(self, p, getattr(self, p) - lr * getattr(self, "d" + p))
X = rng.normal(size=(5, 4))
net = Coder()
for epoch in range(3):
    net.forward(X)
    print(net.loss())
    net.backward()
    net.step(0.1)
"""


def test_parameters_set_by_a_name_made_at_run_time() -> None:
    report = check_source(NAMED_AT_RUN_TIME)
    assert report.ok, report.explain()
    assert {"self.dW", "self.db"} <= set(report.confirmed)
    assert not [f for f in report.findings if f.code == "unchecked"], report.explain()
    wrong = check_source(NAMED_AT_RUN_TIME.replace("self.db = dz.sum", "self.db = self.a.sum"))
    assert [f.span.line for f in wrong.findings if f.root and f.span] == [18], wrong.explain()


#: Each round is one call, which moves the parameters in place; nothing but its name says so.
OPTIMISED = (
    DATA
    + """
W = rng.normal(size=(4, 2)) * 0.1

def optimize(X, Y, W):
    E = X @ W - Y
    loss = 0.5*np.sum(E**2)
    dW = X.T @ E
    W += -0.01*dW
    return loss

def model(X, Y, num_iterations=20000):
    for j in range(num_iterations):
        curr_loss = optimize(X, Y, W)
        if j % 1000 == 0:
            print(j, curr_loss)

model(X, Y)
"""
)


def test_a_loop_of_iterations_that_only_optimizes_is_ended() -> None:
    trace = run_source(OPTIMISED)
    assert trace.error is None
    assert [n.message.split(" after")[0] for n in trace.notes] == ["the loop was ended"]
    assert len(trace.graph) < 5000
