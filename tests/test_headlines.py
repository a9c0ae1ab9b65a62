"""What is said of a mistake: which factor, term or sign; where the carets are; which kind it is; what puts it right."""

from __future__ import annotations

import pytest

from symgrad.diagnose.telling.precise import EXTRA_FACTOR, EXTRA_TERM, LACKS_FACTOR, LACKS_TERM, OFF, OPERATION, precise
from symgrad.manual import check_source

CHAIN = """
import math
x, y, w = 0.9, 1.6, -0.7
p = x * y
q = math.sin(x)
r = math.log(x + y)
f = p * q + w * r
dr = w
dp = q
dq = p
dx = dp * y
dx += dq * math.cos(x)
dx += dr / (x + y)
dy = dp * x + dr / (x + y)
dw = r
"""

QUOTIENT = """
import math
u1, u2, s = 0.4, -0.3, 1.5
d = u1 - u2
out = d**2 / (2 * s**2) + math.log(s)
dout_du1 = d / s**2
dout_du2 = -d / s**2
dout_ds = 1 / s - d**2 / s**3
"""

LOGISTIC = """
import math
k, v = 0.7, 1.3
def sigmoid(z):
    return 1 / (1 + math.exp(-z))
a = sigmoid(k)
y = v * a**2
dv = a**2
da = 2 * v * a
dk = da * a * (1 - a)
"""

HELPER = """
import math
S, K, r = 42.0, 40.0, 0.03
def cdf(v):
    return 0.5 * (1 + math.erf(v / math.sqrt(2)))
d1 = math.log(S / K) + r
d2 = d1 - 0.3
price = S * cdf(d1) - K * cdf(d2)
dprice_dK = -cdf(d2) - (S * math.exp(-(d1**2) / 2) - K * math.exp(-(d2**2) / 2)) / (K * math.sqrt(2 * math.pi))
"""

CLASS = """
import math
x, w, b, t = 0.85, -1.15, 0.3, 0.4
class Neuron:
    def __init__(self, w, b):
        self.w = w
        self.b = b
    def forward(self, x):
        self.x = x
        self.z = self.w * x + self.b
        self.out = math.tanh(self.z)
        return self.out
    def backward(self, dout):
        dz = dout * (1 - self.out**2)
        self.dw = dz * self.x
        self.db = dz
        return dz * self.w
unit = Neuron(w, b)
y = unit.forward(x)
loss = (y - t) ** 2
dx = unit.backward(2 * (y - t))
"""

LOOP = """
alpha, s0 = 0.3, 0.25
data = [1.0, -0.4, 0.7]
s = [s0]
J = 0.0
for k in range(3):
    s.append(alpha * data[k] + (1 - alpha) * s[k])
    J += 0.5 * (s[k + 1] - data[k]) ** 2
alpha_bar = 0.0
s_bar = 0.0
for k in reversed(range(3)):
    s_bar = s_bar + (s[k + 1] - data[k])
    alpha_bar += s_bar * (data[k] - s[k])
    s_bar = s_bar * (1 - alpha)
"""

FIT = """
xs, ts = [0.5, 1.5, -0.6, 2.3], [0.1, 2.4, 0.2, 0.9]
m, c, delta = 0.8, -0.2, 0.6
total = 0.0
for x, t in zip(xs, ts):
    r = m * x + c - t
    if abs(r) <= delta:
        total += 0.5 * r**2
    else:
        total += delta * (abs(r) - 0.5 * delta)
gm = 0.0
gc = 0.0
for x, t in zip(xs, ts):
    r = m * x + c - t
    if abs(r) <= delta:
        g = r
    elif r > delta:
        g = delta
    else:
        g = -delta
    gm += g * x
    gc += g
"""

RIDGE = """
xs, ts = [0.5, -1.0, 2.0], [0.9, -0.7, 1.1]
w, b, lam = 0.6, 0.2, 0.3
loss = lam * w**2
for x, t in zip(xs, ts):
    pred = w * x + b
    loss += (pred - t) ** 2
dw, db = 0.0, 0.0
for x, t in zip(xs, ts):
    pred = w * x + b
    dpred = 2 * (pred - t)
    dw += dpred * x
    db += dpred
dw += 2 * lam * w
"""

