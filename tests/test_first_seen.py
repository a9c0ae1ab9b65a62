"""Right work in styles that were seen for the first time, each a false alarm, a wrong "right" or silence then."""

from __future__ import annotations

import pytest

import symgrad
from tests.slips import found

#: dv is by what the model says, and not by what was measured.
MEASURED = """
data = [(0.5, 0.0, 0.92), (1.0, 0.0, 1.41), (4.0, 0.5, 2.05)]
params = {"Vmax": 2.9, "Km": 1.1, "Ki": 0.7}
sse = 0.0
grads = {"Vmax": 0.0, "Km": 0.0, "Ki": 0.0}
for S, I, v in data:
    denom = params["Km"]*(1 + I/params["Ki"]) + S
    v_hat = params["Vmax"]*S/denom
    r = v_hat - v
    sse += r**2
    dv = 2*r
    ddenom = -dv*params["Vmax"]*S/denom**2
    grads["Vmax"] += dv*S/denom
    grads["Km"] += ddenom*(1 + I/params["Ki"])
    grads["Ki"] += ddenom*params["Km"]*(-I/params["Ki"]**2)
print(sse, grads)
"""

#: x0 is what x begins with.
BEGUN = """
import math
r, x = 3.2, 0.35
dx_dr, dx_dx0, lyap = 0.0, 1.0, 0.0
for n in range(6):
    slope = r*(1 - 2*x)
    lyap += math.log(abs(slope))
    dx_dr = x*(1 - x) + slope*dx_dr
    dx_dx0 = slope*dx_dx0
    x = r*x*(1 - x)
print(x, dx_dr, dx_dx0, lyap)
"""

#: The 0 that each gradient begins with is one for all objects.
FIELDS = """
from dataclasses import dataclass, field
PARTIALS = {
    "add": lambda a, b: (1.0, 1.0),
    "mul": lambda a, b: (b, a),
    "div": lambda a, b: (1.0/b, -a/b**2),
}
FORWARD = {"add": lambda a, b: a + b, "mul": lambda a, b: a*b, "div": lambda a, b: a/b}

@dataclass
class Node:
    value: float
    op: str = ""
    parents: list = field(default_factory=list)
    grad: float = 0.0

def apply(op, *parents):
    return Node(FORWARD[op](*[p.value for p in parents]), op, list(parents))

def backward(root, order):
    root.grad = 1.0
    for node in reversed(order):
        if not node.op:
            continue
        for parent, partial in zip(node.parents, PARTIALS[node.op](*[p.value for p in node.parents])):
            parent.grad += node.grad*partial

x, y = Node(0.9), Node(2.3)
n1 = apply("mul", x, y)
n2 = apply("div", n1, x)
n3 = apply("add", n2, n1)
backward(n3, [x, y, n1, n2, n3])
print(n3.value, x.grad, y.grad)
"""

#: Where ReLU is off, the entry of the list is a number, and the last sample is used by nothing.
CONVOLVED = """
signal = [0.5, -1.0, 2.0, 0.3, 1.1, -0.4]
kernel = [0.2, -0.5, 0.7]
pre = []
for i in range(4):
    acc = 0.1
    for j in range(3):
        acc += kernel[j]*signal[i + j]
    pre.append(acc)
act = [p if p > 0 else 0.0 for p in pre]
loss = sum(a*a for a in act)/4
d_act = [2*a/4 for a in act]
d_pre = [g if p > 0 else 0.0 for g, p in zip(d_act, pre)]
d_kernel = [0.0]*3
d_signal = [0.0]*6
for i in range(4):
    for j in range(3):
        d_kernel[j] += d_pre[i]*signal[i + j]
        d_signal[i + j] += d_pre[i]*kernel[j]
print(loss, d_kernel, d_signal)
"""

#: dka is what the function calls dc_dka.
INNER = """
from math import exp
def conc(t, ka, ke):
    f = 100*ka/(ka - ke)
    e1, e2 = exp(-ke*t), exp(-ka*t)
    c = f*(e1 - e2)
    dc_dka = -100*ke/(ka - ke)**2*(e1 - e2) + f*t*e2
    dc_dke = 100*ka/(ka - ke)**2*(e1 - e2) - f*t*e1
    return c, (dc_dka, dc_dke)
ka, ke = 1.2, 0.25
obj = 0.0
gka = gke = 0.0
for t, y in zip([0.5, 1.0, 4.0], [30.0, 55.0, 50.0]):
    c, (dka, dke) = conc(t, ka, ke)
    obj += (c - y)**2
    gka += 2*(c - y)*dka
    gke += 2*(c - y)*dke
print(obj, gka, gke)
"""

#: Two results, each in turn with its derivative; in the last round t0 is an older t1.
TURNS = """
x = 1.4
p, dp_dx = 0.0, 0.0
for c in [2.0, -1.5, 0.5, 3.0]:
    dp_dx = dp_dx*x + p
    p = p*x + c
t0, t1 = 1.0, x
dt0, dt1 = 0.0, 1.0
for n in range(4):
    t0, t1 = t1, 2*x*t1 - t0
    dt0, dt1 = dt1, 2*t0 + 2*x*dt1 - dt0
print(p, dp_dx, t1, dt1)
"""

