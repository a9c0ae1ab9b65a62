"""Mistakes in arrays that show only in the results: two at once, in loops, and under names that are bound again."""

from __future__ import annotations

import pytest

from symgrad.manual import check_source
from tests.test_tensor_diagnosing import MLP

LOOP = """\
import numpy as np
rng = np.random.RandomState(1)
T, D, H = 3, 2, 4
x = rng.randn(T, D)
Wx, Wh, b = rng.randn(D, H) * 0.5, rng.randn(H, H) * 0.4, np.zeros(H)
hs = [np.zeros(H)]
for t in range(T):
    hs.append(np.tanh(x[t] @ Wx + hs[t] @ Wh + b))
loss = 0.5 * np.sum(hs[-1] ** 2)
dWx, dWh, db = np.zeros_like(Wx), np.zeros_like(Wh), np.zeros_like(b)
dh = hs[-1]
for t in reversed(range(T)):
    dz = (1 - hs[t + 1] ** 2) * dh
    db += dz
    dWx += np.outer(x[t], dz)
    dWh += np.outer(hs[t], dz)
    dh = Wh @ dz
"""

LAYERS = """\
import numpy as np
rng = np.random.RandomState(3)
sizes = [3, 5, 4, 2]
weights = [rng.randn(a, b) * 0.8 for a, b in zip(sizes[:-1], sizes[1:])]
biases = [rng.randn(b) * 0.2 for b in sizes[1:]]
x, t = rng.randn(6, 3), rng.randn(6, 2)
acts = [x]
for l in range(3):
    acts.append(np.tanh(acts[l] @ weights[l] + biases[l]))
loss = 0.5 * np.sum((acts[-1] - t) ** 2)
dws, dbs = [None] * 3, [None] * 3
delta = acts[-1] - t
for l in [2, 1, 0]:
    delta = delta * (1 - acts[l + 1] ** 2)
    dws[l] = acts[l].T @ delta
    dbs[l] = delta.sum(axis=0)
    delta = delta @ weights[l].T
"""

WORDS = """\
import numpy as np
rng = np.random.RandomState(5)
c, U = rng.randn(4), rng.randn(6, 4)
s = 1 / (1 + np.exp(-(U[3] @ c)))
p = 1 / (1 + np.exp(U[[1, 5, 0]] @ c))
loss = -np.log(s) - np.sum(np.log(p))
dc = (s - 1) * U[3]
dc += U[[1, 5, 0]].T @ (1 - p)
"""

#: The pass, (line as it is, line with a mistake) pairs, the kinds to be reported at these lines.
MISTAKES = [
    pytest.param(
        MLP, [("dW2 = h.T @ dscores", "dW2 = 2 * h.T @ dscores"), ("dh = dscores @ W2.T", "dh = -dscores @ W2.T")],
        ["scale", "sign"], id="two results",
    ),
    pytest.param(
        MLP,
        [("dh = dscores @ W2.T", "dh = 3 * (dscores @ W2.T)"), ("db1 = dz1.sum(axis=0)", "db1 = dz1.mean(axis=0)")],
        ["scale", "wrong-reduction"], id="one after the other",
    ),
    pytest.param(
        MLP, [("dz1 = dh * (z1 > 0)", "dz1 = dh"), ("dscores /= N", "dscores /= 2 * N")],
        None, id="two on one path",
    ),
    pytest.param(
        WORDS, [("dc = (s - 1) * U[3]", "dc = (s - 1) * (s - 1) * U[3]"), ("dc += U", "dc -= U")],
        ["extra-factor", "sign"], id="two terms of one sum",
    ),
    pytest.param(LOOP, [("    dh = Wh @ dz", "    dh = Wh.T @ dz")], ["transpose"], id="a carry"),
    pytest.param(LOOP, [("outer(hs[t], dz)", "outer(hs[t + 1], dz)")], ["wrong-time-step"], id="an entry of a list"),
    pytest.param(
        LOOP, [("    db += dz", "    db += 2 * dz"), ("np.outer(x[t], dz)", "np.outer(x[t], dh)")],
        ["scale", "wrong-variable"], id="two in a loop",
    ),
    pytest.param(LAYERS, [("acts[l].T @ delta", "acts[l - 1].T @ delta")], ["wrong-time-step"], id="layers"),
    pytest.param(LAYERS, [("acts[l].T @ delta", "delta")], ["missing-factor"], id="only a name"),
    pytest.param(LAYERS, [("delta.sum(axis=0)", "delta.sum(axis=1)")], ["wrong-reduction"], id="comprehensions"),
]


@pytest.mark.parametrize("source", [MLP, LOOP, LAYERS, WORDS], ids=["MLP", "LOOP", "LAYERS", "WORDS"])
def test_right_passes(source: str) -> None:
    report = check_source(source, sandbox=False)
    assert not [f for f in report.findings if f.root], report.explain()
    assert report.confirmed


@pytest.mark.parametrize(("source", "edits", "kinds"), MISTAKES)
def test_mistakes(source: str, edits: list[tuple[str, str]], kinds: list[str] | None) -> None:
    lines = []
    wrong = source
    for old, new in edits:
        assert source.count(old) == 1
        lines.append(source[: source.index(old)].count("\n") + 1)
        wrong = wrong.replace(old, new)
    report = check_source(wrong, sandbox=False)
    found = {f.line: f for f in report.findings if f.root}
    assert sorted(found) == sorted(lines), report.explain()
    assert all(f.fix and f.fix_verified for f in found.values()), report.explain()
    if kinds:
        assert [found[line].mistake for line in lines] == kinds, report.explain()


def test_a_script_that_stops_is_no_success() -> None:
    """What ran is checked; what was under way is not blamed, and the exit code says that the rest did not run."""
    report = check_source(MLP + "dq = W1 @ W2.T\n", sandbox=False)
    assert report.exit_code == 2
    assert [f.line for f in report.findings if f.code == "stopped"] == [MLP.count("\n") + 1]
    assert not [f for f in report.findings if f.root]


def test_zeros_that_a_function_made_are_parameters() -> None:
    source = """\
import numpy as np
rng = np.random.RandomState(0)
def init():
    return {"W": rng.randn(3, 2), "b": np.zeros((1, 2))}
params = init()
x = rng.randn(4, 3)
loss = np.sum((x @ params["W"] + params["b"]) ** 2)
dz = 2 * (x @ params["W"] + params["b"])
grads = {"W": x.T @ dz, "b": dz.mean(axis=0, keepdims=True)}
"""
    (found,) = [f for f in check_source(source, sandbox=False).findings if f.root]
    assert (found.line, found.mistake) == (9, "wrong-reduction")


def test_size_ndim_and_ndindex() -> None:
    source = MLP.replace("N = X.shape[0]", "N = np.size(y)").replace(
        "dscores /= N", "for place in np.ndindex(5, 3):\n    dscores[place] /= N\ndscores *= np.ndim(b1)"
    )
    report = check_source(source, sandbox=False)
    assert not [f for f in report.findings if f.root], report.explain()
    assert "dW1" in report.confirmed
