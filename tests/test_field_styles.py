"""Derivations as they are written in other fields: statistics, control, chemistry, finance. Right ones, and slips.

Each was a false alarm, a false "right", the wrong line, or silence, when it was tried first.
"""

from __future__ import annotations

import pytest

import symgrad
from symgrad.diagnose.text.abbreviations import subscripted
from symgrad.diagnose.text.naming import Claim
from tests.slips import found, passes

#: What is by q is called X_q, whatever X is.
FILTER = """
import math
y = [1.1, 0.7, 1.9]
q, r = 0.3, 0.5
m, P = 0.0, 10.0
m_q = P_q = 0.0
ll = ll_q = 0.0
for obs in y:
    P = P + q
    P_q = P_q + 1.0
    v = obs - m
    v_q = -m_q
    F = P + r
    F_q = P_q
    ll += -0.5*(math.log(2*math.pi*F) + v*v/F)
    ll_q += -0.5*(F_q/F + 2*v*v_q/F - v*v*F_q/F**2)
    K = P/F
    K_q = P_q/F - P*F_q/F**2
    m = m + K*v
    m_q = m_q + K_q*v + K*v_q
    P_q = P_q*(1 - K) - P*K_q
    P = P*(1 - K)
print(ll, ll_q)
"""

#: In the second round all is wrong already, and nothing but the names says of what the rest are the derivatives.
LORENZ = """
sigma, r, b = 10.0, 28.0, 2.5
x, y, z = 1.0, 2.0, 20.0
xr, yr, zr = 0.0, 0.0, 0.0
dt = 0.005
for n in range(3):
    fx = sigma*(y - x)
    fy = x*(r - z) - y
    fz = x*y - b*z
    fxr = sigma*(yr - xr)
    fyr = xr*(r - z) + x*(1 - zr) - yr
    fzr = xr*y + x*yr - b*zr
    x, y, z = x + dt*fx, y + dt*fy, z + dt*fz
    xr, yr, zr = xr + dt*fxr, yr + dt*fyr, zr + dt*fzr
print(x, y, z, xr, yr, zr)
"""

#: ``de1`` is that of alpha1 by e0, and not by e1.
HIDDEN = """
obs = [1, 1, 0, 1]
a, b = 0.8, 0.3
e0, e1 = 0.9, 0.2
alpha0, alpha1 = 0.5, 0.5
de0 = de1 = 0.0
for o in obs:
    p0 = e0 if o == 1 else 1 - e0
    p1 = e1 if o == 1 else 1 - e1
    dp0 = 1.0 if o == 1 else -1.0
    pre0 = alpha0*a + alpha1*b
    pre1 = alpha0*(1 - a) + alpha1*(1 - b)
    dpre0 = de0*a + de1*b
    dpre1 = de0*(1 - a) + de1*(1 - b)
    alpha0, alpha1 = pre0*p0, pre1*p1
    de0, de1 = dpre0*p0 + pre0*dp0, dpre1*p1
L = alpha0 + alpha1
dL_de0 = de0 + de1
print(L, dL_de0)
"""

#: To move 1.8e-5 by a hundredth is to leave where the root is real.
ACID = """
import math
Ka, C = 1.8e-5, 0.1
disc = math.sqrt(Ka**2 + 4*Ka*C)
H = (-Ka + disc)/2
pH = -math.log10(H)
ddisc_dKa = (2*Ka + 4*C)/(2*disc)
dH_dKa = (-1 + ddisc_dKa)/2
dpH_dKa = -1/(H*math.log(10))*dH_dKa
print(pH, dpH_dKa)
"""

CAUCHY = """
import math
data = [1.2, -0.3, 2.5]
theta = 0.9
for it in range(3):
    ll = 0.0
    dll = 0.0
    d2ll = 0.0
    for xi in data:
        u = xi - theta
        ll += -math.log(1 + u*u)
        dll += 2*u/(1 + u*u)
        d2ll += (2*u*u - 2)/(1 + u*u)**2
    theta = theta - dll/d2ll
"""

ROSENBROCK = """
x, y = -1.2, 1.0
for i in range(2):
    f = (1 - x)**2 + 100*(y - x**2)**2
    gx = -2*(1 - x) - 400*x*(y - x**2)
    gy = 200*(y - x**2)
    hxx = 2 - 400*(y - 3*x**2)
    hxy = -400*x
    hyy = 200.0
    det = hxx*hyy - hxy**2
    dx = -(hyy*gx - hxy*gy)/det
    dy = -(hxx*gy - hxy*gx)/det
    x, y = x + dx, y + dy
"""

