import numpy as np


class Dense:
    def __init__(self, i, o, rng):
        self.weights = rng.normal(size=(o, i))
        self.bias = rng.normal(size=(o, 1))

    def forward(self, inp):
        self.input = inp
        return np.dot(self.weights, inp) + self.bias

    def backward(self, output_gradient, rate):
        weights_gradient = np.dot(output_gradient, self.input.T)
        input_gradient = np.dot(self.weights.T, output_gradient)
        self.weights -= rate * weights_gradient
        self.bias -= rate * output_gradient
        return input_gradient


class Softplus:
    def forward(self, inp):
        self.input = inp
        return np.logaddexp(0, inp)

    def backward(self, output_gradient, rate):
        return np.multiply(output_gradient, 1 / (1 + np.exp(-self.input)))


class Softmax:
    def forward(self, inp):
        tmp = np.exp(inp)
        self.output = tmp / np.sum(tmp)
        return self.output

    def backward(self, output_gradient, rate):
        n = np.size(self.output)
        tmp = np.tile(self.output, n)
        return np.dot(tmp * (np.identity(n) - np.transpose(tmp)), output_gradient)


def mse(t, p):
    return np.mean(np.power(t - p, 2))


def mse_prime(t, p):
    return 2 * (p - t) / np.size(t)


rng = np.random.default_rng(1)
net = [Dense(3, 4, rng), Softplus(), Dense(4, 2, rng), Softmax()]
x, t = rng.normal(size=(3, 1)), np.array([[0.0], [1.0]])
out = x
for layer in net:
    out = layer.forward(out)
error = mse(t, out)
grad = mse_prime(t, out)
for layer in reversed(net):
    grad = layer.backward(grad, 0.1)
