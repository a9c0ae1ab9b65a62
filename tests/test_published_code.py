"""What published code does: long loops that fill arrays, notebooks with several trials, losses that are never written.

Each case is a few lines in the manner of such code; none is copied.
"""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

import symgrad
from symgrad.errors import SymgradError
from symgrad.files.entry import check_file
from symgrad.frontends.trace import writes
from symgrad.frontends.tracing import trace_source
from symgrad.report.model import Report

FILLED = """
import numpy as np
rng = np.random.RandomState(0)
x, w = rng.randn({n}, 3), rng.randn(3)
Z = np.zeros(({n}, 3))
for i in range({n}):
    for j in range(3):
        Z[i, j] = x[i, j] * w[j]
loss = np.sum(Z**2)
dZ = 2*Z
dx = np.zeros_like(x)
dw = np.zeros_like(w)
for i in range({n}):
    dxi = dx[i]
    for j in range(3):
        dxi[j] += dZ[i, j] * w[j]
        dw[j] += dZ[i, j] * x[i, j]
"""


def found(report: Report) -> list[tuple[int, str]]:
    return [(f.span.line, f.fix or "") for f in report.findings if f.root and f.span]


def check(tmp_path: Path, text: str, name: str = "case.py") -> Report:
    path = tmp_path / name
    path.write_text(dedent(text))
    return check_file(str(path))


# --- arrays that loops fill -------------------------------------------------------------------------------------------


def numbers(text: str) -> int:
    trace = trace_source(text)
    assert all(v is not None for v in trace.values)
    sizes = [1 if isinstance(v, float) else len(v) * (len(v[0]) if isinstance(v[0], list) else 1) for v in trace.values]
    return sum(sizes)


def test_filling_an_array_costs_as_much_as_it_has_entries(monkeypatch: pytest.MonkeyPatch) -> None:
    dense = numbers(FILLED.format(n=40))
    monkeypatch.setattr(writes, "LEAST_NUMBERS", 0)
    short, long = numbers(FILLED.format(n=40)), numbers(FILLED.format(n=80))
    assert short < dense / 4
    assert long < 2.2 * short


@pytest.mark.parametrize(
    ("right", "wrong", "line"),
    [
        ("", "", 0),
        ("dxi[j] += dZ[i, j] * w[j]", "dxi[j] += dZ[i, j] * x[i, j]", 16),
        ("dw[j] += dZ[i, j] * x[i, j]", "dw[j] = dZ[i, j] * x[i, j]", 17),
        ("dZ = 2*Z", "dZ = Z", 10),
    ],
)
def test_one_write_for_many_keeps_the_line(
    monkeypatch: pytest.MonkeyPatch, right: str, wrong: str, line: int
) -> None:
    monkeypatch.setattr(writes, "LEAST_NUMBERS", 0)
    text = FILLED.format(n=8)
    assert right in text
    report = symgrad.check(text.replace(right, wrong) if line else text, sandbox=False)
    assert [n for n, _ in found(report)] == [line] * bool(line), report.explain()


def test_writes_that_read_or_replace_one_another_stay_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    text = """
    import numpy as np
    a = np.array([0.3, -0.2, 0.5, 0.7, 0.1, 0.4, -0.6, 0.9, 0.2, -0.1])
    h = np.zeros(11)
    for t in range(10):
        h[t + 1] = np.tanh(h[t] + a[t])
    for t in range(10):
        h[t + 1] = h[t + 1] * 2
    loss = np.sum(h)
    """
    before = trace_source(dedent(text)).values[-1]
    monkeypatch.setattr(writes, "LEAST_NUMBERS", 0)
    assert trace_source(dedent(text)).values[-1] == before


def test_what_an_array_held_before_is_worked_out_again() -> None:
    """Of an array that is changed in place the sandbox keeps the last value."""
    trace = trace_source(FILLED.format(n=4))
    first = next(b for b in trace.bindings if b.name == "Z" and b.augmented)
    value = trace.values[first.step]
    assert not isinstance(value, float)
    assert value[0][0] != 0
    assert value[3].tolist() == [0.0, 0.0, 0.0]


# --- names ------------------------------------------------------------------------------------------------------------

