"""A linear model."""

import symgrad

report = symgrad.check("w*x+b", at="w=2,x=3,b=1")
print(report.explain())

assert report.verdict == "agree"
assert float(report["w"].exact) == 3
assert float(report["x"].exact) == 2
assert float(report["b"].exact) == 1
