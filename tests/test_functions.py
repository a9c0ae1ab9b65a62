"""Files of functions, classes and notebooks: found, called at shapes found by trying, and checked."""

from __future__ import annotations

import json
import re
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import symgrad
from symgrad.arrays import Program
from symgrad.backward import backward
from symgrad.cli import main
from symgrad.errors import SymgradError
from symgrad.frontends.plan import Plan, read_shape, read_value
from symgrad.frontends.sandbox import run_source
from symgrad.frontends.trace.data import Trace
from symgrad.frontends.trace.wire import to_json
from symgrad.graph import Graph

HEAD = "import numpy as np\n"

#: (file, forward, backward): every way of packaging; all are right.
RIGHT: dict[str, tuple[str, str, str]] = {
    "a pair with a cache": (
        """
        def affine_forward(x, w, b):
            out = x.reshape(x.shape[0], -1) @ w + b
            return out, (x, w, b)
        def affine_backward(dout, cache):
            x, w, b = cache
            dx = (dout @ w.T).reshape(x.shape)
            dw = x.reshape(x.shape[0], -1).T @ dout
            db = dout.sum(axis=0)
            return dx, dw, db
        """, "affine_forward", "affine_backward",
    ),
    "another order of results": (
        """
        def forward(x, w):
            return x @ w
        def backward(x, w, grad):
            return x.T @ grad, grad @ w.T
        """, "forward", "backward",
    ),
    "a loss and its gradients": (
        """
        def softmax_loss(x, y):
            shifted = x - x.max(axis=1, keepdims=True)
            p = np.exp(shifted)
            p /= p.sum(axis=1, keepdims=True)
            N = x.shape[0]
            loss = -np.log(p[np.arange(N), y]).mean()
            dx = p.copy()
            dx[np.arange(N), y] -= 1
            dx /= N
            return loss, dx
        """, "softmax_loss", "",
    ),
    "parameters in a dictionary": (
        """
        def forward(x, params):
            h = np.tanh(x @ params["W1"] + params["b1"])
            return h @ params["W2"], (x, h, params)
        def backward(dout, cache):
            x, h, params = cache
            grads = {}
            grads["W2"] = h.T @ dout
            dz = dout @ params["W2"].T * (1 - h**2)
            grads["W1"] = x.T @ dz
            grads["b1"] = dz.sum(axis=0)
            return grads
        """, "forward", "backward",
    ),
    "settings in a dictionary": (
        """
        def dropout_forward(x, dropout_param):
            p, mode = dropout_param["p"], dropout_param["mode"]
            np.random.seed(dropout_param["seed"])
            mask = None
            if mode == "train":
                mask = (np.random.rand(*x.shape) < p) / p
                out = x * mask
            else:
                out = x
            return out, (dropout_param, mask)
        def dropout_backward(dout, cache):
            dropout_param, mask = cache
            return dout * mask if dropout_param["mode"] == "train" else dout
        """, "dropout_forward", "dropout_backward",
    ),
    "several outputs, gates side by side": (
        """
        def sigmoid(x):
            return 1 / (1 + np.exp(-x))
        def lstm_forward(x, prev_h, prev_c, Wx, Wh, b):
            H = prev_h.shape[1]
            a = x @ Wx + prev_h @ Wh + b
            i, f, o = sigmoid(a[:, :H]), sigmoid(a[:, H:2*H]), sigmoid(a[:, 2*H:3*H])
            g = np.tanh(a[:, 3*H:])
            next_c = f * prev_c + i * g
            t = np.tanh(next_c)
            next_h = o * t
            return next_h, next_c, (x, prev_h, prev_c, Wx, Wh, i, f, o, g, t)
        def lstm_backward(dnext_h, dnext_c, cache):
            x, prev_h, prev_c, Wx, Wh, i, f, o, g, t = cache
            dc = dnext_c + dnext_h * o * (1 - t**2)
            di, df, do = dc * g * i * (1 - i), dc * prev_c * f * (1 - f), dnext_h * t * o * (1 - o)
            da = np.hstack([di, df, do, dc * i * (1 - g**2)])
            return da @ Wx.T, da @ Wh.T, dc * f, x.T @ da, prev_h.T @ da, da.sum(axis=0)
        """, "lstm_forward", "lstm_backward",
    ),
    "pictures": (
        """
        def pool_forward(x, size=2):
            N, C, H, W = x.shape
            out = np.zeros((N, C, H // size, W // size))
            for i in range(H // size):
                for j in range(W // size):
                    out[:, :, i, j] = x[:, :, i*size:(i+1)*size, j*size:(j+1)*size].max(axis=(2, 3))
            return out, (x, size)
        def pool_backward(dout, cache):
            x, size = cache
            dx = np.zeros_like(x)
            for i in range(dout.shape[2]):
                for j in range(dout.shape[3]):
                    window = x[:, :, i*size:(i+1)*size, j*size:(j+1)*size]
                    best = window == window.max(axis=(2, 3), keepdims=True)
                    dx[:, :, i*size:(i+1)*size, j*size:(j+1)*size] += best * dout[:, :, i, j][:, :, None, None]
            return dx
        """, "pool_forward", "pool_backward",
    ),
    "word vectors": (
        """
        def word_embedding_forward(x, W):
            \"\"\"
            Inputs:
            - x: Integer array of shape (N, T) giving indices of words.
            - W: Weight matrix of shape (V, D).
            \"\"\"
            return W[x], (x, W)
        def word_embedding_backward(dout, cache):
            x, W = cache
            dW = np.zeros_like(W)
            np.add.at(dW, x, dout)
            return dW
        """, "word_embedding_forward", "word_embedding_backward",
    ),
    "a layer": (
        """
        class Affine:
            def __init__(self, W, b):
                self.W, self.b = W, b
                self.dW = self.db = None
            def forward(self, x):
                self.x = x
                return np.dot(x, self.W) + self.b
            def backward(self, dout):
                dx = np.dot(dout, self.W.T)
                self.dW = np.dot(self.x.T, dout)
                self.db = np.sum(dout, axis=0)
                return dx
        """, "Affine.forward", "Affine.backward",
    ),
    "a net that holds layers in a list, and private methods": (
        """
        class Linear:
            def __init__(self, n, m):
                self.W = np.random.randn(n, m)
            def forward(self, x):
                self.x = x
                return x @ self.W
            def backward(self, g):
                self.dW = self.x.T @ g
                return g @ self.W.T
        class Tanh:
            def forward(self, x):
                self.y = self.__run(x)
                return self.y
            def __run(self, x):
                return np.tanh(x)
            def backward(self, g):
                return g * (1 - self.y**2)
        class Net:
            def __init__(self, input_size, hidden_size):
                self.layers = [Linear(input_size, hidden_size), Tanh(), Linear(hidden_size, 2)]
            def __call__(self, x):
                for layer in self.layers:
                    x = layer.forward(x)
                return x
            def backward(self, dout):
                for layer in reversed(self.layers):
                    dout = layer.backward(dout)
                return dout
        """, "Net.__call__", "Net.backward",
    ),
    "a class with a loss": (
        """
        class Softmax(object):
            def __init__(self, input_size, output_size, std=1e-4):
                self.params = {}
                self.params['W1'] = std * np.random.randn(input_size, output_size)
                self.params['b1'] = np.zeros(output_size)
            def loss(self, X, y=None, reg=0.0):
                W1, b1 = self.params['W1'], self.params['b1']
                scores = X.dot(W1) + b1
                if y is None:
                    return scores
                N = X.shape[0]
                scores -= scores.max(axis=1, keepdims=True)
                p = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
                loss = -np.log(p[range(N), y]).sum() / N + reg * np.sum(W1 * W1)
                grads = {}
                p[range(N), y] -= 1
                p /= N
                grads['W1'] = X.T.dot(p) + 2 * reg * W1
                grads['b1'] = p.sum(axis=0)
                return loss, grads
        """, "Softmax.loss", "",
    ),
    "lists of lists": (
        """
        def matvec_forward(W, x):
            return np.array([sum(W[i][j] * x[j] for j in range(len(x))) for i in range(len(W))])
        def matvec_backward(dout, W, x):
            dW = [[dout[i] * x[j] for j in range(len(x))] for i in range(len(W))]
            dx = [sum(dout[i] * W[i][j] for i in range(len(W))) for j in range(len(x))]
            return np.array(dW), np.array(dx)
        """, "matvec_forward", "matvec_backward",
    ),
    "a torch.autograd.Function": (
        """
        import torch
        class MyLinear(torch.autograd.Function):
            @staticmethod
            def forward(ctx, input, weight, bias=None):
                ctx.save_for_backward(input, weight, bias)
                output = input.mm(weight.t())
                if bias is not None:
                    output += bias.unsqueeze(0).expand_as(output)
                return output
            @staticmethod
            def backward(ctx, grad_output):
                input, weight, bias = ctx.saved_tensors
                grad_input = grad_weight = grad_bias = None
                if ctx.needs_input_grad[0]:
                    grad_input = grad_output.mm(weight)
                if ctx.needs_input_grad[1]:
                    grad_weight = grad_output.t().mm(input)
                if bias is not None and ctx.needs_input_grad[2]:
                    grad_bias = grad_output.sum(0)
                return grad_input, grad_weight, grad_bias
        """, "MyLinear.forward", "MyLinear.backward",
    ),
    "setup_context": (
        """
        import torch
        class Exp(torch.autograd.Function):
            @staticmethod
            def forward(i):
                return i.exp()
            @staticmethod
            def setup_context(ctx, inputs, output):
                ctx.save_for_backward(output)
            @staticmethod
            def backward(ctx, grad_output):
                result, = ctx.saved_tensors
                return grad_output * result
        """, "Exp.forward", "Exp.backward",
    ),
    "a derivative as a helper": (
        """
        def sigmoid(x):
            return 1 / (1 + np.exp(-x))
        def sigmoid_derivative(x):
            return sigmoid(x) * (1 - sigmoid(x))
        """, "sigmoid", "sigmoid_derivative",
    ),
}  # fmt: skip


