"""A root found by Newton's method, and its derivatives by the implicit function theorem."""

# loss: y
# gradients: dy_da=a dy_db=b
import math

a = 0.7
b = 1.9

y = 1.0
for k in range(30):
    y = y - (y + a * math.sin(y) - b) / (1 + a * math.cos(y))

# --- manual
F_y = 1 + a * math.cos(y)
F_a = math.sin(y)
F_b = -1.0
dy_da = -F_a / F_y
dy_db = -F_b / F_y
print(y, dy_da, dy_db)
