"""A sum is differentiated term by term."""

import symgrad

report = symgrad.check("x^2+x^3", at="x=3")
print(report.explain())

assert report.verdict == "agree"
assert float(report["x"].exact) == 33
