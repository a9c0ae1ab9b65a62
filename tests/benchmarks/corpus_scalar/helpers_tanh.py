"""Three layers with helper functions for the activation and its derivative (of the output)."""

# loss: cost
# gradients: delta_w1=w1 delta_w2=w2 delta_w3=w3
import math


def act(v):
    return math.tanh(v)


x = 0.75
w1 = 1.1
w2 = -0.8
w3 = 1.6
t = 0.3

a1 = act(w1 * x)
a2 = act(w2 * a1)
a3 = act(w3 * a2)
cost = 0.5 * (t - a3) ** 2


# --- manual
def dact(y):
    return 1 - y**2


delta3 = -(t - a3) * dact(a3)
delta_w3 = delta3 * a2
delta2 = delta3 * w3 * dact(a2)
delta_w2 = delta2 * a1
delta1 = delta2 * w2 * dact(a1)
delta_w1 = delta1 * x

print(delta_w1, delta_w2, delta_w3)
