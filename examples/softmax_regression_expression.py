"""Softmax regression on three samples: the gradient that everybody knows, X.T @ (P - Y) / N, checked entry by entry."""

import symgrad

by_hand = "X.T @ (softmax(X @ W + b, axis=1) - Y) / 3"
report = symgrad.check(
    "cross_entropy(X @ W + b, Y)",
    {"Y": [[1, 0], [0, 1], [1, 0]]},
    shapes={"X": (3, 2), "W": (2, 2), "b": 2},
    wrt=["W"],
    manual={"W": by_hand},
)
print(report.explain())

assert report.ok
assert report["W"].witnesses["manual"].verdict == "agree"
