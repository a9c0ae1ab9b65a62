"""A factorization machine with the logistic loss, sample by sample; a dictionary of gradients."""

# loss: loss
# inputs: b w V X
# gradients: grad["b"]=b grad["w"]=w grad["V"]=V
import numpy as np

rng = np.random.RandomState(21)
n, d, k = 6, 4, 3
X = rng.randn(n, d)
y = np.array([1, -1, 1, 1, -1, -1])
b = 0.1
w = rng.randn(d) * 0.3
V = rng.randn(d, k) * 0.4
lam = 0.05

loss = 0.0
margins = []
for s in range(n):
    linear = b + np.dot(w, X[s])
    xv = X[s] @ V
    pair = 0.5 * np.sum(xv**2 - (X[s] ** 2) @ V**2)
    m = y[s] * (linear + pair)
    margins.append(m)
    loss += np.log(1 + np.exp(-m)) / n
loss += lam * np.sum(V**2) + lam * np.sum(w**2)

# --- manual
grad = {"b": 0.0, "w": np.zeros(d), "V": np.zeros((d, k))}
for s in range(n):
    x = X[s]
    coef = -y[s] / (1 + np.exp(margins[s])) / n
    grad["b"] += coef
    grad["w"] += coef * x
    total = x @ V
    for i in range(d):
        grad["V"][i] += coef * (x[i] * total - x[i] ** 2 * V[i])
grad["w"] += 2 * lam * w
grad["V"] += 2 * lam * V
print(grad)
