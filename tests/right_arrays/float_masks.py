import numpy as np

rng = np.random.default_rng(11)
x = rng.standard_normal((5, 4))
W1 = rng.standard_normal((4, 6))
W2 = rng.standard_normal((6, 3))
t = rng.standard_normal((5, 3))
keep = 0.8
drop = (rng.random((5, 6)) < keep).astype(float) / keep

z = x @ W1
h = np.where(z > 0, z, 0.01 * z)
hd = h * drop
pred = hd @ W2
diff = pred - t
loss = np.abs(diff).mean() + 1e-3 * (np.abs(W1).sum() + (W2 ** 2).sum())

ddiff = (diff > 0).astype(float) - (diff < 0).astype(float)
ddiff = ddiff / diff.size
dW2 = hd.T @ ddiff + 2e-3 * W2
dhd = ddiff @ W2.T
dh = dhd * drop
slope = (z > 0) * 1.0 + (z <= 0) * 0.01
dz = dh * slope
dW1 = x.T @ dz
dW1 += 1e-3 * np.sign(W1)
dx = dz @ W1.T
