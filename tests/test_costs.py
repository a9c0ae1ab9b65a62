"""A cost in a function of its own, beside a forward and a backward pass that takes the labels; sums over time steps."""

from __future__ import annotations

from pathlib import Path

import pytest

from symgrad.files.entry import check_file
from symgrad.report.model import Report
from tests.slips import found, passes

LOGISTIC = """import numpy as np

def forward(X, params):
    W1, b1, W2, b2 = params["W1"], params["b1"], params["W2"], params["b2"]
    A1 = np.tanh(W1 @ X + b1)
    A2 = 1/(1 + np.exp(-(W2 @ A1 + b2)))
    return A2, (A1, A2)

def cost(A2, Y):
    return -np.sum(Y*np.log(A2) + (1 - Y)*np.log(1 - A2))/Y.shape[1]

def cost_with_penalty(A2, Y, params, lambd):
    return cost(A2, Y) + lambd/2*np.sum(params["W1"]**2)

def backward(X, Y, cache, params, lambd):
    A1, A2 = cache
    m = X.shape[1]
    dZ2 = (A2 - Y)/m
    dW2 = dZ2 @ A1.T
    db2 = np.sum(dZ2, axis=1, keepdims=True)
    dZ1 = (params["W2"].T @ dZ2)*(1 - A1**2)
    dW1 = dZ1 @ X.T + lambd*params["W1"]
    db1 = np.sum(dZ1, axis=1, keepdims=True)
    return {"dW1": dW1, "db1": db1, "dW2": dW2, "db2": db2}
"""


def _checked(tmp_path: Path, text: str) -> Report:
    path = tmp_path / "net.py"
    path.write_text(text, encoding="utf-8")
    return check_file(path)


def test_the_cost_that_takes_what_backward_takes(tmp_path: Path) -> None:
    report = _checked(tmp_path, LOGISTIC)
    assert report.ok, report.explain()
    assert report.confirmed


@pytest.mark.parametrize(("right", "slip", "line"), [
    ("(1 - A1**2)", "(1 - A1)", 21),
    ("lambd*params", "2*lambd*params", 22),
    ("(A2 - Y)/m", "A2 - Y", 18),
])  # fmt: skip
def test_a_slip_in_such_a_pass(right: str, slip: str, line: int, tmp_path: Path) -> None:
    head, _, tail = LOGISTIC.partition("def backward")
    roots = [f for f in _checked(tmp_path, f"{head}def backward{tail.replace(right, slip)}").findings if f.root]
    assert [f.span.line for f in roots if f.span] == [line]
    assert roots[0].fix_verified


CHARACTERS = """
import numpy as np
rng = np.random.default_rng(0)
Wax, Waa, Wya = 0.3*rng.normal(size=(4, 3)), 0.3*rng.normal(size=(4, 4)), 0.3*rng.normal(size=(3, 4))
X, Y = [0, 2, 1, 1], [2, 1, 1, 0]
a, p, x = {-1: np.zeros((4, 1))}, {}, {}
loss = 0
for t in range(len(X)):
    x[t] = np.zeros((3, 1))
    x[t][X[t]] = 1
    a[t] = np.tanh(Wax @ x[t] + Waa @ a[t-1])
    e = np.exp(Wya @ a[t])
    p[t] = e/e.sum()
    loss -= np.log(p[t][Y[t], 0])
gradients = {}
gradients["dWax"], gradients["dWaa"] = np.zeros_like(Wax), np.zeros_like(Waa)
gradients["dWya"], gradients["da_next"] = np.zeros_like(Wya), np.zeros_like(a[0])
for t in reversed(range(len(X))):
    dy = p[t].copy()
    dy[Y[t]] -= 1
    gradients["dWya"] += dy @ a[t].T
    da = Wya.T @ dy + gradients["da_next"]
    daraw = (1 - a[t]*a[t])*da
    gradients["dWax"] += daraw @ x[t].T
    gradients["dWaa"] += daraw @ a[t-1].T
    gradients["da_next"] = Waa.T @ daraw
"""


def test_a_loss_that_is_subtracted_from_in_every_time_step_is_no_training() -> None:
    """What enters a round is the state, which was there before the loss of the round before."""
    passes(CHARACTERS)
    found(CHARACTERS, "a[t-1].T\n    grad", "a[t].T\n    grad", "")
