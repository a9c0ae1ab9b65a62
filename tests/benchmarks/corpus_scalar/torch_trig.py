"""Trigonometry in torch; the manual pass stays with detached tensors."""

# loss: f
# gradients: d_a=a d_b=b
import torch

a = torch.tensor(0.8, requires_grad=True)
b = torch.tensor(1.9, requires_grad=True)
s = torch.sin(a * b)
c = torch.cos(a)
q = s / b
f = q + c * s
f.backward()

# --- manual
a_, b_ = a.detach(), b.detach()
s_, c_ = s.detach(), c.detach()
d_q = 1.0
d_s = d_q / b_ + c_
d_c = s_
d_prod = d_s * torch.cos(a_ * b_)
d_a = d_prod * b_ - d_c * torch.sin(a_)
d_b = d_prod * a_ - d_q * s_ / b_**2
print(a.grad, d_a)
print(b.grad, d_b)
