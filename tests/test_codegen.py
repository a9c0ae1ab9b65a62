"""``--emit``: generated source runs, and its gradients are autograd's; over both corpora, of arrays and of scalars."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner

import symgrad
from symgrad.cli import main
from symgrad.codegen.function import Emitted, emit
from symgrad.codegen.style import identifier, style_of
from symgrad.emitting import emit_source, emit_target
from symgrad.errors import SymgradError
from symgrad.frontends.trace.data import Trace
from symgrad.frontends.tracing import trace_source
from symgrad.graph import Graph
from tests.benchmarks.corpus import Derivation, corpus
from tests.benchmarks.corpus import expected as scalar_expected
from tests.benchmarks.tensor_corpus import TensorCase, array, near, program, run, tensor_corpus
from tests.tensor_forwards import FORWARDS

EXAMPLES = Path(__file__).parent.parent / "examples"


def _loss(trace: Trace, name: str) -> Graph:
    # An object that holds a number is named in the run, and its attribute is not.
    names = (name, name.removesuffix(".value"))
    step = [b.step for b in trace.bindings if b.name in names][-1]
    return Graph(trace.graph.steps, step, trace.graph.source)


def _leaves(trace: Trace, path: str, value: np.ndarray[Any, Any]) -> list[int]:
    """The input that a part of the script's inputs is: by its value, or by its name; of a list of numbers, each."""
    for leaf in trace.leaves:
        if trace.graph.steps[leaf.step].shape == value.shape and np.array_equal(trace.values[leaf.step], value):
            return [leaf.step]
    for i, step in enumerate(trace.graph.steps):
        if step.shape == value.shape and value.shape and np.array_equal(trace.values[i], value):
            return [i]
    by_name = {identifier(leaf.name): leaf.step for leaf in trace.leaves}
    names = [path + "".join(f"[{k}]" for k in place) for place in np.ndindex(value.shape)]
    return [by_name[identifier(path)]] if identifier(path) in by_name else [by_name[identifier(n)] for n in names]


def _call(made: Emitted, trace: Trace, library: str) -> list[Any]:
    """What the generated function returns at the trace's own values."""
    scope: dict[str, Any] = {}
    exec(compile(made.text, "generated.py", "exec"), scope)
    given: list[Any] = [np.array(trace.values[step]) for _, step in made.inputs]
    if library == "torch":
        given = [torch.tensor(v, dtype=torch.float64) for v in given]
    return list(scope["gradients"](*given))


@pytest.mark.parametrize("library", ["numpy", "torch"])
@pytest.mark.parametrize("case", tensor_corpus(), ids=lambda c: c.name)
def test_emitted_gradients_are_autograds(case: TensorCase, library: str) -> None:
    trace = trace_source(case.source, "derivation.py")
    if trace.error is not None:
        pytest.xfail(f"cannot be traced yet: {trace.error.message}")
    scope = run(case, program(case, case.source), 0)
    found = [_leaves(trace, path, array(eval(path, {}, scope["__inputs"]))) for _, path in case.gradients]
    shapes = [array(eval(path, {}, scope["__inputs"])).shape for _, path in case.gradients]
    inputs = {
        path: torch.tensor(np.array([trace.values[i] for i in steps]).reshape(shape), requires_grad=True)
        for (_, path), steps, shape in zip(case.gradients, found, shapes, strict=True)
    }
    known = {**scope, **scope["__inputs"]}
    loss = FORWARDS[case.name](inputs, lambda e: torch.tensor(array(eval(e, {}, known))))
    true = torch.autograd.grad(loss, list(inputs.values()))

    values = {leaf.step: trace.values[leaf.step] for leaf in trace.leaves}
    names = [b.name for b in trace.bindings]
    made = emit(_loss(trace, case.loss), [i for steps in found for i in steps], library, names=names, values=values)
    result, *gradients = _call(made, trace, library)
    assert near(array(result), loss.detach().numpy(), 1e-10)
    for steps, shape, expected in zip(found, shapes, true, strict=True):
        mine, gradients = gradients[: len(steps)], gradients[len(steps) :]
        if len(steps) == 1:
            assert array(mine[0]).shape == shape
        assert near(np.array([array(g) for g in mine]).reshape(shape), expected.numpy(), 1e-9), made.text


@pytest.mark.parametrize("case", [c for c in corpus() if c.gradients], ids=lambda c: c.name)
def test_emitted_gradients_of_scalar_scripts(case: Derivation) -> None:
    trace = trace_source(case.source, "derivation.py")
    assert trace.error is None
    steps = {leaf.name.replace("'", '"'): leaf.step for leaf in trace.leaves}
    wrt = [steps[x] for _, x in case.gradients]
    made = emit(_loss(trace, case.loss), wrt, names=[b.name for b in trace.bindings])
    _, *gradients = _call(made, trace, "numpy")
    exact = not re.search("float32|torch", case.source)
    for mine, true in zip(gradients, scalar_expected(case)[0], strict=False):
        assert math.isclose(mine, true, rel_tol=1e-9 if exact else 1e-5, abs_tol=1e-12), made.text


