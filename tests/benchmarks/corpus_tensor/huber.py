"""Robust regression with Huber's loss, weighted samples."""

# loss: loss
# inputs: w b
# gradients: gw=w gb=b
import numpy as np

rng = np.random.RandomState(25)
X = rng.randn(5, 3) * 1.5
t = rng.randn(5)
s = rng.rand(5) + 0.5
w = rng.randn(3)
b = -0.6
delta = 0.9

r = np.dot(X, w) + b - t
small = np.abs(r) <= delta
loss = np.sum(s * np.where(small, 0.5 * r**2, delta * (np.abs(r) - 0.5 * delta))) / np.sum(s)

# --- manual
gr = np.where(small, r, delta * np.sign(r))
gr = s * gr / np.sum(s)
gw = np.dot(gr, X)
gb = gr.sum()
print(loss, gw, gb)
