"""Scripts as students write them, each right as it stands and with one slip: classes, batches, samples one by one.

Each was a false alarm, an accusation of the wrong line, or silence, when it was tried first.
"""

from __future__ import annotations

import pytest

import symgrad
from tests import slips
from tests.slips import found, passes

LOGREG_CLASS = """
import numpy as np

class LogisticRegression:
    def __init__(self, lr=0.1, n_iters=20):
        self.lr = lr
        self.n_iters = n_iters
        self.weights = None
        self.bias = None

    def _sigmoid(self, x):
        return 1 / (1 + np.exp(-x))

    def fit(self, X, y):
        n_samples, n_features = X.shape
        self.weights = np.zeros(n_features)
        self.bias = 0
        for _ in range(self.n_iters):
            linear_model = np.dot(X, self.weights) + self.bias
            y_predicted = self._sigmoid(linear_model)
            dw = (1 / n_samples) * np.dot(X.T, (y_predicted - y))
            db = (1 / n_samples) * np.sum(y_predicted - y)
            self.weights -= self.lr * dw
            self.bias -= self.lr * db

    def predict(self, X):
        p = self._sigmoid(np.dot(X, self.weights) + self.bias)
        return np.array([1 if i > 0.5 else 0 for i in p])

rng = np.random.default_rng(1)
X = rng.normal(size=(20, 3))
y = (X[:, 0] + X[:, 1] > 0).astype(int)
clf = LogisticRegression()
clf.fit(X, y)
print("accuracy", np.mean(clf.predict(X) == y))
"""

SOFTMAX_MINIBATCH = """
import numpy as np
np.random.seed(0)
N, D, C = 60, 4, 3
X = np.random.randn(N, D)
labels = np.random.randint(0, C, N)
Y = np.eye(C)[labels]
W = 0.01 * np.random.randn(D, C)
b = np.zeros((1, C))
lr, reg, batch = 0.5, 1e-3, 20

def softmax(z):
    z = z - z.max(axis=1, keepdims=True)
    e = np.exp(z)
    return e / e.sum(axis=1, keepdims=True)

for epoch in range(3):
    perm = np.random.permutation(N)
    for i in range(0, N, batch):
        idx = perm[i:i+batch]
        xb, yb = X[idx], Y[idx]
        p = softmax(xb @ W + b)
        loss = -np.sum(yb * np.log(p)) / len(xb) + 0.5 * reg * np.sum(W * W)
        dscores = (p - yb) / len(xb)
        dW = xb.T @ dscores + reg * W
        db = dscores.sum(axis=0, keepdims=True)
        W -= lr * dW
        b -= lr * db
    print(f"epoch {epoch} loss {loss:.4f}")
"""

POLY_FIT = """
import numpy as np
x = np.linspace(-1, 1, 30)
y = 1.5*x**3 - 0.5*x + 0.2
w = np.array([0.1, -0.2, 0.3, 0.4])
alpha = 0.1
for it in range(50):
    y_hat = w[0] + w[1]*x + w[2]*x**2 + w[3]*x**3
    err = y_hat - y
    cost = np.mean(err**2)
    g0 = 2*np.mean(err)
    g1 = 2*np.mean(err*x)
    g2 = 2*np.mean(err*x**2)
    g3 = 2*np.mean(err*x**3)
    w = w - alpha*np.array([g0, g1, g2, g3])
print(w, cost)
"""

REINFORCE = """
import numpy as np
rng = np.random.default_rng(0)
theta = rng.normal(size=(4, 2))
states = rng.normal(size=(10, 4))
actions = rng.integers(0, 2, size=10)
returns = rng.normal(size=10)

logits = states @ theta
probs = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
logp = np.log(probs[np.arange(10), actions])
J = -(logp * returns).mean()

onehot = np.zeros((10, 2))
onehot[np.arange(10), actions] = 1
dlogits = (probs - onehot) * returns[:, None] / 10
dtheta = states.T @ dlogits
print(J, dtheta)
"""

ELASTIC_NET = """
import numpy as np
rng = np.random.RandomState(42)
X = rng.randn(40, 5)
true_w = np.array([1.0, 0, -2.0, 0, 0.5])
y = X @ true_w + 0.1 * rng.randn(40)
w = rng.randn(5) * 0.1
l1, l2 = 0.01, 0.1

def loss_fn(w):
    r = X @ w - y
    return 0.5 * np.mean(r ** 2) + l1 * np.sum(np.abs(w)) + 0.5 * l2 * np.sum(w ** 2)

def grad_fn(w):
    r = X @ w - y
    return X.T @ r / len(y) + l1 * np.sign(w) + l2 * w

for step in range(200):
    w = w - 0.05 * grad_fn(w)
print(loss_fn(w), w)
"""

