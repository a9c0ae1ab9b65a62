"""Everything at its default: h0 = 0, bias 0, scale 1, where mistakes hide."""

# loss: loss
# gradients: dw=w du=u db=b ds=s dh0=h0
import math

x1, x2 = 0.6, -0.9
w = 0.7
u = 1.3
b = 0.0
s = 1.0
h0 = 0.0

h1 = math.tanh(w * h0 + u * x1 + b)
h2 = math.tanh(w * h1 + u * x2 + b)
loss = s * h2 + 0.5 * h2**2

# --- manual
ds = h2
dh2 = s + h2
da2 = dh2 * (1 - h2**2)
dw = da2 * h1
du = da2 * x2
db = da2
dh1 = da2 * w
da1 = dh1 * (1 - h1**2)
dw += da1 * h0
du += da1 * x1
db += da1
dh0 = da1 * w
print(dw, du, db, ds, dh0)
