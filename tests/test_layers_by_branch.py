"""Layers in a dictionary, gone through backwards, where the last one has no activation: one line is another in its
first round. A line whose values are what its name says, in every round, is not blamed for what follows it."""

from __future__ import annotations

import pytest

import symgrad

NET = """\
import numpy as np
np.random.seed(4)
sizes = [3, 4, 4, 2]
m = 5
X = np.random.randn(3, m)
Y = np.random.randn(2, m)
params = {}
for l in range(1, 4):
    params['W' + str(l)] = np.random.randn(sizes[l], sizes[l - 1]) * 0.6
    params['b' + str(l)] = np.random.randn(sizes[l], 1) * 0.1
cache = {'A0': X}
for l in range(1, 4):
    cache['Z' + str(l)] = params['W' + str(l)] @ cache['A' + str(l - 1)] + params['b' + str(l)]
    cache['A' + str(l)] = np.maximum(0, cache['Z' + str(l)]) if l < 3 else cache['Z' + str(l)]
cost = np.sum((cache['A3'] - Y) ** 2) / (2 * m)
grads = {}
dA = (cache['A3'] - Y) / m
for l in (3, 2, 1):
    dZ = dA * (cache['Z' + str(l)] > 0) if l < 3 else dA
    grads['dW' + str(l)] = dZ @ cache['A' + str(l - 1)].T
    grads['db' + str(l)] = np.sum(dZ, axis=1, keepdims=True)
    dA = params['W' + str(l)].T @ dZ
print(cost, grads)
"""
MASK = "dA * (cache['Z' + str(l)] > 0) if l < 3 else dA"


def lines(source: str) -> set[int | None]:
    return {f.line for f in symgrad.check(source).findings if f.root}


def test_the_right_one_is_right() -> None:
    report = symgrad.check(NET)
    assert report.ok
    assert not report.findings


@pytest.mark.parametrize(
    ("right", "wrong", "line"),
    [
        ("dA = (cache['A3'] - Y) / m", "dA = (Y - cache['A3']) / m", 17),
        ("dZ @ cache", "dA @ cache", 20),
        ("np.sum(dZ, axis=1", "np.sum(dA, axis=1", 21),
        (MASK, "dA", 19),
        (MASK, "dA * cache['Z' + str(l)] if l < 3 else dA", 19),
    ],
)
def test_the_line_that_hands_on_what_is_right_is_not_blamed(right: str, wrong: str, line: int) -> None:
    assert lines(NET.replace(right, wrong)) == {line}


def test_of_two_names_that_are_one_in_the_last_layer_the_other_one_is_offered() -> None:
    found = [f for f in symgrad.check(NET.replace("dZ @ cache", "dA @ cache")).findings if f.root]
    assert [(f.fix, f.fix_verified) for f in found] == [("dZ", True)]


def test_what_stands_there_is_no_fix() -> None:
    found = [f for f in symgrad.check(NET.replace(MASK, "dA")).findings if f.root]
    assert [f.fix for f in found] == [""]
