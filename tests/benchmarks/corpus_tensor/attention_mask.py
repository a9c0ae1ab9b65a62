"""Causal attention over a batch: mask, batched matrix products, output projection."""

# loss: loss
# inputs: q k v Wo target
# gradients: grad_q=q grad_k=k grad_v=v grad_Wo=Wo
import numpy as np

rng = np.random.default_rng(20)
B, T, D, M = 2, 4, 3, 5
q = rng.normal(size=(B, T, D))
k = rng.normal(size=(B, T, D))
v = rng.normal(size=(B, T, D))
Wo = rng.normal(size=(D, M))
target = rng.normal(size=(B, T, M))
mask = np.triu(np.ones((T, T)), 1) == 1
scale = 1.0 / np.sqrt(D)

scores = np.matmul(q, k.transpose(0, 2, 1)) * scale
scores = np.where(mask, -1e9, scores)
ex = np.exp(scores - np.max(scores, axis=2, keepdims=True))
att = ex / np.sum(ex, axis=2, keepdims=True)
heads = np.matmul(att, v)
out = heads @ Wo
loss = np.mean((out - target) ** 2)

# --- manual
grad_out = 2 * (out - target) / target.size
grad_Wo = np.einsum("btd,btm->dm", heads, grad_out)
grad_heads = grad_out @ Wo.T
grad_v = np.matmul(att.transpose(0, 2, 1), grad_heads)
grad_att = np.matmul(grad_heads, v.transpose(0, 2, 1))
grad_scores = att * (grad_att - np.sum(grad_att * att, axis=2, keepdims=True))
grad_scores = np.where(mask, 0.0, grad_scores) * scale
grad_q = np.matmul(grad_scores, k)
grad_k = np.matmul(grad_scores.transpose(0, 2, 1), q)
print(grad_q, grad_Wo)
