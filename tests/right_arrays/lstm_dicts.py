import numpy as np
rng = np.random.RandomState(8)
T, D, H = 3, 2, 3
sig = lambda u: 1 / (1 + np.exp(-u))
P = {k: rng.randn(H, D + H) * 0.6 for k in "ifog"}
c0 = {k: np.zeros(H) for k in "ifog"}
P["bi"], P["bf"], P["bo"], P["bg"] = c0["i"], c0["f"], c0["o"], c0["g"]
xs = [rng.randn(D) for _ in range(T)]
h, c = np.zeros(H), np.zeros(H)
tape = []
for x in xs:
    z = np.concatenate([h, x])
    i, f, o = sig(P["i"] @ z + P["bi"]), sig(P["f"] @ z + P["bf"]), sig(P["o"] @ z + P["bo"])
    g = np.tanh(P["g"] @ z + P["bg"])
    c_prev = c
    c = f * c_prev + i * g
    h = o * np.tanh(c)
    tape.append((z, i, f, o, g, c_prev, c))
loss = 0.5 * np.sum(h ** 2)
grads = {k: np.zeros_like(v) for k, v in P.items()}
dh, dc = h.copy(), np.zeros(H)
for z, i, f, o, g, c_prev, c in tape[::-1]:
    tc = np.tanh(c)
    do = dh * tc * o * (1 - o)
    dc = dc + dh * o * (1 - tc ** 2)
    di = dc * g * i * (1 - i)
    df = dc * c_prev * f * (1 - f)
    dg = dc * i * (1 - g ** 2)
    dz = np.zeros(D + H)
    for k, d in (("i", di), ("f", df), ("o", do), ("g", dg)):
        grads[k] += np.outer(d, z)
        grads["b" + k] += d
        dz += P[k].T @ d
    dh = dz[:H]
    dc = dc * f
print(grads["i"], grads["bg"])
