import numpy as np
rng = np.random.RandomState(5)
X = rng.randn(5, 4).astype(np.float32)
W = rng.randn(4, 3).astype(np.float32)
b = np.zeros(3, dtype=np.float32)
y = np.array([0, 2, 1, 1, 0])
s = X @ W + b
s = s - s.max(axis=1, keepdims=True)
p = np.exp(s)
p /= p.sum(axis=1, keepdims=True)
loss = -np.log(p[np.arange(5), y]).mean() + 0.05 * np.sum(W * W)
dscores = p
dscores[np.arange(5), y] -= 1
dscores /= 5
dW = X.T @ dscores
dW += 0.1 * W
db = np.sum(dscores, axis=0)
dX = dscores @ W.T
print(loss, dW, db, dX)
