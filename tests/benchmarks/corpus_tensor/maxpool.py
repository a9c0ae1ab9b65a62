"""Max-pooling with overlapping windows (3 wide, stride 2), as functions."""

# loss: loss
# inputs: x dout
# gradients: dx=x
import numpy as np


def pool_forward(x, size, stride):
    H, W = x.shape[1:]
    out_h, out_w = (H - size) // stride + 1, (W - size) // stride + 1
    out = np.zeros((x.shape[0], out_h, out_w))
    for i in range(out_h):
        for j in range(out_w):
            window = x[:, i * stride : i * stride + size, j * stride : j * stride + size]
            out[:, i, j] = np.max(window, axis=(1, 2))
    return out, (x, size, stride)


def pool_backward(dout, cache):
    # --- manual
    x, size, stride = cache
    dx = np.zeros_like(x)
    for n in range(x.shape[0]):
        for i in range(dout.shape[1]):
            for j in range(dout.shape[2]):
                r, c = i * stride, j * stride
                window = x[n, r : r + size, c : c + size]
                mask = window == np.max(window)
                dx[n, r : r + size, c : c + size] += mask * dout[n, i, j]
    return dx
    # --- end


np.random.seed(40)
x = np.random.randn(2, 5, 7)
out, cache = pool_forward(x, 3, 2)
dout = np.random.randn(*out.shape)
loss = np.sum(out * dout)
dx = pool_backward(dout, cache)
print(dx)
