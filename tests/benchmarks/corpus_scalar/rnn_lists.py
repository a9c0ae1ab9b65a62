"""A scalar recurrence over four inputs, kept in lists, backpropagated through time."""

# loss: loss
# gradients: dwx=wx dwh=wh db=b dwy=wy dh_next=h0
import numpy as np

xs = [0.5, -1.1, 0.8, 0.3]
ys = [0.2, 0.1, -0.3, 0.6]
wx = 0.9
wh = -0.6
b = 0.15
wy = 1.4
h0 = 0.45
T = len(xs)

hs = [h0]
outs = []
loss = 0.0
for t in range(T):
    hs.append(np.tanh(wx * xs[t] + wh * hs[t] + b))
    outs.append(wy * hs[t + 1])
    loss += 0.5 * (outs[t] - ys[t]) ** 2

# --- manual
dwx, dwh, db, dwy = 0.0, 0.0, 0.0, 0.0
dh_next = 0.0
for t in reversed(range(T)):
    dout = outs[t] - ys[t]
    dwy += dout * hs[t + 1]
    dh = dout * wy + dh_next
    draw = dh * (1 - hs[t + 1] ** 2)
    dwx += draw * xs[t]
    dwh += draw * hs[t]
    db += draw
    dh_next = draw * wh

print("dwx", dwx)
print("dwh", dwh)
print("db", db, "dwy", dwy)
