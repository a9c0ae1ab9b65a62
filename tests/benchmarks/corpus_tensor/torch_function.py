"""A torch.autograd.Function of one's own: a linear layer followed by tanh, used with .apply."""

# loss: loss
# inputs: x weight bias
# gradients: x.grad=x weight.grad=weight bias.grad=bias
import torch


class LinearTanh(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, weight, bias):
        y = torch.tanh(x @ weight.t() + bias)
        ctx.save_for_backward(x, weight, y)
        return y

    @staticmethod
    def backward(ctx, grad_output):
        # --- manual
        x, weight, y = ctx.saved_tensors
        grad_z = grad_output * (1 - y**2)
        grad_x = grad_z @ weight
        grad_weight = grad_z.t() @ x
        grad_bias = grad_z.sum(0)
        return grad_x, grad_weight, grad_bias
        # --- end


torch.manual_seed(31)
x = torch.randn(4, 3, dtype=torch.float64, requires_grad=True)
weight = torch.randn(5, 3, dtype=torch.float64, requires_grad=True)
bias = torch.zeros(5, dtype=torch.float64, requires_grad=True)
y = LinearTanh.apply(x, weight, bias)
loss = (y**3).sum() / 4
loss.backward()
print(x.grad, weight.grad)
