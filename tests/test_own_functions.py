"""Functions of torch's with a backward of the file's own, beside what they are compared with; layers of which the
script that holds them runs a part."""

from __future__ import annotations

import contextlib
import io

import pytest

import symgrad
from symgrad.frontends.tracing import trace_source
from tests.slips import passes

LAYER_NORM = """\
import torch
from torch.autograd.function import once_differentiable

class LayerNormFn(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, weight, bias, eps=1e-5):
        mean = x.mean(dim=-1, keepdim=True)
        var = x.var(dim=-1, unbiased=False, keepdim=True)
        rstd = torch.rsqrt(var + eps)
        xhat = (x - mean) * rstd
        ctx.save_for_backward(xhat, weight, rstd)
        return xhat * weight + bias

    @staticmethod
    @once_differentiable
    def backward(ctx, dy):
        xhat, weight, rstd = ctx.saved_tensors
        N = xhat.shape[-1]
        wdy = weight * dy
        c1 = (xhat * wdy).mean(-1, keepdim=True)
        c2 = wdy.mean(-1, keepdim=True)
        dx = (wdy - (xhat * c1 + c2)) * rstd
        dw = (dy * xhat).reshape(-1, N).sum(0)
        db = dy.reshape(-1, N).sum(0)
        return dx, dw, db, None

if __name__ == "__main__":
    torch.manual_seed(0)
    x = torch.randn(2, 3, 8, dtype=torch.float64, requires_grad=True)
    w = torch.rand(8, dtype=torch.float64, requires_grad=True)
    b = torch.rand(8, dtype=torch.float64, requires_grad=True)
    y = LayerNormFn.apply(x, w, b)
    ref = torch.nn.functional.layer_norm(x, (8,), w, b)
    assert torch.allclose(y, ref)
    g = torch.randn_like(y)
    y.backward(g)
    gx, gw, gb = x.grad.clone(), w.grad.clone(), b.grad.clone()
    x.grad = w.grad = b.grad = None
    ref.backward(g)
    print((gx - x.grad).abs().max(), (gw - w.grad).abs().max(), (gb - b.grad).abs().max())
"""
#: The bias is never given.
LINEAR = """\
import torch
from torch.autograd import Function

class LinearFunction(Function):
    @staticmethod
    def forward(ctx, input, weight, bias=None):
        ctx.save_for_backward(input, weight, bias)
        output = input.mm(weight.t())
        if bias is not None:
            output += bias.unsqueeze(0).expand_as(output)
        return output

    @staticmethod
    def backward(ctx, grad_output):
        input, weight, bias = ctx.saved_tensors
        grad_input = grad_weight = grad_bias = None
        if ctx.needs_input_grad[0]:
            grad_input = grad_output.mm(weight)
        if ctx.needs_input_grad[1]:
            grad_weight = grad_output.t().mm(input)
        if bias is not None and ctx.needs_input_grad[2]:
            grad_bias = grad_output.sum(0)
        return grad_input, grad_weight, grad_bias

linear = LinearFunction.apply
from torch.autograd import gradcheck
input = (torch.randn(5, 4).double().requires_grad_(), torch.randn(6, 4).double().requires_grad_())
test = gradcheck(linear, input, eps=1e-6, atol=1e-4)
print(test)
"""
OPERATOR = """\
import torch
from torch import Tensor

@torch.library.custom_op("mylib::softsign", mutates_args=())
def softsign(x: Tensor) -> Tensor:
    return x / (1 + x.abs())

@softsign.register_fake
def _(x):
    return torch.empty_like(x)

def setup_context(ctx, inputs, output):
    (x,) = inputs
    ctx.save_for_backward(x)

def backward(ctx, grad):
    (x,) = ctx.saved_tensors
    d = 1 + x.abs()
    return grad / d**2

softsign.register_autograd(backward, setup_context=setup_context)

x = torch.randn(4, requires_grad=True)
softsign(x).sum().backward()
print(x.grad)
"""
#: Nothing is made of the output, so only the names of the two functions say what the gradients are of.
GROUP_NORM = """\
import numpy as np

def group_norm(x, gamma, beta, G, eps=1e-5):
    N, C, H, W = x.shape
    x_ = x.reshape(N, G, -1)
    mu = x_.mean(axis=2, keepdims=True)
    var = x_.var(axis=2, keepdims=True)
    xhat = ((x_ - mu) / np.sqrt(var + eps)).reshape(N, C, H, W)
    out = gamma * xhat + beta
    cache = (xhat, gamma, var, G, eps)
    return out, cache

def group_norm_backward(dout, cache):
    xhat, gamma, var, G, eps = cache
    N, C, H, W = dout.shape
    dgamma = np.sum(dout * xhat, axis=(0, 2, 3), keepdims=True)
    dbeta = np.sum(dout, axis=(0, 2, 3), keepdims=True)
    dxhat = (dout * gamma).reshape(N, G, -1)
    xh = xhat.reshape(N, G, -1)
    M = xh.shape[2]
    dx = (M * dxhat - dxhat.sum(2, keepdims=True) - xh * (dxhat * xh).sum(2, keepdims=True)) / (M * np.sqrt(var + eps))
    return dx.reshape(N, C, H, W), dgamma, dbeta

rng = np.random.default_rng(0)
x = rng.normal(size=(2, 6, 3, 4))
gamma = rng.normal(size=(1, 6, 1, 1))
beta = rng.normal(size=(1, 6, 1, 1))
out, cache = group_norm(x, gamma, beta, 3)
dout = rng.normal(size=out.shape)
dx, dgamma, dbeta = group_norm_backward(dout, cache)
print(dx.sum(), dgamma.ravel(), dbeta.ravel())
"""
LOSSES = """\
import torch
import torch.nn as nn
import torch.nn.functional as F
z = torch.tensor([[0.3, -1.2, 0.8, 0.1], [1.5, 0.2, -0.4, 0.7], [-0.6, 0.9, 0.5, -1.1]], dtype=torch.float64)
z.requires_grad_()
y = torch.tensor([1, -1, 3])
w = torch.tensor([0.5, 2.0, 1.0, 3.0], dtype=torch.float64)
t = torch.tensor([[0., 1, 1, 0], [1, 0, 0, 0], [0, 0, 1, 1]], dtype=torch.float64)
losses = [
    F.cross_entropy(z, y, ignore_index=-1),
    F.cross_entropy(z, y, w, ignore_index=-1),
    nn.CrossEntropyLoss(weight=w, ignore_index=-1, reduction="sum")(z, y),
    F.nll_loss(F.log_softmax(z, 1), y.clamp(min=0), w),
    nn.BCEWithLogitsLoss(pos_weight=w)(z, t),
    nn.BCEWithLogitsLoss(weight=w)(z, t),
    nn.CrossEntropyLoss(label_smoothing=0.1)(z, y.clamp(min=0)),
]
for loss in losses:
    z.grad = None
    loss.backward(retain_graph=True)
    print(round(loss.item(), 9), [round(v, 9) for v in z.grad.flatten().tolist()][:5])
"""
FACTORS = """\
import numpy as np
import torch
A = torch.tensor([[0.3, -1.2, 0.8], [1.5, 0.2, -0.4], [-0.6, 0.9, 0.5]], dtype=torch.float64, requires_grad=True)
b = torch.tensor([[1.0, 2.0], [0.5, -1.0], [3.0, 0.0]], dtype=torch.float64)
K = A @ A.T + torch.eye(3, dtype=torch.float64)
L = torch.linalg.cholesky(K)
s = torch.cholesky_solve(b, L)
(L.log1p().sum() + s.pow(2).sum()).backward()
print([round(v, 8) for v in A.grad.flatten().tolist()])
k = K.detach().numpy()
low = np.linalg.cholesky(k)
print([round(float(v), 8) for v in low.ravel()])
"""
SLIPS = [
    (LAYER_NORM, "(xhat * wdy).mean(-1, keepdim=True)", "(xhat * dy).mean(-1, keepdim=True)", "wdy"),
    (LAYER_NORM, "(dy * xhat).reshape(-1, N).sum(0)", "(dy * xhat).reshape(-1, N).mean(0)", "sum"),
    (LINEAR, "grad_output.sum(0)", "grad_output.mean(0)", "grad_output.sum(0)"),
    (OPERATOR, "return grad / d**2", "return grad / d", ""),
    (GROUP_NORM, "dxhat = (dout * gamma)", "dxhat = (dout * xhat)", "gamma"),
    (GROUP_NORM, "M * dxhat - dxhat.sum", "M * dxhat + dxhat.sum", "- dxhat.sum(2, keepdims=True)"),
]


