"""Scaled dot-product attention, one head, with its three projections."""

# loss: loss
# inputs: X Wq Wk Wv G
# gradients: dX=X dWq=Wq dWk=Wk dWv=Wv
import numpy as np

np.random.seed(19)
T, D, d = 4, 5, 3
X = np.random.randn(T, D)
Wq = np.random.randn(D, d) * 0.6
Wk = np.random.randn(D, d) * 0.6
Wv = np.random.randn(D, d) * 0.6
G = np.random.randn(T, d)

Q = X @ Wq
K = X @ Wk
V = X @ Wv
S = Q @ K.T / np.sqrt(d)
e = np.exp(S - S.max(axis=-1, keepdims=True))
A = e / e.sum(axis=-1, keepdims=True)
O = A @ V
loss = np.sum(O * G)

# --- manual
dO = G
dV = A.T @ dO
dA = dO @ V.T
dS = A * (dA - np.sum(dA * A, axis=-1, keepdims=True))
dQ = dS @ K / np.sqrt(d)
dK = dS.T @ Q / np.sqrt(d)
dWq = X.T @ dQ
dWk = X.T @ dK
dWv = X.T @ dV
dX = dQ @ Wq.T + dK @ Wk.T + dV @ Wv.T
print(dX, dWq)
