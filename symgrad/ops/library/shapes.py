"""Reshaping, transposing and broadcasting arrays, as NumPy and torch spell it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from symgrad.errors import Unsupported
from symgrad.ops.library.spelling import both, spelled
from symgrad.ops.shapes import WHOLE, one_axis
from symgrad.ops.tensor import ShapeError, shape_of


def several(values: Sequence[Any]) -> tuple[Any, ...]:
    """``f(2, 3)`` and ``f((2, 3))`` are the same."""
    return tuple(values[0]) if len(values) == 1 and isinstance(values[0], tuple | list) else tuple(values)


def rearranged(m: Any, x: Any, how: Callable[[Any], Any]) -> Any:
    """Any function that only moves, repeats or drops entries: it is asked what it does to their numbers."""
    import numpy as np

    shape = shape_of(x)
    places = np.asarray(how(np.arange(math.prod(shape)).reshape(shape)))
    flat = m.reshape(x, shape=(-1,))
    return m.index(flat, spec=(("ints", places.shape, tuple(int(n) for n in places.ravel().tolist())),))


# --- reshape ------------------------------------------------------------------------------------------------------


@spelled("numpy.reshape", "torch.reshape")
def reshape(m: Any, x: Any, *shape: Any, **named: Any) -> Any:
    return m.reshape(x, shape=several((*shape, *named.values())))


@spelled("numpy.ndarray.reshape", "torch.Tensor.reshape", "torch.Tensor.view")
def reshape_method(m: Any, x: Any, *shape: Any, **named: Any) -> Any:
    return m.reshape(x, shape=several((*shape, *named.values())))


@spelled("torch.Tensor.view_as", "torch.Tensor.reshape_as")
def reshape_as(m: Any, x: Any, other: Any) -> Any:
    return m.reshape(x, shape=shape_of(other))


@spelled("numpy.ravel", "numpy.ndarray.ravel", "numpy.ndarray.flatten", "torch.ravel", "torch.Tensor.ravel")
def ravel(m: Any, x: Any, order: Any = "C") -> Any:
    if order not in ("C", "K", "A"):
        raise Unsupported(f"ravel in order {order}")
    return m.reshape(x, shape=(-1,))


@spelled("torch.flatten", "torch.Tensor.flatten")
def flatten(m: Any, x: Any, start_dim: Any = 0, end_dim: Any = -1) -> Any:
    shape = shape_of(x)
    if not shape:
        return m.reshape(x, shape=(1,))
    first, last = (one_axis(a, len(shape), "flatten", shape) for a in (start_dim, end_dim))
    return m.reshape(x, shape=(*shape[:first], math.prod(shape[first : last + 1]), *shape[last + 1 :]))


@spelled(*both("squeeze"))
def squeeze(m: Any, x: Any, axis: Any = None) -> Any:
    """Drop axes of length 1. NumPy refuses to drop another, torch keeps it; here a wrong one is refused."""
    shape = shape_of(x)
    if axis is None:
        return m.reshape(x, shape=tuple(n for n in shape if n != 1))
    given = axis if isinstance(axis, tuple | list) else (axis,)
    drop = {one_axis(a, len(shape), "squeeze", shape) for a in given}
    if any(shape[a] != 1 for a in drop):
        raise ShapeError(f"squeeze over axes {tuple(sorted(drop))} of shape {shape}: only an axis of length 1 can go")
    return m.reshape(x, shape=tuple(n for a, n in enumerate(shape) if a not in drop))


@spelled("numpy.expand_dims", "torch.unsqueeze", "torch.Tensor.unsqueeze")
def expand_dims(m: Any, x: Any, axis: Any) -> Any:
    shape = shape_of(x)
    given = axis if isinstance(axis, tuple | list) else (axis,)
    rank = len(shape) + len(given)
    new = {one_axis(a, rank, "expand_dims", shape) for a in given}
    rest = iter(shape)
    return m.reshape(x, shape=tuple(1 if a in new else next(rest) for a in range(rank)))


@spelled("numpy.atleast_1d", "torch.atleast_1d")
def atleast_1d(m: Any, x: Any, *more: Any) -> Any:
    if more:
        return tuple(atleast_1d(m, a) for a in (x, *more))
    return x if shape_of(x) else m.reshape(x, shape=(1,))


@spelled("numpy.atleast_2d", "torch.atleast_2d")
def atleast_2d(m: Any, x: Any, *more: Any) -> Any:
    if more:
        return tuple(atleast_2d(m, a) for a in (x, *more))
    shape = shape_of(x)
    return x if len(shape) > 1 else m.reshape(x, shape=(1, *shape) if shape else (1, 1))


@spelled("numpy.atleast_3d", "torch.atleast_3d")
def atleast_3d(m: Any, x: Any) -> Any:
    shape = shape_of(x)
    return x if len(shape) > 2 else m.reshape(x, shape=(*shape, 1) if len(shape) == 2 else (1, *(shape or (1,)), 1))


@spelled("torch.unflatten", "torch.Tensor.unflatten", rename={"unflattened_size": "sizes"})
def unflatten(m: Any, x: Any, axis: Any, sizes: Any) -> Any:
    shape = shape_of(x)
    where = one_axis(axis, len(shape), "unflatten", shape)
    known = math.prod(n for n in sizes if n != -1)
    filled = tuple(shape[where] // known if n == -1 else int(n) for n in sizes)
    return m.reshape(x, shape=(*shape[:where], *filled, *shape[where + 1 :]))


# --- transpose ----------------------------------------------------------------------------------------------------


@spelled("numpy.transpose", "numpy.permute_dims")
def transpose(m: Any, x: Any, axes: Any = None) -> Any:
    return m.transpose(x, axes=axes)


@spelled("numpy.ndarray.transpose")
def transpose_method(m: Any, x: Any, *axes: Any) -> Any:
    given = several(axes)
    return m.transpose(x, axes=None if given in ((), (None,)) else given)


@spelled("torch.permute", "torch.Tensor.permute")
def permute(m: Any, x: Any, *axes: Any, **named: Any) -> Any:
    return m.transpose(x, axes=several((*axes, *named.values())))


@spelled("numpy.rollaxis")
def rollaxis(m: Any, x: Any, axis: Any, start: Any = 0) -> Any:
    rank = len(shape_of(x))
    where = one_axis(axis, rank, "rollaxis", shape_of(x))
    to = int(start) + (rank if start < 0 else 0)
    return moveaxis(m, x, where, to - 1 if where < to else to)


@spelled("numpy.matrix_transpose", "numpy.linalg.matrix_transpose", "torch.adjoint")
def matrix_transpose(m: Any, x: Any) -> Any:
    return swapaxes(m, x, -1, -2)


@spelled("torch.t", "torch.Tensor.t")
def transposed(m: Any, x: Any) -> Any:
    """``x.T``, which turns all axes round."""
    return m.transpose(x)


@spelled(
    "numpy.swapaxes", "numpy.ndarray.swapaxes", "torch.transpose", "torch.Tensor.transpose", "torch.swapaxes",
    "torch.Tensor.swapaxes", "torch.swapdims", "torch.Tensor.swapdims", rename={"dim0": "axis1", "dim1": "axis2"},
)  # fmt: skip
def swapaxes(m: Any, x: Any, axis1: Any, axis2: Any) -> Any:
    shape = shape_of(x)
    order = list(range(len(shape)))
    a, b = (one_axis(n, len(shape), "swapaxes", shape) for n in (axis1, axis2))
    order[a], order[b] = order[b], order[a]
    return m.transpose(x, axes=tuple(order))


@spelled("numpy.moveaxis", "torch.moveaxis", "torch.movedim", "torch.Tensor.moveaxis", "torch.Tensor.movedim")
def moveaxis(m: Any, x: Any, source: Any, destination: Any) -> Any:
    shape = shape_of(x)
    rank = len(shape)
    moved, places = (
        [one_axis(a, rank, "moveaxis", shape) for a in (given if isinstance(given, tuple | list) else (given,))]
        for given in (source, destination)
    )
    order = [a for a in range(rank) if a not in moved]
    for place, axis in sorted(zip(places, moved, strict=True)):
        order.insert(place, axis)
    return m.transpose(x, axes=tuple(order))


# --- broadcasting -------------------------------------------------------------------------------------------------


@spelled("numpy.broadcast_to", "torch.broadcast_to")
def broadcast_to(m: Any, x: Any, shape: Any) -> Any:
    return m.broadcast_to(x, shape=shape)


@spelled("torch.Tensor.expand")
def expand(m: Any, x: Any, *shape: Any) -> Any:
    """-1 keeps a length."""
    wanted, have = several(shape), shape_of(x)
    extra = len(wanted) - len(have)
    return m.broadcast_to(x, shape=tuple(have[i - extra] if n == -1 else int(n) for i, n in enumerate(wanted)))


@spelled("torch.Tensor.expand_as")
def expand_as(m: Any, x: Any, other: Any) -> Any:
    return m.broadcast_to(x, shape=shape_of(other))


@spelled("numpy.tile", "torch.tile", "torch.Tensor.tile", "torch.Tensor.repeat", rename={"reps": "axis"})
def tile(m: Any, x: Any, *reps: Any, **named: Any) -> Any:
    """The whole array over and over: each axis is doubled by one of copies before it."""
    times = several((*reps, *named.values()))
    shape = shape_of(x)
    rank = max(len(times), len(shape))
    lengths = (1,) * (rank - len(shape)) + tuple(shape)
    copies = (1,) * (rank - len(times)) + tuple(int(n) for n in times)
    paired = m.reshape(x, shape=tuple(k for n in lengths for k in (1, n)))
    wide = m.broadcast_to(paired, shape=tuple(k for n, c in zip(lengths, copies, strict=True) for k in (c, n)))
    return m.reshape(wide, shape=tuple(n * c for n, c in zip(lengths, copies, strict=True)))


@spelled("numpy.repeat", "numpy.ndarray.repeat", "torch.repeat_interleave", "torch.Tensor.repeat_interleave")
def repeat(m: Any, x: Any, repeats: Any, axis: Any = None) -> Any:
    """Each entry several times in a row."""
    if axis is None:
        x, axis = m.reshape(x, shape=(-1,)), 0
    shape = shape_of(x)
    where = one_axis(axis, len(shape), "repeat", shape)
    if isinstance(repeats, int):
        times = int(repeats)
        thin = m.reshape(x, shape=(*shape[: where + 1], 1, *shape[where + 1 :]))
        wide = m.broadcast_to(thin, shape=(*shape[: where + 1], times, *shape[where + 1 :]))
        return m.reshape(wide, shape=(*shape[:where], shape[where] * times, *shape[where + 1 :]))
    counts = [int(n) for n in repeats]
    places = tuple(i for i, n in enumerate(counts) for _ in range(n))
    return m.index(x, spec=(*(WHOLE,) * where, ("ints", (len(places),), places)))
