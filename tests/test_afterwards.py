"""Training that computes its loss when the parameters have been moved, or computes none, and single slips in it."""

import pytest

import symgrad
from symgrad.diagnose.text.naming import is_loss, is_surely_loss
from tests import slips

#: Sample by sample, entry by entry, from zeros; the cost goes into a list after the move.
SAMPLES = """
import numpy as np

A = np.array([[0.4, 1.3], [1.1, 0.9], [1.6, 0.4], [2.8, 0.7], [2.1, 1.9], [0.9, 2.4]])
t = np.array([0, 0, 0, 1, 1, 1])

def squash(u):
    return 1 / (1 + np.exp(-u))

def cost_of(A, t, w, b):
    count = A.shape[0]
    cost = 0.0
    for k in range(count):
        p = squash(A[k] @ w + b)
        cost = cost - t[k] * np.log(p) - (1 - t[k]) * np.log(1 - p)
    cost = cost / count
    return cost

def slopes(A, t, w, b):
    count, width = A.shape
    dw = np.zeros(width)
    db = 0.0
    for k in range(count):
        miss = squash(A[k] @ w + b) - t[k]
        for j in range(width):
            dw[j] = dw[j] + miss * A[k, j]
        db = db + miss
    dw = dw / count
    db = db / count
    return dw, db

def descend(A, t, w, b, rate, rounds):
    J_history = []
    for r in range(rounds):
        dw, db = slopes(A, t, w, b)
        w = w - rate * dw
        b = b - rate * db
        J_history.append(cost_of(A, t, w, b))
    return w, b, J_history

w, b, seen = descend(A, t, np.zeros(2), 0.0, 0.1, 6)
print(w, b, seen[-1])
"""

#: Lists of numbers, and a function that gives the loss is only printed, now and then.
PRINTED = """
xs = [0.5, 1.5, 2.0, 3.5]
ys = [1.2, 2.9, 4.3, 6.8]

def mse(w, b):
    s = 0.0
    for x, y in zip(xs, ys):
        s += (w * x + b - y) ** 2
    return s / len(xs)

def gradient(w, b):
    dw = 0.0
    db = 0.0
    for x, y in zip(xs, ys):
        off = w * x + b - y
        dw += 2 * off * x
        db += 2 * off
    return dw / len(xs), db / len(xs)

w, b = 0.0, 0.0
for k in range(20):
    dw, db = gradient(w, b)
    w = w - 0.01 * dw
    b = b - 0.01 * db
    if k % 5 == 0:
        print(k, mse(w, b))
"""

#: A class that keeps its losses, each of a forward pass of its own.
FITTED = """
import numpy as np

class Classifier:
    def __init__(self, rate=0.1, rounds=20):
        self.rate, self.rounds, self.losses = rate, rounds, []

    def predict(self, X):
        return 1 / (1 + np.exp(-(X @ self.w + self.b)))

    def entropy(self, y, p):
        return -np.mean(y * np.log(p + 1e-9) + (1 - y) * np.log(1 - p + 1e-9))

    def fit(self, X, y):
        n, d = X.shape
        self.w = np.zeros(d)
        self.b = 0
        for _ in range(self.rounds):
            p = self.predict(X)
            dz = p - y
            dw = (1 / n) * np.dot(X.T, dz)
            db = (1 / n) * np.sum(dz)
            self.w -= self.rate * dw
            self.b -= self.rate * db
            self.losses.append(self.entropy(y, self.predict(X)))

X = np.array([[0.4, 1.1], [1.6, -0.4], [-1.2, 0.7], [1.9, 0.2], [-0.6, -1.3]])
y = np.array([1, 0, 1, 0, 1])
model = Classifier()
model.fit(X, y)
"""

#: No loss at all: a network of two layers that starts from what it is off by, and adds.
ADDED = """
import numpy as np

def unit(v, slope=False):
    if slope:
        return v * (1 - v)
    return 1 / (1 + np.exp(-v))

I = np.array([[0, 1, 1], [1, 0, 1], [0, 0, 1], [1, 1, 1]])
target = np.array([[1], [1], [0], [0]])
rng = np.random.default_rng(5)
V = 2 * rng.random((3, 4)) - 1
U = 2 * rng.random((4, 1)) - 1
for epoch in range(40):
    hid = unit(I @ V)
    out = unit(hid @ U)
    out_error = target - out
    out_delta = out_error * unit(out, slope=True)
    hid_error = out_delta @ U.T
    hid_delta = hid_error * unit(hid, slope=True)
    U += hid.T @ out_delta
    V += I.T @ hid_delta
"""

#: A line through points, with the count as a number; the loss is nowhere.
LINE = """
import numpy as np

x = np.array([3.2, 5.3, 6.1, 4.7, 5.9])
y = np.array([3.1, 6.8, 6.2, 7.1, 8.7])
slope, shift = 0.0, 0.0
n = float(len(x))
for epoch in range(80):
    fit = slope * x + shift
    D_slope = (-2 / n) * sum(x * (y - fit))
    D_shift = (-2 / n) * sum(y - fit)
    slope = slope - 0.001 * D_slope
    shift = shift - 0.001 * D_shift
"""

#: A curve through points by the method of Gauss and Newton: the gradient moves nothing itself.
CURVE = """
import numpy as np

x = np.linspace(0, 2, 6)
y = 1.7 * np.exp(-0.8 * x)

def model(p):
    return p[0] * np.exp(-p[1] * x)

def jac(p):
    J = np.zeros((6, 2))
    J[:, 0] = np.exp(-p[1] * x)
    J[:, 1] = -p[0] * x * np.exp(-p[1] * x)
    return J

p = np.array([1.0, 1.0])
for k in range(2):
    r = y - model(p)
    J = jac(p)
    g = J.T @ r
    p = p + np.linalg.solve(J.T @ J, g)
"""


