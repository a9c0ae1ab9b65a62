import torch
import torch.nn.functional as F
torch.set_default_dtype(torch.float64)
w = torch.tensor(0.7, requires_grad=True)
b = torch.tensor(-0.2, requires_grad=True)
x = torch.tensor(1.5)
z = w * x + b
z.retain_grad()
a = torch.sigmoid(z)
h = torch.tanh(a) * F.relu(z) + F.softplus(z) - F.leaky_relu(-z, 0.1) + torch.exp(-z**2) / (1 + z.abs())
h = h + F.gelu(z) + F.silu(z) + F.elu(-z) + torch.log1p(z**2) + torch.sqrt(z) + z.pow(3) + torch.where(z > 0, z, 2*z)
h = h + torch.clamp(z, -1, 0.5) + torch.maximum(z, b) + z.clamp(min=0.1) + torch.erf(z) + torch.atan2(z, x) + torch.max(z, x)
loss = (h - 1.0)**2 * 0.5
loss.backward(retain_graph=True)
print("%.10f %.10f %.10f %.10f" % (loss.item(), w.grad.item(), b.grad.item(), z.grad.item()))
loss.backward()
print("%.10f" % w.grad, f"{b.grad.item():.8f}", float(z.grad) > 0, w.grad is not None, x.grad is None)
w.grad.zero_()
b.grad = None
y = (w.detach() * w).sum() + w.mean()
y.backward()
print("%.6f" % w.grad.item(), b.grad)
gw, gb = torch.autograd.grad(w * w * b, (w, b))
print("%.6f %.6f" % (gw.item(), gb.item()), gw.requires_grad, z.requires_grad, w.is_leaf, z.is_leaf)
with torch.no_grad():
    u = w * 2
    w -= 0.5 * gw
    b.add_(0.25)
    b *= 2
print(u.requires_grad, "%.6f %.6f" % (w.item(), b.item()), w.requires_grad)
@torch.no_grad()
def evaluate(v):
    return v * w
print(evaluate(x).requires_grad, tuple(x.shape), x.dim(), x.numel(), len(x.size()), x.dtype, isinstance(x, torch.Tensor))
c = w.clone(); c = c * 3
c.backward()
print("%.6f" % w.grad.item())
try:
    w += 1
except RuntimeError as e:
    print("error")
try:
    x.backward()
except RuntimeError as e:
    print("error")
lin = torch.linspace if False else None
p = torch.zeros((), requires_grad=True)
opt = [p, w]
for step in range(5):
    for q in opt:
        q.grad = None
    l = (p - 3.0)**2 + torch.exp(-w * p)
    l.backward()
    with torch.no_grad():
        for q in opt:
            q -= 0.1 * q.grad
print("%.10f %.10f" % (p.item(), w.item()))
n = w.detach().numpy()
print(round(float(n), 8), torch.allclose(p, p), torch.isclose(p, p + 1e-12).item(), torch.equal(p, p))
print(abs(w.grad - w.grad.item()) < 1e-9, bool(w > 0), (w > 0).item(), int(p), p.tolist() == p.item())
d = torch.ones(3) * w
print(d.detach().numpy().shape, tuple(d.shape) == (3,))
