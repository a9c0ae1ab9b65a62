"""Reshaping, transposing, joining, splitting, repeating and picking, as NumPy and torch spell them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

from symgrad.errors import Unsupported
from symgrad.ops.indexing import encode
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


@spelled("torch.t", "torch.Tensor.t")
def transposed(m: Any, x: Any) -> Any:
    """``x.T``, which turns all axes round."""
    return m.transpose(x)


@spelled(
    "numpy.swapaxes", "numpy.ndarray.swapaxes", "torch.transpose", "torch.Tensor.transpose", "torch.swapaxes",
    "torch.Tensor.swapaxes", "torch.swapdims", rename={"dim0": "axis1", "dim1": "axis2"},
)  # fmt: skip
def swapaxes(m: Any, x: Any, axis1: Any, axis2: Any) -> Any:
    shape = shape_of(x)
    order = list(range(len(shape)))
    a, b = (one_axis(n, len(shape), "swapaxes", shape) for n in (axis1, axis2))
    order[a], order[b] = order[b], order[a]
    return m.transpose(x, axes=tuple(order))


@spelled("numpy.moveaxis", "torch.moveaxis", "torch.movedim", "torch.Tensor.moveaxis")
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


# --- joining and splitting ----------------------------------------------------------------------------------------


@spelled(
    "numpy.concatenate", "numpy.concat", "torch.cat", "torch.concat", "torch.concatenate", rename={"tensors": "arrays"}
)
def concatenate(m: Any, arrays: Sequence[Any], axis: Any = 0) -> Any:
    if axis is None:
        return m.concatenate(*(m.reshape(a, shape=(-1,)) for a in arrays), axis=0)
    return m.concatenate(*arrays, axis=axis)


@spelled("numpy.stack", "torch.stack", rename={"tensors": "arrays"})
def stack(m: Any, arrays: Sequence[Any], axis: Any = 0) -> Any:
    shapes = [shape_of(a) for a in arrays]
    if any(s != shapes[0] for s in shapes):
        raise ShapeError(f"stack of shapes {' and '.join(map(str, shapes))}: they must all be the same")
    return m.concatenate(*(expand_dims(m, a, axis) for a in arrays), axis=axis)


@spelled("numpy.vstack", "numpy.row_stack", "torch.vstack", "torch.row_stack")
def vstack(m: Any, arrays: Sequence[Any]) -> Any:
    return m.concatenate(*(atleast_2d(m, a) for a in arrays), axis=0)


@spelled("numpy.hstack", "torch.hstack")
def hstack(m: Any, arrays: Sequence[Any]) -> Any:
    parts = [atleast_1d(m, a) for a in arrays]
    return m.concatenate(*parts, axis=0 if len(shape_of(parts[0])) == 1 else 1)


@spelled("numpy.column_stack", "torch.column_stack")
def column_stack(m: Any, arrays: Sequence[Any]) -> Any:
    return m.concatenate(
        *(a if len(shape_of(a)) > 1 else m.reshape(a, shape=(-1, 1)) for a in arrays), axis=1
    )


def _cut(m: Any, x: Any, axis: int, places: Sequence[int]) -> list[Any]:
    edges = [0, *places, shape_of(x)[axis]]
    return [
        m.index(x, spec=(*(WHOLE,) * axis, ("slice", int(a), int(b), None)))
        for a, b in pairwise(edges)
    ]


@spelled("numpy.split", "numpy.array_split", rename={"indices_or_sections": "sections"})
def split(m: Any, x: Any, sections: Any, axis: Any = 0) -> list[Any]:
    """Into so many parts, or at these places. An uneven number of parts is array_split's business."""
    where = one_axis(axis, len(shape_of(x)), "split", shape_of(x))
    n = shape_of(x)[where]
    if not isinstance(sections, int):
        return _cut(m, x, where, [min(int(p), n) for p in sections])
    parts = int(sections)
    lengths = [n // parts + (i < n % parts) for i in range(parts)]
    return _cut(m, x, where, [sum(lengths[: i + 1]) for i in range(parts - 1)])


@spelled("numpy.hsplit")
def hsplit(m: Any, x: Any, sections: Any) -> list[Any]:
    return split(m, x, sections, 1 if len(shape_of(x)) > 1 else 0)


@spelled("numpy.vsplit")
def vsplit(m: Any, x: Any, sections: Any) -> list[Any]:
    return split(m, x, sections, 0)


@spelled("torch.split", "torch.Tensor.split")
def torch_split(m: Any, x: Any, size: Any, axis: Any = 0) -> tuple[Any, ...]:
    """Into parts of this length, or of these lengths."""
    where = one_axis(axis, len(shape_of(x)), "split", shape_of(x))
    n = shape_of(x)[where]
    lengths = [int(size)] * (-(-n // int(size))) if isinstance(size, int) else [int(s) for s in size]
    return tuple(_cut(m, x, where, [min(sum(lengths[: i + 1]), n) for i in range(len(lengths) - 1)]))


@spelled("torch.chunk", "torch.Tensor.chunk")
def chunk(m: Any, x: Any, chunks: Any, axis: Any = 0) -> tuple[Any, ...]:
    n = shape_of(x)[one_axis(axis, len(shape_of(x)), "chunk", shape_of(x))]
    return torch_split(m, x, -(-n // int(chunks)), axis)


@spelled("torch.unbind", "torch.Tensor.unbind")
def unbind(m: Any, x: Any, axis: Any = 0) -> tuple[Any, ...]:
    where = one_axis(axis, len(shape_of(x)), "unbind", shape_of(x))
    return tuple(m.index(x, spec=(*(WHOLE,) * where, i)) for i in range(shape_of(x)[where]))


# --- padding, turning, shifting -----------------------------------------------------------------------------------


@spelled("numpy.pad")
def pad(m: Any, x: Any, pad_width: Any, mode: Any = "constant", constant_values: Any = 0) -> Any:
    rank = len(shape_of(x))
    widths = _pairs(pad_width, rank)
    if mode != "constant":
        import numpy as np

        return rearranged(m, x, lambda places: np.pad(places, widths, mode=mode))
    if not isinstance(constant_values, tuple | list):
        return _padded(m, x, widths, constant_values)
    given = [list(c) if isinstance(c, tuple | list) else [c] for c in constant_values]
    flat = [c for part in given for c in part]
    if all(isinstance(c, int | float) and float(c) == float(flat[0]) for c in flat):
        return _padded(m, x, widths, flat[0])
    if all(len(part) == 1 for part in given):  # (before, after), the same for all axes
        given = [flat] * rank
    if len(given) not in (1, rank) or any(len(part) > 2 for part in given):
        raise ShapeError(f"pad of shape {shape_of(x)}: there are constants for {len(given)} axes")
    given = given * rank if len(given) == 1 else given
    for axis, (pair, (before, after)) in enumerate(zip(given, widths, strict=True)):
        # One side of one axis after the other: a corner belongs to the last axis, as in NumPy.
        for value, side in ((pair[0], (before, 0)), (pair[-1], (0, after))):
            if any(side):
                x = _padded(m, x, tuple(side if k == axis else (0, 0) for k in range(rank)), value)
    return x


def _padded(m: Any, x: Any, widths: Any, value: Any) -> Any:
    if isinstance(value, int | float) and float(value) == 0.0:
        return m.pad(x, widths=widths)
    if isinstance(value, float) and math.isinf(value):
        shape = tuple(a + n + b for n, (a, b) in zip(shape_of(x), widths, strict=True))
        inner = tuple(("slice", a, a + n, None) for n, (a, _) in zip(shape_of(x), widths, strict=True))
        return m.set(m.broadcast_to(value, shape=shape), x, spec=inner)
    return m.pad(x - value, widths=widths) + value


def _pairs(given: Any, rank: int) -> tuple[tuple[int, int], ...]:
    """NumPy's four ways to say how wide."""
    if isinstance(given, int):
        return ((int(given), int(given)),) * rank
    items: list[Any] = [tuple(g) if isinstance(g, tuple | list) else g for g in given]
    if all(isinstance(g, int) for g in items):
        before, after = (items * 2)[:2] if len(items) == 1 else items
        return ((int(before), int(after)),) * rank
    pairs = tuple((int(g[0]), int(g[-1])) for g in items)
    return pairs * rank if len(pairs) == 1 else pairs


@spelled("torch.nn.functional.pad")
def torch_pad(m: Any, x: Any, pad: Any, mode: Any = "constant", value: Any = 0) -> Any:
    """The last axis first: (left, right, top, bottom, ...)."""
    if mode != "constant":
        raise Unsupported(f"torch.nn.functional.pad with mode {mode}")
    pairs = [(int(a), int(b)) for a, b in zip(pad[::2], pad[1::2], strict=True)]
    rest = [(0, 0)] * (len(shape_of(x)) - len(pairs))
    return _padded(m, x, (*rest, *reversed(pairs)), 0 if value is None else value)


@spelled("numpy.flip", "torch.flip", "torch.Tensor.flip")
def flip(m: Any, x: Any, *axis: Any, **named: Any) -> Any:
    shape = shape_of(x)
    given = several((*axis, *named.values()))
    axes = range(len(shape)) if given in ((), (None,)) else given
    turn = [one_axis(a, len(shape), "flip", shape) for a in axes]
    return m.index(x, spec=tuple(("slice", None, None, -1) if a in turn else WHOLE for a in range(len(shape))))


@spelled("numpy.flipud", "torch.flipud")
def flipud(m: Any, x: Any) -> Any:
    return flip(m, x, 0)


@spelled("numpy.fliplr", "torch.fliplr")
def fliplr(m: Any, x: Any) -> Any:
    return flip(m, x, 1)


@spelled("numpy.rot90", "torch.rot90")
def rot90(m: Any, x: Any, k: Any = 1, axes: Any = (0, 1)) -> Any:
    """Quarter turns of the plane of two axes."""
    a, b = (one_axis(n, len(shape_of(x)), "rot90", shape_of(x)) for n in axes)
    turns = int(k) % 4
    if turns == 0:
        return x
    if turns == 2:
        return flip(m, x, (a, b))
    return flip(m, swapaxes(m, x, a, b), a) if turns == 1 else swapaxes(m, flip(m, x, a), a, b)


@spelled("numpy.roll", "torch.roll", "torch.Tensor.roll", rename={"shifts": "shift"})
def roll(m: Any, x: Any, shift: Any, axis: Any = None) -> Any:
    if axis is None:
        return m.reshape(roll(m, m.reshape(x, shape=(-1,)), shift, 0), shape=shape_of(x))
    shape = shape_of(x)
    shifts = shift if isinstance(shift, tuple | list) else (shift,)
    axes = axis if isinstance(axis, tuple | list) else (axis,)
    for by, along in zip(shifts, axes, strict=True):
        where = one_axis(along, len(shape), "roll", shape)
        at = int(by) % shape[where] if shape[where] else 0
        if at:
            before = (WHOLE,) * where
            end = m.index(x, spec=(*before, ("slice", shape[where] - at, None, None)))
            x = m.concatenate(end, m.index(x, spec=(*before, ("slice", None, shape[where] - at, None))), axis=where)
    return x


# --- diagonals and triangles --------------------------------------------------------------------------------------


@spelled("numpy.diag", "torch.diag", "torch.Tensor.diag", rename={"diagonal": "k"})
def diag(m: Any, x: Any, k: Any = 0) -> Any:
    """A matrix of a vector, the diagonal of a matrix."""
    return m.diag(x, k=k) if len(shape_of(x)) == 1 else m.diagonal(x, k=k)


@spelled("numpy.diagflat", "torch.diagflat")
def diagflat(m: Any, x: Any, k: Any = 0) -> Any:
    return m.diag(m.reshape(x, shape=(-1,)), k=k)


@spelled(*both("diagonal"), rename={"dim1": "axis1", "dim2": "axis2"})
def diagonal(m: Any, x: Any, offset: Any = 0, axis1: Any = 0, axis2: Any = 1) -> Any:
    return m.diagonal(moveaxis(m, x, (axis1, axis2), (-2, -1)), k=offset)


@spelled("numpy.triu", "torch.triu", "torch.Tensor.triu", rename={"diagonal": "k"})
def triu(m: Any, x: Any, k: Any = 0) -> Any:
    return m.triu(x, k=k)


@spelled("numpy.tril", "torch.tril", "torch.Tensor.tril", rename={"diagonal": "k"})
def tril(m: Any, x: Any, k: Any = 0) -> Any:
    return m.tril(x, k=k)


# --- picking ------------------------------------------------------------------------------------------------------


def item(m: Any, x: Any, index: Any) -> Any:
    """``x[index]``, where the index may hold traced arrays."""
    spec, operands = encode(index)
    return m.index(x, *operands, spec=spec)


@spelled("numpy.take", "numpy.ndarray.take", "torch.index_select", "torch.Tensor.index_select")
def take(m: Any, x: Any, indices: Any, axis: Any = None) -> Any:
    if isinstance(axis, list) or shape_of(axis):  # torch: (x, dim, index)
        indices, axis = axis, indices
    if axis is None:
        return item(m, m.reshape(x, shape=(-1,)), indices)
    where = one_axis(axis, len(shape_of(x)), "take", shape_of(x))
    return item(m, x, (*(slice(None),) * where, indices))


def along(x: Any, indices: Any, axis: int) -> tuple[Any, ...]:
    """The index that picks ``indices`` along one axis, and on every other axis the place itself."""
    import numpy as np

    rank = len(shape_of(x))
    shape = shape_of(indices) or np.shape(indices)
    out: list[Any] = []
    for a in range(rank):
        ones = [1] * rank
        ones[a] = shape[a]
        out.append(indices if a == axis else np.arange(shape[a]).reshape(ones))
    return tuple(out)


@spelled("numpy.take_along_axis", "torch.take_along_dim")
def take_along_axis(m: Any, x: Any, indices: Any, axis: Any) -> Any:
    where = one_axis(axis, len(shape_of(x)), "take_along_axis", shape_of(x))
    return item(m, x, along(x, indices, where))


@spelled("torch.gather", "torch.Tensor.gather")
def gather(m: Any, x: Any, axis: Any, index: Any) -> Any:
    return take_along_axis(m, x, index, axis)
