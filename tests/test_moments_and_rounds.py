"""Training with moments of gradients, and derivations whose loops use one name for several things.

Each right one was blamed when it was tried first; each slip was told elsewhere, or not at all.
"""

from __future__ import annotations

import pytest

from symgrad.manual import check_source
from symgrad.report.model import Report

#: ``dA_prev`` of the first layer is m times too large like the others, and no line divides it by m.
ADAM = """\
import numpy as np
rng = np.random.RandomState(3)
X, Y = rng.randn(3, 5), np.array([[1, 0, 1, 1, 0]])
params = {"W1": rng.randn(4, 3), "b1": np.zeros((4, 1)), "W2": rng.randn(1, 4), "b2": np.zeros((1, 1))}
v = {"d" + k: np.zeros_like(p) for k, p in params.items()}
s = {"d" + k: np.zeros_like(p) for k, p in params.items()}
A, caches = X, []
for l in (1, 2):
    Z = params["W" + str(l)] @ A + params["b" + str(l)]
    caches.append((A, params["W" + str(l)], Z))
    A = np.tanh(Z) if l == 1 else 1/(1 + np.exp(-Z))
m = Y.shape[1]
cost = -np.sum(Y*np.log(A) + (1 - Y)*np.log(1 - A))/m
grads = {}
dA = -(Y/A - (1 - Y)/(1 - A))
for l in (2, 1):
    A_prev, W, Z = caches[l - 1]
    dZ = dA*(1 - np.tanh(Z)**2) if l == 1 else dA/(1 + np.exp(-Z))*(1 - 1/(1 + np.exp(-Z)))
    grads["dW" + str(l)] = dZ @ A_prev.T/m
    grads["db" + str(l)] = dZ.sum(axis=1, keepdims=True)/m
    dA = W.T @ dZ
for key in params:
    g = grads["d" + key]
    v["d" + key] = 0.9*v["d" + key] + (1 - 0.9)*g
    s["d" + key] = 0.99*s["d" + key] + (1 - 0.99)*g**2
    v_hat = v["d" + key]/(1 - 0.9)
    s_hat = s["d" + key]/(1 - 0.99)
    params[key] = params[key] - 0.01*v_hat/(np.sqrt(s_hat) + 1e-8)
"""

#: ``error`` is a part of the derivation, and ``total`` what is differentiated; ``s`` begins with a bias and moves none.
LISTS = """\
import math
class Net:
    def __init__(self):
        self.wi = [[0.3, -0.5, 0.8], [0.7, 0.2, -0.4]]
        self.wo = [[0.6, -0.9], [-0.2, 0.5], [0.4, 0.1]]
        self.bh, self.bo = [0.1, -0.2, 0.3], [0.2, -0.1]
    def forward(self, inputs):
        self.ai, self.ah, self.ao = list(inputs), [], []
        for j in range(3):
            s = self.bh[j]
            for i in range(2):
                s += self.ai[i]*self.wi[i][j]
            self.ah.append(math.tanh(s))
        for k in range(2):
            s = self.bo[k]
            for j in range(3):
                s += self.ah[j]*self.wo[j][k]
            self.ao.append(1.0/(1.0 + math.exp(-s)))
    def error(self, targets):
        return sum(0.5*(t - o)**2 for t, o in zip(targets, self.ao))
    def back(self, targets, rate):
        output_deltas, hidden_deltas = [0.0]*2, [0.0]*3
        for k in range(2):
            error = targets[k] - self.ao[k]
            output_deltas[k] = self.ao[k]*(1 - self.ao[k])*error
        for j in range(3):
            error = 0.0
            for k in range(2):
                error += output_deltas[k]*self.wo[j][k]
            hidden_deltas[j] = (1 - self.ah[j]**2)*error
        for j in range(3):
            for k in range(2):
                change = output_deltas[k]*self.ah[j]
                self.wo[j][k] = self.wo[j][k] + rate*change
        for k in range(2):
            self.bo[k] += rate*output_deltas[k]
        for i in range(2):
            for j in range(3):
                change = hidden_deltas[j]*self.ai[i]
                self.wi[i][j] = self.wi[i][j] + rate*change
        for j in range(3):
            self.bh[j] += rate*hidden_deltas[j]
net = Net()
total = 0.0
for x, t in (([0.4, 1.2], [1.0, 0.0]), ([0.5, -1.0], [1.0, 1.0])):
    net.forward(x)
    total += net.error(t)
    net.back(t, 0.5)
"""

#: Who leaves T out has no T in the derivative.
DEFAULT = """\
import numpy as np
def softmax(z, T=1.0):
    e = np.exp(z/T)
    return e/e.sum(axis=1, keepdims=True)
def loss_and_gradient(z, y, q, T=3.0):
    p, p_T = softmax(z), softmax(z, T)
    loss = -np.sum(y*np.log(p)) - T**2*np.sum(q*np.log(p_T))
    dz = p - y + T*(p_T - q)
    return loss, dz
z = np.array([[0.3, -0.8, 1.1], [0.9, 0.4, -0.7]])
y, q = np.eye(3)[[0, 2]], np.array([[0.2, 0.3, 0.5], [0.6, 0.3, 0.1]])
loss, dz = loss_and_gradient(z, y, q)
"""

#: In the first round ``de`` is dea.
BRANCHES = """\
import numpy as np
rng = np.random.RandomState(4)
W, xa, xb = rng.randn(4, 3), rng.randn(5, 4), rng.randn(5, 4)
V = rng.randn(3, 2)
ha, hb = np.tanh(xa @ W), np.tanh(xb @ W)
diff = ha @ V - hb @ V
loss = np.sum(diff**2)/2
dea = diff
deb = -diff
dW, dV = np.zeros_like(W), np.zeros_like(V)
for x, h, de in ((xa, ha, dea), (xb, hb, deb)):
    dV += h.T @ de
    dh = de @ V.T
    dW += x.T @ (dh*(1 - h**2))
"""


def checked(source: str) -> Report:
    return check_source(source, filename="derivation.py", sandbox=False)


@pytest.mark.parametrize("source", [ADAM, LISTS, DEFAULT, BRANCHES], ids=["adam", "lists", "default", "branches"])
def test_right_work_is_right(source: str) -> None:
    report = checked(source)
    assert report.ok, report.explain()
    assert not [f for f in report.findings if f.root and f.line], report.explain()


@pytest.mark.parametrize(
    ("source", "right", "slip", "mistake"),
    [
        (ADAM, "dZ.sum(axis=1, keepdims=True)/m", "dZ.mean(keepdims=True)", "wrong-reduction"),
        (ADAM, "dA = W.T @ dZ", "dA = W.T @ dZ/m", "scale"),
        (LISTS, "(1 - self.ah[j]**2)*error", "self.ah[j]*error", ""),
        (DEFAULT, "T*(p_T - q)", "(p_T - q)", ""),
        (BRANCHES, "dh = de @ V.T", "dh = dea @ V.T", ""),
    ],
)
def test_a_slip_is_found_in_its_line(source: str, right: str, slip: str, mistake: str) -> None:
    line = source[: source.index(right)].count("\n") + 1
    found = [f for f in checked(source.replace(right, slip)).findings if f.root and f.line]
    assert [f.line for f in found] == [line]
    assert mistake in ("", found[0].mistake)
