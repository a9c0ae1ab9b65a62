"""The example of the lecture: evaluation trace and reverse trace of f(x1, x2) = log(x1) + x1*x2 - sin(x2/x1)."""

# loss: v7
# gradients: v_1b=x1 v0b=x2
import math

x1 = 2.0
x2 = 5.0

# forward primal trace
v_1 = x1
v0 = x2
v1 = math.log(v_1)
v2 = v_1 * v0
v3 = v0 / v_1
v4 = math.sin(v3)
v5 = v1 + v2
v6 = math.exp(-v5 / 10)
v7 = v6 * v5 - v4

# --- manual
v7b = 1.0
v6b = v7b * v5
v5b = v7b * v6
v4b = v7b * (-1)
v5b = v5b + v6b * v6 * (-1 / 10)
v1b = v5b * 1
v2b = v5b * 1
v3b = v4b * math.cos(v3)
v0b = v3b / v_1
v_1b = v3b * (-v0 / v_1**2)
v0b = v0b + v2b * v_1
v_1b = v_1b + v2b * v0
v_1b = v_1b + v1b / v_1
# --- end
print("f =", v7, " df/dx1 =", v_1b, " df/dx2 =", v0b)