KMEANS_SOFT = """
import numpy as np
np.random.seed(0)
x = np.random.randn(12, 2)
mu = np.random.randn(3, 2)
beta = 2.0
d2 = ((x[:, None, :] - mu[None, :, :]) ** 2).sum(-1)
a = np.exp(-beta * d2)
r = a / a.sum(1, keepdims=True)
obj = (r * d2).sum()
# derivative with respect to mu
dr = d2
dd2 = r.copy()
dlog = r * (dr - (dr * r).sum(1, keepdims=True))
dd2 += -beta * dlog
dmu = (dd2[:, :, None] * -2 * (x[:, None, :] - mu[None, :, :])).sum(0)
print(obj, dmu)
"""

LAGRANGE_PHYSICS = """
from math import sin, cos, sqrt
m, g, l = 1.0, 9.81, 0.5
theta, omega = 0.7, 1.2
x = l*sin(theta)
y = -l*cos(theta)
T = 0.5*m*(l*omega)**2
V = m*g*y
L = T - V
dL_domega = m*l**2*omega
dL_dtheta = -m*g*l*sin(theta)
E = T + V
dE_dtheta = m*g*l*sin(theta)
print(L, dL_domega, dL_dtheta, E, dE_dtheta)
"""

WORD2VEC_LOOP = """
import numpy as np
np.random.seed(0)
vocab = 7; dim = 4
W_in = np.random.randn(vocab, dim) * 0.3
W_out = np.random.randn(dim, vocab) * 0.3
corpus = [0, 3, 1, 4, 2, 6, 5, 0]
lr = 0.05
for epoch in range(3):
    total = 0
    for t in range(1, len(corpus) - 1):
        center = corpus[t]
        for ctx in (corpus[t-1], corpus[t+1]):
            h = W_in[center]
            u = h @ W_out
            p = np.exp(u) / np.sum(np.exp(u))
            total += -np.log(p[ctx])
            e = p.copy()
            e[ctx] -= 1
            dW_out = np.outer(h, e)
            dh = W_out @ e
            W_out -= lr * dW_out
            W_in[center] -= lr * dh
    print(epoch, total)
"""

TRIPLET = """
import numpy as np
np.random.seed(3)
anchor, pos, neg = np.random.randn(3, 4, 6)
margin = 1.0
d_pos = np.sum((anchor - pos)**2, axis=1)
d_neg = np.sum((anchor - neg)**2, axis=1)
losses = np.maximum(0, d_pos - d_neg + margin)
loss = losses.mean()
active = (losses > 0)[:, None] / len(losses)
d_anchor = active * 2 * (neg - pos)
d_pos_grad = active * -2 * (anchor - pos)
d_neg_grad = active * 2 * (anchor - neg)
print(loss, d_anchor, d_pos_grad, d_neg_grad)
"""

TWO_FUNCS_PARAMS = """
import numpy as np

def initialize(n_x, n_h, n_y):
    np.random.seed(2)
    return {"W1": np.random.randn(n_h, n_x) * 0.5, "b1": np.zeros((n_h, 1)),
            "W2": np.random.randn(n_y, n_h) * 0.5, "b2": np.zeros((n_y, 1))}

def forward(X, params):
    Z1 = params["W1"] @ X + params["b1"]
    A1 = np.tanh(Z1)
    Z2 = params["W2"] @ A1 + params["b2"]
    A2 = 1 / (1 + np.exp(-Z2))
    return A2, {"Z1": Z1, "A1": A1, "Z2": Z2, "A2": A2}

def compute_cost(A2, Y):
    m = Y.shape[1]
    return -np.sum(Y * np.log(A2) + (1 - Y) * np.log(1 - A2)) / m

def backward(params, cache, X, Y):
    m = X.shape[1]
    A1, A2 = cache["A1"], cache["A2"]
    dZ2 = A2 - Y
    dW2 = dZ2 @ A1.T / m
    db2 = np.sum(dZ2, axis=1, keepdims=True) / m
    dZ1 = params["W2"].T @ dZ2 * (1 - np.power(A1, 2))
    dW1 = dZ1 @ X.T / m
    db1 = np.sum(dZ1, axis=1, keepdims=True) / m
    return {"dW1": dW1, "db1": db1, "dW2": dW2, "db2": db2}

def update(params, grads, lr=1.2):
    for k in params:
        params[k] = params[k] - lr * grads["d" + k]
    return params

X = np.random.randn(2, 50)
Y = (X[0:1] * X[1:2] > 0).astype(float)
params = initialize(2, 4, 1)
for i in range(30):
    A2, cache = forward(X, params)
    cost = compute_cost(A2, Y)
    grads = backward(params, cache, X, Y)
    params = update(params, grads)
    if i % 10 == 0:
        print("Cost after iteration %i: %f" % (i, cost))
"""

