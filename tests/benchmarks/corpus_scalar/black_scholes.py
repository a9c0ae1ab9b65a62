"""Black-Scholes call price: delta, vega, rho and the derivative by the strike, as the textbook has them."""

# loss: price
# gradients: dprice_dS=S dprice_dK=K dprice_dsigma=sigma dprice_dr=r
import math

S = 105.0
K = 98.0
sigma = 0.22
r = 0.03
T = 0.75


def cdf(v):
    return 0.5 * (1 + math.erf(v / math.sqrt(2)))


def pdf(v):
    return math.exp(-0.5 * v**2) / math.sqrt(2 * math.pi)


rt = math.sqrt(T)
d1 = (math.log(S / K) + (r + 0.5 * sigma**2) * T) / (sigma * rt)
d2 = d1 - sigma * rt
price = S * cdf(d1) - K * math.exp(-r * T) * cdf(d2)

# --- manual
dprice_dS = cdf(d1)
dprice_dK = -math.exp(-r * T) * cdf(d2)
dprice_dsigma = S * pdf(d1) * rt
dprice_dr = K * T * math.exp(-r * T) * cdf(d2)
print(dprice_dS, dprice_dK, dprice_dsigma, dprice_dr)
