"""Traced scripts with arrays: each is run by Python with the real NumPy or torch, and traced; then its graph is run.

Three things must agree: what Python computes, what the trace saw, and what the recorded steps give from the inputs.
"""

from __future__ import annotations

import textwrap
from typing import Any

import numpy as np
import pytest

from symgrad.arrays import Program
from symgrad.backward import backward
from symgrad.frontends.trace.data import Trace
from symgrad.frontends.tracing import trace_source
from symgrad.graph import Graph


def traced(source: str) -> Trace:
    made = trace_source(textwrap.dedent(source), "script.py")
    assert made.error is None, made.error
    return made


def last(made: Trace) -> dict[str, int]:
    """The step that each name stands for in the end."""
    return {b.name: b.step for b in made.bindings}


def check(source: str) -> Trace:
    """Hold a script against Python."""
    text = textwrap.dedent(source)
    made = traced(text)
    real: dict[str, Any] = {}
    exec(compile(text, "script.py", "exec"), real)  # our own text, from this file
    for name, step in last(made).items():
        if name not in real:
            continue
        expected = real[name]
        expected = expected.detach().numpy() if hasattr(expected, "detach") else expected
        got = np.asarray(made.values[step])
        assert got.shape == np.shape(expected), (name, got.shape, np.shape(expected))
        tolerance = 1e-5 if "torch" in text and "float64" not in text else 1e-12
        assert np.allclose(got, np.asarray(expected, dtype=float), rtol=tolerance, atol=tolerance), name
    rerun(made)
    return made


def rerun(made: Trace) -> None:
    """The graph from its inputs gives what the trace saw at every step."""
    graph = made.graph
    inputs = {i: np.asarray(made.values[i], dtype=float) for i, s in enumerate(graph) if s.is_input}
    for i, (found, seen) in enumerate(zip(Program(graph)(inputs), made.values, strict=True)):
        assert np.shape(found) == graph[i].shape, graph[i]
        assert np.allclose(found, seen, rtol=1e-12, atol=1e-12, equal_nan=True), graph[i]


HEAD = "import numpy as np\n"
X = "x = np.array([[0.5, -1.25, 2.0], [1.5, 0.25, -0.75]])\nw = np.array([[1.0, -2.0], [0.5, 0.25], [3.0, 1.5]])\n"

