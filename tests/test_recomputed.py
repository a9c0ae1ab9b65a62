"""Values of the forward pass that a derivation works out again: wrongly, rightly, or under a name used otherwise."""

from __future__ import annotations

import ast

import pytest

from symgrad.manual import check_source
from symgrad.manual.slips import distance, slip

FIT = """
xs = [0.5, 1.4, -0.9, 2.2]
ts = [0.9, 3.9, -0.2, 1.1]
m, c, limit = 1.3, 0.2, 0.75
total = 0.0
for x, t in zip(xs, ts):
    r = m * x + c - t
    if abs(r) <= limit:
        total += 0.5 * r**2
    else:
        total += limit * (abs(r) - 0.5 * limit)
gm = 0.0
gc = 0.0
for x, t in zip(xs, ts):
    r = m * x + c - t
    if abs(r) <= limit:
        g = r
    elif r > 0:
        g = limit
    else:
        g = -limit
    gm += g * x
    gc += g
"""

SAMPLES = """
import math
xs = [0.7, -0.2, 1.1]
ys = [1, 0, 1]
w, b = 0.4, -0.3
def sigmoid(z):
    return 1 / (1 + math.exp(-z))
loss = 0
for i in range(3):
    p = sigmoid(w * xs[i] + b)
    loss -= ys[i] * math.log(p) + (1 - ys[i]) * math.log(1 - p)
grad_w = 0
grad_b = 0
for i in range(3):
    p = sigmoid(w * xs[i] + b)
    err = p - ys[i]
    grad_w += err * xs[i]
    grad_b += err
"""

#: script, what stands in its derivation (the last time), what a person wrote, the kind of mistake, what belongs there
WRONG = [
    (FIT, "r = m * x + c - t", "r = c - t", "missing-term", "m * x + c"),
    (FIT, "r = m * x + c - t", "r = m * x + c", "missing-term", "m * x + c - t"),
    (FIT, "r = m * x + c - t", "r = m * x + c + t", "sign", "-t"),
    (FIT, "r = m * x + c - t", "r = x + c - t", "missing-factor", "m * x"),
    (FIT, "r = m * x + c - t", "r = m * x * x + c - t", "extra-factor", "m * x"),
    (FIT, "r = m * x + c - t", "r = m * x + c - x", "wrong-variable", "t"),
    (SAMPLES, "p = sigmoid(w * xs[i] + b)", "p = sigmoid(w * xs[i] - b)", "sign", "-b"),
    (SAMPLES, "p = sigmoid(w * xs[i] + b)", "p = sigmoid(w * xs[i])", "missing-term", "w * xs[i] + b"),
    (SAMPLES, "p = sigmoid(w * xs[i] + b)", "p = w * xs[i] + b", "input-for-output", "sigmoid(w * xs[i] + b)"),
]


def _changed(source: str, right: str, wrong: str) -> tuple[str, int]:
    at = source.rindex(right)
    return source[:at] + wrong + source[at + len(right) :], source.count("\n", 0, at) + 1


@pytest.mark.parametrize(("source", "right", "wrong", "mistake", "fix"), WRONG)
def test_the_line_that_works_it_out_again_is_told(source: str, right: str, wrong: str, mistake: str, fix: str) -> None:
    text, line = _changed(source, right, wrong)
    (found,) = [f for f in check_source(text, sandbox=False).findings if f.root]
    assert (found.line, found.mistake, found.fix, found.fix_verified) == (line, mistake, fix, True)
    assert found.inherited
    assert "worked out again" in found.message


def test_another_mistake_beside_it_is_told_as_well() -> None:
    text, line = _changed(FIT, "r = m * x + c - t", "r = m * x - t")
    text, other = _changed(text, "gc += g", "gc -= g")
    roots = [f for f in check_source(text, sandbox=False).findings if f.root]
    assert [f.line for f in roots] == [line, other]


@pytest.mark.parametrize("source", [FIT, SAMPLES])
def test_what_is_worked_out_rightly_is_left_alone(source: str) -> None:
    assert check_source(source, sandbox=False).ok


def test_a_name_that_is_used_for_something_else_is_left_alone() -> None:
    text = """
import math
x, y, w, b = 0.7, 1.2, 0.4, -0.3
z = w * x + b
a = math.tanh(z)
t = a - y
loss = 0.5 * t**2
t = 3 * x
da = a - y
dz = da * (1 - z**2)
dw = dz * x
db = dz
"""
    (found,) = [f for f in check_source(text, sandbox=False).findings if f.root]
    assert (found.line, found.mistake) == (10, "input-for-output")


BRANCH = """
x, y, w, b = 0.7, 1.2, 0.4, -0.3
pred = max(0.0, w * x + b)
loss = 0.5 * (pred - y) ** 2
z = w * x + b
if z > 0:
    s = 1
else:
    s = 0
dw = (pred - y) * s * x
db = (pred - y) * s
"""


@pytest.mark.parametrize("b", ["-0.3", "-0.27", "0.4"])
def test_a_branch_that_the_script_takes_is_judged_where_it_takes_it(b: str) -> None:
    """Near the kink points are chosen that lie on the same side."""
    report = check_source(BRANCH.replace("-0.3", b), sandbox=False)
    assert report.ok
    assert {"dw", "db"} <= set(report.confirmed)


def test_a_value_under_another_name_that_reads_almost_like_the_forward_pass() -> None:
    text, line = _changed(BRANCH, "z = w * x + b", "z = w * x - b")
    (found,) = [f for f in check_source(text, sandbox=False).findings if f.root]
    assert (found.line, found.mistake, found.fix) == (line, "sign", "-b")


