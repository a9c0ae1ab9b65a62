import numpy as np

rng = np.random.RandomState(5)
N, D, C = 6, 4, 3
X = rng.randn(N, D)
y = np.array([0, 2, 1, 1, 0, 2])
theta = rng.randn(D * C + C)
reg = 0.1


def loss_and_grad(theta):
    W = theta[: D * C].reshape(D, C)
    b = theta[D * C :]
    scores = X.dot(W) + b
    scores -= scores.max(1)[:, np.newaxis]
    logZ = np.log(np.exp(scores).sum(axis=1))
    loss = (logZ - scores[np.arange(N), y]).mean() + reg * np.sum(W * W)
    p = np.exp(scores - logZ[:, None])
    p[range(N), y] -= 1
    p /= N
    grad = np.zeros_like(theta)
    gW = grad[: D * C].reshape(D, C)   # a view
    gb = grad[D * C :]
    gW[...] = X.T @ p
    gW += 2 * reg * W
    gb[:] = p.sum(0)
    return loss, grad


loss, grad = loss_and_grad(theta)
