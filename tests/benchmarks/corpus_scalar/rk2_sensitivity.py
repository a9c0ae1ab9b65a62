"""A decaying oscillator by the midpoint rule, with sensitivities carried forward beside the state."""

# loss: x
# tangents: dx_dk=x/k dx_dc=x/c
k = 1.4
c = 0.3
x = 0.8
v = -0.1
dt = 0.2

# --- manual
dx_dk, dv_dk = 0, 0
dx_dc, dv_dc = 0, 0
for step in range(4):
    xm = x + 0.5 * dt * v
    vm = v + 0.5 * dt * (-k * x - c * v)
    dxm_dk = dx_dk + 0.5 * dt * dv_dk
    dvm_dk = dv_dk + 0.5 * dt * (-x - k * dx_dk - c * dv_dk)
    dxm_dc = dx_dc + 0.5 * dt * dv_dc
    dvm_dc = dv_dc + 0.5 * dt * (-k * dx_dc - v - c * dv_dc)
    dx_dk = dx_dk + dt * dvm_dk
    dv_dk = dv_dk + dt * (-xm - k * dxm_dk - c * dvm_dk)
    dx_dc = dx_dc + dt * dvm_dc
    dv_dc = dv_dc + dt * (-k * dxm_dc - vm - c * dvm_dc)
    x = x + dt * vm
    v = v + dt * (-k * xm - c * vm)
print(x, dx_dk, dx_dc)
