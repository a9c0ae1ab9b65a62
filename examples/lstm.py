"""One LSTM cell over three steps. The forget gate's gradient takes the cell's new state for the one before it."""

import numpy as np


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


np.random.seed(4)
H, D = 4, 2
xs = np.random.randn(3, D)
W = np.random.randn(4 * H, D + H) * 0.5
b = np.zeros(4 * H)

h = np.zeros(H)
c = np.zeros(H)
tape = []
for x in xs:
    v = np.concatenate([x, h])
    a = W @ v + b
    f, i, o = sigmoid(a[:H]), sigmoid(a[H : 2 * H]), sigmoid(a[2 * H : 3 * H])
    g = np.tanh(a[3 * H :])
    c_prev = c
    c = f * c_prev + i * g
    h = o * np.tanh(c)
    tape.append((v, f, i, o, g, c_prev, c))
loss = np.sum(h**2)

dW = np.zeros_like(W)
db = np.zeros_like(b)
dh = 2 * h
dc = np.zeros(H)
for v, f, i, o, g, c_prev, c in reversed(tape):  # noqa: B007
    do = dh * np.tanh(c)
    dc = dc + dh * o * (1 - np.tanh(c) ** 2)
    df = dc * c
    di = dc * g
    dg = dc * i
    da = np.concatenate([df * f * (1 - f), di * i * (1 - i), do * o * (1 - o), dg * (1 - g**2)])
    dW += np.outer(da, v)
    db += da
    dc = dc * f
    dh = (W.T @ da)[D:]
print(dW, db)
