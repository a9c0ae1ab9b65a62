"""Plain scripts of numbers: physics, functions with their derivatives. Each was told to be right with the slip in it,
was refused, or was blamed as it stands."""

from __future__ import annotations

import pytest

import symgrad
from tests.slips import found, passes

#: ``p`` gets its name once the result is there, and ``dp`` is called after it.
POLYNOMIAL = """
class Poly:
    def __init__(self, coeffs):
        self.coeffs = coeffs

    def __call__(self, x):
        v = 0.0
        for c in self.coeffs:
            v = v * x + c
        return v

    def derivative(self, x):
        v = 0.0
        dv = 0.0
        for c in self.coeffs:
            dv = dv * x + v
            v = v * x + c
        return dv

poly = Poly([2.0, -3.0, 1.5, 0.7])
x0 = 1.3
p = poly(x0)
dp = poly.derivative(x0)
print(p, dp)
"""

#: ``f`` is given what has no name of its own, ``*v``.
STARRED = """
import math

def f(a, b):
    u = a * b
    return math.sin(u) + b**2

def grad_f(a, b):
    u = a * b
    dfdu = math.cos(u)
    dfda = dfdu * b
    dfdb = dfdu * a + 2*b
    return dfda, dfdb

v = (1.2, 0.7)
y = f(*v)
g = grad_f(*v)
print(y, g)
"""

UNPACKED = """
import math

def f(a, b):
    u = a * b
    return math.sin(u) + b**2

v = (1.2, 0.7)
y = f(*v)
a, b = v
dfda = b * math.cos(a*b)
dfdb = a * math.cos(a*b) + 2*b
print(y, dfda, dfdb)
"""

#: Of the three samples one is beyond delta: the functions by themselves have to be asked there as well.
HUBER = """
def huber(r, delta):
    if abs(r) <= delta:
        return 0.5 * r * r
    return delta * (abs(r) - 0.5 * delta)

def huber_grad(r, delta):
    if abs(r) <= delta:
        return r
    grad = delta if r > 0 else -delta
    return grad

xs = [1.0, 2.0, 3.0]
ys = [1.1, 4.9, 2.0]
w, b, delta = 0.8, 0.1, 0.7
loss = dw = db = 0.0
for x, y in zip(xs, ys):
    r = w * x + b - y
    loss += huber(r, delta)
    g = huber_grad(r, delta)
    dw += g * x
    db += g
print(loss, dw, db)
"""

#: A force is the negative derivative of the energy.
LENNARD_JONES = """
import math
eps, sigma = 1.0, 1.1
x1, y1 = 0.0, 0.2
x2, y2 = 1.3, 0.5
dx = x2 - x1
dy = y2 - y1
r = math.sqrt(dx*dx + dy*dy)
sr6 = (sigma/r)**6
U = 4*eps*(sr6**2 - sr6)
dU_dr = 4*eps*(-12*sr6**2/r + 6*sr6/r)
dU_dx = dU_dr * dx / r
dU_dy = dU_dr * dy / r
fx = -dU_dx
fy = -dU_dy
print(U, fx, fy)
"""

#: The same of the particle that pulls: what is right for the one is wrong for the other, and both forces are on one.
ON_THE_OTHER = LENNARD_JONES.replace("fx = -", "fx = ").replace("fy = -", "fy = ")

#: What is negative, raised to a power that has a name.
POWER = """
def f(x, n=2):
    return x**n

x = -1.5
y = f(x)
dy_dx = 2*x
print(y, dy_dx)
"""

POWERS_UNCALLED = """
def f(x, n=2):
    return x**n

def df(x, n=2):
    return n * x**(n - 1)
"""

RIGHT = [POLYNOMIAL, STARRED, UNPACKED, HUBER, LENNARD_JONES, ON_THE_OTHER, POWER, POWERS_UNCALLED]


@pytest.mark.parametrize("source", RIGHT)
def test_right_scripts_are_right(source: str) -> None:
    passes(source)


@pytest.mark.parametrize(
    ("source", "right", "slip", "mistake"),
    [
        (POLYNOMIAL, "return dv", "return 2*dv", "scale"),
        (STARRED, "dfdu * a + 2*b", "dfdu * a", "missing-term"),
        (UNPACKED, "cos(a*b) + 2*b", "cos(a*b)", "missing-term"),
        (UNPACKED, "dfda = b *", "dfda = a *", ""),
        (HUBER, "delta if r > 0 else -delta", "1.0 if r > 0 else -1.0", "missing-factor"),
        (LENNARD_JONES, "fx = -dU_dx", "fx = dU_dx", "sign"),
        (LENNARD_JONES, "fy = -dU_dy", "fy = -dU_dx", ""),
        (LENNARD_JONES, "+ 6*sr6/r)", ")", ""),
        (POWER, "dy_dx = 2*x", "dy_dx = x", "missing-factor"),
        (POWERS_UNCALLED, "return n *", "return", "missing-factor"),
    ],
)
def test_slips_are_found(source: str, right: str, slip: str, mistake: str) -> None:
    found(source, right, slip, mistake)


def test_what_is_no_energy_has_no_force() -> None:
    source = LENNARD_JONES.replace("U", "area").replace("fx = -", "fx = ")
    report = symgrad.check(source)
    assert report.ok, report.explain()
