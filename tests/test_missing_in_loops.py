"""What is missing in a loop: a line, or a term of one, worked out from what the loop has at hand."""

from __future__ import annotations

import numpy as np
import pytest

from symgrad.diagnose.trying.products import Atom, Products
from symgrad.manual import check_source

POISSON = """\
import math
xs, ns = [0.4, -0.7, 1.1, 0.2], [2, 1, 4, 0]
a, b, tau = 0.3, 0.6, 1.4
def rate(u, v):
    return math.exp(u / tau + v)
nll = 0.0
for x, n in zip(xs, ns):
    lam = rate(a * x, b)
    nll += lam - n * math.log(lam)
ga = gb = gtau = 0.0
for x, n in zip(xs, ns):
    miss = rate(a * x, b) - n
    ga += miss * x / tau
    gb += miss
    gtau -= miss * a * x / tau**2
"""
NEWTON = """\
import math
w = 0.3
xs, ys = [0.5, -1.2, 0.8], [1, 0, 1]
loss = 0.0
for i in range(3):
    loss += math.log(1 + math.exp(w * xs[i])) - ys[i] * w * xs[i]
slope = 0.0
curve = 0.0
for i in range(3):
    s = 1 / (1 + math.exp(-w * xs[i]))
    slope += (s - ys[i]) * xs[i]
    curve += s * (1 - s) * xs[i] ** 2
w_new = w - slope / curve
"""


WEIGHTED = """\
import math
beta = 0.4
sizes = [0.9, -0.5, 1.4]
picked = [0, 2]
nll = 0.0
for i in picked:
    nll += math.log(sum(math.exp(beta * s) for s in sizes)) - beta * sizes[i]
grad_beta = 0.0
for i in picked:
    norm = total = 0.0
    for j in range(3):
        e = math.exp(beta * sizes[j])
        norm += e
        total += e * sizes[j]
    grad_beta += total / norm - sizes[i]
"""
DEEP = """\
import math
x, ws = 0.8, [1.2, -0.7, 0.95]
h, acts = x, [x]
for w in ws:
    h = math.tanh(w * h)
    acts.append(h)
g = 1.0
gws = []
for l in reversed(range(3)):
    g = g * (1 - acts[l + 1] ** 2)
    gws.append(g * acts[l])
    g = g * ws[l]
gws = gws[::-1]
print(h, gws)
"""


@pytest.mark.parametrize(
    ("source", "right", "wrong", "line", "fix"),
    [
        (POISSON, "    ga += miss * x / tau\n", "", 10, "ga += miss*x/tau"),
        (POISSON, "    gtau -= miss * a * x / tau**2\n", "", 10, "gtau -= miss*a * x/tau**2"),
        (POISSON, " - n\n    ga", "\n    ga", 12, "rate(a * x, b) - n"),
        (POISSON, "rate(a * x, b) - n\n    ga", "-n\n    ga", 12, "-n + rate(a * x, b)"),
        (NEWTON, "    slope += (s - ys[i]) * xs[i]\n", "", 7, "slope -= xs[i]*ys[i] - s*xs[i]"),
        (WEIGHTED, "        total += e * sizes[j]\n", "", 10, "total += e*sizes[j]"),
        # In a list that is turned round in the end the one in the middle is in its place before: that says nothing.
        (DEEP, "g = g * (1 -", "g = -g * (1 -", 10, "g"),
    ],
)
def test_the_missing_piece_is_told(source: str, right: str, wrong: str, line: int, fix: str) -> None:
    assert check_source(source, filename="a.py", sandbox=False).ok
    assert right in source
    report = check_source(source.replace(right, wrong), filename="a.py", sandbox=False)
    (found,) = [f for f in report.findings if f.root]
    assert (found.line, found.fix, found.fix_verified) == (line, fix, True)


def test_a_product_of_what_varies_and_what_does_not_is_found_by_its_sum() -> None:
    rng = np.random.default_rng(3)
    varying = [Atom(name, rng.normal(size=(5, 3))) for name in "xyz"]
    fixed = [Atom(name, np.tile(rng.normal(size=(1, 3)), (5, 1))) for name in ("a", "(b - 1)")]
    values = {a.text: a.values for a in (*varying, *fixed)}
    wanted = -2 * (values["x"] * values["z"] ** 2 / values["a"] ** 2).sum(axis=0)
    first, *_ = Products([*varying, *fixed]).adding_up_to(wanted)
    assert (first.sign, first.text) == (-1, "2*x*z**2/a**2")
    weights = rng.normal(size=(5, 3))
    first, *_ = Products([*varying, *fixed]).adding_up_to(
        (weights * values["y"] * values["(b - 1)"]).sum(axis=0), weights
    )
    assert (first.sign, first.text) == (1, "y*(b - 1)")
    assert not Products([*varying, *fixed]).adding_up_to(rng.normal(size=3))


def test_a_step_that_is_not_taken_is_no_mistake() -> None:
    """A zero by which something is moved may be meant, where nothing is added up."""
    forward, _, _ = NEWTON.partition("slope = 0.0")
    source = f"{forward}s0 = 1 / (1 + math.exp(-w * xs[0]))\nrest = 0.0\nw_next = w + 0.1 * rest\n"
    assert not check_source(source, filename="a.py", sandbox=False).findings
