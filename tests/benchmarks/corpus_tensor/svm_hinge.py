"""Multiclass support vector machine: hinge loss and its gradient, vectorised with a mask of margins."""

# loss: loss
# inputs: W X
# gradients: dW=W
import numpy as np


def svm_loss(W, X, y, reg):
    n = X.shape[0]
    scores = X @ W
    correct = scores[np.arange(n), y].reshape(-1, 1)
    margins = np.maximum(0, scores - correct + 1.0)
    margins[np.arange(n), y] = 0
    loss = margins.sum() / n + reg * np.sum(W**2)
    # --- manual
    mask = (margins > 0).astype(float)
    mask[np.arange(n), y] = -mask.sum(axis=1)
    dW = X.T @ mask / n
    dW = dW + 2 * reg * W
    # --- end
    return loss, dW


np.random.seed(6)
W = np.random.randn(3, 4)
X = np.random.randn(5, 3)
y = np.array([1, 3, 0, 1, 2])
loss, dW = svm_loss(W, X, y, 0.05)
print(loss, dW)
