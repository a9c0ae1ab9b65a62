"""Residual block: two products around a skip connection, softplus, and a norm as the loss."""

# loss: loss
# inputs: x W1 b1 W2 wo
# gradients: dL_dx=x dL_dW1=W1 dL_db1=b1 dL_dW2=W2 dL_dwo=wo
import numpy as np

rng = np.random.default_rng(28)
x = rng.standard_normal((3, 4))
W1 = rng.standard_normal((4, 6)) * 0.7
b1 = rng.standard_normal(6) * 0.3
W2 = rng.standard_normal((6, 4)) * 0.7
wo = rng.standard_normal(4)

a = x @ W1 + b1
u = np.log(1 + np.exp(a))
y = x + u @ W2
score = y @ wo
loss = np.sqrt(np.sum(score**2))

# --- manual
dL_dscore = score / loss
dL_dwo = y.T @ dL_dscore
dL_dy = np.outer(dL_dscore, wo)
dL_dW2 = u.T @ dL_dy
dL_du = dL_dy @ W2.T
dL_da = dL_du / (1 + np.exp(-a))
dL_dW1 = x.T @ dL_da
dL_db1 = dL_da.sum(axis=0)
dL_dx = dL_da @ W1.T + dL_dy
print(dL_dx, dL_dW1)
