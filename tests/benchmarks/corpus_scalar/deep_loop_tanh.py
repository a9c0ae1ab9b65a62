"""A deep chain with its own weight per layer; gradients appended and reversed."""

# loss: h
# gradients: gws[0]=ws[0] gws[1]=ws[1] gws[2]=ws[2] g=x
import math

x = 0.8
ws = [1.2, -0.7, 0.95]
h = x
acts = [x]
for w in ws:
    h = math.tanh(w * h)
    acts.append(h)

# --- manual
g = 1.0
gws = []
for l in reversed(range(len(ws))):
    g = g * (1 - acts[l + 1] ** 2)
    gws.append(g * acts[l])
    g = g * ws[l]
gws = gws[::-1]
print(g, gws)
