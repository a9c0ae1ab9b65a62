"""Slips in arrays beyond single operations: names exchanged, lines swapped, what was to be done and was not.

And the other side: correct passes in many styles, whole and stopped half way, in which nothing may be blamed.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from symgrad.errors import SymgradError
from symgrad.manual import check_source
from tests.test_tensor_diagnosing import MLP
from tests.test_whole import LOOP, WORDS

RIGHT = sorted((Path(__file__).parent / "right_arrays").glob("*.py"))

PAIR = """\
import numpy as np
rng = np.random.RandomState(2)
def forward(x, gamma, beta, E, words):
    xn = x / np.sqrt(1 + x ** 2)
    e = E[words]
    y = gamma * xn + beta + e
    return np.where(y > 0, y, 0.2 * y), (xn, y, gamma, words)
def backward(dout, cache, x, E):
    xn, y, gamma, words = cache
    dy = np.where(y > 0, dout, 0.2 * dout)
    dE = np.zeros_like(E)
    np.add.at(dE, words, dy)
    dbeta = dy.sum(axis=0)
    dgamma = (dy * xn).sum(axis=0)
    dxn = dy * gamma
    dx = dxn / (1 + x ** 2) ** 1.5
    return dx, dgamma, dbeta, dE
words = [1, 0, 1, 2, 0]
x, gamma, beta, E = rng.randn(5, 3), rng.randn(3), rng.randn(3), rng.randn(4, 3)
out, cache = forward(x, gamma, beta, E, words)
n, target = 3, rng.randn(3)
loss = np.sum((out - target) ** 2)
dout = 2 * (out - target)
dx, dgamma, dbeta, dE = backward(dout, cache, x, E)
"""

#: The pass, (text as it is, text with a mistake), the kind of mistake, and a part of the fix.
SLIPS = [
    pytest.param(LOOP, ("outer(x[t], dz)", "outer(x[t - 1], dz)"), "wrong-time-step", "t", id="place beside"),
    pytest.param(WORDS, ("(1 - p)", "(-p)"), "missing-term", "1 - p", id="one less"),
    pytest.param(
        MLP, ("dh = dscores @ W2.T", "W2 -= 0.1 * dW2; dh = dscores @ W2.T"), "overwritten",
        "dh = dscores @ W2.T; W2 -= 0.1 * dW2", id="updated too early",
    ),
    pytest.param(
        MLP, ("dscores /= N\ndW2 = h.T @ dscores", "dW2 = h.T @ dscores\ndscores /= N"), None, "", id="read too early"
    ),
    pytest.param(MLP, ("db1 = dz1.sum(axis=0)", "db1 = dz1"), "missing-reduction", "dz1.sum(axis=0)", id="idle line"),
    pytest.param(MLP, ("dX = dz1 @ W1.T", "dX = np.zeros_like(X)"), "never-assigned", "", id="left at zero"),
    pytest.param(PAIR, ("xn, y, gamma, words = cache", "y, xn, gamma, words = cache"), "wrong-variable",
                 "xn, y, gamma, words", id="unpacked in another order"),
    pytest.param(PAIR, ("return dx, dgamma, dbeta, dE", "return dx, dbeta, dgamma, dE"), "wrong-variable",
                 "dx, dgamma, dbeta, dE", id="returned in another order"),
    pytest.param(PAIR, ("np.where(y > 0, dout, 0.2 * dout)", "np.where(y > 0, 0.2 * dout, dout)"), "wrong-formula",
                 "np.where(y > 0, dout, 0.2 * dout)", id="cases exchanged"),
    pytest.param(PAIR, ("np.add.at(dE, words, dy)", "dE[words] += dy"), "lost-accumulation",
                 "np.add.at(dE, words, dy)", id="places that come twice"),
    pytest.param(PAIR, ("dout = 2 * (out - target)", "dout = 2 * (-target)"), "missing-term", "out - target",
                 id="one side left out"),
    pytest.param(PAIR, ("dout = 2 * (out - target)", "dout = 2 * (out - n)"), "wrong-variable", "target",
                 id="a count for an array"),
]  # fmt: skip


@pytest.mark.parametrize(("source", "edit", "kind", "fix"), SLIPS)
def test_slips(source: str, edit: tuple[str, str], kind: str | None, fix: str) -> None:
    old, new = edit
    assert source.count(old) == 1
    line = source[: source.index(old)].count("\n") + 1
    report = check_source(source.replace(old, new), sandbox=False)
    (found,) = [f for f in report.findings if f.root]
    assert found.line == line, report.explain()
    assert found.fix_verified or not found.fix, report.explain()
    assert kind is None or found.mistake == kind, report.explain()
    assert fix in (found.fix or ""), report.explain()


def test_what_was_to_be_done_to_the_whole() -> None:
    """A line is missing: that it is, is told where the array was written last."""
    report = check_source(MLP.replace("dscores /= N", "pass"), sandbox=False)
    (found,) = [f for f in report.findings if f.root]
    assert found.mistake == "scale"
    assert (found.fix or "").endswith("; dscores /= N")
    assert found.fix_verified


def test_one_line_that_explains_all() -> None:
    """No change of the text makes it right; it is the one line on the way to all that is wrong."""
    wrong = MLP.replace("dz1 = dh * (z1 > 0)", "dz1 = np.cos(dh) / (1 + np.exp(h))")
    report = check_source(wrong, sandbox=False)
    (found,) = [f for f in report.findings if f.root]
    assert found.line == wrong[: wrong.index("dz1 =")].count("\n") + 1


@pytest.mark.parametrize("path", RIGHT, ids=lambda p: p.stem)
def test_right_passes_in_many_styles(path: Path) -> None:
    report = check_source(path.read_text(), sandbox=False)
    assert not [f for f in report.findings if f.root], report.explain()
    assert report.confirmed or report.findings


@pytest.mark.parametrize("path", RIGHT, ids=lambda p: p.stem)
def test_right_passes_that_stop_are_not_blamed(path: Path) -> None:
    """What a loop had half filled when the run ended is not wrong."""
    lines = path.read_text().split("\n")
    inside = [
        k for k, text in enumerate(lines) if text[:4] == "    " and not text.strip().startswith(("def", "return"))
    ]
    for k in [*inside[-3:-1], len(lines) - 4]:
        indent = lines[k][: len(lines[k]) - len(lines[k].lstrip())]
        counted = [f"{indent}count_.append(1)", f"{indent}1 // (2 - len(count_))"]
        stopped = ["count_ = []" if indent else "count_ = [1]", *lines[:k], *counted, *lines[k:]]
        try:
            report = check_source("\n".join(stopped), sandbox=False, verify=False)
        except SymgradError:
            continue  # nothing before it was recognised
        assert not [f for f in report.findings if f.root], (k, report.explain())
