import torch
torch.manual_seed(0)
x = torch.randn(6, 3, dtype=torch.float32)
y = torch.randn(6, 2, dtype=torch.float32)
w1 = torch.randn(3, 4, dtype=torch.float32)
b1 = torch.zeros(4)
w2 = torch.randn(4, 2)
h = x.mm(w1) + b1
a = h.clamp(min=0)
out = a.mm(w2)
loss = (out - y).pow(2).sum() / 6
grad_out = 2.0 * (out - y)
grad_out.div_(6)
grad_w2 = a.t().mm(grad_out)
grad_a = grad_out.mm(w2.t())
grad_h = grad_a.clone()
grad_h[h < 0] = 0
grad_w1 = x.t().mm(grad_h)
grad_b1 = torch.zeros_like(b1)
grad_b1.add_(grad_h.sum(0))
lr = 1e-2
w1 -= lr * grad_w1
w2 -= lr * grad_w2
b1 -= lr * grad_b1
print(loss.item(), w1)
