"""A kinematic bicycle driven for four steps; how its end depends on speed and steering is carried along."""

# tangents: dx_dv=x/v dy_dv=y/v dth_dv=th/v dx_dsteer=x/steer dy_dsteer=y/steer dth_dsteer=th/steer
from math import cos, sin, tan

v = 1.3
steer = 0.25
heading = 0.4
x0, y0 = 0.2, -0.1
wheelbase = 1.7
dt = 0.3

x, y, th = x0, y0, heading
path = []
for _ in range(4):
    path.append((x, y, th))
    x = x + v * cos(th) * dt
    y = y + v * sin(th) * dt
    th = th + v / wheelbase * tan(steer) * dt

# --- manual
dx_dv = dy_dv = dth_dv = 0.0
dx_dsteer = dy_dsteer = dth_dsteer = 0.0
for _, _, th_k in path:
    dx_dv += (cos(th_k) - v * sin(th_k) * dth_dv) * dt
    dy_dv += (sin(th_k) + v * cos(th_k) * dth_dv) * dt
    dx_dsteer += -v * sin(th_k) * dth_dsteer * dt
    dy_dsteer += v * cos(th_k) * dth_dsteer * dt
    dth_dv += tan(steer) / wheelbase * dt
    dth_dsteer += v / wheelbase / cos(steer) ** 2 * dt
print(dx_dv, dy_dv, dth_dv)
print(dx_dsteer, dy_dsteer, dth_dsteer)
