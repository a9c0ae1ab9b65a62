"""Contrastive-style loss on the distance of two points."""

# loss: loss
# gradients: nabla_x1=x1 nabla_y1=y1 nabla_x2=x2 nabla_y2=y2
import math

x1, y1 = 0.3, 1.2
x2, y2 = 1.1, -0.4
margin = 2.5

dx = x1 - x2
dy = y1 - y2
dist = math.sqrt(dx * dx + dy * dy)
gap = margin - dist
loss = 0.5 * gap**2 if gap > 0 else 0.0

# --- manual
loss_dist = -gap if gap > 0 else 0.0
nabla_dx = loss_dist * dx / dist
nabla_dy = loss_dist * dy / dist
nabla_x1 = nabla_dx
nabla_x2 = -nabla_dx
nabla_y1 = nabla_dy
nabla_y2 = -nabla_dy
print(nabla_x1, nabla_y1, nabla_x2, nabla_y2)
