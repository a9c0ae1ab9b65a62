"""Layer normalisation over the last axis, differentiated path by path."""

# loss: loss
# inputs: x g b R
# gradients: x_grad=x g_grad=g b_grad=b
import numpy as np

np.random.seed(9)
x = np.random.randn(3, 5)
g = np.ones(5)
b = np.zeros(5)
R = np.random.randn(3, 5)

n = x.shape[-1]
mu = x.sum(axis=-1, keepdims=True) / n
c = x - mu
v = (c * c).sum(axis=-1, keepdims=True) / n
s = np.sqrt(v + 1e-4)
xn = c / s
out = xn * g + b
loss = (out * R).sum()

# --- manual
out_grad = R
g_grad = (out_grad * xn).sum(axis=0)
b_grad = out_grad.sum(axis=0)
xn_grad = out_grad * g
c_grad = xn_grad / s
s_grad = (-xn_grad * c / s**2).sum(axis=-1, keepdims=True)
v_grad = s_grad / (2 * s)
c_grad += 2 * c * v_grad / n
mu_grad = -c_grad.sum(axis=-1, keepdims=True)
x_grad = c_grad + mu_grad / n
print(x_grad, g_grad, b_grad)
