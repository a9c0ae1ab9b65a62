"""f(x, y) = (x**2 + y) / (x*y + 3), by the quotient rule."""

# loss: f
# tangents: df_dx=f/x df_dy=f/y
x = 1.7
y = 0.6

u = x**2 + y
v = x * y + 3
f = u / v

# --- manual
du_dx = 2 * x
dv_dx = y
df_dx = (du_dx * v - u * dv_dx) / v**2

du_dy = 1
dv_dy = x
df_dy = (du_dy * v - u * dv_dy) / v**2

print(df_dx, df_dy)
