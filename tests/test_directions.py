"""Derivatives carried along a direction that is worked out, or handed over; those of functions of other parameters."""

from __future__ import annotations

import pytest

from symgrad.manual import check_source

#: By p, which is no input.
PENDULUM = """
import math
g, L = 9.81, 1.3
th0, h = 0.5, 0.05

def slope(state, p):
    th, om = state
    return om, -p * math.sin(th)

def slope_tangent(state, dstate, p, dp):
    th, om = state
    dth, dom = dstate
    return dom, -dp * math.sin(th) - p * math.cos(th) * dth

p = g / L
st, dst = (th0, 0.0), (0.0, 0.0)
for _ in range(4):
    k, dk = slope(st, p), slope_tangent(st, dst, p, 1.0)
    st = (st[0] + h * k[0], st[1] + h * k[1])
    dst = (dst[0] + h * dk[0], dst[1] + h * dk[1])
miss = (st[0] - 0.45) ** 2
dmiss_dp = 2 * (st[0] - 0.45) * dst[0]
dmiss_dg = dmiss_dp / L
print(miss, dmiss_dg)
"""

#: The function is given 1 for the one input and 0 for the other.
ROCKET = """
thrust, drag, dt = 2.2, 0.3, 0.2

def run(dthrust, ddrag):
    pos, vel, dpos, dvel = 0.0, 0.5, 0.0, 0.0
    for _ in range(4):
        dacc = dthrust - ddrag * vel * vel - 2 * drag * vel * dvel
        dpos, dvel = dpos + dt * dvel, dvel + dt * dacc
        pos, vel = pos + dt * vel, vel + dt * (thrust - drag * vel * vel)
    fuel = pos * pos + 0.5 * vel
    dfuel = 2 * pos * dpos + 0.5 * dvel
    return fuel, dfuel

fuel, dfuel_dthrust = run(1.0, 0.0)
_, dfuel_ddrag = run(0.0, 1.0)
print(fuel, dfuel_dthrust, dfuel_ddrag)
"""

#: The parameters have other names than what is handed over for them.
WEIBULL = """
import math
times = [0.7, 1.9, 2.4]
shape, scale = 1.4, 1.8

def loglik(k, lam):
    total = 0.0
    for t in times:
        total += math.log(k) - k * math.log(lam) + (k - 1) * math.log(t) - (t / lam) ** k
    return total

def score(k, lam):
    dk = 0.0
    dlam = 0.0
    for t in times:
        u = t / lam
        dk += 1 / k - math.log(lam) + math.log(t) - u**k * math.log(u)
        dlam += -k / lam + k / lam * u**k
    return dk, dlam

ll = loglik(shape, scale)
print(ll, score(shape, scale))
"""

HORNER = """
coeffs, x0 = [1.5, -0.7, 0.4, 2.1], 0.8

class Poly:
    def __call__(self, x):
        v = 0.0
        for a in coeffs:
            v = v * x + a
        return v

    def derivative(self, x):
        v, dv = 0.0, 0.0
        for a in coeffs:
            dv = dv * x + v
            v = v * x + a
        return dv

poly = Poly()
px = poly(x0)
dp = poly.derivative(x0)
print(px, dp)
"""

NAMED = """
p = {"a": 0.5, "b": -0.3, "c": 0.8}
x = 0.7
loss = 0.5 * (p["a"] * x * x + p["b"] * x + p["c"] - 1.0) ** 2
grads = {name: 0.0 for name in p}
dy = p["a"] * x * x + p["b"] * x + p["c"] - 1.0
grads["a"] += dy * x * x
grads["b"] += dy * x
grads["c"] += dy
print(loss, grads)
"""

#: ``w_lr`` is w by lr, as ``w_mu`` is w by mu; the velocity is cut short.
MOMENTUM = """
lr, mu, c = 0.1, 0.6, 3.0
w, vel = 1.5, 0.0
w_lr, v_lr, w_mu, v_mu = 0.0, 0.0, 0.0, 0.0
for step in range(5):
    g = c * w
    v_lr = mu * v_lr - g - lr * c * w_lr
    v_mu = vel + mu * v_mu - lr * c * w_mu
    vel = mu * vel - lr * g
    w_lr = w_lr + v_lr
    w_mu = w_mu + v_mu
    w = w + vel
final = 0.5 * c * w**2
dfinal_dlr = c * w * w_lr
dfinal_dmu = c * w * w_mu
print(final, dfinal_dlr, dfinal_dmu)
"""


@pytest.mark.parametrize("source", [PENDULUM, ROCKET, WEIBULL, HORNER, NAMED, MOMENTUM])
def test_what_is_right_is_left_alone(source: str) -> None:
    report = check_source(source, sandbox=False)
    assert not report.findings, report.explain()
    assert report.ok


@pytest.mark.parametrize(
    ("source", "slips", "where"),
    [
        (PENDULUM, [("math.cos(th) * dth", "math.cos(th)")], ["    return dom, -dp"]),
        (PENDULUM, [("dmiss_dp / L", "dmiss_dp")], ["dmiss_dg ="]),
        (ROCKET, [("- 2 * drag * vel * dvel", "- drag * vel * dvel")], ["        dacc ="]),
        (WEIBULL, [("        dk += 1", "        1")], ["    dk = 0.0"]),
        (WEIBULL, [("dk += 1 / k", "dk += 1 * k"), ("+= -k / lam", "+= k / lam")], ["        dk", "        dlam"]),
        (HORNER, [("dv = dv * x + v", "dv = v")], ["            dv ="]),
        (NAMED, [('grads["c"] += dy', "")], ["grads = "]),
        (MOMENTUM, [("mu * v_lr - g", "mu * v_lr + g")], ["    v_lr ="]),
        (MOMENTUM, [("w_lr + v_lr", "w_lr + v_lr + v_lr")], ["    w_lr ="]),
    ],
)
def test_slips_are_told_at_their_lines(source: str, slips: list[tuple[str, str]], where: list[str]) -> None:
    for right, wrong in slips:
        assert source.count(right) == 1
        source = source.replace(right, wrong)
    report = check_source(source, sandbox=False)
    lines = source.split("\n")
    wanted = [n for n, line in enumerate(lines, 1) if any(line.startswith(w) for w in where)]
    assert [f.line for f in report.findings if f.root] == wanted, report.explain()


def test_a_fix_is_verified_where_what_is_made_of_it_says_nothing() -> None:
    source = """
x, y, q, s = 1.2, 0.7, 0.5, 0.8
r = (x * x + y * y) ** 0.5
U_c = q / r
U_s = s * r**3
U = U_c + U_s
dUc_dr = q / r**2
dUs_dr = 3 * s * r**2
dU_dr = dUc_dr + dUs_dr
fx = -dU_dr * x / r
fy = -dU_dr * y / r
print(U, fx, fy)
"""
    (finding,) = check_source(source, sandbox=False).findings
    assert (finding.line, finding.fix, finding.fix_verified) == (7, "-q / r**2", True)
