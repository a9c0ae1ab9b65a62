"""Losses and layers of ``torch.nn.functional``, and torch's indexed sums, composed of ops of the table."""

from __future__ import annotations

from typing import Any

from symgrad.ops.indexing import encode
from symgrad.ops.library.picking import along, item
from symgrad.ops.library.spelling import spelled
from symgrad.ops.shapes import one_axis
from symgrad.ops.tensor import shape_of

F = "torch.nn.functional."


@spelled(f"{F}linear")
def linear(m: Any, x: Any, weight: Any, bias: Any = None) -> Any:
    rank = len(shape_of(weight))
    product = m.matmul(x, m.transpose(weight) if rank == 2 else weight)
    return product if bias is None else product + bias


@spelled(
    "torch.addmm", "torch.Tensor.addmm", "torch.baddbmm", "torch.Tensor.baddbmm", "torch.addmv", "torch.Tensor.addmv",
    rename={"mat": "mat1", "vec": "mat2", "batch1": "mat1", "batch2": "mat2"},
)  # fmt: skip
def addmm(m: Any, x: Any, mat1: Any, mat2: Any, beta: Any = 1, alpha: Any = 1) -> Any:
    return _added(x, m.matmul(mat1, mat2), beta, alpha)


def _added(x: Any, product: Any, beta: Any, alpha: Any) -> Any:
    return (x if beta == 1 else beta * x) + (product if alpha == 1 else alpha * product)


@spelled("torch.addbmm", "torch.Tensor.addbmm")
def addbmm(m: Any, x: Any, batch1: Any, batch2: Any, beta: Any = 1, alpha: Any = 1) -> Any:
    return _added(x, m.sum(m.matmul(batch1, batch2), axis=0), beta, alpha)


@spelled("torch.addr", "torch.Tensor.addr")
def addr(m: Any, x: Any, vec1: Any, vec2: Any, beta: Any = 1, alpha: Any = 1) -> Any:
    return _added(x, m.outer(vec1, vec2), beta, alpha)


@spelled("torch.addcmul", "torch.Tensor.addcmul")
def addcmul(m: Any, x: Any, tensor1: Any, tensor2: Any, value: Any = 1) -> Any:
    return _added(x, tensor1 * tensor2, 1, value)


@spelled("torch.addcdiv", "torch.Tensor.addcdiv")
def addcdiv(m: Any, x: Any, tensor1: Any, tensor2: Any, value: Any = 1) -> Any:
    return _added(x, tensor1 / tensor2, 1, value)


@spelled("torch.lerp", "torch.Tensor.lerp")
def lerp(m: Any, x: Any, end: Any, weight: Any) -> Any:
    return x + weight * (end - x)


@spelled(f"{F}bilinear", "torch.bilinear")
def bilinear(m: Any, input1: Any, input2: Any, weight: Any, bias: Any = None) -> Any:
    """(..., I), (..., J) and weights (O, I, J) -> (..., O)."""
    lead = shape_of(input1)[:-1]
    flat = [m.reshape(x, shape=(-1, shape_of(x)[-1])) for x in (input1, input2)]
    found = m.einsum(*flat, weight, spec="ni,nj,oij->no")
    found = m.reshape(found, shape=(*lead, shape_of(weight)[0]))
    return found if bias is None else found + bias


@spelled(f"{F}embedding")
def embedding(m: Any, x: Any, weight: Any, padding_idx: Any = None) -> Any:
    return item(m, weight, x)


@spelled("torch.masked_fill", "torch.Tensor.masked_fill")
def masked_fill(m: Any, x: Any, mask: Any, value: Any) -> Any:
    return m.where(mask, value, x)


@spelled("torch.index_add", "torch.Tensor.index_add", rename={"tensor": "source"})
def index_add(m: Any, x: Any, axis: Any, index: Any, source: Any, alpha: Any = 1) -> Any:
    where = one_axis(axis, len(shape_of(x)), "index_add", shape_of(x))
    spec, operands = encode((*(slice(None),) * where, index), 2)
    return m.add_at(x, source if alpha == 1 else alpha * source, *operands, spec=spec)


@spelled("torch.scatter_add", "torch.Tensor.scatter_add", rename={"src": "source"})
def scatter_add(m: Any, x: Any, axis: Any, index: Any, source: Any) -> Any:
    where = one_axis(axis, len(shape_of(x)), "scatter_add", shape_of(x))
    spec, operands = encode(along(x, index, where), 2)
    return m.add_at(x, source, *operands, spec=spec)


@spelled("torch.scatter", "torch.Tensor.scatter", rename={"src": "source", "value": "source"})
def scatter(m: Any, x: Any, axis: Any, index: Any, source: Any) -> Any:
    where = one_axis(axis, len(shape_of(x)), "scatter", shape_of(x))
    spec, operands = encode(along(x, index, where), 2)
    return m.set(x, source, *operands, spec=spec)
