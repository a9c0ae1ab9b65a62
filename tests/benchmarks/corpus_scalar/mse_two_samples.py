"""A line through three points, mean squared error, gradients as sums written out."""

# loss: mse
# gradients: dm=m dc=c
x1, x2, x3 = 0.4, 1.3, -0.8
t1, t2, t3 = 1.0, 0.2, -0.5
m = 0.75
c = 0.3

e1 = m * x1 + c - t1
e2 = m * x2 + c - t2
e3 = m * x3 + c - t3
mse = (e1**2 + e2**2 + e3**2) / 3

# --- manual
dm = (2 / 3) * (e1 * x1 + e2 * x2 + e3 * x3)
dc = (2 / 3) * (e1 + e2 + e3)
print("slope gradient", dm)
print("intercept gradient", dc)
