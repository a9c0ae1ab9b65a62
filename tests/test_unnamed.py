"""Derivatives under names that say nothing: what makes them claims, what is wrong with them, and what is left open."""

from __future__ import annotations

import pytest

import symgrad
from symgrad.errors import SymgradError
from symgrad.manual import check_source
from symgrad.report.model import Finding, Report

PRIME = """import math
t = 0.7
num = math.sin(t)
den = 2 + t**2
ratio = num/den
num_prime = math.cos(t)
den_prime = 2*t
ratio_prime = (num_prime*den - num*den_prime)/den**2
print(ratio_prime)
"""
RETURNED = """import math
def f(x):
    return math.exp(-x)*x**3
def df(x):
    return math.exp(-x)*3*x**2 - math.exp(-x)*x**3
print(f(0.8), df(0.8))
"""
COMPARED = """import math
def g(x):
    return math.log(1 + x**2)
x = 1.4
h = 1e-5
mine = 2*x/(1 + x**2)
quotient = (g(x + h) - g(x - h))/(2*h)
print(abs(mine - quotient))
"""
UPDATE = """import math
w = 0.6
rate = 0.05
x = 1.3
z = w*x
cost = (math.tanh(z) - 0.2)**2
step = 2*(math.tanh(z) - 0.2)*(1 - math.tanh(z)**2)*x
w = w - rate*step
"""
MOMENTUM = """w = 0.4
v = 0.0
for epoch in range(3):
    r = w**2 - 2
    loss = r**2
    grad = 2*r*2*w
    v = 0.8*v - 0.1*grad
    w += v
"""
CLASS = """import math
class Net:
    def __init__(self):
        self.w1 = 0.4
        self.w2 = -0.7
        self.losses = []
    def train(self, x, y):
        a = math.tanh(self.w1*x)
        out = math.tanh(self.w2*a)
        self.losses.append(0.5*(y - out)**2)
        miss = y - out
        o_delta = miss*(1 - out**2)
        h_error = o_delta*self.w2
        h_delta = h_error*(1 - a**2)
        self.w1 += x*h_delta
        self.w2 += a*o_delta
net = Net()
for _ in range(2):
    net.train(0.6, 0.9)
"""
JACOBIAN = """import math
u = 1.2
v = 0.4
x = u*math.exp(v)
y = u*math.sin(v)
dx_du = math.exp(v)
dx_dv = u*math.exp(v)
dy_du = math.sin(v)
dy_dv = u*math.cos(v)
"""
SECOND = """import math
x = 0.8
f = math.sin(x)*x
fp = math.cos(x)*x + math.sin(x)
fpp = 2*math.cos(x) - math.sin(x)*x
"""
LAYERS = """class Scale:
    def __init__(self, k):
        self.k = k
    def forward(self, x):
        self.x = x
        return self.k*x
    def backward(self, up):
        self.dk = up*self.x
        return up*self.k
class Cube:
    def forward(self, x):
        self.x = x
        return x**3
    def backward(self, up):
        return up*3*self.x**2
chain = [Scale(0.7), Cube(), Scale(-1.4)]
a = 1.1
for layer in chain:
    a = layer.forward(a)
loss = (a - 0.3)**2
grad = 2*(a - 0.3)
for layer in reversed(chain):
    grad = layer.backward(grad)
"""
DATA = """import math
theta = 0.4
picks = [1, 0, 1]
gains = [0.8, -0.4, 1.7]
mean = sum(gains)/3
p = 1/(1 + math.exp(-theta))
obj = 0.0
g = 0.0
for pick, gain in zip(picks, gains):
    extra = gain - mean
    obj += extra*(math.log(p) if pick else math.log(1 - p))
    g += extra*(pick - p)
theta += 0.2*g
"""
RECURRENCE = """import math
w = 0.8
xs = [0.3, -0.5, 0.7, 0.2, -0.1]
hs = [0.1]
for t in range(5):
    hs.append(math.tanh(w*hs[t] + xs[t]))
loss = hs[5]**2
dh = 2*hs[5]
dw = 0.0
for t in range(4, -1, -1):
    dz = (1 - hs[t+1]**2)*dh
    dw += dz*hs[t]
    dh = w*dz
"""
DICT = """def loss(a, b):
    return (a*b - 1)**2 + a**2
def grad(a, b):
    r = a*b - 1
    return {"a": 2*r*b + 2*a, "b": 2*r*a}
params = {"a": 0.3, "b": -0.5}
print(loss(**params), grad(**params))
"""