def source_of(name: str) -> str:
    return HEAD + textwrap.dedent(RIGHT[name][0])


def traced(source: str, plan: Plan) -> Trace:
    trace = run_source(source, "layers.py", plan=plan)
    assert trace.error is None, (trace.error, trace.call)
    assert trace.call is not None
    return trace


def truth(trace: Trace) -> dict[int, Any]:
    """The gradient of the loss by every input, by symgrad's own reverse pass over the traced forward."""
    assert trace.call is not None
    loss = next(b.step for b in reversed(trace.bindings) if b.name == trace.call.loss)
    graph = Graph(trace.graph.steps, loss, trace.graph.source)
    needed = graph.ancestors(loss)
    inputs = {i for i, s in enumerate(graph.steps) if s.is_input and needed[i]}
    wanted = sorted(inputs | set(trace.call.gradients.values()))
    reverse = backward(graph, wanted)
    values = {i: np.asarray(trace.values[i]) for i, s in enumerate(graph.steps) if s.is_input}
    return dict(zip(wanted, Program(reverse.graph, list(reverse.gradients))(values), strict=True))


@pytest.mark.parametrize("name", RIGHT)
def test_every_packaging_is_called_and_its_gradients_are_those_of_the_trace(name: str) -> None:
    trace = traced(source_of(name), Plan(*RIGHT[name][1:]))
    assert trace.call is not None
    expected = truth(trace)
    held = {b.name: b.step for b in trace.bindings}
    pairs = dict(trace.call.gradients)
    inputs = {leaf.name: leaf.step for leaf in trace.leaves}
    pairs |= {n: inputs[n.replace("self.d", "")] for n in held if n.startswith("self.d") and n[6:] in inputs}
    assert pairs
    for label, leaf in pairs.items():
        found = np.asarray(trace.values[held[label]])
        assert found.shape == np.shape(expected[leaf]), label
        np.testing.assert_allclose(found, expected[leaf], rtol=1e-9, atol=1e-12, err_msg=label)


