"""A question from a forum: why does autograd not get the gradient that was derived by hand?

y2 = w_y*tanh(w_h*tanh(w_h*h0)), derived once analytically and once in reverse. Both derivations give -40.215 for
dy2/dw_h; autograd gives 8.1888, and is right: the derivative of tanh(u) is 1 - tanh(u)**2, and both use 1 - u**2,
twice each.

    symgrad check examples/recurrent_tanh.py
"""

import numpy as np

w_y = 40.0
w_h = 2.0
h0 = 0.5

# forward
h1_raw = w_h * h0
h1 = np.tanh(h1_raw)
h2_raw = w_h * h1
h2 = np.tanh(h2_raw)
y2 = w_y * h2

# analytic
dh1raw_dwh = h0
dh1_dwh = (1 - h1_raw**2) * dh1raw_dwh
dh2raw_dwh = h1 + w_h * dh1_dwh
dh2_dwh = (1 - h2_raw**2) * dh2raw_dwh
dy2_dwh = w_y * dh2_dwh
dy2_dwy = h2

# reverse
dy2 = 1.0
dh2 = w_y * dy2
dw_y = h2 * dy2
dh2_raw = (1 - h2_raw**2) * dh2
dw_h = h1 * dh2_raw
dh1 = w_h * dh2_raw
dh1_raw = (1 - h1_raw**2) * dh1
dw_h += h0 * dh1_raw
print(dw_h, dy2_dwh)
