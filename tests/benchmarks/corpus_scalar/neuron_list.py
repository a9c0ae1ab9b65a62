"""A neuron as a class, weights in a list, comprehensions and enumerate; a squared error."""

# loss: err
# gradients: n.dw[0]=w0 n.dw[1]=w1 n.dw[2]=w2 n.db=b0
import math

w0, w1, w2 = 0.4, -0.7, 1.1
b0 = 0.15
inputs = [0.9, 0.3, -0.6]
target = 0.8


class Neuron:
    def __init__(self, weights, bias):
        self.w = weights
        self.b = bias

    def forward(self, x):
        self.x = x
        self.s = sum(wi * xi for wi, xi in zip(self.w, x)) + self.b
        self.a = 1 / (1 + math.exp(-self.s))
        return self.a

    # --- manual
    def backward(self, grad):
        ds = grad * self.a * (1 - self.a)
        self.dw = [0.0] * len(self.w)
        for i, xi in enumerate(self.x):
            self.dw[i] = ds * xi
        self.db = ds


# --- end
n = Neuron([w0, w1, w2], b0)
out = n.forward(inputs)
err = (out - target) ** 2
n.backward(2 * (out - target))
print(n.dw, n.db)
