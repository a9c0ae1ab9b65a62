"""CS231n's first circuit, with its intermediate q as a named step."""

import symgrad

report = symgrad.check("q = x+y; f = q*z", at="x=-2,y=5,z=-4")
print(report.explain())

assert report.verdict == "agree"
assert float(report["x"].exact) == -4
assert float(report["y"].exact) == -4
assert float(report["z"].exact) == 3