PURE_PYTHON_XOR = """
import math, random
random.seed(1)

def sigmoid(x):
    return 1 / (1 + math.exp(-x))

data = [([0, 0], 0), ([0, 1], 1), ([1, 0], 1), ([1, 1], 0)]
w_h = [[random.uniform(-1, 1) for _ in range(2)] for _ in range(2)]
b_h = [0.1, -0.2]
w_o = [random.uniform(-1, 1) for _ in range(2)]
b_o = 0.05
lr = 0.5
for epoch in range(3):
    total = 0
    for x, t in data:
        h = [sigmoid(sum(w * xi for w, xi in zip(w_h[j], x)) + b_h[j]) for j in range(2)]
        o = sigmoid(sum(w_o[j] * h[j] for j in range(2)) + b_o)
        total += 0.5 * (o - t) ** 2
        d_o = (o - t) * o * (1 - o)
        d_h = [d_o * w_o[j] * h[j] * (1 - h[j]) for j in range(2)]
        for j in range(2):
            w_o[j] -= lr * d_o * h[j]
            for i in range(2):
                w_h[j][i] -= lr * d_h[j] * x[i]
            b_h[j] -= lr * d_h[j]
        b_o -= lr * d_o
    print(epoch, total)
"""

#: (script, what stands there, what a student wrote, the kind of mistake or nothing)
#: Gradients are kept in the arrays themselves, by functions that call each of them x, w or b.
KEPT_IN_ARRAYS = """
import torch
torch.manual_seed(2)
X = torch.randn(6, 4)
t = torch.randn(6)
A, c = torch.randn(4, 3), torch.zeros(3)
B, e = torch.randn(3, 1), torch.zeros(1)

def affine_back(x, y, w, b):
    x.g = y.g @ w.t()
    w.g = x.t() @ y.g
    b.g = y.g.sum(0)

def relu_back(x, y):
    x.g = (x > 0).float() * y.g

def both():
    l = X @ A + c
    r = l.clamp_min(0.)
    out = r @ B + e
    loss = (out.squeeze(-1) - t).pow(2).mean()
    out.g = 2. * (out.squeeze(-1) - t).unsqueeze(-1) / len(t)
    affine_back(r, out, B, e)
    relu_back(l, r)
    affine_back(X, l, A, c)
    return loss

both()
"""

SLIPS = [
    (LOGREG_CLASS, "np.dot(X.T, (y_predicted - y))", "np.dot(X.T, (y_predicted - y) * y_predicted)", "extra-factor"),
    (
        LOGREG_CLASS,
        "db = (1 / n_samples) * np.sum(y_predicted - y)",
        "db = (1 / n_samples) * np.sum(y - y_predicted)",
        "sign",
    ),
    (SOFTMAX_MINIBATCH, "dscores = (p - yb) / len(xb)", "dscores = (p - yb)", "scale"),
    (POLY_FIT, "g2 = 2*np.mean(err*x**2)", "g2 = 2*np.mean(err*x*2)", "unknown"),
    (POLY_FIT, "g3 = 2*np.mean(err*x**3)", "g3 = np.mean(err*x**3)", ""),
    (REINFORCE, "(probs - onehot) * returns[:, None] / 10", "(probs - onehot) / 10", "missing-factor"),
    (ELASTIC_NET, "X.T @ r / len(y)", "X.T @ r", "scale"),
    (KMEANS_SOFT, "(dr * r).sum(1, keepdims=True)", "(dr * r).sum(0, keepdims=True)", "wrong-reduction"),
    (LAGRANGE_PHYSICS, "dL_domega = m*l**2*omega", "dL_domega = m*l*omega", "missing-factor"),
    (KEPT_IN_ARRAYS, "b.g = y.g.sum(0)", "b.g = y.g.mean(0)", ""),
    (KEPT_IN_ARRAYS, "w.g = x.t() @ y.g", "w.g = -x.t() @ y.g", "sign"),
    (KEPT_IN_ARRAYS, "out.g = 2. *", "out.g =", "missing-factor"),
    (WORD2VEC_LOOP, "np.outer(h, e)", "np.outer(e, h).T * 2", "scale"),
    (WORD2VEC_LOOP, "dh = W_out @ e", "dh = W_out @ p", "wrong-variable"),
    (WORD2VEC_LOOP, "e[ctx] -= 1", "e[center] -= 1", "wrong-variable"),
    (TRIPLET, "active * 2 * (neg - pos)", "active * 2 * (pos - neg)", "sign"),
    (TWO_FUNCS_PARAMS, "(1 - np.power(A1, 2))", "(1 - A1)", ""),
    (PURE_PYTHON_XOR, "d_o * w_o[j] * h[j] * (1 - h[j])", "d_o * w_o[j] * (1 - h[j])", "missing-factor"),
    (PURE_PYTHON_XOR, "w_o[j] -= lr * d_o * h[j]", "w_o[j] -= lr * d_o * x[j]", "input-for-output"),
    (PURE_PYTHON_XOR, "b_h[j] -= lr * d_h[j]", "b_h[j] += lr * d_h[j]", "sign"),
]


