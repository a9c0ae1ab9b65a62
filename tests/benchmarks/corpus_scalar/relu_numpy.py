"""ReLU by np.maximum, gradient by np.where; the scalar comes from two paths."""

# loss: out
# gradients: gx=x gw=w gv=v
import numpy as np

x = 0.85
w = 1.3
v = -0.9

p = np.maximum(0, w * x - 0.2)
q = np.maximum(0, v * x + 2.0)
out = p * q + x

# --- manual
gp = q
gq = p
gpin = np.where(p > 0, gp, 0)
gqin = np.where(q > 0, gq, 0)
gw = gpin * x
gv = gqin * x
gx = gpin * w + gqin * v + 1

print(gx, gw, gv)
