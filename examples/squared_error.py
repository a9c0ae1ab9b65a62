"""The squared error of a square: two powers and a minus sign."""

import symgrad

report = symgrad.check("(y - x^2)^2", at="x=1,y=10")
print(report.explain())

assert report.verdict == "agree"
assert float(report["x"].exact) == -36
