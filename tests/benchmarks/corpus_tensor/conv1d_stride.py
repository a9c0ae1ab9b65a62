"""Layers as classes: a strided one-dimensional convolution, ReLU, global average pooling, a dense layer."""

# loss: loss
# inputs: conv fc x
# gradients: conv.dW=conv.W conv.db=conv.b fc.dW=fc.W fc.db=fc.b dx=x
import numpy as np


class Conv1d:
    def __init__(self, rng, cin, cout, width, stride):
        self.W = rng.randn(cout, cin, width) * 0.5
        self.b = np.zeros(cout)
        self.width, self.stride = width, stride

    def forward(self, x):
        self.x = x
        steps = (x.shape[2] - self.width) // self.stride + 1
        out = np.zeros((x.shape[0], self.W.shape[0], steps))
        for t in range(steps):
            patch = x[:, :, t * self.stride : t * self.stride + self.width]
            out[:, :, t] = np.tensordot(patch, self.W, axes=([1, 2], [1, 2])) + self.b
        return out

    def backward(self, dout):
        # --- manual
        self.dW = np.zeros_like(self.W)
        self.db = dout.sum(axis=(0, 2))
        dx = np.zeros_like(self.x)
        for t in range(dout.shape[2]):
            lo = t * self.stride
            hi = lo + self.width
            self.dW += np.tensordot(dout[:, :, t], self.x[:, :, lo:hi], axes=([0], [0]))
            dx[:, :, lo:hi] += np.tensordot(dout[:, :, t], self.W, axes=([1], [0]))
        return dx
        # --- end


class ReLU:
    def forward(self, x):
        self.on = x > 0
        return x * self.on

    def backward(self, dout):
        # --- manual
        return dout * self.on
        # --- end


class GlobalAvg:
    def forward(self, x):
        self.shape = x.shape
        return x.mean(axis=2)

    def backward(self, dout):
        # --- manual
        return np.repeat(dout[:, :, None], self.shape[2], axis=2) / self.shape[2]
        # --- end


class Dense:
    def __init__(self, rng, n, m):
        self.W = rng.randn(n, m) * 0.5
        self.b = np.zeros(m)

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, dout):
        # --- manual
        self.dW = self.x.T @ dout
        self.db = dout.sum(axis=0)
        return dout @ self.W.T
        # --- end


rng = np.random.RandomState(17)
x = rng.randn(3, 2, 9)
y = rng.randn(3, 2)
conv, relu, pool, fc = Conv1d(rng, 2, 4, 3, 2), ReLU(), GlobalAvg(), Dense(rng, 4, 2)
pred = fc.forward(pool.forward(relu.forward(conv.forward(x))))
loss = np.mean((pred - y) ** 2)
# --- manual
dpred = 2 * (pred - y) / pred.size
dx = conv.backward(relu.backward(pool.backward(fc.backward(dpred))))
# --- end
print(dx)
