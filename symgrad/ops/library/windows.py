"""Windows over pictures and sequences: convolutions, pooling, ``unfold`` and ``fold``, in ops of the table."""

from __future__ import annotations

import math
from typing import Any

from symgrad.errors import Unsupported
from symgrad.ops.library.moving import torch_pad
from symgrad.ops.library.spelling import spelled
from symgrad.ops.tensor import ShapeError, shape_of

F = "torch.nn.functional."


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
