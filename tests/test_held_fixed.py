"""Partial derivatives that hold fixed what is made of the others, roots that a library finds, and derivatives of arrays
that the script holds against its own difference quotients."""

import pytest

import symgrad

POWER = """V, sV = 5.03, 0.02
I, sI = 0.0123, 0.0002
R = V / I
dRdV = 1 / I
dRdI = -V / I**2
sR = ((dRdV * sV)**2 + (dRdI * sI)**2)**0.5
P = V**2 / R
dPdV = 2 * V / R
dPdR = -V**2 / R**2
sP = ((dPdV * sV)**2 + (dPdR * sR)**2)**0.5
print(P, sP)
"""

OBJECTIVE = """import numpy as np

def log_loss(score, labels):
    p = 1 / (1 + np.exp(-score))
    return -(labels * np.log(p) + (1 - labels) * np.log(1 - p))

def objective(score, labels):
    p = 1 / (1 + np.exp(-score))
    grad = p - labels
    return grad, p * (1 - p)

labels = np.array([0., 1., 1., 0., 1.])
score = np.array([-0.3, 0.8, -1.2, 0.4, 2.0])
grad, hess = objective(score, labels)
eps = 1e-5
num = (log_loss(score + eps, labels) - log_loss(score - eps, labels)) / (2 * eps)
print(np.allclose(grad, num))
"""

ROOT = """import numpy as np
from scipy.optimize import brentq

def f(y, x):
    return y + np.exp(y) - x

x0 = 2.0
y0 = brentq(lambda y: f(y, x0), -5, 5)
df_dy = 1 + np.exp(y0)
df_dx = -1.0
dy_dx = -df_dx / df_dy
print(dy_dx)
"""


def _lines(source: str) -> set[int]:
    return {f.line for f in symgrad.check(source).findings if f.root}


@pytest.mark.parametrize("source", [POWER, OBJECTIVE, ROOT])
def test_right_work_is_right(source: str) -> None:
    report = symgrad.check(source)
    assert report.ok
    assert not report.findings


@pytest.mark.parametrize(
    ("right", "wrong", "line"),
    [
        ("dPdV = 2 * V / R", "dPdV = V / R", 8),
        ("dPdR = -V**2 / R**2", "dPdR = -V / R**2", 9),
        ("dRdI = -V / I**2", "dRdI = V / I", 5),
    ],
)
def test_what_is_made_of_another_is_held_fixed_in_propagated_errors(right: str, wrong: str, line: int) -> None:
    assert _lines(POWER.replace(right, wrong)) == {line}


def test_a_path_that_is_left_out_is_still_a_mistake() -> None:
    source = "x, w = 1.3, 0.7\nh = x*w\nL = x*h\ndL_dh = x\ndL_dx = h\nprint(dL_dx)\n"
    assert _lines(source) == {5}


@pytest.mark.parametrize("wrong", ["labels - p", "(p - labels) * p * (1 - p)"])
def test_what_is_compared_with_difference_quotients_entry_by_entry_is_judged(wrong: str) -> None:
    assert _lines(OBJECTIVE.replace("grad = p - labels", f"grad = {wrong}")) == {9}


def test_infinities_in_a_table_end_no_check() -> None:
    source = (
        "import numpy as np\nR = np.full((3, 3), np.inf)\nR[0, 0] = 0.0\nx = np.array([0.3, -0.4])\n"
        "for i in range(1, 3):\n    R[i, i] = R[i-1, i-1] + x[i-1]**2\nloss = R[2, 2]\ndx = 2*x\nprint(dx)\n"
    )
    assert symgrad.check(source).ok