CELL = """
    import numpy as np

    class Cell:
        def __init__(self, n_out):
            self.n_out = n_out
            self.kept = {"A": [], "Z": [], "acc": None}
            self.Wa = None

        def forward(self, Xt):
            if self.Wa is None:
                self.Wa, self.Wx = np.random.randn(self.n_out, self.n_out), np.random.randn(Xt.shape[1], self.n_out)
            As = self.kept["A"]
            if not As:
                A0 = np.zeros((Xt.shape[0], self.n_out))
                As.append(A0)
            Zt = As[-1] @ self.Wa + Xt @ self.Wx
            At = np.tanh(Zt)
            self.kept["Z"].append(Zt)
            self.kept["A"].append(At)
            return At

        def backward(self, dLdAt):
            acc = self.kept["acc"]
            if acc is None:
                acc = np.zeros_like(self.kept["A"][0])
            dA = dLdAt + acc
            dZ = (1 - np.tanh(self.kept["Z"][0]) ** 2) * dA
            self.kept["acc"] = dZ @ self.Wa.T
            return dZ @ self.Wx.T
"""
GATES = """
    import numpy as np

    def sigmoid(x):
        return 1 / (1 + np.exp(-x))

    class Gated:
        def __init__(self, num_hidden):
            self.W = np.random.randn(2 * num_hidden, 3)

        def forward(self, inputs):
            gates = sigmoid(inputs @ self.W.T)
            i_gate, f_gate = np.split(gates, 2, axis=1)
            self.ctx = (inputs, gates)
            return np.tanh(i_gate) * f_gate

        def backward(self, grad):
            inputs, gates = self.ctx
            g_i, g_f = np.split(gates, 2, axis=1)
            d_h_prev = grad
            d_i = d_h_prev * g_f * (1 - np.tanh(g_i) ** 2)
            d_f = d_h_prev * np.tanh(g_i)
            d_a = np.hstack([d_i * g_i * (1 - g_i), d_f * g_f * (1 - g_f)])
            self.dW = d_a.T @ inputs
            return d_a @ self.W
"""
WEIGHTED = """
    import numpy as np

    class WeightedSum:
        def forward(self, hs, a):
            N, T, H = hs.shape
            self.kept = hs, a.reshape(N, T, 1)
            return np.sum(hs * a.reshape(N, T, 1), axis=1)

        def backward(self, dc):
            hs, ar = self.kept
            N, T, H = hs.shape
            dt = dc.reshape(N, 1, H).repeat(T, axis=1)
            return dt * ar, np.sum(dt * hs, axis=2)
"""
SQUEEZED = """
    import numpy as np

    class Wide:
        def __init__(self, n_out):
            self.W = np.random.randn(3, n_out)

        def forward(self, x):
            self.x = x
            return x @ self.W

        def backward(self, dy):
            dW = (self.x.T @ dy)[None]
            self.dW = np.squeeze(dW, axis=0)
            return dy @ self.W.T
"""


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (CELL, 0),
        (CELL.replace("(1 - np.tanh", "(1 + np.tanh"), 28),
        (GATES, 0),
        (GATES.replace("d_f * g_f * (1 - g_f)", "d_f * g_f * (1 - g_i)"), 23),
        (WEIGHTED, 0),
        (SQUEEZED, 0),
    ],
    ids=["cell", "cell, wrong", "gates", "gates, wrong", "weighted", "squeezed"],
)
def test_classes(tmp_path: Path, text: str, line: int) -> None:
    report = check(tmp_path, text)
    assert [n for n, _ in found(report)] == [line] * bool(line), report.explain()
    assert line or report.confirmed


def test_another_trial_under_the_same_names_is_judged_by_itself(tmp_path: Path) -> None:
    report = check(
        tmp_path,
        """
        import numpy as np
        rng = np.random.RandomState(0)

        def forward(x, w):
            return np.tanh(x @ w), (x, w)

        def backward(dy, cache):
            x, w = cache
            y = np.tanh(x @ w)
            dx, dw = np.zeros(x.shape), np.zeros(w.shape)
            for i in range(len(x)):
                dx[i] += (dy[i] * (1 - y[i]**2)) @ w.T
                dw += np.outer(x[i], dy[i] * (1 - y[i]**2))
            return dx, dw

        x, w = rng.randn(4, 3), rng.randn(3, 2)
        y, cache = forward(x, w)
        dy = rng.randn(4, 2)
        dx, dw = backward(dy, cache)
        x, w = rng.randn(5, 2), rng.randn(2, 3)
        out, kept = forward(x, w)
        dout = rng.randn(5, 3)
        dx, dw = backward(dout, kept)
        """,
    )
    assert report.ok
    assert {"dx (line 20)", "dw (line 20)", "dx (line 24)", "dw (line 24)"} <= set(report.confirmed)