LEAKY = """
x, w1, w2, alpha = 0.7, -1.2, 0.8, 0.1
z = w1 * x
h = z if z > 0 else alpha * z
out = (w2 * h) ** 2
dh = 2 * w2 * h * w2
dz = dh if z > 0 else alpha * dh
dw1 = dz * x
dw2 = 2 * w2 * h * h
"""

#: Script, line as it is, line as it is written wrongly -> the headline, what is beside the carets, kind, fix.
SLIPS = [
    (CHAIN, "dx += dr / (x + y)", "dx += dr", "`dr` is not divided by (x + y)", "should be dr/(x + y)",
     "missing-factor", "dr/(x + y)"),
    (CHAIN, "dx += dr / (x + y)", "dx += dr / (x)", "`x` lacks the term y", "should be (x + y) = 2.5; it is 0.9",
     "missing-term", "(x + y)"),
    (CHAIN, "dx += dq * math.cos(x)", "dx -= dq * math.cos(x)", "`dx -= dq * math.cos(x)` has the wrong sign",
     "this should be dx += dq * math.cos(x)", "sign", "dx += dq * math.cos(x)"),
    (CHAIN, "dx += dq * math.cos(x)", "dx += dq * math.sin(x)", "`math.sin(x)` calls math.sin where math.cos belongs",
     "this should be math.cos(x) =", "wrong-formula", "math.cos(x)"),
    (CHAIN, "dy = dp * x + dr / (x + y)", "dy = dp * x - dr / (x + y)", "`- dr / (x + y)` has the wrong sign",
     "this should be + dr / (x + y)", "sign", "+ dr / (x + y)"),
    (CHAIN, "dy = dp * x + dr / (x + y)", "dy = dp * x * x + dr / (x + y)", "`dp * x * x` has the factor x twice",
     "this should be dp * x =", "extra-factor", "dp * x"),
    (CHAIN, "dy = dp * x + dr / (x + y)", "dy = dp * x", "df/dy: the term dr / (x + y) is missing",
     "df/dy should be dp * x + dr/(x + y) =", "missing-term", "dp * x + dr/(x + y)"),
    (QUOTIENT, "dout_du2 = -d / s**2", "dout_du2 = -d", "`-d` is not divided by s**2",
     "dout/du2 should be -d/s**2 =", "missing-factor", "-d/s**2"),
    (QUOTIENT, "dout_ds = 1 / s - d**2 / s**3", "dout_ds = 1 / s - d**2 / s**4", "`4` is another number than belongs",
     "this should be 3", "wrong-formula", "3"),
    (QUOTIENT, "dout_ds = 1 / s - d**2 / s**3", "dout_ds = 1 / s - d**2 * s**3", "`d**2 * s**3` has * where / belongs",
     "this should be d**2/s**3 =", "wrong-formula", "d**2/s**3"),
    (LOGISTIC, "dk = da * a * (1 - a)", "dk = da * a * (1 - a) * (1 - a)", "has the factor (1 - a) twice",
     "dy/dk should be da * a * (1 - a) =", "extra-factor", "da * a * (1 - a)"),
    (LOGISTIC, "da = 2 * v * a", "da = v * a", "", "", "", ""),
    (HELPER, "-cdf(d2) -", "-d2 -", "`d2` uses the input where the output belongs", "this should be cdf(d2) =",
     "input-for-output", "cdf(d2)"),
    (HELPER, "-cdf(d2) -", "-cdf(d1) -", "`cdf(d1)`", "cdf(d2) =", "", "cdf(d2)"),
    (CLASS, "dz = dout * (1", "dz = (1", "the factor dloss/dy of the chain rule is missing",
     "should be (1 - self.out**2)*dout =", "missing-factor", "(1 - self.out**2)*dout"),
    (CLASS, "return dz * self.w", "return dout * self.w", "`dout` is another variable than belongs here",
     "this should be dz =", "wrong-variable", "dz"),
    (LOOP, "alpha_bar += s_bar * (data[k] - s[k])", "alpha_bar += s_bar", "is missing",
     "this should be s_bar*(-s[k] + data[k])", "missing-factor", "s_bar*(-s[k] + data[k])"),
    (LOOP, "alpha_bar += s_bar * (data[k] - s[k])", "pass", "after line 12 add `alpha_bar += s_bar*(-s[k] + data[k])`",
     "dJ/dalpha should be -0.69088; this is 0", "never-assigned", "alpha_bar += s_bar*(-s[k] + data[k])"),
    (FIT, "gm += g * x", "pass", "after line 20 add `gm += g*x`", "", "never-assigned", "gm += g*x"),
    (FIT, "g = delta\n", "g = 2 * delta\n", "`2 * delta` has the factor 2 too many",
     "this should be delta = 0.6; it is", "scale", "delta"),
    (RIDGE, "    dw += dpred * x\n", "    pass\n", "after line 11 add `dw += dpred*x`", "", "missing-term",
     "dw += dpred*x"),
    (RIDGE, "dw += 2 * lam * w", "pass", "after line 13 add `dw += lam*(2*w)`", "", "missing-term", "dw += lam*(2*w)"),
    (LEAKY, "dz = dh if z > 0 else alpha * dh", "dz = dh if z < 0 else alpha * dh", "takes the wrong branch",
     "dout/dz should be alpha * dh if z < 0 else dh =", "wrong-formula", "alpha * dh if z < 0 else dh"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("script", "right", "wrong", "message", "label", "mistake", "fix"), SLIPS, ids=[s[2].strip() for s in SLIPS]
)
def test_what_is_said(
    script: str, right: str, wrong: str, message: str, label: str, mistake: str, fix: str
) -> None:
    """One slip: its line, its sentence, the words beside the carets, its kind, and a fix that works."""
    assert check_source(script, sandbox=False).ok
    assert script.count(right) == 1
    report = check_source(script.replace(right, wrong), sandbox=False)
    (found,) = [f for f in report.findings if f.root]
    assert found.fix_verified
    assert message in found.message
    assert label in found.label
    assert mistake in ("", found.mistake)
    assert fix in ("", found.fix)


@pytest.mark.parametrize(
    ("words", "text", "expected", "said"),
    [
        (LACKS_FACTOR, "dz", "dz*x", "lacks the factor x"),
        (LACKS_FACTOR, "dz", "x*dz", "lacks the factor x"),
        (LACKS_FACTOR, "dz", "dz*(1 - h**2)", "lacks the factor (1 - h**2)"),
        (LACKS_FACTOR, "dz", "dz/(x + y)", "is not divided by (x + y)"),
        (LACKS_FACTOR, "dz", "dy", LACKS_FACTOR),
        (LACKS_TERM, "a", "a + b*c", "lacks the term b*c"),
        (LACKS_TERM, "a", "a - b", "lacks the term -b"),
        (LACKS_TERM, "a", "a - (b + c)", "lacks the term -(b + c)"),
        (LACKS_TERM, "a", "b + a", "lacks the term b"),
        (LACKS_TERM, "-a", "b - a", "lacks the term b"),
        (EXTRA_FACTOR[0], "a*b*b", "a*b", "has the factor b twice"),
        (EXTRA_FACTOR[0], "a*b*c", "a*b", "has the factor c too many"),
        (EXTRA_FACTOR[0], "a/b", "a", "is divided by b, which does not belong here"),
        (EXTRA_FACTOR[1], "2 * (a + b)", "a + b", "has the factor 2 too many"),
        (EXTRA_TERM[0], "a + b + b", "a + b", "has the term b twice"),
        (EXTRA_TERM[0], "a - b", "a", "has the term -b too many"),
        (OPERATION, "a - b", "a + b", "has - where + belongs"),
        (OPERATION, "np.sin(x)", "np.cos(x)", "calls np.sin where np.cos belongs"),
        (OFF, "a*b", "a*b/2", "is 2 times too large"),
        (OFF, "(a + b)", "3*(a + b)", "is 3 times too small"),
        (OFF, "a", "not python (", OFF),
    ],
)
def test_precise(words: str, text: str, expected: str, said: str) -> None:
    """What a headline says is read off from the two texts; where they do not tell, it stays as it is."""
    assert precise(words, text, expected).replace(" * ", "*") == said
