"""One name, delta, reused for each cotangent on the way down."""

# loss: E
# gradients: w3_grad=w3 w2_grad=w2 w1_grad=w1 delta=x
import math

x = 0.65
w1 = 1.4
w2 = -0.9
w3 = 0.75
d = 0.2

z1 = w1 * x
h1 = math.tanh(z1)
z2 = w2 * h1
h2 = 1 / (1 + math.exp(-z2))
o = w3 * h2
E = (o - d) ** 2 / 2

# --- manual
delta = o - d
w3_grad = delta * h2
delta = delta * w3
delta = delta * h2 * (1 - h2)
w2_grad = delta * h1
delta = delta * w2
delta = delta * (1 - h1**2)
w1_grad = delta * x
delta = delta * w1
print(w1_grad, w2_grad, w3_grad, delta)
