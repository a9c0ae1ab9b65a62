"""States of several variables, parameters moved by formulas, and names that are told by their likes."""

from __future__ import annotations

import pytest

from symgrad.manual import check_source

OSCILLATOR = """
k, c = 1.4, 0.3
x, v = 0.8, -0.1
dt = 0.2
dx_dk, dv_dk = 0, 0
for step in range(3):
    xm = x + 0.5 * dt * v
    vm = v + 0.5 * dt * (-k * x - c * v)
    dxm_dk = dx_dk + 0.5 * dt * dv_dk
    dvm_dk = dv_dk + 0.5 * dt * (-x - k * dx_dk - c * dv_dk)
    dx_dk = dx_dk + dt * dvm_dk
    dv_dk = dv_dk + dt * (-xm - k * dxm_dk - c * dvm_dk)
    x = x + dt * vm
    v = v + dt * (-k * xm - c * vm)
"""

NET = """
import math
x = [0.7, -0.4]
t = 0.9
w1 = [0.3, -0.6]
b1 = [0.05, 0.2]
w2 = [0.8, -0.5]
b2 = 0.1
lr = 0.25
h = [0, 0]
for j in range(2):
    h[j] = math.tanh(w1[j] * x[j] + b1[j])
o = b2
for j in range(2):
    o += w2[j] * h[j]
loss = 0.5 * (o - t) ** 2
d_o = o - t
d_h = [0, 0]
for j in range(2):
    d_h[j] = d_o * w2[j] * (1 - h[j] ** 2)
for j in range(2):
    w2[j] -= lr * d_o * h[j]
    w1[j] -= lr * d_h[j] * x[j]
    b1[j] -= lr * d_h[j]
b2 -= lr * d_o
"""

ARM = """
import math
l1, l2 = 1.2, 0.7
theta1, theta2 = 0.5, -0.9
x = l1 * math.cos(theta1) + l2 * math.cos(theta1 + theta2)
cost = 0.5 * (x - 1.1) ** 2
J1 = -l1 * math.sin(theta1) - l2 * math.sin(theta1 + theta2)
J2 = -l2 * math.sin(theta1 + theta2)
grad_t1 = (x - 1.1) * J1
grad_t2 = (x - 1.1) * J2
"""

# The forward pass first, its states in lists; the derivation works out the middle of each step once more.
MIDPOINT = """
k = 1.4
c = 0.3
x = 0.8
v = -0.1
dt = 0.2
xs, vs = [x], [v]
for step in range(3):
    xm = x + 0.5 * dt * v
    vm = v + 0.5 * dt * (-k * x - c * v)
    x = x + dt * vm
    v = v + dt * (-k * xm - c * vm)
    xs.append(x)
    vs.append(v)
dx_dk, dv_dk = 0, 0
for n in range(3):
    xm = xs[n] + 0.5 * dt * vs[n]
    vm = vs[n] + 0.5 * dt * (-k * xs[n] - c * vs[n])
    dxm_dk = dx_dk + 0.5 * dt * dv_dk
    dvm_dk = dv_dk + 0.5 * dt * (-xs[n] - k * dx_dk - c * dv_dk)
    dx_dk = dx_dk + dt * dvm_dk
    dv_dk = dv_dk + dt * (-xm - k * dxm_dk - c * dvm_dk)
"""
AGAIN = "xm = xs[n] + 0.5 * dt * vs[n]"
ADDED = MIDPOINT.replace(AGAIN, "xm = xs[n]\n    xm += 0.5 * dt * vs[n]")
FROM_ZERO = MIDPOINT.replace(AGAIN, "xm = 0.0\n    xm = xs[n] + xm\n    xm += 0.5 * dt * vs[n]")
#: J22 stands between what is differentiated and its gradients; gx is no gradient of x.
UNNAMED_ARM = """
import math
l1, l2 = 1.2, 0.7
theta1, theta2 = 0.5, -0.9
gx, gy = 1.1, 0.8
x = l1 * math.cos(theta1) + l2 * math.cos(theta1 + theta2)
y = l1 * math.sin(theta1) + l2 * math.sin(theta1 + theta2)
ex = x - gx
ey = y - gy
temp3 = 0.5 * (ex**2 + ey**2)
J11 = -l1 * math.sin(theta1) - l2 * math.sin(theta1 + theta2)
J12 = -l2 * math.sin(theta1 + theta2)
J21 = l1 * math.cos(theta1) + l2 * math.cos(theta1 + theta2)
J22 = l2 * math.cos(theta1 + theta2)
grad_theta1 = ex * J11 + ey * J21
grad_theta2 = ex * J12
grad_theta2 += ey * J22
"""
RIGHT = [OSCILLATOR, NET, NET.replace("-= lr * d", "+= -lr * d"), ARM, MIDPOINT, ADDED, FROM_ZERO, UNNAMED_ARM]

