"""What a stranger tried, promise by promise: sums over samples, clipped gradients, modules that scripts import.

Each was a false alarm, an accusation of the wrong line, a refusal or very slow, when it was tried first.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

import symgrad
from symgrad.cli import main
from symgrad.frontends import sandbox
from symgrad.frontends.options import possible
from symgrad.frontends.plan import Plan
from tests import slips

# --- a mean over samples in plain Python ------------------------------------------------------------------------

MEAN_OF_SAMPLES = """
xs = [0.5, -1.2, 2.0]
ys = [1.0, 0.3, -0.7]
w, b = 0.4, -0.2
n = len(xs)
loss = 0.0
for x, y in zip(xs, ys):
    pred = w*x + b
    loss += (pred - y)**2
loss /= n
dw = 0.0
db = 0.0
for x, y in zip(xs, ys):
    e = w*x + b - y
    dw += 2*e*x
    db += 2*e
dw /= n
db /= n
"""


def test_a_division_that_one_of_two_sums_lacks_is_no_mistake_of_what_both_are_made_of() -> None:
    wrong = MEAN_OF_SAMPLES.replace("db /= n\n", "")
    slips.passes(MEAN_OF_SAMPLES)
    (root,) = [f for f in symgrad.check(wrong).findings if f.root]
    assert root.span
    assert root.span.line == 16
    assert (root.fix, root.fix_verified, root.mistake) == ("db /= n", True, "scale")


def test_a_factor_is_missing_rather_than_the_number_of_samples_another_one() -> None:
    assert slips.found(MEAN_OF_SAMPLES, "db += 2*e", "db += e", "scale").fix == "2*e"


# --- clipped gradients ------------------------------------------------------------------------------------------

FITTED = """
import numpy as np
np.random.seed(0)
X = np.random.randn(4, 3)*5
y = np.random.randn(4)
w = np.random.randn(3)
b = 0.5
p = X @ w + b
loss = ((p - y)**2).mean()
dp = 2*(p - y)/4
dw = X.T @ dp
db = dp.sum()
"""
CLIPPED = (
    "dw = np.clip(dw, -1, 1)\n",
    "dw = dw*min(1.0, 5.0/np.linalg.norm(dw))\n",
    "norm = np.sqrt(np.sum(dw**2) + db**2)\nscale = 5.0/(norm + 1e-6)\nif scale < 1:\n    dw *= scale\n"
    "    db *= scale\n",
)


@pytest.mark.parametrize("clip", CLIPPED)
def test_a_gradient_is_clipped_in_the_end(clip: str) -> None:
    report = symgrad.check(FITTED + clip)
    assert report.verdict == "agree", report.explain()
    assert any("clipped here" in f.message for f in report.findings)
    slips.passes(FITTED + clip)


def test_what_is_clipped_is_judged_all_the_same() -> None:
    slips.found(FITTED + CLIPPED[0], "dp = 2*(p - y)/4", "dp = 2*(p - y)", "scale")


CLIPPED_ON_THE_WAY = """
import numpy as np
rng = np.random.default_rng(0)
W, U, xs = rng.normal(size=(3, 3)), rng.normal(size=(3, 2)), rng.normal(size=(4, 2))
h = [np.zeros(3)]
loss = 0
for t in range(4):
    h.append(np.tanh(W @ h[-1] + U @ xs[t]))
    loss += 0.5*(h[-1]**2).sum()
dW, dU, dhn = np.zeros_like(W), np.zeros_like(U), np.zeros(3)
for t in reversed(range(4)):
    da = (h[t+1] + dhn)*(1 - h[t+1]**2)
    dW += np.outer(da, h[t])
    dU += np.outer(da, xs[t])
    dhn = W.T @ da
    dhn = np.clip(dhn, -0.1, 0.1)
"""


def test_a_gradient_is_clipped_on_its_way() -> None:
    slips.passes(CLIPPED_ON_THE_WAY)
    slips.found(CLIPPED_ON_THE_WAY, "dhn = W.T @ da", "dhn = W @ da", "transpose")


def test_what_cuts_off_one_sign_is_no_clipping() -> None:
    report = symgrad.check(FITTED + "dw = np.minimum(dw, 0)\n")
    assert "dw" not in report.confirmed
    assert not any("clipped" in f.message for f in report.findings)


def test_a_derivative_that_is_multiplied_by_a_number_of_its_own_is_no_clipping() -> None:
    source = """
