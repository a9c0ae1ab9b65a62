"""Skip-gram with negative sampling, one centre word: a function that returns the cost and its gradients."""

# loss: cost
# inputs: center outside
# gradients: grad_center=center grad_outside=outside
import numpy as np


def sig(t):
    return 1 / (1 + np.exp(-t))


def neg_sampling(v, o, outside, negatives):
    u_o = outside[o]
    p_o = sig(np.dot(u_o, v))
    U_k = outside[negatives]
    p_k = sig(-U_k.dot(v))
    cost = -np.log(p_o) - np.sum(np.log(p_k))
    # --- manual
    err_k = 1 - p_k
    grad_v = (p_o - 1) * u_o
    grad_v += U_k.T.dot(err_k)
    grad_U = np.zeros(outside.shape)
    grad_U[o] += (p_o - 1) * v
    np.add.at(grad_U, negatives, np.outer(err_k, v))
    # --- end
    return cost, grad_v, grad_U


np.random.seed(22)
center = np.random.randn(4)
outside = np.random.randn(6, 4) * 0.7
cost, grad_center, grad_outside = neg_sampling(center, 3, outside, [1, 5, 1, 0, 2])
print(cost, grad_center, grad_outside)
