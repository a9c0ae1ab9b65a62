import numpy as np


class Net:
    def __init__(self, n_in, n_hid, n_out):
        r = np.random.RandomState(1)
        self.W = r.randn(n_in, n_hid)
        self.c = r.randn(n_hid)
        self.V = r.randn(n_hid, n_out)
        self.buf = np.empty((7, n_hid))

    def forward(self, x):
        self.x = x
        np.dot(x, self.W, out=self.buf)
        np.add(self.buf, self.c, out=self.buf)
        self.h = np.tanh(self.buf)
        self.y = self.h @ self.V
        return self.y

    def backward(self, dy):
        self.dV = np.empty_like(self.V)
        np.dot(self.h.T, dy, out=self.dV)
        g = dy @ self.V.T
        tmp = np.empty_like(g)
        np.square(self.h, out=tmp)
        np.subtract(1.0, tmp, out=tmp)
        np.multiply(g, tmp, out=g)
        self.dW = self.x.T @ g
        self.dc = np.add.reduce(g, axis=0)
        return np.dot(g, self.W.T)


net = Net(4, 5, 3)
x = np.random.RandomState(2).randn(7, 4)
t = np.random.RandomState(3).randn(7, 3)
y = net.forward(x)
loss = 0.5 * np.mean(np.sum((y - t) ** 2, axis=1))
dx = net.backward((y - t) / len(x))
