"""Where a mistake is looked for: at the call and not in the function, after the loop, at the result that all is for."""

from __future__ import annotations

import pytest

from symgrad.manual import check_source

CALLS = """
import math
def sigmoid(z):
    return 1 / (1 + math.exp(-z))
def slope(z):
    s = sigmoid(z)
    return s * (1 - s)
x, t = 0.7, 1.0
w1, w2 = 0.5, -0.8
z1 = w1 * x
h = sigmoid(z1)
z2 = w2 * h
o = sigmoid(z2)
loss = 0.5 * (o - t) ** 2
dz2 = (o - t) * slope(z2)
dw2 = dz2 * h
dz1 = dz2 * w2 * slope(z1)
dw1 = dz1 * x
"""

BY_OUTPUT = """
import numpy as np
rng = np.random.RandomState(0)
X = rng.randn(5, 3)
Y = rng.rand(5, 4)
W1 = rng.randn(3, 4)
W2 = rng.randn(4, 4)
def sigmoid(z):
    return 1 / (1 + np.exp(-z))
def slope(s):
    return s * (1 - s)
h = sigmoid(X @ W1)
out = sigmoid(h @ W2)
loss = 0.5 * np.sum((out - Y) ** 2)
d_out = (out - Y) * slope(out)
dW2 = h.T @ d_out
d_h = d_out @ W2.T * slope(h)
dW1 = X.T @ d_h
"""

PLAIN = """
import numpy as np
rng = np.random.RandomState(0)
X = rng.randn(5, 3)
Y = rng.rand(5, 2)
W1 = rng.randn(3, 4)
W2 = rng.randn(4, 2)
def sigmoid(z):
    return 1 / (1 + np.exp(-z))
def slope(z):
    s = sigmoid(z)
    return s * (1 - s)
z1 = X @ W1
h = sigmoid(z1)
z2 = h @ W2
o = sigmoid(z2)
loss = 0.5 * np.sum((o - Y) ** 2)
dz2 = (o - Y) * slope(z2)
dW2 = h.T @ dz2
dz1 = dz2 @ W2.T * slope(z1)
dW1 = X.T @ dz1
"""

LOOP = """
xs = [0.5, -1.2, 2.0]
ys = [1.0, 0.3, -0.7]
w = 0.4
b = 0.1
n = len(xs)
loss = 0.0
dw = 0.0
db = 0.0
for x, y in zip(xs, ys):
    e = w * x + b - y
    loss += e ** 2
    dw += 2 * e * x
    db += 2 * e
loss /= n
dw /= n
db /= n
"""

XOR = """
import numpy as np
np.random.seed(1)
X = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], dtype=float)
T = np.array([0, 1, 1, 0], dtype=float)
W1 = np.random.randn(3, 2)
W2 = np.random.randn(3)
b1 = np.zeros(3)
b2 = 0.0
rate = 0.5
def sigmoid(z):
    return 1 / (1 + np.exp(-z))
for epoch in range(2):
    total = 0
    for x, t in zip(X, T):
        h = sigmoid(W1 @ x + b1)
        o = sigmoid(W2 @ h + b2)
        total += (o - t) ** 2 / 2
        d_o = (o - t) * o * (1 - o)
        dW2 = d_o * h
        d_h = d_o * W2 * h * (1 - h)
        dW1 = np.outer(d_h, x)
        W2 -= rate * dW2
        b2 -= rate * d_o
        W1 -= rate * dW1
        b1 -= rate * d_h
    print(total)
"""

ADAM = """
import math
theta, phi, rate, beta1, beta2 = 0.9, -0.4, 0.05, 0.9, 0.99
m0, v0, x, t = 0.02, 0.003, 1.3, 0.6
pred = math.tanh(theta * x) * phi
loss = (pred - t) ** 2 + 0.1 * (theta**2 + phi**2)
dpred = 2 * (pred - t)
dphi = dpred * math.tanh(theta * x) + 0.1 * 2 * phi
dh = dpred * phi
dz = dh * (1 - math.tanh(theta * x) ** 2)
dtheta = dz * x + 0.1 * 2 * theta
m = beta1 * m0 + (1 - beta1) * dtheta
v = beta2 * v0 + (1 - beta2) * dtheta**2
theta = theta - rate * m / (1 - beta1) / (math.sqrt(v / (1 - beta2)) + 0.001)
"""


