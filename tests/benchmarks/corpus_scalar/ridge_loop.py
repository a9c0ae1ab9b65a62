"""Ridge regression with one weight over zipped samples."""

# loss: loss
# gradients: grads["w"]=w grads["b"]=b
xs = [0.9, -0.4, 1.7]
ts = [0.5, 0.35, -1.2]
w = 0.6
b = -0.15
lam = 0.3
n = 3

preds = []
loss = 0.0
for x, t in zip(xs, ts):
    pred = w * x + b
    preds.append(pred)
    loss += (pred - t) ** 2 / n
loss += lam * w**2

# --- manual
grads = {"w": 0.0, "b": 0.0}
for x, t, pred in zip(xs, ts, preds):
    dpred = 2 * (pred - t) / n
    grads["w"] += dpred * x
    grads["b"] += dpred
grads["w"] += 2 * lam * w

print(grads["w"], grads["b"])
