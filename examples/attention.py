"""Scaled dot-product attention. The scores are divided by sqrt(d); the gradient of the keys is not."""

# ruff: noqa: E741  (O is what the output is called on paper)

import numpy as np

np.random.seed(5)
T, d = 4, 3
Q = np.random.randn(T, d)
K = np.random.randn(T, d)
V = np.random.randn(T, d)
G = np.random.randn(T, d)

S = Q @ K.T / np.sqrt(d)
E = np.exp(S - np.max(S, axis=1, keepdims=True))
A = E / np.sum(E, axis=1, keepdims=True)
O = A @ V
loss = np.sum(O * G)

dO = G
dV = A.T @ dO
dA = dO @ V.T
dS = A * (dA - np.sum(dA * A, axis=1, keepdims=True))
dQ = dS @ K / np.sqrt(d)
dK = dS.T @ Q
print(dQ, dK, dV)
