"""Traced ops that are not elementwise: recording them, indexing and assigning, views, and the library's functions.

A function of :data:`symgrad.ops.library.LIBRARY` is written against a namespace ``m``; here that is a
:class:`Recorder`, which computes each op on the concrete arrays and records it as a step with its parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from symgrad.errors import Unsupported
from symgrad.frontends.trace import numeric
from symgrad.frontends.trace.arrays import Array, Tensor, View
from symgrad.frontends.trace.nothing import NOTHING, Inert
from symgrad.frontends.trace.records import RECORDS
from symgrad.frontends.trace.tracer import Tracer
from symgrad.frontends.trace.values import ARRAY, INT, NUMPY, PACKAGERS, TENSOR, Value, apply, is_data, number, step_of
from symgrad.ops import OPS, Op, ShapeError, TensorOp, typed
from symgrad.ops.indexing import encode
from symgrad.ops.library import LIBRARY
from symgrad.ops.tensor import PlaceError


class Recorder:
    """The namespace ``m`` of rules, over traced values.

    Args:
        floor: the least flavour of a result: a function of torch gives a tensor.
    """

    def __init__(self, tr: Tracer, floor: int = INT) -> None:
        self._tr = tr
        self._floor = floor

    def __getattr__(self, name: str) -> Callable[..., Any]:
        op = OPS.get(name)
        if op is None:
            raise AttributeError(name)
        if isinstance(op, TensorOp):
            tensor = op
            return lambda *args, **params: record(self._tr, tensor, args, params, self._floor)
        return lambda *args: self._elementwise(op, args)

    def _elementwise(self, op: Op, args: tuple[Any, ...]) -> Any:
        missing = op.arity - len(args)
        filled = [*args, *(float(d) for d in op.defaults[len(op.defaults) - missing :] if missing)]
        lifted = tuple(self._tr_value(a) for a in filled)
        if not any(isinstance(a, Value) for a in lifted):
            lifted = (number(self._tr, lifted[0], None), *lifted[1:])
        return apply(op.name, lifted, floor=max(self._floor, NUMPY))

    def _tr_value(self, value: Any) -> Any:
        return Array(self._tr, value) if isinstance(value, np.ndarray) else value

    @staticmethod
    def constant(value: Any) -> float:
        return float(value)


def _lifted(tr: Tracer, value: Any) -> Any:
    if isinstance(value, Value):
        return value
    if isinstance(value, np.ndarray):
        return Array(tr, value)
    if isinstance(value, list | tuple):
        return gather(tr, value)
    if isinstance(value, int | float):
        return value
    raise TypeError(f"a number or an array is needed, not {type(value).__name__}")


def record(tr: Tracer, op: TensorOp, args: tuple[Any, ...], params: dict[str, Any], floor: int = INT) -> Any:
    """Compute an op that is not elementwise, record it and package the result.

    Raises:
        ValueError, IndexError: the arrays do not fit, as NumPy would raise; the message holds their shapes.
    """
    tr.alive()
    operands = tuple(_lifted(tr, a) for a in args)
    raw = [a.raw if isinstance(a, Value) else a for a in operands]
    arrays = [np.asarray(r) for r in raw]
    try:
        settled, shape = typed(op.name, [a.shape for a in arrays], params)
    except PlaceError as problem:
        raise IndexError(problem.message) from None
    except ShapeError as problem:
        tr.misfit = (op.name, [a.shape for a in arrays], params)
        raise ValueError(problem.message) from None
    if op.trivial is not None and not shape and op.trivial(*(a.shape for a in arrays), **dict(settled)):
        return operands[0]  # a sum of one number is that number
    with np.errstate(all="ignore"):
        data = np.asarray(numeric.function(op.name)(*arrays, **dict(settled)))
    if op.whole:
        data = data.astype(np.int64)
    flavour = max([floor, NUMPY, *(a.flavour for a in operands if isinstance(a, Value))])
    if flavour < TENSOR:
        flavour = ARRAY if shape else NUMPY
    if is_data(tr, operands):
        made = PACKAGERS[max(flavour, ARRAY)](tr, "", operands, (), data, None)
        return made if shape or flavour == TENSOR else number(tr, data.item(), None, NUMPY)
    step = tr.emit(op.name, [step_of(tr, a) for a in operands], data if shape else float(data), params=settled)
    if flavour == NUMPY:
        return number(tr, data.item(), step, NUMPY)
    made = PACKAGERS[flavour](tr, op.name, operands, arrays, data, step, settled)
    first = operands[0] if operands else None
    if op.write is not None and isinstance(first, Array) and np.may_share_memory(data, arrays[0]):
        made.origin = View(first, op, operands[1:], dict(settled), first.version)
    return made


# --- views --------------------------------------------------------------------------------------------------------


def remake(view: View) -> Array:
    """What a view shows now."""
    made = record(view.base.tr, view.op, (view.base, *view.rest), view.params, view.base.flavour)
    assert isinstance(made, Array)
    return made


def write_back(view: View, value: Array) -> None:
    """A view was written into: its base holds that too."""
    base = view.base
    rule = view.op.write
    assert rule is not None
    base.replace(rule(Recorder(base.tr, base.flavour), value, base, *view.rest, **view.params))
    view.seen = base.version


# --- indexing -----------------------------------------------------------------------------------------------------


def pick(x: Array, index: Any) -> Any:
    """``x[index]``."""
    spec, operands = _encoded(index, 1)
    made = Recorder(x.tr, x.flavour if isinstance(x, Tensor) else INT).index(x, *operands, spec=spec)
    mask = _mask(x, index)
    if mask is not None and isinstance(made, Value) and made.step is not None:
        # Which entries these are may change with the values: an assignment under the same mask can say so.
        x.tr.masked[made.step] = (x.place, mask.place)
    return made


def put(x: Array, index: Any, value: Any) -> None:
    """``x[index] = value``."""
    tr = x.tr
    spec, operands = _encoded(index, 2)
    origin = value.origin if isinstance(value, Array) else None
    if origin is not None and origin.base is x and origin.params == {"spec": spec} and origin.seen == x.version:
        return  # x[i] += v has already changed x through its view
    mask = _mask(x, index)
    whole = _unmasked(tr, value, mask) if mask is not None else None
    m = Recorder(tr, x.flavour)
    if whole is not None:
        x.replace(m.where(mask, whole, x))
    else:
        x.replace(m.set(x, _lifted(tr, value), *operands, spec=spec))


def add_at(x: Any, index: Any, value: Any) -> None:
    """``np.add.at``: an in-place sum in which an entry named twice is added to twice."""
    if not isinstance(x, Array):
        raise TypeError("first operand must be array")
    spec, operands = _encoded(index, 2)
    x.replace(Recorder(x.tr, x.flavour).add_at(x, _lifted(x.tr, value), *operands, spec=spec))


def _encoded(index: Any, first: int) -> tuple[Any, list[Any]]:
    items = index if isinstance(index, tuple) else (index,)
    if any(isinstance(i, Array) and i.data.ndim and i.chosen.dtype.kind == "f" for i in items):
        raise IndexError("arrays used as indices must be of integer (or boolean) type")
    plain = tuple(list(i) if isinstance(i, tuple | range) else i for i in items)
    try:
        return encode(tuple(_bare(i) for i in plain), first)
    except TypeError as problem:
        raise IndexError(str(problem)) from None


def _bare(item: Any) -> Any:
    """A list of traced whole numbers as plain ones."""
    if isinstance(item, list):
        return [_bare(i) for i in item]
    return int(item) if isinstance(item, Value) and isinstance(item, int) else item


def _mask(x: Array, index: Any) -> Array | None:
    """A computed boolean array of x's own shape, as the whole index."""
    if isinstance(index, Array) and index.data.dtype == bool and index.data.shape == x.data.shape:
        return index if index.step is not None and x.tr.varies[index.step] else None
    return None


