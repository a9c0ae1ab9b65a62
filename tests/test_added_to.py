"""``dx += dy``: a right term added to what was wrong before. That line is to blame, and told without the term."""

from __future__ import annotations

import pytest

from symgrad.manual import check_source
from symgrad.report.model import Report

SKIP = """\
import numpy as np
rng = np.random.RandomState(3)
x, W, R = rng.randn(5, 4), rng.randn(4, 4), rng.randn(5, 4)
ms = np.mean(x * x, axis=-1, keepdims=True)
inv = 1.0 / np.sqrt(ms + 1e-5)
n = x * inv
y = x + np.tanh(n @ W)
loss = 0.5 * np.sum((y - R) ** 2)

dy = y - R
dz = dy * (1 - np.tanh(n @ W) ** 2)
dW = n.T @ dz
dn = dz @ W.T
dx = dn * inv - x * inv**3 * np.mean(dn * x, axis=-1, keepdims=True)
dx += dy
"""

PAIRS = """\
import numpy as np
rng = np.random.RandomState(11)
X, V, y = rng.randn(6, 4), rng.randn(4, 3), np.array([1.0, -1.0, 1.0, 1.0, -1.0, -1.0])
lam = 0.1
loss = lam * np.sum(V**2)
for s in range(6):
    loss = loss + np.log(1 + np.exp(-y[s] * 0.5 * (np.sum((X[s] @ V) ** 2) - np.sum(X[s] ** 2 @ V**2)))) / 6

dV = np.zeros((4, 3))
for s in range(6):
    total = X[s] @ V
    m = 0.5 * (np.sum(total**2) - np.sum(X[s] ** 2 @ V**2))
    coef = -y[s] / (1 + np.exp(y[s] * m)) / 6
    for i in range(4):
        dV[i] += coef * (X[s, i] * total - X[s, i] ** 2 * V[i])
dV += 2 * lam * V
"""

#: (source, what is replaced by what, the text of the blamed line as it is then)
SLIPS = {
    "a factor of one of its terms": (SKIP, "x * inv**3 * np.mean", "x * np.mean", "dx = dn * inv"),
    "all but a regulariser": (
        PAIRS, "dV[i] += coef * (X[s, i] * total - X[s, i] ** 2 * V[i])", "pass", "dV = np.zeros",
    ),
}  # fmt: skip


def diagnosed(source: str) -> Report:
    return check_source(source, sandbox=False)


@pytest.mark.parametrize("case", SLIPS.values(), ids=SLIPS)
def test_the_line_before_is_to_blame(case: tuple[str, str, str, str]) -> None:
    source, old, new, blamed = case
    assert source.count(old) == 1
    text = source.replace(old, new)
    report = diagnosed(text)
    (found,) = [f for f in report.findings if f.root]
    (line,) = [n for n, row in enumerate(text.split("\n"), 1) if row.startswith(blamed)]
    assert found.line == line, report.explain()


def test_what_a_line_adds_is_told_without_what_was_there() -> None:
    old = " - x * inv**3 * np.mean(dn * x, axis=-1, keepdims=True)"
    (found,) = [f for f in diagnosed(SKIP.replace(old, "")).findings if f.root]
    assert found.fix_verified or not found.fix, found.fix
    assert "dn/" not in found.fix  # what dx holds already


@pytest.mark.parametrize("source", [SKIP, PAIRS])
def test_right_passes_are_left_alone(source: str) -> None:
    report = diagnosed(source)
    assert not [f for f in report.findings if f.root], report.explain()
    assert report.exit_code == 0