@pytest.mark.parametrize("source", dict.fromkeys(source for source, *_ in SLIPS))
def test_right_work_is_right(source: str) -> None:
    slips.passes(source)


@pytest.mark.parametrize(("source", "right", "slip", "mistake"), SLIPS)
def test_a_slip_is_found_in_its_line(source: str, right: str, slip: str, mistake: str) -> None:
    finding = slips.found(source, right, slip, mistake)
    assert finding.fix_verified or mistake == "unknown"


def test_a_number_does_not_name_itself_after_a_loop() -> None:
    """The counter of a loop is 20 in the round that is judged; what is divided by is the length of the batch."""
    report = symgrad.check(SOFTMAX_MINIBATCH.replace("(p - yb) / len(xb)", "(p - yb)"))
    assert [f.fix for f in report.findings if f.root] == ["(p - yb)/len(xb)"]


#: Ng's course: the intercept is not penalised, a gradient that is not divided by the samples until it is a weight's.
PENALISED = """
import numpy as np
def sigmoid(z):
    return 1.0 / (1.0 + np.exp(-z))
def sigmoidGradient(z):
    g = sigmoid(z)
    return g * (1 - g)
def cost(Theta1, Theta2, X, Y, lam):
    m = X.shape[0]
    a1 = np.concatenate([np.ones((m, 1)), X], axis=1)
    z2 = a1 @ Theta1.T
    a2 = np.concatenate([np.ones((m, 1)), sigmoid(z2)], axis=1)
    h = sigmoid(a2 @ Theta2.T)
    J = -1 / m * np.sum(Y * np.log(h) + (1 - Y) * np.log(1 - h))
    J = J + lam / (2 * m) * (np.sum(Theta1[:, 1:] ** 2) + np.sum(Theta2[:, 1:] ** 2))
    delta3 = h - Y
    delta2 = (delta3 @ Theta2[:, 1:]) * sigmoidGradient(z2)
    Theta1_grad = delta2.T @ a1 / m
    Theta2_grad = delta3.T @ a2 / m
    Theta1_grad[:, 1:] += lam / m * Theta1[:, 1:]
    Theta2_grad[:, 1:] += lam / m * Theta2[:, 1:]
    return J, np.concatenate([Theta1_grad.ravel(), Theta2_grad.ravel()])
rng = np.random.default_rng(1)
X, Y = rng.normal(size=(6, 3)), np.eye(3)[[0, 1, 2, 0, 1, 2]]
print(cost(rng.normal(size=(5, 4)), rng.normal(size=(3, 6)), X, Y, 0.7))
"""


def test_penalised_work_is_right() -> None:
    passes(PENALISED)


@pytest.mark.parametrize(
    ("right", "slip", "mistake"),
    [
        ("Theta2_grad[:, 1:] += lam / m * Theta2[:, 1:]", "Theta2_grad += lam / m * Theta2", "extra-term"),
        ("delta2.T @ a1 / m", "delta2.T @ a1", "scale"),  # as delta3 is, delta2 is not divided yet
        ("g * (1 - g)", "g * (1 - z)", ""),  # z is what sigmoid rightly reads: the helper is wrong, not its call
    ],
)
def test_slips_in_penalised_work(right: str, slip: str, mistake: str) -> None:
    assert found(PENALISED, right, slip, mistake).fix


