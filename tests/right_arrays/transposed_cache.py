import numpy as np


def bn_forward(x, gamma, beta, eps=1e-5):
    # x: (features, samples)
    mu = x.mean(axis=1, keepdims=True)
    var = x.var(axis=1, keepdims=True)
    inv = (var + eps) ** -0.5
    xn = (x - mu) * inv
    return gamma * xn + beta, (xn, inv, gamma)


def bn_backward(dout, cache):
    xn, inv, gamma = cache
    n = dout.shape[-1]
    dbeta = dout.sum(-1, keepdims=True)
    dgamma = np.einsum("fs,fs->f", dout, xn)[:, None]
    dx = gamma * inv / n * (n * dout - dbeta - xn * dgamma)
    return dx, dgamma, dbeta


rng = np.random.default_rng(0)
x = rng.normal(size=(3, 8))
gamma, beta = rng.normal(size=(3, 1)), rng.normal(size=(3, 1))
out, cache = bn_forward(x, gamma, beta)
target = rng.normal(size=(3, 8))
loss = ((out - target) ** 2).sum() / 2
dx, dgamma, dbeta = bn_backward(out - target, cache)
