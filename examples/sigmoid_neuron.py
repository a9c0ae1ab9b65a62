"""CS231n's sigmoid neuron, written out in elementary steps."""

import symgrad

report = symgrad.check("1/(1+exp(-(w0*x0+w1*x1+w2)))", at="w0=2,w1=-3,w2=-3,x0=-1,x1=-2")
print(report.explain())

assert report.verdict == "agree"
assert abs(float(report["w2"].exact) - 0.19661193324148185) < 1e-12
