"""A minimal gated unit, two steps unrolled, shared weights, numpy scalars."""

# loss: L
# gradients: dU=U dW=W dh0=h0
import numpy as np

U = 0.8
W = -1.2
h0 = 0.5
x1 = 0.9
x2 = -0.3

f1 = 1 / (1 + np.exp(-(U * h0 + x1)))
c1 = np.tanh(W * h0 + x1)
h1 = f1 * h0 + (1 - f1) * c1
f2 = 1 / (1 + np.exp(-(U * h1 + x2)))
c2 = np.tanh(W * h1 + x2)
h2 = f2 * h1 + (1 - f2) * c2
L = h2**2

# --- manual
dh2 = 2 * h2
df2 = dh2 * (h1 - c2)
dc2 = dh2 * (1 - f2)
dzf2 = df2 * f2 * (1 - f2)
dzc2 = dc2 * (1 - c2**2)
dh1 = dh2 * f2 + dzf2 * U + dzc2 * W
dU = dzf2 * h1
dW = dzc2 * h1

df1 = dh1 * (h0 - c1)
dc1 = dh1 * (1 - f1)
dzf1 = df1 * f1 * (1 - f1)
dzc1 = dc1 * (1 - c1**2)
dh0 = dh1 * f1 + dzf1 * U + dzc1 * W
dU += dzf1 * h0
dW += dzc1 * h0

print(f"dU={dU} dW={dW} dh0={dh0}")
