"""A torch.autograd.Function of one's own, whose backward takes the input of tanh for its output."""

import torch


class AffineTanh(torch.autograd.Function):
    """tanh(x W + b)."""

    @staticmethod
    def forward(ctx, x, W, b):
        z = x @ W + b
        ctx.save_for_backward(x, W, z)
        return torch.tanh(z)

    @staticmethod
    def backward(ctx, grad_output):
        x, W, z = ctx.saved_tensors
        grad_z = grad_output * (1 - z**2)
        grad_x = grad_z @ W.t()
        grad_W = x.t() @ grad_z
        grad_b = grad_z.sum(0)
        return grad_x, grad_W, grad_b


torch.manual_seed(6)
x = torch.randn(4, 3, dtype=torch.float64, requires_grad=True)
W = torch.randn(3, 5, dtype=torch.float64, requires_grad=True)
b = torch.randn(5, dtype=torch.float64, requires_grad=True)
loss = (AffineTanh.apply(x, W, b) ** 2).sum()
loss.backward()
print(W.grad, b.grad)
