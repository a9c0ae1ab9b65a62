"""Embedding look-up with repeated words, averaged, then a linear layer and cross-entropy."""

# loss: loss
# inputs: E W b
# gradients: dE=E dW=W db=b
import numpy as np

np.random.seed(18)
V, D, C = 6, 4, 3
E = np.random.randn(V, D)
W = np.random.randn(D, C)
b = np.random.randn(C) * 0.3
words = np.array([[1, 4, 1, 0, 5], [2, 2, 3, 1, 4]])
labels = np.array([2, 0])
B, L = words.shape

emb = E[words]
ctx = emb.mean(axis=1)
logits = ctx @ W + b
logits = logits - logits.max(axis=1, keepdims=True)
probs = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
loss = -np.log(probs[np.arange(B), labels]).mean()

# --- manual
dlogits = probs.copy()
dlogits[np.arange(B), labels] -= 1
dlogits /= B
dW = ctx.T @ dlogits
db = dlogits.sum(axis=0)
dctx = dlogits @ W.T
demb = np.repeat(dctx[:, None, :], L, axis=1) / L
dE = np.zeros_like(E)
np.add.at(dE, words, demb)
print(dE, dW, db)
