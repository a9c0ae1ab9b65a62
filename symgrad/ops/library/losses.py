"""Losses of ``torch.nn.functional``, composed of ops of the table."""

from __future__ import annotations

import math
from typing import Any

from symgrad.errors import Unsupported
from symgrad.ops.library.normalising import pairwise_distance
from symgrad.ops.library.picking import item
from symgrad.ops.library.special import somewhere, xlogy
from symgrad.ops.library.spelling import spelled
from symgrad.ops.tensor import ShapeError, shape_of

F = "torch.nn.functional."


def _reduce(m: Any, losses: Any, reduction: Any, other: dict[str, Any] | None = None) -> Any:
    """The mean or the sum; torch's older words for these, ``size_average`` and ``reduce``, are in ``other``."""
    old = dict(other or {})
    average, reduce = old.pop("size_average", None), old.pop("reduce", None)
    if any(v is not None for v in old.values()):
        raise Unsupported(f"a loss with {', '.join(sorted(k for k, v in old.items() if v is not None))}")
    if average is not None or reduce is not None:
        reduction = "none" if reduce is False else "sum" if average is False else "mean"
    if reduction == "none":
        return losses
    if reduction not in ("mean", "sum"):
        raise Unsupported(f"a loss with reduction {reduction!r}")
    return getattr(m, reduction)(losses)


def _same(x: Any, target: Any, what: str) -> None:
    """torch broadcasts with a warning; that is nearly always a mistake, but not one of shape."""
    if shape_of(x) != shape_of(target):
        raise Unsupported(f"{what} of shapes {shape_of(x)} and {shape_of(target)}")


@spelled(f"{F}mse_loss")
def mse_loss(m: Any, x: Any, target: Any, reduction: Any = "mean", **other: Any) -> Any:
    _same(x, target, "mse_loss")
    return _reduce(m, (x - target) ** 2, reduction, other)


@spelled(f"{F}l1_loss")
def l1_loss(m: Any, x: Any, target: Any, reduction: Any = "mean", **other: Any) -> Any:
    _same(x, target, "l1_loss")
    return _reduce(m, m.abs(x - target), reduction, other)


@spelled(f"{F}binary_cross_entropy")
def binary_cross_entropy(
    m: Any, x: Any, target: Any, weight: Any = None, reduction: Any = "mean", **other: Any
) -> Any:
    _same(x, target, "binary_cross_entropy")
    losses = -(target * m.log(x) + (1 - target) * m.log(1 - x))
    return _reduce(m, losses if weight is None else losses * weight, reduction, other)


@spelled(f"{F}binary_cross_entropy_with_logits")
def binary_cross_entropy_with_logits(
    m: Any, x: Any, target: Any, weight: Any = None, reduction: Any = "mean", pos_weight: Any = None, **other: Any
) -> Any:
    _same(x, target, "binary_cross_entropy_with_logits")
    ones = target if pos_weight is None else target * pos_weight
    losses = -(ones * m.logsigmoid(x) + (1 - target) * m.logsigmoid(-x))
    return _reduce(m, losses if weight is None else losses * weight, reduction, other)


@spelled(f"{F}nll_loss")
def nll_loss(
    m: Any, x: Any, target: Any, weight: Any = None, reduction: Any = "mean", ignore_index: Any = -100, **other: Any
) -> Any:
    """Minus the entries that the labels pick from log-probabilities of shape (N, C), (N, C, ...) or (C,), each times
    the weight of its class, of shape (C,); what is labelled ``ignore_index`` is left out."""
    import numpy as np

    shape = shape_of(x)
    if not shape_of(target) and len(shape) == 1:
        return _reduce(m, -item(m, x, target), "none", other)
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
        return _reduce(m, losses, reduction, other)
    losses = losses * weights
    if other.get("size_average") is not None or other.get("reduce") is not None:
        raise Unsupported("nll_loss with weights or ignored labels, and size_average or reduce")
    return m.sum(losses) / m.sum(weights) if reduction == "mean" else _reduce(m, losses, reduction, other)


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
    return _reduce(m, losses, reduction, {k: v for k, v in other.items() if k != "ignore_index"})




