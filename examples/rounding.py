"""Not every difference is a mistake: here autograd loses digits in float32, and symgrad says where.

allclose calls autograd's d/dz = 1.6689e-05 wrong; the truth is 1.670114e-05, and the digits are lost in the sigmoid,
whose local derivative y*(1 - y) cancels for y near 1.
"""

import symgrad

report = symgrad.check("sigmoid(x^2+z) + tanh(x^3 z^2)", at="x=3,z=2", dtype="float32")
print(report.explain())

assert report.verdict == "rounding"
assert report.ok
assert report["z"].witnesses["autograd"].lost_at == "u3"
