"""Matrix factorisation of partly observed ratings with biases of users and items."""

# loss: loss
# inputs: U V bu bi
# gradients: dU=U dV=V dbu=bu dbi=bi
import numpy as np

np.random.seed(26)
n_users, n_items, rank = 4, 5, 3
U = np.random.randn(n_users, rank)
V = np.random.randn(n_items, rank)
bu = np.random.randn(n_users)
bi = np.random.randn(n_items)
R = np.random.randn(n_users, n_items) * 2
M = (np.random.rand(n_users, n_items) < 0.7) * 1.0
reg = 0.1

E = M * (R - U @ V.T - bu[:, None] - bi[None, :])
loss = np.sum(E**2) + reg * (np.sum(U**2) + np.sum(V**2))

# --- manual
dU = -2 * E @ V + 2 * reg * U
dV = -2 * E.T @ U + 2 * reg * V
dbu = -2 * E.sum(axis=1)
dbi = -2 * E.sum(axis=0)
print(dU, dV)
