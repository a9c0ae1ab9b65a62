"""A backward function that returns a tuple, in another order than its arguments."""

# loss: cost
# gradients: g_b=b g_a=a g_x=x
import numpy as np

x = 0.55
a = 1.45
b = 0.7


def forward(x, a, b):
    u = a * x
    s = np.sin(u)
    e = np.exp(-b * s)
    return u, s, e


u, s, e = forward(x, a, b)
cost = e * x

# --- manual


def backward(x, a, b, u, s, e, upstream=1.0):
    ge = upstream * x
    gexp = ge * e
    gs = gexp * -b
    gb = gexp * -s
    gu = gs * np.cos(u)
    ga = gu * x
    gx = gu * a + upstream * e
    return gx, gb, ga


g_x, g_b, g_a = backward(x, a, b, u, s, e)
print(g_a, g_b, g_x)
