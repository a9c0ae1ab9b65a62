"""A network in pure Python: lists of lists, no library but math."""

# loss: loss
# inputs: w1 w2 x
# gradients: dw1=w1 dw2=w2
import math

x = [0.4, -0.7, 1.2]
target = [0.3, -0.5]
w1 = [[0.5, -0.3, 0.8], [0.2, 0.9, -0.6], [-0.7, 0.4, 0.35], [1.1, -0.2, 0.15]]
w2 = [[0.6, -0.4, 0.25, 0.7], [-0.9, 0.3, 0.55, -0.1]]

hidden = [math.tanh(sum(w1[i][j] * x[j] for j in range(3))) for i in range(4)]
out = [sum(w2[k][i] * hidden[i] for i in range(4)) for k in range(2)]
loss = sum((out[k] - target[k]) ** 2 for k in range(2)) / 2

# --- manual
dout = [out[k] - target[k] for k in range(2)]
dw2 = [[0.0] * 4 for _ in range(2)]
dhidden = [0.0] * 4
for k in range(2):
    for i in range(4):
        dw2[k][i] = dout[k] * hidden[i]
        dhidden[i] += dout[k] * w2[k][i]
dw1 = [[0.0] * 3 for _ in range(4)]
for i in range(4):
    dz = dhidden[i] * (1 - hidden[i] ** 2)
    for j in range(3):
        dw1[i][j] = dz * x[j]
print(dw1, dw2)
