"""Derivations in other fields' ways of writing, each a false alarm, a wrong "right" or silence when first seen."""

from __future__ import annotations

import pytest

import symgrad
from tests.slips import found, passes

#: The polynomial and its derivative from one function; each round of Newton's method begins with what the last gave.
HORNER = """
def horner(c, x):
    p = c[0]
    dp = 0.0
    for a in c[1:]:
        dp = dp*x + p
        p = p*x + a
    return p, dp
x = 1.9
for _ in range(3):
    p, dp = horner([2.0, -3.0, 0.5, -1.2], x)
    x = x - p/dp
print(x)
"""

#: Both functions add up a total, from a zero of their own.
RETURNS = """
cash = [-900.0, 250.0, 420.0, 510.0]
def npv(rate):
    total = 0.0
    for t, c in enumerate(cash):
        total += c/(1 + rate)**t
    return total
def dnpv(rate):
    total = 0.0
    for t, c in enumerate(cash):
        total += -t*c/(1 + rate)**(t + 1)
    return total
rate = 0.1
for i in range(3):
    rate = rate - npv(rate)/dnpv(rate)
print(rate)
"""

#: Both functions begin with the same e, and it is that of each round.
RESIDUALS = """
y = [0.3, -0.7, 1.2, 0.4]
def css(theta):
    e, s = 0.0, 0.0
    for v in y:
        e = v - theta*e
        s += e**2
    return s
def css_grad(theta):
    e, de, g = 0.0, 0.0, 0.0
    for v in y:
        de = -e - theta*de
        e = v - theta*e
        g += 2*e*de
    return g
theta = 0.45
for it in range(4):
    theta -= 0.02*css_grad(theta)
    print(it, css(theta))
"""

#: Of a chain each derivative is by what stands next to it.
PRIMES = """
import math
x = 0.8
h = x**2 + 1
g = math.log(h)
f = math.sin(g)
y = f
h_prime = 2*x
g_prime = 1/h
f_prime = math.cos(g)
y_prime = f_prime*g_prime*h_prime
"""

#: De is a depth, and no derivative by e.
DEPTH = """
import numpy as np
De, a, re = 4.75, 1.93, 0.741
def V(r):
    return De*(1 - np.exp(-a*(r - re)))**2
def force(r):
    e = np.exp(-a*(r - re))
    return -2*De*a*e*(1 - e)
h = 1e-4
print(force(0.9), -(V(0.9 + h) - V(0.9 - h))/(2*h))
"""

#: Two results, and names that join what they are of and by.
UTILITY = """
mu1, mu2, rf, s1, s2, A = 0.09, 0.13, 0.03, 0.18, 0.27, 3.2
w1, w2 = 0.4, 0.3
var = w1**2*s1**2 + w2**2*s2**2
U = w1*mu1 + w2*mu2 + (1 - w1 - w2)*rf - 0.5*A*var
dvar_w1 = 2*w1*s1**2
dvar_w2 = 2*w2*s2**2
dU_w1 = mu1 - rf - 0.5*A*dvar_w1
dU_w2 = mu2 - rf - 0.5*A*dvar_w2
sd = var**0.5
dsd_w1 = dvar_w1/(2*sd)
"""

#: What is made of the derivatives is no function that they are derivatives of.
UNCERTAINTY = """
import math
l, sigma_l, T, sigma_T = 1.203, 0.002, 2.201, 0.005
g = 4*math.pi**2*l/T**2
dg_dl = 4*math.pi**2/T**2
dg_dT = -8*math.pi**2*l/T**3
sigma_g = math.sqrt((dg_dl*sigma_l)**2 + (dg_dT*sigma_T)**2)
"""

#: Newton's dots.
PISTON = """
from math import sin, cos, sqrt
r, l, w, t = 0.05, 0.16, 30.0, 0.021
phi = w*t
phi_dot = w
root = sqrt(l**2 - (r*sin(phi))**2)
x = r*cos(phi) + root
root_dot = -r**2*sin(phi)*cos(phi)*phi_dot/root
x_dot = -r*sin(phi)*phi_dot + root_dot
"""

