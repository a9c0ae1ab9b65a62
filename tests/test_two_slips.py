"""Two slips in one pass over arrays: each is told at its own line, and no third one."""

from __future__ import annotations

import pytest

from symgrad.manual import check_source
from tests.benchmarks.tensor_corpus import tensor_corpus

#: A pass of the corpus, what is written wrongly in it, and the text that comes instead.
SLIPS: dict[str, tuple[str, tuple[str, str], tuple[str, str]]] = {
    # What stays in between is the part of a gradient, but not what its name says.
    "a name that says another part": (
        "batchnorm_long", ("(sqrtvar**2) * divar", "(sqrtvar**2) * var"),
        ("-1 * np.sum(dxmu1 + dxmu2", "-1 * np.mean(dxmu1 + dxmu2"),
    ),
    "sums that only come to nothing": (
        "layernorm_long", ("(-xn_grad * c / s**2)", "(-c_grad * c / s**2)"), ("2 * c * v_grad", "2 * c * c * v_grad"),
    ),
    "a variable and not a formula": (
        "layernorm_class", ("dnorm = dy * self.gamma", "dnorm = dy * self.dbeta"),
        ("np.mean(dnorm * self.norm, axis=1", "np.mean(self.norm, axis=1"),
    ),
    "another name for an array": (
        "batchnorm_fused", ("grad_y.sum(0)", "grad_y"), ("(grad_y * x_hat).sum(0)", "(grad_y * x_hat).mean(0)"),
    ),
    "a number for each of two lines": (
        "torch_function", ("grad_z = grad_output", "grad_z = 0.5 * grad_output"),
        ("grad_weight = grad_z.t() @ x", "grad_weight = 2 * (grad_z.t() @ x)"),
    ),
    "a matrix and what it is applied to": (
        "softmax_jacobian", ("J = np.diag(p) - np.outer(p, p)", "J = -np.outer(p, p)"), ("dz = J @ dp", "dz = J"),
    ),
    "one assignment for two lines": (
        "svm_hinge", ("dW = X.T @ mask / n", "dW = np.zeros_like(W)"),
        ("dW = dW + 2 * reg * W", "dW = 0.5 * (dW + 2 * reg * W)"),
    ),
    "layers with attributes of one name": (
        "layer_classes", ("self.grad_W = grad.T @ self.x", "self.grad_W = grad.T"),
        ("return grad * self.out * (1 - self.out)", "return grad * (1 - self.out)"),
    ),
    "a count and a number": (
        "softmax_loops", ("dW /= num_train", "dW /= 2 * num_train"), ("dW += reg * W", "dW += reg * dW"),
    ),
    "two numbers that come to a sign": (
        "torch_names", ("(-0.5 * (bnvar + 1e-5) ** -1.5)", "((bnvar + 1e-5) ** -1.5)"),
        ("dbndiff += (2 * bndiff)", "dbndiff += (bndiff)"),
    ),
}  # fmt: skip


def _source(name: str) -> str:
    return next(d.source for d in tensor_corpus() if d.name == name)


@pytest.mark.parametrize("kind", SLIPS)
def test_both_are_told_and_nothing_besides(kind: str) -> None:
    name, *slips = SLIPS[kind]
    source, lines = _source(name), set()
    for old, new in slips:
        assert source.count(old) == 1, old
        lines.add(source[: source.index(old)].count("\n") + 1)
        source = source.replace(old, new)
    assert {f.line for f in check_source(source, sandbox=False).findings if f.root} == lines


@pytest.mark.parametrize("kind", SLIPS)
def test_one_alone_leaves_the_other_line_right(kind: str) -> None:
    name, *slips = SLIPS[kind]
    for old, new in slips:
        source = _source(name)
        line = source[: source.index(old)].count("\n") + 1
        found = check_source(source.replace(old, new), sandbox=False).findings
        assert {f.line for f in found if f.root} == {line}


@pytest.mark.parametrize("name", sorted({name for name, *_ in SLIPS.values()}))
def test_nothing_is_told_of_what_is_right(name: str) -> None:
    assert not [f for f in check_source(_source(name), sandbox=False).findings if f.root and f.line]


def test_a_gradient_may_be_another_by_a_second_name() -> None:
    """The bias of a single sample: what is right under both names stays so beside a slip."""
    source = """\
import numpy as np
rng = np.random.RandomState(3)
x, t = rng.randn(4), rng.randn(3)
W, beta = rng.randn(3, 4), rng.randn(3)
y = W @ x + beta
loss = 0.5 * np.sum((y - t) ** 2)
grad_y = y - t
grad_beta = grad_y
grad_W = np.outer(grad_y, x)
grad_x = W.T @ grad_beta
"""
    assert not [f for f in check_source(source, sandbox=False).findings if f.root]
    wrong = source.replace("np.outer(grad_y, x)", "2 * np.outer(grad_y, x)")
    assert {f.line for f in check_source(wrong, sandbox=False).findings if f.root} == {9}