#: name -> (correct script, what to replace, by what).
CASES = {
    "f_prime": (PRIME, "num_prime*den - num*den_prime", "num_prime*den + num*den_prime"),
    "f_prime of a part": (PRIME, "den_prime = 2*t", "den_prime = -2*t"),
    "a function df that is only printed": (RETURNED, "*3*x**2 -", "*3*x**2 +"),
    "beside a difference quotient": (COMPARED, "mine = 2*x", "mine = x"),
    "what a parameter is moved by": (UPDATE, "math.tanh(z)**2)*x", "math.tanh(z)**2)"),
    "through momentum": (MOMENTUM, "2*r*2*w", "2*r*2"),
    "deltas in a class": (CLASS, "o_delta*self.w2", "miss*self.w2"),
    "a step without a name": (CLASS, "x*h_delta", "a*h_delta"),
    "several outputs": (JACOBIAN, "dx_dv = u*", "dx_dv = -u*"),
    "the other output": (JACOBIAN, "dy_dv = u*math.cos", "dy_dv = u*math.sin"),
    "second derivative": (SECOND, "2*math.cos(x)", "math.cos(x)"),
    "a list of layers": (LAYERS, "return up*self.k", "return up*self.x"),
    "a loop over data": (DATA, "g += extra*(pick", "g += gain*(pick"),
    "a dict that is returned": (DICT, "2*r*b + 2*a", "2*r*b + a"),
}


def here(source: str) -> Report:
    return check_source(source, sandbox=False)


def roots(report: Report) -> list[Finding]:
    return [f for f in report.findings if f.root]


@pytest.mark.parametrize("name", CASES)
def test_correct_work_is_recognised_and_not_blamed(name: str) -> None:
    report = here(CASES[name][0])
    assert not roots(report), report.explain()
    assert report.confirmed, report.explain()
    assert not report.unchecked, report.explain()


@pytest.mark.parametrize("name", CASES)
def test_the_wrong_line_is_found(name: str) -> None:
    source, old, new = CASES[name]
    assert source.count(old) == 1
    report = here(source.replace(old, new))
    line = source[: source.index(old)].count("\n") + 1
    assert [f.line for f in roots(report)] == [line], report.explain()
    assert report.exit_code == 1


def test_what_is_not_recognised_is_said() -> None:
    report = here("w = 0.7\nloss = w**3\ndw = 3*w**2\nother = w*loss + 4\n")
    assert report.exit_code == 0
    assert [(u.name, u.span.line) for u in report.unchecked] == [("other", 4)]
    text = report.explain()
    assert "not everything was checked" in text.splitlines()[0]
    assert "not checked: line 4 `other`" in text
    assert [(u["name"], u["line"]) for u in report.to_json()["not_checked"]] == [("other", 4)]


def test_what_is_right_in_one_round_only_is_not_praised() -> None:
    report = here(
        "k = 1.2\ny = 2.0\ns = 0.0\nfor n in range(3):\n    s = s + 0.1*(-y**2 - k*y*s)\n    y = y + 0.1*(-k*y**2)\n"
    )
    assert [(u.name, u.span.line) for u in report.unchecked] == [("s", 5)]
    assert "s" not in report.confirmed


def test_a_stop_is_no_plain_success() -> None:
    report = here("w = 0.7\nloss = w**3\ndw = 3*w**2\nrest = [1, 2][5]\n")
    assert "the rest did not run" in report.explain().splitlines()[0]


