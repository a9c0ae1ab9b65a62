"""CS231n's staged computation: too long to derive in one go, easy in steps."""

import symgrad

report = symgrad.check("(x+sigmoid(y))/(sigmoid(x)+(x+y)^2)", at="x=3,y=-4")
print(report.explain())

assert report.verdict == "agree"
assert abs(float(report["x"].exact) - 2.05956979557216) < 1e-12
assert abs(float(report["y"].exact) - 1.59223275148381) < 1e-12
