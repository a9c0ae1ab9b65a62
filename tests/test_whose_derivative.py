"""Which result a derivative is of: names cut short (dl_da), a loop's results in turn with theirs, arrays."""

from __future__ import annotations

import pytest

import symgrad
from symgrad.diagnose.text.abbreviations import spelled_out
from symgrad.diagnose.text.naming import Claim
from tests.slips import found

#: The first forecast error is 0 whatever the inputs are, and so are the first rounds' derivatives.
HOLT = """
alpha = 0.3
beta = 0.2
y = [3.0, 3.4, 3.9, 4.1, 5.0]
level = y[0]
trend = y[1] - y[0]
dl_da, dl_db = 0.0, 0.0
dt_da, dt_db = 0.0, 0.0
sse = 0.0
dsse_da = 0.0
dsse_db = 0.0
for t in range(1, len(y)):
    pred = level + trend
    dpred_da = dl_da + dt_da
    dpred_db = dl_db + dt_db
    err = y[t] - pred
    sse += err**2
    dsse_da += -2*err*dpred_da
    dsse_db += -2*err*dpred_db
    new_level = alpha*y[t] + (1-alpha)*pred
    dnl_da = y[t] - pred + (1-alpha)*dpred_da
    dnl_db = (1-alpha)*dpred_db
    new_trend = beta*(new_level - level) + (1-beta)*trend
    dnt_da = beta*(dnl_da - dl_da) + (1-beta)*dt_da
    dnt_db = (new_level - level) - trend + beta*(dnl_db - dl_db) + (1-beta)*dt_db
    level, trend = new_level, new_trend
    dl_da, dl_db = dnl_da, dnl_db
    dt_da, dt_db = dnt_da, dnt_db
print(sse, dsse_da, dsse_db)
"""

IMPLICIT = """
x, y = 3.0, 3.2
F = x**3 + y**3 - 6*x*y
F_x = 3*x**2 - 6*y
F_y = 3*y**2 - 6*x
dy_dx = -F_x / F_y
F_xx = 6*x
F_yy = 6*y
print(F, dy_dx, F_xx, F_yy)
"""

#: The state of the last round is nothing that the loss is made of.
SMOOTHED = """
xs = [1.0, 2.0, 1.5, 3.0, 2.5]
a = 0.3
s = xs[0]
ds = 0.0
loss = 0.0
dloss = 0.0
for x in xs[1:]:
    e = x - s
    loss += 0.5*e*e
    dloss += -e*ds
    ds = (x - s) + (1 - a)*ds
    s = a*x + (1 - a)*s
print(loss, dloss)
"""

EPIDEMIC = """
beta, gamma = 0.4, 0.1
S, I, R = 0.99, 0.01, 0.0
dS, dI, dR = 0.0, 0.0, 0.0
dt = 0.5
for step in range(8):
    inf = beta*S*I
    rec = gamma*I
    dinf = S*I + beta*(dS*I + S*dI)
    drec = gamma*dI
    S, I, R = S - dt*inf, I + dt*(inf - rec), R + dt*rec
    dS, dI, dR = dS - dt*dinf, dI + dt*(dinf - drec), dR + dt*drec
print(I, dI)
"""

#: Entry by entry, of an array: nothing else is called a derivative as often.
CURVE = """
import numpy as np
x = np.linspace(0.5, 2.0, 7)
f = (x**2 + 1)/(np.sin(x) + 2)
num = x**2 + 1
den = np.sin(x) + 2
dnum = 2*x
dden = np.cos(x)
dfdx = (dnum*den - num*dden)/den**2
print(dfdx)
"""

#: zbar is a mean of the list z, and no gradient by it.
SURVIVAL = """
import math
beta = 0.4
times = [2.0, 3.5, 4.1, 6.0]
event = [1, 1, 0, 1]
z = [0.9, -0.5, 1.4, 0.3]
nll = 0.0
for i in range(4):
    if event[i]:
        nll -= beta*z[i] - math.log(sum(math.exp(beta*z[j]) for j in range(4) if times[j] >= times[i]))
score = 0.0
for i in range(4):
    if not event[i]:
        continue
    s0 = s1 = 0.0
    for j in range(i, 4):
        w = math.exp(beta*z[j])
        s0 += w
        s1 += w*z[j]
    zbar = s1/s0
    score -= z[i] - zbar
print(nll, score)
"""

