import numpy as np
rng = np.random.RandomState(7)
X, t = rng.randn(6, 3), rng.randn(6)
w, b = rng.randn(3), 0.3
err = t - (X @ w + b)
loss = np.sum(err ** 2) / 2
delta_w = X.T @ err
delta_b = err.sum()
w += 0.01 * delta_w
b += 0.01 * delta_b
print(w, b)
