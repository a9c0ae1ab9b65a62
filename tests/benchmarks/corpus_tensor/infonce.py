"""A contrastive loss (InfoNCE, both directions) on normalised embeddings of two towers, as functions with a cache."""

# loss: loss
# inputs: Xa Xb Wa Wb
# gradients: grads["Wa"]=Wa grads["Wb"]=Wb
import numpy as np


def normalize(z):
    norm = np.linalg.norm(z, axis=1, keepdims=True)
    return z / norm, norm


def normalize_back(dzn, zn, norm):
    # --- manual
    inner = np.sum(dzn * zn, axis=1, keepdims=True)
    return (dzn - zn * inner) / norm
    # --- end


def softmax(s, axis):
    e = np.exp(s - np.max(s, axis=axis, keepdims=True))
    return e / np.sum(e, axis=axis, keepdims=True)


def contrastive(Xa, Xb, Wa, Wb, tau):
    N = Xa.shape[0]
    za, na = normalize(Xa @ Wa)
    zb, nb = normalize(Xb @ Wb)
    sim = za @ zb.T / tau
    pr = softmax(sim, axis=1)
    pc = softmax(sim, axis=0)
    diag = np.arange(N)
    loss = -0.5 * np.mean(np.log(pr[diag, diag])) - 0.5 * np.mean(np.log(pc[diag, diag]))
    # --- manual
    dsim = pr + pc
    dsim[diag, diag] -= 2
    dsim /= 2 * N
    dza = dsim @ zb / tau
    dzb = dsim.T @ za / tau
    dA = normalize_back(dza, za, na)
    dB = normalize_back(dzb, zb, nb)
    grads = {"Wa": Xa.T @ dA, "Wb": Xb.T @ dB}
    # --- end
    return loss, grads


rng = np.random.RandomState(8)
Xa, Xb = rng.randn(4, 3), rng.randn(4, 5)
Wa, Wb = rng.randn(3, 6) * 0.6, rng.randn(5, 6) * 0.6
loss, grads = contrastive(Xa, Xb, Wa, Wb, 0.5)
print(loss, grads)
