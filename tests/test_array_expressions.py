"""Expressions of arrays: their gradients against torch's own, their reports, and what is refused."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from torch.nn import functional as F

import symgrad
from symgrad.cli import main
from symgrad.errors import SymgradError
from symgrad.report.arrays import ArrayReport


def check(text: str, shapes: str = "", at: Any = None, **options: Any) -> ArrayReport:
    report = symgrad.check(text, at, shapes=shapes.split() if shapes else None, **options)
    assert isinstance(report, ArrayReport)
    return report


def reference(report: ArrayReport, function: Callable[..., Any], names: str) -> dict[str, Any]:
    """torch's gradients at the report's own point, of a function written in torch by hand."""
    tensors = {
        n: torch.tensor(v, dtype=torch.float64).reshape(report.shapes[n]).requires_grad_() for n, v in report.at.items()
        if n not in report.data
    }  # fmt: skip
    out = function(*(tensors[n] if n in tensors else torch.tensor(report.at[n]) for n in names.split()))
    upstream = tensors.get(report.upstream)
    total = out.sum() if upstream is None else (out * upstream.detach()).sum()
    total.backward()
    return {n: torch.zeros_like(t) if t.grad is None else t.grad for n, t in tensors.items()}


def numbers(exact: Any, shape: tuple[int, ...]) -> Any:
    return np.array(exact, dtype=object).reshape(shape).astype(np.float64)


#: Expression, shapes, and the same in torch: its arguments are the variables in order.
CASES: list[tuple[str, str, str, Callable[..., Any]]] = [
    ("sum(tanh(W @ x + b)**2)", "W=3x4 x=4 b=3", "W x b", lambda W, x, b: ((W @ x + b).tanh() ** 2).sum()),
    ("sum(W @ X)", "W=2x3 X=3x4", "W X", lambda W, X: (W @ X).sum()),
    ("x @ y", "x=3 y=3", "x y", lambda x, y: x @ y),
    ("x @ A @ y", "x=3 A=3x2 y=2", "x A y", lambda x, A, y: x @ A @ y),
    ("sum(A @ B @ A.T)", "A=2x3 B=3x3", "A B", lambda A, B: (A @ B @ A.T).sum()),
    ("A @ B", "A=4x2x3 B=3x2", "A B", lambda A, B: A @ B),
    ("A @ B", "A=2x2x3 B=2x3x1", "A B", lambda A, B: A @ B),
    ("A @ x", "A=4x2x3 x=3", "A x", lambda A, x: A @ x),
    ("outer(x, y)**2", "x=2 y=3", "x y", lambda x, y: torch.outer(x, y) ** 2),
    ("np.dot(A, B)", "A=2x3 B=3x2", "A B", lambda A, B: A @ B),
    ("dot(x, y)*x", "x=3 y=3", "x y", lambda x, y: (x @ y) * x),
    ("matmul(A, B).sum()", "A=2x3 B=3x2", "A B", lambda A, B: (A @ B).sum()),
    ('einsum("ij,jk->ik", A, B)', "A=2x3 B=3x2", "A B", lambda A, B: A @ B),
    ("np.einsum('bij,bj->i', A, x)", "A=2x3x2 x=2x2", "A x", lambda A, x: torch.einsum("bij,bj->i", A, x)),
    ("einsum('ii', A)", "A=3x3", "A", torch.trace),
    ("x + A", "x=3 A=2x3", "x A", lambda x, A: x + A),
    ("A * c", "A=2x3 c=2x1", "A c", lambda A, c: A * c),
    ("s*A - 1", "s=scalar A=2x2", "s A", lambda s, A: s * A - 1),
    ("A / (1 + x**2)", "A=2x3 x=3", "A x", lambda A, x: A / (1 + x**2)),
    ("2x^2 + 3x", "x=3", "x", lambda x: 2 * x**2 + 3 * x),
    ("-x² · x", "x=3", "x", lambda x: -(x**2) * x),
    ("np.exp(x) * np.pi", "x=2x2", "x", lambda x: x.exp() * math.pi),
    ("torch.sigmoid(x) + F.softplus(x)", "x=4", "x", lambda x: x.sigmoid() + F.softplus(x)),
    ("x.tanh()", "x=4", "x", lambda x: x.tanh()),
    ("sum(A, axis=0)**2", "A=2x3", "A", lambda A: A.sum(0) ** 2),
    ("A / sum(A, axis=1, keepdims=True)", "A=2x3", "A", lambda A: A / A.sum(1, keepdim=True)),
    ("A.sum(axis=(0, -1))**2", "A=2x3x2", "A", lambda A: A.sum((0, 2)) ** 2),
    ("torch.sum(A, dim=1, keepdim=True) * A", "A=2x3", "A", lambda A: A.sum(1, keepdim=True) * A),
    ("mean(A)**2 + A.mean()", "A=2x3", "A", lambda A: A.mean() ** 2 + A.mean()),
    ("var(x) + np.var(x, ddof=1)", "x=4", "x", lambda x: x.var(correction=0) + x.var()),
    ("std(x, axis=1)", "x=2x3", "x", lambda x: x.std(1, correction=0)),
    ("torch.std(x)", "x=4", "x", lambda x: x.std()),
    ("max(x)*min(x)", "x=5", "x", lambda x: x.max() * x.min()),
    ("np.max(A, axis=0)", "A=3x2", "A", lambda A: A.amax(0)),
    ("max(x, 0) + maximum(x, y)", "x=4 y=4", "x y", lambda x, y: x.clamp(min=0) + torch.maximum(x, y)),
    ("torch.max(A, dim=1)", "A=2x3", "A", lambda A: A.max(1).values),
    ("prod(x)", "x=4", "x", lambda x: x.prod()),
    ("prod(A, axis=1)", "A=2x3", "A", lambda A: A.prod(1)),
    ("norm(x) + np.linalg.norm(A)", "x=3 A=2x2", "x A", lambda x, A: x.norm() + A.norm()),
    ("norm(A, axis=1)", "A=2x3", "A", lambda A: A.norm(dim=1)),
    ("norm(x, ord=1)", "x=3", "x", lambda x: x.abs().sum()),
    ("logsumexp(A, axis=1)", "A=2x3", "A", lambda A: A.logsumexp(1)),
    ("softmax(A, axis=0)", "A=3x2", "A", lambda A: A.softmax(0)),
    ("F.softmax(A @ B, dim=-1) @ B.T", "A=2x3 B=3x2", "A B", lambda A, B: (A @ B).softmax(-1) @ B.T),
    ("log_softmax(x)", "x=4", "x", lambda x: x.log_softmax(0)),
    ("cumsum(x)*x", "x=4", "x", lambda x: x.cumsum(0) * x),
    ("trace(A @ B)", "A=2x3 B=3x2", "A B", lambda A, B: torch.trace(A @ B)),
    ("diag(x) @ A", "x=2 A=2x3", "x A", lambda x, A: torch.diag(x) @ A),
    ("diag(A)**2", "A=3x3", "A", lambda A: torch.diag(A) ** 2),
    ("triu(A) @ tril(A)", "A=3x3", "A", lambda A: A.triu() @ A.tril()),
    ("reshape(A, (3, 2)) @ A", "A=2x3", "A", lambda A: A.reshape(3, 2) @ A),
    ("A.reshape(-1) * x", "A=2x3 x=6", "A x", lambda A, x: A.reshape(-1) * x),
    ("transpose(A) @ A", "A=2x3", "A", lambda A: A.T @ A),
    ("np.transpose(A, (1, 2, 0))**2", "A=2x3x2", "A", lambda A: A.permute(1, 2, 0) ** 2),
    ("x[0]*x[-1] + x[1]", "x=4", "x", lambda x: x[0] * x[-1] + x[1]),
    ("W[:, 1] @ x[1:]", "W=3x2 x=4", "W x", lambda W, x: W[:, 1] @ x[1:]),
    ("x[::-1] * x", "x=4", "x", lambda x: x.flip(0) * x),
    ("x[[0, 2, 0]]**2", "x=3", "x", lambda x: x[[0, 2, 0]] ** 2),
    ("x[:, None] * x[None, :]", "x=3", "x", lambda x: x[:, None] * x[None, :]),
    ("A[..., 0] + A[0, ..., 1]", "A=2x2x2", "A", lambda A: A[..., 0] + A[0, ..., 1]),
    ("concatenate([x, 2*y])**2", "x=2 y=3", "x y", lambda x, y: torch.cat([x, 2 * y]) ** 2),
    ("np.concatenate((A, B), axis=1) @ x", "A=2x2 B=2x1 x=3", "A B x", lambda A, B, x: torch.cat((A, B), 1) @ x),
    ("stack([x, y], axis=1) @ y[:2]", "x=3 y=3", "x y", lambda x, y: torch.stack([x, y], 1) @ y[:2]),
    ("where(x > y, x**2, y)", "x=4 y=4", "x y", lambda x, y: torch.where(x > y, x**2, y)),
    ("relu(A @ x)", "A=4x3 x=3", "A x", lambda A, x: torch.relu(A @ x)),
    ("mse(A @ x, y)", "A=3x2 x=2 y=3", "A x y", lambda A, x, y: F.mse_loss(A @ x, y)),
    ("cross_entropy(Z, [2, 0])", "Z=2x3", "Z", lambda Z: F.cross_entropy(Z, torch.tensor([2, 0]))),
    ("cross_entropy(Z, P)", "Z=2x3 P=2x3", "Z P", F.cross_entropy),
    ("h = tanh(W @ x); y = V @ h; sum(y**2) + h @ h", "W=2x3 x=3 V=2x2", "W x V",
     lambda W, x, V: ((V @ (W @ x).tanh()) ** 2).sum() + (W @ x).tanh() @ (W @ x).tanh()),
    ("x = x*2; x = x @ A; x @ x", "x=2 A=2x2", "x A", lambda x, A: (2 * x @ A) @ (2 * x @ A)),
    ("softmax(Q @ K.T / sqrt(2)) @ V", "Q=2x2 K=3x2 V=3x2", "Q K V",
     lambda Q, K, V: (Q @ K.T / math.sqrt(2)).softmax(-1) @ V),
    ("(x - mean(x)) / sqrt(var(x) + 1e-5) * g + b", "x=4 g=4 b=4", "x g b",
     lambda x, g, b: F.layer_norm(x, (4,), g, b)),
    ("log(x) + x**y", "x=3 y=3", "x y", lambda x, y: x.log() + x**y),
    ("sum(x)*0 + x[0]", "x=2", "x", lambda x: x.sum() * 0 + x[0]),
    ("sum(A)", "A=1x1", "A", lambda A: A.sum()),
    ("A @ B", "A=1x1 B=1x1", "A B", lambda A, B: A @ B),
    ("softmax(x)", "x=1", "x", lambda x: x.softmax(0)),
    ("sum(x) + y", "x=0 y=scalar", "x y", lambda x, y: x.sum() + y),
    ("A @ B", "A=2x0 B=0x3", "A B", lambda A, B: A @ B),
    ("tanh(A) * x", "A=0x3 x=3", "A x", lambda A, x: A.tanh() * x),
    ("x[1:] + 1", "x=1", "x", lambda x: x[1:] + 1),
]  # fmt: skip


@pytest.mark.parametrize(("text", "shapes", "names", "function"), CASES, ids=[c[0] for c in CASES])
def test_gradients_are_those_of_torch(text: str, shapes: str, names: str, function: Callable[..., Any]) -> None:
    report = check(text, shapes)
    expected = reference(report, function, names)
    assert {g.wrt for g in report.gradients} == set(names.split())
    for g in report.gradients:
        assert g.verdict in ("agree", "rounding"), (g.symbol, g.witnesses)
        theirs = expected[g.wrt].numpy()
        assert g.shape == theirs.shape
        np.testing.assert_allclose(numbers(g.exact, g.shape), theirs, rtol=1e-9, atol=1e-12)
        for name, w in g.witnesses.items():
            assert w.values is not None, name
            np.testing.assert_allclose(numbers(w.values, g.shape), theirs, rtol=1e-9, atol=1e-12)
    for step in (*report.steps, *report.backward):
        assert np.shape(np.array(step.values).reshape(step.shape)) == step.shape
    assert r"\begin{align*}" in report.latex()
    assert json.loads(json.dumps(report.to_json(), allow_nan=False))["schema"] == "symgrad-report/2"


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
@pytest.mark.parametrize(("text", "shapes"), [
    ("sum(tanh(W @ x + b)**2)", "W=3x4 x=4 b=3"), ("sum(softmax(A @ B, axis=1)**2)", "A=2x3 B=3x2"),
    ("logsumexp(10*x)", "x=4"), ("norm(A @ x)", "A=3x3 x=3"), ("cross_entropy(5*Z, [1, 0])", "Z=2x3"),
    ("mean((X @ w - y)**2)", "X=6x3 w=3 y=6"), ("sum(relu(A) @ B)", "A=2x3 B=3x2"),
])  # fmt: skip
def test_a_right_gradient_of_any_dtype_is_never_blamed(dtype: str, text: str, shapes: str) -> None:
    report = check(text, shapes, dtype=dtype)
    assert report.verdict in ("agree", "rounding"), [(g.symbol, g.witnesses) for g in report.gradients]
    for g in report.gradients:
        for w in g.witnesses.values():
            assert w.difference <= w.bound


def test_large_scores_do_not_overflow() -> None:
    """torch takes the largest out of a softmax; so must the model of its rounding."""
    report = check("sum(softmax(x)**2) + logsumexp(x)", at={"x": [1000.0, 999.0, 0.0]}, dtype="float32")
    assert report.verdict in ("agree", "rounding")
    assert all(math.isfinite(w.bound) for w in report["x"].witnesses.values() if w.values and w.entry)


def test_a_sum_in_any_order_is_within_its_bound() -> None:
    rng = np.random.default_rng(3)
    x = (rng.standard_normal(300) * 10.0 ** rng.integers(-4, 5, 300)).astype(np.float32)
    report = check("sum(x)**2", at={"x": x.tolist()}, dtype="float32")
    assert report.verdict in ("agree", "rounding")


def test_drawn_values() -> None:
    """The same in every run, all entries different, no matrix symmetric; those given are kept."""
    one, two = (check("sum(W @ W @ x)", "W=3x3 x=3") for _ in range(2))
    assert one.at == two.at
    entries = [n for row in one.at["W"] for n in row] + list(one.at["x"])
    assert len({abs(n) for n in entries}) == 12
    assert one.drawn == ("W", "x")
    mixed = check("sum(W @ x)", "W=2x2", "x=[1, 2]")
    assert mixed.at["x"] == [1, 2]
    assert mixed.drawn == ("W",)


def test_values_are_drawn_where_the_function_has_one() -> None:
    report = check("sum(log(x)) + sum(asin(y))", "x=5 y=5")
    assert all(v > 0 for v in report.at["x"])
    assert report.verdict == "agree"


def test_given_values_outside_the_domain_are_refused_with_their_entry() -> None:
    with pytest.raises(symgrad.SymgradError) as caught:
        check("sum(log(W))", at="W=[[1, 2], [-3, 4]]")
    assert "log needs a positive argument" in caught.value.message
    assert "-3" in caught.value.message
    assert caught.value.message.endswith("u1[1,0]")
    assert (caught.value.span.column, caught.value.span.end_column) == (5, 11)


def test_an_upstream_gradient_is_given_or_drawn() -> None:
    given = check("W @ x", at="W=[[1,2],[3,4]],x=[5,6]", upstream="[1, -2]")
    assert given["W"].exact == [["5", "6"], ["-10", "-12"]]
    assert given["x"].exact == ["-5", "-6"]
    assert given.upstream == "df"
    assert given.drawn == ()
    drawn = check("W @ x", at="W=[[1,2],[3,4]],x=[5,6]")
    assert drawn.drawn == ("df",)
    text = drawn.explain()
    assert "f has shape 2: its gradient takes an upstream gradient df (drawn by symgrad; --upstream gives it)" in text
    assert check("W @ x", at="W=[[1,2],[3,4]],x=[5,6]", upstream=np.array([1, -2]))["x"].exact == ["-5", "-6"]


@pytest.mark.parametrize(("upstream", "message"), [
    ("[1, 2, 3]", "--upstream has shape (3,); the result has shape (2,)"), ("[1, x]", "'x' in 'upstream' is no number"),
    ("1", "an array is written in brackets"),
])  # fmt: skip
def test_an_upstream_gradient_of_another_shape(upstream: str, message: str) -> None:
    with pytest.raises(symgrad.SymgradError) as caught:
        check("W @ x", "W=2x2 x=2", upstream=upstream)
    assert message in caught.value.message


def test_a_single_number_takes_no_upstream_gradient() -> None:
    with pytest.raises(symgrad.SymgradError, match="needs no --upstream"):
        check("sum(x)", "x=2", upstream="[1]")


# --- kinks ---------------------------------------------------------------------------------------------------------


def test_a_kink_is_told_with_its_entry() -> None:
    report = check("sum(relu(x - 1))", at="x=[0, 1, 2]")
    g = report["x"]
    assert (report.verdict, report.exit_code) == ("undefined", 2)
    assert g.exact == ["0", "", "1"]
    assert list(g.undefined) == ["x[1]"]
    assert g.undefined["x[1]"].startswith("at u2[1]: relu has a kink here: the derivative is 0 on the left, 1 on the")
    assert g.witnesses["autograd"].verdicts == {"agree": 2, "undefined": 1}
    (finding,) = report.findings
    assert finding.code == "undefined"
    assert "1 of 3 entries, x[1]" in finding.message
    assert (finding.span.column, finding.span.end_column) == (5, 16)


def test_a_tie_of_the_largest() -> None:
    report = check("max(x)", at="x=[1, 2, 2]")
    assert list(report["x"].undefined) == ["x[1]", "x[2]"]
    assert report["x"].exact == ["0", "", ""]


def test_a_tie_that_does_not_matter_is_none() -> None:
    report = check("max(x)", at="x=[2, 2, 5]")
    assert report["x"].exact == ["0", "0", "1"]
    assert report.verdict == "agree"


def test_an_edge_of_the_domain() -> None:
    report = check("sum(sqrt(x))", at="x=[0, 4]")
    assert report["x"].exact == ["", "0.25"]
    assert "sqrt" in report["x"].undefined["x[0]"]
    assert report.exit_code == 2


def test_the_norm_of_zeros() -> None:
    report = check("norm(x)", at="x=[0, 0]")
    assert set(report["x"].undefined) == {"x[0]", "x[1]"}


# --- names, data, variables ----------------------------------------------------------------------------------------


def test_labels_are_data() -> None:
    report = check("cross_entropy(Z, y) + sum(Z[y, 0])", "Z=3x3", "y=[2, 0, 1]")
    assert [g.wrt for g in report.gradients] == ["Z"]
    assert report.data == ("y",)
    theirs = reference(report, lambda Z: F.cross_entropy(Z, torch.tensor([2, 0, 1])) + Z[[2, 0, 1], 0].sum(), "Z")
    np.testing.assert_allclose(numbers(report["Z"].exact, (3, 3)), theirs["Z"].numpy(), rtol=1e-12)


def test_one_hot_labels_are_values() -> None:
    report = check("cross_entropy(Z, Y)", "Z=2x3", {"Y": [[0, 1, 0], [1, 0, 0]]})
    assert [g.wrt for g in report.gradients] == ["Z", "Y"]
    labels = check("cross_entropy(Z, y)", at={"Z": report.at["Z"], "y": [1, 0]})
    for one, other in zip(report["Z"].exact, labels["Z"].exact, strict=True):
        assert [float(v) for v in one] == pytest.approx([float(v) for v in other], rel=1e-15)


def test_chosen_variables() -> None:
    report = check("sum(W @ x)", "W=2x3 x=3", wrt=["x"])
    assert [g.wrt for g in report.gradients] == ["x"]
    with pytest.raises(symgrad.SymgradError, match="cannot differentiate by 'y'"):
        check("sum(W @ x)", "W=2x3 x=3", wrt="y")


def test_names_that_the_user_has_already() -> None:
    report = check("sum(x * dx)", "x=2 dx=2")
    assert [s.name for s in report.backward][-2:] == ["grad_dx", "grad_x"]


def test_torch_shaped_and_nested_values() -> None:
    at = {"W": torch.tensor([[1.0, 2.0], [3.0, 4.0]]), "x": (5, 6)}
    report = symgrad.check("sum(W @ x)", at)
    assert report["W"].exact == [["5", "6"], ["5", "6"]]
    assert report["x"].exact == ["4", "6"]


def test_numbers_among_arrays() -> None:
    report = check("lam*sum(W**2)", at={"W": [[1, 2]], "lam": "1/2"})
    assert report["lam"].exact == "5"
    assert report["W"].exact == [["1", "2"]]


def test_matrix_forms() -> None:
    lines = {s.name: s.formula for s in check("sum(tanh(W @ x + b)**2)", "W=3x4 x=4 b=3").backward}
    assert lines["dW"] == "outer(du2, x)"
    assert lines["dx"] == "W.T @ du2"
    assert lines["db"] == "du2"
    assert lines["du3"] == "2*u3"
    lines = {s.name: s.formula for s in check("Z = X @ W; Q = Z + b; sum(Q)", "X=2x3 W=3x4 b=4").backward}
    assert lines == {
        "dQ": "ones((2, 4))", "db": "sum(dQ, axis=0)", "dZ": "dQ", "dW": "X.T @ dQ", "dX": "dQ @ W.T"
    }  # fmt: skip


def test_latex() -> None:
    assert check("sum(tanh(W @ x)**2)", "W=3x4 x=4").latex(notation="d") == r"""\begin{align*}
  \intertext{Steps}
  \mathbf{u}_{1} &= \mathbf{W} \mathbf{x} \quad \in \mathbb{R}^{3} \\
  \mathbf{u}_{2} &= \tanh\left(\mathbf{u}_{1}\right) \quad \in \mathbb{R}^{3} \\
  \mathbf{u}_{3} &= \mathbf{u}_{2}^{2} \quad \in \mathbb{R}^{3} \\
  f &= \sum\left(\mathbf{u}_{3}\right) \approx 1.471216
  \intertext{Chain rule}
  \mathrm{d}\mathbf{u}_{3} &= \mathbf{1} \quad \in \mathbb{R}^{3} \\
  \mathrm{d}\mathbf{u}_{2} &= 2 \cdot \mathbf{u}_{2} \quad \in \mathbb{R}^{3} \\
  \mathrm{d}\mathbf{u}_{1} &= \mathrm{d}\mathbf{u}_{2} \odot \left(1 - \mathbf{u}_{3}\right) \quad \in \mathbb{R}^{3} \\
  \mathrm{d}\mathbf{x} &= \mathbf{W}^{\top} \mathrm{d}\mathbf{u}_{1} \quad \in \mathbb{R}^{4} \\
  \mathrm{d}\mathbf{W} &= \mathrm{d}\mathbf{u}_{1} \mathbf{x}^{\top} \quad \in \mathbb{R}^{3 \times 4}
