"""One convolution layer as a matrix product: im2col by index arrays, col2im with np.add.at."""

# loss: loss
# inputs: x K bias T
# gradients: gX=x gK=K gb=bias
import numpy as np

rng = np.random.default_rng(16)
c, h, w = 2, 4, 5
n_f, kh, kw = 3, 2, 3
x = rng.standard_normal((c, h, w))
K = rng.standard_normal((n_f, c, kh, kw))
bias = rng.standard_normal((n_f, 1))
oh, ow = h - kh + 1, w - kw + 1
T = rng.standard_normal((n_f, oh * ow))

ch = np.repeat(np.arange(c), kh * kw).reshape(-1, 1)
i0 = np.tile(np.repeat(np.arange(kh), kw), c).reshape(-1, 1)
j0 = np.tile(np.arange(kw), kh * c).reshape(-1, 1)
rows = i0 + np.repeat(np.arange(oh), ow).reshape(1, -1)
cols = j0 + np.tile(np.arange(ow), oh).reshape(1, -1)

patches = x[ch, rows, cols]
Kflat = K.reshape(n_f, -1)
out = Kflat @ patches + bias
loss = 0.5 * np.sum((out - T) ** 2)

# --- manual
gout = out - T
gb = gout.sum(axis=1, keepdims=True)
gKflat = gout @ patches.T
gK = gKflat.reshape(K.shape)
gpatches = Kflat.T @ gout
gX = np.zeros_like(x)
np.add.at(gX, (ch, rows, cols), gpatches)
print(gX, gK)
