"""Picking entries, diagonals and triangles, as NumPy and torch spell it."""

from __future__ import annotations

from typing import Any

from symgrad.errors import Unsupported
from symgrad.ops.indexing import encode
from symgrad.ops.library.shapes import moveaxis, rearranged
from symgrad.ops.library.spelling import both, spelled
from symgrad.ops.shapes import one_axis
from symgrad.ops.tensor import shape_of


@spelled("numpy.diag", "torch.diag", "torch.Tensor.diag", rename={"diagonal": "k"})
def diag(m: Any, x: Any, k: Any = 0) -> Any:
    """A matrix of a vector, the diagonal of a matrix."""
    flat = isinstance(x, list | tuple) and not any(shape_of(v) or isinstance(v, list | tuple) for v in x)
    return m.diag(x, k=k) if flat or len(shape_of(x)) == 1 else m.diagonal(x, k=k)


@spelled("numpy.diagflat", "torch.diagflat", "torch.Tensor.diagflat")
def diagflat(m: Any, x: Any, k: Any = 0) -> Any:
    return m.diag(m.reshape(x, shape=(-1,)), k=k)


@spelled(*both("diagonal"), rename={"dim1": "axis1", "dim2": "axis2"})
def diagonal(m: Any, x: Any, offset: Any = 0, axis1: Any = 0, axis2: Any = 1) -> Any:
    return m.diagonal(moveaxis(m, x, (axis1, axis2), (-2, -1)), k=offset)


@spelled("numpy.linalg.diagonal", "torch.linalg.diagonal")
def last_diagonal(m: Any, x: Any, *, offset: Any = 0, dim1: Any = -2, dim2: Any = -1) -> Any:
    return diagonal(m, x, offset, dim1, dim2)


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


@spelled("torch.select", "torch.Tensor.select")
def select(m: Any, x: Any, axis: Any, index: Any) -> Any:
    where = one_axis(axis, len(shape_of(x)), "select", shape_of(x))
    return item(m, x, (*(slice(None),) * where, index))


@spelled("torch.narrow", "torch.Tensor.narrow")
def narrow(m: Any, x: Any, axis: Any, start: Any, length: Any) -> Any:
    where = one_axis(axis, len(shape_of(x)), "narrow", shape_of(x))
    return item(m, x, (*(slice(None),) * where, slice(int(start), int(start) + int(length))))


@spelled("torch.take", "torch.Tensor.take")
def torch_take(m: Any, x: Any, index: Any) -> Any:
    return item(m, m.reshape(x, shape=(-1,)), index)


@spelled("torch.diag_embed", "torch.Tensor.diag_embed")
def diag_embed(m: Any, x: Any, offset: Any = 0, dim1: Any = -2, dim2: Any = -1) -> Any:
    """A matrix for each line along the last axis."""
    if offset or (dim1, dim2) != (-2, -1):
        raise Unsupported("diag_embed off the diagonal, or into other axes than the last")
    shape = shape_of(x)
    size = shape[-1]
    unit = m.diag(m.broadcast_to(1.0, shape=(size,)))
    return m.reshape(x, shape=(*shape, 1)) * unit


@spelled("torch.index_fill", "torch.Tensor.index_fill")
def index_fill(m: Any, x: Any, axis: Any, index: Any, value: Any) -> Any:
    where = one_axis(axis, len(shape_of(x)), "index_fill", shape_of(x))
    spec, operands = encode((*(slice(None),) * where, index), 2)
    return m.set(x, value, *operands, spec=spec)


@spelled("torch.cartesian_prod")
def cartesian_prod(m: Any, *arrays: Any) -> Any:
    import numpy as np

    if len(arrays) == 1:
        return arrays[0]
    places = np.meshgrid(*(np.arange(shape_of(a)[0]) for a in arrays), indexing="ij")
    columns = [m.reshape(item(m, a, p.ravel()), shape=(-1, 1)) for a, p in zip(arrays, places, strict=True)]
    return m.concatenate(*columns, axis=1)


@spelled("torch.combinations")
def combinations(m: Any, x: Any, r: Any = 2, with_replacement: Any = False) -> Any:
    import itertools

    import numpy as np

    pick = itertools.combinations_with_replacement if with_replacement else itertools.combinations
    return item(m, x, np.array(list(pick(range(shape_of(x)[0]), int(r)))).reshape(-1, int(r)))


@spelled("torch.Tensor.unfold")
def unfold(m: Any, x: Any, axis: Any, size: Any, step: Any) -> Any:
    """Every window along an axis; the places in it come last."""
    import numpy as np

    where = one_axis(axis, len(shape_of(x)), "unfold", shape_of(x))

    def how(places: Any) -> Any:
        cut = np.lib.stride_tricks.sliding_window_view(places, int(size), where)
        return cut[(*(slice(None),) * where, slice(None, None, int(step)))]

    return rearranged(m, x, how)
