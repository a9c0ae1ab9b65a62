import numpy as np

rng = np.random.default_rng(3)
X = rng.normal(size=(4, 6))          # features x samples
Y = np.eye(3)[:, [0, 2, 1, 1, 0, 2]]
W1, b1 = rng.normal(size=(5, 4)), rng.normal(size=(5, 1))
W2, b2 = rng.normal(size=(3, 5)), rng.normal(size=(3, 1))
m = X.shape[1]

Z1 = W1 @ X + b1
A1 = np.maximum(0, Z1)
Z2 = W2 @ A1 + b2
E = np.exp(Z2 - Z2.max(axis=0, keepdims=True))
P = E / E.sum(axis=0, keepdims=True)
loss = -np.sum(Y * np.log(P)) / m

gW1, gb1 = np.zeros_like(W1), np.zeros_like(b1)
gW2, gb2 = np.zeros_like(W2), np.zeros_like(b2)
for k in range(m):
    d2 = (P[:, k] - Y[:, k]) / m
    gW2 += np.outer(d2, A1[:, k])
    gb2[:, 0] += d2
    d1 = W2.T.dot(d2)
    d1[Z1[:, k] < 0] = 0.0
    gW1 += np.outer(d1, X[:, k])
    gb1 += d1[:, None]
