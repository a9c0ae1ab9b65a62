"""Traced arrays: NumPy's and torch's.

They hold a real ndarray, and expose nothing of it but what the tables of ``attributes.py`` allow.
"""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

import numpy as np

from symgrad.frontends.trace.tracer import Tracer
from symgrad.frontends.trace.values import ARRAY, PACKAGERS, TENSOR, Value, apply, binary, number

if TYPE_CHECKING:
    from symgrad.frontends.trace.autograd import Node


class Array(Value):
    """An ndarray. In-place operators change this very object, so that every name of it sees the change."""

    __slots__ = ("data", "dtype", "extra", "step", "tr")
    flavour = ARRAY
    data: np.ndarray[Any, Any]
    #: What the user's code believes the type to be; values are computed in float64 throughout.
    dtype: str
    #: Attributes that the user put on it (``x.g = ...``).
    extra: dict[str, Any]

    def __init__(self, tr: Tracer, data: Any, step: int | None = None, dtype: str = "") -> None:
        self.tr = tr
        self.data = np.asarray(data)
        self.step = step
        self.dtype = dtype or str(self.data.dtype)
        self.extra = {}

    @property
    def raw(self) -> Any:
        return self.data

    def materialise(self) -> int:
        if self.data.ndim == 0:
            self.step = self.tr.constant(self.data.item())
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
        return format(self.data.item() if self.data.ndim == 0 else self.data, spec)

    __hash__ = object.__hash__

    def __iter__(self) -> Any:
        self.tr.unsupported("going through an array element by element")

    def __getitem__(self, index: Any) -> Any:
        self.tr.unsupported("indexing an array")

    def __setitem__(self, index: Any, value: Any) -> None:
        self.tr.unsupported("assigning to a part of an array")

    def __contains__(self, item: Any) -> bool:
        self.tr.unsupported("'in' on an array")

    def __invert__(self) -> Any:
        return apply("eq", (self, 0))

    def __and__(self, other: Any) -> Any:
        return binary("mul", self, other)

    def __or__(self, other: Any) -> Any:
        return binary("max", self, other)

    def replace(self, other: Any) -> Array:
        """Become ``other``, in place."""
        if not isinstance(other, Value):
            other = Array(self.tr, other)
        shape = np.shape(other.raw)
        if shape != self.data.shape:
            raise ValueError(f"an array of shape {self.data.shape} cannot hold a result of shape {shape}")
        self.data = np.asarray(other.raw)
        self.step = other.step
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


def item(array: Array) -> Any:
    """``.item()`` and ``float()``: the same step as a Python number."""
    if array.data.size != 1:
        raise ValueError("only one element tensors can be converted to Python scalars")
    if array.data.ndim:
        array.tr.unsupported("taking the number out of an array of one element")
    return number(array.tr, array.data.item(), array.place)


PACKAGERS[ARRAY] = lambda tr, op, args, raw, data, step: Array(tr, data, step)
