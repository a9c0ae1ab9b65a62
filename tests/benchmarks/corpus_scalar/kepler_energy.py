"""Energy of a body on its orbit in polar coordinates, and the forces: by chain rule through the speed."""

# loss: E
# gradients: dE["x"]=x dE["y"]=y dE["vx"]=vx dE["vy"]=vy
import math

x, y = 1.2, -0.5
vx, vy = 0.3, 0.85
mu = 1.1
J2 = 0.05

r = math.sqrt(x * x + y * y)
v2 = vx**2 + vy**2
kinetic = 0.5 * v2
potential = -mu / r - J2 / r**3
E = kinetic + potential

# --- manual
dE = {}
dpot_dr = mu / r**2 + 3 * J2 / r**4
dr_dx = x / r
dr_dy = y / r
dE["x"] = dpot_dr * dr_dx
dE["y"] = dpot_dr * dr_dy
dE["vx"] = 0.5 * 2 * vx
dE["vy"] = 0.5 * 2 * vy
print(dE)
