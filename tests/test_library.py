"""What the table says of NumPy's and torch's functions, held against NumPy and torch themselves.

Each line calls a function by its name, once the real one and once ours on a graph; torch's gradients are held against
the reverse pass as well.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch

from symgrad.arrays import evaluate
from symgrad.backward import backward
from symgrad.errors import SymgradError
from symgrad.graph import GraphBuilder
from symgrad.ops import Formula, Ref
from symgrad.ops.library import LIBRARY
from tests.library_rows import ROWS
from tests.tensor_witnesses import near as alike
from tests.tensor_witnesses import numbers
from tests.witnesses import resolve

#: torch divides by 6 in float32, whatever the dtype.
IN_FLOAT32 = {"torch.nn.functional.hardsigmoid", "torch.nn.functional.hardswish"}

#: ``f`` is the function, ``i`` makes an integer array of a list.
Call = Callable[..., Any]
CALLS: list[tuple[str, Call, tuple[tuple[int, ...], ...]]] = [
    # sums and the like, with NumPy's and with torch's words
    ("numpy.sum", lambda f, i, x: f(x, 1, keepdims=True), ((2, 3),)),
    ("numpy.ndarray.sum", lambda f, i, x: f(x, axis=(0, 2)), ((2, 3, 2),)),
    ("torch.sum", lambda f, i, x: f(x, dim=1, keepdim=True), ((2, 3),)),
    ("torch.Tensor.sum", lambda f, i, x: f(x, (0, 1)), ((2, 3, 2),)),
    ("numpy.mean", lambda f, i, x: f(x, axis=-1), ((2, 3),)),
    ("torch.Tensor.mean", lambda f, i, x: f(x, -1, True), ((2, 3),)),
    ("numpy.prod", lambda f, i, x: f(x, 0), ((2, 3),)),
    ("torch.prod", lambda f, i, x: f(x, 1), ((2, 3),)),
    ("numpy.max", lambda f, i, x: f(x, 0), ((2, 3),)),
    ("numpy.ndarray.min", lambda f, i, x: f(x), ((2, 3),)),
    ("torch.max", lambda f, i, x: f(x), ((2, 3),)),
    ("torch.max", lambda f, i, x: f(x, 1)[0], ((2, 3),)),
    ("torch.Tensor.max", lambda f, i, x: f(x, dim=1, keepdim=True).values, ((2, 3),)),
    ("torch.max", lambda f, i, x, y: f(x, y), ((2, 3), (3,))),
    ("torch.min", lambda f, i, x: f(x, 0).values, ((2, 3),)),
    ("torch.amax", lambda f, i, x: f(x, dim=(0, 1)), ((2, 3),)),
    ("numpy.argmax", lambda f, i, x: f(x, axis=1), ((2, 3),)),
    ("torch.argmin", lambda f, i, x: f(x, dim=0), ((2, 3),)),
    ("numpy.var", lambda f, i, x: f(x, axis=0, ddof=1), ((4, 3),)),
    ("numpy.ndarray.var", lambda f, i, x: f(x), ((4, 3),)),
    ("numpy.std", lambda f, i, x: f(x, 0, keepdims=True), ((4, 3),)),
    ("torch.var", lambda f, i, x: f(x, 0), ((4, 3),)),
    ("torch.var", lambda f, i, x: f(x, dim=0, unbiased=False), ((4, 3),)),
    ("torch.Tensor.var", lambda f, i, x: f(x, 0, keepdim=True, unbiased=True), ((4, 3),)),
    ("torch.std", lambda f, i, x: f(x, dim=1, correction=0), ((4, 3),)),
    ("torch.Tensor.std", lambda f, i, x: f(x, False), ((4, 3),)),
    ("numpy.average", lambda f, i, x, w: f(x, weights=w), ((4,), (4,))),
    ("numpy.linalg.norm", lambda f, i, x: f(x), ((4, 3),)),
    ("numpy.linalg.norm", lambda f, i, x: f(x, axis=1, keepdims=True), ((4, 3),)),
    ("numpy.linalg.norm", lambda f, i, x: f(x, 1), ((4,),)),
    ("numpy.linalg.norm", lambda f, i, x: f(x, np.inf, axis=0), ((4, 2),)),
    ("torch.norm", lambda f, i, x: f(x, p=2, dim=1), ((4, 3),)),
    ("torch.Tensor.norm", lambda f, i, x: f(x), ((4, 3),)),
    ("torch.linalg.norm", lambda f, i, x: f(x, 3), ((4,),)),
    ("torch.logsumexp", lambda f, i, x: f(x, dim=1, keepdim=True), ((4, 3),)),
    ("torch.softmax", lambda f, i, x: f(x, dim=1), ((4, 3),)),
    ("torch.nn.functional.softmax", lambda f, i, x: f(x, 0), ((4, 3),)),
    ("torch.nn.functional.log_softmax", lambda f, i, x: f(x, dim=-1), ((4, 3),)),
    ("numpy.cumsum", lambda f, i, x: f(x), ((2, 3),)),
    ("torch.cumsum", lambda f, i, x: f(x, dim=1), ((2, 3),)),
    ("numpy.trace", lambda f, i, x: f(x), ((3, 4),)),
    ("torch.trace", lambda f, i, x: f(x), ((3, 3),)),
    ("numpy.diff", lambda f, i, x: f(x, axis=0), ((3, 4),)),
    # shapes
    ("numpy.reshape", lambda f, i, x: f(x, (3, -1)), ((2, 3),)),
    ("numpy.ndarray.reshape", lambda f, i, x: f(x, -1, 2), ((2, 3),)),
    ("torch.Tensor.view", lambda f, i, x: f(x, 3, -1), ((2, 3),)),
    ("torch.Tensor.view_as", lambda f, i, x, y: f(x, y), ((2, 3), (3, 2))),
    ("numpy.ravel", lambda f, i, x: f(x), ((2, 3),)),
    ("numpy.ndarray.flatten", lambda f, i, x: f(x), ((2, 3),)),
    ("torch.flatten", lambda f, i, x: f(x, start_dim=1), ((2, 3, 2),)),
    ("numpy.squeeze", lambda f, i, x: f(x), ((1, 3, 1),)),
    ("torch.Tensor.squeeze", lambda f, i, x: f(x, 0), ((1, 3, 1),)),
    ("numpy.expand_dims", lambda f, i, x: f(x, (0, -1)), ((2, 3),)),
    ("torch.unsqueeze", lambda f, i, x: f(x, -1), ((2, 3),)),
    ("torch.Tensor.unsqueeze", lambda f, i, x: f(x, dim=1), ((2, 3),)),
    ("numpy.atleast_2d", lambda f, i, x: f(x), ((3,),)),
    ("numpy.transpose", lambda f, i, x: f(x, (2, 0, 1)), ((2, 3, 4),)),
    ("numpy.ndarray.transpose", lambda f, i, x: f(x, 2, 0, 1), ((2, 3, 4),)),
    ("numpy.ndarray.transpose", lambda f, i, x: f(x), ((2, 3, 4),)),
    ("torch.Tensor.permute", lambda f, i, x: f(x, 2, 0, 1), ((2, 3, 4),)),
    ("torch.Tensor.t", lambda f, i, x: f(x), ((2, 3),)),
    ("torch.Tensor.transpose", lambda f, i, x: f(x, -2, -1), ((2, 3, 4),)),
    ("numpy.swapaxes", lambda f, i, x: f(x, 0, 2), ((2, 3, 4),)),
    ("numpy.moveaxis", lambda f, i, x: f(x, 0, -1), ((2, 3, 4),)),
    ("torch.movedim", lambda f, i, x: f(x, (0, 1), (-1, 0)), ((2, 3, 4),)),
    ("numpy.broadcast_to", lambda f, i, x: f(x, (4, 3)), ((3,),)),
    ("torch.Tensor.expand", lambda f, i, x: f(x, 4, -1), ((1, 3),)),
    ("torch.Tensor.expand_as", lambda f, i, x, y: f(x, y), ((1, 3), (2, 3))),
    ("numpy.tile", lambda f, i, x: f(x, (2, 1, 3)), ((2, 3),)),
    ("numpy.tile", lambda f, i, x: f(x, 3), ((2, 3),)),
    ("torch.Tensor.repeat", lambda f, i, x: f(x, 2, 3), ((2, 3),)),
    ("numpy.repeat", lambda f, i, x: f(x, 2), ((2, 3),)),
    ("numpy.repeat", lambda f, i, x: f(x, [1, 0, 2], axis=1), ((2, 3),)),
    ("torch.repeat_interleave", lambda f, i, x: f(x, 3, dim=0), ((2, 3),)),
    ("numpy.concatenate", lambda f, i, x, y: f([x, y], axis=1), ((2, 3), (2, 1))),
    ("numpy.concatenate", lambda f, i, x, y: f((x, y), None), ((2, 3), (2, 1))),
    ("torch.cat", lambda f, i, x, y: f((x, y), dim=-1), ((2, 3), (2, 1))),
    ("numpy.stack", lambda f, i, x, y: f([x, y], axis=-1), ((2, 3), (2, 3))),
    ("torch.stack", lambda f, i, x, y: f([x, y], 1), ((2, 3), (2, 3))),
    ("numpy.vstack", lambda f, i, x, y: f([x, y]), ((3,), (2, 3))),
    ("numpy.hstack", lambda f, i, x, y: f([x, y]), ((3,), (2,))),
    ("numpy.hstack", lambda f, i, x, y: f([x, y]), ((3, 1), (3, 2))),
    ("numpy.column_stack", lambda f, i, x, y: f([x, y]), ((3,), (3, 2))),
    ("numpy.split", lambda f, i, x: f(x, 3), ((6, 2),)),
    ("numpy.split", lambda f, i, x: f(x, [1, 4], axis=1), ((2, 6),)),
    ("numpy.array_split", lambda f, i, x: f(x, 4), ((6, 2),)),
    ("numpy.hsplit", lambda f, i, x: f(x, 2), ((3, 4),)),
    ("torch.split", lambda f, i, x: f(x, 4, dim=1), ((2, 6),)),
    ("torch.Tensor.split", lambda f, i, x: f(x, [1, 5], 1), ((2, 6),)),
    ("torch.chunk", lambda f, i, x: f(x, 4, dim=1), ((2, 6),)),
    ("torch.unbind", lambda f, i, x: f(x, 1), ((2, 3),)),
    ("numpy.pad", lambda f, i, x: f(x, 1), ((2, 3),)),
    ("numpy.pad", lambda f, i, x: f(x, ((0, 1), (2, 0)), constant_values=5), ((2, 3),)),
    ("numpy.pad", lambda f, i, x: f(x, ((0, 0), (1, 2)), mode="edge"), ((2, 3),)),
    ("numpy.pad", lambda f, i, x: f(x, (2, 1), "reflect"), ((4, 5),)),
    ("torch.nn.functional.pad", lambda f, i, x: f(x, (1, 2, 0, 1)), ((2, 3),)),
    ("numpy.flip", lambda f, i, x: f(x), ((2, 3),)),
    ("numpy.flip", lambda f, i, x: f(x, axis=1), ((2, 3),)),
    ("torch.flip", lambda f, i, x: f(x, [0, 1]), ((2, 3),)),
    ("numpy.fliplr", lambda f, i, x: f(x), ((2, 3),)),
    ("numpy.flipud", lambda f, i, x: f(x), ((2, 3),)),
    *(("numpy.rot90", lambda f, i, x, k=k: f(x, k), ((2, 3, 2),)) for k in range(5)),
    ("torch.rot90", lambda f, i, x: f(x, 1, [1, 2]), ((2, 3, 2),)),
    ("numpy.roll", lambda f, i, x: f(x, 2), ((2, 3),)),
    ("numpy.roll", lambda f, i, x: f(x, (1, -1), axis=(0, 1)), ((2, 3),)),
    ("torch.roll", lambda f, i, x: f(x, shifts=1, dims=1), ((2, 3),)),
    ("numpy.diag", lambda f, i, x: f(x), ((3,),)),
    ("numpy.diag", lambda f, i, x: f(x, k=1), ((3, 4),)),
    ("torch.diag", lambda f, i, x: f(x, diagonal=-1), ((3,),)),
    ("numpy.diagflat", lambda f, i, x: f(x), ((2, 1),)),
    ("numpy.diagonal", lambda f, i, x: f(x, 1), ((3, 4),)),
    ("torch.diagonal", lambda f, i, x: f(x, dim1=1, dim2=2), ((3, 4, 4),)),
    ("numpy.triu", lambda f, i, x: f(x, 1), ((3, 4),)),
    ("torch.tril", lambda f, i, x: f(x, diagonal=-1), ((3, 4),)),
    ("numpy.take", lambda f, i, x: f(x, i([0, 2, 2]), axis=1), ((3, 4),)),
    ("numpy.take", lambda f, i, x: f(x, i([5, 1])), ((3, 4),)),
    ("torch.index_select", lambda f, i, x: f(x, 0, i([0, 2, 2])), ((3, 4),)),
    ("numpy.take_along_axis", lambda f, i, x: f(x, i([[1], [0], [3]]), 1), ((3, 4),)),
    ("torch.gather", lambda f, i, x: f(x, 1, i([[1, 1], [0, 2], [3, 3]])), ((3, 4),)),
    # products
    ("numpy.matmul", lambda f, i, x, y: f(x, y), ((2, 3), (3, 4))),
    ("torch.bmm", lambda f, i, x, y: f(x, y), ((5, 2, 3), (5, 3, 4))),
    ("torch.mv", lambda f, i, x, y: f(x, y), ((2, 3), (3,))),
    ("torch.dot", lambda f, i, x, y: f(x, y), ((3,), (3,))),
    ("torch.Tensor.mm", lambda f, i, x, y: f(x, y), ((2, 3), (3, 4))),
    ("numpy.dot", lambda f, i, x, y: f(x, y), ((2, 3), (3,))),
    ("numpy.dot", lambda f, i, x, y: f(x, y), ((2, 3, 4), (5, 4, 2))),
    ("numpy.dot", lambda f, i, x, y: f(x, y), ((), (2, 3))),
    ("numpy.inner", lambda f, i, x, y: f(x, y), ((2, 4), (3, 4))),
    ("numpy.vdot", lambda f, i, x, y: f(x, y), ((2, 4), (4, 2))),
    ("numpy.outer", lambda f, i, x, y: f(x, y), ((2, 1), (3,))),
    ("torch.outer", lambda f, i, x, y: f(x, y), ((2,), (3,))),
    ("numpy.tensordot", lambda f, i, x, y: f(x, y), ((2, 3, 4), (3, 4, 2))),
    ("numpy.tensordot", lambda f, i, x, y: f(x, y, axes=([0, 2], [1, 0])), ((2, 3, 4), (4, 2, 5))),
    ("numpy.tensordot", lambda f, i, x, y: f(x, y, axes=0), ((2,), (3,))),
    ("torch.tensordot", lambda f, i, x, y: f(x, y, dims=([1], [0])), ((2, 3), (3, 4))),
    ("numpy.einsum", lambda f, i, x, y: f("ij,jk", x, y), ((2, 3), (3, 4))),
    ("numpy.einsum", lambda f, i, x: f("ii->i", x), ((3, 3),)),
    ("numpy.einsum", lambda f, i, x: f("ii", x), ((3, 3),)),
    ("numpy.einsum", lambda f, i, x, y: f("...ij, ...jk -> ...ik", x, y), ((5, 2, 3), (3, 4))),
    ("numpy.einsum", lambda f, i, x: f("...i->...", x), ((5, 2, 3),)),
    ("torch.einsum", lambda f, i, x, y: f("bij,bkj->bik", x, y), ((5, 2, 3), (5, 4, 3))),
    ("torch.einsum", lambda f, i, x, y: f("iji,j->i", x, y), ((2, 3, 2), (3,))),
    ("numpy.kron", lambda f, i, x, y: f(x, y), ((2, 3), (2, 2))),
    ("numpy.linalg.inv", lambda f, i, x: f(x), ((3, 3),)),
    ("torch.linalg.solve", lambda f, i, x, y: f(x, y), ((3, 3), (3, 2))),
    ("torch.det", lambda f, i, x: f(x), ((3, 3),)),
    ("torch.slogdet", lambda f, i, x: f(x)[1], ((3, 3),)),
    ("numpy.linalg.slogdet", lambda f, i, x: f(x)[1], ((3, 3),)),
    ("numpy.lib.stride_tricks.sliding_window_view", lambda f, i, x: f(x, (2, 2)), ((3, 4),)),
    ("numpy.lib.stride_tricks.as_strided", lambda f, i, x: f(x, (2, 3, 2), (32, 8, 8)), ((3, 4),)),
    ("torch.dist", lambda f, i, x, y: f(x, y), ((2, 3), (2, 3))),
    ("torch.dist", lambda f, i, x, y: f(x, y, 1), ((2, 3), (2, 3))),
    ("torch.linalg.solve_triangular", lambda f, i, x, y: f(x, y, upper=False), ((3, 3), (3, 2))),
    ("torch.linalg.solve_triangular", lambda f, i, x, y: f(x, y, upper=True, left=False), ((3, 3), (2, 3))),
    # networks
    ("torch.nn.functional.linear", lambda f, i, x, w, b: f(x, w, b), ((2, 3), (4, 3), (4,))),
    ("torch.addmm", lambda f, i, b, x, w: f(b, x, w), ((4,), (2, 3), (3, 4))),
    ("torch.nn.functional.mse_loss", lambda f, i, x, y: f(x, y), ((2, 3), (2, 3))),
    ("torch.nn.functional.mse_loss", lambda f, i, x, y: f(x, y, reduction="sum"), ((2, 3), (2, 3))),
    ("torch.nn.functional.l1_loss", lambda f, i, x, y: f(x, y, reduction="none"), ((2, 3), (2, 3))),
    ("torch.nn.functional.binary_cross_entropy_with_logits", lambda f, i, x, y: f(x, y), ((2, 3), (2, 3))),
    ("torch.nn.functional.cross_entropy", lambda f, i, x: f(x, i([0, 2, 1, 2])), ((4, 3),)),
    ("torch.nn.functional.cross_entropy", lambda f, i, x: f(x, i([[0, 1], [2, 2]]), reduction="sum"), ((2, 3, 2),)),
    ("torch.nn.functional.cross_entropy", lambda f, i, x, y: f(x, y), ((4, 3), (4, 3))),
    ("torch.nn.functional.cross_entropy", lambda f, i, x: f(x, i([0, 2, 1]), label_smoothing=0.2), ((3, 4),)),
    ("torch.nn.functional.cross_entropy", lambda f, i, x, y: f(x, y, label_smoothing=0.2), ((3, 4), (3, 4))),
    ("torch.nn.functional.nll_loss", lambda f, i, x: f(x, i([0, 2, 1, 2])), ((4, 3),)),
    ("torch.nn.functional.layer_norm", lambda f, i, x, w, b: f(x, (3,), w, b), ((4, 3), (3,), (3,))),
    (
        "torch.nn.functional.batch_norm",
        lambda f, i, x, w, b: f(x, None, None, weight=w, bias=b, training=True), ((5, 3), (3,), (3,)),
    ),
    (
        "torch.nn.functional.batch_norm",
        lambda f, i, x, w, b: f(x, None, None, w, b, True, 0.1, 1e-3), ((2, 3, 2, 2), (3,), (3,)),
    ),
    ("torch.nn.functional.embedding", lambda f, i, w: f(i([[0, 2], [2, 1]]), w), ((4, 3),)),
    ("torch.index_add", lambda f, i, x, v: f(x, 0, i([0, 2, 2]), v), ((4, 2), (3, 2))),
    ("torch.scatter_add", lambda f, i, x, v: f(x, 1, i([[0, 0], [2, 1]]), v), ((2, 3), (2, 2))),
    ("torch.scatter", lambda f, i, x, v: f(x, 1, i([[0, 1], [2, 1]]), v), ((2, 3), (2, 2))),
    (
        "torch.nn.functional.conv1d", lambda f, i, x, w, b: f(x, w, b, stride=2, padding=1),
        ((2, 3, 5), (4, 3, 3), (4,)),
    ),
    ("torch.nn.functional.conv2d", lambda f, i, x, w: f(x, w, padding=(1, 0)), ((2, 3, 4, 4), (2, 3, 3, 2))),
    ("torch.nn.functional.max_pool2d", lambda f, i, x: f(x, 2), ((1, 2, 4, 4),)),
    ("torch.nn.functional.max_pool2d", lambda f, i, x: f(x, 3, stride=1), ((1, 2, 4, 4),)),
    ("torch.nn.functional.avg_pool2d", lambda f, i, x: f(x, 2), ((1, 2, 4, 4),)),
]  # fmt: skip


def flat(found: Any) -> list[Any]:
    return list(found) if isinstance(found, tuple | list) else [found]


def data(m: Formula, value: list[Any]) -> Any:
    """Places as an array; numbers as constants of the graph."""
    array = np.array(value)
    if array.dtype.kind != "f":
        return array
    whole = m.concatenate(*(m.reshape(m.constant(float(v)), shape=(1,)) for v in array.ravel()), axis=0)
    return m.reshape(whole, shape=array.shape)


def as_tensor(value: list[Any]) -> Any:
    return torch.from_numpy(np.array(value))


def labels(n: int, call: tuple[str, Call, Any]) -> str:
    return f"{n}-{call[0]}"


@pytest.mark.parametrize(
    ("name", "call", "shapes"),
    [*CALLS, *ROWS],
    ids=[labels(n, c) for n, c in enumerate([*CALLS, *ROWS])],
)
def test_functions_do_what_the_libraries_do(name: str, call: Call, shapes: Any) -> None:
    values = [numbers(s, f"{name}{n}") for n, s in enumerate(shapes)]
    builder = GraphBuilder()
    m = Formula(builder)
    refs = [m.ref(builder.add("input", name=f"x{n}", shape=s)) for n, s in enumerate(shapes)]
    ours = flat(call(partial(LIBRARY[name], m), partial(data, m), *refs))
    assert all(isinstance(r, Ref) for r in ours)
    at = {r.index: v for r, v in zip(refs, values, strict=True)}
    graph = builder.build(ours[0].index)
    found = evaluate(graph, at, [r.index for r in ours])
    leaves = [torch.tensor(v, requires_grad=True) for v in values]
    with_torch = name.startswith("torch.")
    near = partial(alike, digits=1e-7) if name in IN_FLOAT32 else alike
    method = name.rsplit(".", maxsplit=1)[-1]
    real = getattr(np.ndarray, method) if name.startswith("numpy.ndarray") else resolve(name)
    theirs = flat(call(real, as_tensor if with_torch else np.array, *(leaves if with_torch else values)))
    assert len(found) == len(theirs)
    for a, b, ref in zip(found, theirs, ours, strict=True):
        assert near(a, b.detach().double().numpy() if with_torch else b)
        assert ref.shape == tuple(np.shape(a))
    if not (with_torch and theirs[0].requires_grad):
        return
    weights = [numbers(r.shape, "w") for r in ours]
    sum((t * torch.tensor(w)).sum() for t, w in zip(theirs, weights, strict=True)).backward()
    seeds = {r.index: builder.add("input", name=f"w{n}", shape=r.shape) for n, r in enumerate(ours)}
    at.update(zip(seeds.values(), weights, strict=True))
    back = backward(builder.build(ours[0].index), [r.index for r in refs], seeds=seeds)
    for got, leaf in zip(evaluate(back.graph, at, back.gradients), leaves, strict=True):
        assert near(got, np.zeros(np.shape(got)) if leaf.grad is None else leaf.grad.numpy())


def test_every_name_is_a_name_of_the_library() -> None:
    """No function is declared that NumPy or torch does not have."""
    gone = {"numpy.row_stack", "numpy.trapz"}  # NumPy 2 dropped them, old code has them
    for name in LIBRARY:
        if not name.startswith("scipy.") and name not in gone:
            method = name.startswith("numpy.ndarray.")
            assert callable(getattr(np.ndarray, name.split(".")[-1]) if method else resolve(name)), name


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda m, x: LIBRARY["numpy.sum"](m, x, out=x), "out="),
        (lambda m, x: LIBRARY["numpy.squeeze"](m, x, axis=0), "only an axis of length 1 can go"),
        (lambda m, x: LIBRARY["numpy.stack"](m, [x, m.sum(x)]), "they must all be the same"),
        (lambda m, x: LIBRARY["numpy.tensordot"](m, x, x, 1), "tensordot of shapes (2, 3) and (2, 3)"),
        (lambda m, x: LIBRARY["numpy.einsum"](m, "ij,jk", x), "it names 2 arrays"),
        (lambda m, x: LIBRARY["numpy.linalg.norm"](m, x, "nuc"), "a matrix norm of order nuc"),
        (lambda m, x: LIBRARY["torch.nn.functional.mse_loss"](m, x, m.sum(x)), "mse_loss of shapes (2, 3) and ()"),
        (lambda m, x: LIBRARY["torch.nn.functional.l1_loss"](m, x, x, weight=x), "a loss with weight"),
        (lambda m, x: LIBRARY["torch.nn.functional.avg_pool2d"](m, x, 1, divisor_override=3), "with divisor_override"),
        (
            lambda m, x: LIBRARY["torch.nn.functional.scaled_dot_product_attention"](m, x, x, x, dropout_p=0.1),
            "with dropout_p",
        ),
        (lambda m, x: LIBRARY["torch.nn.functional.interpolate"](m, x, mode="area"), "interpolate with mode area"),
        (lambda m, x: LIBRARY["scipy.special.entr"](m, [-1.0]), "entr of a negative number"),
        (lambda m, x: LIBRARY["numpy.cov"](m, x, aweights=x), "cov with weights"),
        (lambda m, x: LIBRARY["numpy.lib.stride_tricks.as_strided"](m, x, (9,), (8,)), "beyond the array"),
    ],
)
def test_what_is_refused(call: Call, words: str) -> None:
    builder = GraphBuilder()
    m = Formula(builder)
    x = m.ref(builder.add("input", name="x", shape=(2, 3)))
    with pytest.raises(SymgradError) as caught:
        call(m, x)
    assert words in str(caught.value)