\end{align*}"""


def test_latex_of_a_product_of_matrices() -> None:
    lines = check("Z = X @ W_1; Z * A", "X=2x3 W_1=3x2 A=2x2").latex(notation="d").splitlines()
    assert lines[2] == r"  \mathbf{Z} &= \mathbf{X} \mathbf{W}_{1} \quad \in \mathbb{R}^{2 \times 2} \\"
    assert lines[3] == r"  \mathbf{f} &= \mathbf{Z} \odot \mathbf{A} \quad \in \mathbb{R}^{2 \times 2}"
    gradient = r"  \mathrm{d}\mathbf{Z} &= \mathrm{d}\mathbf{f} \odot \mathbf{A} \quad \in \mathbb{R}^{2 \times 2} \\"
    assert gradient in lines
    (dw,) = [line for line in lines if line.startswith(r"  \mathrm{d}\mathbf{W}_{1}")]
    assert r"&= \mathbf{X}^{\top} \mathrm{d}\mathbf{Z} \quad \in \mathbb{R}^{3 \times 2}" in dw


def test_latex_notations() -> None:
    report = check("sum(W @ x)", "W=3x4 x=4")
    assert r"\frac{\partial f}{\partial \mathbf{x}} &= \mathbf{W}^{\top}" in report.latex()
    assert r"\overline{\mathbf{x}} &= \mathbf{W}^{\top}" in report.latex(notation="bar")
    with pytest.raises(SymgradError, match="fraction, bar, d"):
        report.latex(notation="dots")


# --- gradients by hand ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("text", "shapes", "manual"), [
    ("sum(tanh(W @ x + b)**2)", "W=3x4 x=4 b=3",
     {"W": "outer(2*u3*(1 - u3**2), x)", "b": "d = 2*u3*(1 - tanh(u2)^2); d", "x": "(2*u3*(1 - u3**2)) @ W"}),
    ("Z = X @ W; A = Z + b; sum(A**3)", "X=2x3 W=3x4 b=4",
     {"W": "X.T @ (3*A**2)", "X": "3*A**2 @ W.T", "b": "np.sum(3*(X @ W + b)**2, axis=0)"}),
    ("mean((X @ w - y)**2)", "X=5x2 w=2 y=5", {"w": "2/5 * X.T @ (X @ w - y)", "y": "2*(y - X @ w)/5"}),
    ("softmax(z)", "z=4", {"z": "f*(df - sum(df*f))"}),
    ("W @ x", "W=2x3 x=3", {"W": "df[:, None] * x", "x": "W.T @ df"}),
    ("lam*sum(w*w)", "w=3 lam=scalar", {"lam": "w @ w", "w": "2*lam*w"}),
])  # fmt: skip
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_right_by_hand(text: str, shapes: str, manual: dict[str, str], dtype: str) -> None:
    report = check(text, shapes, manual=manual, dtype=dtype)
    assert report.exit_code == 0, report.findings
    for name in manual:
        assert report[name].witnesses["manual"].verdict == "agree"


def test_wrong_by_hand() -> None:
    report = check("sum(tanh(x)**2)", at="x=[0, 1, -1, 0.5]", manual={"x": "2*tanh(x)*(1 - x**2)"})
    assert (report.verdict, report.exit_code) == ("disagree", 1)
    witness = report["x"].witnesses["manual"]
    assert witness.verdicts["disagree"] == 3
    assert witness.entries == ("x[1]", "x[2]", "x[3]")
    (finding,) = report.findings
    assert (finding.code, finding.root) == ("wrong-value", True)
    assert finding.message.startswith("your df/dx is wrong in 3 of 4 entries, x[1], x[2], x[3]: ")
    assert "error[wrong-value]" in report.explain()


def test_a_gradient_of_another_shape() -> None:
    report = check("sum(A @ B)", "A=2x3 B=3x4", manual={"A": "B @ ones((4, 2))"})
    assert report.exit_code == 1
    (finding,) = report.findings
    assert finding.code == "wrong-shape"
    assert finding.message == "your df/dA has shape (3, 2); A has shape (2, 3)"
    assert "transpose" in finding.hint
    assert "manual" not in report["A"].witnesses


def test_a_formula_that_does_not_fit_is_refused_with_its_place() -> None:
    with pytest.raises(symgrad.SymgradError) as caught:
        check("sum(W @ x)", "W=2x3 x=3", manual={"W": "x @ x + outer(x, x) @ W"})
    assert "(3, 3) and (2, 3)" in caught.value.message
    assert str(caught.value.span) == "--manual W:1:21"


def test_by_hand_on_the_command_line() -> None:
    arguments = ["sum(A @ x)", "--shape", "A=2x2", "--shape", "x=2", "--manual"]
    assert run(*arguments, "x=A.sum(axis=0)").exit_code == 0
    wrong = run(*arguments, "x=A.sum(axis=1)")
    assert wrong.exit_code == 1
    assert "your df/dx is wrong in 2 of 2 entries, x[0], x[1]" in wrong.output
    assert "manual (yours)" in wrong.output


def test_latex_of_vectors() -> None:
    lines = check("s = norm(x); x @ A @ y / s", "x=2 A=2x3 y=3").latex(notation="d").splitlines()
    assert lines[3] == r"  \mathbf{u}_{1} &= \mathbf{x}^{\top} \mathbf{A} \quad \in \mathbb{R}^{3} \\"
    assert lines[4].startswith(r"  u_{2} &= \mathbf{u}_{1}^{\top} \mathbf{y} = ")
    (dx,) = [line for line in lines if line.startswith(r"  \mathrm{d}\mathbf{x}")]
    assert r"\mathrm{d}s \cdot \frac{\mathbf{x}}{s}" in dx


# --- the command line ----------------------------------------------------------------------------------------------


def run(*arguments: str) -> Any:
    return CliRunner().invoke(main, list(arguments))


def test_the_command() -> None:
    result = run("sum(W @ x)", "--shape", "W=2x3", "--at", "x=[1,2,3]", "--dtype", "float32", "--wrt", "W")
    assert result.exit_code == 0
    assert "df/dW  2x3  [[1, 2, 3], [1, 2, 3]]" in result.output
    assert "at x = [1, 2, 3]; W drawn by symgrad (--at gives values) (float32 on cpu)" in result.output
    assert "dW  = outer(du1, x)" in result.output


def test_json() -> None:
    result = run("W @ x", "--at", "W=[[1,2],[3,4]],x=[5,6]", "--upstream", "[1,-1]", "--json")
    document = json.loads(result.output)
    assert document["schema"] == "symgrad-report/2"
    assert document["at"]["W"] == {"shape": [2, 2], "values": [[1.0, 2.0], [3.0, 4.0]], "drawn": False}
    assert (document["shape"], document["value"], document["upstream"]) == ([2], ["17", "39"], "df")
    first = document["gradients"][0]
    assert (first["wrt"], first["shape"], first["formula"]) == ("W", [2, 2], "outer(df, x)")
    assert first["exact"] == [["5", "6"], ["-5", "-6"]]
    assert first["witnesses"]["autograd"]["values"] == [[5.0, 6.0], [-5.0, -6.0]]
    assert first["witnesses"]["autograd"]["verdicts"] == {"agree": 4}
    (step,) = document["steps"]
    assert (step["name"], step["formula"], step["shape"], step["values"]) == ("f", "W @ x", [2], [17.0, 39.0])


@pytest.mark.parametrize(
    "value", [[1], torch.tensor([1.0, 2.0]), np.array([]), np.zeros((2, 1)), [[1, 2]], (3, 4)], ids=repr
)
def test_an_array_among_the_values_makes_it_one_of_arrays(value: Any) -> None:
    report = symgrad.check("x + 1", {"x": value})
    assert isinstance(report, ArrayReport)
    assert report["x"].shape == np.shape(value)


def test_single_numbers_need_no_shapes() -> None:
    assert isinstance(symgrad.check("x*y", "x=1,y=2"), symgrad.Report)
    assert isinstance(symgrad.check("x*y", {"x": np.array([1.0]), "y": 2}), symgrad.Report)


@pytest.mark.cuda
def test_on_a_gpu() -> None:
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device, and torch sees none")
    for dtype in ("float64", "float32", "float16"):
        report = check("sum(softmax(tanh(W @ X), axis=0)**2)", "W=3x4 X=4x5", dtype=dtype, device="cuda")
        assert report.verdict in ("agree", "rounding")


def test_no_gpu() -> None:
    if torch.cuda.is_available():
        pytest.skip("there is one")
    with pytest.raises(symgrad.SymgradError, match="the device 'cuda' is not there"):
        check("sum(x)", "x=2", device="cuda")