def test_an_intercept_that_is_penalised_is_told_with_the_slice() -> None:
    finding = found(
        PENALISED, "Theta2_grad[:, 1:] += lam / m * Theta2[:, 1:]", "Theta2_grad += lam / m * Theta2", "extra-term"
    )
    assert finding.fix == "Theta2_grad[:, 1:] += lam / m * Theta2[:, 1:]"
    assert finding.fix_verified
    assert "belongs in Theta2[:, 1:] only" in finding.message


LINEAR = """
import numpy as np
X = np.c_[np.ones(5), np.arange(15.0).reshape(5, 3) % 4]
y = np.array([1.0, 0.5, 2.0, 1.0, 0.0])
theta = np.array([0.3, -0.2, 0.5, 0.1])
err = X @ theta - y
J = np.sum(err ** 2) / 10 + 0.7 * np.sum(theta[1:] ** 2)
grad = X.T @ err / 5
grad[1:] += 1.4 * theta[1:]
print(J, grad)
"""


def test_a_penalty_that_is_left_out_is_added_to_its_part() -> None:
    passes(LINEAR)
    report = symgrad.check(LINEAR.replace("grad[1:] += 1.4 * theta[1:]", "pass"))
    finding = next(f for f in report.findings if f.root)
    assert finding.mistake == "missing-term", report.explain()
    assert finding.fix.startswith("grad[1:] += ")
    assert finding.fix_verified


FACTORS = """
import numpy as np
rng = np.random.default_rng(0)
R = rng.random((5, 4))
P, Q = rng.normal(size=(5, 3)), rng.normal(size=(4, 3))
def cost(P, Q):
    err = P @ Q.T - R
    J = 0.5 * np.sum(err ** 2) + 0.01 * np.sum(P ** 2)
    P_grad = err @ Q + 0.02 * P
    Q_grad = err.T @ P
    return J, P_grad, Q_grad
for epoch in range(5):
    J, P_grad, Q_grad = cost(P, Q)
    P -= 0.1 * P_grad
    Q -= 0.1 * Q_grad
"""


def test_a_penalty_left_out_of_what_moves_a_parameter() -> None:
    passes(FACTORS)
    found(FACTORS, "err @ Q + 0.02 * P", "err @ Q", "missing-term")


def test_a_step_up_the_loss_is_said_and_blames_nobody() -> None:
    up = FACTORS.replace("P -= 0.1 * P_grad", "P += 0.1 * P_grad").replace("Q -= 0.1", "Q += 0.1")
    report = symgrad.check(up)
    assert report.ok, report.explain()
    assert any("line 14: P is moved along its gradient" in f.message for f in report.findings), report.explain()
    assert not any("moved along" in f.message for f in symgrad.check(FACTORS).findings)


#: The target is made of the same weights, and held fixed: a semi-gradient.
SEMI_GRADIENT = """
import numpy as np
rng = np.random.default_rng(1)
W = rng.normal(size=(4, 2))
states, next_states = rng.normal(size=(6, 4)), rng.normal(size=(6, 4))
actions, rewards = np.array([0, 1, 0, 1, 1, 0]), rng.normal(size=6)
q = states @ W
target = rewards + 0.9 * (next_states @ W).max(axis=1)
td = q[np.arange(6), actions] - target
loss = 0.5 * np.mean(td**2)
dq = np.zeros_like(q)
dq[np.arange(6), actions] = td / 6
dW = states.T @ dq
"""


def test_a_target_that_is_held_fixed_is_a_deliberate_difference() -> None:
    report = symgrad.check(SEMI_GRADIENT)
    assert report.ok, report.explain()
    assert any("target is held fixed" in f.message for f in report.findings), report.explain()
    found(SEMI_GRADIENT, "dW = states.T", "dW = next_states.T", "")


#: d/d log(ell) is called after ell, as papers write it.
LOG_PARAMETERS = """
import numpy as np
x = np.array([0.1, 0.9, 1.4, 2.2])
y = np.sin(x)
def nll(log_ell, log_sn):
    ell, sn2 = np.exp(log_ell), np.exp(2*log_sn)
    D2 = (x[:, None] - x[None, :])**2
    Kf = np.exp(-0.5 * D2 / ell**2)
    K = Kf + sn2 * np.eye(len(x))
    Kinv = np.linalg.inv(K)
    alpha = Kinv @ y
    value = 0.5 * y @ alpha + 0.5 * np.log(np.linalg.det(K))
    dK_dell = Kf * D2 / ell**2
    A = Kinv - np.outer(alpha, alpha)
    return value, 0.5 * np.trace(A @ dK_dell)
loss, grad_ell = nll(0.1, -1.0)
"""