#: S is no variable, and neither is e: the sum of squares is called css, and the residuals are in a list eps.
SYMBOLS = """
phi, theta, c = 0.6, 0.35, 0.1
series = [0.4, 0.9, 0.2, -0.3]
eps = [0.0]
for t in range(1, 4):
    eps.append(series[t] - c - phi*series[t - 1] - theta*eps[t - 1])
css = sum(e*e for e in eps)
de_dphi, de_dtheta, de_dc = [0.0], [0.0], [0.0]
for t in range(1, 4):
    de_dphi.append(-series[t - 1] - theta*de_dphi[-1])
    de_dtheta.append(-eps[t - 1] - theta*de_dtheta[-1])
    de_dc.append(-1.0 - theta*de_dc[-1])
dS_dphi = 2*sum(e*d for e, d in zip(eps, de_dphi))
dS_dtheta = 2*sum(e*d for e, d in zip(eps, de_dtheta))
dS_dc = 2*sum(e*d for e, d in zip(eps, de_dc))
print(css, dS_dphi, dS_dtheta, dS_dc)
"""

#: T is temp, and V is volt; what is made of the derivatives is none.
UNCERTAIN = """
from math import log, sqrt
volt, supply, r_fixed = 1.85, 5.0, 10.0
R0, B, T0 = 9.6, 3.95, 0.298
r = r_fixed*volt/(supply - volt)
inv_T = 1/T0 + log(r/R0)/B
temp = 1/inv_T
dr_dV = r_fixed*supply/(supply - volt)**2
dinv_dr = 1/(B*r)
dT_dinv = -1/inv_T**2
dT_dV = dT_dinv*dinv_dr*dr_dV
dT_dR0 = dT_dinv*(-1/(B*R0))
dT_dB = dT_dinv*(-log(r/R0)/B**2)
u_T = sqrt((dT_dV*0.01)**2 + (dT_dR0*0.1)**2 + (dT_dB*0.04)**2)
print(temp, u_T)
"""

#: An evaluation trace as lectures write it, and its reverse trace.
NODES = """
import math
x1, x2 = 2.0, 5.0
v_1 = x1
v0 = x2
v1 = math.log(v_1)
v2 = v_1*v0
v3 = v0/v_1
v4 = math.sin(v3)
v5 = v1 + v2
v6 = math.exp(-v5/10)
v7 = v6*v5 - v4
v7b = 1.0
v6b = v7b*v5
v5b = v7b*v6
v4b = v7b*(-1)
v5b = v5b + v6b*v6*(-1/10)
v1b = v5b*1
v2b = v5b*1
v3b = v4b*math.cos(v3)
v0b = v3b/v_1
v_1b = v3b*(-v0/v_1**2)
v0b = v0b + v2b*v_1
v_1b = v_1b + v2b*v0
v_1b = v_1b + v1b/v_1
print(v7, v_1b, v0b)
"""

#: grad[0] is by b0, and so grad[1] is by b1.
LISTED = """
from math import exp, lgamma
b0, b1 = 0.2, 0.45
xs = [0.3, 1.1, -0.6]
counts = [1, 4, 0]
nll = 0.0
for xi, yi in zip(xs, counts):
    nll += exp(b0 + b1*xi) - yi*(b0 + b1*xi) + lgamma(yi + 1)
grad = [0.0, 0.0]
for i, xi in enumerate(xs):
    r = exp(b0 + b1*xi) - counts[i]
    grad[0] += r
    grad[1] += r*xi
print(nll, grad)
"""

#: P is price, y is ytm and c is coupon.
BOND = """
coupon, ytm, years = 4.5, 0.037, 4
cashflows = [(t, coupon if t < years else coupon + 100.0) for t in range(1, years + 1)]
price = sum(cf/(1 + ytm)**t for t, cf in cashflows)
dP_dy = 0.0
dP_dc = 0.0
for t, cf in cashflows:
    discount = (1 + ytm)**-t
    dP_dy -= t*cf*discount/(1 + ytm)
    dP_dc += discount
duration = -dP_dy/price
print(price, duration, dP_dc)
"""

