"""Joining and splitting arrays, as NumPy and torch spell it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from symgrad.errors import Unsupported
from symgrad.ops.library.shapes import atleast_1d, atleast_2d, atleast_3d, expand_dims, rearranged
from symgrad.ops.library.spelling import spelled
from symgrad.ops.shapes import WHOLE, one_axis
from symgrad.ops.tensor import ShapeError, shape_of


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


@spelled("numpy.append", rename={"arr": "x"})
def append(m: Any, x: Any, values: Any, axis: Any = None) -> Any:
    """Both made flat where no axis is named."""
    if axis is None:
        return m.concatenate(*(m.reshape(a, shape=(-1,)) for a in (x, values)), axis=0)
    return m.concatenate(x, values, axis=axis)


@spelled("numpy.delete", rename={"arr": "x"})
def delete(m: Any, x: Any, obj: Any, axis: Any = None) -> Any:
    """Without the entries at these places."""
    import numpy as np

    return rearranged(m, x, lambda places: np.delete(places, np.asarray(getattr(obj, "raw", obj)), axis))


@spelled("numpy.insert", rename={"arr": "x"})
def insert(m: Any, x: Any, obj: Any, values: Any, axis: Any = None) -> Any:
    """With the values before one place."""
    if not isinstance(obj, int):
        raise Unsupported("numpy.insert at several places")
    if axis is None:
        x, axis = m.reshape(x, shape=(-1,)), 0
    shape = shape_of(x)
    where = one_axis(axis, len(shape), "insert", shape)
    at = int(obj) + (shape[where] if obj < 0 else 0)
    given = shape_of(values)
    if where == 0 and len(given) == len(shape):
        middle = values
    else:
        one = (*shape[:where], 1, *shape[where + 1 :])
        middle = m.broadcast_to(values, shape=(shape_of(values)[0],) if len(shape) == 1 and given else one)
    before = (WHOLE,) * where
    first = m.index(x, spec=(*before, ("slice", None, at, None)))
    return m.concatenate(first, middle, m.index(x, spec=(*before, ("slice", at, None, None))), axis=where)


@spelled("numpy.dstack", "torch.dstack")
def dstack(m: Any, arrays: Sequence[Any]) -> Any:
    return m.concatenate(*(atleast_3d(m, a) for a in arrays), axis=2)


@spelled("numpy.block", rename={"arrays": "x"})
def block(m: Any, x: Any) -> Any:
    """Nested lists of arrays put side by side: the innermost along the last axis."""
    if not isinstance(x, list):
        return x
    rank = max([_depth(x), *(len(shape_of(a)) for a in _leaves(x))])
    return _block(m, x, rank, rank - _depth(x))


def _depth(x: Any) -> int:
    return 1 + _depth(x[0]) if isinstance(x, list) else 0


def _leaves(x: Any) -> list[Any]:
    return [leaf for part in x for leaf in _leaves(part)] if isinstance(x, list) else [x]


def _block(m: Any, x: Any, rank: int, axis: int) -> Any:
    if not isinstance(x, list):
        return m.reshape(x, shape=(*(1,) * (rank - len(shape_of(x))), *shape_of(x)))
    return m.concatenate(*(_block(m, part, rank, axis + 1) for part in x), axis=axis)


@spelled("torch.block_diag")
def block_diag(m: Any, *arrays: Any) -> Any:
    """The matrices down the diagonal, with zeros around them."""
    squares = [atleast_2d(m, a) for a in arrays]
    rows, columns = (sum(shape_of(a)[k] for a in squares) for k in (0, 1))
    found, down, right = None, 0, 0
    for a in squares:
        height, width = shape_of(a)
        after = (rows - down - height, columns - right - width)
        wide = m.pad(a, widths=((down, after[0]), (right, after[1])))
        found = wide if found is None else found + wide
        down, right = down + height, right + width
    return found


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


@spelled("torch.tensor_split", "torch.Tensor.tensor_split", rename={"indices_or_sections": "sections"})
def tensor_split(m: Any, x: Any, sections: Any, axis: Any = 0) -> tuple[Any, ...]:
    return tuple(split(m, x, sections, axis))


@spelled("numpy.hsplit", "torch.hsplit", "torch.Tensor.hsplit")
def hsplit(m: Any, x: Any, sections: Any) -> list[Any]:
    return split(m, x, sections, 1 if len(shape_of(x)) > 1 else 0)


@spelled("numpy.vsplit", "torch.vsplit", "torch.Tensor.vsplit")
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
