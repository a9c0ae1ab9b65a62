"""Parameters and gradients in dicts; sine activation."""

# loss: loss
# gradients: grad["a"]=params["a"] grad["b"]=params["b"] grad["c"]=params["c"]
import numpy as np

params = {"a": 0.9, "b": 1.4, "c": -0.35}
x = 0.8
target = 0.25

inner = params["b"] * x + params["c"]
wave = np.sin(inner)
pred = params["a"] * wave
diff = pred - target
loss = diff**2

# --- manual
grad = {}
g_pred = 2 * diff
grad["a"] = g_pred * wave
g_wave = g_pred * params["a"]
g_inner = g_wave * np.cos(inner)
grad["b"] = g_inner * x
grad["c"] = g_inner

for key in grad:
    print(key, grad[key])
