"""A chain in which x is used twice: its paths add up."""

import symgrad

report = symgrad.check("tanh(x+sigmoid(x^2))", at="x=3")
print(report.explain())

assert report.verdict == "agree"
assert abs(float(report["x"].exact) - 0.0013422743525) < 1e-12
