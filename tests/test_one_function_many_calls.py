"""A backward function that is called once for each of several inputs, and what it gives added up by the caller."""

from __future__ import annotations

import pytest

from symgrad.manual import check_source
from symgrad.report.model import Report

#: ``da`` in the function is that of what tanh is taken of, and A an input beside it.
TRIPLET = """\
import numpy as np
rng = np.random.default_rng(1)

def embed(X, W1, b1, W2):
    h = np.tanh(X @ W1 + b1)
    z = h @ W2
    n = np.sqrt((z ** 2).sum(axis=1, keepdims=True))
    return z / n, (X, h, z, n)

def embed_backward(de, cache, W2):
    X, h, z, n = cache
    e = z / n
    dz = (de - e * (de * e).sum(axis=1, keepdims=True)) / n
    dW2 = h.T @ dz
    dh = dz @ W2.T
    da = dh * (1 - h ** 2)
    return X.T @ da, da.sum(axis=0), dW2

B, margin = 6, 0.5
A, N = rng.normal(size=(B, 5)), rng.normal(size=(B, 5))
P = A + 0.3 * rng.normal(size=(B, 5))
W1, b1, W2 = rng.normal(size=(5, 4)), rng.normal(size=4), rng.normal(size=(4, 3))
(ea, ca), (ep, cp), (en, cn) = (embed(x, W1, b1, W2) for x in (A, P, N))
viol = ((ea - ep) ** 2).sum(axis=1) - ((ea - en) ** 2).sum(axis=1) + margin
loss = np.maximum(viol, 0).mean()

mask = (viol > 0).astype(float)[:, None] / B
dea = mask * 2 * (en - ep)
dep = mask * 2 * (ep - ea)
den = mask * 2 * (ea - en)
grads = {"W1": 0, "b1": 0, "W2": 0}
for de, cache in ((dea, ca), (dep, cp), (den, cn)):
    g1, gb, g2 = embed_backward(de, cache, W2)
    grads["W1"] += g1
    grads["b1"] += gb
    grads["W2"] += g2
"""

#: What is replaced by what.
SLIPS = {
    "a factor in the function": ("keepdims=True)) / n", "keepdims=True))"),
    "a term in the function": ("(de - e * (de * e).sum(axis=1, keepdims=True)) / n", "de / n"),
    "an input for an output": ("e = z / n\n", "e = z\n"),
    "a count before it": ("[:, None] / B", "[:, None]"),
}


def diagnosed(source: str) -> Report:
    return check_source(source, sandbox=False)


@pytest.mark.parametrize("case", SLIPS.values(), ids=SLIPS)
def test_only_the_wrong_line_is_blamed(case: tuple[str, str]) -> None:
    old, new = case
    assert TRIPLET.count(old) == 1
    report = diagnosed(TRIPLET.replace(old, new))
    assert {f.line for f in report.findings if f.root} == {TRIPLET[: TRIPLET.index(old)].count("\n") + 1}


def test_the_right_pass_is_left_alone() -> None:
    report = diagnosed(TRIPLET)
    assert not report.findings, report.explain()