@pytest.mark.parametrize("name", RIGHT)
def test_a_file_that_runs_nothing_is_found_out(name: str) -> None:
    trace = run_source(source_of(name), "layers.py")
    assert trace.error is None
    assert RIGHT[name][1:] in trace.passes


def test_all_lengths_are_different() -> None:
    trace = traced(source_of("a pair with a cache"), Plan("affine_forward", "affine_backward"))
    shapes = {leaf.name: trace.graph.steps[leaf.step].shape for leaf in trace.leaves if leaf.name in "xwb"}
    assert len({n for shape in shapes.values() for n in shape}) == 3
    assert shapes["w"] == (shapes["x"][1], shapes["b"][0])


def test_shapes_and_values_that_are_given_are_used() -> None:
    plan = Plan("softmax_loss", "", {"x": (3, 4)}, {"y": [0, 3, 1]})
    trace = traced(source_of("a loss and its gradients"), plan)
    assert trace.call is not None
    assert list(map(str, trace.call.inputs)) == ["x: 3x4", "y: [0, 3, 1]"]


def test_the_same_numbers_every_time() -> None:
    plan = Plan("affine_forward", "affine_backward")
    source = source_of("a pair with a cache")
    assert to_json(traced(source, plan)) == to_json(traced(source, plan))


