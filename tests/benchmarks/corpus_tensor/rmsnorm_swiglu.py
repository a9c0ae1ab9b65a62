"""One block of a transformer: root-mean-square norm, gated feed-forward with SiLU, skip; parameters in a dictionary."""

# loss: loss
# inputs: p x
# gradients: g["w"]=p["w"] g["Wg"]=p["Wg"] g["Wu"]=p["Wu"] g["Wd"]=p["Wd"] dx=x
import numpy as np


def block_forward(p, x):
    ms = np.mean(x * x, axis=-1, keepdims=True)
    inv = 1.0 / np.sqrt(ms + 1e-5)
    n = x * inv * p["w"]
    gate = n @ p["Wg"]
    up = n @ p["Wu"]
    sg = 1.0 / (1.0 + np.exp(-gate))
    act = gate * sg
    h = act * up
    y = x + h @ p["Wd"]
    return y, (x, inv, n, gate, up, sg, act, h)


def block_backward(p, dy, cache):
    # --- manual
    x, inv, n, gate, up, sg, act, h = cache
    g = {}
    g["Wd"] = h.T @ dy
    dh = dy @ p["Wd"].T
    dup = dh * act
    dact = dh * up
    dgate = dact * (sg + gate * sg * (1 - sg))
    g["Wg"] = n.T @ dgate
    g["Wu"] = n.T @ dup
    dn = dgate @ p["Wg"].T + dup @ p["Wu"].T
    g["w"] = np.sum(dn * x * inv, axis=0)
    dnw = dn * p["w"]
    dx = dnw * inv - x * inv**3 * np.mean(dnw * x, axis=-1, keepdims=True)
    dx += dy
    return dx, g
    # --- end


rng = np.random.RandomState(3)
D, H = 4, 6
p = {
    "w": np.ones(D),
    "Wg": rng.randn(D, H) * 0.5,
    "Wu": rng.randn(D, H) * 0.5,
    "Wd": rng.randn(H, D) * 0.5,
}
x = rng.randn(5, D)
target = rng.randn(5, D)
y, cache = block_forward(p, x)
loss = 0.5 * np.sum((y - target) ** 2)
dx, g = block_backward(p, y - target, cache)
print(dx, g)
