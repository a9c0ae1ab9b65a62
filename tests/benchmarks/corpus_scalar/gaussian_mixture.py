"""Negative log-likelihood of a mixture of two Gaussians; gradients by responsibilities."""

# loss: nll
# gradients: dmu1=mu1 dmu2=mu2 ds1=s1 ds2=s2 dpi1=pi1
import math

data = [0.3, 1.7, -0.8, 2.4]
mu1, mu2 = 0.1, 1.9
s1, s2 = 0.8, 0.6
pi1 = 0.45


def pdf(x, mu, s):
    return math.exp(-0.5 * ((x - mu) / s) ** 2) / (s * math.sqrt(2 * math.pi))


nll = 0.0
for x in data:
    nll -= math.log(pi1 * pdf(x, mu1, s1) + (1 - pi1) * pdf(x, mu2, s2))

# --- manual
dmu1 = 0.0
dmu2 = 0.0
ds1 = 0.0
ds2 = 0.0
dpi1 = 0.0
for x in data:
    p1 = pdf(x, mu1, s1)
    p2 = pdf(x, mu2, s2)
    total = pi1 * p1 + (1 - pi1) * p2
    r1 = pi1 * p1 / total
    r2 = 1 - r1
    dmu1 -= r1 * (x - mu1) / s1**2
    dmu2 -= r2 * (x - mu2) / s2**2
    ds1 -= r1 * ((x - mu1) ** 2 / s1**3 - 1 / s1)
    ds2 -= r2 * ((x - mu2) ** 2 / s2**3 - 1 / s2)
    dpi1 -= (p1 - p2) / total
print(nll, dmu1, dmu2, ds1, ds2, dpi1)
