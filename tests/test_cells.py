"""Small autograd engines: classes whose objects hold a number and its gradient."""

from __future__ import annotations

import re

import pytest

import symgrad
from symgrad.files.programs import is_program

ENGINE = '''import math


class Value:
    def __init__(self, data, children=()):
        self.data = data
        self.grad = 0.0
        self._backward = lambda: None
        self._prev = children

    def __add__(self, other):
        other = other if isinstance(other, Value) else Value(other)
        out = Value(self.data + other.data, (self, other))

        def _backward():
            self.grad += out.grad
            other.grad += out.grad

        out._backward = _backward
        return out

    def __mul__(self, other):
        other = other if isinstance(other, Value) else Value(other)
        out = Value(self.data * other.data, (self, other))

        def _backward():
            self.grad += other.data * out.grad
            other.grad += self.data * out.grad

        out._backward = _backward
        return out

    def __pow__(self, n):
        out = Value(self.data**n, (self,))

        def _backward():
            self.grad += n * self.data ** (n - 1) * out.grad

        out._backward = _backward
        return out

    def tanh(self):
        out = Value(math.tanh(self.data), (self,))

        def _backward():
            self.grad += (1 - out.data**2) * out.grad

        out._backward = _backward
        return out

    def backward(self):
        order, seen = [], []

        def build(v):
            if v not in seen:
                seen.append(v)
                for child in v._prev:
                    build(child)
                order.append(v)

        build(self)
        self.grad = 1.0
        for v in reversed(order):
            v._backward()


a = Value(2.0)
b = Value(-3)
c = Value(0.7)
d = (a * b + c).tanh()
e = d * a + c**3
L = e * e
'''
PASS = "L.backward()\nprint(a.grad, b.grad)\n"

ARRAYS = '''import numpy as np


class Tensor:
    def __init__(self, data, parents=()):
        self.data = np.array(data, dtype=float)
        self.grad = np.zeros_like(self.data)
        self.parents = parents
        self.step = None

    def __matmul__(self, other):
        out = Tensor(self.data @ other.data, (self, other))

        def step():
            self.grad += out.grad @ other.data.T
            other.grad += self.data.T @ out.grad

        out.step = step
        return out

    def __add__(self, other):
        out = Tensor(self.data + other.data, (self, other))

        def step():
            self.grad += out.grad
            other.grad += out.grad.sum(axis=0)

        out.step = step
        return out

    def tanh(self):
        out = Tensor(np.tanh(self.data), (self,))

        def step():
            self.grad += (1 - out.data**2) * out.grad

        out.step = step
        return out

    def sum(self):
        out = Tensor(self.data.sum(), (self,))

        def step():
            self.grad += np.ones_like(self.data) * out.grad

        out.step = step
        return out

    def backward(self):
        order = []

        def visit(t):
            if t not in order:
                for p in t.parents:
                    visit(p)
                order.append(t)

        visit(self)
        self.grad = np.ones_like(self.data)
        for t in reversed(order):
            if t.step:
                t.step()


rng = np.random.default_rng(0)
x = Tensor(rng.normal(size=(4, 3)))
W = Tensor(rng.normal(size=(3, 5)))
b = Tensor(np.zeros(5))
loss = (x @ W + b).tanh().sum()
loss.backward()
'''


@pytest.mark.parametrize("source", [ENGINE + PASS, ARRAYS], ids=["numbers", "arrays"])
def test_a_right_engine(source: str) -> None:
    report = symgrad.check(source)
    assert report.ok, report.explain()
    assert not report.unchecked
    asked = ("a.grad", "b.grad", "c.grad") if source is not ARRAYS else ("x.grad", "W.grad", "b.grad")
    assert set(asked) <= set(report.confirmed)


#: (engine, what is written, what stands there instead, mistake, the fix as the line would have it)
SLIPS = [
    (ENGINE, "self.grad += other.data * out.grad", "self.grad += self.data * out.grad", "wrong-variable", "other.data"),
    (ENGINE, "other.grad += self.data * out.grad", "other.grad = self.data * out.grad", "lost-accumulation",
     "other.grad + self.data * out.grad"),
    (ENGINE, "(1 - out.data**2)", "(1 - self.data**2)", "input-for-output", "out.data"),
    (ENGINE, "n * self.data ** (n - 1)", "self.data ** (n - 1)", "scale", ""),
    (ENGINE, "            other.grad += out.grad", "            other.grad += -out.grad", "sign", ""),
    (ARRAYS, "(1 - out.data**2)", "(1 - self.data**2)", "input-for-output", "out.data"),
    (ARRAYS, "out.grad.sum(axis=0)", "out.grad.mean(axis=0)", "wrong-reduction", "out.grad.sum(axis=0)"),
    (ARRAYS, "self.data.T @ out.grad", "-self.data.T @ out.grad", "sign", ""),
]  # fmt: skip


