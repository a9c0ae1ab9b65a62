"""A layer without an activation, as an expression of matrices: every gradient in matrix form, with its shape."""

import symgrad

report = symgrad.check("Q = X @ W; Z = Q + b; O = sum(Z)", shapes={"X": (3, 2), "W": (2, 4), "b": 4})
print(report.explain())

assert report.verdict == "agree"
lines = {line.name: line.formula for line in report.backward}
assert lines["dZ"] == "ones((3, 4))"
assert lines["db"] == "sum(dZ, axis=0)"
assert (lines["dW"], lines["dX"]) == ("X.T @ dZ", "dZ @ W.T")
