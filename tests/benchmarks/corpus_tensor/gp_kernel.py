"""Gaussian process: negative log marginal likelihood, gradients in the logarithms of the hyper-parameters."""

# loss: nll
# inputs: log_ell log_sf log_sn X y
# gradients: dlog_ell=log_ell dlog_sf=log_sf dlog_sn=log_sn
import numpy as np

np.random.seed(23)
X = np.random.randn(5, 2)
y = np.random.randn(5)
log_ell = 0.3
log_sf = -0.2
log_sn = -0.7

ell = np.exp(log_ell)
sf2 = np.exp(2 * log_sf)
sn2 = np.exp(2 * log_sn)
diff = X[:, None, :] - X[None, :, :]
sqd = np.sum(diff**2, axis=2)
Kf = sf2 * np.exp(-0.5 * sqd / ell**2)
K = Kf + sn2 * np.eye(5)
Kinv = np.linalg.inv(K)
alpha = Kinv @ y
nll = 0.5 * y @ alpha + 0.5 * np.log(np.linalg.det(K))

# --- manual
dK = 0.5 * (Kinv - np.outer(alpha, alpha))
dlog_ell = np.sum(dK * Kf * sqd / ell**2)
dlog_sf = 2 * np.sum(dK * Kf)
dlog_sn = 2 * sn2 * np.trace(dK)
print(dlog_ell, dlog_sf, dlog_sn)
