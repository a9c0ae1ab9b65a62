"""Activations and derivatives as lambdas."""

# loss: out
# gradients: dw=w dv=v dx=x
import numpy as np

sigmoid = lambda s: 1 / (1 + np.exp(-s))
swish = lambda s: s * sigmoid(s)

x = -0.7
w = 1.25
v = 0.9

z = w * x
h = swish(z)
k = v * h
out = sigmoid(k)

# --- manual
dsigmoid = lambda s: sigmoid(s) * (1 - sigmoid(s))
dswish = lambda s: sigmoid(s) + s * dsigmoid(s)

dk = dsigmoid(k)
dv = dk * h
dh = dk * v
dz = dh * dswish(z)
dw = dz * x
dx = dz * w

print(dw, dv, dx)
