import numpy as np
def sigmoid(x):
    return 1 / (1 + np.exp(-x))
def forward(x, h_prev, Wx, Wh, b):
    H = Wh.shape[0]
    Wxz, Wxr, Wxh = Wx[:, :H], Wx[:, H:2 * H], Wx[:, 2 * H:]
    Whz, Whr, Whh = Wh[:, :H], Wh[:, H:2 * H], Wh[:, 2 * H:]
    bz, br, bh = b[:H], b[H:2 * H], b[2 * H:]
    z = sigmoid(x @ Wxz + h_prev @ Whz + bz)
    r = sigmoid(x @ Wxr + h_prev @ Whr + br)
    h_hat = np.tanh(x @ Wxh + (r * h_prev) @ Whh + bh)
    h_next = (1 - z) * h_prev + z * h_hat
    return h_next, (x, h_prev, z, r, h_hat)
def backward(dh_next, cache, Wx, Wh, b):
    H = Wh.shape[0]
    Wxz, Wxr, Wxh = Wx[:, :H], Wx[:, H:2 * H], Wx[:, 2 * H:]
    Whz, Whr, Whh = Wh[:, :H], Wh[:, H:2 * H], Wh[:, 2 * H:]
    x, h_prev, z, r, h_hat = cache
    dh_hat = dh_next * z
    dh_prev = dh_next * (1 - z)
    dt = dh_hat * (1 - h_hat ** 2)
    dbh = np.sum(dt, axis=0)
    dWhh = (r * h_prev).T @ dt
    dhr = dt @ Whh.T
    dWxh = x.T @ dt
    dx = dt @ Wxh.T
    dh_prev += r * dhr
    dz = dh_next * h_hat - dh_next * h_prev
    dt = dz * z * (1 - z)
    dbz = np.sum(dt, axis=0)
    dWhz = h_prev.T @ dt
    dh_prev += dt @ Whz.T
    dWxz = x.T @ dt
    dx += dt @ Wxz.T
    dr = dhr * h_prev
    dt = dr * r * (1 - r)
    dbr = np.sum(dt, axis=0)
    dWhr = h_prev.T @ dt
    dh_prev += dt @ Whr.T
    dWxr = x.T @ dt
    dx += dt @ Wxr.T
    dWx = np.hstack((dWxz, dWxr, dWxh))
    dWh = np.hstack((dWhz, dWhr, dWhh))
    db = np.hstack((dbz, dbr, dbh))
    return dx, dh_prev, dWx, dWh, db
rng = np.random.RandomState(1)
x, h0 = rng.randn(4, 3), rng.randn(4, 5)
Wx, Wh, b = rng.randn(3, 15) * .5, rng.randn(5, 15) * .5, rng.randn(15) * .1
h, cache = forward(x, h0, Wx, Wh, b)
loss = 0.5 * np.sum(h ** 2)
dx, dh0, dWx, dWh, db = backward(h, cache, Wx, Wh, b)
print(dx)
