"""Logistic regression with L2 on the weights and not on the bias."""

# loss: J
# inputs: theta theta0
# gradients: grad=theta grad0=theta0
import numpy as np

np.random.seed(24)
m, n = 5, 3
X = np.random.randn(m, n)
y = np.array([1.0, 0.0, 0.0, 1.0, 1.0])
theta = np.random.randn(n)
theta0 = 0.4
lam = 0.8

h = 1.0 / (1.0 + np.exp(-(X @ theta + theta0)))
J = -np.mean(y * np.log(h) + (1 - y) * np.log(1 - h)) + lam / (2 * m) * np.sum(theta**2)

# --- manual
error = h - y
grad = X.T @ error / m + lam / m * theta
grad0 = np.mean(error)
print(J, grad, grad0)