SCRIPTS: dict[str, str] = {
    "matmul and reductions": """
        z = x @ w
        b = np.array([0.1, -0.2])
        a = np.tanh(z + b)
        s = a.sum(axis=0); m = np.mean(a, axis=1, keepdims=True); t = np.max(a); v = a.var(); d = a.std(axis=0)
        n = np.linalg.norm(w); p = np.prod(x, 1); c = np.cumsum(x, axis=1); total = s.sum() + t
        """,
    "shapes": """
        r = x.reshape(3, 2); f = x.flatten(); g = x.ravel(); t = x.T; u = np.expand_dims(x, 1); q = u.squeeze()
        k = np.concatenate([x, x * 2], axis=1); h = np.hstack((x, x)); v = np.vstack([x, x]); st = np.stack([x, x], -1)
        a, b, c = np.split(x, 3, axis=1); o = np.outer(x[0], w[:, 0]); e = np.einsum("ij,jk->ik", x, w)
        tl = np.tile(x, (2, 1)); rp = np.repeat(x, 2, axis=0); fl = x[::-1]; pd = np.pad(x, 1)
        ro = np.roll(x, 1, axis=1)
        """,
    "indexing": """
        a = x[0]; b = x[:, 1]; c = x[1, 2]; d = x[..., -1]; e = x[[0, 1, 1], [2, 0, 0]]; f = x[:, None, :]; g = x[x > 0]
        y = np.array([2, 0]); h = x[np.arange(2), y]; i = x[:, ::-1]; j = x[-1][0]
        """,
    "assignment": """
        d = np.zeros_like(x)
        d[0] = x[1]
        d[:, 1] += 5.0
        d[1, 2] = x[0, 0] * 2
        d[1, :2] *= 3
        k = d * 2
        """,
    "masks": """
        d = x.copy()
        d[x < 0] = 0.0
        e = x.copy()
        e[x <= 0] *= 0.1
        r = np.where(x > 0, x, 0.01 * x)
        f = np.ones(x.shape)
        f[x > 1] = x[x > 1] ** 2
        m = (x > 0) * x
        g = x * (x > 0).astype(float)
        """,
    "views": """
        v = x[0]
        v += 1.0
        y = x * 2
        t = x.T
        t[0, 1] = 7.0
        z = x + 0
        r = x.reshape(-1)
        x[1, 1] = -9.0
        q = r * 1
        r[0] = 4.0
        o = x.sum(axis=0)
        s = x[:, 1:]
        s2 = s[1]
        s2[:] = s2 * 10
        fin = x + s.sum()
        del v, t, r, s, s2
        """,
    "a copy is no view": """
        c = x.copy(); c[0] = 0.0; f = x.flatten(); f[0] = 99.0; i = x[[0, 1]]; i[0] = 5.0; y = x * 1
        """,
    "duplicate indices": """
        g = np.zeros((3, 2))
        idx = np.array([0, 2, 0])
        v = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
        np.add.at(g, idx, v)
        h = np.zeros((3, 2))
        h[idx] += v
        k = g - h
        """,
    "loops over time": """
        h = np.zeros(2)
        hs = []
        for row in x:
            h = np.tanh(row @ w + h)
            hs.append(h)
        out = np.array(hs)
        dh = np.zeros_like(h)
        dw = np.zeros_like(w)
        for t in reversed(range(len(x))):
            g = (1 - hs[t] ** 2) * (2 * hs[t] + dh)
            dw += np.outer(x[t], g)
            dh = g
        """,
    "arrays of traced numbers": """
        a = x[0, 0] * 2; b = np.array([a, x[1, 1], 3.0]); c = np.array([[a, 1.0], [b[2], a]]); d = np.sum([a, a * a])
        """,
    "softmax by hand": """
        z = x @ w
        e = np.exp(z - np.max(z, axis=1, keepdims=True))
        p = e / e.sum(axis=1, keepdims=True)
        y = np.array([1, 0])
        loss = -np.mean(np.log(p[np.arange(2), y]))
        dz = p.copy()
        dz[range(2), y] -= 1
        dz /= 2
        dw = x.T @ dz
        """,
    "argmax chooses": """
        i = np.argmax(x, axis=1); m = x[np.arange(2), i]; k = x.argmax(); flat = x.ravel()[k]; s = np.sort(x, axis=1)
        """,
    "views of lists and dictionaries": """
        p = {"w": w, "b": np.zeros(2)}
        for key in p:
            p[key] -= 0.5 * p[key]
        w2 = w * 1; first = p["w"][0]
        """,
    "out=": """
        a = x * 2; b = a
        np.clip(a, -1, 1, out=a)
        c = b * 1
        np.multiply(a, 3.0, out=a)
        s = np.zeros(3)
        np.sum(x, axis=0, out=s)
        """,
    "a character model": """
        hs, xs, ps = {}, {}, {}
        hs[-1] = np.copy(np.zeros((3, 1)))
        inputs, targets = [0, 1, 1], [1, 1, 0]
        Wxh = np.array([[0.1, 0.2], [-0.3, 0.4], [0.5, -0.6]]); Why = np.array([[0.3, -0.2, 0.1], [0.2, 0.7, -0.4]])
        loss = 0
        for t in range(len(inputs)):
            xs[t] = np.zeros((2, 1))
            xs[t][inputs[t]] = 1
            hs[t] = np.tanh(np.dot(Wxh, xs[t]) + hs[t - 1])
            y = np.dot(Why, hs[t])
            ps[t] = np.exp(y) / np.sum(np.exp(y))
            loss += -np.log(ps[t][targets[t], 0])
        dWxh, dWhy = np.zeros_like(Wxh), np.zeros_like(Why)
        dhnext = np.zeros_like(hs[0])
        for t in reversed(range(len(inputs))):
            dy = np.copy(ps[t])
            dy[targets[t]] -= 1
            dWhy += np.dot(dy, hs[t].T)
            dh = np.dot(Why.T, dy) + dhnext
            dhraw = (1 - hs[t] * hs[t]) * dh
            dWxh += np.dot(dhraw, xs[t].T)
            dhnext = dhraw
        for d in [dWxh, dWhy]:
            np.clip(d, -5, 5, out=d)
        """,
    "rearranging": """
        win = np.lib.stride_tricks.sliding_window_view(x, (2, 2)); r = np.rot90(x); sw = np.swapaxes(x, 0, 1)
        mv = np.moveaxis(x[None], 0, -1); tr = np.trace(w[:2]); lo = np.tril(w[:2]); dg = np.diag(x[0])
        td = np.tensordot(x, w, 1); y = x * 2; y.shape = (3, -1)
        whole = np.int64(x > 0) * x; ns = np.nansum(x * w.T)
        """,
    "a function along an axis": """
        def number(v, by=2):
            return v[0] * by + v.sum()
        def several(v):
            return v[:2] * v[1]
        A = np.arange(24.0).reshape(2, 3, 4)
        a = np.apply_along_axis(number, 1, A)
        b = np.apply_along_axis(several, 1, A)
        c = np.apply_along_axis(several, 0, A)
        d = np.apply_along_axis(number, -1, A, by=3)
        """,
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(SCRIPTS))
def test_scripts_in_numpy(name: str) -> None:
    check(HEAD + X + textwrap.dedent(SCRIPTS[name]))


