"""ARMA(1,1) by conditional least squares: residuals and their derivatives by recursion."""

# loss: css
# gradients: dS_dphi=phi dS_dtheta=theta dS_dc=c
phi = 0.6
theta = 0.35
c = 0.1
series = [0.4, 0.9, 0.2, -0.3, 0.5, 1.1]

eps = [0.0]
for t in range(1, len(series)):
    eps.append(series[t] - c - phi * series[t - 1] - theta * eps[t - 1])
css = sum(e * e for e in eps)

# --- manual
de_dphi, de_dtheta, de_dc = [0.0], [0.0], [0.0]
for t in range(1, len(series)):
    de_dphi.append(-series[t - 1] - theta * de_dphi[-1])
    de_dtheta.append(-eps[t - 1] - theta * de_dtheta[-1])
    de_dc.append(-1.0 - theta * de_dc[-1])

dS_dphi = 2 * sum(e * d for e, d in zip(eps, de_dphi))
dS_dtheta = 2 * sum(e * d for e, d in zip(eps, de_dtheta))
dS_dc = 2 * sum(e * d for e, d in zip(eps, de_dc))
# --- end
print("CSS", css)
print("gradient", dS_dphi, dS_dtheta, dS_dc)
