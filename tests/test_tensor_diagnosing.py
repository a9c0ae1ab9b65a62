"""Backward passes of arrays are diagnosed: correct ones are left alone, and a mistake is found in its line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from symgrad.diagnose.values.shaped import Shaped, run
from symgrad.errors import SymgradError
from symgrad.manual import check_source
from symgrad.ops import OPS
from symgrad.ops.slips import around, slips
from symgrad.ops.tensor import typed

CORPUS = sorted((Path(__file__).parent / "benchmarks" / "corpus_tensor").glob("*.py"))

MLP = """\
import numpy as np
np.random.seed(0)
X = np.random.randn(5, 4)
y = np.array([0, 2, 1, 1, 0])
W1 = np.random.randn(4, 6) * 0.5
b1 = np.random.randn(6) * 0.1
W2 = np.random.randn(6, 3) * 0.5
b2 = np.random.randn(3) * 0.1

# forward
z1 = X @ W1 + b1
h = np.maximum(0, z1)
scores = h @ W2 + b2
e = np.exp(scores - scores.max(axis=1, keepdims=True))
probs = e / e.sum(axis=1, keepdims=True)
N = X.shape[0]
loss = -np.log(probs[np.arange(N), y]).mean()

# backward
dscores = probs.copy()
dscores[np.arange(N), y] -= 1
dscores /= N
dW2 = h.T @ dscores
db2 = dscores.sum(axis=0)
dh = dscores @ W2.T
dz1 = dh * (z1 > 0)
dW1 = X.T @ dz1
db1 = dz1.sum(axis=0)
dX = dz1 @ W1.T
"""

RNN = """\
import numpy as np
np.random.seed(0)
T, D, H, V = 5, 4, 6, 3
Wxh = np.random.randn(H, D) * 0.3
Whh = np.random.randn(H, H) * 0.3
Why = np.random.randn(V, H) * 0.3
bh = np.zeros((H, 1))
by = np.zeros((V, 1))
inputs = [1, 0, 3, 2, 1]
targets = [0, 2, 1, 1, 0]
hprev = np.zeros((H, 1))

def lossFun(inputs, targets, hprev):
    xs, hs, ys, ps = {}, {}, {}, {}
    hs[-1] = np.copy(hprev)
    loss = 0
    for t in range(len(inputs)):
        xs[t] = np.zeros((D, 1))
        xs[t][inputs[t]] = 1
        hs[t] = np.tanh(np.dot(Wxh, xs[t]) + np.dot(Whh, hs[t-1]) + bh)
        ys[t] = np.dot(Why, hs[t]) + by
        ps[t] = np.exp(ys[t]) / np.sum(np.exp(ys[t]))
        loss += -np.log(ps[t][targets[t], 0])
    dWxh, dWhh, dWhy = np.zeros_like(Wxh), np.zeros_like(Whh), np.zeros_like(Why)
    dbh, dby = np.zeros_like(bh), np.zeros_like(by)
    dhnext = np.zeros_like(hs[0])
    for t in reversed(range(len(inputs))):
        dy = np.copy(ps[t])
        dy[targets[t]] -= 1
        dWhy += np.dot(dy, hs[t].T)
        dby += dy
        dh = np.dot(Why.T, dy) + dhnext
        dhraw = (1 - hs[t] * hs[t]) * dh
        dbh += dhraw
        dWxh += np.dot(dhraw, xs[t].T)
        dWhh += np.dot(dhraw, hs[t-1].T)
        dhnext = np.dot(Whh.T, dhraw)
    for dparam in [dWxh, dWhh, dWhy, dbh, dby]:
        np.clip(dparam, -5, 5, out=dparam)
    return loss, dWxh, dWhh, dWhy, dbh, dby, hs[len(inputs)-1]