FUNCTIONS = """
import math
x, y, w, b = 0.7, 1.2, 0.4, -0.3
def forward(w, b):
    z = w * x + b
    a = math.tanh(z)
    return 0.5 * (a - y) ** 2
def backward(w, b):
    z = w * x
    a = math.tanh(z)
    da = a - y
    dz = da * (1 - a ** 2)
    return dz * x, dz
loss = forward(w, b)
dw, db = backward(w, b)
"""


def test_a_backward_function_that_works_out_the_forward_pass_again() -> None:
    (found,) = [f for f in check_source(FUNCTIONS, sandbox=False).findings if f.root]
    assert (found.line, found.mistake, found.fix) == (9, "missing-term", "w * x + b")
    assert check_source(FUNCTIONS.replace("z = w * x\n", "z = w * x + b\n"), sandbox=False).ok


def _value(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body


@pytest.mark.parametrize(
    ("found", "meant", "mistake", "piece", "fix"),
    [
        ("a*b", "a*b*c", "missing-factor", "a*b", "a*b*c"),
        ("f(a) + 2", "f(a) + 3", "scale", "2", "3"),
        ("f(a, b)", "f(a, c)", "wrong-variable", "b", "c"),
        ("-(a - b)", "a - b", "sign", "-(a - b)", "a - b"),
        ("a + (b + c)", "a - (b + c)", "sign", "b + c", "-(b + c)"),
        ("f(a)", "g(a)", "wrong-formula", "f(a)", "g(a)"),
    ],
)
def test_slips(found: str, meant: str, mistake: str, piece: str, fix: str) -> None:
    text = f"{found}\n{meant}\n"
    one, other = (s.value for s in ast.parse(text).body if isinstance(s, ast.Expr))
    made = slip(text, "x.py", one, other)
    assert made is not None
    assert (made.mistake, made.found, made.meant) == (mistake, piece, fix)
    assert slip(text, "x.py", one, one) is None


def test_distance_is_small_where_little_differs() -> None:
    near = distance(_value("w*x - b"), _value("w*x + b"))
    far = distance(_value("w*x - b"), _value("exp(-z)"))
    assert 0 < near < 0.3 < far <= 1
    assert distance(_value("w*x"), _value("w*x")) == 0


PAIRS = """
N = 4
xs = [0.1, 1.23, 2.02, 3.4]
ys = [0.4, -0.3, 0.7, 0.2]
eps, sigma = 1.1, 0.9
E = 0.0
for i in range(N):
    for j in range(i + 1, N):
        dx = xs[i] - xs[j]
        dy = ys[i] - ys[j]
        r2 = dx*dx + dy*dy
        s6 = (sigma*sigma/r2)**3
        E += 4*eps*(s6*s6 - s6)
gx = [0.0]*N
gy = [0.0]*N
deps = 0.0
for i in range(N):
    for j in range(i + 1, N):
        dx = xs[i] - xs[j]
        dy = ys[i] - ys[j]
        r2 = dx*dx + dy*dy
        s6 = (sigma*sigma/r2)**3
        dE_dr2 = 4*eps*(-6*s6*s6/r2 + 3*s6/r2)
        gx[i] += dE_dr2*2*dx
        gx[j] -= dE_dr2*2*dx
        gy[i] += dE_dr2*2*dy
        gy[j] -= dE_dr2*2*dy
        deps += 4*(s6*s6 - s6)
"""

GRID = """
n = 4
ys = [0.9 if i % 2 else 0.2 for i in range(n)]
a, b, c = 0.4, -0.3, 0.8
loss = 0.0
for i in range(n):
    x = 0.3*i - 0.6
    y = ys[i]
    pred = a*x*x + b*x + c
    loss += (pred - y)**2
da = db = dc = 0.0
for i in range(n):
    x = 0.3*i - 0.6
    y = ys[i]
    pred = a*x*x + b*x + c
    dpred = 2*(pred - y)
    da += dpred*x*x
    db += dpred*x
    dc += dpred
"""


@pytest.mark.parametrize("source", [PAIRS, GRID, GRID.replace("x = 0.3*i - 0.6", "x = 0.25*i")])
def test_numbers_that_both_passes_work_out_are_one_number(source: str) -> None:
    """``dx = xs[i] - xs[j]`` is a distance in both; ``x = 0.3*i`` is data, which nobody has traced."""
    report = check_source(source, sandbox=False)
    assert report.verdict == "agree", [f.message for f in report.findings]


@pytest.mark.parametrize(
    ("source", "old", "new"),
    [
        (PAIRS, "gx[j] -= ", "gx[j] += "),
        (PAIRS, "gy[i] += dE_dr2*2*dy", "gy[i] += dE_dr2*2*dx"),
        (PAIRS, "gx[i] += dE_dr2*2*dx", "gx[i] += dE_dr2*dx"),
        (GRID, "da += dpred*x*x", "da += dpred*x"),
        (GRID, "dpred = 2*(pred - y)", "dpred = pred - y"),
    ],
)
def test_mistakes_beside_such_numbers_are_found_at_their_line(source: str, old: str, new: str) -> None:
    """The entries of gx are derivatives by those of the list xs."""
    assert source.count(old) == 1
    line = source[: source.index(old)].count("\n") + 1
    report = check_source(source.replace(old, new), sandbox=False)
    assert [f.span.line for f in report.findings if f.root and f.span] == [line]
