"""Joining and splitting arrays, as NumPy and torch spell it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from symgrad.ops.library.shapes import atleast_1d, atleast_2d, expand_dims
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
