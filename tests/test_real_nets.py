"""Nets as people write them: layers trained over epochs, masks of -inf, names that functions have as well."""

from __future__ import annotations

import re

import pytest

import symgrad
from tests.slips import found, passes

LAYERS = """
import numpy as np
rng = np.random.default_rng(1)
class Dense:
    def __init__(self, n_in, n_out):
        self.W, self.b = rng.normal(size=(n_in, n_out)), np.zeros((1, n_out))
    def forward(self, inputs):
        self.inputs = inputs
        return inputs @ self.W + self.b
    def backward(self, dvalues):
        self.dW = self.inputs.T @ dvalues
        self.db = np.sum(dvalues, axis=0, keepdims=True)
        self.dinputs = dvalues @ self.W.T
        return self.dinputs
class Tanh:
    def forward(self, inputs):
        self.inputs = inputs
        self.output = np.tanh(inputs)
        return self.output
    def backward(self, dvalues):
        self.dinputs = dvalues * (1 - self.output**2)
        return self.dinputs
X, y = rng.normal(size=(6, 3)), rng.normal(size=(6, 2))
layers = [Dense(3, 4), Tanh(), Dense(4, 2)]
for epoch in range(2):
    out = X
    for layer in layers:
        out = layer.forward(out)
    loss = np.mean((out - y)**2)
    grad = 2*(out - y)/out.size
    for layer in reversed(layers):
        grad = layer.backward(grad)
    for layer in layers:
        if isinstance(layer, Dense):
            layer.W -= 0.1*layer.dW
            layer.b -= 0.1*layer.db
"""
ATTENTION = """
import numpy as np
rng = np.random.default_rng(0)
T, d = 4, 3
Q, K, V = rng.normal(size=(T, d)), rng.normal(size=(T, d)), rng.normal(size=(T, d))
mask = np.triu(np.full((T, T), -np.inf), 1)
S = Q @ K.T/np.sqrt(d) + mask
E = np.exp(S - S.max(axis=1, keepdims=True))
P = E/E.sum(axis=1, keepdims=True)
loss = np.sum((P @ V)**2)
dO = 2*(P @ V)
dP = dO @ V.T
dV = P.T @ dO
dS = P*(dP - np.sum(dP*P, axis=1, keepdims=True))
dQ = dS @ K/np.sqrt(d)
dK = dS.T @ Q/np.sqrt(d)
"""
#: x is what the function pads as well, and what it adds up in.
WINDOWS = """
import numpy as np
def windows(x):
    x = np.pad(x, 1)
    return np.stack([x[i:i+3] for i in range(5)])
def back(cols):
    x = np.zeros(7)
    for i in range(5):
        x[i:i+3] += cols[i]
    return x[1:-1]
x = np.array([0.3, -0.2, 0.8, 0.5, -0.6])
w = np.array([0.4, -0.7, 0.9])
out = np.tanh(windows(x) @ w)
loss = np.sum(out**2)
dout = 2*out*(1 - out**2)
dw = windows(x).T @ dout
dx = back(np.outer(dout, w))
"""
#: A loop over all parameters gives every one of them another name, and C is not c.
SEQUENCE = """
import numpy as np
rng = np.random.default_rng(3)
N, T = 3, 4
C, W = rng.normal(size=(5, 3)), 0.5*rng.normal(size=(3, 3))
ids = np.array([[0, 1, 1, 4], [2, 2, 0, 1], [3, 1, 2, 0]])
cs, loss = [np.zeros((N, 3))], 0.0
for t in range(T):
    c = np.tanh(C[ids[:, t]] + cs[-1] @ W)
    cs.append(c)
    loss = loss + 0.5*np.sum(c**2)/(N*T)
dC, dW, dcnext = np.zeros_like(C), np.zeros_like(W), np.zeros((N, 3))
for t in reversed(range(T)):
    g = cs[t+1].copy()
    g /= N*T
    dc = g + dcnext
    da = dc*(1 - cs[t+1]**2)
    dW += cs[t].T @ da
    for k in range(N):
        dC[ids[k, t]] += da[k]
    dcnext = da @ W.T
for p, dp in zip([C, W], [dC, dW]):
    print(p.shape == dp.shape)
"""
GELU = """
import numpy as np
rng = np.random.default_rng(4)
def gelu(x):
    s = np.sqrt(2/np.pi)
    t = np.tanh(s*(x + 0.044715*x**3))
    return 0.5*x*(1 + t), t
def gelu_back(dy, x, t):
    s = np.sqrt(2/np.pi)
    dt = (1 - t**2)*s*(1 + 3*0.044715*x**2)
    return dy*(0.5*(1 + t) + 0.5*x*dt)
def attend(q):
    s = q @ q.T
    return s @ q, s
def attend_back(dy, q, s):
    ds = dy @ q.T
    return s.T @ dy + ds @ q + ds.T @ q
z = rng.normal(size=(4, 3))
u, t = gelu(z)
y, s = attend(u)
loss = np.sum(y**2)
du = attend_back(2*y, u, s)
dz = gelu_back(du, z, t)
"""
FUNCTION = """
import torch
class Logistic(torch.autograd.Function):
    @staticmethod
    def forward(ctx, score, sign):
        m = score*sign
        ctx.save_for_backward(m, sign)
        return torch.log1p(torch.exp(-m)).mean()
    @staticmethod
    def backward(ctx, g):
        m, sign = ctx.saved_tensors
        return -g*sign*torch.sigmoid(-m)/m.numel(), None
v = torch.randn(4, dtype=torch.float64, requires_grad=True)
x = torch.randn(3, 4, dtype=torch.float64)
sign = torch.tensor([1.0, -1.0, 1.0], dtype=torch.float64)
loss = Logistic.apply(x @ v, sign)
loss.backward()
print(v.grad)
"""
#: The label is 1 for all.
GENERATOR = """
import numpy as np
rng = np.random.default_rng(5)
z, W, v = rng.normal(size=(5, 2)), rng.normal(size=(2, 3)), rng.normal(size=(3, 1))
h = np.tanh(z @ W)
p = 1/(1 + np.exp(-(h @ v)))
loss = -np.mean(np.log(p))
dlogit = (p - 1)/len(z)
dv = h.T @ dlogit
da = (dlogit @ v.T)*(1 - h**2)
dW = z.T @ da
"""
#: What is added up is changed at one place afterwards.
COUNTS = """
import numpy as np
rng = np.random.default_rng(6)
W, X, ids = rng.normal(size=4), rng.normal(size=(3, 4)), [2, 0, 3]
ps, loss = [], 0.0
for k in range(3):
    e = np.exp(W*X[k])
    ps.append(e/e.sum())
    loss = loss - np.log(ps[k][ids[k]])
dW = np.zeros(4)
for k in range(3):
    g = ps[k]*X[k]
    dW += g
    dW[ids[k]] -= X[k, ids[k]]
"""
ALL = {
    "layers": LAYERS, "attention": ATTENTION, "windows": WINDOWS, "sequence": SEQUENCE, "gelu": GELU,
    "function": FUNCTION, "generator": GENERATOR, "counts": COUNTS,
}  # fmt: skip


