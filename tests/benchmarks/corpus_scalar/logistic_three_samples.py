"""Logistic regression with one feature and three samples: mean cross-entropy."""

# loss: loss
# gradients: dw=w db=b
import math

X = [0.7, -1.6, 2.1]
Y = [1.0, 0.0, 1.0]
w = 0.4
b = -0.2
N = len(X)


def sigmoid(s):
    return 1 / (1 + math.exp(-s))


probs = [sigmoid(w * xi + b) for xi in X]
loss = 0.0
for p, yi in zip(probs, Y):
    loss -= yi * math.log(p) + (1 - yi) * math.log(1 - p)
loss = loss / N

# --- manual
dw = 0.0
db = 0.0
for i in range(N):
    error = probs[i] - Y[i]
    dw += error * X[i] / N
    db += error / N

print("loss", loss)
print("dw, db =", dw, db)
