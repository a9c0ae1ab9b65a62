"""torch.autograd.Functions for test_callables.py."""

# ruff: noqa: RUF059

from __future__ import annotations

import torch
from torch.autograd.function import once_differentiable


class Tanh(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, w):
        z = x * w
        y = torch.tanh(z)
        ctx.save_for_backward(x, w, y)
        ctx.scale = 2
        return y * ctx.scale

    @staticmethod
    def backward(ctx, grad_output):
        x, w, y = ctx.saved_tensors
        dz = grad_output * (1 - y**2) * ctx.scale
        return dz * w, dz * x


class Swapped(Tanh):
    @staticmethod
    @once_differentiable
    def backward(ctx, grad_output):
        x, w, y = ctx.saved_tensors
        dz = grad_output * (1 - y**2) * ctx.scale
        dx, dw = dz * w, dz * x
        return dw, dx  # the order counts


class Newer(torch.autograd.Function):
    @staticmethod
    def forward(x, power):
        return x.exp() ** power

    @staticmethod
    def setup_context(ctx, inputs, output):
        x, power = inputs
        ctx.power = power
        ctx.save_for_backward(x, output)

    @staticmethod
    def backward(ctx, g):
        x, y = ctx.saved_tensors
        return g * y, None  # no power
