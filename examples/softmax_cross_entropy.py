"""Softmax and cross-entropy over a batch. Softmax is differentiated as if each entry depended on its score alone."""

import numpy as np

np.random.seed(2)
X = np.random.randn(4, 3)
W = np.random.randn(3, 5)
b = np.zeros(5)
labels = np.array([1, 4, 0, 2])
n = X.shape[0]

scores = X @ W + b
exps = np.exp(scores - np.max(scores, axis=1, keepdims=True))
probs = exps / np.sum(exps, axis=1, keepdims=True)
loss = -np.sum(np.log(probs[np.arange(n), labels])) / n

dprobs = np.zeros_like(probs)
dprobs[np.arange(n), labels] = -1 / (n * probs[np.arange(n), labels])
dscores = probs * (1 - probs) * dprobs
dW = X.T @ dscores
db = np.sum(dscores, axis=0)
dX = dscores @ W.T
print(dW, db)
