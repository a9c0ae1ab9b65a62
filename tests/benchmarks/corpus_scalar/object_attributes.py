"""Forward in a class, backward in a function that puts gradients beside the weights: net.dw1."""

# loss: out
# gradients: net.dw1=w1 net.dw2=w2 net.dx=x
import math


class Net:
    def __init__(self, w1, w2):
        self.w1, self.w2 = w1, w2

    def forward(self, x):
        self.x = x
        self.a = self.w1 * x
        self.h = math.exp(-self.a * self.a)
        self.z = self.w2 * self.h
        return math.atan(self.z)


x = 0.7
w1 = 1.1
w2 = -0.8
net = Net(w1, w2)
out = net.forward(x)


# --- manual
def backward(net, dout):
    dz = dout / (1 + net.z**2)
    net.dw2 = dz * net.h
    dh = dz * net.w2
    da = dh * net.h * (-2 * net.a)
    net.dw1 = da * net.x
    net.dx = da * net.w1


backward(net, 1.0)
print(net.dw1, net.dw2, net.dx)
