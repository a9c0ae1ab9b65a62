import numpy as np

np.random.seed(4)
params = {"Wxh": np.random.randn(6, 3), "Whh": np.random.randn(6, 6),
          "Why": np.random.randn(2, 6), "bh": np.random.randn(6), "by": np.random.randn(2)}
seqs = np.random.randn(3, 4, 3)     # batch, time, features
labels = np.array([[0, 1, 1, 0], [1, 1, 0, 0], [0, 0, 1, 1]])


def run(seq, lab):
    hs, ps = [np.zeros(6)], []
    loss = 0.0
    for t, xt in enumerate(seq):
        hs.append(np.tanh(params["Wxh"] @ xt + params["Whh"] @ hs[-1] + params["bh"]))
        o = params["Why"] @ hs[-1] + params["by"]
        p = np.exp(o) / np.exp(o).sum()
        ps.append(p)
        loss += -np.log(p[lab[t]])
    grads = {k: np.zeros_like(v) for k, v in params.items()}
    carry = np.zeros(6)
    for t in range(len(seq) - 1, -1, -1):
        do = ps[t].copy()
        do[lab[t]] -= 1
        grads["Why"] += do[:, None] * hs[t + 1][None, :]
        grads["by"] += do
        dh = params["Why"].T @ do + carry
        da = dh - dh * hs[t + 1] ** 2
        grads["Wxh"] += np.multiply.outer(da, seq[t])
        grads["Whh"] += np.multiply.outer(da, hs[t])
        grads["bh"] += da
        carry = da @ params["Whh"]
    return loss, grads


loss = 0.0
grads = {k: np.zeros_like(v) for k, v in params.items()}
for seq, lab in zip(seqs, labels):
    l, g = run(seq, lab)
    loss += l / len(seqs)
    for k in grads:
        grads[k] += g[k] / len(seqs)
