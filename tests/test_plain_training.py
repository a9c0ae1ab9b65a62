"""Training as beginners write it: one sample after the other, the loss only printed, moves written as products."""

from __future__ import annotations

import pytest

import symgrad
from symgrad.diagnose.text.naming import is_surely_loss
from symgrad.report.model import Report

SAMPLES = """\
import numpy as np

def act(x):
    return 1 / (1 + np.exp(-x))

def d_act(x):
    return act(x) * (1 - act(x))

u, v, c, w, b = 0.4, -0.7, 0.1, 1.3, -0.2
rate = 0.1
data = np.array([[0.5, -1.0], [1.5, 0.3], [-0.8, 0.9]])
targets = np.array([1, 0, 1])
for epoch in range(3):
    for x, y in zip(data, targets):
        z = u * x[0] + v * x[1] + c
        h = act(z)
        s = w * h + b
        out = act(s)
        pred = out

        d_L_d_pred = -2 * (y - pred)
        d_pred_d_w = h * d_act(s)
        d_pred_d_b = d_act(s)
        d_pred_d_h = w * d_act(s)
        d_h_d_u = x[0] * d_act(z)
        d_h_d_v = x[1] * d_act(z)
        d_h_d_c = d_act(z)

        u -= rate * d_L_d_pred * d_pred_d_h * d_h_d_u
        v -= rate * d_L_d_pred * d_pred_d_h * d_h_d_v
        c -= rate * d_L_d_pred * d_pred_d_h * d_h_d_c
        w -= rate * d_L_d_pred * d_pred_d_w
        b -= rate * d_L_d_pred * d_pred_d_b
    print(epoch, np.mean((targets - act(w * act(u * data[:, 0] + v * data[:, 1] + c) + b)) ** 2))
"""


def roots(report: Report) -> list[int]:
    return [f.line for f in report.findings if f.root]


def notes(report: Report) -> str:
    return " ".join(f.message for f in report.findings)


def test_a_loss_that_only_names_ask_for() -> None:
    report = symgrad.check(SAMPLES)
    assert report.ok
    assert "update of w" in report.confirmed
    assert "d_L_d_pred" in report.confirmed
    assert "held against that of (y - pred)**2" in notes(report)


@pytest.mark.parametrize(
    ("right", "wrong", "fix"),
    [
        ("d_pred_d_h = w * d_act(s)", "d_pred_d_h = b * d_act(s)", "w"),
        ("d_pred_d_h * d_h_d_v", "d_pred_d_w * d_h_d_v", "d_pred_d_h"),
        ("b -= rate * d_L_d_pred * d_pred_d_b", "b -= rate * d_pred_d_b", "d_L_d_pred"),
        ("d_L_d_pred = -2 * (y - pred)", "d_L_d_pred = 2 * (y - pred)", "-2 * (y - pred)"),
        ("return act(x) * (1 - act(x))", "return x * (1 - x)", "act(x)*(1 - act(x))"),
    ],
)
def test_a_mistake_in_it(right: str, wrong: str, fix: str) -> None:
    text = SAMPLES.replace(right, wrong)
    (root,) = [f for f in symgrad.check(text).findings if f.root]
    assert root.line == text[: text.index(wrong)].count("\n") + 1
    assert root.fix is not None
    assert fix in root.fix
    assert root.fix_verified


LINE = """\
import numpy as np

def total_error_for(points, slope, offset):
    total = 0
    for i in range(len(points)):
        total += (points[i, 1] - (slope * points[i, 0] + offset)) ** 2
    return total / float(len(points))

def step(points, slope_now, offset_now, rate):
    slope_gradient, offset_gradient = 0, 0
    n = float(len(points))
    for i in range(len(points)):
        x, y = points[i, 0], points[i, 1]
        slope_gradient += -(2 / n) * x * (y - (slope_now * x + offset_now))
        offset_gradient += -(2 / n) * (y - (slope_now * x + offset_now))
    return slope_now - rate * slope_gradient, offset_now - rate * offset_gradient

def run():
    points = np.array([[1.0, 2.1], [2.0, 3.7], [3.5, 7.2]])
    slope, offset = 0.3, 0.1
    for i in range(5):
        slope, offset = step(points, slope, offset, 0.01)
    print(total_error_for(points, slope, offset))

run()
"""


def test_an_error_that_a_function_adds_up_after_training() -> None:
    report = symgrad.check(LINE)
    assert report.ok
    assert {"slope_gradient", "offset_gradient"} <= set(report.confirmed)
    assert roots(symgrad.check(LINE.replace("* x * (y -", "* (y -"))) == [14]


