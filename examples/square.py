"""The power rule: d/dx x^2 = 2x."""

import symgrad

report = symgrad.check("x^2", at="x=3")
print(report.explain())

assert report.verdict == "agree"
assert float(report["x"].exact) == 6
