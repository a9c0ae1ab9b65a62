"""Cross-entropy of one sample, every chain-rule factor on its own line."""

# loss: L
# gradients: dL_dw1=w1 dL_dw2=w2 dL_db=b
import numpy as np

x1 = 0.6
x2 = -1.4
w1 = 1.1
w2 = 0.35
b = -0.3
y = 0.8

z = w1 * x1 + w2 * x2 + b
yhat = 1 / (1 + np.exp(-z))
L = -(y * np.log(yhat) + (1 - y) * np.log(1 - yhat))

# --- manual
dL_dyhat = -(y / yhat - (1 - y) / (1 - yhat))
dyhat_dz = yhat * (1 - yhat)
dL_dz = dL_dyhat * dyhat_dz
dz_dw1 = x1
dz_dw2 = x2
dL_dw1 = dL_dz * dz_dw1
dL_dw2 = dL_dz * dz_dw2
dL_db = dL_dz * 1

print(dL_dw1, dL_dw2, dL_db)
