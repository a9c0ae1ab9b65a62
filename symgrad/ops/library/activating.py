"""Activations of ``torch.nn.functional`` that are no op of the table, composed of ops that are."""

from __future__ import annotations

from typing import Any

from symgrad.errors import Unsupported
from symgrad.ops.library.spelling import spelled
from symgrad.ops.shapes import WHOLE, one_axis
from symgrad.ops.tensor import ShapeError, shape_of

F = "torch.nn.functional."

#: The two numbers for which a net keeps mean 0 and variance 1.
SELU_SCALE = 1.0507009873554804934193349852946
SELU_ALPHA = 1.6732632423543772848170429916717


@spelled(f"{F}relu6")
def relu6(m: Any, x: Any, inplace: Any = False) -> Any:
    return m.where(m.lt(x, 6), m.relu(x), 6)


@spelled(f"{F}hardsigmoid")
def hardsigmoid(m: Any, x: Any, inplace: Any = False) -> Any:
    return relu6(m, x + 3) / 6


@spelled(f"{F}hardswish")
def hardswish(m: Any, x: Any, inplace: Any = False) -> Any:
    return x * (relu6(m, x + 3) / 6)


@spelled(f"{F}selu", "torch.selu")
def selu(m: Any, x: Any, inplace: Any = False) -> Any:
    return SELU_SCALE * m.elu(x, SELU_ALPHA)


@spelled(f"{F}celu", "torch.celu")
def celu(m: Any, x: Any, alpha: Any = 1.0, inplace: Any = False) -> Any:
    return alpha * m.elu(x / alpha, 1.0)


@spelled(f"{F}prelu", "torch.prelu", "torch.Tensor.prelu")
def prelu(m: Any, x: Any, weight: Any) -> Any:
    """One slope for all, or one for each entry of the second axis."""
    shape, slopes = shape_of(x), shape_of(weight)
    if slopes not in ((), (1,)):
        if len(shape) < 2 or slopes != shape[1:2]:
            raise ShapeError(f"prelu of shape {shape} with slopes of shape {slopes}")
        weight = m.reshape(weight, shape=(-1, *(1,) * (len(shape) - 2)))
    return m.where(m.gt(x, 0), x, weight * x)


@spelled(f"{F}threshold", "torch.threshold")
def threshold(m: Any, x: Any, threshold: Any, value: Any, inplace: Any = False) -> Any:
    return m.where(m.gt(x, threshold), x, value)


@spelled(f"{F}softmin")
def softmin(m: Any, x: Any, axis: Any = None) -> Any:
    if axis is None:
        raise Unsupported("softmin without dim")
    return m.softmax(-x, axis=axis)


@spelled(f"{F}tanhshrink")
def tanhshrink(m: Any, x: Any) -> Any:
    return x - m.tanh(x)


@spelled(f"{F}softshrink")
def softshrink(m: Any, x: Any, lambd: Any = 0.5) -> Any:
    return m.where(m.gt(x, lambd), x - lambd, m.where(m.lt(x, -lambd), x + lambd, 0.0))


@spelled(f"{F}hardshrink", "torch.hardshrink", "torch.Tensor.hardshrink")
def hardshrink(m: Any, x: Any, lambd: Any = 0.5) -> Any:
    return m.where(m.gt(m.abs(x), lambd), x, 0.0)


@spelled(f"{F}glu")
def glu(m: Any, x: Any, axis: Any = -1) -> Any:
    shape = shape_of(x)
    where = one_axis(axis, len(shape), "glu", shape)
    if shape[where] % 2:
        raise ShapeError(f"glu of shape {shape}: axis {where} cannot be halved")
    before, half = (WHOLE,) * where, shape[where] // 2
    first = m.index(x, spec=(*before, ("slice", None, half, None)))
    return first * m.sigmoid(m.index(x, spec=(*before, ("slice", half, None, None))))
