"""Logistic growth by Euler steps, fitted to the last value; the adjoint runs backwards through the steps."""

# loss: loss
# gradients: dr=r dcap=cap lam=n0
r = 0.6
cap = 5.0
n0 = 0.7
target = 2.5
dt = 0.25
steps = 5

n = n0
history = [n]
for k in range(steps):
    n = n + dt * r * n * (1 - n / cap)
    history.append(n)
loss = 0.5 * (n - target) ** 2

# --- manual
lam = n - target
dr = 0.0
dcap = 0.0
for k in range(steps - 1, -1, -1):
    nk = history[k]
    dr += lam * dt * nk * (1 - nk / cap)
    dcap += lam * dt * r * nk**2 / cap**2
    lam = lam * (1 + dt * r * (1 - 2 * nk / cap))
print("dr", dr, "dcap", dcap, "dn0", lam)
