"""What published code does that earlier stood in the way: each case is a few lines in its manner, none is copied."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from symgrad.callables import check_backward
from symgrad.emitting import emit_file, emit_target
from symgrad.errors import SymgradError
from symgrad.files.entry import check_file
from symgrad.frontends.plan import Plan
from symgrad.frontends.tracing import trace_source
from symgrad.manual import check_source
from symgrad.report.model import Report

CONV = """
    import numpy as np

    def zero_pad(X, pad):
        return np.pad(X, ((0, 0), (pad, pad), (pad, pad), (0, 0)), mode="constant", constant_values=(0, 0))

    def conv_forward(A_prev, W, b, pad):
        m, nh, nw, _ = A_prev.shape
        f, f, _, nc = W.shape
        Z = np.zeros((m, nh - f + 2*pad + 1, nw - f + 2*pad + 1, nc))
        A_prev_pad = zero_pad(A_prev, pad)
        for i in range(m):
            a_prev_pad = A_prev_pad[i]
            for h in range(Z.shape[1]):
                for w in range(Z.shape[2]):
                    for c in range(nc):
                        part = a_prev_pad[h:h + f, w:w + f, :]
                        Z[i, h, w, c] = np.sum(part * W[..., c]) + float(b[..., c])
        return Z, (A_prev, W, b, pad)

    def conv_backward(dZ, cache):
        A_prev, W, b, pad = cache
        f = W.shape[0]
        dA_prev, dW, db = np.zeros(A_prev.shape), np.zeros(W.shape), np.zeros(b.shape)
        A_prev_pad = zero_pad(A_prev, pad)
        dA_prev_pad = zero_pad(dA_prev, pad)
        for i in range(dZ.shape[0]):
            a_prev_pad = A_prev_pad[i]
            da_prev_pad = dA_prev_pad[i]
            for h in range(dZ.shape[1]):
                for w in range(dZ.shape[2]):
                    for c in range(dZ.shape[3]):
                        part = a_prev_pad[h:h + f, w:w + f, :]
                        da_prev_pad[h:h + f, w:w + f, :] += W[:, :, :, c] * dZ[i, h, w, c]
                        dW[:, :, :, c] += part * dZ[i, h, w, c]
                        db[:, :, :, c] += dZ[i, h, w, c]
            dA_prev[i] = da_prev_pad[pad:-pad, pad:-pad, :]
        return dA_prev, dW, db
"""
SHAPES = {"A_prev": (2, 3, 2, 2), "W": (2, 2, 2, 3), "b": (1, 1, 1, 3)}


def checked(text: str) -> Report:
    return check_source(dedent(text), sandbox=False)


def mistakes(report: Report) -> list[tuple[int, str]]:
    return [(f.span.line, f.mistake) for f in report.findings if f.root and f.span is not None]


def notes(report: Report) -> str:
    return "\n".join(f.message for f in report.findings if not f.root)


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ("", "", []),
        ("dW[:, :, :, c] += part", "dW[:, :, :, c] = part", [("lost-accumulation", "dW[:, :, :, c] = part")]),
    ],
)
def test_a_convolution_in_loops(tmp_path: Path, old: str, new: str, found: list[tuple[str, str]]) -> None:
    """Padding with a pair of constants; views; and a backward pass that pads its input once more."""
    source = dedent(CONV).replace(old, new) if old else dedent(CONV)
    path = tmp_path / "conv.py"
    path.write_text(source)
    report = check_file(path, forward="conv_forward", backward="conv_backward", shapes=SHAPES, values={"pad": 1})
    lines = source.split("\n")
    told = [(m, lines[line - 1].strip()) for line, m in mistakes(report)]
    assert [m for m, _ in told] == [m for m, _ in found]
    assert all(text in line for (_, text), (_, line) in zip(found, told, strict=True))
    right = {"return[0]", "return[2]"} if found else {"return[0]", "return[1]", "return[2]"}
    assert right <= set(report.confirmed)


NET = """
    import numpy as np
    rng = np.random.RandomState(0)
    z = rng.randn(4)
    y = np.array([0.0, 1.0, 0.0, 0.0])
    e = np.exp(z)
    s = e / np.sum(e)
    loss = -np.sum(y * np.log(s))
    ds = -y / s
    dz = {}