MLP = """import numpy as np
rng = np.random.default_rng(0)
X, Y = rng.normal(size=(4, 3)), rng.normal(size=(4, 2))
W1, b1 = rng.normal(size=(3, 5)), np.zeros(5)
W2 = rng.normal(size=(5, 2))
h = np.tanh(X @ W1 + b1)
pred = h @ W2
loss = np.sum((pred - Y)**2) / 4
grad_pred = 2*(pred - Y) / 4
grad_W2 = h.T @ grad_pred
grad_W1 = X.T @ (grad_pred @ W2.T * (1 - h**2))
"""


def test_it_reads_as_a_person_would_write_it() -> None:
    """The user's names and naming style, one statement a step, shapes; only what the script differentiates by."""
    text = emit_source(MLP, sandbox=False)
    said = [re.sub(r" +# ", "  # ", line.strip()) for line in text.split("# backward\n")[1].strip().split("\n")]
    assert said == [
        "grad_pred = 2*(pred - Y)/4  # (4, 2)",
        "grad_h = grad_pred @ W2.T  # (4, 5)",
        "grad_W2 = h.T @ grad_pred  # (5, 2)",
        "grad_W1 = X.T @ (grad_h*(1 - h**2))  # (3, 5)",
        "return loss, grad_W1, grad_W2",
    ]
    assert "def gradients(X, Y, W1, b1, W2):" in text
    torch_text = emit_source(MLP, language="torch", sandbox=False, wrt=["b1"])
    assert "grad_b1 = torch.sum(grad_h*(1 - h**2), dim=0)" in torch_text
    latex = emit_source(MLP, language="latex", sandbox=False)
    assert r"\frac{\partial \mathrm{loss}}{\partial W_{2}} &= h^{\top}" in latex


@pytest.mark.parametrize(
    ("names", "style"),
    [(("dW", "db"), "d{}"), (("grad_W", "db", "grad_b"), "grad_{}"), (("W_grad",), "{}_grad"), (("gW", "gb"), "g{}"),
     ((), "d{}"), (("delta_W",), "delta_{}"), (("self.dW",), "d{}"), (('grads["W"]',), "d{}")],
)  # fmt: skip
def test_the_style_is_the_users(names: tuple[str, ...], style: str) -> None:
    assert style_of(names, ["W", "b", "%3"]) == style


@pytest.mark.parametrize(
    ("name", "plain"),
    [("W", "W"), ("self.dW", "dW"), ('params["W1"]', "W1"), ("hs[3]", "hs_3"), ("hs[-1]", "hs_m1"), ("x#2", "x"),
     ("lambda", "lambda_"), ("np", "np_"), ("net.h[2]", "h_2"), ("2x", "_2x")],
)  # fmt: skip
def test_names_become_identifiers(name: str, plain: str) -> None:
    assert identifier(name) == plain


def test_in_place_sums_never_change_what_has_another_name() -> None:
    """``y = x + tanh(x)``: dx begins as dy, which is used after it, and must not be added to in place."""
    text = (
        "import numpy as np\nx = np.array([0.3, -0.8])\nW = np.array([[1.0, 2.0], [0.5, -1.0]])\n"
        "h = x + np.tanh(x)\ny = W @ h + h\nloss = np.sum(y * y)\ndloss = 1.0\n"
    )
    made = emit_source(text, loss="loss", wrt=["x", "W"], sandbox=False)
    scope: dict[str, Any] = {}
    exec(made, scope)
    x = torch.tensor([0.3, -0.8], dtype=torch.float64, requires_grad=True)
    W = torch.tensor([[1.0, 2.0], [0.5, -1.0]], dtype=torch.float64, requires_grad=True)
    h = x + torch.tanh(x)
    true = torch.autograd.grad(((W @ h + h) ** 2).sum(), [x, W])
    _, dx, dW = scope["gradients"](x.detach().numpy(), W.detach().numpy())
    assert near(dx, true[0].numpy(), 1e-12)
    assert near(dW, true[1].numpy(), 1e-12)


def test_the_command_line_and_the_report() -> None:
    printed = CliRunner().invoke(main, [str(EXAMPLES / "recurrent_tanh.py"), "--emit", "numpy"])
    assert printed.exit_code == 0, printed.output
    scope: dict[str, Any] = {}
    exec(printed.output, scope)
    assert math.isclose(scope["gradients"](40.0, 2.0, 0.5)[-1], 8.188808168328671, rel_tol=1e-12)
    arrays = CliRunner().invoke(main, ["sum(tanh(W @ x)**2)", "--shape", "W=3x4", "--shape", "x=4", "--emit", "torch"])
    assert arrays.exit_code == 0
    assert "dW = torch.outer(" in arrays.output
    report = symgrad.check("40*tanh(w*tanh(w*0.5))")
    scope = {}
    exec(report.emit(), scope)
    assert math.isclose(scope["gradients"](2.0)[1], 8.188808168328671, rel_tol=1e-12)
    assert report.emit("latex").startswith("\\begin{align*}")


def test_what_cannot_be_emitted_is_said() -> None:
    with pytest.raises(SymgradError, match="choose numpy, torch or latex"):
        emit_target("x**2", "fortran")
    with pytest.raises(SymgradError, match="NumPy has no function"):
        emit_target("digamma(x)")
    with pytest.raises(SymgradError, match="no variable 'y'"):
        emit_target("x**2", wrt=["y"])
    assert CliRunner().invoke(main, ["x**2", "--emit", "cobol"]).exit_code == 2
    assert CliRunner().invoke(main, ["nothing_here.py", "--emit", "numpy"]).exit_code == 2
