"""Functions of torch's that give another gradient on purpose, and what is clipped: said, and never blamed."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent, indent

import pytest

import symgrad
from symgrad.files.entry import check_file
from symgrad.report.model import Report
from tests.slips import found, passes

HANDS_ON = "return x.view_as(x)"
ON_PURPOSE = {
    "reversal": (HANDS_ON, "return -ctx.s * g, None"),
    "reversal with new_tensor": ("return x.clone()", "k = g.new_tensor(ctx.s)\nreturn g.neg() * k, None"),
    "clipping": ("return x", "return g.clamp(-ctx.s, ctx.s), None"),
    "clipping by the norm": (HANDS_ON, "return g * ctx.s / torch.clamp(g.norm(), min=1.0), None"),
    "straight through": ("return torch.round(x * ctx.s) / ctx.s", "return g, None"),
    "straight through, with a window": ("ctx.save_for_backward(x)\nreturn x.sign()",
                                        "x, = ctx.saved_tensors\nd = g.clone()\nd[x.abs() > 1] = 0\nreturn d, None"),
    "surrogate": ("ctx.save_for_backward(x)\nreturn (x > 0).float()",
                  "x, = ctx.saved_tensors\nreturn g / (ctx.s * torch.abs(x) + 1.0)**2, None"),
}  # fmt: skip


def _function(forward: str, backward: str, name: str = "Layer") -> str:
    return (
        f"import torch\n\nclass {name}(torch.autograd.Function):\n"
        "    @staticmethod\n    def forward(ctx, x, s):\n        ctx.s = s\n" + indent(forward, " " * 8) + "\n"
        "    @staticmethod\n    def backward(ctx, g):\n" + indent(backward, " " * 8) + "\n"
    )


def _checked(tmp_path: Path, text: str) -> Report:
    path = tmp_path / "layer.py"
    path.write_text(text, encoding="utf-8")
    return check_file(path)


@pytest.mark.parametrize("name", ON_PURPOSE)
def test_another_gradient_on_purpose_is_said(name: str, tmp_path: Path) -> None:
    report = _checked(tmp_path, _function(*ON_PURPOSE[name]))
    assert not [f for f in report.findings if f.root], report.explain()
    assert any("deliberate difference" in f.message for f in report.findings), report.explain()


def test_in_a_script_that_applies_it(tmp_path: Path) -> None:
    text = _function(*ON_PURPOSE["reversal"]) + dedent("""
        x = torch.randn(4, 3, requires_grad=True)
        w = torch.randn(3, requires_grad=True)
        loss = (Layer.apply(torch.tanh(x*w), 0.5)**2).sum()
        loss.backward()
    """)
    assert not [f for f in _checked(tmp_path, text).findings if f.root]


@pytest.mark.parametrize(("forward", "backward", "line"), [
    ("ctx.mask = (x > 0).float()\nreturn x * ctx.mask * s", "return g * (1 - ctx.mask) * ctx.s, None", 11),
    ("ctx.y = torch.tanh(x)\nreturn ctx.y", "return g * (1 - ctx.y), None", 11),
])  # fmt: skip
def test_a_slip_in_another_function_is_one(forward: str, backward: str, line: int, tmp_path: Path) -> None:
    """A mask is a step as well, and not all that x is used for."""
    roots = [f for f in _checked(tmp_path, _function(forward, backward)).findings if f.root]
    assert [f.span.line for f in roots if f.span] == [line]


NUMBERS = """
import math
x, w, b = 0.5, 0.8, 0.1
z = w*x + b
h = math.tanh(z)
loss = h*h*w
dh = 2*h*w
dz = dh*(1 - h**2)
db = dz
dw = h*h + dz*x
"""
BY_NORM = """norm = math.sqrt(dw**2 + db**2)
if norm > 0.1:
    dw = dw*0.1/norm
    db *= 0.1/norm
"""


def test_numbers_are_clipped_by_a_norm_and_not_by_what_is_no_division() -> None:
    assert symgrad.check(NUMBERS + BY_NORM).ok
    found(NUMBERS + "dw = dw\n", "dw = dw\n", "dw = dw*(1 - dw**2)\n", "")


MEANS = """
import numpy as np
x = np.linspace(-2.0, 2.0, 7)
y = 2.2*x + np.array([0.3, -0.1, 0.4, 0.2, -0.5, 0.1, 0.6])
m, b = 0.3, 0.1
diff = m*x + b - y
cost = np.dot(diff.T, diff)/float(x.shape[0])
cost = cost.flat[0]
dm = 2*np.mean(diff*x)
db = 2*np.mean(diff)
xbar = np.average(x)
ybar = np.average(y)
slope = (xbar*ybar - np.average(x*y))/(xbar**2 - np.average(x**2))
"""


def test_means_of_arrays_are_no_cotangents() -> None:
    passes(MEANS)
    found(MEANS, "np.mean(diff*x)", "np.mean(diff)", "")
