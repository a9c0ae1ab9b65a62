"""Equilibrium x = exp(-a*x) + b found by iteration; sensitivities by the implicit function theorem."""

# tangents: dx_da=x/a dx_db=x/b dF_da=F/a
# loss: F
import math

a = 0.8
b = 0.25

x = 0.5
for _ in range(40):
    x = math.exp(-a * x) + b
F = x**2 * a

# --- manual
e = math.exp(-a * x)
g_x = 1 + a * e
g_a = x * e
dx_da = -g_a / g_x
dx_db = 1 / g_x
dF_da = 2 * x * a * dx_da + x**2
# --- end
print(f"x* = {x:.6f}")
assert abs(x - math.exp(-a * x) - b) < 1e-9