loss, dWxh, dWhh, dWhy, dbh, dby, hprev = lossFun(inputs, targets, hprev)
"""


@pytest.mark.parametrize("path", CORPUS, ids=lambda p: p.stem)
def test_correct_passes_are_not_blamed(path: Path) -> None:
    report = check_source(path.read_text(), path.name, sandbox=False)
    assert not [f for f in report.findings if f.root], report.explain()


@pytest.mark.parametrize("source", [MLP, RNN], ids=["mlp", "rnn"])
def test_these_too_are_right(source: str) -> None:
    report = check_source(source, sandbox=False)
    assert report.ok, report.explain()
    assert len(report.confirmed) >= 7, report.explain()


#: (correct, wrong, kind of mistake, fix)
MISTAKES = [
    ("-= 1", "+= 1", "sign", "dscores[np.arange(N), y] -= 1"),
    ("h.T @ dscores", "z1.T @ dscores", "input-for-output", "h"),
    ("h.T @ dscores", "h.T @ probs", "wrong-variable", "dscores"),
    ("dscores.sum(axis=0)", "dscores.sum(axis=1)", "wrong-reduction", "dscores.sum(axis=0)"),
    ("dscores.sum(axis=0)", "dscores.mean(axis=0)", "wrong-reduction", "dscores.sum(axis=0)"),
    ("dscores @ W2.T", "probs @ W2.T", "wrong-variable", "dscores"),
    ("dh * (z1 > 0)", "dh", "missing-factor", "dh*(z1 > 0)"),
    ("X.T @ dz1", "X.T @ dh", "wrong-variable", "dz1"),
    ("X.T @ dz1", "-X.T @ dz1", "sign", "X.T"),
    ("X.T @ dz1", "X.T @ dz1 * 2", "scale", "X.T @ dz1"),
    ("X.T @ dz1", "X.T @ dz1 + W1", "extra-term", "X.T @ dz1"),
    ("X.T @ dz1", "np.zeros_like(W1)", "never-assigned", "X.T@dz1"),
    ("dz1.sum(axis=0)", "dz1", "missing-reduction", "dz1.sum(axis=0)"),
    ("dz1 @ W1.T", "dz1 @ W1.T / N", "scale", "dz1 @ W1.T"),
]


@pytest.mark.parametrize(("right", "wrong", "mistake", "fix"), MISTAKES, ids=[m[1] for m in MISTAKES])
def test_one_mistake_in_a_network(right: str, wrong: str, mistake: str, fix: str) -> None:
    assert MLP.count(right) == 1
    line = MLP[: MLP.index(right)].count("\n") + 1
    found = [f for f in check_source(MLP.replace(right, wrong), sandbox=False).findings if f.root]
    assert [(f.line, f.mistake, f.fix, f.fix_verified) for f in found] == [(line, mistake, fix, True)]


@pytest.mark.parametrize(
    ("right", "wrong", "mistake"),
    [
        ("np.dot(dhraw, hs[t-1].T)", "np.dot(dhraw, hs[t].T)", "wrong-time-step"),
        ("np.dot(dy, hs[t].T)", "np.dot(dy, hs[t-1].T)", "wrong-time-step"),
    ],
)
def test_one_mistake_in_a_recurrent_net(right: str, wrong: str, mistake: str) -> None:
    assert RNN.count(right) == 1
    line = RNN[: RNN.index(right)].count("\n") + 1
    found = [f for f in check_source(RNN.replace(right, wrong), sandbox=False).findings if f.root]
    assert [(f.line, f.mistake, f.fix_verified) for f in found] == [(line, mistake, True)]


def test_a_right_gradient_of_another_shape() -> None:
    source = "import numpy as np\nw = np.array([[0.5], [0.7]])\nL = np.sum(w**3)\ndw = (3 * w**2).ravel()\n"
    (found,) = [f for f in check_source(source, sandbox=False).findings if f.root]
    assert (found.line, found.mistake) == (4, "wrong-shape")


def test_the_entries_that_are_wrong_are_named() -> None:
    source = """\
import numpy as np
x = np.array([[0.5, 0.7], [0.2, 0.9], [1.3, 0.4]])
L = np.sum(np.sin(x))
dx = np.cos(x)
dx[1] = 0.25
"""
    (found,) = [f for f in check_source(source, sandbox=False).findings if f.root]
    assert found.line == 5
    assert "wrong in row 1 of 3" in found.label


def test_an_upstream_gradient_may_be_given() -> None:
    source = """\
import numpy as np
W = np.arange(6.0).reshape(2, 3) + 0.5
X = np.arange(12.0).reshape(3, 4) - 4.3
D = W @ X
dD = np.cos(np.arange(8.0)).reshape(2, 4)
dW = dD @ X.T
dX = {dX}
"""
    assert check_source(source.format(dX="W.T @ dD"), sandbox=False).ok
    (found,) = [f for f in check_source(source.format(dX="W.T @ dD * 2"), sandbox=False).findings if f.root]
    assert (found.line, found.mistake) == (7, "scale")


def test_arrays_that_do_not_fit_are_what_is_said_first() -> None:
    source = "import numpy as np\nx = np.ones(3)\ny = x @ np.ones(4)\n"
    with pytest.raises(SymgradError, match=r"\(3,\) and \(4,\)") as caught:
        check_source(source, sandbox=False)
    assert caught.value.span is not None
    assert caught.value.span.line == 3


# --- the parts --------------------------------------------------------------------------------------------------------


def test_values_are_the_same_up_to_rounding_only() -> None:
    a = np.array([[0.3, -2.0], [1e-9, 4.0]])
    vec = Shaped([a, a + 0.1, a - 0.2])
    assert vec.same(Shaped([x * (1 + 1e-12) for x in vec.arrays]))
    assert not vec.same(Shaped([x * (1 + 1e-3) for x in vec.arrays]))
    assert not vec.same(Shaped([x.T for x in vec.arrays]))
    assert vec.alike(Shaped([x.reshape(4, 1) for x in vec.arrays]))
    assert not vec.alike(Shaped([x.T for x in vec.arrays]))


def test_what_cancels_is_zero() -> None:
    a = np.array([0.1, 0.2, 0.3])
    mean = run(OPS["mean"], [Shaped([a] * 3)], {"axis": (0,), "keepdims": False})
    rest = run(OPS["sum"], [Shaped([a] * 3) - mean], {"axis": (0,), "keepdims": False})  # type: ignore[list-item]
    assert rest.is_zero


def test_arrays_that_do_not_fit_have_no_value() -> None:
    bad = run(OPS["add"], [Shaped([np.ones(3)] * 3), Shaped([np.ones(4)] * 3)], {})
    assert not bad.usable


@pytest.mark.parametrize("name", ["sum", "mean", "matmul", "outer", "mul", "softmax", "amax"])
def test_slips_lead_to_ops_of_the_table(name: str) -> None:
    shapes = {"outer": [(3,), (3,)], "matmul": [(3, 3), (3, 3)], "mul": [(3, 3), (3, 3)]}.get(name, [(3, 4)])
    params = dict(typed(name, shapes, {"axis": 0} if len(shapes) == 1 else {})[0])
    found = list(slips(name, shapes, params))
    assert found
    for slip in (*found, *around((3, 4))):
        assert slip.op in OPS
        assert slip.mistake
        assert slip.cost > 0
