"""Two steps with one shared weight in torch, checked against a manual pass on detached values."""

# loss: loss
# gradients: grad_w=w grad_h0=h0 grad_v=v
import torch

w = torch.tensor(0.7, requires_grad=True)
v = torch.tensor(1.8, requires_grad=True)
h0 = torch.tensor(-0.4, requires_grad=True)
target = torch.tensor(0.5)

h1 = torch.sigmoid(w * h0 + 0.3)
h2 = torch.sigmoid(w * h1 + 0.3)
out = v * h2
loss = (out - target) ** 2
loss.backward()

# --- manual
with torch.no_grad():
    grad_out = 2 * (out - target)
    grad_v = grad_out * h2
    grad_h2 = grad_out * v
    grad_z2 = grad_h2 * h2 * (1 - h2)
    grad_w = grad_z2 * h1
    grad_h1 = grad_z2 * w
    grad_z1 = grad_h1 * h1 * (1 - h1)
    grad_w = grad_w + grad_z1 * h0
    grad_h0 = grad_z1 * w

print("w :", w.grad.item(), grad_w.item())
print("v :", v.grad.item(), grad_v.item())
print("h0:", h0.grad.item(), grad_h0.item())
