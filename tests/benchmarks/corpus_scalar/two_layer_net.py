"""A 1-1-1 network: tanh hidden unit, linear output, half squared error."""

# loss: loss
# gradients: grad_w1=w1 grad_b1=b1 grad_w2=w2 grad_b2=b2 grad_x=x
import math

x, target = 0.9, -0.4
w1, b1 = 0.55, 0.1
w2, b2 = -1.3, 0.35

z1 = w1 * x + b1
a1 = math.tanh(z1)
z2 = w2 * a1 + b2
loss = 0.5 * (z2 - target) ** 2

# --- manual
grad_z2 = z2 - target
grad_w2 = grad_z2 * a1
grad_b2 = grad_z2
grad_a1 = grad_z2 * w2
grad_z1 = grad_a1 * (1 - a1**2)
grad_w1 = grad_z1 * x
grad_b1 = grad_z1
grad_x = grad_z1 * w1

for name, value in [("w1", grad_w1), ("b1", grad_b1), ("w2", grad_w2), ("b2", grad_b2)]:
    print(name, value)