# --- distances ----------------------------------------------------------------------------------------------------


@spelled(f"{F}smooth_l1_loss")
def smooth_l1_loss(m: Any, x: Any, target: Any, *, reduction: Any = "mean", beta: Any = 1.0, **other: Any) -> Any:
    """``0.5*d**2/beta`` of distances below ``beta``, ``d - 0.5*beta`` of others."""
    _same(x, target, "smooth_l1_loss")
    apart = x - target
    size = m.abs(apart)
    losses = m.where(m.lt(size, beta), 0.5 * apart**2 / beta, size - 0.5 * beta) if beta else size
    return _reduce(m, losses, reduction, other)


@spelled(f"{F}huber_loss")
def huber_loss(m: Any, x: Any, target: Any, reduction: Any = "mean", delta: Any = 1.0, weight: Any = None) -> Any:
    _same(x, target, "huber_loss")
    apart = x - target
    size = m.abs(apart)
    losses = m.where(m.le(size, delta), 0.5 * apart**2, delta * (size - 0.5 * delta))
    return _reduce(m, losses, reduction, {"weight": weight})


@spelled(f"{F}triplet_margin_loss", "torch.triplet_margin_loss")
def triplet_margin_loss(
    m: Any, anchor: Any, positive: Any, negative: Any, margin: Any = 1.0, p: Any = 2, eps: Any = 1e-6,
    swap: Any = False, size_average: Any = None, reduce: Any = None, reduction: Any = "mean",
) -> Any:  # fmt: skip
    near = pairwise_distance(m, anchor, positive, p, eps)
    far = pairwise_distance(m, anchor, negative, p, eps)
    if swap:
        far = m.min(far, pairwise_distance(m, positive, negative, p, eps))
    losses = m.relu(margin + near - far)
    return _reduce(m, losses, reduction, {"size_average": size_average, "reduce": reduce})


# --- of likelihoods -----------------------------------------------------------------------------------------------


@spelled(f"{F}kl_div", "torch.kl_div")
def kl_div(
    m: Any, x: Any, target: Any, size_average: Any = None, reduce: Any = None, reduction: Any = "mean",
    log_target: Any = False,
) -> Any:  # fmt: skip
    """``target*(log(target) - x)`` of log-probabilities ``x``: the mean is over all entries, ``batchmean`` divides the
    sum by the length of the first axis."""
    losses = m.exp(target) * (target - x) if log_target else xlogy(m, target, target) - target * x
    if reduction == "batchmean":
        return m.sum(losses) / shape_of(x)[0]
    return _reduce(m, losses, reduction, {"size_average": size_average, "reduce": reduce})


@spelled(f"{F}poisson_nll_loss", "torch.poisson_nll_loss")
def poisson_nll_loss(
    m: Any, x: Any, target: Any, log_input: Any = True, full: Any = False, size_average: Any = None, eps: Any = 1e-8,
    reduce: Any = None, reduction: Any = "mean",
) -> Any:  # fmt: skip
    losses = m.exp(x) - target * x if log_input else x - target * m.log(x + eps)
    if full:  # Stirling's approximation of log(target!)
        many = m.gt(target, 1)
        count = m.where(many, target, 1.0)
        stirling = count * m.log(count) - count + 0.5 * m.log(2 * math.pi * count)
        losses = losses + m.where(many, stirling, 0.0)
    return _reduce(m, losses, reduction, {"size_average": size_average, "reduce": reduce})