# --- the whole way ------------------------------------------------------------------------------------------------


def run(tmp_path: Path, source: str, *options: str) -> tuple[int, dict[str, Any]]:
    path = tmp_path / "layers.py"
    path.write_text(source)
    done = CliRunner().invoke(main, [str(path), "--json", *options])
    return done.exit_code, json.loads(done.stdout)


def test_the_command_line_finds_the_mistakes_of_all_passes(tmp_path: Path) -> None:
    source = source_of("a pair with a cache") + textwrap.dedent(RIGHT["a loss and its gradients"][0])
    wrong = source.replace("dout.sum(axis=0)", "dout.mean(axis=0)").replace("    dx /= N\n", "")
    assert run(tmp_path, source)[0] == 0
    code, report = run(tmp_path, wrong)
    roots = [f for f in report["findings"] if f["root"]]
    assert code == 1
    assert wrong.split("\n")[roots[0]["line"] - 1].strip() == "db = dout.mean(axis=0)"
    assert len({f["line"] for f in roots}) == 2


def test_one_pass_that_cannot_be_called_does_not_hide_the_others(tmp_path: Path) -> None:
    source = source_of("a pair with a cache") + textwrap.dedent("""
        def odd_forward(x, w):
            raise ValueError("not today")
        def odd_backward(dout, cache):
            return dout, dout
        """)
    code, report = run(tmp_path, source)
    assert code == 0
    (said,) = [f for f in report["findings"] if f["code"] == "unchecked"]
    assert "odd_backward was not checked: ValueError: not today" in said["message"]
    assert source.split("\n")[said["line"] - 1].strip().startswith("raise")


def test_what_stops_at_the_top_of_a_file_does_not_hide_the_functions_below(tmp_path: Path) -> None:
    stops = "from course_data import *\nX, Y = load_data()\n"
    code, report = run(tmp_path, stops + source_of("a pair with a cache"))
    assert code == 0
    assert report["verdict"] == "agree"
    assert any("the module course_data is not available" in f["message"] for f in report["findings"])


CHANNELS = """
import numpy as np

def scale_forward(x, gamma, beta):
    N, C, H, W = x.shape
    out = gamma * x**2 + beta
    return out, (x, gamma)

def scale_backward(dout, cache):
    x, gamma = cache
    dx = dout * gamma * 2 * x
    dbeta = np.sum(dout, axis=(0, 2, 3), keepdims=True)
    dgamma = np.sum(dout * x**2, axis=(0, 2, 3), keepdims=True)
    return dx, dgamma, dbeta
"""


def test_a_vector_lies_along_the_axis_that_its_gradient_shows(tmp_path: Path) -> None:
    code, report = run(tmp_path, CHANNELS)
    assert code == 0, report["findings"]
    missing = CHANNELS.replace("x**2, axis=(0, 2, 3)", "x**2, axis=(0, 2)")
    code, report = run(tmp_path, missing)
    assert code == 1
    assert [f["line"] for f in report["findings"] if f["root"]] == [13]


