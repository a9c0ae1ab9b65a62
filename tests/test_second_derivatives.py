"""Second derivatives by their names: of numbers and arrays, as values and as functions."""

from __future__ import annotations

import pytest

import symgrad
from symgrad.diagnose.text.seconds import Second, is_first_of, seconds
from tests.slips import found, passes

ARRAYS = """
import numpy as np
x = np.linspace(0.5, 2, 7)
y = np.log(x) / x
dydx = (1 - np.log(x)) / x**2
d2ydx2 = (2*np.log(x) - 3) / x**3
print(dydx, d2ydx2)
"""

FUNCTIONS = """
import numpy as np
def f(x):
    return x * np.exp(-x)
def f_prime(x):
    return (1 - x) * np.exp(-x)
def f_double_prime(x):
    return (x - 2) * np.exp(-x)
x = np.array([0.1, 0.7, 1.3])
print(f(x), f_prime(x), f_double_prime(x))
"""

NEWTON = """
def f(x):
    return x**4 - 3*x**3 + 2
def df(x):
    return 4*x**3 - 9*x**2
def d2f(x):
    return 12*x**2 - 18*x
x = 2.8
for i in range(5):
    x = x - df(x) / d2f(x)
print(x, f(x))
"""

MIXED = """
import math
x, y = 0.7, 1.3
f = x**2 * math.sin(y) + math.exp(x*y)
df_dx = 2*x*math.sin(y) + y*math.exp(x*y)
df_dy = x**2*math.cos(y) + x*math.exp(x*y)
d2f_dx2 = 2*math.sin(y) + y**2*math.exp(x*y)
d2f_dy2 = -x**2*math.sin(y) + x**2*math.exp(x*y)
d2f_dxdy = 2*x*math.cos(y) + math.exp(x*y) + x*y*math.exp(x*y)
print(d2f_dx2, d2f_dy2, d2f_dxdy)
"""


@pytest.mark.parametrize("source", [ARRAYS, FUNCTIONS, NEWTON, MIXED])
def test_right_ones_pass(source: str) -> None:
    passes(source)


@pytest.mark.parametrize(
    ("source", "right", "slip"),
    [
        (ARRAYS, "(2*np.log(x) - 3)", "(2*np.log(x) + 3)"),
        (FUNCTIONS, "(x - 2) *", "(x - 1) *"),
        (NEWTON, "12*x**2 - 18*x", "12*x**2 - 9*x"),
        (MIXED, "2*math.sin(y) +", "2*x*math.sin(y) +"),
        (MIXED, "-x**2*math.sin(y)", "x**2*math.sin(y)"),
        (MIXED, "+ math.exp(x*y) + x*y", "+ x*y"),
    ],
)
def test_a_slip_in_one_is_found(source: str, right: str, slip: str) -> None:
    found(source, right, slip, "")


def test_one_is_not_held_against_a_first_derivative_that_is_wrong() -> None:
    report = symgrad.check(NEWTON.replace("9*x**2", "9*x"))
    assert [f.span.line for f in report.findings if f.root and f.span] == [5], report.explain()
    assert any("d2f was not checked" in f.message for f in report.findings)


def test_a_hessian_diagonal_of_what_mixes_entries_is_left_open() -> None:
    # Row sums of the Hessian, not its diagonal, are the derivative of the sum of the gradient.
    report = symgrad.check(
        "import numpy as np\nx = np.array([0.3, 0.9, 1.7])\ny = x * np.sum(x**2)\n"
        "dy = np.sum(x**2) + 2*x*np.sum(x)\nd2y = 2*x + 4*x\n"
    )
    assert not [f for f in report.findings if f.root and f.span and f.span.line == 5], report.explain()


def test_the_names() -> None:
    assert seconds("d2y_dx2")[0] == Second("y", "x", "x")
    assert Second("f", "x", "y") in seconds("d2f_dxdy")
    assert Second("y") in seconds("ddy")
    assert Second("f") in seconds("f_double_prime")
    assert not seconds("delta")
    assert is_first_of("dy_dx", Second("y", "x", "x"))
    assert is_first_of("f_prime", Second("f"))
    assert not is_first_of("dy_dt", Second("y", "x", "x"))
