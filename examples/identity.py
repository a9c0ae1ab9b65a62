"""d/dx of x is 1, whatever x is."""

import symgrad

report = symgrad.check("x", at="x=5")
print(report.explain())

assert report.verdict == "agree"
assert float(report["x"].exact) == 1