"""
LISTS = """
    import math
    z = [0.3, -1.2, 0.8]
    e = [math.exp(v) for v in z]
    total = sum(e)
    s = [v / total for v in e]
    y = [0.0, 1.0, 0.0]
    loss = -sum(t * math.log(p) for t, p in zip(y, s))
    ds = [-t / p for t, p in zip(y, s)]
    dz = [p * (1 - p) * g for p, g in zip(s, ds)]
"""


@pytest.mark.parametrize(
    ("text", "fix", "verified"),
    [
        (NET.format("s * (1 - s) * ds"), "s * (ds - np.sum(ds * s))", True),
        (NET.format("ds * (s - s**2)"), "s * (ds - np.sum(ds * s))", True),
        (LISTS, "s[0] * (ds[0] - sum(s[k] * ds[k] for all k))", False),
    ],
)
def test_softmax_entry_by_entry_is_named(text: str, fix: str, verified: bool) -> None:
    report = checked(text)
    roots = [f for f in report.findings if f.root]
    assert [(f.mistake, f.fix, f.fix_verified) for f in roots] == [("softmax-elementwise", fix, verified)]
    assert "only the diagonal" in roots[0].message


@pytest.mark.parametrize("backward", ["s - y", "s * (ds - np.sum(ds * s))"])
def test_a_right_softmax_is_right(backward: str) -> None:
    report = checked(NET.format(backward))
    assert report.ok
    assert "dz" in report.confirmed


GUARDED = """
    import numpy as np
    rng = np.random.RandomState(0)
    x = rng.randn(5, 4)
    W = rng.randn(4, 3) * 0.3
    t = np.eye(3)[[0, 2, 1, 1, 0]]
    {}
    z = x @ W
    p = np.exp(z) / np.sum(np.exp(z), axis=1, keepdims=True)
    loss = -np.sum(t * np.log({})) / 5
    dz = {}
    dW = x.T @ dz
"""


@pytest.mark.parametrize("guard", ["p + 1e-7", "1e-8 + p", "p + eps"])
@pytest.mark.parametrize(("line", "found"), [("(p - t) / 5", []), ("p - t", [(11, "scale")])])
def test_a_guarded_logarithm_may_be_derived_without_its_guard(
    guard: str, line: str, found: list[tuple[int, str]]
) -> None:
    report = checked(GUARDED.format("eps = 1e-6", guard, line))
    assert mistakes(report) == found
    assert "inside the logarithm is left out of the derivative: a deliberate difference" in notes(report)
    assert {"dz", "dW"} <= set(report.confirmed) or found


def test_a_guard_that_was_derived_is_no_note() -> None:
    exact = "p * (g := -t / (p + 1e-3) / 5) - p * (p * g).sum(1, keepdims=True)"
    report = checked(GUARDED.format("", "p + 1e-3", exact))
    assert report.ok
    assert "deliberate" not in notes(report)


STOPPED = """
    import numpy as np
    rng = np.random.RandomState(0)
    W = rng.randn(3, 3)
    b = np.zeros(3)
    x = rng.randn(4, 3)
    h = {-1: np.zeros(3)}
    loss = 0
    for t in range(4):
        h[t] = np.tanh(W @ h[t - 1] + x[t] + b)
        loss += np.sum(h[t] ** 2)
    dW = np.zeros_like(W)
    db = np.zeros_like(b)
    dhnext = np.zeros(3)
    for t in reversed(range(4)):
        dh = 2 * h[t] + dhnext
        draw = (1 - h[t] ** 2) * dh
        dW += np.outer(draw, h[t - 1])
        if t == 1:
            raise ValueError("no further")
        db += draw
        dhnext = W.T @ draw
