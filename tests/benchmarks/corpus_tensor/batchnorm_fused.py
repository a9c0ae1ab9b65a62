"""Batch normalisation with the gradient in one line, as it comes out when everything is simplified on paper."""

# loss: L
# inputs: x gamma beta target
# gradients: grad_x=x grad_gamma=gamma grad_beta=beta
import numpy as np

np.random.seed(8)
m = 4
x = np.random.randn(m, 3) * 1.7
gamma = np.random.rand(3) + 0.5
beta = np.random.randn(3)
target = np.random.randn(m, 3)
eps = 1e-3

mean = x.mean(axis=0)
var = x.var(axis=0)
inv_std = 1 / np.sqrt(var + eps)
x_hat = (x - mean) * inv_std
y = gamma * x_hat + beta
L = 0.5 * np.mean((y - target) ** 2)

# --- manual
grad_y = (y - target) / y.size
grad_beta = grad_y.sum(0)
grad_gamma = (grad_y * x_hat).sum(0)
grad_x = gamma * inv_std / m * (m * grad_y - grad_beta - x_hat * grad_gamma)
print(grad_x, grad_gamma, grad_beta)
