"""Traced arrays: NumPy's and torch's.

They hold a real ndarray, and expose nothing of it but what the tables of ``attributes.py`` allow. That ndarray is never
written into: an array that the script changes gets a new one, and a new step. A view remembers what it is a view of: it
is made anew when that has changed, and what is written into it is written into that.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from symgrad.frontends.trace.tracer import Tracer
from symgrad.frontends.trace.values import ARRAY, PACKAGERS, TENSOR, Value, apply, binary, number

if TYPE_CHECKING:
    from symgrad.frontends.trace.autograd import Node
    from symgrad.ops import TensorOp


@cache
def _called(dtype: np.dtype[Any]) -> str:
    """The name of a type, which NumPy works out anew each time."""
    return str(dtype)


@dataclass
class View:
    """What an array is a view of: ``op(base, *rest, **params)``, as it was at version ``seen`` of the base."""

    base: Array
    op: TensorOp
    rest: tuple[Any, ...]
    params: dict[str, Any]
    seen: int


class Array(Value):
    """An ndarray. In-place operators change this very object, so that every name of it sees the change."""

    __slots__ = ("_data", "_step", "_version", "dtype", "extra", "origin", "tr")
    flavour = ARRAY
    #: What it is a view of.
    origin: View | None
    #: What the user's code believes the type to be; values are computed in float64 throughout.
    dtype: str
    #: Attributes that the user put on it (``x.g = ...``).
    extra: dict[str, Any]

    def __init__(self, tr: Tracer, data: Any, step: int | None = None, dtype: str = "") -> None:
        self.tr = tr
        self.origin = None
        self._version = 0
        self._data = np.asarray(data)
        self._step = step
        self.dtype = dtype or _called(self._data.dtype)
        self.extra = {}

    @property
    def data(self) -> np.ndarray[Any, Any]:
        self._catch_up()
        return self._data

    @property
    def step(self) -> int | None:
        self._catch_up()
        return self._step

    @step.setter
    def step(self, value: int | None) -> None:
        self._step = value

    @property
    def shape(self) -> tuple[int, ...]:
        return self._data.shape

    @property
    def version(self) -> int:
        """Counts the changes of what it holds."""
        self._catch_up()
        return self._version

    @property
    def places(self) -> Any:
        """As an index: whole numbers that are data, and masks, count as they are; computed places are a step."""
        data = self.chosen
        if data.dtype == bool or data.dtype.kind in "iu":
            computed = self._step is not None and not self.tr.builder.steps[self._step].is_leaf
            if data.dtype == bool or not computed or not self.tr.varies[self._step or 0]:
                return data if data.ndim or data.dtype == bool else int(data)
        return self

    @property
    def chosen(self) -> np.ndarray[Any, Any]:
        """What it holds, as truths or whole numbers where the user's code made it of those and filled it afterwards."""
        data, kind = self.data, self.dtype.lstrip("u")[:3]
        if data.dtype.kind != "f" or kind not in ("boo", "int") or not (data == data.round()).all():
            return data
        return data.astype(bool if kind == "boo" else np.int64)

    def _catch_up(self) -> None:
        """A view of something that has changed is made anew."""
        view = self.origin
        if view is not None and view.seen != view.base.version:
            from symgrad.frontends.trace.shaped import remake

            view.seen = view.base.version
            fresh = remake(view)
            self._take(fresh)

    def recast(self, data: np.ndarray[Any, Any], dtype: str) -> None:
        """The same numbers as another type."""
        self._data, self.dtype = data, dtype

    def _take(self, other: Array) -> None:
        self._data, self._step = other._data, other._step
        self._version += 1

    @property
    def raw(self) -> Any:
        return self.data

    def materialise(self) -> int:
        data = self.data
        if data.ndim == 0:
            self.step = self.tr.constant(data.item())
        elif data.size and np.isfinite(data.flat[0]) and np.all(data == data.flat[0]):
            # zeros, ones, full: one number everywhere is a constant, and no input.
            from symgrad.frontends.trace.shaped import Recorder

            same = Recorder(self.tr, self.flavour).broadcast_to(data.flat[0].item(), shape=data.shape)
            self.step = same.step
        else:
            # A const step holds one number, so an array that nobody named is an input that nobody named.
            self.step = self.tr.input("array", self.data, self.tr.here())
        return self.step

    def __bool__(self) -> bool:
        return bool(self.data)

    def __float__(self) -> float:
        return float(self.data)

    def __int__(self) -> int:
        return int(self.data)

    def __index__(self) -> int:
        return operator.index(self.data.item() if self.data.ndim == 0 else self.data)

    def __len__(self) -> int:
        return len(self.data)

    def __repr__(self) -> str:
        return np.array2string(self.data, separator=", ") if self.data.ndim else repr(self.data.item())

    def __str__(self) -> str:
        return str(self.data)

    def __format__(self, spec: str) -> str:
        self.tr.words(self.step)
        return format(self.data.item() if self.data.ndim == 0 else self.data, spec)

    __hash__ = object.__hash__

    def __iter__(self) -> Any:
        from symgrad.frontends.trace.shaped import entries

        return entries(self)

    def __getitem__(self, index: Any) -> Any:
        from symgrad.frontends.trace.shaped import pick

        return pick(self, index)

    def __setitem__(self, index: Any, value: Any) -> None:
        from symgrad.frontends.trace.shaped import put

        put(self, index, value)

    def __contains__(self, item: Any) -> bool:
        return bool(np.any(self.data == (item.raw if isinstance(item, Value) else item)))

    def __invert__(self) -> Any:
        return apply("eq", (self, 0))

    def __and__(self, other: Any) -> Any:
        return binary("mul", self, other)

    def __or__(self, other: Any) -> Any:
        return binary("max", self, other)

    def replace(self, other: Any) -> Array:
        """Become ``other``, in place: every name of this object and what it is a view of see it."""
        if not isinstance(other, Value):
            other = Array(self.tr, other)
        shape = np.shape(other.raw)
        if shape != self.data.shape:
            raise ValueError(f"an array of shape {self.data.shape} cannot hold a result of shape {shape}")
        return self.reshaped(other)

    def reshaped(self, other: Any) -> Array:
        """The same where ``other`` may have another shape: ``x.shape = (2, 3)``."""
        old = self._step
        self._data, self._step = np.asarray(other.raw), other.step
        self._version += 1
        if self._step is None and self.tr.has_names(old):
            self.materialise()  # dW.fill(0): its names hold other numbers from here on
        self.tr.rebind(old, self._step)
        self.tr.drop(old)
        if self.origin is not None:
            from symgrad.frontends.trace.shaped import write_back

            write_back(self.origin, self)
        return self