def test_derivatives_by_logarithms_of_parameters() -> None:
    passes(LOG_PARAMETERS)
    found(LOG_PARAMETERS, "dK_dell = Kf * D2 / ell**2", "dK_dell = -Kf * D2 / ell**2", "sign")


GRU = """
import numpy as np
rng = np.random.default_rng(0)
def sigmoid(x): return 1/(1+np.exp(-x))
T = 4
Wz, Uz, Wr, Ur, Wh, Uh = (rng.normal(size=s)*.3 for s in [(4, 3), (4, 4)]*3)
xs, Wy = [rng.normal(size=(3, 1)) for _ in range(T)], rng.normal(size=(2, 4))
z, r, hh, h, loss = {}, {}, {}, {-1: np.zeros((4, 1))}, 0
for t in range(T):
    z[t] = sigmoid(Wz @ xs[t] + Uz @ h[t-1])
    r[t] = sigmoid(Wr @ xs[t] + Ur @ h[t-1])
    hh[t] = np.tanh(Wh @ xs[t] + Uh @ (r[t]*h[t-1]))
    h[t] = z[t]*h[t-1] + (1-z[t])*hh[t]
    loss += 0.5*np.sum((Wy @ h[t])**2)
dWz, dUz, dWr, dUr, dWh, dUh = (np.zeros_like(p) for p in (Wz, Uz, Wr, Ur, Wh, Uh))
dhnext = np.zeros_like(h[0])
for t in reversed(range(T)):
    dh = Wy.T @ (Wy @ h[t]) + dhnext
    dz_raw = dh*(h[t-1]-hh[t])*z[t]*(1-z[t])
    dhh_raw = dh*(1-z[t])*(1-hh[t]**2)
    drh = Uh.T @ dhh_raw
    dr_raw = drh*h[t-1]*r[t]*(1-r[t])
    dWh += dhh_raw @ xs[t].T
    dUh += dhh_raw @ (r[t]*h[t-1]).T
    dWz += dz_raw @ xs[t].T
    dUz += dz_raw @ h[t-1].T
    dWr += dr_raw @ xs[t].T
    dUr += dr_raw @ h[t-1].T
    dhnext = dh*z[t] + drh*r[t] + Uz.T @ dz_raw + Ur.T @ dr_raw
"""


@pytest.mark.parametrize(
    ("right", "slip"), [("(r[t]*h[t-1]).T", "h[t-1].T"), ("+ Uz.T @ dz_raw + Ur.T @", "+ Ur.T @")]
)
def test_one_factor_and_one_path_of_a_gru(right: str, slip: str) -> None:
    # What is right is made of everything but this one line; and what the first round hands on nobody takes.
    found(GRU, right, slip, "")


def test_a_parameter_that_is_made_in_the_call() -> None:
    source = """
import numpy as np
def cost(theta, X):
    out = np.tanh(X @ theta)
    J = np.sum(out**2)
    grad = X.T @ (2*out*(1 - out**2))
    return J, grad
X = np.arange(6.0).reshape(3, 2) / 5
print(cost(np.array([0.3, -0.4]), X))
"""
    passes(source)
    found(source, "(1 - out**2)", "(1 - out)", "")


