"""Passes with states that go several ways, layers of several widths, and functions that are handed the wrong thing."""

from __future__ import annotations

import pytest

import symgrad
from tests.slips import found, passes

SMOOTHED = """\
import numpy as np
rng = np.random.RandomState(0)
X, W, y, eps = rng.randn(5, 4), rng.randn(4, 3), np.array([0, 2, 1, 1, 0]), 0.1
Y = np.full((5, 3), eps / 3)
Y[np.arange(5), y] += 1 - eps
Z = X @ W
P = np.exp(Z) / np.exp(Z).sum(axis=1, keepdims=True)
loss = -(Y * np.log(P)).sum() / 5
dZ = (P - Y) / 5
dW = X.T @ dZ
"""
GIVEN = SMOOTHED.replace("eps / 3)\n", "0.1 / 3)\n").replace("1 - eps", "0.9")
SHARED = SMOOTHED.replace("np.full((5, 3), eps / 3)", "np.array([[0.7, 0.2, 0.1]] * 4 + [[0.25, 0.25, 0.5]])")
SHARED = SHARED.replace("Y[np.arange(5), y] += 1 - eps\n", "")

MASKED = """\
import numpy as np
rng = np.random.RandomState(0)
A, X, W = rng.rand(6, 6), rng.randn(6, 4), rng.randn(4, 3)
Y = np.eye(3)[[0, 2, 1, 1, 0, 2]]
seen = np.array([1, 1, 0, 1, 0, 1], dtype=bool)
H = A @ X
P = np.exp(H @ W) / np.exp(H @ W).sum(axis=1, keepdims=True)
loss = -(Y * np.log(P))[seen].sum() / seen.sum()
G = (P - Y) * seen[:, None] / seen.sum()
dW = H.T @ G
"""

TWO_NETS = """\
import numpy as np
rng = np.random.RandomState(3)
z = rng.randn(5, 3)
G = {"W": rng.randn(3, 4), "b": np.zeros((1, 4))}
D = {"W": rng.randn(4, 1), "b": np.zeros((1, 1))}
pre = z @ G["W"] + G["b"]
fake = np.tanh(pre)
g_loss = np.mean(np.log(1 + np.exp(-(fake @ D["W"] + D["b"]))))
d_score = (1 / (1 + np.exp(-(fake @ D["W"] + D["b"]))) - 1) / 5
d_fake = d_score @ D["W"].T
d_pre = d_fake * (1 - fake ** 2)
grads_G = {}
grads_G["W"] = z.T @ d_pre
grads_G["b"] = np.sum(d_pre, axis=0, keepdims=True)
for k in G:
    G[k] -= 0.1 * grads_G[k]
"""

GROUPS = """\
import numpy as np
rng = np.random.RandomState(0)
def forward(x, gamma, G):
    N, C, H = x.shape
    g = x.reshape(N, G, -1)
    std = np.sqrt(g.var(axis=2, keepdims=True) + 1e-5)
    xn = ((g - g.mean(axis=2, keepdims=True)) / std).reshape(N, C, H)
    return gamma[None, :, None] * xn, (xn, std, gamma, G)
def backward(dout, cache):
    xn, std, gamma, G = cache
    N, C, H = dout.shape
    M = C // G * H
    dgamma = (dout * xn).sum(axis=(0, 2))
    dxn = (dout * gamma[None, :, None]).reshape(N, G, -1)
    g = xn.reshape(N, G, -1)
    dx = (M * dxn - dxn.sum(axis=2, keepdims=True) - g * (dxn * g).sum(axis=2, keepdims=True)) / (M * std)
    return dx.reshape(N, C, H), dgamma
x, gamma = rng.randn(2, 4, 3), rng.randn(4)
out, cache = forward(x, gamma, 2)
dout = rng.randn(2, 4, 3)
loss = np.sum(out * dout)
dx, dgamma = backward(dout, cache)
"""