#: The velocity is made of derivatives: it is the place that is differentiated, twice.
HERMITE = """
p0, p1, m0 = 1.0, 2.5, 0.4
t = 0.3
h00 = 2*t**3 - 3*t**2 + 1
h10 = t**3 - 2*t**2 + t
h01 = -2*t**3 + 3*t**2
p = h00*p0 + h10*m0 + h01*p1
dh00 = 6*t**2 - 6*t
dh10 = 3*t**2 - 4*t + 1
dh01 = -6*t**2 + 6*t
v = dh00*p0 + dh10*m0 + dh01*p1
ddh00 = 12*t - 6
ddh10 = 6*t - 4
ddh01 = -12*t + 6
a = ddh00*p0 + ddh10*m0 + ddh01*p1
print(p, v, a)
"""

COX = """
import numpy as np
event = np.array([1, 0, 1])
x = np.array([0.3, -1.1, 0.8])
beta = 0.4
loglik = 0.0
score = 0.0
for i in range(len(x)):
    if event[i] == 0:
        continue
    s0 = 0.0
    s1 = 0.0
    for j in range(i, len(x)):
        w = np.exp(beta * x[j])
        s0 += w
        s1 += w * x[j]
    loglik += beta * x[i] - np.log(s0)
    score += x[i]
    score -= s1 / s0
print(loglik, score)
"""

#: What is called p[1] outside is called top in both functions.
DOSE = """
dose = [0.1, 1.0, 5.0]
resp = [4.0, 28.0, 75.0]

def loss(bottom, top, ec50):
    total = 0.0
    for x, y in zip(dose, resp):
        total += (bottom + (top - bottom) / (1 + ec50 / x) - y) ** 2
    return total

def gradient(bottom, top, ec50):
    d_bottom = d_top = d_ec50 = 0.0
    for x, y in zip(dose, resp):
        q = ec50 / x
        r = bottom + (top - bottom) / (1 + q) - y
        d_bottom += 2 * r * q / (1 + q)
        d_top += 2 * r / (1 + q)
        d_ec50 -= 2 * r * (top - bottom) / (1 + q) ** 2 / x
    return d_bottom, d_top, d_ec50

p = (2.0, 95.0, 2.2)
print(loss(*p))
print(gradient(*p))
"""

KINETICS = """
S = [0.5, 1.0, 4.0]
v_obs = [0.9, 1.5, 2.7]
Vmax, Km = 3.0, 1.0
lr = 0.02
for it in range(3):
    sse = 0.0
    grad_Vmax = 0.0
    grad_Km = 0.0
    for s, v in zip(S, v_obs):
        res = Vmax*s/(Km + s) - v
        sse += res**2
        grad_Vmax += 2*res*s/(Km + s)
        grad_Km += -2*res*Vmax*s/(Km + s)**2
    Vmax -= lr*grad_Vmax
    Km -= lr*grad_Km
"""

#: What is adjusted is only made larger or smaller at the end, by a method called nll.
POISSON = """
import math

class Poisson:
    def __init__(self, b0=0.1, b1=0.2):
        self.b0 = b0
        self.b1 = b1

    def nll(self, x, y):
        total = 0.0
        for xi, yi in zip(x, y):
            mu = math.exp(self.b0 + self.b1*xi)
            total += mu - yi*math.log(mu)
        return total

    def grad(self, x, y):
        g0 = g1 = 0.0
        for xi, yi in zip(x, y):
            mu = math.exp(self.b0 + self.b1*xi)
            g0 += mu - yi
            g1 += (mu - yi)*xi
        return g0, g1

x = [0.5, 1.5, 2.5]
y = [1, 0, 4]
m = Poisson()
for step in range(4):
    g0, g1 = m.grad(x, y)
    m.b0 -= 0.01*g0
    m.b1 -= 0.01*g1
print(m.b0, m.b1, m.nll(x, y))
"""

