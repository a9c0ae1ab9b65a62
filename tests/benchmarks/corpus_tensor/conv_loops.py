"""Convolution with loops: padding 1, stride 2, several filters and channels, bias per filter."""

# loss: loss
# inputs: x w b dout
# gradients: dx=x dw=w db=b
import numpy as np

np.random.seed(15)
N, C, H, W_ = 2, 3, 5, 7
F, HH, WW = 4, 3, 3
pad, stride = 1, 2
x = np.random.randn(N, C, H, W_)
w = np.random.randn(F, C, HH, WW)
b = np.random.randn(F)
Ho = 1 + (H + 2 * pad - HH) // stride
Wo = 1 + (W_ + 2 * pad - WW) // stride
dout = np.random.randn(N, F, Ho, Wo)

xp = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
out = np.zeros((N, F, Ho, Wo))
for i in range(Ho):
    for j in range(Wo):
        patch = xp[:, :, i * stride : i * stride + HH, j * stride : j * stride + WW]
        for f in range(F):
            out[:, f, i, j] = np.sum(patch * w[f], axis=(1, 2, 3)) + b[f]
loss = np.sum(out * dout)

# --- manual
dxp = np.zeros_like(xp)
dw = np.zeros_like(w)
db = dout.sum(axis=(0, 2, 3))
for i in range(Ho):
    for j in range(Wo):
        r, s = i * stride, j * stride
        window = xp[:, :, r : r + HH, s : s + WW]
        for f in range(F):
            d = dout[:, f, i, j][:, None, None, None]
            dw[f] += np.sum(window * d, axis=0)
            dxp[:, :, r : r + HH, s : s + WW] += w[f] * d
dx = dxp[:, :, pad : pad + H, pad : pad + W_]
print(dw, db)
