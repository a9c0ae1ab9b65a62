"""Picking entries, diagonals and triangles, as NumPy and torch spell it."""

from __future__ import annotations

from typing import Any

from symgrad.ops.indexing import encode
from symgrad.ops.library.shapes import moveaxis
from symgrad.ops.library.spelling import both, spelled
from symgrad.ops.shapes import one_axis
from symgrad.ops.tensor import shape_of


@spelled("numpy.diag", "torch.diag", "torch.Tensor.diag", rename={"diagonal": "k"})
def diag(m: Any, x: Any, k: Any = 0) -> Any:
    """A matrix of a vector, the diagonal of a matrix."""
    flat = isinstance(x, list | tuple) and not any(shape_of(v) or isinstance(v, list | tuple) for v in x)
    return m.diag(x, k=k) if flat or len(shape_of(x)) == 1 else m.diagonal(x, k=k)


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