#: A cell whose state goes on in three ways, and layers that are called one after the other.
CELL = """\
import numpy as np
rng = np.random.RandomState(0)
W, U, p, q = rng.randn(4, 3), rng.randn(4, 3), rng.randn(4), rng.randn(4)
xs, ys = rng.randn(3, 3), rng.randn(3, 4)
cs, fs, gs, loss = {-1: rng.randn(4)}, {}, {}, 0
for t in range(3):
    fs[t] = np.tanh(W @ xs[t] + p * cs[t - 1])
    gs[t] = np.tanh(U @ xs[t] + q * cs[t - 1])
    cs[t] = fs[t] * cs[t - 1] + gs[t]
    loss += 0.5 * np.sum((cs[t] - ys[t]) ** 2)
dW, dU, dp, dq = np.zeros_like(W), np.zeros_like(U), np.zeros_like(p), np.zeros_like(q)
dc_next = np.zeros(4)
for t in reversed(range(3)):
    dc = cs[t] - ys[t] + dc_next
    df = dc * cs[t - 1] * (1 - fs[t] ** 2)
    dg = dc * (1 - gs[t] ** 2)
    dW += np.outer(df, xs[t])
    dU += np.outer(dg, xs[t])
    dp += df * cs[t - 1]
    dq += dg * cs[t - 1]
    dc_next = dc * fs[t] + p * df + q * dg
"""

LAYERS = """\
import numpy as np
rng = np.random.RandomState(1)
class Low:
    def __init__(self, i, o):
        self.W, self.A, self.B = rng.randn(i, o), rng.randn(i, 2), rng.randn(2, o)
    def forward(self, x):
        self.x, self.h = x, x @ self.A
        return np.tanh(x @ self.W + self.h @ self.B)
    def backward(self, y, grad_out):
        grad_z = grad_out * (1 - y ** 2)
        self.grad_B = self.h.T @ grad_z
        grad_h = grad_z @ self.B.T
        self.grad_A = self.x.T @ grad_h
        return grad_z @ self.W.T + grad_h @ self.A.T
one, two = Low(4, 6), Low(6, 3)
x, t = rng.randn(5, 4), rng.randn(5, 3)
h = one.forward(x)
y = two.forward(h)
loss = np.sum((y - t) ** 2)
grad = two.backward(y, 2 * (y - t))
grad = one.backward(h, grad)
"""

SHARED_CELL = """\
import numpy as np
rng = np.random.RandomState(6)
class Cell:
    def __init__(self):
        self.W, self.U, self.stack = rng.randn(4, 5), rng.randn(5, 5), []
        self.dW, self.dU = np.zeros((4, 5)), np.zeros((5, 5))
    def __call__(self, x, h):
        out = np.tanh(x @ self.W + h @ self.U)
        self.stack.append((x, h, out))
        return out
    def back(self, dout):
        x, h, out = self.stack.pop()
        da = dout * (1 - out * out)
        self.dW += x.T @ da
        self.dU += h.T @ da
        return da @ self.U.T
cell, V, xs, ys = Cell(), rng.randn(5, 3), rng.randn(3, 2, 4), rng.randn(3, 2, 3)
h, hs, loss = np.zeros((2, 5)), [], 0
for t in range(3):
    h = cell(xs[t], h)
    hs.append(h)
    loss += 0.5 * np.sum((h @ V - ys[t]) ** 2)
dV, dh = np.zeros_like(V), np.zeros((2, 5))
for t in reversed(range(3)):
    dy = hs[t] @ V - ys[t]
    dV += hs[t].T @ dy
    dh = cell.back(dy @ V.T + dh)
"""

THREE = """\
import numpy as np
rng = np.random.RandomState(1)
class Embed:
    def __init__(self):
        self.W = rng.randn(4, 3)
    def __call__(self, x):
        return np.tanh(x @ self.W)
    def grad(self, x, h, dh):
        return x.T @ (dh * (1 - h ** 2))
net = Embed()
xa, xp, xn = rng.randn(5, 4), rng.randn(5, 4), rng.randn(5, 4)
a, p, n = net(xa), net(xp), net(xn)
loss = ((a - p) ** 2 - (a - n) ** 2).sum()
dW_a = net.grad(xa, a, 2 * (n - p))
dW_p = net.grad(xp, p, -2 * (a - p))
dW_n = net.grad(xn, n, 2 * (a - n))
dW = dW_a + dW_p + dW_n
"""

