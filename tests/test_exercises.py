"""Files of several exercises, each of which is judged by itself; and what is no exercise of its own beside one."""

from __future__ import annotations

import re
import textwrap

import pytest

import symgrad
from symgrad.cutting.problems import _Cut, problems
from symgrad.emitting import emit_source
from symgrad.frontends.tracing import trace_source
from tests.slips import found, passes

#: Three of them, with other data under the same names.
ARRAYS = """\
import numpy as np
np.random.seed(5)
X = np.random.randn(6, 4)
y = np.random.randn(6)
w = np.random.randn(4)
loss = np.mean((X @ w - y) ** 2)
dw = 2 * X.T @ (X @ w - y) / 6
print(loss, dw)

X = np.random.randn(8, 3)
t = (np.random.rand(8) > 0.5).astype(float)
w = np.random.randn(3)
z = X @ w
p = 1 / (1 + np.exp(-z))
loss = -np.mean(t * np.log(p) + (1 - t) * np.log(1 - p))
dz = (p - t) / 8
dw = X.T @ dz

x = np.random.randn(5)
W1 = np.random.randn(4, 5)
h = np.tanh(W1 @ x)
loss = 0.5 * np.sum((h - 1.0) ** 2)
dh = h - 1.0
dW1 = np.outer(dh * (1 - h ** 2), x)
"""
NUMBERS = """\
import math
x = 0.7
y = math.sin(x) * math.exp(-x)
dydx = math.cos(x) * math.exp(-x) - math.sin(x) * math.exp(-x)
print(y, dydx)
x = 1.3
y = x ** 3 / (1 + x)
dydx = (3 * x ** 2 * (1 + x) - x ** 3) / (1 + x) ** 2
print(y, dydx)
x = 2.0
u = x ** 2 + 1
y = math.sqrt(u)
dydu = 1 / (2 * math.sqrt(u))
dudx = 2 * x
dydx = dydu * dudx
"""
#: With one set of data.
SHARED = """\
import numpy as np
np.random.seed(5)
X = np.random.randn(6, 4)
y = np.random.randn(6)
w = np.random.randn(4)
loss1 = np.mean((X @ w - y) ** 2)
dw1 = 2 * X.T @ (X @ w - y) / 6
loss2 = np.sum(np.tanh(X @ w) * y)
dw2 = X.T @ ((1 - np.tanh(X @ w) ** 2) * y)
"""
TORCH = """\
import torch
x = torch.tensor(2.0, requires_grad=True)
y = x ** 3 + 2 * x
y.backward()
manual = 3 * x.item() ** 2 + 2
print(x.grad.item(), manual)
x = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
y = (x ** 2).sum()
y.backward()
manual = 2 * x.detach()
print(x.grad, manual)
w = torch.tensor([0.5, -1.0, 2.0], requires_grad=True)
b = torch.zeros(1, requires_grad=True)
X = torch.tensor([[1.0, 2.0, 0.5], [0.3, -1.0, 1.5]])
t = torch.tensor([1.0, 0.2])
loss = ((X @ w + b - t) ** 2).mean()
loss.backward()
err = (X @ w + b - t).detach()
manual_w = 2 * X.t() @ err / 2
manual_b = 2 * err.mean()
print(w.grad, manual_w, b.grad, manual_b)
"""
#: Layers, each with the gradient that arrives given along with the data.
LAYERS = """\
import numpy as np
np.random.seed(2)
x = np.random.randn(3, 4)
dout = np.random.randn(3, 4)
out = np.tanh(x)
dx = dout * (1 - out ** 2)
x = np.random.randn(3, 4)
W = np.random.randn(4, 5)
b = np.random.randn(5)
dout = np.random.randn(3, 5)
out = x @ W + b
dx = dout @ W.T
dW = x.T @ dout
db = dout.sum(axis=0)
"""
#: One exercise only: a twin in torch, a loss for another set of data, and the same one after a step.
TWIN = """\
import numpy as np
import torch
W = np.array([[0.2, -0.3], [0.5, 0.1]])
x = np.array([1.0, 2.0])
y = np.array([0.5, -0.5])
a = np.tanh(W @ x)
loss = np.sum((a - y) ** 2)
da = 2 * (a - y)
dz = da * (1 - a ** 2)
dW = np.outer(dz, x)
Wt = torch.tensor([[0.2, -0.3], [0.5, 0.1]], requires_grad=True)
lt = ((torch.tanh(Wt @ torch.tensor([1.0, 2.0])) - torch.tensor([0.5, -0.5])) ** 2).sum()
lt.backward()
print(dW, Wt.grad)
"""
VALIDATED = """\
import numpy as np
np.random.seed(0)
X, y = np.random.randn(5, 3), np.random.randn(5)
Xv, yv = np.random.randn(4, 3), np.random.randn(4)
w = np.random.randn(3)
train_loss = np.mean((X @ w - y) ** 2)
dw = 2 / 5 * X.T @ (X @ w - y)
val_loss = np.mean((Xv @ w - yv) ** 2)
w = w - 0.1 * dw
train_loss = np.mean((X @ w - y) ** 2)
val_loss = np.mean((Xv @ w - yv) ** 2)
"""
#: Two results of the same inputs, of one of which the derivative needs another one.
APART = """\
import numpy as np
rng = np.random.default_rng(4)
A = rng.normal(size=(4, 4))
B = rng.normal(size=(4, 4))
x = rng.normal(size=4)
f1 = x @ A @ x
df1_dx = (A + A.T) @ x
f2 = np.trace(A @ B)
df2_dA = B.T
"""
#: All of it in one function.
MAIN = (
    "import numpy as np\n\ndef main():\n"
    + textwrap.indent(ARRAYS.removeprefix("import numpy as np\n"), "    ")
    + '\nif __name__ == "__main__":\n    main()\n'
)
ALL = [ARRAYS, MAIN, NUMBERS, SHARED, TORCH, LAYERS, TWIN, VALIDATED, APART]
SLIPS = [
    (ARRAYS, "dw = 2 * X.T", "dw = X.T", ""),
    (ARRAYS, "dz = (p - t) / 8", "dz = (p - t)", "scale"),
    (ARRAYS, "(1 - h ** 2)", "(1 - h)", ""),
    (MAIN, "dw = 2 * X.T", "dw = X.T", ""),
    (NUMBERS, "math.exp(-x) - math.sin(x) * math.exp(-x)", "math.exp(-x) + math.sin(x) * math.exp(-x)", "sign"),
    (NUMBERS, "(1 + x) - x ** 3)", "(1 + x) + x ** 3)", "sign"),
    (NUMBERS, "dudx = 2 * x", "dudx = 2", "missing-factor"),
    (SHARED, "dw1 = 2", "dw1 = 3", "scale"),
    (SHARED, "(1 - np.tanh(X @ w) ** 2)", "(1 - np.tanh(X @ w))", ""),
    (TORCH, "3 * x.item() ** 2", "3 * x.item()", ""),
    (TORCH, "manual = 2 * x.detach()", "manual = x.detach()", ""),
    (TORCH, "X.t() @ err / 2", "X.t() @ err", ""),
    (TORCH, "manual_b = 2 * err", "manual_b = err", ""),
    (LAYERS, "1 - out ** 2", "1 - x ** 2", "input-for-output"),
    (LAYERS, "dW = x.T @ dout", "dW = dout.T @ x", ""),
    (TWIN, "1 - a ** 2", "1 - a", ""),
    (VALIDATED, "dw = 2 / 5 * X.T", "dw = 2 * X.T", "scale"),
    (APART, "df2_dA = B.T", "df2_dA = B", "transpose"),
]


