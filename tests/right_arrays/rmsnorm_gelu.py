import numpy as np

rng = np.random.default_rng(21)
x = rng.normal(size=(2, 5, 4))
gain = rng.normal(size=4)
W = rng.normal(size=(4, 6))
up = rng.normal(size=(2, 5, 6))
eps = 1e-6
ms = np.mean(np.square(x), axis=-1, keepdims=True)
rms = np.sqrt(ms + eps)
xh = x / rms
n = xh * gain
u = n @ W
c = np.sqrt(2 / np.pi)
th = np.tanh(c * (u + 0.044715 * u ** 3))
y = 0.5 * u * (1 + th)
loss = np.vdot(y, up)

dy = up
du = dy * (0.5 * (1 + th) + 0.5 * u * (1 - th ** 2) * c * (1 + 3 * 0.044715 * u ** 2))
dW = n.reshape(-1, 4).T @ du.reshape(-1, 6)
dn = du @ W.T
dgain = (dn * xh).sum((0, 1))
dxh = dn * gain
dx = (dxh - xh * (dxh * xh).mean(-1, keepdims=True)) / rms
dx += 0
