"""Variational autoencoder: reparametrised sample with fixed noise, Bernoulli decoder, closed-form KL."""

# loss: loss
# inputs: Wm Ws Wd bd
# gradients: dWm=Wm dWs=Ws dWd=Wd dbd=bd
import numpy as np

np.random.seed(21)
B, X, Z = 4, 5, 3
x = np.random.rand(B, X)
eps = np.random.randn(B, Z)
Wm = np.random.randn(X, Z) * 0.5
Ws = np.random.randn(X, Z) * 0.5
Wd = np.random.randn(Z, X) * 0.5
bd = np.zeros(X)

mu = x @ Wm
logvar = x @ Ws
std = np.exp(0.5 * logvar)
z = mu + std * eps
logits = z @ Wd + bd
xr = 1 / (1 + np.exp(-logits))
rec = -np.sum(x * np.log(xr) + (1 - x) * np.log(1 - xr)) / B
kl = -0.5 * np.sum(1 + logvar - mu**2 - np.exp(logvar)) / B
loss = rec + kl

# --- manual
dlogits = (xr - x) / B
dWd = z.T @ dlogits
dbd = np.sum(dlogits, axis=0)
dz = dlogits @ Wd.T
dmu = dz + mu / B
dstd = dz * eps
dlogvar = dstd * 0.5 * std
dlogvar += 0.5 * (np.exp(logvar) - 1) / B
dWm = x.T @ dmu
dWs = x.T @ dlogvar
print(dWm, dWs)
