import numpy as np
rng = np.random.RandomState(9)
x = rng.randn(6, 4)
g, b = rng.randn(4), rng.randn(4)
mu = x.mean(0)
xc = x - mu
var = (xc ** 2).mean(0)
inv = 1 / np.sqrt(var + 1e-5)
xn = xc * inv
y = g * xn + b
loss = np.sum(y ** 3)
dy = 3 * y ** 2
dshift = dy
db = dshift.sum(axis=0)
dscaled = dy
dg = (dscaled * xn).sum(axis=0)
dxn = dscaled * g
dinv = (dxn * xc).sum(axis=0)
dxc1 = dxn * inv
dvar = dinv * -0.5 * inv ** 3
dxc2 = 2 * xc * dvar / 6
dxc = dxc1 + dxc2
dx1 = dxc
dmu = -dxc.sum(axis=0)
dx2 = np.ones_like(x) * dmu / 6
dx = dx1 + dx2
print(dx, dg, db)
