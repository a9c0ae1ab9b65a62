import numpy as np
rng = np.random.RandomState(12)
Wx, Wh, Wy = rng.randn(4, 3) * .3, rng.randn(4, 4) * .3, rng.randn(2, 4) * .3
xs = {t: rng.randn(3, 1) for t in range(4)}
ts = {t: rng.randn(2, 1) for t in range(4)}
hs = {-1: np.zeros((4, 1))}
ys, loss = {}, 0
for t in range(4):
    hs[t] = np.tanh(Wx @ xs[t] + Wh @ hs[t - 1])
    ys[t] = Wy @ hs[t]
    loss += 0.5 * np.sum((ys[t] - ts[t]) ** 2)
dWx, dWh, dWy = np.zeros_like(Wx), np.zeros_like(Wh), np.zeros_like(Wy)
dhnext = np.zeros_like(hs[0])
for t in reversed(range(4)):
    dy = ys[t] - ts[t]
    dWy += dy @ hs[t].T
    dh = Wy.T @ dy + dhnext
    dhraw = (1 - hs[t] ** 2) * dh
    dWx += dhraw @ xs[t].T
    dWh += dhraw @ hs[t - 1].T
    dhnext = Wh.T @ dhraw
for d in [dWx, dWh, dWy]:
    np.clip(d, -5, 5, out=d)
print(dWx)