@pytest.mark.parametrize("source", ALL)
def test_right_exercises(source: str) -> None:
    report = symgrad.check(source)
    assert report.ok, report.explain()
    assert report.confirmed


def test_every_line_of_every_exercise_is_said_to_be_right() -> None:
    for source in (ARRAYS, NUMBERS, TORCH, LAYERS):
        passes(source)
    assert symgrad.check(ARRAYS).confirmed == ("dw (line 7)", "dz", "dw (line 17)", "dh", "dW1")


@pytest.mark.parametrize(("source", "right", "slip", "mistake"), SLIPS)
def test_slips_in_one_exercise(source: str, right: str, slip: str, mistake: str) -> None:
    found(source, right, slip, mistake)


def test_slips_in_two_exercises() -> None:
    wrong = ARRAYS.replace("dw = 2 * X.T", "dw = X.T").replace("(p - t) / 8", "(t - p) / 8")
    report = symgrad.check(wrong)
    assert [f.span.line for f in report.findings if f.root and f.span] == [7, 16], report.explain()
    assert all(f.fix_verified for f in report.findings if f.root)
    assert [f.inherited for f in report.findings if f.root] == [(), (17,)]


@pytest.mark.parametrize(
    ("source", "count"), [(ARRAYS, 3), (MAIN, 3), (NUMBERS, 3), (SHARED, 2), (TORCH, 3), (TWIN, 0), (VALIDATED, 0)]
)
def test_where_a_run_is_cut(source: str, count: int) -> None:
    parts = problems(trace_source(source))
    assert len(parts) == count
    # What each exercise is made of is there, and nothing is in two of them but data.
    for part in parts:
        assert all(j < i for i, step in enumerate(part.graph.steps) for j in step.inputs)
    bound = [(b.name, b.line) for part in parts for b in part.bindings if not part.graph.steps[b.step].is_leaf]
    assert len(bound) == len(set(bound))


