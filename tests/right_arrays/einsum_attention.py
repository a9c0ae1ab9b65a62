import numpy as np

np.random.seed(0)
B, T, H, D = 2, 4, 3, 5
q = np.random.randn(B, H, T, D)
k = np.random.randn(B, H, T, D)
v = np.random.randn(B, H, T, D)
up = np.random.randn(B, H, T, D)
scale = D ** -0.5
causal = np.tril(np.ones((T, T)))

s = np.einsum("bhtd,bhsd->bhts", q, k) * scale
s = np.where(causal == 0, -1e9, s)
s = s - s.max(-1, keepdims=True)
e = np.exp(s)
a = e / e.sum(-1, keepdims=True)
o = np.einsum("bhts,bhsd->bhtd", a, v)
loss = (o * up).sum()

do = up
dv = np.einsum("bhts,bhtd->bhsd", a, do)
da = np.einsum("bhtd,bhsd->bhts", do, v)
ds = a * (da - np.einsum("bhts,bhts->bht", da, a)[..., None])
ds *= causal
ds *= scale
dq = np.einsum("bhts,bhsd->bhtd", ds, k)
dk = np.einsum("bhts,bhtd->bhsd", ds, q)
