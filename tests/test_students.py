"""Whole scripts of the kinds that students post: each right, and with one mistake of the kinds that they make."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

import symgrad


@dataclass(frozen=True)
class Case:
    """A script that is right, what is written wrongly in it, and the kind of mistake that is found (any, if empty)."""

    name: str
    source: str
    right: str
    wrong: str
    mistake: str = ""


#: The derivative of the sigmoid takes the output; given the sigmoid of the output it is wrong. Steps are added.
ADDED = """
import numpy as np

def squash(v):
    return 1 / (1 + np.exp(-v))

def slope(out):
    return out * (1 - out)

class TwoLayers:
    def __init__(self, data, goals):
        rng = np.random.RandomState(4)
        self.data, self.goals = data, goals
        self.first = rng.rand(data.shape[1], 5)
        self.second = rng.rand(5, 1)

    def forward(self):
        self.hidden = squash(self.data @ self.first)
        self.out = squash(self.hidden @ self.second)

    def backprop(self):
        miss = 2 * (self.goals - self.out) * slope(self.out)
        d_second = self.hidden.T @ miss
        d_first = self.data.T @ (miss @ self.second.T * slope(self.hidden))
        self.first += d_first
        self.second += d_second

if __name__ == "__main__":
    net = TwoLayers(np.array([[0, 1, 1], [1, 0, 1], [1, 1, 1], [0, 0, 1]]), np.array([[1], [1], [0], [0]]))
    for i in range(2000):
        net.forward()
        net.backprop()
"""

#: Layers as objects, in a list that is walked back.
LAYERS = """
import numpy as np
class Dense:
    def __init__(self, n_in, n_out):
        self.W = np.random.randn(n_in, n_out) * 0.1
        self.b = np.zeros(n_out)
    def forward(self, x):
        self.x = x
        return x @ self.W + self.b
    def backward(self, g):
        self.dW = self.x.T @ g
        self.db = g.sum(0)
        return g @ self.W.T
class Tanh:
    def forward(self, x):
        self.out = np.tanh(x)
        return self.out
    def backward(self, g):
        return g * (1 - self.out**2)
np.random.seed(1)
layers = [Dense(3, 5), Tanh(), Dense(5, 2)]
x, t = np.random.randn(7, 3), np.random.randn(7, 2)
for step in range(50):
    h = x
    for layer in layers:
        h = layer.forward(h)
    loss = ((h - t)**2).mean()
    g = 2 * (h - t) / t.size
    for layer in reversed(layers):
        g = layer.backward(g)
    for layer in layers:
        if isinstance(layer, Dense):
            layer.W -= 0.1 * layer.dW
            layer.b -= 0.1 * layer.db
"""

#: Numbers for arrays of one number, beside autograd, under names that say whose they are.
BESIDE = """
import torch
torch.manual_seed(0)
w = torch.randn(3, requires_grad=True)
b = torch.zeros(1, requires_grad=True)
X, y = torch.randn(10, 3), torch.randn(10)
for epoch in range(100):
    pred = X @ w + b
    loss = ((pred - y)**2).mean()
    loss.backward()
    with torch.no_grad():
        my_dw = 2 * X.T @ (pred - y) / 10
        my_db = 2 * (pred - y).mean()
        w -= 0.05 * w.grad
        b -= 0.05 * b.grad
        w.grad.zero_()
        b.grad.zero_()
"""

#: A gradient as a function, compared with difference quotients entry by entry.
QUOTIENTS = """
import numpy as np
def f(w, x, y):
    return np.mean(np.log(1 + np.exp(-y * np.dot(x, w))))
def analytic(w, x, y):
    z = np.dot(x, w)
    s = -y / (1 + np.exp(y * z))
    return np.dot(x.T, s) / len(y)
def numeric(w, x, y, eps=1e-5):
    g = np.zeros_like(w)
    for i in range(w.size):
        up = w.copy(); up[i] += eps
        down = w.copy(); down[i] -= eps
        g[i] = (f(up, x, y) - f(down, x, y)) / (2 * eps)
    return g
np.random.seed(3)
x, y, w = np.random.randn(6, 3), np.sign(np.random.randn(6)), np.random.randn(3)
a, n = analytic(w, x, y), numeric(w, x, y)
print(np.abs(a - n))
"""

#: The same of a vector that one small number is put into.
UNIT_VECTORS = """
import numpy as np
A = np.array([[2.0, 1.0], [3.0, -1.0]])
b = np.array([1.0, 2.0])
x = np.array([0.3, -0.8])
def f(x):
    return x.T @ A @ x + b @ x
def grad_f(x):
    return (A + A.T) @ x + b