class Tensor(Array):
    """A torch tensor, as much of one as a derivative needs."""

    __slots__ = ("grad", "node")
    flavour = TENSOR
    #: The tensor's place on autograd's tape; ``None`` where torch would not track it.
    node: Node | None
    grad: Tensor | None

    def __init__(
        self, tr: Tracer, data: Any, step: int | None = None, dtype: str = "", node: Node | None = None
    ) -> None:
        super().__init__(tr, data, step, dtype)
        self.node = node
        self.grad = None

    def __repr__(self) -> str:
        tail = ", requires_grad=True" if self.node is not None else ""
        return f"tensor({np.array2string(self.data, precision=4, separator=', ', floatmode='fixed')}{tail})"

    __str__ = __repr__
    __hash__ = object.__hash__

    def replace(self, other: Any) -> Array:
        tracked = not self.tr.no_grad and isinstance(other, Tensor) and other.node is not None
        if tracked and self.node is not None and self.node.is_leaf:
            raise RuntimeError("a leaf Variable that requires grad is being used in an in-place operation.")
        super().replace(other)
        if tracked:
            self.node = other.node
        return self

    def _take(self, other: Array) -> None:
        super()._take(other)
        if isinstance(other, Tensor):
            self.node = other.node


def item(array: Array) -> Any:
    """``.item()`` and ``float()``: the same step as a Python number."""
    if array.data.size != 1:
        raise ValueError("only one element tensors can be converted to Python scalars")
    if array.data.dtype == bool and array.step is None:
        return bool(array.data.item())  # a truth that was looked at
    if array.data.ndim:
        array = array[(0,) * array.data.ndim]
    return array if not isinstance(array, Array) else number(array.tr, array.data.item(), array.place)


PACKAGERS[ARRAY] = lambda tr, op, args, raw, data, step, params=(): Array(tr, data, step)
