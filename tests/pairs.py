"""Forward and backward functions of the kinds that people write, for test_callables.py: lines are found by their text."""

# ruff: noqa: E501, F841, RET504, RUF059

from __future__ import annotations

import math
from math import exp
from typing import Any

import numpy as np

SCALE = 3.0
TABLE = {"k": 0.4}


# --- functions ----------------------------------------------------------------------------------------------------


def tanh_forward(x, w, b):
    z = w * x + b
    y = np.tanh(z)
    return y, (x, w, z, y)


def tanh_backward(dout, cache):
    x, w, z, y = cache
    dz = dout * (1 - y**2)
    return dz * w, dz * x, dz


def tanh_backward_wrong(dout, cache):
    x, w, z, y = cache
    dz = dout * (1 - z**2)  # the input
    return dz * w, dz * x, dz


def tanh_backward_unused(dout, cache):
    x, w, z, y = cache
    dz = 1 - y**2  # no dout
    dx = dz * w
    dw = dz * x
    return dx, dw, dz


def tanh_backward_swapped(dout, cache):
    x, w, z, y = cache
    dz = dout * (1 - y**2)
    return dz * x, dz * w, dz  # swapped


def tanh_backward_named(dout, cache):
    x, w, z, y = cache
    dz = dout * (1 - y**2)
    dx, dw, db = dz * w, dz * x, dz
    return dw, db, dx


def tanh_backward_dict(grad_output, saved):
    x, w, z, y = saved
    dz = grad_output * (1 - y**2)
    return {"dw": dz * x, "dx": dz * w, "db": dz * 2}  # twice


def tanh_backward_none(dout, cache):
    x, w, z, y = cache
    dz = dout * (1 - y**2)
    return dz * w, None, dz  # none


def tanh_backward_two(dout, cache):
    x, w, z, y = cache
    return dout * w, dout * x  # two


def tanh_backward_nothing(dout, cache):
    x, w, z, y = cache
    dx = dout * w


def tanh_backward_text(dout, cache):
    return "dx", 1.0, 2.0


def tanh_backward_raises(dout, cache):
    x, w, z, y = cache
    dz = dout * (1 - z**2)
    dx = dz * w / 0
    return dx, dz * x, dz


def square(x):
    return x * x


def square_gradient(x):
    return 3 * x  # three


def product(x, y):
    return helper(x) * y * SCALE


def helper(x):
    return exp(-x)


def product_gradient(x, y, dy=1.0, scale=SCALE):
    e = helper(x)
    return -e * y * scale * dy, e * dy * scale


def product_gradient_wrong(x, y):
    e = helper(x)
    return e * y * SCALE, e  # sign and scale


def power(x, n=2, scale=1.5):
    return scale * x**n


def power_back(dout, x, n=2, scale=1.5):
    return dout * scale * n * x ** (n - 1)


def unnamed_output(x):
    return math.tanh(x)


def of_the_output(dout, y):
    return dout * (1 - y * y)


def uses_table(x):
    return math.sin(TABLE["k"] * x)


def uses_table_back(x, g):
    return g * math.cos(TABLE["k"] * x)  # no k


def two_outputs(a, b):
    return a * b, a + b


def two_outputs_back(a, b, d1, d2):
    return d1 * b + d2, d1 * a  # no d2


def of_params(x, params):
    return params["w"] * x + params["b"][0]


def of_params_back(dout, x, params):
    return {"x": dout * params["w"], "w": dout * x, "b[0]": dout}


def none_forward(x):
    x = x * 2


def constant_forward(x):
    return 2.0


def fails_forward(x):
    y = x / 0
    return y


def ambiguous(x, foo, bar):
    return x


def make(k: float) -> Any:
    def forward(x):
        return k * x * x

    def backward(x, dout):
        return dout * k * x  # half

    return forward, backward


def loss_and_gradient(x, w):
    h = np.tanh(w * x)
    loss = h**2
    dh = 2 * h
    dw = dh * (1 - h**2) * w  # w for x
    return loss, {"w": dw}


def plain(x, w):
    a = w * x
    return a * math.tanh(a)


# --- classes ------------------------------------------------------------------------------------------------------


class Layer:
    def __init__(self, w=0.3):
        self.w = w
        self.__b = 0.1
        self.grads = {}
        self.seen = []

    def act(self, z):
        return np.tanh(z)

    def forward(self, x):
        self.x = x
        self.seen.append(x)
        self.y = self.act(self.w * x + self.__b)
        return self.y

    def backward(self, dout):
        dz = dout * (1 - self.y**2)
        self.grads["w"] = dz * self.x
        self.dw = dz * self.w  # w for x
        return dz * self.w


class Right:
    def __init__(self):
        self.w = 0.3

    def forward(self, x):
        self.x = x
        self.y = np.tanh(self.w * x)
        return self.y

    def backward(self, dy):
        return dy * (1 - self.y**2) * self.w


class Deeper(Right):
    def forward(self, x):
        self.z = super().forward(x)
        return self.z * self.z

    def backward(self, dout):
        dz = dout * self.z  # half of it
        return super().backward(dz)


class Static:
    @staticmethod
    def forward(x):
        return x**3, x

    @staticmethod
    def backward(dout, cache):
        return 3 * cache * dout  # power


class Unit:
    def __init__(self, k):
        self.k = k

    @property
    def doubled(self):
        return math.fabs(self.k) * 2

    def __call__(self, x):
        self.x = x
        return math.sin(self.doubled * x)

    def back(self, g):
        return g * math.cos(self.doubled * self.x) * self.doubled


class Stack:
    def __init__(self):
        self.units = [Unit(0.4), Unit(0.7)]
        self.last = Unit(1.1)

    def forward(self, x):
        for unit in self.units:
            x = unit(x)
        return self.last(x)

    def backward(self, dout):
        g = self.last.back(dout)
        for unit in reversed(self.units):
            g = unit.back(g)
        return g


class WrongStack(Stack):
    def backward(self, dout):
        g = self.last.back(dout)
        for unit in reversed(self.units):
            g = unit.back(g)
        return g / 2  # half too little
