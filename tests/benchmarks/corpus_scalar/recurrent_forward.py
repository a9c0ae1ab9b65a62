"""Two tanh steps sharing a weight, derived once forward and once in reverse."""

# loss: y2
# gradients: dwh=w_h dwy=w_y dh0=h0
# tangents: dh1_dwh=h1/w_h dy2_dwh=y2/w_h dy2_dwy=y2/w_y dy2_dh0=y2/h0
import math

w_h = 0.8
w_y = 3.5
h0 = 0.6

h1_raw = w_h * h0
h1 = math.tanh(h1_raw)
h2_raw = w_h * h1
h2 = math.tanh(h2_raw)
y2 = w_y * h2

# --- manual
# analytically
dh1raw_dwh = h0
dh1_dwh = (1 - h1**2) * dh1raw_dwh
dh2raw_dwh = h1 + w_h * dh1_dwh
dh2_dwh = (1 - h2**2) * dh2raw_dwh
dy2_dwh = w_y * dh2_dwh
dy2_dwy = h2
dy2_dh0 = w_y * (1 - h2**2) * w_h * (1 - h1**2) * w_h

# in reverse
dy2 = 1.0
dwy = h2 * dy2
dh2 = w_y * dy2
dh2_raw = (1 - h2**2) * dh2
dwh = h1 * dh2_raw
dh1 = w_h * dh2_raw
dh1_raw = (1 - h1**2) * dh1
dwh += h0 * dh1_raw
dh0 = w_h * dh1_raw

print("analytic", dy2_dwh, dy2_dwy)
print("reverse", dwh, dwy)