WRONG = [
    (MIDPOINT, "xm = xs[n] + 0.5 * dt * vs[n]", "xm = xs[n] + 0.5 * dt * vs[n] * vs[n]"),
    (MIDPOINT, "+ dt * (-xm - k * dxm_dk", "+ dt * (-xm + k * dxm_dk"),
    (OSCILLATOR, "(-x - k * dx_dk - c * dv_dk)", "(-x - k * dx_dk + c * dv_dk)"),
    (OSCILLATOR, "dx_dk = dx_dk + dt * dvm_dk", "dx_dk = dx_dk + dt * dv_dk"),
    (NET, "w2[j] -= lr * d_o * h[j]", "w2[j] -= lr * d_o * x[j]"),
    (NET, "b1[j] -= lr * d_h[j]", "b1[j] -= lr * d_h[j] * h[j]"),
    (NET, "b2 -= lr * d_o", "b2 += lr * d_o"),
    (NET, "d_o * w2[j] * (1 - h[j] ** 2)", "d_o * w2[j] * (1 + h[j] ** 2)"),
    (NET, "w1[j] -= lr * d_h[j] * x[j]", "w1[j] -= -lr * d_h[j] * x[j]"),
    (ARM, "J1 = -l1 * math.sin(theta1)", "J1 = -l1 * math.cos(theta1)"),
    (ARM, "grad_t1 = (x - 1.1) * J1", "grad_t1 = (x - 1.1) * J2"),
]


@pytest.mark.parametrize("source", RIGHT)
def test_what_is_right_is_left_alone(source: str) -> None:
    report = check_source(source, sandbox=False)
    assert report.ok
    assert not report.unchecked


@pytest.mark.parametrize(("source", "right", "wrong"), WRONG)
def test_the_line_of_the_mistake_is_told(source: str, right: str, wrong: str) -> None:
    (found,) = [f for f in check_source(source.replace(right, wrong), sandbox=False).findings if f.root]
    assert found.line == source.count("\n", 0, source.index(right)) + 1


DUAL = """
import math
class Dual:
    def __init__(self, value, deriv):
        self.value = value
        self.deriv = deriv
    def __mul__(self, other):
        return Dual(self.value * other.value, self.deriv * other.value + self.value * other.deriv)
    def sin(self):
        return Dual(math.sin(self.value), math.cos(self.value) * self.deriv)
x, y = 0.8, 1.3
fx = (Dual(x, 1) * Dual(y, 0)).sin()
fy = (Dual(x, 0) * Dual(y, 1)).sin()
"""


# Numbers beside dual numbers, rules that call rules, a function that seeds, and what is no derivative at all.
DUAL_FUNCTION = """
import math
class DualNumber:
    def __init__(self, real, dual=0.0):
        self.real = real
        self.dual = dual
    def __add__(self, other):
        other = other if isinstance(other, DualNumber) else DualNumber(other)
        return DualNumber(self.real + other.real, self.dual + other.dual)
    def __mul__(self, other):
        other = other if isinstance(other, DualNumber) else DualNumber(other)
        return DualNumber(self.real * other.real, self.real * other.dual + self.dual * other.real)
    def __neg__(self):
        return DualNumber(-self.real, -self.dual)
    def __sub__(self, other):
        return self + (-other)
    def __pow__(self, n):
        return DualNumber(self.real ** n, n * self.real ** (n - 1) * self.dual)
    __rmul__ = __mul__
    __radd__ = __add__
def exp(a):
    e = math.exp(a.real)
    return DualNumber(e, e * a.dual)
def f(x):
    return exp(3 * x ** 2) * x - x + 2
def derivative(f, x):
    return f(DualNumber(x, 1.0)).dual
x = 0.4
df = derivative(f, x)
print(df)
"""
COMPLEX = """
class Complex:
    def __init__(self, re, im):
        self.re = re
        self.im = im
    def __mul__(self, other):
        return Complex(self.re * other.re - self.im * other.im, self.re * other.im + self.im * other.re)
a, b = 0.8, 1.3
z = Complex(a, 1) * Complex(b, 0)
loss = z.re ** 2
dz = 2 * z.re
da = dz * b
"""


@pytest.mark.parametrize("source", [DUAL, DUAL_FUNCTION, COMPLEX])
def test_objects_of_two_numbers_that_are_right_are_left_alone(source: str) -> None:
    assert check_source(source, sandbox=False).ok


WRONG_RULES = [
    (DUAL, "math.cos(self.value) * self.deriv", "math.cos(self.value)", "self.deriv"),
    (DUAL, "math.cos(self.value) * self.deriv", "math.sin(self.value) * self.deriv", "cos"),
    (DUAL, "self.deriv * other.value + self.value * other.deriv", "self.deriv * other.value", "self.value"),
    (DUAL, "+ self.value * other.deriv", "- self.value * other.deriv", ""),
    (DUAL_FUNCTION, "self.real ** (n - 1)", "self.real ** n", ""),
    (DUAL_FUNCTION, "e * a.dual", "a.real * a.dual", "e"),
]


@pytest.mark.parametrize(("source", "right", "wrong", "fix"), WRONG_RULES)
def test_a_wrong_rule_of_dual_numbers_is_told_at_its_line(source: str, right: str, wrong: str, fix: str) -> None:
    (found,) = [f for f in check_source(source.replace(right, wrong), sandbox=False).findings if f.root]
    assert found.line == source.count("\n", 0, source.index(right)) + 1
    assert fix in found.fix