HEADS = """\
import numpy as np
rng = np.random.RandomState(0)
def split(z):
    return z.reshape(3, 2, 2).transpose(1, 0, 2)
def merge(z):
    return z.transpose(1, 0, 2).reshape(3, 4)
x, Wq, Wv = rng.randn(3, 4), rng.randn(4, 4), rng.randn(4, 4)
q, v = split(x @ Wq), split(x @ Wv)
e = np.exp(q @ q.transpose(0, 2, 1) / np.sqrt(2))
a = e / e.sum(axis=-1, keepdims=True)
out = merge(a @ v)
loss = 0.5 * np.sum(out ** 2)
dctx = split(out)
da = dctx @ v.transpose(0, 2, 1)
dv = a.transpose(0, 2, 1) @ dctx
ds = a * (da - (da * a).sum(axis=-1, keepdims=True)) / np.sqrt(2)
dq = merge((ds + ds.transpose(0, 2, 1)) @ q)
dv = merge(dv)
dWq = x.T @ dq
dWv = x.T @ dv
dx = dq @ Wq.T + dv @ Wv.T
"""

MARGINS = """\
import numpy as np
rng = np.random.default_rng(0)
X, W, y = rng.normal(size=(4, 4)), rng.normal(size=(4, 3)), np.array([0, 2, 1, 1])
loss, dW = 0.0, np.zeros_like(W)
for i in range(4):
    scores = X[i] @ W
    for j in range(3):
        margin = scores[j] - scores[y[i]] + 1
        if j != y[i] and margin > 0:
            loss += margin / 4
            dW[:, j] += X[i]
            dW[:, y[i]] -= X[i]
dW /= 4
"""

FUNCTION = """\
import torch
class Leaky(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, weight, bias):
        ctx.save_for_backward(x, weight)
        return x @ weight.t() + bias
    @staticmethod
    def backward(ctx, grad_output):
        x, weight = ctx.saved_tensors
        grad_x = grad_weight = grad_bias = None
        if ctx.needs_input_grad[0]:
            grad_x = grad_output.mm(weight)
        if ctx.needs_input_grad[1]:
            grad_weight = grad_output.t().mm(x)
        if ctx.needs_input_grad[2]:
            grad_bias = grad_output.sum(0)
        return grad_x, grad_weight, grad_bias
torch.manual_seed(0)
x, w, b = (torch.randn(*s, requires_grad=True) for s in ((5, 4), (3, 4), (3,)))
loss = (Leaky.apply(x, w, b) ** 2).mean()
loss.backward()
"""

#: A matrix whose gradient is added to, and of which a part is right by itself.
CHAIN = """\
import numpy as np
rng = np.random.RandomState(0)
A, y = rng.randn(3, 3), np.array([1, 2, 0, 0, 2])
P = np.exp(A) / np.exp(A).sum()
nll = 4 * np.log(np.exp(A).sum()) - A[y[:-1], y[1:]].sum()
dA = np.zeros_like(A)
for t in range(4):
    dA += P
    dA[y[t], y[t + 1]] -= 1
"""

TAPE = """\
import numpy as np
rng = np.random.RandomState(0)
class Linear:
    def __init__(self, i, o):
        self.params = [rng.randn(i, o), np.zeros(o)]
        self.grads = [np.zeros((i, o)), np.zeros(o)]
    def __call__(self, x):
        self.x = x
        return x @ self.params[0] + self.params[1]
    def backward(self, dout):
        self.grads[0][...] = self.x.T @ dout
        self.grads[1][...] = dout.sum(axis=0)
        return dout @ self.params[0].T
one, two = Linear(4, 5), Linear(5, 3)
noise, eps, t = np.cumprod(1 - np.linspace(0.1, 0.3, 6)), rng.randn(6, 3), rng.randn(6, 1)
inp = np.concatenate([noise[:, None] * eps, t], axis=1)
pred = two(one(inp))
loss = ((pred - eps) ** 2).mean()
dinp = one.backward(two.backward(2 * (pred - eps) / pred.size))
for layer in (one, two):
    for p, g in zip(layer.params, layer.grads):
        p -= 0.1 * g
"""