"""


def test_what_a_loop_was_adding_up_when_it_stopped_is_not_blamed() -> None:
    report = checked(STOPPED)
    assert not mistakes(report)
    assert {"dh", "draw", "dhnext"} <= set(report.confirmed)
    assert "db" in {u.name for u in report.unchecked}


def test_a_loop_begins_anew_at_each_call() -> None:
    """A loop that trains is cut short when its rounds are alike; its second call has as many rounds as the first."""
    summed = "".join(" + x" for _ in range(100))
    text = f"""
        x, lr = 0.5, 0.1
        def total(n):
            out = 0.0
            for i in range(n):
                out = out + lr*x{summed}
            return out
        a = total(40)
        b = total(40)
    """
    trace = trace_source(dedent(text), "loop.py")
    found = {b.name: trace.values[b.step] for b in trace.bindings}
    assert found["a"] == found["b"] > 0
    assert any("since they are alike" in n.message for n in trace.notes)


def test_samplers_are_constants_and_what_follows_is_checked() -> None:
    report = checked("""
        import numpy as np
        import torch
        w = torch.tensor([0.2, 0.5, 0.3], dtype=torch.float64)
        p = torch.softmax(w, 0)
        ix = torch.multinomial(p, num_samples=2, replacement=True)
        u, s, v = np.linalg.svd(np.random.randn(3, 3))
        keep = np.random.binomial(1, 0.5, size=(3,))
        L = (p**2).sum()
        dp = 2 * p
        dw = p * (dp - (dp * p).sum())
    """)
    assert report.ok
    assert {"dp", "dw"} <= set(report.confirmed)
    assert "what torch.multinomial draws is taken as a constant" in notes(report)


def test_operators_of_a_class_of_ones_own() -> None:
    report = checked("""
        class V:
            def __init__(self, data):
                self.data = data
            def __mul__(self, other):
                return V(self.data * other.data)
            def __pow__(self, k):
                return V(self.data ** k)
            def __truediv__(self, other):
                return self * other ** -1
        x = 3.0
        y = 2.0
        f = (V(x) / V(y)).data
        dx = 1 / y
        dy = -x / y**2
    """)
    assert report.ok
    assert {"dx", "dy"} <= set(report.confirmed)


LAYERS = """
    import numpy as np

    def affine_forward(x, w, b):
        return x @ w + b, (x, w, b)

    def affine_backward(dout, cache):
        x, w, b = cache
        return dout @ w.T, x.T @ dout, dout.sum(axis=0)
"""
USES = """
    import numpy as np
    from layers import affine_forward, affine_backward
    rng = np.random.RandomState(0)
    x, w, b = rng.randn(4, 3), rng.randn(3, 2), rng.randn(2)
    out, cache = affine_forward(x, w, b)
    loss = np.sum(out**2)
    dout = 2 * out
    dx, dw, db = affine_backward(dout, cache)
