"""Losses and layers of ``torch.nn.functional``, and torch's indexed sums, composed of ops of the table."""

from __future__ import annotations

import math
from typing import Any

from symgrad.errors import Unsupported
from symgrad.ops.indexing import encode
from symgrad.ops.library.moving import torch_pad
from symgrad.ops.library.picking import along, item
from symgrad.ops.library.spelling import spelled
from symgrad.ops.shapes import one_axis
from symgrad.ops.tensor import ShapeError, shape_of

F = "torch.nn.functional."


def _reduce(m: Any, losses: Any, reduction: str) -> Any:
    if reduction == "none":
        return losses
    if reduction not in ("mean", "sum"):
        raise Unsupported(f"a loss with reduction {reduction!r}")
    return getattr(m, reduction)(losses)


def _same(x: Any, target: Any, what: str) -> None:
    """torch broadcasts with a warning; that is nearly always a mistake, but not one of shape."""
    if shape_of(x) != shape_of(target):
        raise Unsupported(f"{what} of shapes {shape_of(x)} and {shape_of(target)}")


@spelled(f"{F}linear")
def linear(m: Any, x: Any, weight: Any, bias: Any = None) -> Any:
    rank = len(shape_of(weight))
    product = m.matmul(x, m.transpose(weight) if rank == 2 else weight)
    return product if bias is None else product + bias


@spelled("torch.addmm", "torch.Tensor.addmm")
def addmm(m: Any, x: Any, mat1: Any, mat2: Any, beta: Any = 1, alpha: Any = 1) -> Any:
    product = m.matmul(mat1, mat2)
    return (x if beta == 1 else beta * x) + (product if alpha == 1 else alpha * product)


@spelled(f"{F}mse_loss")
def mse_loss(m: Any, x: Any, target: Any, reduction: Any = "mean", **_: Any) -> Any:
    _same(x, target, "mse_loss")
    return _reduce(m, (x - target) ** 2, reduction)


@spelled(f"{F}l1_loss")
def l1_loss(m: Any, x: Any, target: Any, reduction: Any = "mean", **_: Any) -> Any:
    _same(x, target, "l1_loss")
    return _reduce(m, m.abs(x - target), reduction)


@spelled(f"{F}binary_cross_entropy")
def binary_cross_entropy(m: Any, x: Any, target: Any, weight: Any = None, reduction: Any = "mean", **_: Any) -> Any:
    _same(x, target, "binary_cross_entropy")
    losses = -(target * m.log(x) + (1 - target) * m.log(1 - x))
    return _reduce(m, losses if weight is None else losses * weight, reduction)


@spelled(f"{F}binary_cross_entropy_with_logits")
def binary_cross_entropy_with_logits(
    m: Any, x: Any, target: Any, weight: Any = None, reduction: Any = "mean", pos_weight: Any = None, **_: Any
) -> Any:
    _same(x, target, "binary_cross_entropy_with_logits")
    ones = target if pos_weight is None else target * pos_weight
    losses = -(ones * m.logsigmoid(x) + (1 - target) * m.logsigmoid(-x))
    return _reduce(m, losses if weight is None else losses * weight, reduction)


@spelled(f"{F}nll_loss")
def nll_loss(
    m: Any, x: Any, target: Any, weight: Any = None, reduction: Any = "mean", ignore_index: Any = -100, **_: Any
) -> Any:
    """Minus the entries that the labels pick from log-probabilities of shape (N, C), (N, C, ...) or (C,), each times
    the weight of its class, of shape (C,); what is labelled ``ignore_index`` is left out."""
    import numpy as np

    shape = shape_of(x)
    if not shape_of(target) and len(shape) == 1:
        return -item(m, x, target)
    if (shape[0], *shape[2:]) != shape_of(target):
        raise ShapeError(f"nll_loss of shape {shape} with labels of shape {shape_of(target)}")
    labels = np.asarray(getattr(target, "raw", target))
    left_out = bool(np.any(labels == int(getattr(ignore_index, "raw", ignore_index))))
    kept = m.ne(target, ignore_index) if left_out else None
    target = m.where(kept, target, 0) if left_out else target
    rest = [np.arange(n).reshape([-1 if i == a else 1 for i in range(len(shape) - 1)])
            for a, n in enumerate((shape[0], *shape[2:]))]  # fmt: skip
    losses = -item(m, x, (rest[0], target, *rest[1:]))
    weights = item(m, weight, target) if weight is not None else None
    if left_out:
        weights = m.where(kept, 1.0 if weights is None else weights, 0.0)
    if weights is None:
        return _reduce(m, losses, reduction)
    losses = losses * weights
    return m.sum(losses) / m.sum(weights) if reduction == "mean" else _reduce(m, losses, reduction)