#: What begins the pass is an array of given numbers; results are kept in a dictionary called G.
CRITIC = """\
import numpy as np
rng = np.random.RandomState(2)
real, fake, p = rng.randn(6, 3), rng.randn(6, 3), {"W": rng.randn(3, 4), "v": rng.randn(4, 1)}
pr, pf = real @ p["W"], fake @ p["W"]
ar, af = np.where(pr > 0, pr, 0.1 * pr), np.where(pf > 0, pf, 0.1 * pf)
loss = (af @ p["v"]).mean() - (ar @ p["v"]).mean()
G = {}
gr = -np.ones((6, 1)) / 6
gf = np.ones((6, 1)) / 6
G["v"] = ar.T @ gr + af.T @ gf
dr, df = gr @ p["v"].T, gf @ p["v"].T
dr = np.where(pr > 0, dr, 0.1 * dr)
df = np.where(pf > 0, df, 0.1 * df)
G["W"] = real.T @ dr + fake.T @ df
"""

#: A true gradient is what a function is given.
POOL = """\
import numpy as np
rng = np.random.RandomState(0)
x, t = rng.randn(3, 8), rng.randn(3, 4)
def pool(x, k):
    return x.reshape(x.shape[0], x.shape[1] // k, k).mean(axis=2)
def pool_backward(dout, k):
    return np.repeat(dout, k, axis=1) / k
out = pool(x, 2)
loss = np.sum((out - t)**2)
dx = pool_backward(2*(out - t), 2)
"""

#: The noise of a sample, and an entropy, are worked out once more in the derivation.
NOISE = """\
import numpy as np
rng = np.random.RandomState(1)
x, W, S, V = rng.rand(3, 4), rng.randn(4, 2), rng.randn(4, 2) * 0.3, rng.randn(2, 4)
noise = rng.randn(3, 2)
mu, log_std = x @ W, x @ S
z = mu + np.exp(log_std) * noise
loss = 0.5 * np.sum((z @ V - x)**2) + np.sum(0.5 * mu**2 + 0.5 * np.exp(2 * log_std) - log_std)
std = np.exp(log_std)
eps = (z - mu) / std
d_z = (z @ V - x) @ V.T
dW = x.T @ (d_z + mu)
dS = x.T @ (d_z * eps * std + std**2 - 1)
"""
ENTROPY = """\
import numpy as np
rng = np.random.RandomState(2)
x, W, r = rng.randn(6, 3), rng.randn(3, 4), rng.randn(6, 4)
z = x @ W
p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
entropy = -(p * np.log(p)).sum(axis=1)
loss = np.sum(z * r) - 0.01 * entropy.sum()
logp = np.log(p)
ent = -(p * logp).sum(axis=1, keepdims=True)
dz = r + 0.01 * p * (logp + ent)
dW = x.T @ dz
"""

#: What comes back is the negative of what it is called inside.
NEGATED = """\
import numpy as np
X, y = np.array([[1.0, 0.3], [1.0, -0.8], [1.0, 1.4], [1.0, 0.6]]), np.array([1.0, 3.0, 0.0, 2.0])
def nll(beta):
    mu = X @ beta
    return np.sum(0.5 * (y - mu)**2)
def gradient(beta):
    mu = X @ beta
    dbeta = X.T @ (y - mu)
    return -dbeta
b = np.array([0.5, 0.1])
print(nll(b), gradient(b))
"""

#: Two losses, of which the second is made of what the first is made of; the value of the next state is held fixed.
ACTOR = """\
import numpy as np
rng = np.random.RandomState(5)
s, s2, theta, w = rng.randn(4), rng.randn(4), rng.randn(4, 3) * 0.1, rng.randn(4) * 0.1
a, r, gamma = 1, 0.7, 0.95
logits = s @ theta
p = np.exp(logits) / np.sum(np.exp(logits))
v, v2 = s @ w, s2 @ w
adv = r + gamma * v2 - v
actor_loss = -np.log(p[a]) * adv
grad_logits = p.copy()
grad_logits[a] -= 1
grad_theta = np.outer(s, grad_logits) * adv
critic_loss = 0.5 * (r + gamma * v2 - v) ** 2
grad_w = -adv * s
"""

