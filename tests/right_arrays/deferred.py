import numpy as np
rng = np.random.RandomState(11)
m = 8
X, Y = rng.randn(3, m), (rng.rand(1, m) > 0.5) * 1.0
W1, b1, W2, b2 = rng.randn(4, 3), np.zeros((4, 1)), rng.randn(1, 4), np.zeros((1, 1))
Z1 = W1 @ X + b1
A1 = np.tanh(Z1)
Z2 = W2 @ A1 + b2
A2 = 1 / (1 + np.exp(-Z2))
cost = -np.sum(Y * np.log(A2) + (1 - Y) * np.log(1 - A2)) / m
dZ2 = A2 - Y
dW2 = dZ2 @ A1.T / m
db2 = np.sum(dZ2, axis=1, keepdims=True) / m
dZ1 = W2.T @ dZ2 * (1 - A1 ** 2)
dW1 = dZ1 @ X.T / m
db1 = np.sum(dZ1, axis=1, keepdims=True) / m
print(dW1, db1, dW2, db2)
