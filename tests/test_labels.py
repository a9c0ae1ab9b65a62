"""``dy = 2*(y_pred - y)``: the gradient by a prediction, under the name of the labels that it is held against; and
names of lengths that look like those of derivatives."""

from __future__ import annotations

import pytest

import symgrad
from tests.slips import found, passes

#: Labels, what is predicted, the gradient by that, and the gradient by the weights.
NAMES = [
    ("y", "y_pred", "dy", "dW"), ("y", "y_hat", "grad_y", "grad_W"), ("Y", "Yhat", "dY", "dW"), ("t", "y", "dt", "dw"),
    ("target", "pred", "grad_target", "grad_W"), ("y", "out", "dy", "dW"), ("Y", "A", "dY", "dW"),
]  # fmt: skip
LINEAR = """\
import numpy as np
rng = np.random.default_rng(0)
X = rng.normal(size=(8, 5)); {y} = rng.normal(size=(8, 3)); W = rng.normal(size=(5, 3))
{p} = X @ W
loss = np.mean(({p} - {y}) ** 2)
{dy} = 2 * ({p} - {y}) / {y}.size
{dW} = X.T @ {dy}
"""
DEEPER = """\
import numpy as np
rng = np.random.default_rng(3)
X = rng.normal(size=(8, 5)); Y = rng.normal(size=(8, 2))
W1 = rng.normal(size=(5, 6)); W2 = rng.normal(size=(6, 2))
H = np.tanh(X @ W1)
O = H @ W2
L = 0.5 * np.sum((O - Y) ** 2) / len(X)
dY = (O - Y) / len(X)
dW2 = H.T @ dY
dH = dY @ W2.T
dZ = dH * (1 - H ** 2)
dW1 = X.T @ dZ
"""
NUMBERS = """\
x, y, w, b = 1.5, 0.7, -0.4, 0.2
out = w * x + b
loss = (out - y) ** 2
dy = 2 * (out - y)
dw = dy * x
db = dy
"""
#: Who does mean the labels.
OF_LABELS = """\
x, y, w = 1.5, 0.7, -0.4
out = w * x
loss = (out - y) ** 2
dy = -2 * (out - y)
dout = -dy
dw = dout * x
"""
LENGTHS = """\
import torch
import torch.nn as nn
torch.manual_seed(42)
batch, d_in, d_h, d_out = 8, 5, 7, 3
X = torch.randn(batch, d_in)
Y = torch.randn(batch, d_out)
model = nn.Sequential(nn.Linear(d_in, d_h), nn.Tanh(), nn.Linear(d_h, d_out))
out = model(X)
loss = nn.MSELoss()(out, Y)
loss.backward()
h_pre = X @ model[0].weight.data.T + model[0].bias.data
h = torch.tanh(h_pre)
y_hat = h @ model[2].weight.data.T + model[2].bias.data
grad_y = 2 * (y_hat - Y) / (batch * d_out)
grad_W2 = grad_y.T @ h
grad_hpre = (grad_y @ model[2].weight.data) * (1 - h ** 2)
grad_W1 = grad_hpre.T @ X
print(torch.allclose(grad_W1, model[0].weight.grad), torch.allclose(grad_W2, model[2].weight.grad))
"""


@pytest.mark.parametrize(("y", "p", "dy", "dw"), NAMES)
def test_a_gradient_that_flows_on_is_none_by_the_labels(y: str, p: str, dy: str, dw: str) -> None:
    report = symgrad.check(LINEAR.format(y=y, p=p, dy=dy, dW=dw))
    assert report.verdict == "agree", report.explain()
    assert report.confirmed == (dy, dw)


@pytest.mark.parametrize("source", [DEEPER, NUMBERS, OF_LABELS, LENGTHS], ids=["deeper", "numbers", "labels", "sizes"])
def test_what_is_right(source: str) -> None:
    passes(source)


@pytest.mark.parametrize(
    ("source", "right", "slip", "mistake"),
    [
        (DEEPER, "dY = (O - Y) / len(X)", "dY = (O - Y)", "scale"),
        (DEEPER, "dY = (O - Y) / len(X)", "dY = (Y - O) / len(X)", "sign"),
        (DEEPER, "(1 - H ** 2)", "(1 - H)", ""),
        (NUMBERS, "dy = 2 * (out - y)", "dy = (out - y)", ""),
        (NUMBERS, "dy = 2 * (out - y)", "dy = -2 * (out - y)", "sign"),
        (OF_LABELS, "dout * x", "dout * w", ""),
        (LENGTHS, "/ (batch * d_out)", "/ batch", "scale"),
        (LENGTHS, "(1 - h ** 2)", "(1 - h_pre ** 2)", ""),
    ],
)
def test_a_slip_is_found(source: str, right: str, slip: str, mistake: str) -> None:
    found(source, right, slip, mistake)
