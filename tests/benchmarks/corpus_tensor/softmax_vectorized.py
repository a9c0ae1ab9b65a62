"""Softmax regression: loss and gradient in one function, vectorised, with regularisation."""

# loss: loss
# inputs: W X
# gradients: grad=W
import numpy as np


def softmax_loss_vectorized(W, X, y, reg):
    num_train = X.shape[0]
    scores = X.dot(W)
    scores = scores - np.max(scores, axis=1, keepdims=True)
    exp_scores = np.exp(scores)
    probs = exp_scores / np.sum(exp_scores, axis=1, keepdims=True)
    loss = np.sum(-np.log(probs[np.arange(num_train), y])) / num_train
    loss = loss + reg * np.sum(W * W)
    # --- manual
    dscores = probs.copy()
    dscores[np.arange(num_train), y] -= 1
    dscores /= num_train
    dW = X.T.dot(dscores)
    dW += 2 * reg * W
    # --- end
    return loss, dW


np.random.seed(4)
W = np.random.randn(4, 3) * 0.5
X = np.random.randn(5, 4)
y = np.array([0, 2, 1, 2, 2])
loss, grad = softmax_loss_vectorized(W, X, y, 0.15)
print(loss, grad)
