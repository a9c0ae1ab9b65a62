"""Gradients whose loss no line computes: what they are held against is guessed; a function of the file comes first."""

import pytest

import symgrad
from symgrad.errors import SymgradError
from tests import slips

#: A network of lists, whose gradients are worked out for one sample and only returned.
LISTS = """
import numpy as np

class Net:
    def __init__(self, widths):
        rng = np.random.default_rng(4)
        self.weights = [rng.normal(size=(n, m)) for m, n in zip(widths, widths[1:])]
        self.biases = [rng.normal(size=(n, 1)) for n in widths[1:]]

    def gradients(self, x, target):
        nabla_w = [np.zeros(w.shape) for w in self.weights]
        nabla_b = [np.zeros(b.shape) for b in self.biases]
        a, outs, sums = x, [x], []
        for w, b in zip(self.weights, self.biases):
            sums.append(w @ a + b)
            a = sigmoid(sums[-1])
            outs.append(a)
        delta = (outs[-1] - target) * slope(sums[-1])
        nabla_w[-1] = delta @ outs[-2].T
        nabla_b[-1] = delta
        for k in range(2, len(outs)):
            s = slope(sums[-k])
            delta = (self.weights[-k + 1].T @ delta) * s
            nabla_w[-k] = delta @ outs[-k - 1].T
            nabla_b[-k] = delta
        return nabla_w, nabla_b

def sigmoid(u):
    return 1 / (1 + np.exp(-u))

def slope(u):
    return sigmoid(u) * (1 - sigmoid(u))

net = Net([4, 5, 3, 2])
nabla_w, nabla_b = net.gradients(np.array([[0.3], [-1.1], [0.7], [1.9]]), np.array([[1.0], [0.0]]))
"""

#: The loss is a function that is called at the end only.
POISSON = """
import numpy as np

rng = np.random.default_rng(3)
X = rng.normal(size=(20, 3))
y = rng.poisson(np.exp(X @ np.array([0.5, -0.3, 0.2]))).astype(float)

def loss(beta):
    eta = X @ beta
    return np.mean(np.exp(eta) - y * eta)

def grad(beta):
    mu = np.exp(X @ beta)
    return X.T @ (mu - y) / len(y)

beta = np.zeros(3)
for it in range(200):
    beta = beta - 0.1 * grad(beta)
print(beta, loss(beta))
"""

#: ... and here it is nowhere.
POISSON_ALONE = """
import numpy as np

rng = np.random.default_rng(3)
X = rng.normal(size=(20, 3))
y = rng.poisson(np.exp(X @ np.array([0.5, -0.3, 0.2]))).astype(float)
beta = np.zeros(3)
for it in range(200):
    mu = np.exp(X @ beta)
    grad = X.T @ (mu - y) / len(y)
    beta -= 0.1 * grad
print(beta)
"""

#: One rating after the other moves a row of each factor.
FACTORS = """
import numpy as np

rng = np.random.default_rng(1)
R = rng.integers(1, 6, size=(5, 4)).astype(float)
P = rng.normal(size=(5, 2))
Q = rng.normal(size=(4, 2))
for epoch in range(20):
    for i in range(5):
        for j in range(4):
            e = R[i, j] - P[i, :] @ Q[j, :]
            loss = e ** 2 + 0.02 * (P[i, :] @ P[i, :] + Q[j, :] @ Q[j, :])
            dP = -2 * e * Q[j, :] + 0.04 * P[i, :]
            dQ = -2 * e * P[i, :] + 0.04 * Q[j, :]
            P[i, :] = P[i, :] - 0.005 * dP
            Q[j, :] = Q[j, :] - 0.005 * dQ
print(loss)
"""

#: With the wrong sign it runs away until the numbers are infinite.
RUNAWAY = """
import numpy as np

rng = np.random.default_rng(0)
x = rng.normal(size=(30, 2)) * 4
y = x @ np.array([1.0, -2.0]) + 0.3
w = np.zeros(2)
history = []
for k in range(400):
    pred = x @ w
    loss = np.mean((pred - y) ** 2)
    history.append(loss)
    dpred = 2 * (pred - y) / len(y)
    dw = x.T @ dpred
    w = w - 0.01 * dw
final = np.mean((x @ w - y) ** 2)
print(final)
"""

#: (script, what stands there, what a student wrote, the kind of mistake or nothing)
SLIPS = [
    (LISTS, "delta = (self.weights[-k + 1].T @ delta) * s", "delta = self.weights[-k + 1].T @ delta", "missing-factor"),
    (LISTS, "nabla_w[-k] = delta @ outs[-k - 1].T", "nabla_w[-k] = s * delta @ outs[-k - 1].T", ""),
    (POISSON, "(mu - y) / len(y)", "(mu - y)", "scale"),
    (POISSON, "X.T @ (mu - y)", "X.T @ (y - mu)", "sign"),
    (FACTORS, "dQ = -2 * e * P[i, :]", "dQ = -2 * e * Q[j, :]", ""),
    (FACTORS, "dP = -2 * e", "dP = 2 * e", "sign"),
    (RUNAWAY, "2 * (pred - y) / len(y)", "2 * (y - pred) / len(y)", "sign"),
]


