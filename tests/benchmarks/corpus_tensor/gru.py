"""GRU cell by hand, two steps, column vectors; every gate's delta on its own line."""

# loss: J
# inputs: P x1 x2 s0 y
# gradients: D["Wz"]=P["Wz"] D["Uz"]=P["Uz"] D["Wr"]=P["Wr"] D["Ur"]=P["Ur"] D["Wh"]=P["Wh"] D["Uh"]=P["Uh"] delta_s=s0
import numpy as np


def sigma(u):
    return 1.0 / (1.0 + np.exp(-u))


rs = np.random.RandomState(14)
n, d = 4, 3
P = {k: rs.randn(n, d if k[0] == "W" else n) * 0.6 for k in ("Wz", "Uz", "Wr", "Ur", "Wh", "Uh")}
x1, x2 = rs.randn(d), rs.randn(d)
s0 = rs.randn(n)
y = rs.randn(n)

steps = []
s = s0
for x in (x1, x2):
    z = sigma(P["Wz"] @ x + P["Uz"] @ s)
    r = sigma(P["Wr"] @ x + P["Ur"] @ s)
    rsn = r * s
    hh = np.tanh(P["Wh"] @ x + P["Uh"] @ rsn)
    new = (1 - z) * s + z * hh
    steps.append((x, s, z, r, rsn, hh))
    s = new
J = 0.5 * np.sum((s - y) ** 2)

# --- manual
D = {k: np.zeros_like(v) for k, v in P.items()}
delta_s = s - y
for x, s_prev, z, r, rsn, hh in reversed(steps):
    delta_hh = delta_s * z * (1 - hh**2)
    delta_z = delta_s * (hh - s_prev) * z * (1 - z)
    delta_rs = P["Uh"].T @ delta_hh
    delta_r = delta_rs * s_prev * r * (1 - r)
    D["Wh"] += np.outer(delta_hh, x)
    D["Uh"] += np.outer(delta_hh, rsn)
    D["Wz"] += np.outer(delta_z, x)
    D["Uz"] += np.outer(delta_z, s_prev)
    D["Wr"] += np.outer(delta_r, x)
    D["Ur"] += np.outer(delta_r, s_prev)
    carry = delta_s * (1 - z) + delta_rs * r
    carry += P["Uz"].T @ delta_z
    carry += P["Ur"].T @ delta_r
    delta_s = carry
print(D["Wz"], D["Uh"])
