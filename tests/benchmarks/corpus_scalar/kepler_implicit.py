"""Kepler's equation solved by Newton's method; partial derivatives of the residual, then the chain into a loss."""

# loss: loss
# gradients: dloss_de=e dloss_dM=M
import math

e = 0.35
M = 1.1
target = 0.62

E = M
for _ in range(5):
    res = E - e * math.sin(E) - M
    E = E - res / (1 - e * math.cos(E))
radius = 1 - e * math.cos(E)
loss = (radius - target) ** 2

# --- manual
G_E = 1 - e * math.cos(E)
G_e = -math.sin(E)
G_M = -1.0
dE_de = -G_e / G_E
dE_dM = -G_M / G_E
dloss_dradius = 2 * (radius - target)
dradius_dE = e * math.sin(E)
dloss_de = dloss_dradius * (dradius_dE * dE_de - math.cos(E))
dloss_dM = dloss_dradius * dradius_dE * dE_dM
print(loss, dloss_de, dloss_dM)
