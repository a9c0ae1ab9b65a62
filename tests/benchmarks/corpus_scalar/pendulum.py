"""Two explicit Euler steps of a pendulum: sensitivity of the final angle, forward mode."""

# loss: th2
# tangents: dth1_dth0=th1/th0 dom1_dth0=om1/th0 dth2_dth0=th2/th0 dth2_dg=th2/g
from math import cos, sin

th0 = 0.7
om0 = 0.2
g = 9.2
dt = 0.15

th1 = th0 + dt * om0
om1 = om0 - dt * g * sin(th0)
th2 = th1 + dt * om1

# --- manual
dth1_dth0 = 1
dom1_dth0 = -dt * g * cos(th0)
dth2_dth0 = dth1_dth0 + dt * dom1_dth0
dom1_dg = -dt * sin(th0)
dth2_dg = dt * dom1_dg
print(dth2_dth0)
print(dth2_dg)