RIGHT = {"samples": SAMPLES, "printed": PRINTED, "fitted": FITTED, "added": ADDED, "line": LINE, "curve": CURVE}


@pytest.mark.parametrize("source", RIGHT.values(), ids=RIGHT)
def test_right_training_is_right_and_seen_to_be(source: str) -> None:
    slips.passes(source)


@pytest.mark.parametrize(
    ("source", "right", "slip", "mistake"),
    [
        (SAMPLES, "squash(A[k] @ w + b) - t[k]", "squash(A[k] @ w + b) * (1 - t[k])", ""),
        (SAMPLES, "dw[j] = dw[j] + miss * A[k, j]", "dw[j] = miss * A[k, j]", "lost-accumulation"),
        (SAMPLES, "dw = dw / count", "dw = dw / width", "scale"),
        (SAMPLES, "b = b - rate * db", "b = b + rate * db", "sign"),
        (PRINTED, "dw += 2 * off * x", "dw += off * x", "scale"),
        (PRINTED, "db += 2 * off", "db += 2 * off * x", "extra-factor"),
        (PRINTED, "off = w * x + b - y", "off = w * x - y", ""),
        (PRINTED, "db / len(xs)", "db", "scale"),
        (FITTED, "np.dot(X.T, dz)", "np.dot(X.T, dz) * n", ""),
        (FITTED, "dz = p - y", "dz = (p - y) * p * (1 - p)", ""),
        (ADDED, "return v * (1 - v)", "return v * (1 + v)", "sign"),
        (ADDED, "hid_error = out_delta @ U.T", "hid_error = out_error @ U.T", "wrong-variable"),
        (ADDED, "hid_delta = hid_error * unit(hid, slope=True)", "hid_delta = hid_error", "missing-factor"),
        (ADDED, "V += I.T @ hid_delta", "V -= I.T @ hid_delta", "sign"),
        (LINE, "D_slope = (-2 / n)", "D_slope = (-1 / n)", "scale"),
        (LINE, "D_shift = (-2 / n)", "D_shift = (2 / n)", "sign"),
        (CURVE, "J[:, 1] = -p[0] * x", "J[:, 1] = p[0] * x", "sign"),
    ],
)
def test_a_slip_in_it_is_found(source: str, right: str, slip: str, mistake: str) -> None:
    slips.found(source, right, slip, mistake)


def test_a_sum_that_is_never_divided_lacks_a_line() -> None:
    report = symgrad.check(SAMPLES.replace("    db = db / count\n", ""))
    (root,) = [f for f in report.findings if f.root]
    assert root.span is not None
    assert root.span.line == 27
    assert root.fix == "db /= count", report.explain()


def test_the_derivation_after_the_last_loss_is_of_that() -> None:
    """What a round computes first is not what it computes last."""
    kept = "        J_history.append(cost_of(A, t, w, b))\n"
    early = SAMPLES.replace(kept, "").replace("        dw, db = slopes", f"{kept}        dw, db = slopes")
    assert early.count(kept) == 1
    slips.passes(early)


#: Sample by sample, and after each epoch the loss of all of them: no line is the derivative of that.
EPOCHS = """
import numpy as np

def squash(u):
    return 1 / (1 + np.exp(-u))

class Unit:
    def __init__(self):
        self.v, self.w, self.b = 0.4, -0.7, 0.2

    def out(self, x):
        return squash(self.v * x[0] + self.w * x[1] + self.b)

    def train(self, data, labels):
        for epoch in range(15):
            for x, y in zip(data, labels):
                total = self.v * x[0] + self.w * x[1] + self.b
                pred = squash(total)
                dpred_dv = x[0] * pred * (1 - pred)
                dpred_dw = x[1] * pred * (1 - pred)
                dpred_db = pred * (1 - pred)
                dloss_dpred = -2 * (y - pred)
                self.v -= 0.1 * dloss_dpred * dpred_dv
                self.w -= 0.1 * dloss_dpred * dpred_dw
                self.b -= 0.1 * dloss_dpred * dpred_db
            seen = np.apply_along_axis(self.out, 1, data)
            loss = ((labels - seen) ** 2).mean()
            print(epoch, loss)

Unit().train(np.array([[-2.0, -1.0], [2.5, 0.6], [1.7, 0.4], [-1.5, -0.6]]), np.array([1, 0, 0, 1]))
"""


def test_the_loss_of_an_epoch_is_not_that_of_a_sample() -> None:
    report = symgrad.check(EPOCHS)
    assert report.ok, report.explain()
    assert {"dpred_dv", "dpred_dw", "dpred_db"} <= set(report.confirmed)
    wrong = symgrad.check(EPOCHS.replace("x[1] * pred * (1 - pred)", "x[1] * pred * (1 + pred)"))
    assert [f.span.line for f in wrong.findings if f.root and f.span] == [20], wrong.explain()


@pytest.mark.parametrize(
    ("name", "is_one", "surely"),
    [
        ("J_history[3]", True, True),
        ("self.losses[0]", True, True),
        ("costs[1]", True, True),
        ("mean_loss", True, True),
        ("compute_cost", True, True),
        ("error_list[2]", True, False),
        ("h_list[2]", False, False),
        ("batch", False, False),
    ],
)
def test_names_of_losses(name: str, is_one: bool, surely: bool) -> None:
    assert (is_loss(name), is_surely_loss(name)) == (is_one, surely)
