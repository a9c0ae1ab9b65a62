"""Two ReLU units in a row, one on and one leaky and off."""

# loss: L
# gradients: dx=x dw1=w1 dw2=w2 dw3=w3
x = 1.2
w1 = 0.8
w2 = -1.5
w3 = 0.7
alpha = 0.1

z1 = w1 * x
h1 = max(z1, 0.0)
z2 = w2 * h1
h2 = z2 if z2 > 0 else alpha * z2
out = w3 * h2
L = out**2

# --- manual
dout = 2 * out
dw3 = dout * h2
dh2 = dout * w3
dz2 = dh2 if z2 > 0 else alpha * dh2
dw2 = dz2 * h1
dh1 = dz2 * w2
dz1 = dh1 if z1 > 0 else 0.0
dw1 = dz1 * x
dx = dz1 * w1
print("grads:", dw1, dw2, dw3, dx)
