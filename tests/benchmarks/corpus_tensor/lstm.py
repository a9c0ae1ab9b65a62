"""LSTM over three steps: gates sliced from one product, lists per time step, carries of h and c."""

# loss: loss
# inputs: x h0 Wx Wh b G
# gradients: dx=x dh0=h0 dWx=Wx dWh=Wh db=b
import numpy as np


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


np.random.seed(13)
N, T, D, H = 3, 3, 2, 4
x = np.random.randn(N, T, D)
h0 = np.random.randn(N, H) * 0.5
Wx = np.random.randn(D, 4 * H) * 0.5
Wh = np.random.randn(H, 4 * H) * 0.5
b = np.zeros(4 * H)
G = np.random.randn(N, T, H)

h, c = h0, np.zeros((N, H))
caches, hs = [], []
for t in range(T):
    a = x[:, t, :] @ Wx + h @ Wh + b
    i = sigmoid(a[:, :H])
    f = sigmoid(a[:, H : 2 * H])
    o = sigmoid(a[:, 2 * H : 3 * H])
    g = np.tanh(a[:, 3 * H :])
    c_next = f * c + i * g
    tanh_c = np.tanh(c_next)
    caches.append((h, c, i, f, o, g, tanh_c))
    h, c = o * tanh_c, c_next
    hs.append(h)
loss = sum(np.sum(hs[t] * G[:, t, :]) for t in range(T))

# --- manual
dx = np.zeros_like(x)
dWx = np.zeros_like(Wx)
dWh = np.zeros_like(Wh)
db = np.zeros_like(b)
dh_next = np.zeros((N, H))
dc_next = np.zeros((N, H))
for t in reversed(range(T)):
    h_prev, c_prev, i, f, o, g, tanh_c = caches[t]
    dh = G[:, t, :] + dh_next
    do = dh * tanh_c
    dc = dh * o * (1 - tanh_c**2) + dc_next
    df = dc * c_prev
    di = dc * g
    dg = dc * i
    dc_next = dc * f
    dai = di * i * (1 - i)
    daf = df * f * (1 - f)
    dao = do * o * (1 - o)
    dag = dg * (1 - g**2)
    da = np.concatenate([dai, daf, dao, dag], axis=1)
    dx[:, t, :] = da @ Wx.T
    dWx += x[:, t, :].T @ da
    dWh += h_prev.T @ da
    db += da.sum(axis=0)
    dh_next = da @ Wh.T
dh0 = dh_next
print(dWx, dWh, db)
