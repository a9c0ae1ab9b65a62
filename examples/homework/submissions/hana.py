import numpy as np

w_y = 40.0
w_h = 2.0
h0 = 0.5

h1_raw = w_h * h0
h1 = np.tanh(h1_raw)
h2_raw = w_h * h1
h2 = np.tanh(h2_raw)
y2 = w_y * h2

dy2 = 1.0
dw_y = h2 * dy2
dh2 = w_y * dy2
dh2_raw = (1 - h2**2) * dh2
dw_h = h1 * dh2_raw
dh1 = w_h * dh2_raw
dh1_raw = (1 - h1**2) * dh1
dw_h += h1 * dh1_raw
