"""The temperature at the tip of a fin, and how far its error moves with two of the constants."""

# loss: err
# gradients: derr_dh=h derr_dk=k
import math

h = 2.5
k = 1.7
L = 0.6
T0, Ta = 90.0, 20.0
target = 41.0

m = math.sqrt(h / k)
theta = (T0 - Ta) / math.cosh(m * L)
T = Ta + theta
err = (T - target) ** 2

# --- manual
dm_dh = 1 / (2 * m * k)
dm_dk = -h / (2 * m * k**2)
dtheta_dm = -theta * L * math.tanh(m * L)
derr_dT = 2 * (T - target)
derr_dh = derr_dT * dtheta_dm * dm_dh
derr_dk = derr_dT * dtheta_dm * dm_dk
print(err, derr_dh, derr_dk)
