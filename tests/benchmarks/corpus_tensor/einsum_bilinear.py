"""Bilinear form over a batch with einsum, through a sigmoid."""

# loss: loss
# inputs: a B c T
# gradients: g_a=a g_B=B g_c=c
import numpy as np

np.random.seed(29)
a = np.random.randn(4, 3)
B = np.random.randn(3, 2, 5)
c = np.random.randn(4, 5)
T = np.random.randn(4, 2)

s = np.einsum("ni,iok,nk->no", a, B, c)
p = 1 / (1 + np.exp(-s))
loss = np.sum(p * T)

# --- manual
g_s = T * p * (1 - p)
g_a = np.einsum("no,iok,nk->ni", g_s, B, c)
g_B = np.einsum("ni,no,nk->iok", a, g_s, c)
g_c = np.einsum("ni,no,iok->nk", a, g_s, B)
print(g_a, g_B, g_c)
