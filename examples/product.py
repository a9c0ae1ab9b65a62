"""The product rule: each factor is the other's local derivative."""

import symgrad

report = symgrad.check("x*y", at="x=4,y=-3")
print(report.explain())

assert report.verdict == "agree"
assert float(report["x"].exact) == -3
assert float(report["y"].exact) == 4
