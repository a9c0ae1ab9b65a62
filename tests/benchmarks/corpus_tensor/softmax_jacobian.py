"""Cross-entropy through the full Jacobian of softmax, one sample, column by column."""

# loss: L
# inputs: W b x
# gradients: dW=W db=b dx=x
import numpy as np

np.random.seed(34)
W = np.random.randn(4, 3)
b = np.random.randn(4) * 0.3
x = np.random.randn(3)
label = 2

z = W @ x + b
p = np.exp(z) / np.exp(z).sum()
L = -np.log(p[label])

# --- manual
dp = np.zeros(4)
dp[label] = -1 / p[label]
J = np.diag(p) - np.outer(p, p)
dz = J @ dp
dW = np.outer(dz, x)
db = dz
dx = W.T @ dz
print(dW, db, dx)
