"""The recurrent net of the forum question, as one expression."""

import symgrad

report = symgrad.check("40*tanh(w*tanh(w*0.5))", at="w=2")
print(report.explain())

assert report.verdict == "agree"
assert abs(float(report["w"].exact) - 8.18880816832867) < 1e-12