#: The variance goes on after the last sample.
GARCH = """
from math import log
eps = [0.5, -1.2, 0.3, 0.9, -0.4]
omega, alpha, beta = 0.1, 0.15, 0.8
h = omega/(1 - alpha - beta)
h_omega = 1/(1 - alpha - beta)
h_alpha = h_beta = omega/(1 - alpha - beta)**2
nll = 0.0
g_omega = g_alpha = g_beta = 0.0
for e in eps:
    nll += 0.5*(log(h) + e**2/h)
    s = 0.5*(1/h - e**2/h**2)
    g_omega += s*h_omega
    g_alpha += s*h_alpha
    g_beta += s*h_beta
    h_omega, h_alpha, h_beta = 1 + beta*h_omega, e**2 + beta*h_alpha, h + beta*h_beta
    h = omega + alpha*e**2 + beta*h
print(nll, g_omega, g_alpha, g_beta)
"""

#: The scores of a likelihood, by their parameters, which are moved up.
SCORES = """
from math import log
t, d = [1.2, 0.7, 2.9, 3.4], [1, 1, 1, 0]
k, lam = 1.3, 2.5
loglik = 0.0
for ti, di in zip(t, d):
    loglik += di*(log(k) - log(lam) + (k - 1)*log(ti/lam)) - (ti/lam)**k
score_k = score_lam = 0.0
for ti, di in zip(t, d):
    u = ti/lam
    z = u**k
    score_k += di*(1/k + log(u)) - z*log(u)
    score_lam += di*(-k/lam) + k*z/lam
k_new = k + 0.01*score_k
lam_new = lam + 0.01*score_lam
print(loglik, score_k, score_lam, k_new, lam_new)
"""

#: The mean is taken at the end, under the names of the sums.
TOTALS = """
import math
X, Y = [0.5, 1.5, 2.0], [0, 1, 1]
w, b = 0.4, 0.1
total_loss = dw_total = db_total = 0
for i in range(3):
    a = 1/(1 + math.exp(-(w*X[i] + b)))
    total_loss += -(Y[i]*math.log(a) + (1 - Y[i])*math.log(1 - a))
    dz = a - Y[i]
    dw_total += dz*X[i]
    db_total += dz
m = len(X)
total_loss = total_loss/m
dw_total = dw_total/m
db_total = db_total/m
print(total_loss, dw_total, db_total)
"""

#: All that a constructor keeps, in one line.
DUAL = """
class Dual:
    def __init__(self, re, eps=0.0):
        self.re, self.eps = re, eps
    def __add__(self, o):
        o = o if isinstance(o, Dual) else Dual(o)
        return Dual(self.re + o.re, self.eps + o.eps)
    def __mul__(self, o):
        o = o if isinstance(o, Dual) else Dual(o)
        return Dual(self.re*o.re, self.eps*o.re + self.re*o.eps)
    def __truediv__(self, o):
        return Dual(self.re/o.re, (self.eps*o.re - self.re*o.eps)/o.re**2)
x = Dual(1.7, 1.0)
d = (x*x + 1)/(x*x*x + x)
print(d.re, d.eps)
"""

#: A tape whose gradients are called adjoints.
TAPE = """
import math
tape = []
class Var:
    def __init__(self, value):
        self.value = value
        self.adj = 0.0
def mul(a, b):
    out = Var(a.value*b.value)
    def back():
        a.adj += out.adj*b.value
        b.adj += out.adj*a.value
    tape.append(back)
    return out
def sin(a):
    out = Var(math.sin(a.value))
    def back():
        a.adj += out.adj*math.cos(a.value)
    tape.append(back)
    return out
x, y = Var(0.5), Var(1.3)
f = mul(sin(mul(x, y)), x)
f.adj = 1.0
while tape:
    tape.pop()()
print(f.value, x.adj, y.adj)
"""

#: The derivative is by the x that is moved by it, and there is no result besides.
NEWTON = """
def f(x):
    return x**3 - 2*x - 5
def df(x):
    return 3*x**2 - 2
x = 2.0
for k in range(6):
    fx = f(x)
    dfx = df(x)
    x = x - fx/dfx
print(x)
"""

RIGHT = [NEWTON, MEASURED, BEGUN, FIELDS, CONVOLVED, INNER, TURNS, GARCH, SCORES, TOTALS, DUAL, TAPE]


@pytest.mark.parametrize("source", RIGHT)
def test_right_work_is_right(source: str) -> None:
    report = symgrad.check(source)
    assert report.ok, report.explain()
    assert report.confirmed


@pytest.mark.parametrize(
    ("source", "right", "slip"),
    [
        (NEWTON, "3*x**2 - 2", "3*x**2"),
        (MEASURED, "dv = 2*r", "dv = r"),
        (BEGUN, "slope*dx_dx0", "dx_dx0"),
        (FIELDS, "parent.grad += node.grad*partial", "parent.grad = node.grad*partial"),
        (CONVOLVED, "d_pre[i]*signal[i + j]", "d_pre[i]*signal[i]"),
        (INNER, "- f*t*e1", "- f*e1"),
        (INNER, "gke += 2*(c - y)*dke", "gke += 2*(c - y)*dka"),
        (TURNS, "2*t0 + 2*x*dt1", "t0 + 2*x*dt1"),
        (TURNS, "dp_dx = dp_dx*x + p", "dp_dx = dp_dx*x + c"),
        (GARCH, "e**2 + beta*h_alpha", "e**2 + alpha*h_alpha"),
        (SCORES, "- z*log(u)", "- z"),
        (SCORES, "+ k*z/lam", "+ z/lam"),
        (TOTALS, "dw_total += dz*X[i]", "dw_total += dz"),
        (DUAL, "self.eps*o.re - self.re*o.eps", "self.eps*o.re + self.re*o.eps"),
        (TAPE, "a.adj += out.adj*b.value", "a.adj += out.adj*a.value"),
        (TAPE, "out.adj*math.cos(a.value)", "math.cos(a.value)"),
    ],
)
def test_a_slip_is_found_in_its_line(source: str, right: str, slip: str) -> None:
    found(source, right, slip, "")