@spelled(f"{F}cross_entropy")
def cross_entropy(
    m: Any, x: Any, target: Any, weight: Any = None, reduction: Any = "mean", label_smoothing: Any = 0.0, **other: Any
) -> Any:
    """log_softmax, then the labels' entries; or the labels may be probabilities of the scores' own shape. Smoothed,
    with ``C`` classes, a label is worth ``1 - label_smoothing``, and every class ``label_smoothing/C``."""
    axis = 1 if len(shape_of(x)) > 1 else 0
    logs = m.log_softmax(x, axis=axis)
    if shape_of(target) != shape_of(x):
        sharp = nll_loss(m, logs, target, weight, reduction, **other)
        if not label_smoothing:
            return sharp
        if weight is not None or any(v not in (None, -100) for v in other.values()):
            raise Unsupported("cross_entropy with label smoothing and weights or ignored labels")
        smooth = _reduce(m, -m.mean(logs, axis=axis), reduction)
        return (1 - label_smoothing) * sharp + label_smoothing * smooth
    if label_smoothing:
        target = (1 - label_smoothing) * target + label_smoothing / shape_of(x)[axis]
    if weight is not None:
        raise Unsupported("cross_entropy of probabilities with weights")
    losses = -m.sum(target * logs, axis=axis)
    return _reduce(m, losses, reduction)


@spelled(f"{F}layer_norm")
def layer_norm(m: Any, x: Any, normalized_shape: Any, weight: Any = None, bias: Any = None, eps: Any = 1e-5) -> Any:
    rank = len(normalized_shape)
    axes = tuple(range(len(shape_of(x)) - rank, len(shape_of(x))))
    out = _normal(m, x, axes, eps)
    out = out if weight is None else out * weight
    return out if bias is None else out + bias


def _normal(m: Any, x: Any, axes: tuple[int, ...], eps: Any) -> Any:
    centred = x - m.mean(x, axis=axes, keepdims=True)
    return centred / m.sqrt(m.mean(centred**2, axis=axes, keepdims=True) + eps)


@spelled(f"{F}batch_norm")
def batch_norm(
    m: Any, x: Any, running_mean: Any = None, running_var: Any = None, weight: Any = None, bias: Any = None,
    training: Any = False, momentum: Any = 0.1, eps: Any = 1e-5,
) -> Any:  # fmt: skip
    """Over all axes but the second. The running statistics are not updated."""
    rank = len(shape_of(x))

    def channels(v: Any) -> Any:
        return v if rank == 2 else m.reshape(v, shape=(1, -1, *(1,) * (rank - 2)))

    if training or running_mean is None:
        out = _normal(m, x, (0, *range(2, rank)), eps)
    else:
        out = (x - channels(running_mean)) / m.sqrt(channels(running_var) + eps)
    out = out if weight is None else out * channels(weight)
    return out if bias is None else out + channels(bias)


@spelled(f"{F}embedding")
def embedding(m: Any, x: Any, weight: Any, padding_idx: Any = None) -> Any:
    return item(m, weight, x)


@spelled("torch.masked_fill", "torch.Tensor.masked_fill")
def masked_fill(m: Any, x: Any, mask: Any, value: Any) -> Any:
    return m.where(mask, value, x)


@spelled("torch.index_add", "torch.Tensor.index_add", rename={"tensor": "source"})
def index_add(m: Any, x: Any, axis: Any, index: Any, source: Any, alpha: Any = 1) -> Any:
    where = one_axis(axis, len(shape_of(x)), "index_add", shape_of(x))
    spec, operands = encode((*(slice(None),) * where, index), 2)
    return m.add_at(x, source if alpha == 1 else alpha * source, *operands, spec=spec)