#: Both ways of a skip connection; what is carried from the next time step, and entries of a mean over two axes.
SKIP = """\
import numpy as np
rng = np.random.RandomState(2)
def backward(go, H, W):
    gH = go * (1 - H**2)
    G = gH @ W.T
    G += go
    return G, gH
X, W, T = rng.randn(5, 4), rng.randn(4, 4), rng.randn(5, 4)
H = np.tanh(X @ W)
loss = 0.5 * np.sum((X + H - T)**2)
gX, gH = backward(X + H - T, H, W)
gW = X.T @ gH
"""
LINEAR = """\
import numpy as np
rng = np.random.RandomState(2)
T, u, A, B, C = 4, rng.randn(4), rng.randn(3, 3) * 0.4, rng.randn(3), rng.randn(3)
hs, ys = [np.zeros(3)], []
for k in range(T):
    hs.append(A @ hs[-1] + B * u[k])
    ys.append(C @ hs[-1])
target = rng.randn(T)
loss = 0.5 * np.sum((np.array(ys) - target)**2)
dy = np.array(ys) - target
dA, dB, dh = np.zeros_like(A), np.zeros_like(B), np.zeros(3)
for k in reversed(range(T)):
    dh = dh + C * dy[k]
    dA += np.outer(dh, hs[k])
    dB += dh * u[k]
    dh = A.T @ dh
"""
EXCITE = """\
import numpy as np
rng = np.random.RandomState(1)
x, t, W1, W2 = rng.randn(2, 4, 3, 5), rng.randn(2, 4, 3, 5), rng.randn(4, 3), rng.randn(3, 4)
s = x.mean(axis=(2, 3))
z = np.maximum(0, s @ W1)
g = 1 / (1 + np.exp(-z @ W2))
loss = 0.5 * np.sum((x * g[:, :, None, None] - t)**2)
dout = x * g[:, :, None, None] - t
da = np.sum(dout * x, axis=(2, 3)) * g * (1 - g)
dW2 = z.T @ da
dz = da @ W2.T
dz[z <= 0] = 0
dW1 = s.T @ dz
ds = dz @ W1.T
dx = dout * g[:, :, None, None]
dx += ds[:, :, None, None] / 15
"""

#: A function of the forward pass beside its own backward pass; a length that has a name.
ROTARY = """\
import numpy as np
rng = np.random.RandomState(4)
n, heads, hd = 5, 2, 4
d = heads * hd
X, Wq, Wk, T = rng.randn(n, d), rng.randn(d, d), rng.randn(d, d), rng.randn(heads, n, n)
ang = np.arange(n)[:, None] * (0.1 ** (np.arange(2) / 2))[None, :]
c, s = np.cos(ang)[None], np.sin(ang)[None]
def split(a):
    return a.reshape(n, heads, hd).transpose(1, 0, 2)
def merge(a):
    return a.transpose(1, 0, 2).reshape(n, d)
def rope(a):
    a1, a2 = a[..., :2], a[..., 2:]
    return np.concatenate([a1 * c - a2 * s, a1 * s + a2 * c], axis=-1)
def rope_backward(g):
    g1, g2 = g[..., :2], g[..., 2:]
    return np.concatenate([g1 * c + g2 * s, -g1 * s + g2 * c], axis=-1)
q, k = rope(split(X @ Wq)), rope(split(X @ Wk))
scores = q @ k.transpose(0, 2, 1) / np.sqrt(hd)
loss = 0.5 * np.sum((scores - T)**2)
dscores = (scores - T)
dscores = dscores / np.sqrt(hd)
dq = rope_backward(dscores @ k)
dk = rope_backward(dscores.transpose(0, 2, 1) @ q)
dWq = X.T @ merge(dq)
dWk = X.T @ merge(dk)
dX = merge(dq) @ Wq.T + merge(dk) @ Wk.T
"""

RIGHT = (
    ROTARY, CRITIC, SMOOTHED, GIVEN, SHARED, MASKED, TWO_NETS, HEADS, TAPE, POOL, NOISE, ENTROPY, NEGATED, ACTOR, SKIP,
    LINEAR, EXCITE,
)  # fmt: skip