#: The parameters are moved one by one, in a comprehension; the likelihood is only printed.
PROBIT = """
import math
X, y, beta = [(1.0, 0.3), (1.0, -1.1), (1.0, 0.8)], [1, 0, 0], [0.2, 0.5]
def Phi(z):
    return 0.5*(1 + math.erf(z/math.sqrt(2)))
def negloglik(beta):
    total = 0.0
    for (x0, x1), yi in zip(X, y):
        p = Phi(beta[0]*x0 + beta[1]*x1)
        total -= yi*math.log(p) + (1 - yi)*math.log(1 - p)
    return total
def gradient(beta):
    g0, g1 = 0.0, 0.0
    for (x0, x1), yi in zip(X, y):
        z = beta[0]*x0 + beta[1]*x1
        c = -(yi - Phi(z))*math.exp(-0.5*z*z)/math.sqrt(2*math.pi)/(Phi(z)*(1 - Phi(z)))
        g0 += c*x0
        g1 += c*x1
    return [g0, g1]
for k in range(3):
    g = gradient(beta)
    beta = [bj - 0.1*gj for bj, gj in zip(beta, g)]
    print(k, negloglik(beta), beta)
"""

#: score_c is the gradient by beta_c, as score_t is that by beta_t.
CHOICES = """
import numpy as np
cost = np.array([[2.0, 3.5, 1.2], [1.1, 0.9, 2.8]])
time = np.array([[0.5, 0.3, 0.9], [1.2, 1.4, 0.4]])
beta_c, beta_t = -0.4, -0.8
loglik = 0.0
score_c, score_t = 0.0, 0.0
for n, chosen in enumerate([0, 2]):
    ev = np.exp(beta_c*cost[n] + beta_t*time[n])
    p = ev/np.sum(ev)
    loglik += np.log(p[chosen])
    score_c += cost[n, chosen] - np.sum(p*cost[n])
    score_t += time[n, chosen] - np.sum(p*time[n])
"""

#: Of the samples, many a number is 0 or 1, as many a derivative is.
XOR = """
import math
data = [((0, 0), 0), ((0, 1), 1), ((1, 0), 1)]
sigm = lambda v: 1/(1 + math.exp(-v))
w = [0.3, -0.4, 0.2, 0.7, 0.1]
for epoch in range(2):
    E = 0.0
    dE = [0.0]*5
    for (x1, x2), t in data:
        h = sigm(w[0]*x1 + w[1]*x2 + w[2])
        o = sigm(w[3]*h + w[4])
        E += 0.5*(o - t)**2
        delta_o = (o - t)*o*(1 - o)
        delta_h = delta_o*w[3]*h*(1 - h)
        dE[0] += delta_h*x1
        dE[1] += delta_h*x2
        dE[2] += delta_h
        dE[3] += delta_o*h
        dE[4] += delta_o
    w = [wi - 0.5*gi for wi, gi in zip(w, dE)]
    print(epoch, E)
"""

#: What is moved tells by which of its inputs it is differentiated.
POSTERIOR = """
import math
n, k, a, b, eta = 20, 13, 2.5, 3.5, 0.1
for it in range(3):
    p = 1/(1 + math.exp(-eta))
    logpost = (k + a - 1)*math.log(p) + (n - k + b - 1)*math.log(1 - p)
    dlogpost = (k + a - 1)*(1 - p) - (n - k + b - 1)*p
    d2logpost = -(n + a + b - 2)*p*(1 - p)
    eta = eta - dlogpost/d2logpost
    print(it, eta)
"""

#: The adjoint of a loop: lam begins with a value of it, and is no parameter.
ADJOINT = """
import math
theta, omega, dt = [0.7], [0.1], 0.02
damp = 0.35
for i in range(3):
    theta.append(theta[i] + dt*omega[i])
    omega.append(omega[i] + dt*(-9.0*math.sin(theta[i]) - damp*omega[i]))
J = 0.5*theta[-1]**2 + 0.5*omega[-1]**2
lam = theta[-1]
mu = omega[-1]
dJ_ddamp = 0.0
for i in reversed(range(3)):
    dJ_ddamp += mu*dt*(-omega[i])
    lam_old = lam
    lam = lam - mu*dt*9.0*math.cos(theta[i])
    mu = mu*(1 - dt*damp) + lam_old*dt
dJ_dtheta0 = lam
dJ_domega0 = mu
"""