def test_numbers_made_of_gradients_are_no_open_lines() -> None:
    made = UPDATE + "norm = step**2\nmean = 0.9*norm + 0.1*step\nw_next = w - 0.1*mean\nhits = 1.0 if z > 0 else 0.0\n"
    assert not here(made).unchecked


@pytest.mark.parametrize(
    ("old", "new", "fix", "mistake"),
    [
        ("dz*hs[t]", "dz*hs[t+1]", "hs[t]", "wrong-time-step"),
        ("(1 - hs[t+1]**2)", "(1 - hs[t]**2)", "hs[t+1]", "wrong-time-step"),
        ("(1 - hs[t+1]**2)", "(1 - hs[t+1])", "hs[t+1]**2", "missing-factor"),
        ("dw += dz*hs[t]", "dw = dz*hs[t]", "dw + dz*hs[t]", "lost-accumulation"),
        ("dh = w*dz", "dh = dz", "dz*w", "missing-factor"),
        ("dh = w*dz", "dh = -w*dz", "w", "sign"),
    ],
)
def test_fixes_in_loops_say_what_is_meant(old: str, new: str, fix: str, mistake: str) -> None:
    report = here(RECURRENCE.replace(old, new))
    found = roots(report)
    assert [(f.fix, f.mistake, f.fix_verified) for f in found] == [(fix, mistake, True)], report.explain()


@pytest.mark.parametrize("rate", [0.25, 1.0])
def test_a_learning_rate_in_the_gradient_is_a_convention(rate: float) -> None:
    report = here(
        f"w = 0.3\nrate = {rate}\nE = 0.0\ndw = 0.0\nfor x, t in [(0.5, 0.2), (1.5, 0.9)]:\n    miss = t - w*x\n"
        "    E += 0.5*miss**2\n    dw += rate*miss*x\nw += dw\n"
    )
    assert not roots(report), report.explain()
    assert any("negative of the gradient" in f.message for f in report.findings), report.explain()


def test_a_long_loop_is_told_in_one_line() -> None:
    source = RECURRENCE.replace("xs = [0.3, -0.5, 0.7, 0.2, -0.1]", "xs = [0.1*((7*i) % 11 - 5) for i in range(200)]")
    source = source.replace("range(5)", "range(200)").replace("range(4,", "range(199,").replace("hs[5]", "hs[200]")
    report = here(source.replace("dh = w*dz", "dh = w*dz*2"))
    assert [f.line for f in roots(report)] == [13], report.explain()
    assert roots(report)[0].fix_verified


def test_a_gradient_off_by_a_factor_is_said_where_a_learning_rate_follows() -> None:
    report = here(MOMENTUM.replace("2*r*2*w", "2*r*w"))
    assert not roots(report)
    assert "line 6: grad is the gradient times 0.5" in report.explain()


def test_a_difference_of_three_terms_is_taken_whole() -> None:
    source = """\
xs = [0.0, 0.5, 1.0]
ys = [1.1, 2.4, 4.2]
m, c, rate = 0.3, 0.1, 0.01
for _ in range(5):
    slope, offset = 0.0, 0.0
    for x, y in zip(xs, ys):
        slope += -2 / 3 * x * (y - m * x - c)
        offset += -2 / 3 * (y - m * x - c)
    m = m - rate * slope
    c = c - rate * offset
"""
    report = symgrad.check(source)
    assert report.ok, report.explain()
    assert set(report.confirmed) == {"slope", "offset"}
    assert "mean((y - m * x - c)**2)" in report.explain()


def test_a_fix_beside_a_difference_quotient_is_written_without_its_step() -> None:
    source = """\
import math

def f(x):
    return math.log(1 + math.exp(x**2))

def df(x):
    s = 1 / (1 + math.exp(-x**2))
    return s * x

x, h = 0.8, 1e-5
numeric = (f(x + h) - f(x - h)) / (2 * h)
exact = df(x)
print(abs(numeric - exact))
"""
    (root,) = [f for f in symgrad.check(source).findings if f.root]
    assert (root.span.line if root.span else 0, root.fix, root.fix_verified) == (8, "2*x", True)