def test_labels_that_only_the_derivation_takes_apart() -> None:
    """The loss picks entries by the labels; the derivation makes rows with a single 1 of them."""
    report = symgrad.check(
        dedent("""
        import numpy as np
        rng = np.random.RandomState(0)
        X, y, W = rng.randn(5, 4), np.array([0, 2, 1, 1, 0]), rng.randn(4, 3)
        Z = X.dot(W)
        loss = -np.mean(Z[np.arange(5), y]) + np.mean(np.log(np.sum(np.exp(Z), axis=1)))
        rows = np.array([[j == y[i] for j in range(3)] for i in range(5)])
        P = np.exp(Z) / np.sum(np.exp(Z), axis=1, keepdims=True)
        dZ = (P - rows) / 5
        dW = X.T.dot(dZ)
        """),
        sandbox=False,
    )
    assert report.ok
    assert {"dZ", "dW"} <= set(report.confirmed)


# --- a loss that is never written -------------------------------------------------------------------------------------

SOFTMAX = """
import numpy as np
rng = np.random.RandomState(0)
X, y = rng.randn(8, 2), np.array([0, 1, 1, 0, 1, 0, 0, 1])
W1, b1 = rng.randn(2, 3), np.zeros((1, 3))
W2, b2 = rng.randn(3, 2), np.zeros((1, 2))
reg = 0.05
for _ in range(3):
    hidden = np.tanh(X.dot(W1) + b1)
    scores = np.exp(hidden.dot(W2) + b2)
    delta = scores / np.sum(scores, axis=1, keepdims=True)
    delta[range(8), y] -= 1
    dW2 = hidden.T.dot(delta)
    db2 = np.sum(delta, axis=0, keepdims=True)
    inner = delta.dot(W2.T) * (1 - np.power(hidden, 2))
    dW1 = np.dot(X.T, inner)
    db1 = np.sum(inner, axis=0)
    dW2 += reg * W2
    dW1 += reg * W1
    W1 += -0.01 * dW1
    b1 += -0.01 * db1
    W2 += -0.01 * dW2
    b2 += -0.01 * db2
"""


@pytest.mark.parametrize(
    ("right", "wrong", "line"),
    [
        ("", "", 0),
        ("dW2 += reg * W2\n    dW1 += reg * W1", "pass", 0),
        ("np.power(hidden, 2)", "np.power(X.dot(W1) + b1, 2)", 15),
    ],
)
def test_softmax_with_labels_and_a_penalty(right: str, wrong: str, line: int) -> None:
    """The loss is known from what is done with the probabilities, and db1 broadcasts into its parameter."""
    report = symgrad.check(SOFTMAX.replace(right, wrong) if right else SOFTMAX, sandbox=False)
    assert [n for n, _ in found(report)] == [line] * bool(line), report.explain()
    assert "the cross-entropy with a softmax" in report.explain()


DECAY = """
import numpy as np
rng = np.random.RandomState(0)
X, Y, w = rng.randn(20, 3), rng.randn(20), rng.randn(3)
lam = 0.3
for t in range(3):
    delta = X.dot(w) - Y
    mse = delta.dot(delta) / 20
    dw = 2 * X.T.dot(delta) / 20 + {term}
    w = w - 0.01 * dw
"""


@pytest.mark.parametrize(("term", "right"), [("lam*w", True), ("lam*np.sign(w)", True), ("lam*X[0]", False)])
def test_weight_decay_that_the_loss_knows_nothing_of(term: str, right: bool) -> None:
    report = symgrad.check(DECAY.format(term=term), sandbox=False)
    assert report.ok is right, report.explain()
    assert ("right as weight decay" in report.explain()) is right


# --- a function and its derivative ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "fix"),
    [
        ("def f(x):\n    return x**3\ndef df(x):\n    return 3*x**2\n", None),
        (
            "def f(x):\n    return x**3\ndef df(x):\n    return 2*x**2\n"
            "x = 0.5\nfor _ in range(9):\n    x -= 0.1*df(x)\n",
            "3",
        ),
        ("def f(x):\n    return x**4\ndef gradient(x):\n    return 4*x**2\nx = 1.5\nx -= 0.1*gradient(x)\n", "3"),
        (
            "import numpy as np\nA = np.array([[3., 1.], [1., 2.]])\nb = np.array([1., -1.])\n"
            "def f(x):\n    return 0.5 * x @ A @ x - b @ x\ndef f_prime(x):\n    return A @ x - b\n"
            "x = np.zeros(2)\nfor _ in range(5):\n    x -= 0.1 * f_prime(x)\n",
            None,
        ),
        (
            "import numpy as np\ndef f(x, y):\n    return x**2*y + np.sin(y)\n"
            "def dfdx(x, y):\n    return 2*x*y\ndef dfdy(x, y):\n    return x**2 - np.cos(y)\n",
            "+ np.cos(y)",
        ),
    ],
)  # fmt: skip
def test_a_function_that_is_never_called(tmp_path: Path, text: str, fix: str | None) -> None:
    report = check(tmp_path, text)
    assert [f for _, f in found(report)] == ([] if fix is None else [fix]), report.explain()


