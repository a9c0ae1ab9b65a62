"""grad *= factor, all the way from the loss to the input."""

# loss: loss
# gradients: grad=x dk=k dm=m
import numpy as np

x = 0.45
k = 1.8
m = 0.6

a = k * x
b = np.exp(a)
c = b + m
d = np.sqrt(c)
loss = np.log(d)

# --- manual
grad = 1 / d
grad *= 0.5 / d
dm = grad
grad *= b
dk = grad * x
grad *= k

print("x:", grad)
print("k:", dk, " m:", dm)
