"""A weight used twice, as in a recurrent net: dh2/dw = 2*w*h0."""

import symgrad

report = symgrad.check("h1 = w*h0; h2 = w*h1", at="w=3,h0=5")
print(report.explain())

assert report.verdict == "agree"
assert float(report["w"].exact) == 30
assert float(report["h0"].exact) == 9
