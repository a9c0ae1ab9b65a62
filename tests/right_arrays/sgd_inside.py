import numpy as np

rng = np.random.default_rng(2)
X = rng.normal(size=(8, 3))
y = (X[:, [0]] * 1.5 - X[:, [1]] > 0).astype(np.float64)
w, b = rng.normal(size=(3, 1)), 0.3
lr = 0.5
for _ in range(3):
    z = X @ w + b
    p = 1.0 / (1.0 + np.exp(-z))
    loss = -(y * np.log(p) + (1 - y) * np.log(1 - p)).mean()
    err = (p - y)
    grad_w = (err * X).mean(axis=0).reshape(-1, 1)
    grad_b = err.mean()
    w = w - lr * grad_w
    b = b - lr * grad_b
