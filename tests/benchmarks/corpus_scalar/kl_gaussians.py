"""KL divergence of two normal distributions, by all four parameters."""

# loss: kl
# gradients: dkl_dmu1=mu1 dkl_dmu2=mu2 dkl_ds1=s1 dkl_ds2=s2
import numpy as np

mu1, s1 = 0.4, 0.8
mu2, s2 = -0.3, 1.5

diff = mu1 - mu2
kl = np.log(s2 / s1) + (s1**2 + diff**2) / (2 * s2**2) - 0.5

# --- manual
dkl_dmu1 = diff / s2**2
dkl_dmu2 = -diff / s2**2
dkl_ds1 = s1 / s2**2 - 1 / s1
dkl_ds2 = 1 / s2 - (s1**2 + diff**2) / s2**3
print(dkl_dmu1, dkl_dmu2, dkl_ds1, dkl_ds2)