@spelled("torch.scatter_add", "torch.Tensor.scatter_add", rename={"src": "source"})
def scatter_add(m: Any, x: Any, axis: Any, index: Any, source: Any) -> Any:
    where = one_axis(axis, len(shape_of(x)), "scatter_add", shape_of(x))
    spec, operands = encode(along(x, index, where), 2)
    return m.add_at(x, source, *operands, spec=spec)


@spelled("torch.scatter", "torch.Tensor.scatter", rename={"src": "source", "value": "source"})
def scatter(m: Any, x: Any, axis: Any, index: Any, source: Any) -> Any:
    where = one_axis(axis, len(shape_of(x)), "scatter", shape_of(x))
    spec, operands = encode(along(x, index, where), 2)
    return m.set(x, source, *operands, spec=spec)


# --- windows ------------------------------------------------------------------------------------------------------


def _pair(value: Any, n: int) -> tuple[int, ...]:
    return tuple(int(v) for v in value) if isinstance(value, tuple | list) else (int(value),) * n


def windows(m: Any, x: Any, size: tuple[int, ...], stride: tuple[int, ...]) -> Any:
    """The last axes cut into overlapping windows: (..., H, W) -> (..., H', W', kh, kw)."""
    import numpy as np

    shape = shape_of(x)
    rank, n = len(shape), len(size)
    counts = tuple((shape[rank - n + i] - size[i]) // stride[i] + 1 for i in range(n))
    if any(c < 1 for c in counts):
        raise ShapeError(f"windows of shape {size} do not fit into shape {shape}")
    spec: list[Any] = ["..."]
    for i in range(n):
        places = np.arange(counts[i])[:, None] * stride[i] + np.arange(size[i])[None, :]
        ones = [1] * (2 * n)
        ones[i], ones[n + i] = places.shape
        spec.append(("ints", tuple(ones), tuple(places.ravel().tolist())))
    return m.index(x, spec=tuple(spec))


def _convolution(n: int) -> Any:
    def call(
        m: Any, x: Any, weight: Any, bias: Any = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1,
        groups: Any = 1,
    ) -> Any:  # fmt: skip
        if _pair(dilation, n) != (1,) * n or groups != 1 or isinstance(padding, str):
            raise Unsupported(f"conv{n}d with dilation, groups or padding by name")
        wide = torch_pad(m, x, [p for v in reversed(_pair(padding, n)) for p in (v, v)])
        if shape_of(wide)[1] != shape_of(weight)[1]:
            raise ShapeError(f"conv{n}d of shape {shape_of(x)} with a kernel of shape {shape_of(weight)}")
        cut = windows(m, wide, shape_of(weight)[2:], _pair(stride, n))
        out = m.einsum(cut, weight, spec="nchwij,ocij->nohw" if n == 2 else "nchi,oci->noh")
        return out if bias is None else out + m.reshape(bias, shape=(-1, *(1,) * n))

    return call


def _pooling(n: int, reduce: str) -> Any:
    def call(m: Any, x: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, **other: Any) -> Any:
        size = _pair(kernel_size, n)
        around = _pair(padding, n)
        if any(v not in (None, False, 1, True) for v in other.values()):
            raise Unsupported(f"pooling with {', '.join(sorted(other))}")
        if any(around):
            sides = [p for v in reversed(around) for p in (v, v)]
            x = torch_pad(m, x, sides, value=-math.inf if reduce == "amax" else 0)
        cut = windows(m, x, size, size if stride is None else _pair(stride, n))
        return getattr(m, reduce)(cut, axis=tuple(range(-n, 0)))

    return call


for _n in (1, 2):
    spelled(f"{F}conv{_n}d", f"torch.conv{_n}d")(_convolution(_n))
    spelled(f"{F}max_pool{_n}d", f"torch.max_pool{_n}d")(_pooling(_n, "amax"))
    spelled(f"{F}avg_pool{_n}d")(_pooling(_n, "mean"))
