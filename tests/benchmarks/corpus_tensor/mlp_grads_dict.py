"""ReLU net with softmax cross-entropy and L2: forward and backward functions, a cache, a dictionary of gradients."""

# loss: cost
# inputs: params
# gradients: grads["W1"]=params["W1"] grads["b1"]=params["b1"] grads["W2"]=params["W2"] grads["b2"]=params["b2"]
import numpy as np

rng = np.random.RandomState(2)
lambd = 0.3


def init(n_in, n_hidden, n_out):
    return {
        "W1": rng.randn(n_hidden, n_in) * 0.7,
        "b1": rng.randn(n_hidden, 1) * 0.1,
        "W2": rng.randn(n_out, n_hidden) * 0.7,
        "b2": np.zeros((n_out, 1)),
    }


def forward(X, params):
    Z1 = np.dot(params["W1"], X) + params["b1"]
    A1 = np.maximum(0, Z1)
    Z2 = np.dot(params["W2"], A1) + params["b2"]
    e = np.exp(Z2 - np.max(Z2, axis=0, keepdims=True))
    A2 = e / np.sum(e, axis=0, keepdims=True)
    return A2, (Z1, A1, A2)


def compute_cost(A2, Y, params):
    m = Y.shape[1]
    data = -np.sum(Y * np.log(A2)) / m
    return data + lambd / (2 * m) * (np.sum(params["W1"] ** 2) + np.sum(params["W2"] ** 2))


def backward(X, Y, params, cache):
    # --- manual
    m = X.shape[1]
    Z1, A1, A2 = cache
    dZ2 = A2 - Y
    dW2 = np.dot(dZ2, A1.T) / m + lambd * params["W2"] / m
    db2 = np.sum(dZ2, axis=1, keepdims=True) / m
    dA1 = np.dot(params["W2"].T, dZ2)
    dZ1 = dA1 * (Z1 > 0)
    dW1 = np.dot(dZ1, X.T) / m + lambd * params["W1"] / m
    db1 = np.sum(dZ1, axis=1, keepdims=True) / m
    return {"W1": dW1, "b1": db1, "W2": dW2, "b2": db2}
    # --- end


params = init(4, 6, 3)
X = rng.randn(4, 5)
Y = np.eye(3)[:, [0, 2, 1, 1, 0]]
A2, cache = forward(X, params)
cost = compute_cost(A2, Y, params)
grads = backward(X, Y, params, cache)
print(cost, grads["W1"], grads["b1"])