import math
a0, w, v = 0.4, 0.8, 0.5
a = math.tanh(w*a0)
L = 0.5*(v*a)**2
da = v*a*v
da = da*(1 - a**2)
dw = da*a0
"""
    slips.passes(source)
    slips.found(source, "da = da*(1 - a**2)", "da = da*(1 - da**2)", "wrong-variable")


# --- files of functions -----------------------------------------------------------------------------------------

PAIR = """
import numpy as np

def mlp_forward(X, W1, b1, W2, b2):
    Z1 = X.dot(W1) + b1
    H = np.maximum(Z1, 0)
    return H.dot(W2) + b2, (X, W1, W2, Z1, H)

def mlp_backward(dS, cache):
    X, W1, W2, Z1, H = cache
    dZ1 = dS.dot(W2.T)
    return dZ1.dot(W1.T), X.T.dot(dZ1), dZ1.sum(0), H.T.dot(dS), dS.sum(0)
"""


def test_shapes_that_fitted_are_not_looked_for_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Looking for shapes, where none fit, takes seconds: once is enough."""
    plans: list[Plan] = []
    plain = sandbox.run_source

    def run(*args: Any, plan: Plan | None = None, **options: Any) -> Any:
        plans.extend([plan] if plan is not None else [])
        return plain(*args, plan=plan, **options)

    monkeypatch.setattr(sandbox, "run_source", run)
    path = tmp_path / "layers.py"
    path.write_text(PAIR)
    (root,) = [f for f in symgrad.check(path).findings if f.root]
    assert (root.mistake, root.fix_verified) == ("missing-factor", True)
    searched = [p for p in plans if not p.known]
    assert len([p for p in searched if not p.of_inputs]) == 1
    assert {n: len(s) for n, s in plans[1].known.items()} == {"X": 2, "W1": 2, "b1": 1, "W2": 2, "b2": 1}


def test_a_shape_that_is_known_is_the_only_one() -> None:
    import ast

    from symgrad.frontends.targets import find_target

    plan = Plan("mlp_forward", "mlp_backward")
    target = find_target(plan, ast.parse(PAIR))
    free = possible(plan, target, ast.parse(PAIR))
    known = possible(replace(plan, known={"b1": (2,)}), target, ast.parse(PAIR))
    assert len(free["b1"]) > 1
    assert [k.dims for k in known["b1"]] == [(2,)]
    assert known["W1"] == free["W1"]


def test_no_number_is_one_times_too_large(tmp_path: Path) -> None:
    """A row that is missing altogether is no multiple of zeros."""
    path = tmp_path / "svm.py"
    path.write_text("""
import numpy as np
def loss_and_grad(W, X, y):
    scores = X @ W
    loss = 0.0
    dW = np.zeros_like(W)
    for i in range(X.shape[0]):
        m = scores[i] - scores[i, y[i]] + 1
        m[y[i]] = 0
        loss += np.sum(np.maximum(0, m))
        dW += np.outer(X[i], (m > 0).astype(float))
    loss /= X.shape[0]
    dW /= X.shape[0]
    return loss, dW
""")
    for finding in symgrad.check(path).findings:
        assert "1 times" not in finding.message
        assert not (finding.fix or "").endswith("/1")


# --- what scripts import ----------------------------------------------------------------------------------------

LINE = "L = (w - 1)**2\ndw = 2*(w - 1)\n"
IMPORTS = {
    "argparse": """
import argparse, sys
parser = argparse.ArgumentParser(description="fit")
parser.add_argument("--lr", type=float, default=0.1)
parser.add_argument("-v", "--be-loud", action="store_true")
args = parser.parse_args()
args.device = "cpu"
w = 3.0 if not args.be_loud else args.lr
print(args.device, file=sys.stderr)
""",
    "dataclass": """
from dataclasses import dataclass, field
@dataclass
class Settings:
    start: float
    lr: float = 0.1
    seen: list = field(default_factory=list)
    def __post_init__(self):
        self.seen.append(self.start)
s = Settings(3.0)
w = s.seen[0]
""",
    "enum and json": """
import json
from enum import Enum
class Kind(Enum):
    SQUARES = 1
w = 3.0
print(json.dumps({"kind": Kind.SQUARES == 1}))
""",
    "numpy.testing": "import numpy as np\nw = 3.0\nnp.testing.assert_allclose(2*(w - 1), 4.0, rtol=1e-6)\n",
    "time": "import time\nprint(time.strftime('%H:%M'))\nw = 3.0\n",
    "a table": "import numpy as np\ndata = np.loadtxt('data.csv', delimiter=',')\nw = data[0, 0] + 3.0\n",
    "a scaler": """
import numpy as np
from sklearn.preprocessing import StandardScaler
x = StandardScaler().fit_transform(np.array([[1.0, 2.0], [3.0, 5.0]]))
w = x[0, 1] + 3.0
""",
}


