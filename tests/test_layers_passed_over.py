"""Layers as objects: a factor that a layer's own line lacks, and a layer that the backward pass passes over."""

from __future__ import annotations

import pytest

from symgrad.manual import check_source
from symgrad.report.model import Report

NET = """\
import numpy as np
class Norm:
    def __init__(self, groups, channels):
        self.groups = groups
        self.gamma = np.random.randn(channels) * 0.2 + 1
        self.beta = np.random.randn(channels) * 0.1

    def forward(self, x):
        g = x.reshape(x.shape[0], self.groups, -1)
        self.inv = 1.0 / np.sqrt(g.var(axis=2, keepdims=True) + 1e-5)
        self.xhat = ((g - g.mean(axis=2, keepdims=True)) * self.inv).reshape(x.shape)
        return self.gamma[None, :, None] * self.xhat + self.beta[None, :, None]

    def backward(self, dout):
        self.dgamma = (dout * self.xhat).sum(axis=(0, 2))
        self.dbeta = dout.sum(axis=(0, 2))
        dxhat = (dout * self.gamma[None, :, None]).reshape(dout.shape[0], self.groups, -1)
        xhat = self.xhat.reshape(dxhat.shape)
        centred = dxhat - dxhat.mean(axis=2, keepdims=True) - xhat * (dxhat * xhat).mean(axis=2, keepdims=True)
        return (self.inv * centred).reshape(dout.shape)

class SiLU:
    def forward(self, x):
        self.x = x
        self.s = 1 / (1 + np.exp(-x))
        return x * self.s

    def backward(self, dout):
        return dout * (self.s + self.x * self.s * (1 - self.s))

np.random.seed(2)
x, target = np.random.randn(2, 4, 3), np.random.randn(2, 4, 3)
norm, act = Norm(2, 4), SiLU()
out = act.forward(norm.forward(x))
loss = ((out - target) ** 2).sum() / 2

dout = out - target
dx = norm.backward(act.backward(dout))
"""

#: What is replaced by what, and what the fix holds.
SLIPS = {
    "a factor of what is returned by another layer": ("(dout * self.xhat).sum", "(dout).sum", "self.xhat"),
    "the same, on the way": ("(dout * self.gamma[None, :, None])", "(dout)", "self.gamma"),
    "a layer passed over": ("norm.backward(act.backward(dout))", "norm.backward(dout)", "act.backward(dout)"),
}


def diagnosed(source: str) -> Report:
    return check_source(source, sandbox=False)


@pytest.mark.parametrize("case", SLIPS.values(), ids=SLIPS)
def test_the_line_that_leaves_it_out_is_blamed(case: tuple[str, str, str]) -> None:
    old, new, fix = case
    assert NET.count(old) == 1
    report = diagnosed(NET.replace(old, new))
    (found,) = [f for f in report.findings if f.root]
    assert found.line == NET[: NET.index(old)].count("\n") + 1, report.explain()
    assert fix in found.fix
    assert found.fix_verified


def test_the_right_pass_is_left_alone() -> None:
    report = diagnosed(NET)
    assert not [f for f in report.findings if f.root], report.explain()
    assert report.exit_code == 0
