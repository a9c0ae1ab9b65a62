import numpy as np

class Affine:
    def __init__(self, W, b):
        self.params = [W, b]
        self.grads = [np.zeros_like(W), np.zeros_like(b)]
    def forward(self, x):
        self.x = x
        return x @ self.params[0] + self.params[1]
    def backward(self, dout):
        W, b = self.params
        dx = dout @ W.T
        self.grads[0][...] = self.x.T @ dout
        self.grads[1][...] = dout.sum(axis=0)
        return dx

class TimeAffine:
    def __init__(self, W, b):
        self.W, self.b = W, b
    def forward(self, xs):
        N, T, D = xs.shape
        self.layers = []
        out = np.empty((N, T, self.W.shape[1]), dtype='f8')
        for t in range(T):
            layer = Affine(self.W, self.b)
            out[:, t, :] = layer.forward(xs[:, t, :])
            self.layers.append(layer)
        return out
    def backward(self, dout):
        N, T, M = dout.shape
        dxs = np.empty((N, T, self.W.shape[0]), dtype='f8')
        grads = [0, 0]
        for t in reversed(range(T)):
            layer = self.layers[t]
            dxs[:, t, :] = layer.backward(dout[:, t, :])
            for i, grad in enumerate(layer.grads):
                grads[i] += grad
        self.dW, self.db = grads
        return dxs

rng = np.random.RandomState(0)
W, b = rng.randn(3, 4), rng.randn(4)
xs = rng.randn(2, 5, 3)
net = TimeAffine(W, b)
out = net.forward(xs)
loss = np.sum(np.sin(out))
dxs = net.backward(np.cos(out))
print(net.dW, net.db, dxs)
