"""Softmax over two scores, weighted sum of two values."""

# loss: out
# gradients: ds1=s1 ds2=s2 dv1=v1 dv2=v2
import math

s1 = 0.4
s2 = -0.9
v1 = 1.5
v2 = 0.35

e1 = math.exp(s1)
e2 = math.exp(s2)
Z = e1 + e2
p1 = e1 / Z
p2 = e2 / Z
out = p1 * v1 + p2 * v2

# --- manual
dp1 = v1
dp2 = v2
dv1 = p1
dv2 = p2
dZ = -(dp1 * e1 + dp2 * e2) / Z**2
de1 = dp1 / Z + dZ
de2 = dp2 / Z + dZ
ds1 = de1 * e1
ds2 = de2 * e2
print(ds1, ds2, dv1, dv2)
