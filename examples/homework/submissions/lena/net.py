import numpy as np
from slopes import tanh_slope

w_y = 40.0
w_h = 2.0
h0 = 0.5

h1_raw = w_h * h0
h1 = np.tanh(h1_raw)
h2_raw = w_h * h1
h2 = np.tanh(h2_raw)
y2 = w_y * h2

dw_y = h2
dh2_raw = w_y * tanh_slope(h2)
dw_h = h1 * dh2_raw
dh1_raw = w_h * dh2_raw * tanh_slope(h1)
dw_h = dw_h + 2 * h0 * dh1_raw