PRINTED = """\
import numpy as np
rng = np.random.default_rng(0)
X = rng.normal(size=(6, 2))
y = (X[:, 0] > 0).astype(int)
W = rng.normal(size=(2, 3))
b = np.zeros((1, 3))

def calculate_loss(W, b):
    e = np.exp(X.dot(W) + b)
    p = e / np.sum(e, axis=1, keepdims=True)
    total = np.sum(-np.log(p[range(6), y]))
    total += 0.01 / 2 * np.sum(np.square(W))
    return 1.0 / 6 * total

for i in range(4):
    e = np.exp(X.dot(W) + b)
    p = e / np.sum(e, axis=1, keepdims=True)
    delta = p
    delta[range(6), y] -= 1
    dW = X.T.dot(delta)
    db = np.sum(delta, axis=0, keepdims=True)
    dW += 0.01 * W
    W += -0.1 * dW
    b += -0.1 * db
    print(calculate_loss(W, b))
"""


def test_the_mean_is_printed_where_the_sum_is_made_smaller() -> None:
    report = symgrad.check(PRINTED)
    assert report.ok
    assert "times 6" in notes(report)
    assert {"dW", "db"} <= set(report.confirmed)
    assert roots(symgrad.check(PRINTED.replace("db = np.sum(delta, axis=0", "db = 2 * np.sum(delta, axis=0"))) == [21]


LAYERS = """\
import numpy as np
np.random.seed(1)

class Dense:
    def __init__(self, n, m):
        self.weights = np.random.randn(n, m)

    def forward(self, x):
        self.input = x
        return np.tanh(x @ self.weights)

    def backward(self, error, out, rate):
        delta = error * (1 - out**2)
        weights_error = np.dot(self.input.T, delta)
        passed = np.dot(delta, self.weights.T)
        self.weights -= rate * weights_error
        return passed

layers = [Dense(2, 3), Dense(3, 1)]
xs = [np.array([[0.5, -1.0]]), np.array([[1.2, 0.3]])]
ys = [np.array([[0.4]]), np.array([[-0.1]])]
for epoch in range(3):
    loss = 0
    for x, y in zip(xs, ys):
        outs = [x]
        for layer in layers:
            outs.append(layer.forward(outs[-1]))
        loss += np.mean((outs[-1] - y) ** 2)
        error = 2 * (outs[-1] - y) / y.size
        for layer, out in zip(reversed(layers), reversed(outs)):
            error = layer.backward(error, out, 0.1)
"""


def test_every_layer_moves_parameters_of_one_name() -> None:
    assert symgrad.check(LAYERS).ok
    assert roots(symgrad.check(LAYERS.replace("delta, self.weights.T)", "delta, self.weights.T) * 2"))) == [15]


PICKED = """\
import numpy as np
rng = np.random.default_rng(0)
U, V = rng.normal(size=(3, 4)), rng.normal(size=(4, 3))

def softmax(z):
    e = np.exp(z - np.max(z))
    return e / np.sum(e)

def forward(x):
    s, o = np.zeros((len(x), 3)), np.zeros((len(x), 4))
    for t in range(len(x)):
        s[t] = np.tanh(U[:, x[t]])
        o[t] = softmax(V.dot(s[t]))
    return o, s

def loss_of_all(xs, ys):
    L = 0
    for x, y in zip(xs, ys):
        o, _ = forward(x)
        L += -np.sum(np.log(o[np.arange(len(y)), y]))
    return L

xs, ys = [[0, 2, 1], [3, 1]], [[1, 3, 0], [2, 0]]
for epoch in range(2):
    for x, y in zip(xs, ys):
        o, s = forward(x)
        dLdU, dLdV = np.zeros(U.shape), np.zeros(V.shape)
        delta_o = o
        delta_o[np.arange(len(y)), y] -= 1.0
        for t in range(len(y)):
            dLdV += np.outer(delta_o[t], s[t])
            dLdU[:, x[t]] += V.T.dot(delta_o[t]) * (1 - s[t] ** 2)
        U -= 0.1 * dLdU
        V -= 0.1 * dLdV
    print(loss_of_all(xs, ys))
"""


def test_rows_of_softmaxes_are_held_against_their_cross_entropy() -> None:
    report = symgrad.check(PICKED)
    assert report.ok
    assert {"dLdU", "dLdV"} <= set(report.confirmed)
    assert roots(symgrad.check(PICKED.replace("(1 - s[t] ** 2)", "(1 - s[t])"))) == [32]


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ("compute_error_for_line_given_points", True), ("totalError", True), ("squared_error", True),
        ("calculate_cost", True), ("evaluate_loss", True), ("loss_of_net", True), ("mean_squared_error", True),
        ("error", False), ("output_error", False), ("weights_error", False), ("errors", False),
    ],
)  # fmt: skip
def test_names_of_losses(name: str, is_one: bool) -> None:
    assert is_surely_loss(name) is is_one