#: The d of a dose is no gradient, and S_top says of what it is one.
DOSES = """
S, S_top, S_hill = 0.0, 0.0, 0.0
top, hill = 0.95, 1.1
for d, r in zip([0.1, 1.0, 3.0], [0.2, 0.6, 0.9]):
    q = d*hill/(1 + d*hill)
    res = top*q - r
    S += res**2
    S_top += 2*res*q
    S_hill += 2*res*top*d/(1 + d*hill)**2
print(S, S_top, S_hill)
"""

#: The loss is only printed; one of the two gradients is right for it.
PRINTED = """
pairs = [(0.5, 1.9), (1.5, 3.6), (-0.4, 0.3)]
def cost(w, b):
    return sum((w*x + b - y)**2 for x, y in pairs)/3
w, b = 0.8, 0.2
for epoch in range(3):
    gw = gb = 0.0
    for x, y in pairs:
        err = w*x + b - y
        gw += 2*err*x/3
        gb += 2*err/3
    w, b = w - 0.1*gw, b - 0.1*gb
    print(epoch, cost(w, b))
"""

#: The gradients of a list are in the order of the parameters, and so are the lines that move these.
ORDERED = """
import math
price, qty = [1.0, 1.5, 2.0, 2.5], [5.1, 3.9, 3.2, 2.2]
def rss(theta):
    c, b, d = theta
    return sum((math.log(q) - c - b*math.log(p) - d*p)**2 for p, q in zip(price, qty))
def rss_gradient(theta):
    c, b, d = theta
    g = [0.0, 0.0, 0.0]
    for p, q in zip(price, qty):
        u = math.log(q) - c - b*math.log(p) - d*p
        g[0] -= 2*u
        g[1] -= 2*u*math.log(p)
        g[2] -= 2*u*p
    return g
theta = [1.0, -0.5, 0.2]
for it in range(2):
    theta = [t - 0.02*g for t, g in zip(theta, rss_gradient(theta))]
    print(rss(theta))
"""

RIGHT = [
    HORNER, RETURNS, RESIDUALS, PRIMES, DEPTH, UTILITY, UNCERTAINTY, PISTON, PROBIT, CHOICES, XOR, POSTERIOR, ADJOINT,
    DOSES, PRINTED, ORDERED,
]  # fmt: skip


@pytest.mark.parametrize("source", RIGHT)
def test_right_work_is_right(source: str) -> None:
    passes(source)


@pytest.mark.parametrize(
    ("source", "right", "slip", "mistake"),
    [
        (HORNER, "dp = dp*x + p", "dp = dp*x + a", ""),
        (RETURNS, "-t*c/(1 + rate)**(t + 1)", "t*c/(1 + rate)**(t + 1)", "sign"),
        (RESIDUALS, "g += 2*e*de", "g += e*de", ""),
        (PRIMES, "g_prime = 1/h", "g_prime = 1/x", ""),
        (DEPTH, "-2*De*a*e*(1 - e)", "-2*De*e*(1 - e)", "missing-factor"),
        (UTILITY, "dU_w1 = mu1 - rf - ", "dU_w1 = mu1 - ", "missing-term"),
        (UNCERTAINTY, "-8*math.pi", "8*math.pi", "sign"),
        (PISTON, "cos(phi)*phi_dot/root", "cos(phi)/root", "missing-factor"),
        (PROBIT, "g1 += c*x1", "g1 += c*x0", "wrong-variable"),
        (CHOICES, "np.sum(p*time[n])", "np.sum(p*cost[n])", "wrong-variable"),
        (XOR, "(o - t)*o*(1 - o)", "(o - t)", "missing-factor"),
        (POSTERIOR, "- (n - k + b - 1)*p", "+ (n - k + b - 1)*p", "sign"),
        (ADJOINT, "math.cos(theta[i])", "math.sin(theta[i])", ""),
        (ORDERED, "g[1] -= 2*u*math.log(p)", "g[1] -= 2*u*p**2", ""),
        (DOSES, "S_top += 2*res*q", "S_top += 2*res", "missing-factor"),
    ],
)
def test_a_slip_is_found_in_its_line(source: str, right: str, slip: str, mistake: str) -> None:
    found(source, right, slip, mistake)


def test_of_two_gradients_the_loss_tells_which_is_off() -> None:
    """Half of the loss would have the other one wrong."""
    report = symgrad.check(PRINTED.replace("gw += 2*err*x", "gw += err*x"))
    assert {f.span.line for f in report.findings if f.root and f.span} == {10}, report.explain()
