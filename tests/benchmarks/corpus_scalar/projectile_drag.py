"""Projectile with quadratic drag; the sensitivities to the launch angle and to the drag go along (Euler)."""

# tangents: sx["th"]=x/theta sy["th"]=y/theta sx["k"]=x/k sy["k"]=y/k
import math

theta = 0.8
speed = 9.0
k = 0.06
g = 9.81
dt = 0.08
n_steps = 5

x, y = 0.0, 0.0
vx, vy = speed * math.cos(theta), speed * math.sin(theta)
history = []
n = 0
while n < n_steps:
    history.append((vx, vy))
    v = math.hypot(vx, vy)
    ax = -k * v * vx
    ay = -g - k * v * vy
    x, y = x + vx * dt, y + vy * dt
    vx, vy = vx + ax * dt, vy + ay * dt
    n += 1

# --- manual
sx = {"th": 0.0, "k": 0.0}
sy = {"th": 0.0, "k": 0.0}
svx = {"th": -speed * math.sin(theta), "k": 0.0}
svy = {"th": speed * math.cos(theta), "k": 0.0}
for vx_n, vy_n in history:
    v_n = math.sqrt(vx_n**2 + vy_n**2)
    for p in ("th", "k"):
        dv = (vx_n * svx[p] + vy_n * svy[p]) / v_n
        dax = -k * (dv * vx_n + v_n * svx[p])
        day = -k * (dv * vy_n + v_n * svy[p])
        if p == "k":
            dax -= v_n * vx_n
            day -= v_n * vy_n
        sx[p] += svx[p] * dt
        sy[p] += svy[p] * dt
        svx[p] += dax * dt
        svy[p] += day * dt
# --- end
print(f"landing estimate x={x:.3f} y={y:.3f}")
print("sensitivities", sx, sy)
