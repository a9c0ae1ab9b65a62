"""A net of two hidden neurons in lists, and one step of gradient descent in place."""

# loss: loss
# gradients: (w0[0]-w1[0])/lr=w1[0] (w0[1]-w1[1])/lr=w1[1] (v0[0]-w2[0])/lr=w2[0] (v0[1]-w2[1])/lr=w2[1]
import math

x = [0.7, -0.4]
t = 0.9
w1 = [0.3, -0.6]
b1 = [0.05, 0.2]
w2 = [0.8, -0.5]
b2 = 0.1
lr = 0.25

h = [0, 0]
for j in range(2):
    h[j] = math.tanh(w1[j] * x[j] + b1[j])
o = b2
for j in range(2):
    o += w2[j] * h[j]
loss = 0.5 * (o - t) ** 2
w0 = list(w1)
v0 = list(w2)

# --- manual
d_o = o - t
d_h = [0, 0]
for j in range(2):
    d_h[j] = d_o * w2[j] * (1 - h[j] ** 2)
for j in range(2):
    w2[j] -= lr * d_o * h[j]
    w1[j] -= lr * d_h[j] * x[j]
    b1[j] -= lr * d_h[j]
b2 -= lr * d_o
print(w1, b1, w2, b2)
