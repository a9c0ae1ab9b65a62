"""Networks of layer objects, in which all layers call their gradients by one name: ``self.grad_W`` of each."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from symgrad.files import check_file
from symgrad.manual import check_source
from symgrad.report.model import Report

LOOPS = """
    import numpy as np

    rng = np.random.default_rng(5)

    class Dense:
        def __init__(self, n_in, n_out):
            self.W = rng.normal(size=(n_in, n_out))
            self.b = np.zeros(n_out)

        def forward(self, x):
            self.x = x
            out = np.zeros(len(self.b))
            for j in range(len(out)):
                acc = 0.0
                for i in range(len(x)):
                    acc += x[i] * self.W[i, j]
                out[j] = acc + self.b[j]
            return out

        def backward(self, grad_out):
            self.grad_W = np.zeros_like(self.W)
            for i in range(self.W.shape[0]):
                for j in range(self.W.shape[1]):
                    self.grad_W[i, j] = self.x[i] * grad_out[j]
            self.grad_b = np.zeros_like(self.b)
            for j in range(len(self.b)):
                self.grad_b[j] = grad_out[j]
            grad_in = np.zeros_like(self.x)
            for i in range(len(self.x)):
                acc = 0.0
                for j in range(len(grad_out)):
                    acc += self.W[i, j] * grad_out[j]
                grad_in[i] = acc
            return grad_in

    class Tanh:
        def forward(self, x):
            self.y = np.tanh(x)
            return self.y

        def backward(self, grad_out):
            return grad_out * (1 - self.y**2)

    class Net:
        def __init__(self):
            self.first, self.act, self.second = Dense(2, 3), Tanh(), Dense(3, 1)

        def forward(self, x, t):
            self.out = self.second.forward(self.act.forward(self.first.forward(x)))
            self.t = t
            return np.mean((self.out - t) ** 2)

        def backward(self):
            grad = 2 * (self.out - self.t) / len(self.t)
            grad = self.second.backward(grad)
            grad = self.act.backward(grad)
            return self.first.backward(grad)

        def update(self, lr):
            for layer in (self.first, self.second):
                layer.W -= lr * layer.grad_W
                layer.b -= lr * layer.grad_b

    net = Net()
    X = np.array([[0.0, 1.0], [1.0, 0.5], [1.0, 1.0]])
    t = np.array([[0.3], [1.0], [0.2]])
    for epoch in range(40):
        total = 0
        for k in range(len(X)):
            loss = net.forward(X[k], t[k])
            net.backward()
            net.update(0.1)
            total += loss
    for k in range(len(X)):
        net.forward(X[k], t[k])
        print(X[k], net.out)
"""


def checked(text: str, *edits: tuple[str, str]) -> Report:
    for old, new in edits:
        assert text.count(old) == 1
        text = text.replace(old, new)
    return check_source(dedent(text))


def line_of(text: str, part: str) -> int:
    return next(n for n, line in enumerate(dedent(text).split("\n"), 1) if part in line)


def test_layers_filled_in_loops_are_right() -> None:
    report = checked(LOOPS)
    assert report.verdict == "agree"
    assert "self.grad_W" in report.confirmed


@pytest.mark.parametrize(
    ("old", "new"),
    [
        # What is wrong shows in one of two layers only, and all its gradients are negative there.
        ("acc += self.W[i, j] * grad_out[j]", "acc += -self.W[i, j] * grad_out[j]"),
        ("return grad_out * (1 - self.y**2)", "return grad_out * (1 - self.y)"),
        ("self.grad_W[i, j] = self.x[i] * grad_out[j]", "self.grad_W[i, j] = self.x[i] * grad_out[0]"),
        ("self.grad_b[j] = grad_out[j]", "self.grad_b[j] = 2*grad_out[j]"),
    ],
)
def test_a_slip_in_such_a_layer_is_found(old: str, new: str) -> None:
    report = checked(LOOPS, (old, new))
    found = [f.span.line for f in report.findings if f.root and f.span is not None]
    assert found == [line_of(LOOPS, old)]
    assert report.verdict == "disagree"


MEANS = """
    import numpy as np

    def affine_forward(A, W, b):
        return W @ A + b, (A, W, b)

    def affine_backward(dZ, cache):
        A, W, b = cache
        m = A.shape[1]
        dW = dZ @ A.T / m
        db = np.sum(dZ, axis=1, keepdims=True) / m
        dA = W.T @ dZ
        return dA, dW, db
"""


def in_a_file(tmp_path: Path, text: str, *edits: tuple[str, str]) -> Report:
    for old, new in edits:
        assert text.count(old) == 1
        text = text.replace(old, new)
    path = tmp_path / "layers.py"
    path.write_text(dedent(text))
    return check_file(path)


def test_the_mean_over_the_samples_may_be_taken_by_the_parameters_alone(tmp_path: Path) -> None:
    report = in_a_file(tmp_path, MEANS)
    said = " ".join(f.message for f in report.findings)
    assert report.verdict == "agree"
    assert {"dW", "db", "dA"} <= set(report.confirmed)
    assert "dW, db: divided by 3, the number of samples" in said


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("keepdims=True) / m", "keepdims=True)", 10),  # one of them only
        ("dA = W.T @ dZ", "dA = W.T @ dZ / m", 12),
        ("dW = dZ @ A.T / m", "dW = dZ @ A.T / A.shape[0]", 10),  # another count than the samples
    ],
)
def test_a_mean_that_is_not_taken_alike_is_a_mistake(tmp_path: Path, old: str, new: str, line: int) -> None:
    report = in_a_file(tmp_path, MEANS, (old, new))
    lines = {f.span.line for f in report.findings if f.root and f.span is not None}
    assert report.verdict == "disagree"
    assert line in lines


LOSSES = """
    import numpy as np

    class CrossEntropy:
        def forward(self, label, out):
            return np.mean(-label * np.log(out + 1e-8) - (1 - label) * np.log(1 - out + 1e-8))

        def backward(self, label, out):
            return out - label

    class SoftmaxLoss:
        def forward(self, probs, y):
            self.probs, self.y = probs, y
            return -np.sum(y * np.log(probs)) / len(probs)

        def backward(self):
            return (self.probs - self.y) / len(self.probs)

    class Squares:
        def forward(self, pred, target):
            self.pred, self.target = pred, target
            return np.mean((pred - target) ** 2)

        def backward(self):
            return 2 * (self.pred - self.target) / len(self.pred)
"""


def test_a_loss_may_hand_back_the_gradient_by_what_comes_before_its_link(tmp_path: Path) -> None:
    report = in_a_file(tmp_path, LOSSES)
    said = " ".join(f.message for f in report.findings)
    assert report.verdict == "agree"
    assert "softmax is applied to" in said
    assert "sigmoid is applied to" in said
    assert "mean over the samples alone" in said


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("return out - label", "return label - out"),
        ("return out - label", "return out - label**2"),
        ("(self.probs - self.y) / len(self.probs)", "(self.probs + self.y) / len(self.probs)"),
        ("2 * (self.pred - self.target) / len", "3 * (self.pred - self.target) / len"),
        ("2 * (self.pred - self.target) / len", "2 * (self.pred - self.target) * len"),
    ],
)
def test_what_is_no_such_gradient_is_a_mistake(tmp_path: Path, old: str, new: str) -> None:
    report = in_a_file(tmp_path, LOSSES, (old, new))
    lines = [f.span.line for f in report.findings if f.root and f.span is not None]
    assert lines == [line_of(LOSSES, old)]
