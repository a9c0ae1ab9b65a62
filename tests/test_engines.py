"""Small autograd engines: classes of functions that keep their inputs, a relu that begins with a number, one that is
imported."""

from __future__ import annotations

from pathlib import Path

import pytest

from symgrad.errors import SymgradError
from symgrad.files.entry import check_file
from symgrad.report.model import Report

ENGINE = """import numpy as np

class Variable:
    def __init__(self, data):
        self.data, self.grad, self.creator = data, None, None
    def backward(self):
        self.grad = np.ones_like(self.data)
        todo = [self.creator]
        while todo:
            f = todo.pop()
            gxs = f.backward(*[out.grad for out in f.outputs])
            gxs = gxs if isinstance(gxs, tuple) else (gxs,)
            for x, gx in zip(f.inputs, gxs):
                if x.grad is None:
                    x.grad = gx
                else:
                    x.grad = x.grad + gx
                if x.creator is not None:
                    todo.append(x.creator)

class Function:
    def __call__(self, *inputs):
        xs = [x.data for x in inputs]
        out = Variable(self.forward(*xs))
        out.creator = self
        self.inputs, self.outputs = inputs, [out]
        return out

class Add(Function):
    def forward(self, x0, x1):
        return x0 + x1
    def backward(self, gy):
        return gy, gy

class Mul(Function):
    def forward(self, x0, x1):
        return x0 * x1
    def backward(self, gy):
        x0, x1 = [x.data for x in self.inputs]
        return gy * x1, gy * x0

class Square(Function):
    def forward(self, x):
        return x ** 2
    def backward(self, gy):
        x = self.inputs[0].data
        gx = 2 * x * gy
        return gx

class Sum(Function):
    def forward(self, x):
        self.shape = x.shape
        return np.sum(x)
    def backward(self, gy):
        return gy * np.ones(self.shape)

x = Variable(np.array([0.5, -0.3, 0.8]))
w = Variable(np.array([0.2, 0.7, -0.4]))
s = Square()(Mul()(x, w))
y = Add()(s, x)
loss = Sum()(y)
loss.backward()
"""
RELU = """
class Value:
    def __init__(self, data, children=()):
        self.data, self.grad = data, 0.0
        self._backward, self._prev = lambda: None, children
    def __mul__(self, other):
        out = Value(self.data * other.data, (self, other))
        def _backward():
            self.grad += other.data * out.grad
            other.grad += self.data * out.grad
        out._backward = _backward
        return out
    def relu(self):
        t = 0.0
        if self.data > 0:
            t = self.data
        out = Value(t, (self,))
        def _backward():
            self.grad += (out.data > 0) * out.grad
        out._backward = _backward
        return out
    def backward(self):
        topo = []
        def build(v):
            if v not in topo:
                for c in v._prev:
                    build(c)
                topo.append(v)
        build(self)
        self.grad = 1.0
        for v in reversed(topo):
            v._backward()

x = Value(2.0)
w = Value(-3.0)
h = (x * w).relu()
o = h * x
o.backward()
"""


def _checked(tmp_path: Path, text: str) -> Report:
    path = tmp_path / "engine.py"
    path.write_text(text, encoding="utf-8")
    return check_file(path)


@pytest.mark.parametrize("source", [ENGINE, RELU])
def test_right_engines_are_right(source: str, tmp_path: Path) -> None:
    report = _checked(tmp_path, source)
    assert report.ok, report.explain()
    assert report.confirmed


@pytest.mark.parametrize(("right", "slip", "line"), [
    ("gx = 2 * x * gy", "gx = x * gy", 47),
    ("gy * x1, gy * x0", "gy * x0, gy * x1", None),  # where they are taken apart, or returned
    ("x.grad = x.grad + gx", "x.grad = gx", 17),
])  # fmt: skip
def test_a_slip_in_a_function_that_cannot_be_called_by_itself(
    right: str, slip: str, line: int | None, tmp_path: Path
) -> None:
    """Its inputs come with a run of the engine, and another function's being right says nothing of it."""
    roots = [f for f in _checked(tmp_path, ENGINE.replace(right, slip)).findings if f.root]
    assert [f.span.line for f in roots if f.span] in ([[line]] if line else [[39], [40]])
    assert all(f.span is not None and f.span.file == "engine.py" for f in roots)


def test_an_imported_engine_keeps_the_numbers(tmp_path: Path) -> None:
    (tmp_path / "tiny").mkdir()
    (tmp_path / "tiny" / "engine.py").write_text(RELU[: RELU.index("x = Value")], encoding="utf-8")
    script = "from tiny.engine import Value\n" + RELU[RELU.index("x = Value") :]
    with pytest.raises(SymgradError, match=r"the class Value keeps them, which is in tiny\.engine"):
        _checked(tmp_path, script)
