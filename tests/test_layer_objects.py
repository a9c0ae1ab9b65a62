"""Networks of layer objects, in which all layers call their gradients by one name: ``self.grad_W`` of each."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from symgrad.files.entry import check_file
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


DEMO_OF_MEANS = """
rng = np.random.default_rng(1)
A, W, b = rng.standard_normal((3, 2)), rng.standard_normal((4, 3)), rng.standard_normal((4, 1))
Z, cache = affine_forward(A, W, b)
dZ = rng.standard_normal((4, 2))
dA, dW, db = affine_backward(dZ, cache)
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


def test_the_same_where_a_demo_gives_the_gradient(tmp_path: Path) -> None:
    report = in_a_file(tmp_path, dedent(MEANS) + DEMO_OF_MEANS)
    assert report.verdict == "agree", report.explain()
    assert {"dW", "db"} <= set(report.confirmed)


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


def test_what_else_is_wrong_leaves_the_mean_what_it_is(tmp_path: Path) -> None:
    report = in_a_file(tmp_path, MEANS, ("dA = W.T @ dZ", "dA = W.T @ (dZ * dZ)"))
    assert {f.span.line for f in report.findings if f.root and f.span is not None} == {12}, report.explain()
    assert {"dW", "db"} <= set(report.confirmed)


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


CELL = """
    import numpy as np

    def sigmoid(x):
        return 1 / (1 + np.exp(-x))

    def sigmoid_derivative(y):
        return y * (1 - y)

    class Cell:
        def set_input(self, x, s_prev):
            self.x, self.s_prev = x, s_prev
            self.i, self.g = sigmoid(self.p.wi @ x), np.tanh(self.p.wg @ x)
            self.s = self.i * self.g + s_prev

        def set_error(self, error_s):
            di = self.g * error_s
            dg = self.i * error_s
            self.p.dwi = np.outer(sigmoid_derivative(self.i) * di, self.x)
            self.p.dwg = np.outer((1 - self.g**2) * dg, self.x)
"""


def test_a_backward_pass_that_nothing_calls_is_said_to_be_unchecked(tmp_path: Path) -> None:
    report = in_a_file(tmp_path, CELL)
    assert report.verdict == "agree"
    assert [f.message for f in report.findings if f.code == "unchecked"] == [
        "Cell.set_error was not checked: nothing calls it"
    ]


def test_a_backward_pass_that_a_demo_calls_is_not_said_to_be_unchecked(tmp_path: Path) -> None:
    report = in_a_file(tmp_path, LOOPS)
    assert not [f for f in report.findings if f.code == "unchecked"]


#: Mini-batches of lists of arrays: what each sample gives is added up, and the batch moves the parameters.
BATCHES = """
    import random

    import numpy as np

    random.seed(2)
    rng = np.random.default_rng(2)

    def act(z):
        return 1 / (1 + np.exp(-z))

    def act_prime(z):
        return act(z) * (1 - act(z))

    class Net:
        def __init__(self, sizes):
            self.sizes = sizes
            self.biases = [rng.normal(size=(n, 1)) for n in sizes[1:]]
            self.weights = [rng.normal(size=(n, m)) for m, n in zip(sizes[:-1], sizes[1:])]

        def train(self, data, epochs, size, eta):
            for k in range(epochs):
                random.shuffle(data)
                for batch in [data[s:s + size] for s in range(0, len(data), size)]:
                    self.learn(batch, eta)

        def learn(self, batch, eta):
            nabla_b = [np.zeros(b.shape) for b in self.biases]
            nabla_w = [np.zeros(w.shape) for w in self.weights]
            for x, y in batch:
                delta_b, delta_w = self.backprop(x, y)
                nabla_b = [nb + db for nb, db in zip(nabla_b, delta_b)]
                nabla_w = [nw + dw for nw, dw in zip(nabla_w, delta_w)]
            self.weights = [w - eta / len(batch) * nw for w, nw in zip(self.weights, nabla_w)]
            self.biases = [b - eta / len(batch) * nb for b, nb in zip(self.biases, nabla_b)]

        def backprop(self, x, y):
            nabla_b = [np.zeros(b.shape) for b in self.biases]
            nabla_w = [np.zeros(w.shape) for w in self.weights]
            a, activations, zs = x, [x], []
            for b, w in zip(self.biases, self.weights):
                z = w @ a + b
                zs.append(z)
                a = act(z)
                activations.append(a)
            delta = (activations[-1] - y) * act_prime(zs[-1])
            nabla_b[-1] = delta
            nabla_w[-1] = delta @ activations[-2].T
            for l in range(2, len(self.sizes)):
                sp = act_prime(zs[-l])
                delta = self.weights[-l + 1].T @ delta * sp
                nabla_b[-l] = delta
                nabla_w[-l] = delta @ activations[-l - 1].T
            return nabla_b, nabla_w

    data = [(np.array([[a], [b]]), np.array([[float(a != b)]])) for a in (0.0, 1.0) for b in (0.0, 1.0)]
    Net([2, 3, 1]).train(data, 20, 2, 1.0)
"""


def test_sums_of_lists_over_a_mini_batch_are_right() -> None:
    report = checked(BATCHES)
    assert report.verdict == "agree"
    assert {"nabla_w[-1]", "nabla_w[-2]", "nabla_w[0]", "nabla_b[1]"} <= set(report.confirmed)
    assert not report.unchecked


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("return act(z) * (1 - act(z))", "return act(z) * (1 - z)"),
        ("delta = self.weights[-l + 1].T @ delta * sp", "delta = self.weights[-l + 1].T @ delta"),
        ("nb + db for", "nb - db for"),
    ],
)
def test_a_slip_in_a_mini_batch_is_found(tmp_path: Path, old: str, new: str) -> None:
    report = in_a_file(tmp_path, BATCHES, (old, new))
    lines = [f.span.line for f in report.findings if f.root and f.span is not None]
    assert lines == [line_of(BATCHES, old)]
    assert all(f.span.file for f in report.findings if f.span is not None)
