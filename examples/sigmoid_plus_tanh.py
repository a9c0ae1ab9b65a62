"""Two chains, added."""

import symgrad

report = symgrad.check("sigmoid(x^2)+tanh(x^3)", at="x=3")
print(report.explain())

assert report.verdict == "agree"
assert abs(float(report["x"].exact) - 0.00074027609859) < 1e-12
