"""Scripts of numbers as people post them: each was blamed as it stands, or was told to be right with the slip in it."""

from __future__ import annotations

import pytest

import symgrad
from tests.slips import found, passes

#: What moves D has a name of its own, D2; and d_fake is D's opinion of fake, and no derivative.
GAN = """
import math
G, D, x, z = 0.5, -0.3, 1.2, 0.8
sig = lambda u: 1 / (1 + math.exp(-u))
fake = G * z
d_real = sig(D * x)
d_fake = sig(D * fake)
lossD = -math.log(d_real) - math.log(1 - d_fake)
dD = (d_real - 1) * x + d_fake * fake
D2 = D - 0.1 * dD
d_fake2 = sig(D2 * fake)
lossG = -math.log(d_fake2)
dG = (d_fake2 - 1) * D2 * z
G2 = G - 0.1 * dG
print(lossD, lossG, D2, G2)
"""

#: Horner's scheme begins with a zero that nothing is a function of; the derivative takes its numbers from the list.
HORNER = """
class Polynomial:
    def __init__(self, coeffs):
        self.coeffs = coeffs

    def __call__(self, x):
        result = 0.0
        for c in reversed(self.coeffs):
            result = result * x + c
        return result

    def derivative(self, x):
        result = 0.0
        for k in range(len(self.coeffs) - 1, 0, -1):
            result = result * x + k * self.coeffs[k]
        return result

poly = Polynomial([1.0, -2.0, 0.5, 3.0])

def f(x0):
    v = poly(x0)
    return v * v

def grad_f(x0):
    v = poly(x0)
    dv = poly.derivative(x0)
    return 2 * v * dv

print(f(1.4), grad_f(1.4))
"""

#: A root that a library finds has had no value before, and f is a function's name: still df_dy is that of f.
ROOT = """
import math
from scipy.optimize import brentq

def f(x, y):
    return y + math.exp(y) * x - 3.0

x = 0.7
y = brentq(lambda t: f(x, t), -5, 5)
df_dx = math.exp(y)
df_dy = 1 + math.exp(y) * x
dy_dx = -df_dx / df_dy
print(y, dy_dx)
"""

#: fsolve gives an array of one entry, whatever it begins with.
FSOLVE = """
import numpy as np
from scipy.optimize import fsolve

a, b = 2.0, 0.5

def F(y, x):
    return a * y + np.sin(y) - b * x**2

x = 1.5
y = fsolve(F, 1.0, args=(x,))[0]
dF_dy = a + np.cos(y)
dF_dx = -2 * b * x
dy_dx = -dF_dx / dF_dy
print(y, dy_dx)
"""

OUTSIDE = HORNER[: HORNER.index("def f")] + """
x0 = 1.4
value = poly(x0)
y = value ** 2
dp = poly.derivative(x0)
dy_dx = 2 * value * dp
print(y, dy_dx)
"""

#: y is not made of x: both are made of t.
CURVE = """
import math
t = 0.8
x = t - math.sin(t)
y = 1 - math.cos(t)
dx_dt = 1 - math.cos(t)
dy_dt = math.sin(t)
dy_dx = dy_dt / dx_dt
print(x, y, dy_dx)
"""

#: The inverse function's derivative, and no derivative of y.
INVERSE = """
import math
x = 0.6
y = math.exp(x) + x
dy_dx = math.exp(x) + 1
dx_dy = 1 / dy_dx
print(y, dx_dy)
"""

RIGHT = {
    "CURVE": CURVE, "INVERSE": INVERSE, "ROOT": ROOT, "FSOLVE": FSOLVE, "GAN": GAN, "HORNER": HORNER,
    "OUTSIDE": OUTSIDE,
}  # fmt: skip

SLIPS = (
    (CURVE, "dx_dt = 1 - math", "dx_dt = 1 + math"),
    (CURVE, "dy_dt = math.sin(t)", "dy_dt = -math.sin(t)"),
    (CURVE, "dy_dt / dx_dt", "dx_dt / dy_dt"),
    (INVERSE, "dx_dy = 1 / dy_dx", "dx_dy = -1 / dy_dx"),
    (INVERSE, "dy_dx = math.exp(x) + 1", "dy_dx = math.exp(x)"),
    (ROOT, "df_dy = 1 + math", "df_dy = math"),
    (ROOT, "df_dx = math.exp(y)", "df_dx = math.exp(y) * x"),
    (ROOT, "dy_dx = -df_dx", "dy_dx = df_dx"),
    (FSOLVE, "a + np.cos(y)", "a - np.cos(y)"),
    (FSOLVE, "dy_dx = -dF_dx", "dy_dx = dF_dx"),
    (GAN, "dD = (d_real - 1) * x + d_fake * fake", "dD = (d_real - 1) * x"),
    (GAN, "dD = (d_real - 1) * x + d_fake * fake", "dD = d_real * x + d_fake * fake"),
    (HORNER, "2 * v * dv", "2 * dv"),
    (HORNER, "2 * v * dv", "2 * v"),
    (HORNER, "2 * v * dv", "v * dv"),
    (GAN, "dG = (d_fake2 - 1) * D2 * z", "dG = d_fake2 * D2 * z"),
)


@pytest.mark.parametrize("source", RIGHT.values(), ids=RIGHT)
def test_right_scripts_are_right(source: str) -> None:
    passes(source)


@pytest.mark.parametrize(("source", "right", "slip"), SLIPS)
def test_slips_are_found(source: str, right: str, slip: str) -> None:
    found(source, right, slip, "")


def test_the_slope_of_one_step_is_not_praised_as_the_gradient() -> None:
    """``grad`` that nothing is made of, and that is the cosine alone: not told to be right."""
    source = "import math\nx = 0.7\nu = x**2 + 1\ny = math.sin(u) * 3\ngrad = {}\nprint(y, grad)\n"
    passes(source.format("math.cos(u) * 2 * x * 3"))
    with pytest.raises(symgrad.SymgradError, match="no line was recognised"):
        symgrad.check(source.format("math.cos(u)"))