TABLES = """
import numpy as np

def softmax(z):
    e = np.exp(z - np.max(z))
    return e / np.sum(e)

def softmax_gradient(z):
    s = softmax(z)
    return np.diag(s) - np.outer(s, s)

def model(params, t):
    a, b, c = params
    return a * np.exp(-b * t) + c

def jacobian(params, t):
    a, b, c = params
    e = np.exp(-b * t)
    J = np.zeros((len(t), 3))
    J[:, 0] = e
    J[:, 1] = -a * t * e
    J[:, 2] = 1.0
    return J

def F(x):
    return np.array([x[0]**2 + x[1] - 3, np.sin(x[0]) * x[1]])

def J(x):
    return np.array([[2*x[0], 1], [np.cos(x[0]) * x[1], np.sin(x[0])]])
"""


def test_functions_that_return_a_jacobian(tmp_path: Path) -> None:
    code, report = run(tmp_path, TABLES)
    assert code == 0, report["findings"]
    assert not [f for f in report["findings"] if f["code"] == "unchecked"]
    slips = (("np.diag(s) -", "np.diag(s) +"), ("-a * t * e", "-a * e"), ("[np.cos(x[0]) * x[1]", "[np.cos(x[0])"))
    for right, wrong in slips:
        code, report = run(tmp_path, TABLES.replace(right, wrong))
        assert code == 1
        line = TABLES[: TABLES.index(right)].count("\n") + 1
        assert [f["line"] for f in report["findings"] if f["root"]] == [line], report["findings"]


def test_a_jacobian_with_the_inputs_first(tmp_path: Path) -> None:
    """The denominator layout is a right one as well."""
    turned = TABLES.replace("np.zeros((len(t), 3))", "np.zeros((3, len(t)))")
    for n in range(3):
        turned = turned.replace(f"J[:, {n}]", f"J[{n}]")
    assert run(tmp_path, turned)[0] == 0
    assert run(tmp_path, turned.replace("-a * t * e", "-a * e"))[0] == 1


GAUSS_NEWTON = TABLES[: TABLES.index("def F")].replace("import numpy as np\n", "import numpy as np\n\n") + """
t = np.linspace(0, 4, 15)
y = 2.5 * np.exp(-1.3 * t) + 0.5
p = np.array([1.0, 1.0, 0.0])
for it in range(10):
    r = y - model(p, t)
    J = jacobian(p, t)
    p = p + np.linalg.solve(J.T @ J, J.T @ r)
"""


def test_what_begins_as_ones_and_zeros_is_differentiated_by(tmp_path: Path) -> None:
    assert run(tmp_path, GAUSS_NEWTON)[0] == 0
    code, report = run(tmp_path, GAUSS_NEWTON.replace("-a * t * e", "a * t * e"))
    assert code == 1
    assert [f["line"] for f in report["findings"] if f["root"]] == [22]


def test_a_name_that_is_a_function_no_more_cannot_be_called(tmp_path: Path) -> None:
    renamed = source_of("a pair with a cache") + "\naffine_forward = 3.0\n"
    code, report = run(tmp_path, renamed)
    assert code == 2
    assert "'affine_forward' is no function any more" in str(report)


def test_python(tmp_path: Path) -> None:
    path = tmp_path / "layers.py"
    path.write_text(source_of("a pair with a cache"))
    report = symgrad.check(
        str(path), forward="affine_forward", backward="affine_backward", shapes={"x": (4, 3), "w": (3, 5), "b": (5,)}
    )
    assert report.ok


def test_other_files_are_imported(tmp_path: Path) -> None:
    package = tmp_path / "common"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "functions.py").write_text("import numpy as np\ndef act(x):\n    return np.tanh(x)\n_hidden = 1\n")
    (package / "layers.py").write_text(
        "import sys, os\nsys.path.append(os.pardir)\nfrom .functions import *\nfrom common import functions as F\n"
        "class Act:\n    def forward(self, x):\n        self.y = act(x)\n        return self.y\n"
        "    def backward(self, dout):\n        return dout * (1 - self.y**2) * 2\n"
    )
    report = symgrad.check(str(package / "layers.py"))
    (root,) = [f for f in report.findings if f.root]
    assert root.line == 10