def _unmasked(tr: Tracer, value: Any, mask: Array) -> Any:
    """What ``x[mask]`` is given, for all entries: a number, ``y[mask]``, or an elementwise formula of these.

    ``None`` where there is no saying: then the mask counts as it is at the user's point.
    """
    if not isinstance(value, Array):
        return value if isinstance(value, int | float) else None
    if value.step is None:
        return None
    found: dict[int, int | None] = {}

    def expand(step: int, depth: int) -> int | None:
        if step in found:
            return found[step]
        node = tr.builder.steps[step]
        made: int | None = None
        if tr.masked.get(step, (0, -1))[1] == mask.place:
            made = tr.masked[step][0]
        elif not node.shape:
            made = step
        elif not node.is_leaf and OPS[node.op].elementwise and depth:
            parts = [expand(j, depth - 1) for j in node.inputs]
            if all(p is not None for p in parts):
                places = [p for p in parts if p is not None]
                with np.errstate(all="ignore"):
                    data = np.asarray(numeric.function(node.op)(*(tr.value(p) for p in places)))
                made = tr.emit(node.op, places, data if data.ndim else float(data), span=node.span)
        found[step] = made
        return made

    whole = expand(value.step, 4)
    return None if whole is None else type(value)(tr, np.asarray(tr.value(whole)), whole, value.dtype)


