"""Layers as objects that keep what they need and hand their gradient on."""

# loss: loss
# inputs: fc1 fc2 x t
# gradients: dx=x fc1.grad_W=fc1.W fc1.grad_b=fc1.b fc2.grad_W=fc2.W fc2.grad_b=fc2.b
import numpy as np


class Linear:
    def __init__(self, n_in, n_out):
        self.W = np.random.randn(n_out, n_in) * 0.7
        self.b = np.zeros(n_out)

    def forward(self, x):
        self.x = x
        return x @ self.W.T + self.b

    def backward(self, grad):
        # --- manual
        self.grad_W = grad.T @ self.x
        self.grad_b = grad.sum(axis=0)
        return grad @ self.W
        # --- end


class Sigmoid:
    def forward(self, x):
        self.out = 1 / (1 + np.exp(-x))
        return self.out

    def backward(self, grad):
        # --- manual
        return grad * self.out * (1 - self.out)
        # --- end


class MSE:
    def forward(self, pred, target):
        self.diff = pred - target
        return np.mean(self.diff**2)

    def backward(self):
        # --- manual
        return 2 * self.diff / self.diff.size
        # --- end


np.random.seed(30)
fc1, act, fc2, crit = Linear(3, 5), Sigmoid(), Linear(5, 2), MSE()
x = np.random.randn(4, 3)
t = np.random.randn(4, 2)
loss = crit.forward(fc2.forward(act.forward(fc1.forward(x))), t)
grad = crit.backward()
grad = fc2.backward(grad)
grad = act.backward(grad)
dx = fc1.backward(grad)
print(fc1.grad_W, fc2.grad_b)