#: The gradients in a comprehension, by their keys.
KEYED = """
p = {"a": 0.7, "b": 1.9}
L = 1.0
for k, v in p.items():
    L *= v**2
g = {k: 2*L/v for k, v in p.items()}
print(L, g)
"""

#: What x solves has no name, and all its partial derivatives are made of e.
FIXED_POINT = """
import math
a, b, x = 0.8, 0.25, 0.5
for _ in range(40):
    x = math.exp(-a*x) + b
F = x**2*a
e = math.exp(-a*x)
g_x = 1 + a*e
g_a = x*e
dx_da = -g_a/g_x
dx_db = 1/g_x
dF_da = 2*x*a*dx_da + x**2
print(x, F, dF_da)
"""

SLIPS = [
    (FIXED_POINT, "e = math.exp(-a*x)", "e = 2*math.exp(-a*x)"),
    (FIXED_POINT, "g_a = x*e", "g_a = -x*e"),
    (SURVIVAL, "s1 += w*z[j]", "s1 += w"),
    (SURVIVAL, "zbar = s1/s0", "zbar = -s1/s0"),
    (SURVIVAL, "z[i] - zbar", "- zbar"),
    (NODES, "v6b = v7b*v5", "v6b = v7b"),
    (NODES, "v5b = v5b + v6b", "v5b = v5b - v6b"),
    (LISTED, "grad[1] += r*xi", "grad[1] -= r*xi"),
    (LISTED, "grad[0] += r", "grad[0] += r*xi"),
    (BOND, "dP_dc += discount", "dP_dc += 2*discount"),
    (BOND, "dP_dy -= t*cf", "dP_dy += t*cf"),
    (KEYED, "2*L/v for", "L/v for"),
    (SYMBOLS, "dS_dtheta = 2*sum", "dS_dtheta = sum"),
    (SYMBOLS, "-eps[t - 1] - theta*de_dtheta[-1]", "-eps[t] - theta*de_dtheta[-1]"),
    (UNCERTAIN, "(-1/(B*R0))", "(-1/B)"),
    (UNCERTAIN, "dT_dinv = -1/", "dT_dinv = 1/"),
    (NODES, "v4b = v7b*(-1)", "v4b = v7b"),
    (NODES, "v3b = v4b*math.cos(v3)", "v3b = v4b*math.sin(v3)"),
    (NODES, "v_1b = v_1b + v2b*v0", "v_1b = v2b*v0"),
    (SMOOTHED, "dloss += -e*ds", "dloss += e*ds"),
    (SMOOTHED, "ds = (x - s) + (1 - a)*ds", "ds = x + (1 - a)*ds"),
    (EPIDEMIC, "beta*(dS*I + S*dI)", "beta*(S*I + S*dI)"),
    (EPIDEMIC, "drec = gamma*dI", "drec = gamma*I"),
    (CURVE, "(dnum*den - num*dden)/den**2", "(num*dden - dnum*den)/den**2"),
    (CURVE, "dden = np.cos(x)", "dden = -np.cos(x)"),
    (HOLT, "y[t] - pred + (1-alpha)*dpred_da", "(1-alpha)*dpred_da"),  # all of dl_da is 0 then
    (HOLT, "(1-beta)*dt_da", "beta*dt_da"),
    (HOLT, "beta*(dnl_db - dl_db)", "beta*dnl_db"),
    (HOLT, "dsse_db += -2", "dsse_db += 2"),
    (IMPLICIT, "F_x = 3*x**2 - 6*y", "F_x = 3*x**2 - 6"),
    (IMPLICIT, "F_xx = 6*x", "F_xx = 6*y"),
    (IMPLICIT, "F_yy = 6*y", "F_yy = 6*x"),
]