def test_the_backward_pass_of_each_is_written() -> None:
    text = emit_source(ARRAYS, sandbox=False)
    assert re.findall(r"^def (\w+)\(([^)]*)\)", text, re.M) == [
        ("gradients_1", "X, y, w"), ("gradients_2", "X, t, w"), ("gradients_3", "x, W1"),
    ]  # fmt: skip
    assert text.count("import numpy") == 1


#: Rounds that carry nothing on are exercises as well.
LOOP = """\
for x in [0.5, 1.5, 2.0]:
    y = x ** 3
    dy_dx = 3 * x ** 2
    print(y, dy_dx)
"""
SAMPLES = """\
w = 0.4
data = [(1.0, 2.0), (2.0, 3.0), (3.0, 5.0)]
for x, t in data:
    y = w * x
    loss = (y - t) ** 2
    dw = 2 * (y - t) * x
    print(loss, dw)
"""
GRID = """\
import numpy as np
for x in np.linspace(-1, 1, 9):
    s = 1 / (1 + np.exp(-x))
    ds_dx = s * (1 - s)
    print(x, s, ds_dx)
"""
ROUNDS = [(LOOP, "3 * x ** 2", "3 * x"), (SAMPLES, "(y - t) * x", "(y - t)"), (GRID, "s * (1 - s)", "s * (1 - x)")]


@pytest.mark.parametrize(("source", "right", "slip"), ROUNDS)
def test_rounds_of_a_loop_over_data(source: str, right: str, slip: str) -> None:
    passes(source)
    # told once, and with a fix that is right in every round
    assert found(source, right, slip, "").fix_verified
    assert 3 <= len(problems(trace_source(source))) <= 6


@pytest.mark.parametrize(("line", "count"), [("ds_dx = s * (1 - s)", 6), ("c = s * (1 - s)", 0)])
def test_of_a_thousand_rounds_some_are_cut_out(
    line: str, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether or not each is an exercise: the cost grows with the rounds, and not with their square."""
    trace = trace_source(GRID.replace("9", "999").replace("ds_dx = s * (1 - s)", line).replace("ds_dx)", "s)"))
    asked: list[object] = []
    whole = _Cut._is_whole
    monkeypatch.setattr(_Cut, "_is_whole", lambda self, piece: asked.append(piece) or whole(self, piece))
    assert len(problems(trace)) == count
    assert len(asked) < 40


def test_rounds_that_carry_something_on_are_one_exercise() -> None:
    source = SAMPLES.replace("w = 0.4\n", "w, dw = 0.4, 0.0\n").replace("dw = 2", "dw += 2")
    assert problems(trace_source(source)) == ()
