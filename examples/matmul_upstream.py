"""D = W X with an upstream gradient that is given: the two lines that everybody looks up, both right."""

import numpy as np

np.random.seed(0)
W = np.random.randn(5, 10)
X = np.random.randn(10, 3)
D = W.dot(X)

dD = np.random.randn(*D.shape)
dW = dD.dot(X.T)
dX = W.T.dot(dD)
print(dW.shape, dX.shape)