def entries(x: Array) -> Iterator[Any]:
    """Going through an array: its first axis."""
    if not x.data.ndim:
        raise TypeError("iteration over a 0-d array")
    return (pick(x, i) for i in range(len(x.data)))


# --- building -----------------------------------------------------------------------------------------------------


def gather(tr: Tracer, value: Any, dtype: Any = None) -> Any:
    """Nested lists as an array; where numbers in them are traced, by stacking."""
    if isinstance(value, Value | Inert):
        return value
    if not _holds_steps(value):
        return Array(tr, np.array(_plain(value), dtype=dtype))
    parts = [gather(tr, v) if isinstance(v, list | tuple) else v for v in value]
    floor = TENSOR if any(isinstance(p, Tensor) for p in parts) else ARRAY
    return LIBRARY["numpy.stack"](Recorder(tr, floor), parts)


def _holds_steps(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return any(_holds_steps(v) for v in value)
    return isinstance(value, Value) and (value.step is not None or isinstance(value, Array))


def _plain(value: Any) -> Any:
    if isinstance(value, list | tuple | range):
        return [_plain(v) for v in value]
    if isinstance(value, Value):
        return value.raw
    if not isinstance(value, int | float):
        raise TypeError(f"an array of numbers is needed, not of {type(value).__name__}")
    return value


# --- the library --------------------------------------------------------------------------------------------------


#: Functions of a list of arrays, each of which may be a list itself.
JOINING = frozenset({"concatenate", "hstack", "vstack", "stack", "column_stack", "row_stack", "cat", "concat"})


#: Functions of two arrays, each of which may be a list: what a list is tells whether it is a product of matrices.
OF_TWO = frozenset("dot matmul inner outer vdot tensordot kron cross convolve correlate trapz trapezoid append".split())


#: Functions of a list or a tuple that is no array.
OF_SEVERAL = JOINING | {"block", "meshgrid", "broadcast_arrays", "ix_", "einsum", "where", "dstack", "multi_dot"}


def call(tr: Tracer, name: str, *args: Any, **kwargs: Any) -> Any:
    """A function or method of NumPy or torch, under its dotted name."""
    tr.alive()
    out = kwargs.pop("out", None)
    if out is not None:
        return given_out(out, call(tr, name, *args, **kwargs))
    if any(isinstance(a, Inert) for a in args):
        return NOTHING
    floor = TENSOR if name.startswith("torch.") else INT
    ready = [_argument(tr, a) for a in args]
    if name.rpartition(".")[2] in JOINING and ready and isinstance(ready[0], list | tuple):
        ready[0] = [gather(tr, part) if isinstance(part, list | tuple) else part for part in ready[0]]
    elif name.startswith("numpy.") and name.rpartition(".")[2] not in OF_SEVERAL and args and (
        isinstance(args[0], list | tuple) and _holds_steps(args[0])
    ):  # fmt: skip
        ready[0] = gather(tr, args[0])
    if name.rpartition(".")[2] in OF_TWO:
        ready[:2] = [gather(tr, part) if isinstance(part, list | tuple) else part for part in ready[:2]]
    named = {k: _argument(tr, v) for k, v in kwargs.items() if k not in ("dtype", "device")}
    try:
        found = LIBRARY[name](Recorder(tr, floor), *ready, **named)
    except PlaceError as problem:
        raise IndexError(problem.message) from None
    except ShapeError as problem:
        raise ValueError(problem.message) from None
    except Unsupported as problem:
        return tr.unsupported(problem.message)
    return RECORDS[type(found).__name__](found) if hasattr(type(found), "_fields") else found


def given_out(out: Any, result: Any) -> Any:
    """``out=``: an array takes the result over, and every name of it sees that."""
    if isinstance(out, tuple) and len(out) == 1:
        out = out[0]
    if not isinstance(out, Array):
        raise TypeError("return arrays must be of ArrayType")
    return out.replace(result)


def _argument(tr: Tracer, value: Any) -> Any:
    """Traced whole numbers as plain ones, ranges as lists; nested lists of numbers where an array is wanted stay."""
    if isinstance(value, range):
        return list(value)
    if isinstance(value, list | tuple):
        items = [_argument(tr, v) for v in value]
        return tuple(items) if isinstance(value, tuple) else items
    if isinstance(value, Value) and isinstance(value, int):
        return int(value)
    return value
