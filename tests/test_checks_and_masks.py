"""Losses that only a gradient check works out, and second derivatives of them; masks that both passes lay over what
they work out; weights that are drawn and scaled; gradients that nobody wants, and those that pass a rounding."""

import pytest

import symgrad

TSNE = """import numpy as np

def pairwise_q(Y):
    sum_Y = np.sum(np.square(Y), 1)
    num = -2. * np.dot(Y, Y.T)
    num = 1. / (1. + np.add(np.add(num, sum_Y).T, sum_Y))
    num[range(len(Y)), range(len(Y))] = 0.
    Q = num / np.sum(num)
    Q = np.maximum(Q, 1e-12)
    return Q, num

def kl(P, Y):
    Q, _ = pairwise_q(Y)
    return np.sum(P * np.log(P / Q))

def grad(P, Y):
    n, d = Y.shape
    Q, num = pairwise_q(Y)
    PQ = P - Q
    dY = np.zeros_like(Y)
    for i in range(n):
        dY[i, :] = 4 * np.sum(np.tile(PQ[:, i] * num[:, i], (d, 1)).T * (Y[i, :] - Y), 0)
    return dY

rng = np.random.RandomState(0)
n = 6
Y = rng.randn(n, 2)
P = rng.rand(n, n)
P = P + P.T
np.fill_diagonal(P, 0)
P = P / P.sum()
P = np.maximum(P, 1e-12)

g = grad(P, Y)
num_g = np.zeros_like(Y)
h = 1e-5
for i in range(n):
    for j in range(2):
        Yp = Y.copy(); Yp[i, j] += h
        Ym = Y.copy(); Ym[i, j] -= h
        num_g[i, j] = (kl(P, Yp) - kl(P, Ym)) / (2 * h)
print(np.abs(g - num_g).max())
"""

POISSON = """import numpy as np
rng = np.random.default_rng(4)
X = np.column_stack([np.ones(8), rng.normal(size=(8, 2))])
y = rng.poisson(2.0, size=8)
beta = np.array([0.2, -0.3, 0.5])
offset = np.log(rng.uniform(1, 3, size=8))

def nll(beta):
    eta = X @ beta + offset
    mu = np.exp(eta)
    return np.sum(mu - y * eta)

def score(beta):
    eta = X @ beta + offset
    mu = np.exp(eta)
    return X.T @ (mu - y)

def hessian(beta):
    eta = X @ beta + offset
    mu = np.exp(eta)
    return X.T @ (mu[:, None] * X)

for it in range(4):
    step = np.linalg.solve(hessian(beta), score(beta))
    beta = beta - step
    print(it, nll(beta))
"""

REINFORCED = """import numpy as np
rng = np.random.RandomState(0)
H, D = 4, 6
W1 = rng.randn(H, D) / np.sqrt(D)
W2 = rng.randn(H)
X = rng.randn(5, D)
loss = 0.0
hs = []
ds = []
for t in range(5):
    h = W1 @ X[t]; h[h < 0] = 0
    s = W2 @ h
    loss += s ** 2
    hs.append(h)
    ds.append(2 * s)
hs = np.vstack(hs)
ds = np.vstack(ds)
dW2 = (hs.T @ ds).ravel()
dh = np.outer(ds, W2)
dh[hs <= 0] = 0
dW1 = dh.T @ X
print(dW1, dW2)
"""

CAMERA = """import numpy as np

def project(X, f, cx, cy):
    x, y, z = X
    u = f * x / z + cx
    v = f * y / z + cy
    return np.array([u, v])

def project_jacobian(X, f):
    x, y, z = X
    return np.array([[f / z, 0.0, -f * x / z ** 2],
                     [0.0, f / z, -f * y / z ** 2]])

def residuals(X, obs, f, cx, cy):
    return project(X, f, cx, cy) - obs

X = np.array([0.4, -0.7, 3.0])
obs = np.array([330.0, 120.0])
f, cx, cy = 500.0, 320.0, 240.0
for _ in range(2):
    r = residuals(X, obs, f, cx, cy)
    J = project_jacobian(X, f)
    cost = 0.5 * r @ r
    grad = J.T @ r
    X = X - 1e-6 * grad
    print(cost, grad)
"""

DICE = """import torch

class DiceLoss(torch.autograd.Function):
    @staticmethod
    def forward(ctx, input, target):
        ctx.save_for_backward(input, target)
        eps = 0.0001
        ctx.inter = torch.dot(input.view(-1), target.view(-1))
        ctx.union = torch.sum(input) + torch.sum(target) + eps
        t = (2 * ctx.inter.float() + eps) / ctx.union.float()
        return 1 - t

    @staticmethod
    def backward(ctx, grad_output):
        input, target = ctx.saved_tensors
        grad_input = grad_target = None
        if ctx.needs_input_grad[0]:
            grad_input = -grad_output * (2 * target * ctx.union - (2 * ctx.inter + 0.0001)) / (ctx.union * ctx.union)
        if ctx.needs_input_grad[1]:
            grad_target = None
        return grad_input, grad_target

torch.manual_seed(1)
x = torch.rand(3, 4, dtype=torch.double, requires_grad=True)
t = (torch.rand(3, 4) > 0.5).double()
loss = DiceLoss.apply(x, t)
loss.backward()
print(loss.item(), x.grad)
print(torch.autograd.gradcheck(DiceLoss.apply, (x, t)))
"""

