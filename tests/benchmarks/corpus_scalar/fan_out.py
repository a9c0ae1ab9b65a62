"""One variable used three times; its gradient is accumulated."""

# loss: f
# gradients: dx=x dy=y
import math

x = 0.9
y = 1.6

p = x * y
q = math.sin(x)
r = math.log(x + y)
s = p * q
f = s + r * p

# --- manual
df = 1.0
ds = df
dr = df * p
dp = df * r
dp += ds * q
dq = ds * p
dx = dp * y
dx += dq * math.cos(x)
dx += dr / (x + y)
dy = dp * x
dy += dr / (x + y)
print("dx", dx, "dy", dy)
