"""A torch forward pass, .backward(), and the same by hand."""

# loss: y
# gradients: dx=x dw=w
import torch

x = torch.tensor(2.0, requires_grad=True)
w = torch.tensor(-0.6, requires_grad=True)

u = w * x
h = torch.tanh(u)
e = torch.exp(0.3 * x)
y = h * e
y.backward()

# --- manual
dh = e.item()
de = h.item()
du = dh * (1 - h.item() ** 2)
dw = du * x.item()
dx = du * w.item()
dx += de * 0.3 * e.item()

print("autograd:", x.grad.item(), w.grad.item())
print("by hand :", dx, dw)
