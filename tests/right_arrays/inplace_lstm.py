import numpy as np

rng = np.random.RandomState(8)
T, N, D, H = 4, 2, 3, 5
xs = rng.randn(T, N, D)
W = rng.randn(D + H + 1, 4 * H) * 0.5


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


hs = np.zeros((T + 1, N, H))
cs = np.zeros((T + 1, N, H))
gates = np.zeros((T, N, 4 * H))
ins = np.zeros((T, N, D + H + 1))
for t in range(T):
    ins[t] = np.hstack([xs[t], hs[t], np.ones((N, 1))])
    a = ins[t] @ W
    a[:, : 3 * H] = sigmoid(a[:, : 3 * H])
    a[:, 3 * H :] = np.tanh(a[:, 3 * H :])
    gates[t] = a
    i, f, o, g = np.split(gates[t], 4, axis=1)
    cs[t + 1] = f * cs[t] + i * g
    hs[t + 1] = o * np.tanh(cs[t + 1])
target = rng.randn(T, N, H)
loss = ((hs[1:] - target) ** 2).mean()

dhs = 2 * (hs[1:] - target) / target.size
dW = np.zeros_like(W)
dxs = np.zeros_like(xs)
dh_next = np.zeros((N, H))
dc = np.zeros((N, H))
for t in reversed(range(T)):
    i, f, o, g = np.split(gates[t], 4, axis=1)
    dh = dhs[t] + dh_next
    tc = np.tanh(cs[t + 1])
    dc = dc + dh * o * (1 - tc * tc)
    da = np.empty((N, 4 * H))
    di, df, do, dg = np.split(da, 4, axis=1)   # views
    di[:] = dc * g * i * (1 - i)
    df[:] = dc * cs[t] * f * (1 - f)
    do[:] = dh * tc * o * (1 - o)
    dg[:] = dc * i * (1 - g * g)
    dW += ins[t].T @ da
    din = da @ W.T
    dxs[t] = din[:, :D]
    dh_next = din[:, D : D + H]
    dc *= f
