"""A planar arm of two links that reaches for a point: the Jacobian, then the gradient of the squared distance."""

# loss: cost
# gradients: grad_theta1=theta1 grad_theta2=theta2
import math

l1, l2 = 1.2, 0.7
theta1 = 0.5
theta2 = -0.9
gx, gy = 1.1, 0.8

x = l1 * math.cos(theta1) + l2 * math.cos(theta1 + theta2)
y = l1 * math.sin(theta1) + l2 * math.sin(theta1 + theta2)
ex = x - gx
ey = y - gy
cost = 0.5 * (ex**2 + ey**2)

# --- manual
J11 = -l1 * math.sin(theta1) - l2 * math.sin(theta1 + theta2)
J12 = -l2 * math.sin(theta1 + theta2)
J21 = l1 * math.cos(theta1) + l2 * math.cos(theta1 + theta2)
J22 = l2 * math.cos(theta1 + theta2)
grad_theta1 = ex * J11 + ey * J21
grad_theta2 = ex * J12 + ey * J22
print(cost, grad_theta1, grad_theta2)