"""


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("", "", ""),
        ("axis=0", "axis=1", "is taken over another axis"),
        ("x.T @ dout", "x.T @ dout / 4", "a constant factor"),
    ],
)
def test_a_mistake_in_an_imported_file_is_told_with_its_line(tmp_path: Path, old: str, new: str, says: str) -> None:
    text = dedent(LAYERS).replace(old, new) if old else dedent(LAYERS)
    (tmp_path / "layers.py").write_text(text)
    (tmp_path / "main.py").write_text(dedent(USES))
    report = check_file(tmp_path / "main.py")
    roots = [f for f in report.findings if f.root]
    assert len(roots) == bool(old)
    for f in roots:
        line = text.split("\n")[8].strip()
        assert f.message.startswith("what layers.py works out for d")
        assert f"(line 9: `{line}`)" in f.message
        assert says in f.message
        assert not f.fix


def test_a_class_is_made_with_the_inputs_that_it_names() -> None:
    import numpy as np

    class Layer:
        def __init__(self, w: object) -> None:
            self.w = w

        def forward(self, x):  # type: ignore[no-untyped-def]
            self.x = x
            return x @ self.w

        def backward(self, dout):  # type: ignore[no-untyped-def]
            self.dw = self.x.T @ dout
            return dout @ self.w.T

    rng = np.random.RandomState(0)
    report = check_backward(Layer, None, {"w": rng.randn(3, 5), "x": rng.randn(4, 3)})
    assert report.ok
    assert {"self.dw", "return"} <= set(report.confirmed)


def test_apply_of_an_autograd_function_stands_for_it() -> None:
    import torch

    class Scaled(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, w):  # type: ignore[no-untyped-def,override]
            ctx.save_for_backward(x, w)
            return (x * w).clamp(min=0)

        @staticmethod
        def backward(ctx, g):  # type: ignore[no-untyped-def,override]
            x, w = ctx.saved_tensors
            m = (x * w > 0).double()
            return g * w * m, g * x

    inputs = (torch.randn(4, 3, dtype=torch.float64), torch.randn(4, 3, dtype=torch.float64))
    for given in ((Scaled, None), (Scaled.apply, None), (Scaled.apply, Scaled.backward)):
        report = check_backward(*given, inputs)
        assert [f.fix for f in report.findings if f.root] == ["g * x*m"]


@pytest.mark.parametrize("language", ["numpy", "torch"])
def test_the_right_pass_of_a_file_of_functions(tmp_path: Path, language: str) -> None:
    """Emitted in its own names, one function for each pair; it runs, and gives what a central difference gives."""
    import numpy as np

    path = tmp_path / "layers.py"
    text = dedent(LAYERS) + dedent("""
        def softmax_loss(x, y, mode="train"):
            p = np.exp(x) / np.exp(x).sum(axis=1, keepdims=True)
            loss = -np.log(p[np.arange(len(y)), y]).mean()
            dx = p.copy()
            if mode == "half":
                dx *= 0.5
            dx[np.arange(len(y)), y] -= 1
            return loss, dx / len(y)
    """)
    path.write_text(text)
    call = Plan("affine_forward", "affine_backward", {"x": (4, 3), "w": (3, 2), "b": (2,)})
    one = emit_file(path, language, call=call)
    both = emit_file(path, language, call=Plan(values={"y": [0, 2, 1]}))
    assert one.count("def ") == 1
    assert both.count("def ") == 2
    assert both.count("import ") == 1
    space: dict[str, Any] = {}
    exec(both, space)
    exec(one, space)
    rng = np.random.RandomState(0)
    inputs = [rng.randn(*s) for s in ((4, 3), (3, 2), (2,), (4, 2))]
    if language == "torch":
        import torch

        inputs = [torch.from_numpy(a) for a in inputs]
    _, *found = [np.asarray(v) for v in space["affine_backward"](*inputs)]
    x, w, _b, dout = (np.asarray(a) for a in inputs)
    for right, gradient in zip((dout @ w.T, x.T @ dout, dout.sum(axis=0)), found, strict=True):
        assert np.allclose(right, gradient)
    z = rng.randn(3, 4)
    given = z if language == "numpy" else torch.from_numpy(z)
    _, dz = space["softmax_loss_gradients"](given)
    p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    p[np.arange(3), [0, 2, 1]] -= 1
    assert np.allclose(np.asarray(dz), p / 3)


def test_an_array_among_the_values_is_enough_for_emitting() -> None:
    text = emit_target("sum(tanh(W @ x)**2)", "numpy", at=["W=[[1,2],[3,4]],x=[1,2]"])
    assert "dW = np.outer(" in text


@pytest.mark.parametrize(
    ("line", "says", "place"),
    [
        ("y = np.log(x)", "y is nan in 1 of 2 entries", "np.log(x)"),
        ("y = 1/(x - x)", "y is infinite in 2 of 2 entries", "1/(x - x)"),
    ],
)
def test_where_the_forward_pass_has_no_value_is_said(line: str, says: str, place: str) -> None:
    text = f"import numpy as np\nx = np.array([-1.0, 2.0])\n{line}\nL = np.sum(y)\ndx = 1/x\n"
    with pytest.raises(SymgradError) as caught:
        check_source(text, sandbox=False)
    assert says in caught.value.message
    assert caught.value.span is not None
    span = caught.value.span
    assert text.split("\n")[span.line - 1][span.column - 1 : span.end_column - 1] == place


def test_lengths_that_numpy_rounds_and_warnings_that_are_caught() -> None:
    report = checked("""
        import warnings
        import numpy as np
        n = np.floor(1 + (5 + 2 - 2) / 2).astype(int)
        warnings.filterwarnings("ignore", category=RuntimeWarning)
        try:
            warnings.warn("no", UserWarning)
        except (RuntimeWarning, DeprecationWarning):
            pass
        x = np.ones(n) * 0.5
        L = np.sum(x**2)
        dx = 2 * x
    """)
    assert report.ok
    assert "dx" in report.confirmed


def test_products_of_plain_lists() -> None:
    """np.dot of lists is a product of matrices, and none of single numbers."""
    report = checked("""
        import numpy as np
        inputs = [1.0, 2.0, 3.0, 2.5]
        weights = [[0.2, 0.8, -0.5, 1], [0.5, -0.91, 0.26, -0.5], [-0.26, -0.27, 0.17, 0.87]]
        output = np.dot(weights, inputs) + [2, 3, 0.5]
        W = np.array([[0.5, 1.0], [2.0, -1.0], [0.1, 0.2]])
        h = np.dot(output, W)
        loss = np.sum(h**2)
        dh = 2 * h
        dW = np.outer(output, dh)
        doutput = np.dot(W, dh)
    """)
    assert report.ok
    assert {"dh", "dW", "doutput"} <= set(report.confirmed)


def test_data_of_a_course() -> None:
    report = checked("""
        import numpy as np
        import nnfs
        from nnfs.datasets import spiral_data
        nnfs.init()
        X, y = spiral_data(samples=5, classes=3)
        W = np.random.randn(2, 3)
        z = X @ W
        p = np.exp(z) / np.sum(np.exp(z), axis=1, keepdims=True)
        loss = -np.mean(np.log(p[range(15), y]))
        dz = p.copy()
        dz[range(15), y] -= 1
        dz /= 15
        dW = X.T @ dz
    """)
    assert report.ok
    assert "dW" in report.confirmed


ENTRY_BY_ENTRY = """
import numpy as np

