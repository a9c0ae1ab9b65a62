"""Negative log-likelihood of a Gaussian in its mean and standard deviation, two observations."""

# loss: nll
# gradients: dmu=mu dsigma=sigma
import math

mu = 0.4
sigma = 1.6
x1 = 1.9
x2 = -0.75

r1 = (x1 - mu) / sigma
r2 = (x2 - mu) / sigma
nll = 2 * math.log(sigma) + 0.5 * (r1**2 + r2**2) + math.log(2 * math.pi)

# --- manual
dr1 = r1
dr2 = r2
dmu = -dr1 / sigma - dr2 / sigma
dsigma = 2 / sigma
dsigma += dr1 * -(x1 - mu) / sigma**2
dsigma += dr2 * -(x2 - mu) / sigma**2

print("d/dmu", dmu)
print("d/dsigma", dsigma)
