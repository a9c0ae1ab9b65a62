import numpy as np
rng = np.random.RandomState(10)
x = rng.randn(2, 6, 6)
k = rng.randn(3, 3)
bias = 0.1
out = np.zeros((2, 4, 4))
for i in range(4):
    for j in range(4):
        out[:, i, j] = np.sum(x[:, i:i+3, j:j+3] * k, axis=(1, 2)) + bias
act = np.where(out > 0, out, 0.1 * out)
loss = np.sum(act ** 2) / 2
dact = act
dout = np.where(out > 0, dact, 0.1 * dact)
dk = np.zeros_like(k)
dx = np.zeros_like(x)
dbias = 0.0
for i in range(4):
    for j in range(4):
        d = dout[:, i, j]
        dk += np.tensordot(d, x[:, i:i+3, j:j+3], axes=1)
        dx[:, i:i+3, j:j+3] += d[:, None, None] * k
        dbias += d.sum()
print(dk, dx, dbias)
