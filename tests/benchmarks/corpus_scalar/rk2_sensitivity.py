"""A decaying oscillator by the midpoint rule; sensitivities of its state carried through the same steps."""

# loss: x
# tangents: dx_dk=x/k dx_dc=x/c
k = 1.4
c = 0.3
x = 0.8
v = -0.1
dt = 0.2

xs = [x]
vs = [v]
for step in range(3):
    xm = x + 0.5 * dt * v
    vm = v + 0.5 * dt * (-k * x - c * v)
    x = x + dt * vm
    v = v + dt * (-k * xm - c * vm)
    xs.append(x)
    vs.append(v)

# --- manual
dx_dk, dv_dk = 0, 0
dx_dc, dv_dc = 0, 0
for n in range(3):
    xm = xs[n] + 0.5 * dt * vs[n]
    vm = vs[n] + 0.5 * dt * (-k * xs[n] - c * vs[n])
    dxm_dk = dx_dk + 0.5 * dt * dv_dk
    dvm_dk = dv_dk + 0.5 * dt * (-xs[n] - k * dx_dk - c * dv_dk)
    dxm_dc = dx_dc + 0.5 * dt * dv_dc
    dvm_dc = dv_dc + 0.5 * dt * (-k * dx_dc - vs[n] - c * dv_dc)
    dx_dk = dx_dk + dt * dvm_dk
    dv_dk = dv_dk + dt * (-xm - k * dxm_dk - c * dvm_dk)
    dx_dc = dx_dc + dt * dvm_dc
    dv_dc = dv_dc + dt * (-k * dxm_dc - vm - c * dvm_dc)
print(x, dx_dk, dx_dc)
