"""Gradient step inside backward: the parameters are updated in place, after the last use of their old values."""

# loss: loss
# inputs: net X Y
# gradients: (W1_before-net.W1)/net.lr=net.W1 (b1_before-net.b1)/net.lr=net.b1 (W2_before-net.W2)/net.lr=net.W2
import numpy as np


class Net:
    def __init__(self, rng):
        self.W1 = rng.randn(3, 5) * 0.6
        self.b1 = rng.randn(5) * 0.2
        self.W2 = rng.randn(5, 2) * 0.6
        self.lr = 0.05

    def forward(self, X):
        self.X = X
        self.a1 = X @ self.W1 + self.b1
        self.h1 = 1 / (1 + np.exp(-self.a1))
        return self.h1 @ self.W2

    def backward(self, pred, Y):
        # --- manual
        delta2 = 2 * (pred - Y) / Y.shape[0]
        dW2 = self.h1.T @ delta2
        delta1 = delta2 @ self.W2.T * self.h1 * (1 - self.h1)
        self.W2 -= self.lr * dW2
        dW1 = self.X.T @ delta1
        db1 = delta1.sum(axis=0)
        self.W1 -= self.lr * dW1
        self.b1 -= self.lr * db1
        # --- end


rng = np.random.RandomState(33)
net = Net(rng)
X = rng.randn(4, 3)
Y = rng.randn(4, 2)
W1_before, b1_before, W2_before = net.W1.copy(), net.b1.copy(), net.W2.copy()
pred = net.forward(X)
loss = np.sum((pred - Y) ** 2) / 4
net.backward(pred, Y)
print(net.W1)
