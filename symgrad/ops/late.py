"""SymPy for the declarations of ops: a table that is read, and not derived from, needs none of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class _Module:
    """``sp.log(x)`` in a function: SymPy is imported when that runs."""

    def __getattr__(self, name: str) -> Any:
        import sympy

        return getattr(sympy, name)


class _Functions:
    """``later.log`` in a table: a function that imports SymPy when it is called."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(*args: Any) -> Any:
            return getattr(sp, name)(*args)

        call.__name__ = call.__qualname__ = name
        return call


sp = _Module()
later = _Functions()
