"""One step of Adam by hand on a small loss, and the loss after it, derived back to the first parameter's gradient."""

# loss: loss
# gradients: dtheta=theta dphi=phi
import math

theta = 0.9
phi = -0.4
lr = 0.05
beta1, beta2 = 0.9, 0.99
eps = 0.001
m0, v0 = 0.02, 0.003
x, t = 1.3, 0.6

pred = math.tanh(theta * x) * phi
loss = (pred - t) ** 2 + 0.1 * (theta**2 + phi**2)

# --- manual
dpred = 2 * (pred - t)
dphi = dpred * math.tanh(theta * x) + 0.1 * 2 * phi
dh = dpred * phi
dz = dh * (1 - math.tanh(theta * x) ** 2)
dtheta = dz * x + 0.1 * 2 * theta

# --- end
m = beta1 * m0 + (1 - beta1) * dtheta
v = beta2 * v0 + (1 - beta2) * dtheta**2
m_hat = m / (1 - beta1)
v_hat = v / (1 - beta2)
theta = theta - lr * m_hat / (math.sqrt(v_hat) + eps)
print(theta, dphi)