@pytest.mark.parametrize("source", RIGHT)
def test_right_passes(source: str) -> None:
    """Labels that add up to one stay so at every point; masks of 0 and 1 choose; G["W"] is a weight."""
    passes(source)


#: The pass, what stands there, the slip, its kind, and a part of the fix.
SLIPS = [
    (SMOOTHED, "(P - Y) / 5", "(Y - P) / 5", "sign", ""),
    (TWO_NETS, "np.sum(d_pre, axis", "np.sum(d_fake, axis", "wrong-variable", "d_pre"),
    (TWO_NETS.replace("grads_G", "moves"), "np.sum(d_pre, axis", "np.sum(d_fake, axis", "wrong-variable", "d_pre"),
    (GROUPS, "M = C // G * H", "M = C * H", "scale", "// 2"),
    (CELL, "dc * fs[t] + p * df + q * dg", "dc * fs[t]", "missing-term", ""),
    (LAYERS, "return grad_z @ self.W.T + grad_h @ self.A.T", "return grad_h @ self.A.T", "missing-term", ""),
    (SHARED_CELL, "cell.back(dy @ V.T + dh)", "cell.back(dy @ V.T)", "missing-term", "dy @ V.T + dh"),
    (THREE, "net.grad(xp, p", "net.grad(xa, p", "wrong-variable", "xp"),
    (HEADS, "dx = dq @ Wq.T + dv @ Wv.T", "dx = dq @ Wq + dv @ Wv", "", ""),
    (HEADS, "dv = merge(dv)", "dv = dv.reshape(3, 4)", "transpose", "dv.transpose(1, 0, 2)"),
    (FUNCTION, "grad_weight, grad_bias\n", "grad_bias, grad_weight\n", "wrong-variable", "grad_x, grad_weight"),
    (CHAIN, "dA[y[t], y[t + 1]]", "dA[y[t + 1], y[t]]", "", ""),
    (CRITIC, "gr = -np.ones((6, 1)) / 6", "gr = np.ones((6, 1)) / 6", "sign", "-(np.ones((6, 1)) / 6)"),
    (CRITIC, "np.where(pf > 0, df, 0.1 * df)", "np.where(pf > 0, df, 0)", "missing-factor", "0.1 * df"),
    (TAPE, "/ pred.size", "/ len(pred)", "scale", "/3"),
    (ROTARY, "rope_backward(dscores @ k)", "rope(dscores @ k)", "", ""),
    (ROTARY, "dscores.transpose(0, 2, 1) @ q", "dscores @ q", "transpose", "transpose"),
    (ROTARY, "dscores / np.sqrt(hd)", "dscores / np.sqrt(d)", "", ""),
    (POOL, "axis=1) / k", "axis=1)", "scale", ""),
    (NOISE, "eps * std", "eps", "missing-factor", "std"),
    (ENTROPY, "logp + ent", "logp - ent", "sign", "+ ent"),
    (NEGATED, "(y - mu)\n", "(y + mu)\n", "sign", "- mu"),
    (ACTOR, ") * adv\ncritic", ")\ncritic", "missing-factor", "adv"),
    (ACTOR, "-adv * s", "-adv * s2", "", ""),
    (ACTOR, "-adv * s", "adv * s", "sign", ""),
    (SKIP, "G += go", "G = go", "lost-accumulation", "G + go"),
    (LINEAR, "dh + C * dy[k]", "C * dy[k]", "lost-accumulation", ""),
    (EXCITE, " / 15", "", "scale", ""),
    (EXCITE, "z <= 0", "z > 0", "wrong-formula", "z <= 0"),
]  # fmt: skip


@pytest.mark.parametrize(("source", "right", "slip", "kind", "fix"), SLIPS)
def test_slips(source: str, right: str, slip: str, kind: str, fix: str) -> None:
    assert fix in (found(source, right, slip, kind).fix or "")


def test_a_term_of_another_entry_is_left_out() -> None:
    """It belongs beside the line that adds to the entries of the loop."""
    report = symgrad.check(MARGINS.replace("            dW[:, y[i]] -= X[i]\n", ""))
    (root,) = [f for f in report.findings if f.root]
    assert (root.line, root.fix) == (11, "dW[:, j] += X[i]; dW[:, y[i]] -= X[i]"), report.explain()