@pytest.mark.parametrize("name", IMPORTS)
def test_what_a_script_imports_beside_its_work_is_no_obstacle(name: str) -> None:
    report = symgrad.check(IMPORTS[name] + LINE)
    assert report.exit_code == 0, report.explain()
    assert report.confirmed == ("dw",)


def test_a_data_class_that_holds_a_layer_is_judged() -> None:
    source = """
import math
from dataclasses import dataclass

@dataclass
class Neuron:
    '''One neuron.'''
    w: float
    b: float = 0.1

    def forward(self, x):
        self.x = x
        self.y = math.tanh(self.w*x + self.b)
        return self.y

    def backward(self, g):
        dz = g*(1 - self.y**2)
        self.dw = dz*self.x
        self.db = dz
        return dz*self.w

n = Neuron(0.7)
x = 0.4
out = n.forward(x)
loss = out**2
dx = n.backward(2*out)
"""
    slips.passes(source)
    slips.found(source, "(1 - self.y**2)", "(1 - self.x**2)", "input-for-output")


def test_a_harmless_module_that_is_not_there_stops_the_run_where_it_is_used() -> None:
    report = symgrad.check("w = 3.0\n" + LINE + "import calendar\nprint(calendar.isleap(2000))\n")
    assert report.confirmed == ("dw",)
    assert any("calendar" in f.message for f in report.findings)


@pytest.mark.parametrize("path", ["/etc/passwd", "../x.csv", "~/x.csv"])
def test_no_table_is_read_from_elsewhere(path: str) -> None:
    with pytest.raises(symgrad.SymgradError, match="beside the script") as caught:
        symgrad.check(f"import numpy as np\nx = np.loadtxt({path!r})\n" + LINE)
    assert caught.value.span is not None
    assert caught.value.span.line == 2


# --- two results ------------------------------------------------------------------------------------------------


def test_a_name_is_held_against_the_function_that_it_says() -> None:
    """E and F are both functions of w: dE_dw is no mistake of dF/dw."""
    source = """
import math
x = 0.6
w = 1.1
u = math.tanh(w*x)
E = u**2
F = u**3
dF_dw = 3*u**2*(1 - u**2)*x
dE_dw = 2*u*(1 - u**2)*x
"""
    slips.passes(source)
    found = slips.found(source, "dE_dw = 2*u*(1 - u**2)*x", "dE_dw = 2*u*(1 - w**2)*x", "input-for-output")
    assert (found.fix, found.fix_verified) == ("u", True)


# --- the command line -------------------------------------------------------------------------------------------


def run(*args: str, text: str = "") -> Result:
    return CliRunner().invoke(main, args, input=text)


@pytest.mark.parametrize(
    ("args", "code", "says"),
    [((), 1, "<source>:3:9"), (("--diff",), 1, "+dy_dw = 3*w**2"), (("--emit", "numpy"), 0, "def gradients(w):")],
)
def test_a_script_may_come_through_standard_input(args: tuple[str, ...], code: int, says: str) -> None:
    result = run("-", *args, text="w = 2.0\ny = w**3\ndy_dw = 2*w**2\n")
    assert result.exit_code == code, result.output
    assert says in result.stdout


def test_an_option_of_expressions_is_refused_for_a_script_from_standard_input() -> None:
    result = run("-", "--dtype", "float32", text="w = 2.0\ny = w**3\ndy_dw = 2*w**2\n")
    assert result.exit_code == 2
    assert "--dtype is for expressions" in result.stderr


@pytest.mark.parametrize(
    "args", [("--json", "--latex"), ("--json", "--diff"), ("--format", "github", "--emit", "numpy")]
)
def test_two_kinds_of_output_do_not_go_together(args: tuple[str, ...]) -> None:
    result = run("x**2", "--at", "x=1", *args)
    assert result.exit_code == 2
    assert "do not go together" in result.stderr


def test_a_derivative_is_given_once() -> None:
    result = run("x*y", "--manual", "x=y", "--manual", "x=2*y")
    assert result.exit_code == 2
    assert "--manual gives 'x' twice" in result.stderr


# --- functions of one's own -------------------------------------------------------------------------------------