TORCH = "import torch\nimport torch.nn.functional as F\ntorch.set_default_dtype(torch.float64)\n"
TX = (
    "x = torch.tensor([[0.5, -1.25, 2.0], [1.5, 0.25, -0.75]])\n"
    "w = torch.tensor([[1.0, -2.0], [0.5, 0.25], [3.0, 1.5]], requires_grad=True)\n"
)
TORCH_SCRIPTS: dict[str, str] = {
    "linear layers": """
        b = torch.zeros(2, requires_grad=True)
        h = torch.tanh(x @ w + b)
        loss = (h ** 2).mean()
        loss.backward()
        g = w.grad; gb = b.grad
        """,
    "cross entropy": """
        logits = x @ w
        y = torch.tensor([1, 0])
        loss = F.cross_entropy(logits, y)
        loss.backward()
        g = w.grad
        """,
    "by hand": """
        logits = x @ w
        m = logits.max(1, keepdim=True).values
        e = (logits - m).exp()
        s = e.sum(1, keepdim=True)
        p = e * s**-1
        logp = p.log()
        loss = -logp[range(2), [1, 0]].mean()
        loss.backward()
        g = w.grad
        dlogp = torch.zeros_like(logp)
        dlogp[range(2), [1, 0]] = -1.0 / 2
        dp = (1.0 / p) * dlogp
        """,
    "shapes": """
        a = x.view(-1); b = x.t(); c = x.unsqueeze(0).expand(4, -1, -1); d = x.permute(1, 0)
        e = torch.cat([x, x], dim=1); f = x.transpose(0, 1); g = torch.stack([x, x]); h = x[:, 1:]; i = x.flatten()
        j = torch.einsum('ij,jk->ik', x, w)
        k = x.sum(0, keepdim=True); l = x.std(1); n = x.var(0, unbiased=False); u, v = x.unbind(0)
        """,
    "in place": """
        d = torch.zeros_like(x)
        d[0] += x[1]
        d.index_add_(0, torch.tensor([1, 1]), x)
        e = torch.zeros(3, 2)
        e.scatter_add_(0, torch.tensor([[0, 0], [2, 2]]), torch.ones(2, 2))
        f = x.clone()
        f[f < 0] = 0.0
        """,
    "layer norm and attention": """
        q = F.layer_norm(x, (3,))
        a = torch.softmax(q @ q.T / 3**0.5, dim=-1) @ x
        loss = (a @ w).pow(2).sum()
        loss.backward()
        g = w.grad
        """,
    "embedding": """
        e = F.embedding(torch.tensor([0, 2, 2]), w)
        emb = w[torch.tensor([1, 1])]
        loss = e.sum() + (emb * emb).sum()
        loss.backward()
        g = w.grad
        """,
    "slices of the tape": """
        s = w[0] * 2 + w[1:, 0].sum()
        t = s.reshape(2, 1).squeeze(1)
        loss = torch.logsumexp(t, 0) + w.max()
        loss.backward()
        g = w.grad
        """,
    "one bound": """
        lo = x.clamp_min(0.0)
        hi = torch.clamp_max(x, 0.5) * x.clamp_max(0.25)
        """,
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(TORCH_SCRIPTS))
def test_scripts_in_torch(name: str) -> None:
    check(TORCH + TX + textwrap.dedent(TORCH_SCRIPTS[name]))


def test_the_steps_are_ops_of_the_table() -> None:
    made = traced(HEAD + X + "z = x @ w\ns = z.sum(axis=0)\nr = z[0]\n")
    graph, at = made.graph, last(made)
    assert [graph[at[n]].op for n in "zsr"] == ["matmul", "sum", "index"]
    assert dict(graph[at["s"]].params) == {"axis": (0,), "keepdims": False}
    assert graph[at["z"]].shape == (2, 2)
    span = graph[at["z"]].span
    assert span is not None
    assert (span.line, span.column, span.end_column) == (4, 5, 10)


