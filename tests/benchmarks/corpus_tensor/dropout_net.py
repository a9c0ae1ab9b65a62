"""Network with inverted dropout on a fixed mask; parameters and gradients in lists by layer."""

# loss: loss
# inputs: weights biases x
# gradients: dws[0]=weights[0] dws[1]=weights[1] dws[2]=weights[2] dbs[0]=biases[0] dbs[1]=biases[1] dbs[2]=biases[2]
import numpy as np

np.random.seed(27)
sizes = [3, 5, 4, 2]
weights = [np.random.randn(a, b) * 0.8 for a, b in zip(sizes[:-1], sizes[1:])]
biases = [np.random.randn(b) * 0.2 for b in sizes[1:]]
x = np.random.randn(4, 3)
t = np.random.randn(4, 2)
keep = 0.7
masks = [(np.random.rand(4, n) < keep) / keep for n in sizes[1:-1]]

acts, zs = [x], []
for l in range(3):
    z = acts[-1] @ weights[l] + biases[l]
    zs.append(z)
    acts.append(np.maximum(z, 0.1 * z) * masks[l] if l < 2 else z)
loss = 0.5 * np.sum((acts[-1] - t) ** 2) / 4

# --- manual
dws, dbs = [None] * 3, [None] * 3
delta = (acts[-1] - t) / 4
for l in [2, 1, 0]:
    if l < 2:
        delta = delta * masks[l] * np.where(zs[l] > 0, 1.0, 0.1)
    dws[l] = acts[l].T @ delta
    dbs[l] = delta.sum(axis=0)
    delta = delta @ weights[l].T
print(dws[0], dbs[0])