@pytest.mark.parametrize(
    ("script", "right", "wrong", "place", "fix"),
    [
        (CALLS, "* slope(z1)", "* slope(h)", "h", "z1"),
        (BY_OUTPUT, "* slope(h)", "* slope(out)", "out", "h"),
        (PLAIN, "* slope(z1)", "* slope(h)", "h", "z1"),
        (LOOP, "dw /= n\n", "", "", "dw /= n"),
        (LOOP, "db /= n\n", "", "", "db /= n"),
    ],
    ids=["call", "call-of-arrays", "input", "division", "division-of-a-sum"],
)
def test_one_mistake(script: str, right: str, wrong: str, place: str, fix: str) -> None:
    """It is told where it is, and only there, and the fix that is offered makes all right."""
    assert check_source(script, sandbox=False).ok
    assert script.count(right) == 1
    changed = script.replace(right, wrong)
    (found,) = (f for f in check_source(changed, sandbox=False).findings if f.root)
    assert found.fix == fix
    assert found.fix_verified
    if place:
        line = changed.split("\n")[(found.line or 0) - 1]
        assert line[(found.column or 0) - 1 : (found.end_column or 0) - 1] == place
        assert wrong in line
    else:
        assert "is missing" in found.message


def test_a_label_of_0_makes_nothing_right() -> None:
    """``(o - t)*(1 - o)`` is the slope of o where t is 0, and the loss is another one all the same."""
    assert check_source(XOR, sandbox=False).ok
    changed = XOR.replace("(o - t) * o * (1 - o)", "(o - t) * (1 - o)")
    report = check_source(changed, sandbox=False)
    (line,) = (n for n, text in enumerate(changed.split("\n"), 1) if "d_o = " in text)
    assert [f.line for f in report.findings if f.root] == [line]
    assert not {"d_o", "dW1", "dW2"} & set(report.confirmed)


def test_both_divisions_are_missing() -> None:
    script = LOOP.replace("dw /= n\n", "").replace("db /= n\n", "")
    found = [f for f in check_source(script, sandbox=False).findings if f.root]
    assert [f.fix for f in found] == ["dw /= n", "db /= n"]
    assert all(f.fix_verified for f in found)


@pytest.mark.parametrize(
    ("first", "second", "lines"),
    [
        ("theta * (1 - math.tanh(theta * x) ** 2)", "dz * x + 0.1 * 2 * beta1", (10, 11)),
        ("dh * (1 - math.tanh(theta * beta2) ** 2)", "dz * x + 0.1 * theta", (10, 11)),
    ],
)
def test_two_mistakes_of_which_neither_is_any_good_alone(first: str, second: str, lines: tuple[int, int]) -> None:
    script = ADAM.replace("dh * (1 - math.tanh(theta * x) ** 2)", first)
    script = script.replace("dz * x + 0.1 * 2 * theta", second)
    assert check_source(ADAM, sandbox=False).ok
    assert tuple(f.line for f in check_source(script, sandbox=False).findings if f.root) == lines


def test_a_rate_that_is_a_number_by_chance_is_none() -> None:
    """``beta1`` in a gradient makes no other gradient one that lacks it: and what is wrong is not kept silent."""
    script = ADAM.replace("dz * x + 0.1 * 2 * theta", "dz * beta1 + 0.1 * 2 * theta")
    report = check_source(script, sandbox=False)
    assert [f.line for f in report.findings if f.root] == [11]
    assert not any("learning rate" in f.message for f in report.findings)


def test_the_result_may_have_any_name() -> None:
    """What nothing else is made of is what all is done for, however many other values stand after it."""
    script = """
import math
a, b = 0.5, -0.9
x = math.cos(a) + math.cos(a + b)
y = math.sin(a) + math.sin(a + b)
reach = 0.5 * (x**2 + y**2)
j11 = -math.sin(a) - math.sin(a + b)
j12 = -math.sin(a + b)
inner = math.cos(a) + math.cos(a + b)
j21 = inner
j22 = math.cos(a + b)
grad_a = x * j11 + y * j21
grad_b = x * j12 + y * j22
print(reach, grad_a, grad_b)
"""
    report = check_source(script, sandbox=False)
    assert report.ok
    assert {"grad_a", "grad_b"} <= set(report.confirmed)