@pytest.mark.parametrize("source", [LISTS, POISSON, POISSON_ALONE, FACTORS, RUNAWAY])
def test_right_work_is_right(source: str) -> None:
    slips.passes(source)


@pytest.mark.parametrize(("source", "right", "slip", "mistake"), SLIPS)
def test_a_slip_is_found_in_its_line(source: str, right: str, slip: str, mistake: str) -> None:
    slips.found(source, right, slip, mistake)


def test_it_is_said_what_a_gradient_without_a_loss_is_held_against() -> None:
    said = [f.message for f in symgrad.check(POISSON_ALONE).findings if f.code == "note"]
    assert any("no loss is computed" in message and "Poisson" in message for message in said)


def test_a_run_that_becomes_infinite_is_judged_before() -> None:
    """The rounds are told to be many by a loop that is no training by its words."""
    source = RUNAWAY.replace("2 * (pred - y) / len(y)", "2 * (y - pred) / len(y)").replace("0.01 * dw", "0.9 * dw")
    report = symgrad.check(source)
    assert [f.mistake for f in report.findings if f.root] == ["sign"], report.explain()


def test_a_derivative_by_another_spelling_is_of_another_variable() -> None:
    """G_E is not by e where G_e is, though the forward pass calls Kepler's E otherwise."""
    source = """
import math
e, M = 0.35, 1.1
u = M
for _ in range(5):
    u = u - (u - e * math.sin(u) - M) / (1 - e * math.cos(u))
loss = (1 - e * math.cos(u) - 0.62) ** 2
G_E = 1 - e * math.cos(u)
G_e = -math.sin(u)
dE_de = -G_e / G_E
dE_dM = 1 / G_E
dloss_dr = 2 * (1 - e * math.cos(u) - 0.62)
dr_dE = e * math.sin(u)
dloss_de = dloss_dr * (dr_dE * dE_de - math.cos(u))
dloss_dM = dloss_dr * dr_dE * dE_dM
"""
    report = symgrad.check(source)
    assert report.ok, report.explain()
    assert {"dloss_de", "dloss_dM"} <= set(report.confirmed)


def test_names_that_a_function_hands_on_are_no_moves() -> None:
    """``x, y, v, h, pred = cache`` gives x, y and v their old values again, in another function."""
    source = """
import math
x, y, w, b, v = 1.15, 0.4, 0.65, -0.3, 1.7
def forward(x, y, w, b, v):
    h = math.tanh(w * x + b)
    pred = v * h
    return (pred - y) ** 2, (x, y, v, h, pred)
blah, cache = forward(x, y, w, b, v)
def backward(cache):
    x, y, v, h, pred = cache
    grads = {}
    dpred = 2 * (pred - y)
    grads["v"] = dpred * h
    dz = dpred * v * (1 - h ** 2)
    grads["w"] = dz * x
    grads["b"] = dz
    return grads
grads = backward(cache)
"""
    report = symgrad.check(source)
    assert report.ok, report.explain()
    assert 'grads["w"]' in report.confirmed


def test_a_covariance_in_lists_stays_symmetric() -> None:
    source = """
cov = [[0.81, 0.16], [0.16, 0.36]]
weights = [0.5, 0.3]
variance = sum(weights[i] * cov[i][j] * weights[j] for i in range(2) for j in range(2))
dvariance = []
for i in range(2):
    dvariance.append(2 * sum(cov[i][j] * weights[j] for j in range(2)))
"""
    report = symgrad.check(source)
    assert report.ok, report.explain()
    assert {"dvariance[0]", "dvariance[1]"} <= set(report.confirmed)


def test_a_name_given_back_to_an_input_is_no_move() -> None:
    """``x = y`` where y is another name of the first x: it comes of it, and nothing was added."""
    report = symgrad.check("x = 1.5\ny = x\nx = y\nz = x**2\ndz_dx = 2*x\nw = z - 1.0\n")
    assert report.verdict == "agree"


def test_weights_of_samples_are_no_mistake() -> None:
    """The differences of a policy gradient are multiplied by advantages, and no loss says so."""
    source = """\
import numpy as np
rng = np.random.RandomState(3)
x, y, w, advantages = rng.randn(5, 3), rng.randn(5), rng.randn(3), rng.randn(5)
for k in range(2):
    p = x @ w
    d = y - p
    g = x.T @ (d * advantages)
    w += 0.1 * g
"""
    with pytest.raises(SymgradError, match="never computes what its derivatives are derivatives of"):
        symgrad.check(source)


def test_parts_that_are_moved_by_formulas_are_said() -> None:
    source = """\
import numpy as np
rng = np.random.RandomState(0)
X, y, w = rng.randn(20, 2), rng.randn(20), rng.normal(size=3)
for k in range(2):
    errors = y - (X.dot(w[1:]) + w[0])
    w[1:] += 0.01 * X.T.dot(errors)
    w[0] += 0.01 * errors.sum()
    cost = (errors ** 2).sum() / 2.0
"""
    with pytest.raises(SymgradError, match=r"w\[1:\] is moved by what has no name") as raised:
        symgrad.check(source)
    assert raised.value.span is not None
    assert raised.value.span.line == 6
