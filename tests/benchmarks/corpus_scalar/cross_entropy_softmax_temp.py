"""Two-class softmax with temperature, log-loss of the first class, fused gradient."""

# loss: nll
# gradients: dza=za dzb=zb dT=T
import math

za = 0.9
zb = -0.3
T = 1.6

sa = za / T
sb = zb / T
lse = math.log(math.exp(sa) + math.exp(sb))
pa = math.exp(sa - lse)
pb = math.exp(sb - lse)
nll = lse - sa

# --- manual
dsa = pa - 1
dsb = pb
dza = dsa / T
dzb = dsb / T
dT = -dsa * za / T**2 - dsb * zb / T**2

print("dza", dza)
print("dzb", dzb)
print("dT ", dT)
