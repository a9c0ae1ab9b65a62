"""Q = X W, Z = Q + b, O = sum(Z): every derivative on the way, from the output down. All of them are right."""

# ruff: noqa: E741  (O is what the output is called on paper)

import numpy as np

X = np.array([[1.0, 2.0, -1.0], [0.5, -3.0, 2.0]])
W = np.array([[0.2, -0.5, 1.5, 2.5], [0.7, 0.3, -1.1, -0.4], [-0.6, 0.9, 0.1, 1.3]])
b = np.array([0.1, -0.2, 0.3, 0.4])

Q = X @ W
Z = Q + b
O = np.sum(Z)

dO_dZ = np.ones_like(Z)
dO_dQ = dO_dZ
dO_db = np.sum(dO_dZ, axis=0)
dO_dX = dO_dQ @ W.T
dO_dW = X.T @ dO_dQ
print(dO_dX, dO_dW, dO_db)