CES = """
A, alpha, rho = 1.5, 0.35, -0.6
K, L = 4.0, 7.0
inner = alpha*K**rho + (1 - alpha)*L**rho
Y = A*inner**(1/rho)
dinner_dK = alpha*rho*K**(rho - 1)
dinner_dL = (1 - alpha)*rho*L**(rho - 1)
dY_dinner = A*(1/rho)*inner**(1/rho - 1)
MPK = dY_dinner*dinner_dK
MPL = dY_dinner*dinner_dL
print(Y, MPK, MPL)
"""

STRENGTHS = """
import math
games = [("ann", "bob"), ("bob", "cy"), ("cy", "ann")]
s = {"ann": 0.3, "bob": 0.1, "cy": -0.2}
for epoch in range(3):
    ll = 0.0
    grad = {k: 0.0 for k in s}
    for win, lose in games:
        p = 1/(1 + math.exp(s[lose] - s[win]))
        ll += math.log(p)
        grad[win] += 1 - p
        grad[lose] -= 1 - p
    for k in s:
        s[k] += 0.1*grad[k]
"""

#: What stands in one round is a part of the elbo, and no loss of its own.
ELBO = """
import math
eps_all = [0.3, -1.1]
mu, log_sigma = 0.2, -0.5
x_obs, y_obs = 1.5, 2.0
elbo = 0.0
d_mu = 0.0
d_log_sigma = 0.0
sigma = math.exp(log_sigma)
for eps in eps_all:
    w = mu + sigma*eps
    err = y_obs - w*x_obs
    log_lik = -0.5*err**2
    log_prior = -0.5*w**2
    elbo += (log_lik + log_prior)/2
    dw = err*x_obs - w
    d_mu += dw/2
    d_log_sigma += dw*eps*sigma/2
elbo += log_sigma
d_log_sigma += 1.0
print(elbo, d_mu, d_log_sigma)
"""

OPTION = """
from math import log, sqrt, exp, erf, pi
def N(x):
    return 0.5*(1 + erf(x/sqrt(2)))
def n(x):
    return exp(-x*x/2)/sqrt(2*pi)
S0, K, r, sigma, T = 105.0, 100.0, 0.02, 0.3, 0.75
d1 = (log(S0/K) + (r + sigma**2/2)*T)/(sigma*sqrt(T))
d2 = d1 - sigma*sqrt(T)
put = K*exp(-r*T)*N(-d2) - S0*N(-d1)
delta = -N(-d1)
gamma = n(d1)/(S0*sigma*sqrt(T))
vega = S0*n(d1)*sqrt(T)
rho = -K*T*exp(-r*T)*N(-d2)
print(put, delta, gamma, vega, rho)
"""

#: A function's da is that of the function, whatever the a is that it is called with.
INNER = """
import math
def f(a, b):
    return a*math.exp(-b)
def df(a, b):
    da = math.exp(-b)
    db = -a*math.exp(-b)
    return da, db
u, v, k = 1.2, 0.4, 3.0
z = f(u, v)
loss = k*z**2
du_local, dv_local = df(u, v)
dz = 2*k*z
du = dz*du_local
dv = dz*dv_local
print(du, dv)
"""

#: dx and dy are small changes here, and df is what comes of them.
CHANGES = """
import math
x, y = 0.7, 1.2
f = x**2*math.sin(y)
df_dx = 2*x*math.sin(y)
df_dy = x**2*math.cos(y)
dx, dy = 0.01*y, -0.02
df = df_dx*dx + df_dy*dy
print(f, df)
"""


@pytest.mark.parametrize(
    "source", [FILTER, LORENZ, HIDDEN, ACID, CAUCHY, ROSENBROCK, HERMITE, DOSE, POISSON, STRENGTHS, INNER, ELBO, OPTION]
)
def test_right_work_is_right(source: str) -> None:
    passes(source)


