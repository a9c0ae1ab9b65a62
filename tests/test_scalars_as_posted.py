"""Scripts of numbers as people post them: each was blamed as it stands, or was told to be right with the slip in it."""

from __future__ import annotations

import pytest

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

RIGHT = {"GAN": GAN, "HORNER": HORNER, "HORNER outside": HORNER[: HORNER.index("def f")] + """
x0 = 1.4
value = poly(x0)
y = value ** 2
dp = poly.derivative(x0)
dy_dx = 2 * value * dp
print(y, dy_dx)
"""}

SLIPS = (
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
