"""Length of a two-vector pushed through softplus."""

# loss: s
# gradients: a_grad=a b_grad=b
import numpy as np

a = 1.1
b = -0.65

sq = a**2 + b**2
r = np.sqrt(sq)
s = np.log(1 + np.exp(r))

# --- manual
s_grad = 1.0
r_grad = s_grad * np.exp(r) / (1 + np.exp(r))
sq_grad = r_grad / (2 * r)
a_grad = sq_grad * 2 * a
b_grad = sq_grad * 2 * b
print(a_grad, b_grad)
