"""A recurrent net written out in NumPy, beside the same net in torch. Two gradients do not agree: which lines?"""

import numpy as np
import torch


class VanillaRNN:
    """h[t] = tanh(W_x x[t] + b_x + W_h h[t-1] + b_h), y = W_y h[N] + b_y."""

    def __init__(self, hidden, seed):
        np.random.seed(seed)
        self.W_x = np.random.randn(hidden, 1)
        self.b_x = np.random.randn(hidden) * 0.1
        self.W_h = np.random.randn(hidden, hidden) / np.sqrt(hidden)
        self.b_h = np.random.randn(hidden) * 0.1
        self.W_y = np.random.randn(1, hidden)
        self.b_y = np.random.randn(1)

    def forward(self, xs):
        self.xs = xs
        self.hs = [np.zeros(self.b_h.shape)]
        for x in xs:
            raw = self.W_x @ x + self.b_x + self.W_h @ self.hs[-1] + self.b_h
            self.hs.append(np.tanh(raw))
        return self.W_y @ self.hs[-1] + self.b_y

    def backward(self, dy):
        dW_y = np.outer(dy, self.hs[-1])
        db_y = dy
        dW_x = np.zeros(self.b_x.shape)
        db_x = np.zeros_like(self.b_x)
        dW_h = np.zeros_like(self.W_h)
        db_h = np.zeros_like(self.b_h)
        dh = self.W_y.T @ dy
        for t in reversed(range(len(self.xs))):
            draw = dh * (1 - self.hs[t + 1] ** 2)
            dW_x += draw * self.xs[t]
            dW_h += np.outer(draw, self.hs[t])
            db_h += draw
            dh = self.W_h.T @ draw
        return dW_x, db_x, dW_h, db_h, dW_y, db_y


net = VanillaRNN(3, seed=1)
xs = np.array([[0.5], [-0.3], [0.8], [0.1]])
target = np.array([0.7])

y = net.forward(xs)
loss = np.sum((y - target) ** 2)
dW_x, db_x, dW_h, db_h, dW_y, db_y = net.backward(2 * (y - target))

weights = [net.W_x, net.b_x, net.W_h, net.b_h, net.W_y, net.b_y]
W_x, b_x, W_h, b_h, W_y, b_y = [torch.tensor(w, requires_grad=True) for w in weights]
h = torch.zeros(3, dtype=torch.float64)
for x in torch.tensor(xs):
    h = torch.tanh(W_x @ x + b_x + W_h @ h + b_h)
torch_loss = torch.sum((W_y @ h + b_y - torch.tensor(target)) ** 2)
torch_loss.backward()

print("dW_x", dW_x, "torch", W_x.grad)
print("db_x", db_x, "torch", b_x.grad)
print("dW_h", dW_h, "torch", W_h.grad)
