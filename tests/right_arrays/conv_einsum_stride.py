import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

rng = np.random.default_rng(6)
x = rng.normal(size=(2, 3, 6, 6))
w = rng.normal(size=(4, 3, 3, 3))
b = rng.normal(size=4)
xp = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
win = sliding_window_view(xp, (3, 3), axis=(2, 3))
y = np.einsum("nchwij,ocij->nohw", win, w) + b[None, :, None, None]
r = y * (y > 0)
loss = (r ** 2).sum() / 2

dr = r
dy = dr * (y > 0)
db = dy.sum(axis=(0, 2, 3))
dw = np.einsum("nohw,nchwij->ocij", dy, win)
dyp = np.pad(dy, ((0, 0), (0, 0), (1, 1), (1, 1)))
dwin = sliding_window_view(dyp, (3, 3), axis=(2, 3))
dx = np.einsum("nohwij,ocij->nchw", dwin, w[:, :, ::-1, ::-1])
