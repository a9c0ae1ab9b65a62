"""Ops on several arrays of one shape at once: a stack, along its first axis, in place of a loop.

A diagnosis computes every step at three points, on small arrays: what it costs is the calls, and not the arithmetic.
An elementwise op takes stacks as they are, once they have equally many axes. Of the others those are here whose stacked
form is one call as well; what is not here is computed array by array.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import itemgetter
from typing import Any

import numpy as np

from symgrad.ops.base import Op
from symgrad.ops.indexing import Spec, numpy_index
from symgrad.ops.shapes import flat
from symgrad.ops.values import function

_WHOLE = slice(None)


def _index(x: Any, *indices: Any, spec: Spec) -> Any:
    """Of plain indices, and one array of places among slices: more of them NumPy moves to the front."""
    arrays = sum(isinstance(item, tuple) and item[0] in ("ints", "mask") for item in spec)
    plain = not any(isinstance(item, int) for item in spec)
    if indices or arrays > 1 or (arrays and not plain):
        return None
    return x[(_WHOLE, *numpy_index(spec))]


def _matmul(a: Any, b: Any) -> Any:
    rank_a, rank_b = a.ndim - 1, b.ndim - 1
    if not 1 <= rank_a <= 2 or not 1 <= rank_b <= 2:
        return None
    left = a[:, None, :] if rank_a == 1 else a
    right = b[:, :, None] if rank_b == 1 else b
    out = np.matmul(left, right)
    if rank_b == 1:
        out = out[:, :, 0]
    return out[:, 0] if rank_a == 1 else out


def _outer(a: Any, b: Any) -> Any:
    return a[:, :, None] * b[:, None, :] if a.ndim == b.ndim == 2 else None


def _broadcast_to(x: Any, shape: tuple[int, ...]) -> Any:
    return np.broadcast_to(aligned(x, len(shape) + 1), (len(x), *shape))


def _reduced(name: str) -> Callable[..., Any]:
    def run(x: Any, axis: tuple[int, ...], keepdims: bool) -> Any:
        return getattr(np, name)(x, axis=tuple(a + 1 for a in axis), keepdims=keepdims)

    return run


#: ``(*stacks, **params) -> stack``, or ``None`` where these cannot be done at once.
_STACKED: dict[str, Callable[..., Any]] = {
    "index": _index,
    "matmul": _matmul,
    "outer": _outer,
    "broadcast_to": _broadcast_to,
    "reshape": lambda x, shape: np.reshape(x, (len(x), *flat(shape))),
    "transpose": lambda x, axes: np.transpose(x, (0, *(a + 1 for a in axes))),
    "sum": _reduced("sum"),
    "mean": _reduced("mean"),
    "concatenate": lambda *x, axis: np.concatenate(x, axis + 1),
    "stack": lambda *x: np.stack(x, 1),
}


#: Ops of arrays that add nothing up: they move numbers about, or multiply each with one other.
_APART = frozenset({"index", "reshape", "transpose", "broadcast_to", "concatenate", "stack", "outer", "set", "pad"})


def never_adds(op: Op) -> bool:
    """Nothing can cancel in it: each number of the value is one of the inputs', or a product of two of them."""
    return op.name in _APART


def settled(name: str, params: dict[str, Any]) -> tuple[Callable[..., Any], dict[str, Any]]:
    """The value of an op with its parameters: a function of arrays, and what of them it still has to be given."""
    spec = params.get("spec")
    if name == "index" and spec is not None and not any(isinstance(i, tuple) and i[0] == "input" for i in spec):
        return itemgetter(numpy_index(spec)), {}
    return function(name), params


def aligned(stack: Any, axes: int) -> Any:
    """A stack with so many axes, as NumPy broadcasts the arrays in it."""
    if stack.ndim == axes:
        return stack
    return stack.reshape(len(stack), *(1,) * (axes - stack.ndim), *stack.shape[1:])


def stacked(op: Op) -> Callable[..., Any] | None:
    """How an op is computed on stacks of equal length, ``(*stacks, **params)``; ``None`` where there is no such way.

    What it returns gives ``None`` for stacks that cannot be done at once, and raises what NumPy raises for arrays that
    do not fit. The arrays have entries.
    """
    if not op.elementwise:
        return _STACKED.get(op.name)
    compute = function(op.name)

    def run(*stacks: Any, **params: Any) -> Any:
        axes = max([s.ndim for s in stacks])
        return compute(*[s if s.ndim == axes else aligned(s, axes) for s in stacks], **params)

    return run
