"""Batch normalisation, step by step. The mean is taken from x, and nothing flows back through it: a term is missing."""

import numpy as np

np.random.seed(3)
x = np.random.randn(5, 3) * 2 + 1
gamma = np.ones(3)
beta = np.zeros(3)
dout = np.random.randn(5, 3)
eps = 1e-5
N = x.shape[0]

mu = np.mean(x, axis=0)
xmu = x - mu
var = np.mean(xmu**2, axis=0)
inv = 1 / np.sqrt(var + eps)
xhat = xmu * inv
out = gamma * xhat + beta
loss = np.sum(out * dout)

dbeta = np.sum(dout, axis=0)
dgamma = np.sum(dout * xhat, axis=0)
dxhat = dout * gamma
dinv = np.sum(dxhat * xmu, axis=0)
dvar = -0.5 * inv**3 * dinv
dxmu = dxhat * inv + 2 * xmu * dvar / N
dx = dxmu
print(dx, dgamma, dbeta)
