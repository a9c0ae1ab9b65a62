"""A polynomial and a fractional power, forward mode only."""

# loss: y
# tangents: du_dx=u/x dv_dx=v/x dy_dx=y/x dy_dc=y/c
x = 1.35
c = 0.8

u = 3 * x**4 - c * x**3
v = (x**2 + 1) ** 1.5
y = u * v

# --- manual
du_dx = 12 * x**3 - 3 * c * x**2
dv_dx = 1.5 * (x**2 + 1) ** 0.5 * 2 * x
dy_dx = du_dx * v + u * dv_dx
du_dc = -(x**3)
dy_dc = du_dc * v
print("dy/dx =", dy_dx)
print("dy/dc =", dy_dc)
