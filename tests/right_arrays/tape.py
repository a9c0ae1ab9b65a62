import numpy as np
rng = np.random.default_rng(3)
W = [rng.normal(size=(4, 5)), rng.normal(size=(5, 3))]
b = [np.zeros(5), np.zeros(3)]
x, t = rng.normal(size=(7, 4)), rng.normal(size=(7, 3))
steps = []
a = x
for k in range(2):
    z = a @ W[k] + b[k]
    steps.append({"in": a, "z": z})
    a = np.tanh(z) if k == 0 else z
loss = np.mean((a - t) ** 2)
dW, db = [None, None], [None, None]
delta = 2 * (a - t) / a.size
for k in (1, 0):
    step = steps[k]
    if k == 0:
        delta = delta * (1 - np.tanh(step["z"]) ** 2)
    dW[k] = step["in"].T @ delta
    db[k] = delta.sum(0)
    delta = delta @ W[k].T
dx = delta
print(dW, db, dx)
