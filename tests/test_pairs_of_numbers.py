"""Two slips in lines of numbers that are easily explained as one, or not at all; lines that pass for something else.

Each row: a derivation of the benchmark, what is written in it instead of what, and the lines that are to be told.
"""

from __future__ import annotations

import pytest

from symgrad.manual import check_source
from tests.benchmarks.corpus import corpus


@pytest.mark.parametrize(
    ("name", "slips", "lines"),
    [
        # One term too many in the last line would make up for both.
        ("fan_out", {"dx += dq * math.cos(x)": "dx += 2 * (dq * math.cos(x))",
                     "dx += dr / (x + y)": "dx += 2 * (dr / (x + y))"}, {24, 25}),
        ("gaussian_nll", {"dr1 * -(x1 - mu)": "dr1 * -(x1)", "dr2 * -(x2 - mu)": "-dr2 * -(x2 - mu)"}, {21, 22}),
        # Of the two ways to make dz something true, one is its gradient.
        ("adam_step", {"dz = dh *": "dz = dphi *", "dz * x + 0.1 * 2 * theta": "dz * x"}, {22, 23}),
        # No result is made of what the first line works out.
        ("deep_loop_tanh", {"g = g * (1": "g = w * (1", "append(g * acts": "append(w * acts"}, {19, 20}),
        ("window_mean", {"- data[k])\n    alpha": "+ data[k])\n    alpha",
                         "alpha_bar += s_bar * (data[k] - s[k])": "pass"}, {17, 20}),
        # Neither is right alone, and one of them is a function.
        ("implicit_root", {"F_a = math.sin(y)": "F_a = y", "dy_da = -F_a / F_y": "dy_da = -(-F_a / F_y)"}, {16, 18}),
        # What is called after an input, and goes on to another one, is no gradient of a prediction.
        ("kalman_gain", {"R_bar = S_bar": "R_bar = P_bar", "/ S + 0.5 *": "/ S - 0.5 *"}, {24, 26}),
        # That of the first value that a loop gives x, and not of the last.
        ("fixed_point", {"dx_db = 1 / g_x": "dx_db = 1"}, {20}),
        # A sum that begins with a parameter moves no parameter.
        ("torch_check", {"dx = du * w.item()": "dx = w.item()"}, {21}),
        ("elo_ratings", {"grad[black] -= surprise": "grad[black] = surprise"}, {27}),
    ],
)  # fmt: skip
def test_every_slip_is_told_in_its_line(name: str, slips: dict[str, str], lines: set[int]) -> None:
    (derivation,) = (d for d in corpus() if d.name == name)
    source = derivation.source
    for right, wrong in slips.items():
        assert source.count(right) == 1, right
        source = source.replace(right, wrong)
    report = check_source(source, filename="derivation.py", sandbox=False)
    assert {f.line for f in report.findings if f.root} == lines, report.explain()


#: Horner's rule, and its derivative, which goes through the rule once more.
HORNER = """\
coeffs = [0.5, -1.2, 0.3, 2.0]
x = 0.7
y = 0.0
for c in reversed(coeffs):
    y = y * x + c
acc, dacc = 0.0, 0.0
for c in reversed(coeffs):
    dacc = dacc * x + acc
    acc = acc * x + c
dy_dx = dacc
print(dy_dx)
"""

#: A state that the derivatives have another name for.
DRIVEN = """\
from math import cos, sin
v, turn, dt = 1.3, 0.25, 0.3
x, y, heading = 0.2, -0.1, 0.4
path = []
for _ in range(4):
    path.append(heading)
    x = x + v * cos(heading) * dt
    y = y + v * sin(heading) * dt
    heading = heading + turn * v * dt
dx_dv = dy_dv = dth_dv = 0.0
for th_k in path:
    dx_dv += (cos(th_k) - v * sin(th_k) * dth_dv) * dt
    dy_dv += (sin(th_k) + v * cos(th_k) * dth_dv) * dt
    dth_dv += turn * dt
print(dx_dv, dy_dv, dth_dv)
"""


@pytest.mark.parametrize("source", [HORNER, DRIVEN], ids=["gone through again", "another name of a state"])
def test_right_work_is_not_blamed(source: str) -> None:
    report = check_source(source, sandbox=False)
    assert report.ok, report.explain()
    wrong = source.replace("x + acc", "x + c").replace("dth_dv) * dt", "dth_dv) / dt")
    assert not check_source(wrong, sandbox=False).ok


def test_an_option_is_known_by_what_its_delta_and_its_vega_are_made_of() -> None:
    source = """\
import math
S, K, r, sigma, T = 100.0, 95.0, 0.03, 0.25, 0.75
def Phi(x):
    return 0.5 * (1 + math.erf(x / math.sqrt(2)))
def phi(x):
    return math.exp(-x * x / 2) / math.sqrt(2 * math.pi)
d1 = (math.log(S / K) + (r + sigma ** 2 / 2) * T) / (sigma * math.sqrt(T))
d2 = d1 - sigma * math.sqrt(T)
price = S * Phi(d1) - K * math.exp(-r * T) * Phi(d2)
dd1_dS = 1 / (S * sigma * math.sqrt(T))
delta = Phi(d1) + S * phi(d1) * dd1_dS + K * math.exp(-r * T) * phi(d2) * dd1_dS
dd1_dsigma = math.sqrt(T) - d1 / sigma
dd2_dsigma = dd1_dsigma - math.sqrt(T)
vega = S * d1 * dd1_dsigma - K * math.exp(-r * T) * phi(d2) * dd2_dsigma
print(delta, vega)
"""
    report = check_source(source, sandbox=False)
    assert {f.line for f in report.findings if f.root} == {11, 14}, report.explain()


#: An adjoint that is carried from one step to the one before, both states in one line.
EPIDEMIC = """\
beta, gamma, dt = 0.5, 0.2, 0.5
S, I = 0.95, 0.05
path = []
for _ in range(3):
    path.append((S, I))
    new = beta * S * I * dt
    rec = gamma * I * dt
    S, I = S - new, I + new - rec
J = I ** 2
lS, lI = 0.0, 2 * I
g_beta = g_gamma = 0.0
for S_n, I_n in reversed(path):
    g_beta += (lI - lS) * S_n * I_n * dt
    g_gamma += -lI * I_n * dt
    lS, lI = lS + (lI - lS) * beta * I_n * dt, lI + (lI - lS) * beta * S_n * dt - lI * gamma * dt
print(g_beta, g_gamma)
"""

#: A derivative by the first of what a loop goes through.
COSTS = """\
prices, qty, alpha = [3.0, 4.5], [10.0, 3.0], 0.85
cost = 0.0
for p, q in zip(prices, qty):
    cost += p * q ** alpha
dcost_dq0 = prices[0] * alpha * qty[0] ** (alpha - 1)
print(cost, dcost_dq0)
"""


@pytest.mark.parametrize(
    ("source", "right", "slip", "line"),
    [(EPIDEMIC, " - lI * gamma * dt", "", 15), (COSTS, "** (alpha - 1)", "** alpha", 5)],
    ids=["a term of what is carried", "by the first"],
)
def test_one_slip_is_told_alone(source: str, right: str, slip: str, line: int) -> None:
    assert check_source(source, sandbox=False).ok
    report = check_source(source.replace(right, slip), sandbox=False)
    assert [f.line for f in report.findings if f.root] == [line], report.explain()