STEPS = """import torch
x = torch.tensor([0.3, -2.2, 5.1, 1.4], requires_grad=True)
s = torch.tensor([0.5], requires_grad=True)
v = x / s
r = torch.round(v)
c = torch.clamp(r, -4, 3)
out = c * s
L = (out**2).sum()
dout = 2 * out
inside = ((v >= -4) & (v <= 3)).float()
dx = dout * inside
above = torch.where(v > 3, torch.full_like(v, 3.0), torch.round(v) - v)
ds = (dout * torch.where(v < -4, torch.full_like(v, -4.0), above)).sum()
print(dx, ds)
"""

QUANTIZED = """import torch
class RoundSTE(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return torch.round(x)
    @staticmethod
    def backward(ctx, g):
        return g

class LSQ(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, s, qn, qp):
        ctx.save_for_backward(x, s)
        ctx.q = (qn, qp)
        return torch.clamp(torch.round(x / s), qn, qp) * s
    @staticmethod
    def backward(ctx, g):
        x, s = ctx.saved_tensors
        qn, qp = ctx.q
        v = x / s
        inside = ((v >= qn) & (v <= qp)).float()
        gx = g * inside
        above = torch.where(v > qp, torch.full_like(v, qp), torch.round(v) - v)
        gs = torch.where(v < qn, torch.full_like(v, qn), above)
        return gx, (g * gs).sum().reshape(s.shape), None, None

x = torch.tensor([0.3, -2.2, 5.1, 1.4], requires_grad=True)
s = torch.tensor([0.5], requires_grad=True)
out = LSQ.apply(x, s, -4, 3)
y = RoundSTE.apply(x)
(out.sum() + y.sum()).backward()
print(x.grad, s.grad)
"""


@pytest.mark.parametrize("source", [TSNE, POISSON, REINFORCED, CAMERA, DICE, STEPS, QUANTIZED])
def test_right_work(source: str) -> None:
    report = symgrad.check(source)
    assert report.ok, report.explain()
    assert report.confirmed


SLIPS = [
    (TSNE, "4 * np.sum", "2 * np.sum"),
    (TSNE, "PQ = P - Q", "PQ = Q - P"),
    (POISSON, "return X.T @ (mu - y)", "return X.T @ (eta - y)"),
    (POISSON, "(mu[:, None] * X)", "X"),
    (POISSON, "(mu[:, None] * X)", "(y[:, None] * X)"),
    (REINFORCED, "dW1 = dh.T @ X", "dW1 = hs.T @ X"),
    (REINFORCED, "np.outer(ds, W2)", "np.outer(ds, np.ones(H))"),
    (CAMERA, "-f * y / z ** 2", "-f * x / z ** 2"),
    (DICE, "-grad_output * (2", "grad_output * (2"),
    (DICE, "(2 * target * ctx.union", "(2 * input * ctx.union"),
    (STEPS, "dout = 2 * out", "dout = out"),
]


@pytest.mark.parametrize(("source", "right", "wrong"), SLIPS)
def test_slips_at_their_lines(source: str, right: str, wrong: str) -> None:
    assert source.count(right) == 1
    report = symgrad.check(source.replace(right, wrong))
    line = source[: source.index(right)].count("\n") + 1
    assert {f.span.line for f in report.findings if f.root and f.span} == {line}, report.explain()


def test_a_multiple_is_told_beside_what_functions_say() -> None:
    report = symgrad.check(CAMERA.replace("grad = J.T @ r", "grad = 2 * J.T @ r"))
    assert report.ok
    assert any("line 24: grad is the gradient times 2" in f.message for f in report.findings)


def test_nobody_says_whether_the_gradient_is_wanted() -> None:
    """Without a call of the Function in the file it is not known whether None is enough."""
    report = symgrad.check(DICE.partition("torch.manual_seed")[0])
    assert any(f.code == "unchecked" and "target" in f.message for f in report.findings), report.explain()


def test_an_approximate_hessian_is_not_called_right() -> None:
    report = symgrad.check(POISSON.replace("X.T @ (mu[:, None] * X)", "X.T @ X + 0.1 * np.eye(3)"))
    assert report.ok
    assert any(f.code == "unchecked" and "hessian" in f.message for f in report.findings), report.explain()


def test_a_place_in_a_table_is_no_rounding_that_is_passed() -> None:
    """x - floor(x) changes as x does; nothing is right only because floor was taken for nothing."""
    source = """import numpy as np
table = np.array([0.3, 1.1, -0.4, 0.8, 2.0])
x = np.array([1.3, 0.2, 2.6])
k = np.floor(x).astype(int)
a = x - k
v = (1 - a) * table[k] + a * table[k + 1]
loss = np.sum(v ** 2)
dv = 2 * v
da = dv * (table[k + 1] - table[k])
dx = da
dtable = np.zeros_like(table)
np.add.at(dtable, k, dv * (1 - a))
np.add.at(dtable, k + 1, dv * a)
"""
    assert symgrad.check(source).ok
    report = symgrad.check(source.replace("dv * (1 - a)", "dv * a"))
    assert [f.span.line for f in report.findings if f.root and f.span] == [12], report.explain()
