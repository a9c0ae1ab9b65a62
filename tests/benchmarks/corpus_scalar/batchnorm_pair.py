"""Normalising two numbers by their mean and variance, scale and shift at their defaults."""

# loss: L
# gradients: da=a db=b dgamma=gamma dbeta=beta
import math

a = 1.9
b = 0.4
gamma = 1.0
beta = 0.0
eps = 0.05

mean = (a + b) / 2
ca = a - mean
cb = b - mean
var = (ca**2 + cb**2) / 2
std = math.sqrt(var + eps)
na = ca / std
nb = cb / std
ya = gamma * na + beta
yb = gamma * nb + beta
L = ya**3 + 0.5 * yb**2

# --- manual
dya = 3 * ya**2
dyb = yb
dbeta = dya + dyb
dgamma = dya * na + dyb * nb
dna = dya * gamma
dnb = dyb * gamma
dstd = -(dna * ca + dnb * cb) / std**2
dvar = dstd / (2 * std)
dca = dna / std + dvar * ca
dcb = dnb / std + dvar * cb
dmean = -dca - dcb
da = dca + dmean / 2
db = dcb + dmean / 2
print("da", da, "db", db)
print("dgamma", dgamma, "dbeta", dbeta)
