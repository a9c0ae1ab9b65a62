"""Layers that normalise: ``layer_norm``, ``batch_norm``, ``group_norm``, ``rms_norm``, ..., in ops of the table."""

from __future__ import annotations

from typing import Any

from symgrad.errors import Unsupported
from symgrad.ops.library.reductions import norm
from symgrad.ops.library.special import somewhere
from symgrad.ops.library.spelling import spelled
from symgrad.ops.tensor import ShapeError, shape_of

F = "torch.nn.functional."


@spelled(f"{F}layer_norm", "torch.layer_norm")
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




@spelled(f"{F}group_norm", "torch.group_norm")
def group_norm(
    m: Any, x: Any, num_groups: Any, weight: Any = None, bias: Any = None, eps: Any = 1e-5, cudnn_enabled: Any = True
) -> Any:
    """Over the channels of a group, of (N, C, ...), and all that comes after them."""
    shape = shape_of(x)
    groups = int(num_groups)
    if len(shape) < 2 or shape[1] % groups:
        raise ShapeError(f"group_norm of shape {shape} in {groups} groups")
    out = _normal(m, m.reshape(x, shape=(shape[0], groups, -1)), (2,), eps)
    return _scaled(m, m.reshape(out, shape=shape), weight, bias)


@spelled(f"{F}instance_norm", "torch.instance_norm")
def instance_norm(
    m: Any, x: Any, running_mean: Any = None, running_var: Any = None, weight: Any = None, bias: Any = None,
    use_input_stats: Any = True, momentum: Any = 0.1, eps: Any = 1e-5,
) -> Any:  # fmt: skip
    """Over all axes but the first two. The running statistics are not updated."""
    if not use_input_stats:
        return batch_norm(m, x, running_mean, running_var, weight, bias, False, momentum, eps)
    return _scaled(m, _normal(m, x, tuple(range(2, len(shape_of(x)))), eps), weight, bias)


def _scaled(m: Any, x: Any, weight: Any, bias: Any) -> Any:
    """Each channel times its weight, with its bias."""
    shape = (-1, *(1,) * (len(shape_of(x)) - 2))
    if weight is not None:
        x = x * m.reshape(weight, shape=shape)
    return x if bias is None else x + m.reshape(bias, shape=shape)


@spelled(f"{F}rms_norm", "torch.rms_norm")
def rms_norm(m: Any, x: Any, normalized_shape: Any, weight: Any = None, eps: Any = None) -> Any:
    """``eps`` is the roundoff of the array's dtype where none is given."""
    import numpy as np

    rank = len(normalized_shape)
    if shape_of(x)[-rank:] != tuple(int(n) for n in normalized_shape):
        raise ShapeError(f"rms_norm of shape {shape_of(x)} over {tuple(normalized_shape)}")
    if eps is None:
        double = getattr(x, "dtype", "float32") == "float64"
        eps = float(np.finfo(np.float64 if double else np.float32).eps)
    out = x / m.sqrt(m.mean(x**2, axis=tuple(range(-rank, 0)), keepdims=True) + eps)
    return out if weight is None else out * weight


@spelled(f"{F}normalize", rename={"p": "ord"})
def normalize(m: Any, x: Any, ord: Any = 2.0, axis: Any = 1, eps: Any = 1e-12) -> Any:
    return x / m.max(norm(m, x, ord, axis, True), eps)


@spelled(f"{F}cosine_similarity", "torch.cosine_similarity")
def cosine_similarity(m: Any, x1: Any, x2: Any, axis: Any = 1, eps: Any = 1e-8) -> Any:
    """The product of the two over the product of their norms.

    Raises:
        Unsupported: a norm below ``eps``: torch puts ``eps`` there and differentiates as if it had not.
    """
    sizes = [m.norm(x, axis=(axis,), keepdims=False) for x in (x1, x2)]
    if any(somewhere(size, lambda v: v < eps, unknown=False) for size in sizes):
        raise Unsupported("cosine_similarity of a vector with a norm below eps")
    return m.sum(x1 * x2, axis=axis) / (sizes[0] * sizes[1])


@spelled(f"{F}pairwise_distance", "torch.pairwise_distance", rename={"p": "ord"})
def pairwise_distance(m: Any, x1: Any, x2: Any, ord: Any = 2.0, eps: Any = 1e-6, keepdims: Any = False) -> Any:
    return norm(m, x1 - x2 + eps, ord, -1, keepdims)


@spelled("torch.cdist", rename={"p": "ord"})
def cdist(m: Any, x1: Any, x2: Any, ord: Any = 2.0, compute_mode: Any = None) -> Any:
    """The distance of every row of the one from every row of the other."""
    a, b = shape_of(x1), shape_of(x2)
    apart = m.reshape(x1, shape=(*a[:-1], 1, a[-1])) - m.reshape(x2, shape=(*b[:-2], 1, *b[-2:]))
    return norm(m, apart, ord, -1)
