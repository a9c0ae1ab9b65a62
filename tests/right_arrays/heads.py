import numpy as np
rng = np.random.RandomState(6)
B, T, C, H = 2, 3, 4, 2
x = rng.randn(B, T, C)
Wqkv = rng.randn(C, 3 * C) * 0.5
qkv = x @ Wqkv
q, k, v = np.split(qkv, 3, axis=2)
def split(a):
    return a.reshape(B, T, H, C // H).transpose(0, 2, 1, 3)
def merge(a):
    return a.transpose(0, 2, 1, 3).reshape(B, T, C)
qh, kh, vh = split(q), split(k), split(v)
scale = (C // H) ** -0.5
att = np.einsum("bhid,bhjd->bhij", qh, kh) * scale
e = np.exp(att - att.max(-1, keepdims=True))
A = e / e.sum(-1, keepdims=True)
o = merge(A @ vh)
G = rng.randn(B, T, C)
loss = np.sum(o * G)
do = split(G)
dA = do @ vh.swapaxes(-1, -2)
dvh = A.swapaxes(-1, -2) @ do
datt = A * (dA - (dA * A).sum(-1, keepdims=True))
dqh = np.einsum("bhij,bhjd->bhid", datt, kh) * scale
dkh = np.einsum("bhij,bhid->bhjd", datt, qh) * scale
dqkv = np.concatenate([merge(dqh), merge(dkh), merge(dvh)], axis=2)
dWqkv = np.einsum("btc,btd->cd", x, dqkv)
dx = dqkv @ Wqkv.T
print(dWqkv, dx)