eps = 1e-6
num = np.zeros(2)
for i in range(2):
    e = np.zeros(2)
    e[i] = eps
    num[i] = (f(x + e) - f(x - e)) / (2 * eps)
print(num, grad_f(x))
"""

#: Several results in one script, each with its derivative beside it.
MATRICES = """
import numpy as np
rng = np.random.default_rng(5)
A, X = rng.normal(size=(3, 3)), rng.normal(size=(3, 3))
f = np.trace(A @ X @ X.T)
df_dX = A @ X + A.T @ X
g = np.log(np.linalg.det(X @ X.T + np.eye(3)))
dg_dX = 2 * np.linalg.inv(X @ X.T + np.eye(3)) @ X
n = np.linalg.norm(X)
dn_dX = X / n
"""

#: A straight line, with the update written as a new value, and no loss.
LINE = """
x = [1.0, 2.0, 3.0, 4.0]
y = [2.1, 3.9, 6.2, 7.8]
m, c = 0.3, 0.1
n = len(x)
for _ in range(300):
    slope, offset = 0.0, 0.0
    for a, b in zip(x, y):
        slope += -2 / n * a * (b - m*a - c)
        offset += -2 / n * (b - m*a - c)
    m = m - 0.01 * slope
    c = c - 0.01 * offset
"""

CASES = [
    Case("added", ADDED, "return out * (1 - out)", "return squash(out) * (1 - squash(out))", "wrong-formula"),
    Case("layers", LAYERS, "g * (1 - self.out**2)", "g * (1 - self.out)**2"),
    Case("layers, bias", LAYERS, "self.db = g.sum(0)", "self.db = g.mean(0)"),
    Case("beside autograd", BESIDE, "my_db = 2 * (pred - y).mean()", "my_db = 2 * (pred - y).sum()"),
    Case("beside autograd, weights", BESIDE, "2 * X.T @ (pred - y) / 10", "X.T @ (pred - y) / 10"),
    Case("quotients", QUOTIENTS, "s = -y / (1 + np.exp(y * z))", "s = y / (1 + np.exp(y * z))", "sign"),
    Case("unit vectors", UNIT_VECTORS, "return (A + A.T) @ x + b", "return 2 * A @ x + b"),
    Case("matrices, first", MATRICES, "df_dX = A @ X + A.T @ X", "df_dX = 2 * A @ X"),
    Case("matrices, last", MATRICES, "dn_dX = X / n", "dn_dX = X / n**2"),
    Case("line", LINE, "slope += -2 / n * a * (b - m*a - c)", "slope += -2 / n * (b - m*a - c)", "missing-factor"),
]


@pytest.mark.parametrize("name", {c.source: c.name for c in reversed(CASES)}.values())
def test_right_work_is_right(name: str) -> None:
    source = next(c.source for c in CASES if c.name == name)
    report = symgrad.check(source)
    assert report.ok, report.explain()
    assert report.confirmed, report.explain()
    assert not report.unchecked, report.explain()


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_the_mistake_is_found_where_it_is(case: Case) -> None:
    assert case.source.count(case.right) == 1
    report = symgrad.check(case.source.replace(case.right, case.wrong))
    roots = [f for f in report.findings if f.root]
    line = 1 + case.source[: case.source.index(case.right)].count("\n")
    assert [f.line for f in roots] == [line], report.explain()
    assert case.mistake in ("", roots[0].mistake), report.explain()


def test_a_fix_inside_a_function_is_written_with_its_parameter() -> None:
    case = CASES[0]
    report = symgrad.check(case.source.replace(case.right, case.wrong))
    found = next(f for f in report.findings if f.root)
    assert found.fix == "out*(1 - out)"
    assert found.fix_verified


def test_functions_of_numbers_are_not_blamed_for_being_no_functions_of_arrays() -> None:
    """They are checked with the numbers that the script calls them with."""
    source = """
import numpy as np
def valley(x, y):
    return (1 - x)**2 + 100*(y - x**2)**2
def grad(x, y):
    dx = -2*(1 - x) - 400*x*(y - x**2)
    dy = 200*(y - x**2)
    return np.array([dx, dy])
p, m = np.array([-1.2, 1.0]), np.zeros(2)
for t in range(1, 11):
    m = 0.9*m + 0.1*grad(p[0], p[1])
    p = p - 0.01*m
    print(t, valley(*p))
"""
    report = symgrad.check(source)
    assert report.ok
    assert report.confirmed
    wrong = symgrad.check(source.replace("- 400*x*", "- 200*x*"))
    assert [f.line for f in wrong.findings if f.root] == [6]