#: Scripts that train, and compute no loss: (text, what is right, lines of mistakes).
TRAINED = {
    "rounds": ("""\
X, Y = [1.0, 2.0, 3.0, 4.0], [2.1, 3.9, 6.2, 7.8]
w, b = 0.5, 0.0
n = len(X)
for epoch in range(20):
    dw = db = 0.0
    for x, y in zip(X, Y):
        err = w * x + b - y
        dw += 2 * err * x / n
        db += 2 * err / n
    w -= 0.01 * dw
    b -= 0.01 * db
""", {"dw", "db"}, []),
    "arrays": ("""\
import numpy as np
x = np.linspace(0, 1, 20)
y = 3 * x + 1 + 0.1 * np.sin(9 * x)
m, c = 0.0, 0.0
for _ in range(50):
    y_pred = m * x + c
    D_m = (-2 / len(x)) * sum(x * (y - y_pred))
    D_c = (2 / len(x)) * sum(y - y_pred)
    m = m - 0.1 * D_m
    c = c - 0.1 * D_c
""", {"D_m"}, [8]),
    "one at a time": ("""\
w, b = 0.3, 0.1
for x, t in [(0.5, 1.0), (1.5, 0.2), (-0.7, 1.4)]:
    err = w * x + b - t
    dw = err * w
    db = err
    w -= 0.1 * dw
    b -= 0.1 * db
""", {"db"}, [4]),
    "a logistic regression": ("""import numpy as np
rng = np.random.default_rng(0)
X = rng.normal(size=(10, 3))
y = np.array([0.0, 1.0] * 5)
w = np.zeros(3)
b = 0.0
for _ in range(5):
    p = 1 / (1 + np.exp(-(X @ w + b)))
    dw = X.T @ (p - y) / len(y)
    db = np.sum(y - p) / len(y)
    w -= 0.1 * dw
    b -= 0.1 * db
""", {"dw"}, [10]),
}  # fmt: skip


@pytest.mark.parametrize("name", TRAINED)
def test_a_loss_that_is_not_computed_is_guessed_and_said(name: str) -> None:
    text, right, wrong = TRAINED[name]
    report = symgrad.check(text)
    assert [f.span.line for f in report.findings if f.root and f.span] == wrong, report.explain()
    assert right <= set(report.confirmed)
    assert "no loss is computed: the derivatives are held against that of" in report.explain()


def test_on_a_guessed_loss_alone_nobody_is_blamed() -> None:
    """Half of the labels, a penalty in the gradients, and no loss: what the derivatives belong to is not known."""
    source = """\
import numpy as np
rng = np.random.RandomState(0)
X, y = rng.randn(8, 2), np.array([0, 1, 1, 0, 1, 0, 0, 1])
W1, b1 = rng.randn(2, 3), np.zeros((1, 3))
W2, b2 = rng.randn(3, 2), np.zeros((1, 2))
for _ in range(3):
    hidden = np.tanh(X.dot(W1) + b1)
    scores = np.exp(hidden.dot(W2) + b2)
    delta = scores / np.sum(scores, axis=1, keepdims=True)
    delta[range(8), y] -= 0.5
    dW2 = hidden.T.dot(delta)
    db2 = np.sum(delta, axis=0, keepdims=True)
    inner = delta.dot(W2.T) * (1 - np.power(hidden, 2))
    dW1 = np.dot(X.T, inner)
    db1 = np.sum(inner, axis=0)
    dW2 += 0.01 * W2
    dW1 += 0.01 * W1
    W1 += -0.01 * dW1
    b1 += -0.01 * db1
    W2 += -0.01 * dW2
    b2 += -0.01 * db2
"""
    with pytest.raises(SymgradError, match="never computes"):
        symgrad.check(source)
