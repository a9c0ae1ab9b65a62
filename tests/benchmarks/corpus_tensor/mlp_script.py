"""Two-layer perceptron with tanh and mean squared error: a plain script."""

# loss: loss
# inputs: X W1 b1 W2 b2
# gradients: dX=X dW1=W1 db1=b1 dW2=W2 db2=b2
import numpy as np

np.random.seed(1)
X = np.random.randn(4, 3)
Y = np.random.randn(4, 2)
W1 = np.random.randn(3, 5) * 0.6
b1 = np.zeros(5)
W2 = np.random.randn(5, 2) * 0.6
b2 = np.zeros(2)
N = X.shape[0]

z1 = X.dot(W1) + b1
h = np.tanh(z1)
pred = h.dot(W2) + b2
loss = np.sum((pred - Y) ** 2) / N

# --- manual
dpred = 2.0 * (pred - Y) / N
dW2 = h.T.dot(dpred)
db2 = np.sum(dpred, axis=0)
dh = dpred.dot(W2.T)
dz1 = dh * (1 - h**2)
dW1 = X.T.dot(dz1)
db1 = np.sum(dz1, axis=0)
dX = dz1.dot(W1.T)
print(loss, dW1, db1, dW2, db2)
