import numpy as np
np.random.seed(3)
w = np.random.randn()
b = np.random.uniform(-1, 1)
v = np.random.normal(0.0, 2.0)
x = np.float64(0.3)
z = w*x + b*v
print(float(z), round(float(z), 6), np.round(z, 3) == round(float(z), 3), z.item() == z, np.exp(z) > 0)
r = np.maximum(0, z); dr = 1.0 if z > 0 else 0.0
dr2 = np.where(z > 0, 1.0, 0.0)
mask = (z > 0) * 1.0
print(float(r), dr, float(dr2), float(mask), np.sign(-z) == -np.sign(z), np.abs(z) == abs(z), np.sqrt(x**2) - x)
print(bool(np.isclose(z, z + 1e-12)), np.allclose([z, 1.0], [z, 1.0]), np.pi, np.e, np.inf, float(np.float64(1.0)/3))
a = np.array([1.0, 2.0, 3.0])
c = a*x + np.ones(3) - np.zeros_like(a)
print(c.shape, c.ndim, len(c), c.size, np.tanh(c).shape, c.dtype)
print(np.exp(a)/(1 + np.exp(a)))
print(np.log(np.float64(0.0)), np.float64(1.0)/np.float64(0.0))
l = np.logaddexp(x, 1.0) + np.hypot(x, 2) + np.arctan2(x, 1) + np.expm1(x) + np.cbrt(x) + np.power(x, 3) + np.square(x) + np.reciprocal(x) + np.log2(x) + np.log10(x) + np.minimum(x, 0.1) + np.clip(x, 0, 0.2) + np.heaviside(x, 0.5) + np.negative(x) + np.add(x, 1) + np.subtract(x, 1) + np.multiply(x, 2) + np.divide(x, 2) + np.arcsin(x) + np.sinh(x) + np.arctanh(x)
print(float(l))