@pytest.mark.parametrize(
    ("source", "right", "slip", "mistake"),
    [
        (FILTER, "K_q*v + K*v_q", "K_q*v", ""),
        (FILTER, "P_q = P_q + 1.0", "P_q = P_q + q", "wrong-formula"),
        (LORENZ, "x*(1 - zr) - yr", "x*zr - yr", ""),
        (ACID, "(-1 + ddisc_dKa)/2", "ddisc_dKa/2", "missing-term"),
        (CAUCHY, "(2*u*u - 2)/(1 + u*u)**2", "(2 - 2*u*u)/(1 + u*u)**2", "sign"),
        (CAUCHY, "(2*u*u - 2)/(1 + u*u)**2", "(2*u*u - 2)/(1 + u*u)", "missing-factor"),
        (ROSENBROCK, "gx = -2*", "gx = 2*", "sign"),
        (ROSENBROCK, "hxy = -400*x", "hxy = -200*x", "scale"),
        (HERMITE, "- 4*t + 1", "- 4*t", "missing-term"),
        (HERMITE, "ddh00 = 12*t - 6", "ddh00 = 12*t", "missing-term"),
        (COX, "score -= s1 / s0", "score -= s1", "missing-factor"),
        (COX, "score += x[i]", "score = x[i]", "lost-accumulation"),
        (DOSE, "2 * r * q / (1 + q)", "2 * r / (1 + q)", "missing-factor"),
        (KINETICS, "Km -= lr*grad_Km", "Km -= lr*grad_Vmax", "wrong-variable"),
        (POISSON, "g1 += (mu - yi)*xi", "g1 += (mu - yi)", "missing-factor"),
        (CES, "MPL = dY_dinner*dinner_dL", "MPL = dY_dinner*dinner_dK", "wrong-variable"),
        (CHANGES, "df_dy = x**2", "df_dy = -x**2", "sign"),
        (ELBO, "err*x_obs - w", "err*x_obs + w", "sign"),
        (OPTION, "delta = -N(-d1)", "delta = N(d1)", "missing-term"),
        (OPTION, "n(d1)*sqrt(T)", "n(d1)*T", ""),
        (OPTION, "rho = -K", "rho = K", "sign"),
        (STRENGTHS, "grad[win] += 1 - p", "grad[win] += p", "missing-term"),
        (STRENGTHS, "grad[lose] -= 1 - p", "grad[lose] += 1 - p", "sign"),
    ],
)
def test_a_slip_is_found_in_its_line(source: str, right: str, slip: str, mistake: str) -> None:
    found(source, right, slip, mistake)


def test_small_changes_are_no_gradients() -> None:
    report = symgrad.check(CHANGES)
    assert report.ok, report.explain()
    assert report.confirmed == ("df_dx", "df_dy")


def test_a_derivative_by_what_has_no_name_is_nothing_that_is_asked_for() -> None:
    # With the wrong sign it is the derivative by the -r in the exponent.
    report = symgrad.check("""
import math
K, r, T = 100.0, 0.02, 0.75
price = K*math.exp(-r*T)
strike = math.exp(-r*T)
rho = K*T*math.exp(-r*T)
print(price, strike, rho)
""")
    assert "rho" not in report.confirmed, report.explain()


def test_the_vega_of_one_percent_is_not_wrong() -> None:
    report = symgrad.check(OPTION.replace("n(d1)*sqrt(T)", "n(d1)*sqrt(T)/100"))
    assert report.ok, report.explain()
    assert {"delta", "rho"} <= set(report.confirmed)


def test_what_is_wrong_because_of_what_is_not_believed_is_said_to_be_open() -> None:
    source = """
import numpy as np
ret = np.array([0.5, -1.2, 0.3, 0.9])
omega, beta = 0.1, 0.8
h = np.var(ret)
dh_domega = dh_dbeta = 0.0
nll = 0.0
g_omega = g_beta = 0.0
for t in range(1, len(ret)):
    dh_domega = 1
    dh_dbeta = h + beta * dh_dbeta
    h = omega + beta * h
    nll += 0.5 * (np.log(h) + ret[t]**2 / h)
    dl_dh = 0.5 * (1 / h - ret[t]**2 / h**2)
    g_omega += dl_dh * dh_domega
    g_beta += dl_dh * dh_dbeta
"""
    report = symgrad.check(source)
    blamed = {f.span.line for f in report.findings if f.root and f.span}
    _, _, still_open = report.explain().partition("not checked")
    assert blamed == {10} or "`g_omega`" in still_open, report.explain()


def test_a_name_that_ends_in_what_it_is_by_takes_several_of_its_kind() -> None:
    made = {"x", "y", "x_r", "y_r", "cost_t"}
    assert subscripted(["x_r", "y_r"], ["r"], made) == {"x_r": Claim("x", "r"), "y_r": Claim("y", "r")}
    assert subscripted(["x_r"], ["r"], made) == {}
    assert subscripted(["cost_t", "x_r"], ["r", "t"], made) == {}