@spelled(f"{F}gaussian_nll_loss")
def gaussian_nll_loss(
    m: Any, x: Any, target: Any, var: Any, full: Any = False, eps: Any = 1e-6, reduction: Any = "mean"
) -> Any:
    """Half of ``log(var) + (x - target)**2/var``.

    Raises:
        Unsupported: a variance below ``eps``: torch puts ``eps`` there and differentiates as if it had not.
    """
    if somewhere(var, lambda v: v < eps, unknown=False):
        raise Unsupported("gaussian_nll_loss of a variance below eps")
    if shape_of(var) == shape_of(x)[:-1] and shape_of(x):
        var = m.reshape(var, shape=(*shape_of(var), 1))
    losses = 0.5 * (m.log(var) + (x - target) ** 2 / var)
    return _reduce(m, losses + 0.5 * math.log(2 * math.pi) if full else losses, reduction)


# --- of margins ---------------------------------------------------------------------------------------------------


@spelled(f"{F}soft_margin_loss")
def soft_margin_loss(m: Any, x: Any, target: Any, *, reduction: Any = "mean", **other: Any) -> Any:
    return _reduce(m, m.softplus(-target * x), reduction, other)


@spelled(f"{F}hinge_embedding_loss", "torch.hinge_embedding_loss")
def hinge_embedding_loss(
    m: Any, x: Any, target: Any, margin: Any = 1.0, *, reduction: Any = "mean", **other: Any
) -> Any:
    """``x`` of what is labelled 1, ``max(0, margin - x)`` of what is labelled -1."""
    unlike = m.where(m.ne(target, 1), m.relu(margin - x), 0.0)
    return _reduce(m, unlike + m.where(m.ne(target, -1), x, 0.0), reduction, other)


@spelled(f"{F}margin_ranking_loss", "torch.margin_ranking_loss")
def margin_ranking_loss(
    m: Any, input1: Any, input2: Any, target: Any, margin: Any = 0, *, reduction: Any = "mean", **other: Any
) -> Any:
    return _reduce(m, m.relu(-target * (input1 - input2) + margin), reduction, other)


@spelled(f"{F}cosine_embedding_loss", "torch.cosine_embedding_loss")
def cosine_embedding_loss(
    m: Any, input1: Any, input2: Any, target: Any, margin: Any = 0, *, reduction: Any = "mean", **other: Any
) -> Any:
    """``1 - cos`` of what is labelled 1, ``max(0, cos - margin)`` of what is labelled -1."""
    squares = [m.sum(x * x, axis=-1) + 1e-12 for x in (input1, input2)]
    cosine = m.sum(input1 * input2, axis=-1) / m.sqrt(squares[0] * squares[1])
    like = m.where(m.eq(target, 1), 1 - cosine, 0.0)
    return _reduce(m, like + m.where(m.eq(target, -1), m.relu(cosine - margin), 0.0), reduction, other)


@spelled(f"{F}multi_margin_loss")
def multi_margin_loss(
    m: Any, x: Any, target: Any, p: Any = 1, margin: Any = 1.0, weight: Any = None, *, reduction: Any = "mean",
    **other: Any,
) -> Any:  # fmt: skip
    """Of scores (N, C) and labels (N,): every other class's ``max(0, margin - x[label] + x)``, over ``C``."""
    import numpy as np

    count, classes = shape_of(x)
    own = item(m, x, (np.arange(count), target))
    excess = m.relu(margin - m.reshape(own, shape=(-1, 1)) + x) ** p
    losses = (m.sum(excess, axis=1) - max(margin, 0.0) ** p) / classes  # without the label's own, which is the margin
    losses = losses if weight is None else losses * item(m, weight, target)
    return _reduce(m, losses, reduction, other)


@spelled(f"{F}multilabel_soft_margin_loss")
def multilabel_soft_margin_loss(
    m: Any, x: Any, target: Any, weight: Any = None, *, reduction: Any = "mean", **other: Any
) -> Any:
    losses = -(target * m.logsigmoid(x) + (1 - target) * m.logsigmoid(-x))
    return _reduce(m, m.mean(losses if weight is None else losses * weight, axis=-1), reduction, other)