@pytest.mark.parametrize("name", ALL)
def test_right_nets_are_right(name: str) -> None:
    passes(ALL[name])


@pytest.mark.parametrize(("name", "right", "slip", "mistake"), [
    ("layers", "self.dW = self.inputs.T @ dvalues", "self.dW = self.inputs.T @ dvalues/len(dvalues)", "scale"),
    ("attention", "dK = dS.T @ Q", "dK = dS @ Q", ""),
    ("windows", "x[i:i+3] += cols[i]", "x[i:i+3] = cols[i]", "lost-accumulation"),
    ("sequence", "dC[ids[k, t]] += da[k]", "dC[ids[k, t]] = da[k]", ""),
    ("counts", "dW += g", "dW = g", "lost-accumulation"),
    ("generator", "(p - 1)/len", "p/len", "missing-term"),
    ("function", "-g*sign*torch", "-g*torch", ""),
])  # fmt: skip
def test_a_slip_is_found_in_its_line(name: str, right: str, slip: str, mistake: str) -> None:
    found(ALL[name], right, slip, mistake)


def test_a_number_that_is_left_out_of_what_an_augmented_line_divides_by_is_named() -> None:
    root = found(SEQUENCE, "g /= N*T", "g /= N", "missing-factor")
    assert re.sub(r"\s", "", root.fix) in ("N*T", "T*N")


def test_an_infinite_input_that_makes_the_loss_infinite_is_said() -> None:
    source = "import numpy as np\nx = np.array([1.0, np.inf])\nL = np.sum(x**2)\ndx = 2*x\n"
    with pytest.raises(symgrad.SymgradError, match="L is infinite"):
        symgrad.check(source)
