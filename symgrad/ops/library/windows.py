"""Windows over pictures and sequences: convolutions, pooling, ``unfold`` and ``fold``, in ops of the table."""

from __future__ import annotations

import math
from typing import Any

from symgrad.errors import Unsupported
from symgrad.ops.library.moving import torch_pad
from symgrad.ops.library.spelling import spelled
from symgrad.ops.shapes import WHOLE
from symgrad.ops.tensor import ShapeError, shape_of

F = "torch.nn.functional."


def _pair(value: Any, n: int) -> tuple[int, ...]:
    return tuple(int(v) for v in value) if isinstance(value, tuple | list) else (int(value),) * n


def _places(size: tuple[int, ...], window: tuple[int, ...], stride: tuple[int, ...], apart: tuple[int, ...]) -> Any:
    """The index of overlapping windows over the last axes, of these lengths; entries of a window are ``apart``."""
    import numpy as np

    n = len(window)
    counts = tuple((size[i] - apart[i] * (window[i] - 1) - 1) // stride[i] + 1 for i in range(n))
    if any(c < 1 for c in counts):
        raise ShapeError(f"windows of shape {window} do not fit into shape {size}")
    spec: list[Any] = ["..."]
    for i in range(n):
        places = np.arange(counts[i])[:, None] * stride[i] + np.arange(window[i])[None, :] * apart[i]
        ones = [1] * (2 * n)
        ones[i], ones[n + i] = places.shape
        spec.append(("ints", tuple(ones), tuple(places.ravel().tolist())))
    return tuple(spec)


def windows(
    m: Any, x: Any, size: tuple[int, ...], stride: tuple[int, ...], dilation: tuple[int, ...] | None = None
) -> Any:
    """The last axes cut into overlapping windows: (..., H, W) -> (..., H', W', kh, kw)."""
    n = len(size)
    return m.index(x, spec=_places(shape_of(x)[-n:], size, stride, dilation or (1,) * n))


def _around(m: Any, x: Any, padding: tuple[int, ...], value: float = 0) -> Any:
    return torch_pad(m, x, [p for v in reversed(padding) for p in (v, v)], value=value) if any(padding) else x


def _grouped(m: Any, cut: Any, weight: Any, groups: int, n: int) -> Any:
    """Windows (N, C, places, kernel) times weights (O, C/groups, kernel)."""
    spec = "nchwij,ocij->nohw" if n == 2 else "nchi,oci->noh"
    if groups == 1:
        return m.einsum(cut, weight, spec=spec)
    channels, outs = shape_of(cut)[1] // groups, shape_of(weight)[0] // groups
    parts = []
    for g in range(groups):
        mine = m.index(cut, spec=(WHOLE, ("slice", g * channels, (g + 1) * channels, None)))
        kernel = m.index(weight, spec=(("slice", g * outs, (g + 1) * outs, None),))
        parts.append(m.einsum(mine, kernel, spec=spec))
    return m.concatenate(*parts, axis=1)


def _convolution(n: int) -> Any:
    def call(
        m: Any, x: Any, weight: Any, bias: Any = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1,
        groups: Any = 1,
    ) -> Any:  # fmt: skip
        if len(shape_of(x)) == n + 1:  # one picture, without a batch
            one = call(m, m.reshape(x, shape=(1, *shape_of(x))), weight, bias, stride, padding, dilation, groups)
            return m.reshape(one, shape=shape_of(one)[1:])
        apart, kernel = _pair(dilation, n), shape_of(weight)[2:]
        if isinstance(padding, str):
            if padding not in ("valid", "same"):
                raise Unsupported(f"conv{n}d with padding {padding!r}")
            reach = [a * (k - 1) if padding == "same" else 0 for a, k in zip(apart, kernel, strict=True)]
            wide = torch_pad(m, x, [p for r in reversed(reach) for p in (r // 2, r - r // 2)])
        else:
            wide = _around(m, x, _pair(padding, n))
        if shape_of(wide)[1] != shape_of(weight)[1] * groups or shape_of(weight)[0] % groups:
            raise ShapeError(f"conv{n}d of shape {shape_of(x)} with a kernel of shape {shape_of(weight)}")
        out = _grouped(m, windows(m, wide, kernel, _pair(stride, n), apart), weight, int(groups), n)
        return out if bias is None else out + m.reshape(bias, shape=(-1, *(1,) * n))

    return call


def _folded(m: Any, cut: Any, size: tuple[int, ...], spec: Any, n: int) -> Any:
    """Windows (..., H', W', kh, kw) added up where they come from."""
    zeros = m.broadcast_to(0.0, shape=(*shape_of(cut)[: -2 * n], *size))
    return m.add_at(zeros, cut, spec=spec)


def _without(m: Any, x: Any, padding: tuple[int, ...]) -> Any:
    """The inner part."""
    if not any(padding):
        return x
    ends = shape_of(x)[-len(padding) :]
    return m.index(x, spec=("...", *(("slice", p, e - p, None) for p, e in zip(padding, ends, strict=True))))


def _transposed(n: int) -> Any:
    def call(
        m: Any, x: Any, weight: Any, bias: Any = None, stride: Any = 1, padding: Any = 0, output_padding: Any = 0,
        groups: Any = 1, dilation: Any = 1,
    ) -> Any:  # fmt: skip
        """Each entry times the kernel (C, O, kernel), added up where a convolution would have read it from."""
        if groups != 1 or any(_pair(output_padding, n)):
            raise Unsupported(f"conv_transpose{n}d with groups or output_padding")
        steps, apart, kernel = _pair(stride, n), _pair(dilation, n), shape_of(weight)[2:]
        spread = m.einsum(x, weight, spec="nchw,coij->nohwij" if n == 2 else "nch,coi->nohi")
        size = tuple(
            (shape_of(x)[2 + i] - 1) * steps[i] + apart[i] * (kernel[i] - 1) + 1 for i in range(n)
        )
        out = _without(m, _folded(m, spread, size, _places(size, kernel, steps, apart), n), _pair(padding, n))
        return out if bias is None else out + m.reshape(bias, shape=(-1, *(1,) * n))

    return call


@spelled(f"{F}unfold", rename={"kernel_size": "size"})
def unfold(m: Any, x: Any, size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Any:
    """The windows of (N, C, H, W) as columns: (N, C*kh*kw, windows)."""
    window = _pair(size, 2)
    cut = windows(m, _around(m, x, _pair(padding, 2)), window, _pair(stride, 2), _pair(dilation, 2))
    count, channels = shape_of(x)[:2]
    columns = m.transpose(cut, axes=(0, 1, 4, 5, 2, 3))
    return m.reshape(columns, shape=(count, channels * window[0] * window[1], -1))


@spelled(f"{F}fold", rename={"kernel_size": "size"})
def fold(m: Any, x: Any, output_size: Any, size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Any:
    """Columns (N, C*kh*kw, windows) added up where their windows are: (N, C, H, W)."""
    window, around = _pair(size, 2), _pair(padding, 2)
    whole = tuple(n + 2 * p for n, p in zip(_pair(output_size, 2), around, strict=True))
    spec = _places(whole, window, _pair(stride, 2), _pair(dilation, 2))
    counts = (spec[1][1][0], spec[2][1][1])
    cut = m.reshape(x, shape=(shape_of(x)[0], -1, *window, *counts))
    return _without(m, _folded(m, m.transpose(cut, axes=(0, 1, 4, 5, 2, 3)), whole, spec, 2), around)


def _adaptive(n: int) -> Any:
    def call(m: Any, x: Any, output_size: Any) -> Any:
        """The means of so many parts of each axis, which overlap where they must."""
        wanted = output_size if isinstance(output_size, tuple | list) else (output_size,) * n
        for k, parts in enumerate(wanted):
            axis = len(shape_of(x)) - n + k
            length = shape_of(x)[axis]
            if parts is None:
                continue
            ends = [(i * length // parts, -(-(i + 1) * length // parts)) for i in range(int(parts))]
            cut = [m.index(x, spec=(*(WHOLE,) * axis, ("slice", a, b, None))) for a, b in ends]
            x = m.concatenate(*(m.mean(c, axis=axis, keepdims=True) for c in cut), axis=axis)
        return x

    return call


@spelled(f"{F}pixel_shuffle", "torch.pixel_shuffle")
def pixel_shuffle(m: Any, x: Any, upscale_factor: Any) -> Any:
    *lead, channels, height, width = shape_of(x)
    r = int(upscale_factor)
    six = m.reshape(x, shape=(-1, channels // (r * r), r, r, height, width))
    turned = m.transpose(six, axes=(0, 1, 4, 2, 5, 3))
    return m.reshape(turned, shape=(*lead, channels // (r * r), height * r, width * r))


@spelled(f"{F}interpolate")
def interpolate(
    m: Any, x: Any, size: Any = None, scale_factor: Any = None, mode: Any = "nearest", align_corners: Any = None,
    recompute_scale_factor: Any = None, antialias: Any = False,
) -> Any:  # fmt: skip
    """The nearest entry, or straight lines between the middles (or the corners) of entries, axis by axis."""
    if mode not in ("nearest", "linear", "bilinear", "trilinear") or antialias:
        raise Unsupported(f"interpolate with mode {mode}" + (" and antialias" if antialias else ""))
    shape = shape_of(x)
    n = len(shape) - 2
    factors = None if scale_factor is None else [scale_factor] * n if isinstance(scale_factor, float | int) else list(
        scale_factor
    )
    for k in range(n):
        length = shape[2 + k]
        wanted = int(length * factors[k]) if factors is not None else int(_pair(size, n)[k])
        ratio = 1 / factors[k] if factors is not None and not recompute_scale_factor else length / wanted
        x = _stretched(m, x, 2 + k, wanted, ratio, str(mode), bool(align_corners))
    return x


def _stretched(m: Any, x: Any, axis: int, wanted: int, ratio: float, mode: str, corners: bool) -> Any:
    import numpy as np

    length = shape_of(x)[axis]

    def at(places: Any) -> Any:
        chosen = np.minimum(places, length - 1).astype(int)
        return m.index(x, spec=(*(WHOLE,) * axis, ("ints", (wanted,), tuple(chosen.tolist()))))

    if mode == "nearest":
        return at(np.floor(np.arange(wanted) * ratio))
    if corners:
        source = np.arange(wanted) * ((length - 1) / (wanted - 1) if wanted > 1 else 0.0)
    else:
        source = np.maximum((np.arange(wanted) + 0.5) * ratio - 0.5, 0.0)
    low = np.minimum(np.floor(source), length - 1)
    share = (source - low).reshape(-1, *(1,) * (len(shape_of(x)) - axis - 1))
    return m.add(m.mul(at(low), 1 - share), m.mul(at(low + 1), share))


#: What these arguments of a pooling must be, where they are given.
_PLAIN = {"ceil_mode": False, "dilation": 1, "return_indices": False, "count_include_pad": True}


def _pooling(n: int, reduce: str) -> Any:
    def call(m: Any, x: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, **other: Any) -> Any:
        size = _pair(kernel_size, n)
        around = _pair(padding, n)
        plain = _PLAIN if any(around) else _PLAIN | {"count_include_pad": False}
        for word, value in other.items():
            if value is not None and value != plain.get(word) and value != _PLAIN.get(word):
                raise Unsupported(f"pooling with {word}")
        x = _around(m, x, around, -math.inf if reduce == "amax" else 0)
        cut = windows(m, x, size, size if stride is None else _pair(stride, n))
        return getattr(m, reduce)(cut, axis=tuple(range(-n, 0)))

    return call


for _n in (1, 2):
    spelled(f"{F}conv{_n}d", f"torch.conv{_n}d")(_convolution(_n))
    spelled(f"{F}conv_transpose{_n}d", f"torch.conv_transpose{_n}d")(_transposed(_n))
    spelled(f"{F}max_pool{_n}d", f"torch.max_pool{_n}d")(_pooling(_n, "amax"))
    spelled(f"{F}avg_pool{_n}d")(_pooling(_n, "mean"))
    spelled(f"{F}adaptive_avg_pool{_n}d")(_adaptive(_n))
