"""A smoothed series, error against targets; reverse loop over a list of adjoints."""

# loss: J
# gradients: alpha_bar=alpha s_bar=s0

alpha = 0.3
s0 = 0.25
data = [1.0, -0.4, 0.7]

s = [s0]
J = 0.0
for k in range(3):
    s.append(alpha * data[k] + (1 - alpha) * s[k])
    J += 0.5 * (s[k + 1] - data[k]) ** 2

# --- manual
alpha_bar = 0.0
s_bar = 0.0
for k in reversed(range(3)):
    s_bar = s_bar + (s[k + 1] - data[k])
    alpha_bar += s_bar * (data[k] - s[k])
    s_bar = s_bar * (1 - alpha)
print(alpha_bar, s_bar)
