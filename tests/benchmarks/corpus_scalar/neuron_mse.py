"""One sigmoid neuron with a squared error."""

# loss: L
# gradients: dL_dw=w dL_db=b dL_dx=x
import math

x = 1.3
w = -0.7
b = 0.25
t = 0.9

z = w * x + b
a = 1 / (1 + math.exp(-z))
L = (a - t) ** 2

# --- manual
dL_da = 2 * (a - t)
da_dz = a * (1 - a)
dL_dz = dL_da * da_dz
dL_dw = dL_dz * x
dL_db = dL_dz
dL_dx = dL_dz * w

print(f"dL/dw = {dL_dw:.6f}, dL/db = {dL_db:.6f}, dL/dx = {dL_dx:.6f}")
