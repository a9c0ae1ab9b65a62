"""A scalar Kalman update and its expected log-likelihood, chain rule from the innovation back."""

# loss: ll
# gradients: P_bar=P R_bar=R m_bar=m
import math

m = 0.4
P = 1.3
R = 0.7
obs = 1.1

innov = obs - m
S = P + R
gain = P / S
m_new = m + gain * innov
P_new = (1 - gain) * P
ll = -0.5 * math.log(S) - 0.5 * innov**2 / S + 0.1 * m_new**2 + 0.3 * P_new

# --- manual
m_new_bar = 0.2 * m_new
P_new_bar = 0.3
gain_bar = m_new_bar * innov - P_new_bar * P
innov_bar = m_new_bar * gain - innov / S
S_bar = -0.5 / S + 0.5 * innov**2 / S**2 - gain_bar * P / S**2
P_bar = P_new_bar * (1 - gain) + gain_bar / S + S_bar
R_bar = S_bar
m_bar = m_new_bar - innov_bar
print(P_bar, R_bar, m_bar)
