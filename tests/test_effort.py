"""A check computes so much and no more, all that it looks at together, and says where that was too little."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import symgrad
from symgrad import effort
from symgrad.diagnose.values.sizes import bounded
from symgrad.effort import TOLD, is_spent, ran, spend, within
from symgrad.errors import SymgradError
from symgrad.ops import OPS
from symgrad.ops.tensor import ShapeError

HERE = Path(__file__).parent
EXAMPLES = HERE.parent / "examples"
RIGHT = [
    HERE / "right_arrays" / "batch_loop.py",
    HERE / "right_arrays" / "clip_rnn.py",
    HERE / "benchmarks" / "corpus_scalar" / "two_layer_net.py",
    HERE / "benchmarks" / "corpus_scalar" / "rnn_lists.py",
]


@pytest.fixture
def nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing may be computed to find out what would put a line right."""
    monkeypatch.setattr(effort, "RATE", 1e-9)


def test_what_was_not_looked_for_is_said_and_what_is_wrong_as_well(nothing: None) -> None:
    report = symgrad.check(EXAMPLES / "vanilla_rnn.py")
    assert report.verdict == "disagree"
    (note,) = [f for f in report.findings if f.message == TOLD]
    assert not note.root
    assert "--timeout" in note.hint
    assert TOLD in report.explain()
    assert not any(f.fix_verified for f in report.findings)
    (said,) = [f for f in report.findings if f.root]
    assert (said.code, said.span, report.exit_code) == ("undecided", None, 1)
    assert {"db_x", "dW_x"} <= set(said.message.replace(",", "").split()), "the results that are wrong"
    assert not {31, 37} & {j.span.line for j in report.judged if j.status == "wrong"}
    assert {31, 37} <= {u.span.line for u in report.unchecked}, "no line is blamed that was not cleared"


def layer(x, w, b):
    h = np.tanh(x @ w + b)
    return h, (x, w, h)


def layer_back(dout, cache):
    x, w, h = cache
    dz = dout * (1 - h**2)
    return dz @ w.T, x.T @ dz, dz.sum(axis=0)


def layer_back_wrong(dout, cache):
    x, w, h = cache
    dz = dout * (1 - h)
    return dz @ w.T, x.T @ dz, dz.sum(axis=0)


def layer_loss(w, x=1.5):
    loss = np.tanh(w @ w * x).sum()
    dw = 2 * w * (1 - np.tanh(w @ w * x))
    return loss, dw


def test_functions_of_the_callers_own_have_the_same_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    inputs = {"x": np.arange(6.0).reshape(2, 3) / 7, "w": np.arange(12.0).reshape(3, 4) / 13, "b": np.ones(4)}
    at = {"w": np.array([0.3, -0.4, 0.6])}
    for report in (symgrad.check_backward(layer, layer_back_wrong, inputs, timeout=9), symgrad.check(layer_loss, at)):
        assert [f.fix_verified for f in report.findings if f.root] == [True]
        assert all(f.message != TOLD for f in report.findings)
    monkeypatch.setattr(effort, "RATE", 1e-9)
    assert symgrad.check_backward(layer, layer_back, inputs).ok
    wrong = symgrad.check_backward(layer, layer_back_wrong, inputs), symgrad.check(layer_loss, at, timeout=9.0)
    for report in wrong:
        assert [f.code for f in report.findings if f.root] == ["undecided"], report.explain()
        assert TOLD in report.explain()
    with pytest.raises(SymgradError, match="'timeout' is for derivations"):
        symgrad.check(lambda x: x * x, {"x": 2.0}, timeout=1.0)


@pytest.mark.parametrize("path", RIGHT, ids=lambda p: p.stem)
def test_what_is_right_is_right_without_any_search(path: Path, nothing: None) -> None:
    report = symgrad.check(path)
    assert report.ok
    assert not [f for f in report.findings if f.root or f.message == TOLD]


def test_with_enough_of_it_nothing_is_said() -> None:
    assert all(f.message != TOLD for f in symgrad.check(EXAMPLES / "vanilla_rnn.py").findings)


def test_one_budget_for_all_that_goes_on_inside() -> None:
    with within(1.0) as whole:
        with within(100.0) as inner:
            spend(effort.RATE + 1)
            assert is_spent()
        assert is_spent()
        assert not inner.lacked  # that is told by the outer one
    assert whole.lacked
    assert not is_spent()


def test_large_arrays_and_long_runs_count_for_more_and_short_runs_for_nothing() -> None:
    with within(10.0) as whole:
        before = whole.left
        ran(effort.SHORT / 2)
        assert whole.left == before
        ran(2.0)
        assert whole.left == before - 2.0 * effort.RATE
        spend(1)
        spend(1, 3 * effort.NUMBERS)
        assert whole.left == before - 2.0 * effort.RATE - 5


def test_what_nobody_could_hold_is_not_computed() -> None:
    """Two weights in an outer product, which NumPy makes flat first, would take half a terabyte."""
    weights, wide = np.broadcast_to(1.0, (512, 512)), np.broadcast_to(1.0, (1 << 15,))
    with pytest.raises(ShapeError):
        bounded(OPS["outer"], [weights, weights], {})
    with pytest.raises(ShapeError):
        bounded(OPS["outer"], [wide, wide], {})
    bounded(OPS["outer"], [np.ones(4096), np.ones(4096)], {})
    bounded(OPS["matmul"], [weights, weights], {})
    bounded(OPS["add"], [weights, weights], {})