RIGHT = [FIXED_POINT, SURVIVAL, LISTED, KEYED, SYMBOLS, UNCERTAIN, NODES, HOLT, IMPLICIT, SMOOTHED, EPIDEMIC, CURVE]


@pytest.mark.parametrize("source", RIGHT)
def test_right_work_is_right(source: str) -> None:
    report = symgrad.check(source)
    assert report.ok, report.explain()
    assert report.confirmed


@pytest.mark.parametrize(("source", "right", "slip"), SLIPS)
def test_a_slip_is_found_in_its_line(source: str, right: str, slip: str) -> None:
    assert source.count(right) == 1
    line = 1 + source[: source.index(right)].count("\n")
    report = symgrad.check(source.replace(right, slip))
    assert [f.span.line for f in report.findings if f.root and f.span] == [line], report.explain()


def test_short_forms_stand_for_one_name_only() -> None:
    called = ["level", "trend", "new_level", "alpha", "beta", "loss"]
    names = ["dl_da", "dnl_db", "dlevel_dalpha", "dL_da", "dt_dq", "dz_da"]
    assert spelled_out(names, called) == {"dnl_db": Claim("newlevel", "beta"), "dl_da": Claim("l", "alpha"),
                                          "dL_da": Claim("l", "alpha")}  # fmt: skip
    assert spelled_out(["dl_da"], called[:-1]) == {"dl_da": Claim("level", "alpha")}
    assert spelled_out(["dl_da"], [*called, "angle"]) == {}


#: Derivatives of arrays by a number, carried forward: each is there before its value is used again, as no gradient is.
KALMAN = """
import numpy as np
F = np.array([[1.0, 0.1], [0.0, 1.0]])
H = np.array([[1.0, 0.0]])
def nll_and_dr(r):
    x, P = np.zeros((2, 1)), np.eye(2)
    dx, dP = np.zeros((2, 1)), np.zeros((2, 2))
    nll, dnll = 0.0, 0.0
    for z in [0.1, 0.25, 0.31, 0.48]:
        x = F @ x
        P = F @ P @ F.T + 0.05 * np.eye(2)
        dx = F @ dx
        dP = F @ dP @ F.T
        S = (H @ P @ H.T)[0, 0] + r
        dS = (H @ dP @ H.T)[0, 0] + 1.0
        v = z - (H @ x)[0, 0]
        dv = -(H @ dx)[0, 0]
        nll += 0.5 * (np.log(S) + v**2 / S)
        dnll += 0.5 * (dS / S + 2 * v * dv / S - v**2 * dS / S**2)
        K = P @ H.T / S
        dK = dP @ H.T / S - P @ H.T * dS / S**2
        x = x + K * v
        dx = dx + dK * v + K * dv
        dP = dP - dK @ H @ P - K @ H @ dP
        P = P - K @ H @ P
    return nll, dnll
nll, dnll = nll_and_dr(0.2)
"""


def test_arrays_carried_forward_are_right() -> None:
    report = symgrad.check(KALMAN)
    assert report.ok, report.explain()
    assert {"dx", "dP", "dS", "dv", "dK", "dnll"} <= set(report.confirmed)


@pytest.mark.parametrize(
    ("right", "slip"),
    [
        ("dv = -(H @ dx)", "dv = (H @ dx)"),
        ("- v**2 * dS / S**2)", "- v**2 * dS / S)"),
        ("dx = dx + dK * v + K * dv", "dx = dx + dK * v"),
        ("dP = dP - dK @ H @ P - K", "dP = dP - dK @ H @ P + K"),
    ],
)
def test_a_slip_in_what_is_carried_forward(right: str, slip: str) -> None:
    found(KALMAN, right, slip, "")


def test_what_is_carried_forward_from_the_old_value_of_an_array() -> None:
    # The derivative of P reads P after it was changed.
    lines = KALMAN.split("\n")
    a = next(n for n, line in enumerate(lines) if line.strip().startswith("dP = dP -"))
    lines[a], lines[a + 1] = lines[a + 1], lines[a]
    report = symgrad.check("\n".join(lines))
    assert [(f.span.line, f.mistake) for f in report.findings if f.root and f.span] == [(a + 2, "input-for-output")]