def test_training_with_nothing_to_hold_it_against_stays_an_error(tmp_path: Path) -> None:
    with pytest.raises(SymgradError, match="never computes"):
        check(tmp_path, "def df(x):\n    return 2*x\nx = 3.0\nfor _ in range(9):\n    x -= 0.1*df(x)\n")


# --- what stood in the way --------------------------------------------------------------------------------------------


def test_labels_as_rows_with_a_single_one(tmp_path: Path) -> None:
    """A temperature of 1 hides that its factor was left out; whole numbers for labels would blame the last line."""
    report = check(
        tmp_path,
        """
        import numpy as np

        def softmax(x):
            e = np.exp(x - x.max(axis=1, keepdims=True))
            return e / e.sum(axis=1, keepdims=True)

        class CrossEntropy:
            def __init__(self, T=1.0):
                self.T = T

            def loss(self, logits, labels):
                p = softmax(logits / self.T)
                return -np.sum(np.log(p) * labels) / labels.shape[0]

            def grad(self, logits, labels):
                grads = softmax(logits / self.T) - labels
                return grads / labels.shape[0]
        """,
    )
    assert len(found(report)) == 1, report.explain()
    assert "/ self.T" in found(report)[0][1]


def test_files_beside_with_an_underscore_and_layers_that_learn_at_once(tmp_path: Path) -> None:
    (tmp_path / "_base.py").write_text("class Module:\n    pass\n")
    report = check(
        tmp_path,
        '''
        import numpy as np
        from tqdm import trange
        from typing import TypeVar
        from ._base import Module

        T = TypeVar("T")
        half = np.vectorize(lambda v: v / 2)

        class Scale(Module):
            def __init__(self, num_nodes):
                self.w = np.random.randn(num_nodes) / 2

            def forward(self, x):
                """x: array of shape (N, D)"""
                self.x = x
                with trange(2) as t:
                    for _ in t:
                        t.set_description("going")
                return half(x) * self.w

            def backprop(self, d_L_d_out, learn_rate):
                d_L_d_w = np.sum(d_L_d_out * self.x, axis=0) / 2
                d_L_d_x = d_L_d_out * self.w / 2
                self.w -= learn_rate * d_L_d_w
                return d_L_d_x
        ''',
    )
    assert report.ok, report.explain()
    assert report.confirmed


def test_lists_of_arrays_and_whole_numbers(tmp_path: Path) -> None:
    report = check(
        tmp_path,
        '''
        import numpy as np

        class Multiply:
            def forward(self, X):
                """
                X : list of length `n_inputs`
                    Arrays of one shape.
                """
                self.X = X
                out = X[0].copy()
                for x in X[1:]:
                    out *= x
                return out

            def backward(self, dY):
                return [dY * self.X[1], dY * self.X[0]]

        class Embedding:
            def __init__(self, vocab_size, n_out):
                self.W = np.random.randn(vocab_size, n_out)

            def forward(self, ids):
                if not issubclass(ids.dtype.type, np.integer):
                    raise TypeError("whole numbers are needed")
                self.ids = ids
                return self.W[ids]

            def backward(self, dY):
                self.dW = np.zeros_like(self.W)
                np.add.at(self.dW, self.ids, dY)
        ''',
    )
    assert report.ok, report.explain()
    assert any("Multiply" in name for name in report.confirmed)
    assert any("Embedding" in name for name in report.confirmed)


def test_nothing_is_written_by_a_script_that_writes(tmp_path: Path) -> None:
    report = check(
        tmp_path,
        """
        x = 3.0
        y = x**2
        dy_dx = 2*x
        with open("out.txt", "w") as file:
            file.write(str(dy_dx))
        """,
    )
    assert report.ok
    assert "dy_dx" in report.confirmed
    assert not (tmp_path / "out.txt").exists()
