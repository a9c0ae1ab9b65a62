"""Softmax regression with explicit loops over samples and classes."""

# loss: loss
# inputs: W X
# gradients: dW=W
import numpy as np

np.random.seed(5)
W = np.random.randn(3, 4) * 0.4
X = np.random.randn(5, 3)
y = np.array([3, 0, 2, 3, 1])
reg = 0.25
num_train, num_classes = 5, 4

loss = 0.0
probs = []
for i in range(num_train):
    scores = X[i].dot(W)
    p = np.exp(scores) / np.sum(np.exp(scores))
    probs.append(p)
    loss = loss - np.log(p[y[i]])
loss = loss / num_train + 0.5 * reg * np.sum(W * W)

# --- manual
dW = np.zeros(W.shape)
for i in range(num_train):
    for j in range(num_classes):
        dscore = probs[i][j] - (j == y[i])
        dW[:, j] += dscore * X[i]
dW /= num_train
dW += reg * W
print(dW)