#: Before a batch norm the gradient by a bias is 0: no name beside it is to be taken for that gradient.
NORMED_LAYERS = """
import numpy as np
rng = np.random.default_rng(0)
class BatchNorm:
    def __init__(self, d):
        self.gamma, self.beta = np.ones(d) * 1.1, np.zeros(d) + 0.1
    def forward(self, x):
        self.std_inv = 1.0 / np.sqrt(x.var(axis=0) + 1e-5)
        self.xhat = (x - x.mean(axis=0)) * self.std_inv
        return self.gamma * self.xhat + self.beta
    def backward(self, dout):
        self.dgamma = np.sum(dout * self.xhat, axis=0)
        self.dbeta = np.sum(dout, axis=0)
        dxhat = dout * self.gamma
        return self.std_inv * (dxhat - dxhat.mean(axis=0) - self.xhat * (dxhat * self.xhat).mean(axis=0))
class Dense:
    def __init__(self, i, o):
        self.W, self.b = rng.normal(size=(i, o)) * 0.5, np.zeros(o)
    def forward(self, x):
        self.x = x
        return x @ self.W + self.b
    def backward(self, dout):
        self.dW = self.x.T @ dout
        self.db = np.sum(dout, axis=0)
        return dout @ self.W.T
class ReLU:
    def forward(self, x):
        self.mask = x > 0
        return x * self.mask
    def backward(self, dout):
        return dout * self.mask
X, y = rng.normal(size=(8, 4)), rng.normal(size=(8, 2))
layers = [Dense(4, 5), BatchNorm(5), ReLU(), Dense(5, 2)]
for epoch in range(2):
    out = X
    for layer in layers:
        out = layer.forward(out)
    loss = np.mean((out - y) ** 2)
    grad = 2 * (out - y) / out.size
    for layer in reversed(layers):
        grad = layer.backward(grad)
    for layer in layers:
        if hasattr(layer, "W"):
            layer.W -= 0.1 * layer.dW
            layer.b -= 0.1 * layer.db
        if hasattr(layer, "gamma"):
            layer.gamma -= 0.1 * layer.dgamma
            layer.beta -= 0.1 * layer.dbeta
"""


def test_a_network_with_a_batch_norm_is_right() -> None:
    report = symgrad.check(NORMED_LAYERS)
    assert report.ok, report.explain()
    assert {"self.dgamma", "self.dbeta", "self.dW", "self.db"} <= set(report.confirmed)


def test_a_layer_that_does_not_read_what_arrives() -> None:
    finding = found(NORMED_LAYERS, "return dout * self.mask", "return self.mask", "missing-factor")
    assert finding.fix == "dout * self.mask"
    assert finding.fix_verified


SCORE = """
import numpy as np
rng = np.random.RandomState(0)
X = np.column_stack([np.ones(8), rng.randn(8, 2)])
y = rng.poisson(2.0, 8)
order = np.random.default_rng(1).permutation(8)
X, y = X[order], y[order]
beta = np.array([0.1, 0.2, -0.1])
def loglik(beta):
    eta = X.dot(beta)
    return np.sum(y * eta - np.exp(eta))
def score(beta):
    return X.T.dot(y - np.exp(X.dot(beta)))
def hessian(beta):
    return -X.T.dot(np.exp(X.dot(beta))[:, None] * X)
for i in range(5):
    beta = beta - np.linalg.solve(hessian(beta), score(beta))
print(beta, loglik(beta))
"""


def test_the_score_of_a_likelihood() -> None:
    assert symgrad.check(SCORE).ok
    found(SCORE, "X.T.dot(y - np.exp", "X.T.dot(y + np.exp", "")


#: CS231n's first assignment, sample by sample.
SOFTMAX_IN_LOOPS = """
import numpy as np
rng = np.random.default_rng(0)
W, X, y, reg = rng.normal(size=(4, 3)), rng.normal(size=(5, 4)), np.array([0, 2, 1, 1, 0]), 0.1
loss, dW, N = 0.0, np.zeros_like(W), 5
for i in range(N):
    scores = X[i].dot(W)
    probs = np.exp(scores) / np.sum(np.exp(scores))
    loss += -np.log(probs[y[i]])
    for j in range(3):
        dW[:, j] += (probs[j] - (j == y[i])) * X[i]
loss = loss / N + reg * np.sum(W * W)
dW /= N
dW += 2 * reg * W
"""


def test_softmax_in_loops() -> None:
    passes(SOFTMAX_IN_LOOPS)
    undivided = SOFTMAX_IN_LOOPS.replace("dW /= N\n", "")
    report = symgrad.check(undivided)
    assert [(f.span.line, f.fix, f.fix_verified) for f in report.findings if f.root and f.span] == [
        (11, "dW /= N", True)
    ], report.explain()
    report = symgrad.check(SOFTMAX_IN_LOOPS.replace("dW += 2 * reg * W\n", ""))
    assert [(f.span.line, f.fix, f.fix_verified) for f in report.findings if f.root and f.span] == [
        (13, "dW /= N; dW += 2*reg*W", True)
    ], report.explain()


def test_a_batch_that_is_drawn_of_a_default_size() -> None:
    passes("""
import numpy as np
np.random.seed(0)
X, y, W = np.random.randn(12, 4), np.random.randn(12), np.zeros(4) + 0.1
def train(W, batch_size=6):
    idx = np.random.choice(X.shape[0], batch_size)
    r = X[idx] @ W - y[idx]
    loss = np.mean(r**2)
    dW = 2 * X[idx].T @ r / batch_size
    return loss, dW
loss, dW = train(W)
""")


