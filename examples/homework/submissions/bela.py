import math

w_y, w_h, h0 = 40.0, 2.0, 0.5


def net(w):
    inner = math.tanh(w * h0)
    return inner, math.tanh(w * inner)


inner, outer = net(w_h)
y2 = w_y * outer

# forward mode: d tanh(u) = du / cosh(u)^2
d_inner = h0 / math.cosh(w_h * h0) ** 2
d_outer = (inner + w_h * d_inner) / math.cosh(w_h * inner) ** 2
dy2_dwh = w_y * d_outer
dy2_dwy = outer
