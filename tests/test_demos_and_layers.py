"""Layers as people publish them: with a demo, lengths that divide each other, in packages. None is copied."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from symgrad.files.entry import check_file
from symgrad.report.model import Report

EMBEDDING = """
    import numpy as np
    class Embedding:
        def __init__(self, words: int, width: int):
            self.grads = {}
            self.params = {"W": np.random.normal(0.0, 1.0, size=(words, width))}
        def forward(self, x):
            '''x (np.array[int]): [batch, length]'''
            self.x = x
            return self.params["W"][x]
        def backward(self, d_prev):
            self.grads["dW"] = np.zeros_like(self.params["W"])
            np.add.at(self.grads["dW"], self.x, d_prev)
    if __name__ == "__main__":
        e = Embedding(6, 3)
        out = e.forward(np.random.randint(0, 5, size=(2, 4)))
        e.backward(out)
"""
SOFTMAX = """
    import numpy as np
    def softmax_loss(W, X, y):
        loss, N, C = 0.0, X.shape[0], W.shape[1]
        e = np.exp(X.dot(W))
        dS = np.zeros_like(e)
        for i in range(N):
            total = 0.0
            for j in range(C):
                total += e[i, j]
            dS[i] = e[i] / np.sum(e[i])
            dS[i, y[i]] -= 1
            loss -= np.log(e[i, y[i]] / total)
        loss = loss / N
        dW = X.T.dot(dS) / N
        return loss, dW
"""
REGRESSION = """
    import numpy as np
    np.random.seed(1)
    X = np.random.randn(8, 2)
    Y = X[:, 0] * X[:, 1]
    w, c = np.random.randn(2), 0.1
    for i in range(3):
        out = np.tanh(X).dot(w) + c
        gw = (Y - out).dot(np.tanh(X))
        gc = (Y - out).sum()
        w += 0.001 * gw
        c += 0.001 * gc
        cost = ((Y - out)**2).mean()
        print(cost)
"""
SIGMOID = """
    import numpy as np
    class Sigmoid:
        def forward(self, x):
            self.output = 1 / (1 + np.exp(-x))
            return self.output
        def backward(self, d_prev=1):
            return d_prev * self.output * (1 - self.output)
"""
HEADS = """
    import numpy as np
    class Heads:
        def __init__(self, width: int, parts: int):
            assert width % parts == 0
            self.parts, self.W = parts, np.random.randn(width, width)
        def forward(self, x):
            B, T, C = x.shape
            self.x = x
            return (x @ self.W).reshape(B, T, self.parts, C // self.parts).swapaxes(1, 2)
        def backward(self, dout):
            B, T, C = self.x.shape
            d = dout.swapaxes(1, 2).reshape(B, T, C)
            self.dW = np.sum(self.x.swapaxes(-1, -2) @ d, axis=0)
            return d @ self.W.T
"""
POOL = """
    import numpy as np
    class Pool:
        def __init__(self, shape: tuple = (2, 2)):
            self.h, self.w = shape
            assert self.h == self.w
        def forward(self, x):
            n, c, rows, columns = x.shape
            out = np.zeros((n, c, rows // self.h, columns // self.w))
            self.at = np.zeros((n, c, rows, columns))
            for i in range(out.shape[2]):
                for j in range(out.shape[3]):
                    a, b = slice(i*self.h, i*self.h + self.h), slice(j*self.w, j*self.w + self.w)
                    part = x[:, :, a, b]
                    out[:, :, i, j] = np.max(part, axis=(2, 3))
                    flat = part.reshape(n, c, -1)
                    one = np.zeros_like(flat)
                    one[np.arange(n)[:, None], np.arange(c)[None, :], np.argmax(flat, axis=2)] = 1
                    self.at[:, :, a, b] = one.reshape(n, c, self.h, self.w)
            return out
        def backward(self, dout):
            dx = np.zeros_like(self.at)
            for i in range(dout.shape[2]):
                for j in range(dout.shape[3]):
                    a, b = slice(i*self.h, i*self.h + self.h), slice(j*self.w, j*self.w + self.w)
                    dx[:, :, a, b] = dout[:, :, i:i+1, j:j+1] * self.at[:, :, a, b]
            return dx
"""
RIGHT = {
    "embedding": EMBEDDING, "softmax": SOFTMAX, "regression": REGRESSION, "sigmoid": SIGMOID, "heads": HEADS,
    "pool": POOL,
}  # fmt: skip


def check(tmp_path: Path, text: str) -> Report:
    path = tmp_path / "layer.py"
    path.write_text(dedent(text))
    return check_file(path)


@pytest.mark.parametrize("name", RIGHT)
def test_what_is_right_is_right(tmp_path: Path, name: str) -> None:
    report = check(tmp_path, RIGHT[name])
    assert report.ok, [f.message for f in report.findings]
    assert report.confirmed


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("softmax", "dS[i, y[i]] -= 1", "dS[i, y[i]] += 1"),
        ("sigmoid", "d_prev * self.output * (", "self.output * ("),
        ("heads", "d @ self.W.T", "d @ self.W"),
        ("regression", "gc = (Y - out).sum()", "gc = (Y - out).mean()"),
    ],
)
def test_a_mistake_in_it_is_found_at_its_line(tmp_path: Path, name: str, old: str, new: str) -> None:
    text = RIGHT[name].replace(old, new)
    line = next(n for n, t in enumerate(text.split("\n"), 1) if new in t)
    report = check(tmp_path, text)
    assert line in [f.span.line for f in report.findings if f.root and f.span]


def test_layers_that_a_demo_only_prints_are_checked(tmp_path: Path) -> None:
    demo = """
    s = Sigmoid()
    print(s.forward(np.array([0.5, -1.0])), s.backward(np.ones(2)))
    x = np.array([0.3, 0.7])
    loss = np.sum(x**2)
    dx = 2*x
    """
    report = check(tmp_path, SIGMOID.replace("(1 - self.output)", "self.output") + demo)
    assert [f.span.line for f in report.findings if f.root and f.span] == [8]


def test_what_a_demo_ran_is_no_matter_of_a_layer_that_is_called_by_itself() -> None:
    """No line of the activation is judged in the demo, and so it is called by itself: the zeros that the convolution
    has for its dx are not those of the activation's x."""
    report = check_file(Path(__file__).parent / "benchmarks" / "corpus_tensor" / "conv1d_stride.py")
    assert report.ok, [f.message for f in report.findings]
    assert any("ReLU.backward" in c for c in report.confirmed)


def test_a_package_that_imports_the_file_itself(tmp_path: Path) -> None:
    (tmp_path / "__init__.py").write_text("from .base import Base\nfrom .layer import Twice\n")
    (tmp_path / "base.py").write_text("class Base:\n    factor = 2.0\n")
    text = """
    from . import Base
    class Twice(Base):
        def forward(self, x):
            return self.factor * x * x
        def backward(self, dout):
            return dout
    """
    right = text.replace("return dout", "return 2 * self.factor * dout * self.x").replace(
        "return self.factor * x", "self.x = x\n            return self.factor * x"
    )
    assert check(tmp_path, right).ok
