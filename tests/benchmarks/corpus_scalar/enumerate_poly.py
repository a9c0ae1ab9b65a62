"""A polynomial with its coefficients in a list, a penalty on them, and a dictionary of gradients."""

# loss: obj
# gradients: grad["x"]=x grad["c0"]=c0 grad["c1"]=c1 grad["c2"]=c2
x = 0.8
c0, c1, c2 = 0.5, -1.2, 0.7
lam = 0.3
t = 0.1

coef = [c0, c1, c2]
p = 0.0
for i, ci in enumerate(coef):
    p += ci * x**i
obj = 0.5 * (p - t) ** 2 + lam * sum(ci**2 for ci in coef)

# --- manual
dp = p - t
grad = {}
grad["x"] = dp * sum(i * ci * x ** (i - 1) for i, ci in enumerate(coef) if i > 0)
grad["c0"] = dp + 2 * lam * c0
grad["c1"] = dp * x + 2 * lam * c1
grad["c2"] = dp * x**2 + 2 * lam * c2
print(grad)