def test_what_is_called_like_a_gradient_is_no_parameter_that_goes_up() -> None:
    # dh is s at first, and what is added to it is the gradient by s: no parameter is moved.
    report = symgrad.check("""
import math
w, s = 0.7, 1.1
h = math.tanh(w)
loss = s * h + 0.5 * h**2
ds = h
dh = s
dh += h
dw = dh * (1 - h**2)
""")
    assert report.ok, report.explain()
    assert not report.findings


def test_two_wrong_adjoints_are_no_averages() -> None:
    report = symgrad.check("""
alpha, s0, data = 0.3, 0.25, [1.0, -0.4, 0.7]
s, J = [s0], 0.0
for k in range(3):
    s.append(alpha * data[k] + (1 - alpha) * s[k])
    J += 0.5 * (s[k + 1] - data[k]) ** 2
alpha_bar, s_bar = 0.0, 0.0
for k in reversed(range(3)):
    s_bar = s_bar + (s[k + 1] - data[k])
    alpha_bar += s_bar * (data[k] + s[k])
    s_bar = s_bar * (-alpha)
""")
    assert {f.span.line for f in report.findings if f.root and f.span} == {10, 11}, report.explain()


def test_a_sum_of_two_is_not_clipped() -> None:
    report = symgrad.check("""
import math
x1, x2, w, b = 0.6, -0.9, 0.7, 0.1
h1 = math.tanh(w * x1 + b)
h2 = math.tanh(w * h1 + b)
loss = 0.5 * h2**2
da2 = h2 * (1 - h2**2)
db = da2
da1 = da2 * w * (1 - h1**2)
db += -da1
""")
    assert [f.span.line for f in report.findings if f.root and f.span] == [10], report.explain()
    assert not any("clipped" in f.message for f in report.findings)


#: Each element of a sum is judged, as each round of a loop is.
SUMS = """
xs = [1.0, 2.0, 3.5, 4.0]
ys = [2.1, 3.9, 7.2, 8.1]
w, b = 1.5, 0.3
loss = sum((w*x + b - y)**2 for x, y in zip(xs, ys))/4
dw = sum(2*(w*x + b - y)*x for x, y in zip(xs, ys))/4
es = [w*x + b - y for x, y in zip(xs, ys)]
db = 2*sum(e for e in es)/4
print(loss, dw, db)
"""


@pytest.mark.parametrize(
    ("right", "slip", "place", "fix"),
    [
        ("2*(w*x + b - y)*x for", "2*(w*x + b - y) for", "2*(w*x + b - y)", "2*(w*x + b - y)*x"),
        ("2*(w*x + b - y)*x for", "2*(w*x + b - y)*y for", "y", "x"),
        ("2*(w*x + b - y)*x for", "2*(w*x - y)*x for", "w*x - y", "w*x - y + b"),
        ("2*(w*x + b - y)*x for", "2*(w*x + b + y)*x for", "+ y", "- y"),
        ("2*(w*x + b - y)*x for", "2*(b*x + b - y)*x for", "b", "w"),
    ],
)
def test_the_factor_in_a_sum_over_a_list(right: str, slip: str, place: str, fix: str) -> None:
    report = symgrad.check(SUMS.replace(right, slip))
    (finding,) = [f for f in report.findings if f.root]
    assert finding.span is not None
    assert finding.span.line == 6
    line = SUMS.replace(right, slip).split("\n")[5]
    assert line[finding.span.column - 1 : finding.span.end_column - 1] == place
    assert finding.fix == fix
    assert finding.fix_verified


#: The element is a variable, and nothing that is worked out.
PLAIN_SUM = """
xs = [1.0, 2.0, 3.5]
ys = [2.1, 3.9, 7.2]
w = 1.5
es = [w*x - y for x, y in zip(xs, ys)]
sse = sum(e*e for e in es)
dw = 2*sum(e*x for e, x in zip(es, xs))
print(sse, dw)
"""


def test_a_factor_left_out_beside_a_variable_in_a_sum() -> None:
    passes(PLAIN_SUM)
    report = symgrad.check(PLAIN_SUM.replace("e*x for", "e for"))
    assert [(f.span.line, f.fix) for f in report.findings if f.root and f.span] == [(7, "e*x")]
    report = symgrad.check(PLAIN_SUM.replace("e*x for", "x for"))
    assert [(f.span.line, f.fix) for f in report.findings if f.root and f.span] == [(7, "x*e")]