@pytest.mark.parametrize("source", [LAYER_NORM, LINEAR, OPERATOR, GROUP_NORM], ids=["norm", "linear", "op", "group"])
def test_what_is_right(source: str) -> None:
    passes(source)


@pytest.mark.parametrize(("source", "right", "wrong", "fix"), SLIPS)
def test_a_slip_is_found(source: str, right: str, wrong: str, fix: str) -> None:
    assert source.count(right) == 1
    report = symgrad.check(source.replace(right, wrong))
    roots = [f for f in report.findings if f.root]
    line = source[: source.index(right)].count("\n") + 1
    assert [f.span.line for f in roots if f.span is not None] == [line], report.explain()
    assert fix in (roots[0].fix or "")


def test_the_gradient_that_backward_is_given_is_part_of_what_is_differentiated() -> None:
    """``y.backward(g)`` without anything beside it: no slope of forward was seen, and that was no deliberate one."""
    alone = LAYER_NORM.partition("    gx, gw, gb")[0].replace("    ref = torch.nn", "    pass  # ").replace(
        "    assert torch.allclose(y, ref)\n", ""
    )  # fmt: skip
    assert symgrad.check(alone).verdict == "agree"
    report = symgrad.check(alone.replace("(xhat * c1 + c2)", "(xhat * c1 - c2)"))
    assert [f.span.line for f in report.findings if f.root and f.span is not None] == [22]


@pytest.mark.parametrize("source", [LOSSES, FACTORS], ids=["losses", "Cholesky factors"])
def test_functions_of_torch_are_those_of_torch(source: str) -> None:
    shown = io.StringIO()
    with contextlib.redirect_stdout(shown):
        exec(source, {})
    trace = trace_source(source, "script.py")
    assert trace.error is None
    assert "\n".join(trace.prints).split() == shown.getvalue().split()