def test_the_gradient_of_a_traced_loss() -> None:
    """symgrad's reverse pass through a trace gives what the script derived by hand."""
    made = traced(HEAD + X + textwrap.dedent(SCRIPTS["softmax by hand"]))
    at = last(made)
    graph = made.graph
    leaves = {leaf.name: leaf.step for leaf in made.leaves}

    loss = Graph(graph.steps, at["loss"], graph.source)
    back = backward(loss, [leaves["w"]])
    inputs = {i: np.asarray(made.values[i], dtype=float) for i, s in enumerate(graph) if s.is_input}
    (found,) = Program(back.graph, back.gradients)(inputs)
    assert np.allclose(found, made.values[at["dw"]])


def test_a_name_follows_its_array() -> None:
    """After ``d[0] = ...`` the name d stands for the new step."""
    made = traced(HEAD + X + "d = np.zeros((2, 3))\nd[0] = x[1]\nd[1] += x[0] * 2\n")
    assert np.allclose(made.values[last(made)["d"]], [[1.5, 0.25, -0.75], [1.0, -2.5, 4.0]])
    assert [b.augmented for b in made.bindings if b.name == "d"] == ["", "[]=", "[]="]


def test_a_mask_is_a_step() -> None:
    """``d[x < 0] = 0`` selects by the values of x, wherever the graph is run."""
    made = traced(HEAD + X + "d = x * 3\nd[x < 0] = 0.0\ne = x * 1\ne[x < 0] *= 0.5\n")
    at = last(made)
    other = -np.asarray(made.values[{leaf.name: leaf.step for leaf in made.leaves}["x"]])
    inputs = {i: np.asarray(made.values[i], dtype=float) for i, s in enumerate(made.graph) if s.is_input}
    inputs[made.graph.find("x")] = other
    d, e = Program(made.graph, [at["d"], at["e"]])(inputs)
    assert np.allclose(d, np.where(other < 0, 0, 3 * other))
    assert np.allclose(e, np.where(other < 0, 0.5 * other, other))


def test_labels_are_data() -> None:
    """Whole numbers that were given choose entries as they are; computed ones are a step's values."""
    lines = "y = np.array([2, 0])\na = x[np.arange(2), y]\nk = np.argmax(x, axis=1)\nb = x[np.arange(2), k]\n"
    made = traced(HEAD + X + lines)
    at = last(made)
    assert len(made.graph[at["a"]].inputs) == 1
    assert len(made.graph[at["b"]].inputs) == 2


@pytest.mark.parametrize(
    ("line", "kind", "words"),
    [
        ("z = x @ x", "exception", "@ of shapes (2, 3) and (2, 3): the inner lengths 3 and 2 differ"),
        ("z = x.reshape(4, 2)", "exception", "reshape of shape (2, 3) (6 numbers) to (4, 2)"),
        ("z = x[5]", "exception", "index 5 is out of bounds"),
        ("z = np.concatenate([x, w])", "exception", "concatenate of shapes (2, 3) and (3, 2)"),
        ("x[0] = np.ones(2)", "exception", "a value of shape (2,) does not fit"),
        ("z = x.sum(axis=2)", "exception", "sum over axis 2 of shape (2, 3)"),
        ("z = np.sum(x, out=x)", "exception", "cannot hold a result of shape ()"),
        ("z = np.fft.fft(x)", "unsupported", "numpy.fft"),
        ("z = x.nonsense()", "exception", "no attribute"),
    ],
)
def test_errors_have_a_place(line: str, kind: str, words: str) -> None:
    made = trace_source(HEAD + X + line + "\n", "script.py")
    assert made.error is not None
    assert made.error.kind == kind
    assert words in made.error.message
    assert made.error.span is not None
    assert made.error.span.line == 4


def test_evenly_spaced_numbers() -> None:
    trace = trace_source(
        "import numpy as np\nimport torch\na = np.linspace(0, 1, 4, endpoint=False)\n"
        "b = torch.linspace(-1, 1, 5)\nc = (a.sum(), b.sum())\n",
        "spaced.py",
    )
    held = {b.name: trace.values[b.step] for b in trace.bindings}
    assert np.array_equal(held["a"], [0.0, 0.25, 0.5, 0.75])
    assert np.array_equal(held["b"], [-1.0, -0.5, 0.0, 0.5, 1.0])


def test_arrays_of_truths_and_places_choose() -> None:
    """Whatever they were made of, and whenever they were filled."""
    check("""
        import numpy as np
        a = np.array([1.0, 2.0, 4.0])
        given = a[np.array([1, 0, 1], dtype=bool)] * 2
        filled = np.zeros(3, dtype=bool)
        filled[1] = True
        one, rest = a[filled] * 2, a[~filled] * 2
        places = np.zeros(2, dtype=int)
        places[1] = 2
        taken = a[places] * 2
        share = np.full((2, 3), a.sum()) * a
        product = np.cumprod(a) + np.cumprod(share, axis=0)[1]
    """)