@pytest.mark.parametrize(("engine", "right", "wrong", "mistake", "fix"), SLIPS, ids=[s[2].strip() for s in SLIPS])
def test_one_rule_of_an_engine_is_wrong(engine: str, right: str, wrong: str, mistake: str, fix: str) -> None:
    whole = engine + PASS if engine is ENGINE else engine
    assert whole.count(right) == 1
    source = whole.replace(right, wrong)
    line = 1 + source[: source.index(wrong.strip())].count("\n")
    report = symgrad.check(source)
    roots = [f for f in report.findings if f.root]
    assert [f.span.line for f in roots if f.span] == [line], report.explain()
    assert roots[0].mistake == mistake, report.explain()
    assert fix in roots[0].fix
    assert roots[0].fix_verified, report.explain()
    assert not re.search(r"\bu\d", roots[0].fix), "the fix is in the words of the line"


RELU = """    def relu(self):
        out = Value(0 if self.data < 0 else self.data, (self,))

        def _backward():
            self.grad += (out.data > 0) * out.grad

        out._backward = _backward
        return out

    def backward(self):"""
KINK = ENGINE.split("a = Value(2.0)", maxsplit=1)[0].replace("    def backward(self):", RELU) + """a = Value(-4.0)
b = Value(2.0)
out = a * b + (a + b).relu() * a
out.backward()
"""


def test_a_number_that_a_branch_gives_is_no_input() -> None:
    report = symgrad.check(KINK)
    assert report.ok, report.explain()
    assert {"out.grad", "a.grad", "b.grad"} <= set(report.confirmed)
    assert not report.unchecked


def test_the_rule_of_such_a_branch_may_be_wrong() -> None:
    right, wrong = "(out.data > 0) * out.grad", "(out.data <= 0) * out.grad"
    report = symgrad.check(KINK.replace(right, wrong))
    line = 1 + KINK[: KINK.index(right)].count("\n")
    assert [f.span.line for f in report.findings if f.root and f.span] == [line], report.explain()


def test_a_second_pass_adds_to_the_first_and_is_not_blamed() -> None:
    report = symgrad.check(ENGINE + PASS + "L.backward()\n")
    assert report.ok, report.explain()
    assert "second backward pass" in report.explain()


def test_a_gradient_that_is_typed_in_is_not_followed() -> None:
    report = symgrad.check(ENGINE + PASS + "p = Value(2.0)\nq = p * p\nq.grad = 0.5\nq._backward()\n")
    assert report.ok, report.explain()
    assert "given as a number" in report.explain()


def test_gradients_that_are_set_to_zero_begin_anew() -> None:
    again = "for v in (a, b, c, d, e, L):\n    v.grad = 0.0\nL = (a * b) * c\nL.backward()\n"
    assert symgrad.check(ENGINE + PASS + again).ok
    wrong = ENGINE.replace("self.grad += other.data * out.grad", "self.grad += 2 * other.data * out.grad")
    assert not symgrad.check(wrong + PASS + again).ok


def test_a_run_that_stops_before_its_backward_pass_has_forgotten_nothing() -> None:
    with pytest.raises(symgrad.SymgradError, match="no line before it"):
        symgrad.check(ENGINE + "raise ValueError('not yet')\n" + PASS)


@pytest.mark.parametrize(
    ("text", "is_script"),
    [
        ("w = 2.0\ny = w*w\ndy_dw = 2*w\n", True),
        ("import math\ny = math.sin(x)\n", True),
        ("for i in range(3):\n    x = i\n", True),
        ("import math\ny = math.sin(x\n", True),  # with its error
        ("u = x*y\nf = u*2\n", False),
        ("u = x*y;\n\nf = u*sin(u)", False),
        ("w = 2.0; y = w*w", False),
        ("(x\n + y)", False),
        ("x # import\n", False),
    ],
)
def test_the_text_of_a_script_is_told_from_an_expression(text: str, is_script: bool) -> None:
    assert is_program(text) is is_script


def test_the_text_of_a_script_can_be_checked() -> None:
    assert symgrad.check("w = 2.0\ny = w*w\ndy_dw = 2*w\n").ok
    wrong = symgrad.check("w = 2.0\ny = w**3\ndy_dw = 2*w**2\n")
    assert [str(f.span) for f in wrong.findings if f.root] == ["<source>:3:9"]
    with pytest.raises(symgrad.SymgradError, match="'order' is for expressions, and this text is a script"):
        symgrad.check("w = 2.0\ny = w*w\ndy_dw = 2*w\n", order=2)
