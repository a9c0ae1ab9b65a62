"""Recurrent net as a class over N steps: gradients accumulated in attributes, a squared error at the end."""

# loss: loss
# inputs: net xs target
# gradients: net.dWx=net.Wx net.dWh=net.Wh net.db=net.b net.dWo=net.Wo net.dbo=net.bo
import numpy as np


class RNN:
    def __init__(self, n_in, n_hidden, n_out, rng):
        self.Wx = rng.normal(size=(n_in, n_hidden))
        self.Wh = rng.normal(size=(n_hidden, n_hidden)) * 0.5
        self.b = np.zeros(n_hidden)
        self.Wo = rng.normal(size=(n_hidden, n_out))
        self.bo = np.zeros(n_out)

    def forward(self, xs):
        self.xs = xs
        self.h = [np.zeros((xs[0].shape[0], self.b.shape[0]))]
        for x in xs:
            self.h.append(np.tanh(x @ self.Wx + self.h[-1] @ self.Wh + self.b))
        return self.h[-1] @ self.Wo + self.bo

    def backward(self, dout):
        # --- manual
        self.dWo = self.h[-1].T @ dout
        self.dbo = dout.sum(axis=0)
        self.dWx = np.zeros_like(self.Wx)
        self.dWh = np.zeros_like(self.Wh)
        self.db = np.zeros_like(self.b)
        dh = dout @ self.Wo.T
        for t in reversed(range(len(self.xs))):
            da = dh * (1 - self.h[t + 1] ** 2)
            self.dWx += self.xs[t].T @ da
            self.dWh += self.h[t].T @ da
            self.db += da.sum(axis=0)
            dh = da @ self.Wh.T
        # --- end


rng = np.random.default_rng(12)
xs = [rng.normal(size=(3, 2)) for _ in range(4)]
target = rng.normal(size=(3, 5))
net = RNN(2, 4, 5, rng)
out = net.forward(xs)
loss = np.sum((out - target) ** 2) / 3
net.backward(2 * (out - target) / 3)
print(net.dWx, net.db)