def forward(theta, x, y):
    h = x @ theta
    cost = np.sum((h - y)**2) / x.shape[0]
    return cost, h

def backward(x, y, h):
    dh = 2 * (h - y)
    dtheta = x.T @ dh / x.shape[0]
    return {"dh": dh, "dtheta": dtheta}

def check(theta, grads, x, y, epsilon=1e-7):
    plus, minus, approx = np.zeros((3, 1)), np.zeros((3, 1)), np.zeros((3, 1))
    for i in range(3):
        more = np.copy(theta)
        more[i][0] = more[i][0] + epsilon
        plus[i], _ = forward(more, x, y)
        less = np.copy(theta)
        less[i][0] = less[i][0] - epsilon
        minus[i], _ = forward(less, x, y)
        approx[i] = (plus[i] - minus[i]) / (2 * epsilon)
    return np.linalg.norm(grads["dtheta"] - approx)

rng = np.random.default_rng(3)
x, y, theta = rng.standard_normal((4, 3)), rng.standard_normal((4, 1)), rng.standard_normal((3, 1))
cost, h = forward(theta, x, y)
grads = backward(x, y, h)
print(check(theta, grads, x, y))
"""


def test_the_cost_of_a_gradient_check_is_not_what_is_differentiated() -> None:
    report = check_source(ENTRY_BY_ENTRY, "check.py")
    assert report.ok, report.explain()
    assert {"dtheta", 'grads["dtheta"]'} & set(report.confirmed)
    wrong = check_source(ENTRY_BY_ENTRY.replace("x.T @ dh /", "-x.T @ dh /"), "check.py")
    assert [f.span.line for f in wrong.findings if f.root and f.span] == [11], wrong.explain()
