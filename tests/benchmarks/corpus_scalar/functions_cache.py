"""forward() and backward() with a cache, gradients in a dict."""

# loss: loss
# gradients: grads["w"]=w grads["b"]=b grads["v"]=v
import math

x = 1.15
y = 0.4
w = 0.65
b = -0.3
v = 1.7


def forward(x, y, w, b, v):
    z = w * x + b
    h = math.tanh(z)
    pred = v * h
    loss = (pred - y) ** 2
    cache = (x, y, v, h, pred)
    return loss, cache


loss, cache = forward(x, y, w, b, v)


# --- manual
def backward(cache):
    x, y, v, h, pred = cache
    grads = {}
    dpred = 2 * (pred - y)
    grads["v"] = dpred * h
    dh = dpred * v
    dz = dh * (1 - h**2)
    grads["w"] = dz * x
    grads["b"] = dz
    return grads


grads = backward(cache)
print(loss, grads)
