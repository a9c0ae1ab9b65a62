"""Babylonian square root, three steps in a loop, tangent carried along."""

# loss: y
# tangents: dy=y/a
a = 5.3
y = 1.7
ys = [y]
for k in range(3):
    y = 0.5 * (y + a / y)
    ys.append(y)

# --- manual
dy = 0.0
for k in range(3):
    dy = 0.5 * (dy + 1 / ys[k] - a * dy / ys[k] ** 2)

print("dy/da", dy)
