"""Huber loss of a line through four points, with an if per point; gradients in a loop over zip."""

# loss: total
# gradients: gm=m gc=c
xs = [0.5, 1.4, -0.9, 2.2]
ts = [0.9, 3.9, -0.2, 1.1]
m = 1.3
c = 0.2
delta = 0.75

total = 0.0
for x, t in zip(xs, ts):
    r = m * x + c - t
    if abs(r) <= delta:
        total += 0.5 * r**2
    else:
        total += delta * (abs(r) - 0.5 * delta)

# --- manual
gm = 0.0
gc = 0.0
for x, t in zip(xs, ts):
    r = m * x + c - t
    if abs(r) <= delta:
        g = r
    elif r > 0:
        g = delta
    else:
        g = -delta
    gm += g * x
    gc += g
print(gm, gc)