def test_two_lambdas_in_one_line_are_two_functions() -> None:
    # fmt: off
    assert symgrad.check_backward(lambda x: x**2, lambda x: 2*x, {"x": 3.0}).ok
    report = symgrad.check_backward(lambda x: x**3, lambda x: 2*x, {"x": 3.0})
    # fmt: on
    assert [f.expected for f in report.findings if f.root] == ["3*x**2"]


def mean_of_squares(w, X, y):
    r = X @ w - y
    loss = 0.5*np.mean(r**2)
    grad = X.T @ r
    return loss, grad


def test_the_shape_tells_whose_gradient_is_returned() -> None:
    source = np.random.RandomState(0)
    inputs = {"w": source.randn(3), "X": source.randn(4, 3), "y": source.randn(4)}
    (found,) = [f for f in symgrad.check_backward(mean_of_squares, inputs=inputs).findings if f.root]
    assert (found.mistake, found.fix) == ("scale", "X.T @ r/4")


def test_of_a_function_its_formula_is_shown_and_not_its_file() -> None:
    report = symgrad.check(lambda x: x**2 + x, {"x": 2.0})
    assert report.target == "x**2 + x"
    assert "import" not in report.explain()


# --- letters that are no ASCII ----------------------------------------------------------------------------------


def test_columns_count_characters() -> None:
    """Python counts bytes, of which a Greek letter has two."""
    source = "ω = 2.0\ny = ω**3\ndy_dω = 3*ω**2  # é\n"
    slips.passes(source)
    found = slips.found(source, "3*ω", "2*ω", "scale")
    assert found.span
    assert (found.found, found.fix, found.fix_verified) == ("2", "3", True)
    assert (found.span.column, found.span.end_column) == (9, 10)


def test_columns_count_characters_in_arrays() -> None:
    source = """
import numpy as np
np.random.seed(0)
Θ, ξ = np.random.randn(3, 3), np.random.randn(3)
σ = np.tanh(Θ @ ξ)  # größe
L = np.sum((σ - 0.5)**2)
dσ = 2*(σ - 0.5); dz = dσ*(1 - σ**2)
dΘ = np.outer(dz, ξ); dξ = Θ.T @ dz
"""
    slips.passes(source)
    assert slips.found(source, "Θ.T @ dz", "Θ @ dz", "transpose").span.column == 28
    assert slips.found(source, "(1 - σ**2)", "(1 - ξ**2)", "input-for-output").found == "ξ"


# --- odd values -------------------------------------------------------------------------------------------------


def test_values_without_names_are_no_point() -> None:
    with pytest.raises(symgrad.SymgradError, match="which variable has which value"):
        symgrad.check("x*y", [1, 2])


def test_a_language_that_is_none_is_refused() -> None:
    report = symgrad.check("x = 2.0\ny = x**2\ndy_dx = 2*x\n")
    with pytest.raises(symgrad.SymgradError, match="choose numpy, torch or latex"):
        report.emit("fortran")


# --- torch functions --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("last", "mistakes"), [("eps=1e-5", []), ("shift", []), ("shift[0]", ["never-assigned"])])
def test_none_belongs_to_a_number_and_not_to_an_array(last: str, mistakes: list[str], tmp_path: Path) -> None:
    """What may be a number is tried as one where nothing is returned for it, and that is said."""
    path = tmp_path / "layer.py"
    added = last.partition("=")[0]
    given = added.partition("[")[0]
    path.write_text(f"""
import torch
class Scale(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, gamma, {given}):
        ctx.save_for_backward(x, gamma)
        return x*gamma + {added}
    @staticmethod
    def backward(ctx, dy):
        x, gamma = ctx.saved_tensors
        return dy*gamma, (dy*x).sum(0), None
""")
    report = symgrad.check(path)
    assert [f.mistake for f in report.findings if f.root] == mistakes, report.explain()
    said = [f for f in report.findings if f.message == "no gradient is returned for the number shift"]
    assert len(said) == (last == "shift")


def test_entries_of_a_nested_comprehension_are_judged() -> None:
    source = """
W = [[0.1, -0.4], [0.7, 0.2], [-0.3, 0.5]]
x = [1.0, -2.0]
t = [0.5, -0.5, 1.0]
y = [sum(a*b for a, b in zip(row, x)) for row in W]
loss = sum((a - b)**2 for a, b in zip(y, t))
dy = [2*(a - b) for a, b in zip(y, t)]
dW = [[g*xi for xi in x] for g in dy]
"""
    slips.passes(source)
    assert "dW[2][1]" in symgrad.check(source).confirmed
    slips.found(source, "for g in dy]", "for g in y]", "")
