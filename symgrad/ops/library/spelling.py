"""The table of library functions: a dotted name of NumPy or torch -> what it does, in ops of the table.

A function is written against the namespace ``m`` (see :class:`symgrad.ops.base.Math`) and its operands, as rules are.
So the same definition records steps when a script is traced, and appends steps when a formula is built. Operands are
references, traced values or numbers; arrays among them have a ``shape``.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from symgrad.errors import Unsupported

Function = Callable[..., Any]
F = TypeVar("F", bound=Function)

#: Dotted name -> ``(m, *args, **kwargs)``. Methods are ``numpy.ndarray.sum`` and ``torch.Tensor.sum``.
LIBRARY: dict[str, Function] = {}

#: torch's words for NumPy's, and the names of first operands.
RENAMED = {"dim": "axis", "dims": "axis", "keepdim": "keepdims", "input": "x", "a": "x"}

#: Functions of torch that take ``keepdim`` only where an axis is named.
NAMED_AXES = frozenset({"sum", "mean", "prod", "max", "min", "logsumexp"})

#: What changes nothing that is traced.
IGNORED = frozenset({"dtype", "device", "order", "copy", "memory_format"})


def spelled(*names: str, rename: dict[str, str] | None = None) -> Callable[[F], F]:
    """Declare what the functions of these names do.

    Keywords of torch are translated to NumPy's; ``out=`` is refused, since it changes an array that others may hold.
    """
    words = {**RENAMED, **(rename or {})}

    def declare(function: F) -> F:
        @wraps(function)
        def call(m: Any, *args: Any, **kwargs: Any) -> Any:
            given = {}
            for key, value in kwargs.items():
                if key in IGNORED:
                    continue
                if key == "out":
                    if value is not None:
                        raise Unsupported(f"{names[0]}(..., out=...)")
                    continue
                given[words.get(key, key)] = value
            return function(m, *args, **given)

        for name in names:
            assert name not in LIBRARY, name
            LIBRARY[name] = _strictly(name, call) if name.startswith("torch.") else call
        return function

    return declare


def _strictly(name: str, function: Function) -> Function:
    """torch keeps axes that are named, and has no word for keeping all of them."""
    last = name.rpartition(".")[2]
    if last not in NAMED_AXES:
        return function

    @wraps(function)
    def call(m: Any, *args: Any, **kwargs: Any) -> Any:
        keeps = {"keepdim", "keepdims"} & kwargs.keys()
        if keeps and len(args) < 2 and not {"dim", "axis"} & kwargs.keys():
            raise TypeError(f"{last}() received an invalid combination of arguments: {min(keeps)} without dim")
        return function(m, *args, **kwargs)

    return call


def both(name: str, *more: str) -> tuple[str, ...]:
    """A function and a method of NumPy and of torch."""
    return (f"numpy.{name}", f"numpy.ndarray.{name}", f"torch.{name}", f"torch.Tensor.{name}", *more)
