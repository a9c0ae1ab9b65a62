"""Functions of several inputs and of several ways: each derivative is judged, at points that take each way."""

from __future__ import annotations

import pytest

import symgrad
from symgrad.frontends.trace.passes import input_of, is_guessed
from tests.slips import found, passes

PIECES = """\
def f(x):
    if x < 0:
        return 0.5 * x**2
    elif x < 1:
        return x**3
    else:
        return 3*x - 2

def fprime(x):
    if x < 0:
        return x
    elif x < 1:
        return 3*x**2
    else:
        return 3
"""
TWO = """\
from math import sin, cos, exp

def f(x, y):
    if x > y:
        return x**2 * sin(y)
    return x**2 * sin(y) + exp(x*y)

def dz_dx(x, y):
    if x > y:
        return 2*x*sin(y)
    return 2*x*sin(y) + y*exp(x*y)

def dz_dy(x, y):
    if x > y:
        return x**2*cos(y)
    return x**2*cos(y) + x*exp(x*y)
"""
DENSITY = """\
import numpy as np
import pytest

def gaussian(x, mu, sigma):
    return np.exp(-0.5 * ((x - mu) / sigma) ** 2) / (sigma * np.sqrt(2 * np.pi))

def dgaussian_dmu(x, mu, sigma):
    return gaussian(x, mu, sigma) * (x - mu) / sigma ** 2

def dgaussian_dsigma(x, mu, sigma):
    return gaussian(x, mu, sigma) * ((x - mu) ** 2 - sigma ** 2) / sigma ** 3

@pytest.mark.parametrize("x,mu,sigma", [(0.3, 0.1, 1.2), (1.5, -0.4, 0.7)])
def test_dmu(x, mu, sigma):
    h = 1e-6
    num = (gaussian(x, mu + h, sigma) - gaussian(x, mu - h, sigma)) / (2 * h)
    assert dgaussian_dmu(x, mu, sigma) == pytest.approx(num, rel=1e-5)
"""
ACTIVATIONS = """\
import numpy as np

class Sigmoid():
    def __call__(self, x):
        return 1 / (1 + np.exp(-x))

    def gradient(self, x):
        return self.__call__(x) * (1 - self.__call__(x))

class ELU():
    def __init__(self, alpha=0.1):
        self.alpha = alpha

    def __call__(self, x):
        return np.where(x >= 0.0, x, self.alpha * (np.exp(x) - 1))

    def gradient(self, x):
        return np.where(x >= 0.0, 1, self.__call__(x) + self.alpha)
"""
#: Beyond 10 the logarithm is left out, and its derivative is not.
SOFTPLUS = """\
import math

def softplus(x):
    if x > 10:
        return x
    return math.log1p(math.exp(x))

def dsoftplus(x):
    return 1 / (1 + math.exp(-x))
"""
KEEPS = """\
import torch
import torch.nn as nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 3)

    def forward(self, x):
        self.x = x
        self.h = self.fc(x)
        return torch.relu(self.h)

net = Net()
x = torch.randn(5, 4)
loss = (net(x) ** 2).sum()
loss.backward()
dh = 2 * torch.relu(net.h) * (net.h > 0)
grads = {"fc.weight": dh.t() @ x, "fc.bias": dh.sum(0)}
for name, p in net.named_parameters():
    print(name, torch.allclose(p.grad, grads[name]))
"""


@pytest.mark.parametrize("source", [PIECES, TWO, DENSITY, ACTIVATIONS, SOFTPLUS, KEEPS])
def test_what_is_right_in_every_way_it_goes_is_right(source: str) -> None:
    passes(source)


@pytest.mark.parametrize(
    ("source", "right", "slip", "mistake"),
    [
        (PIECES, "return x\n", "return 2*x\n", ""),
        (PIECES, "3*x**2\n", "3*x\n", ""),
        (PIECES, "return 3\n", "return 2\n", ""),
        (SOFTPLUS, "math.exp(-x)", "math.exp(x)", ""),
        (TWO, "return 2*x*sin(y)\n", "return x*sin(y)\n", "missing-factor"),
        (TWO, "+ x*exp(x*y)", "+ y*exp(x*y)", "wrong-variable"),
        (DENSITY, "sigma ** 3", "sigma ** 2", "missing-factor"),
        (ACTIVATIONS, "return self.__call__(x) * (1 - self.__call__(x))", "return x * (1 - x)", "input-for-output"),
        # The value that forward gives is worked out again, and what it is made of is not wrong.
        (ACTIVATIONS, "self.__call__(x) + self.alpha", "self.__call__(x)", "missing-term"),
    ],
)
def test_a_slip_is_found_in_the_way_that_is_seldom_taken(source: str, right: str, slip: str, mistake: str) -> None:
    found(source, right, slip, mistake)


def test_where_no_point_leads_is_said() -> None:
    source = "import math\n\ndef f(x):\n    return math.sin(x)\n\ndef df(x):\n    if x > 1e9:\n        return 1.0*x\n"
    report = symgrad.check(source + "    return math.cos(x)\n")
    assert report.ok
    (said,) = (f for f in report.findings if f.code == "unchecked")
    assert said.span is not None
    assert said.span.line == 8


def test_what_only_has_the_same_parameters_is_not_blamed() -> None:
    source = """\
def pressure(V, T):
    return 8.314 * T / (V - 0.03)

def dP_dT(V, T):
    return 8.314 / (V - 0.03)

def dS_dV(V, T):
    return 8.314 / (V - 0.03) + 7 * V * T
"""
    report = symgrad.check(source)
    assert report.ok
    assert any("dS_dV" in f.message and f.code == "unchecked" for f in report.findings)


@pytest.mark.parametrize(
    ("name", "by", "guessed"),
    [
        ("df_dx", "x", False), ("dfdsigma", "sigma", False), ("d_f_d_weights", "weights", False), ("df_dq", "", False),
        ("dL_dx", "x", True), ("derivative_wrt_sigma", "sigma", True), ("grad_by_x", "x", True), ("f_dx", "", False),
    ],
)  # fmt: skip
def test_names_say_by_what(name: str, by: str, guessed: bool) -> None:
    assert input_of(name, ("x", "sigma", "weights")) == by
    assert is_guessed("f", name) is guessed
