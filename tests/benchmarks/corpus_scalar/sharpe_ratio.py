"""The Sharpe ratio of three assets by their weights: sums over lists, the quotient rule, gradients appended."""

# loss: sharpe
# gradients: grad[0]=weights[0] grad[1]=weights[1] grad[2]=weights[2] dsharpe_drf=rf
from math import sqrt

weights = [0.5, 0.3, 0.4]
mu = [0.8, 0.5, 1.1]
vol = [0.9, 0.6, 1.2]
rho = 0.3
rf = 0.2
n = 3

cov = [[vol[i] * vol[j] * (1 if i == j else rho) for j in range(n)] for i in range(n)]
mean = sum(w * m for w, m in zip(weights, mu))
marginal = [sum(cov[i][j] * weights[j] for j in range(n)) for i in range(n)]
variance = sum(weights[i] * marginal[i] for i in range(n))
risk = sqrt(variance)
excess = mean - rf
sharpe = excess / risk

# --- manual
grad = []
for i in range(n):
    dexcess = mu[i]
    drisk = marginal[i] / risk
    grad.append((dexcess * risk - excess * drisk) / variance)
dsharpe_drf = -1 / risk
print(grad, dsharpe_drf)
