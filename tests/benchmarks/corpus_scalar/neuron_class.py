"""A neuron as a class with self.dw; default bias of zero."""

# loss: loss
# gradients: unit.dw=w unit.db=b dx=x
import math

x = 0.85
w = -1.15
b = 0.0
t = 0.4


class Neuron:
    def __init__(self, w, b):
        self.w = w
        self.b = b

    def forward(self, x):
        self.x = x
        self.z = self.w * x + self.b
        self.out = math.tanh(self.z)
        return self.out

    # --- manual
    def backward(self, dout):
        dz = dout * (1 - self.out**2)
        self.dw = dz * self.x
        self.db = dz
        return dz * self.w


# --- end
unit = Neuron(w, b)
y = unit.forward(x)
loss = (y - t) ** 2
dx = unit.backward(2 * (y - t))
print(unit.dw, unit.db, dx)
