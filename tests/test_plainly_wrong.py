"""A gradient of arrays that is plainly wrong is never passed over, and one mistake does not hide another."""

from __future__ import annotations

import pytest

from symgrad.manual import check_source

SOFTMAX = """\
import numpy as np
def loss_and_gradient(W, X, y, reg):
    n = X.shape[0]
    scores = X.dot(W)
    p = np.exp(scores - scores.max(axis=1, keepdims=True))
    p = p / p.sum(axis=1, keepdims=True)
    loss = -np.log(p[np.arange(n), y]).sum() / n + reg * np.sum(W * W)
    dscores = p.copy()
    dscores[np.arange(n), y] -= 1
    dscores /= n
    dW = X.T.dot(dscores)
    dW += 2 * reg * W
    return loss, dW
rng = np.random.RandomState(4)
W, X, y = rng.randn(4, 3) * 0.5, rng.randn(5, 4), np.array([0, 2, 1, 2, 2])
loss, grad = loss_and_gradient(W, X, y, 0.15)
"""

NORM = """\
import numpy as np
rng = np.random.RandomState(7)
x, g, t = rng.randn(6, 3), rng.randn(3), rng.randn(6, 3)
eps = 1e-3
mu = x.mean(axis=0)
xm = x - mu
var = (xm ** 2).mean(axis=0)
std = np.sqrt(var + eps)
xn = xm / std
loss = 0.5 * np.sum((g * xn - t) ** 2)
dy = g * xn - t
dg = (dy * xn).sum(axis=0)
dxn = dy * g
dstd = (dxn * xm).sum(axis=0) * -1 / std ** 2
dvar = 0.5 * 1.0 / np.sqrt(var + eps) * dstd
dxm = dxn / std + 2 * xm * dvar / 6
dx = dxm - dxm.mean(axis=0)
"""

FUNCTION = """\
import torch
class LinearTanh(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, weight, bias):
        y = torch.tanh(x @ weight.t() + bias)
        ctx.save_for_backward(x, weight, y)
        return y
    @staticmethod
    def backward(ctx, grad_output):
        x, weight, y = ctx.saved_tensors
        grad_z = grad_output * (1 - y**2)
        grad_x = grad_z @ weight
        grad_weight = grad_z.t() @ x
        grad_bias = grad_z.sum(0)
        return grad_x, grad_weight, grad_bias
x = torch.linspace(-1, 1.3, 12, dtype=torch.float64).reshape(4, 3).requires_grad_()
weight = torch.linspace(-0.8, 0.9, 15, dtype=torch.float64).reshape(5, 3).requires_grad_()
bias = torch.zeros(5, dtype=torch.float64, requires_grad=True)
loss = (LinearTanh.apply(x, weight, bias) ** 3).sum() / 4
loss.backward()
print(x.grad, weight.grad)
"""

#: A pass, what is changed in it, and a part of each line that is to blame.
WRONG = [
    pytest.param(SOFTMAX, [("    dscores[np.arange(n), y] -= 1\n", "")], ["dscores /= n"], id="the labels left out"),
    pytest.param(SOFTMAX, [("dW += 2 * reg * W", "dW = np.zeros_like(W)")], ["zeros_like"], id="zeros in the end"),
    pytest.param(SOFTMAX, [("dscores)\n", "dscores) / n\n")], ["dscores) / n"], id="once too often, and no order"),
    pytest.param(NORM, [("0.5 * 1.0 / np.sqrt(var + eps)", "0.5 * 1.0 / np.sqrt(eps)")], ["(eps)"], id="a number"),
    pytest.param(
        FUNCTION, [("(1 - y**2)", "(1 - y)"), ("= grad_z.sum(0)", "= 0.5 * grad_z.sum(0)")],
        ["(1 - y)", "0.5 * grad_z"], id="one hides the other",
    ),
    pytest.param(
        FUNCTION, [("= grad_z @ weight", "= 2 * (grad_z @ weight)"), ("= grad_z.sum(0)", "= grad_output.sum(0)")],
        ["2 * (grad_z", "grad_output.sum"], id="made of what autograd hands over",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("source", "edits", "lines"), WRONG)
def test_it_is_said(source: str, edits: list[tuple[str, str]], lines: list[str]) -> None:
    for old, new in edits:
        assert source.count(old) == 1, old
        source = source.replace(old, new)
    text = source.split("\n")
    roots = [f for f in check_source(source, sandbox=False).findings if f.root]
    found = [text[(f.line or 0) - 1] for f in roots]
    assert len(found) == len(lines), found
    assert all(part in line for part, line in zip(lines, found, strict=True)), found


@pytest.mark.parametrize("source", [SOFTMAX, NORM, FUNCTION], ids=["softmax", "norm", "function"])
def test_right_as_written(source: str) -> None:
    report = check_source(source, sandbox=False)
    assert not [f for f in report.findings if f.root], report.explain()