@pytest.mark.parametrize(
    ("text", "expected"),
    [("x=4x3", ("x", (4, 3))), ("b=5", ("b", (5,))), ("s=()", ("s", ())), ("x = (2, 3, 4)", ("x", (2, 3, 4)))],
)
def test_reading_shapes(text: str, expected: Any) -> None:
    assert read_shape(text) == expected


@pytest.mark.parametrize("text", ["x", "x=a", "=3", "x=-1", "x=1000x1000"])
def test_no_shape(text: str) -> None:
    with pytest.raises(SymgradError, match="--shape"):
        read_shape(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("y=0,2,1", ("y", (0, 2, 1))), ("mode=train", ("mode", "train")), ("p=0.5", ("p", 0.5)),
        ('bn_param={"mode":"train"}', ("bn_param", {"mode": "train"})), ("y=[[1, 2]]", ("y", [[1, 2]])),
        ('p={"a": true}', ("p", {"a": True})),
    ],
)  # fmt: skip
def test_reading_values(text: str, expected: Any) -> None:
    assert read_value(text) == expected


# --- inputs that break ------------------------------------------------------------------------------------------------

BROKEN: dict[str, tuple[str, tuple[str, ...], str, str]] = {
    "shapes that do not fit": (
        "def forward(x, w):\n    return x @ w\ndef backward(x, w, dout):\n    return dout @ w.T, x.T @ dout\n",
        ("--forward", "forward", "--backward", "backward", "--shape", "x=4x3", "--shape", "w=4x5"),
        r"@ of shapes \(4, 3\) and \(4, 5\)", "return x @ w",
    ),
    "backward raises": (
        "def forward(x):\n    return x * 2\ndef backward(dout):\n    raise RuntimeError('no')\n",
        (), "RuntimeError: no", "raise RuntimeError('no')",
    ),
    "backward returns None": (
        "def forward(x):\n    return x * 2\ndef backward(dout):\n    dx = dout * 2\n",
        (), "backward returns nothing", "def backward(dout):",
    ),
    "too few values": (
        "def forward(x, w, b):\n    return x * w + b\ndef backward(dout, x, w, b):\n    return dout * w, dout * x\n",
        (), "backward returns 2 values for 3 inputs", "return dout * w, dout * x",
    ),
    "lists of arrays of several shapes": (
        "def forward(x, w, b):\n    return x * w + b\ndef backward(dout, x, w, b):\n"
        "    g = [np.zeros((2, 1)), np.zeros((3, 1))]\n    return g, g\n",
        (), "backward returns 2 values for 3 inputs", "return g, g",
    ),
    "a name that does not exist": (
        "def forward(x):\n    return x * scale\ndef backward(dout):\n    return dout\n",
        (), "NameError: name 'scale' is not defined", "return x * scale",
    ),
    "no such function": ("def forward(x):\n    return x\n", ("--forward", "forwrd"), "did you mean 'forward'", ""),
    "no such parameter": (
        "def forward(x):\n    return x*x\ndef backward(x, dout):\n    return 2*x*dout\n",
        ("--forward", "forward", "--backward", "backward", "--shape", "z=3"), "forward has no parameter 'z'", "",
    ),
    "Python 2": ("def forward(x):\n    print 'a'\n", (), "Python 2 print statement", "print 'a'"),
    "it does not parse": ("def forward(x):\n    return (x\n", (), r"'\(' was never closed", "return (x"),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_what_breaks_is_said_with_its_place(tmp_path: Path, name: str) -> None:
    source, options, message, line = BROKEN[name]
    code, report = run(tmp_path, HEAD + source, *options)
    assert code == 2, report
    (found,) = report["findings"]
    assert re.search(message, f"{found['message']} {found['hint']}"), found
    if line:
        assert (HEAD + source).split("\n")[found["line"] - 1].strip() == line
