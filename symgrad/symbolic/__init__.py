"""Graphs and SymPy: closed forms, their simplification within a budget, and SymPy as a witness of the rules.

SymPy is loaded when one of these names is first used: much of symgrad gets by without it, and it takes half a second.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from symgrad.symbolic.closed import ClosedForm, closed_form
    from symgrad.symbolic.convert import to_sympy, tree_size
    from symgrad.symbolic.guard import BUILD_LIMIT, READABLE, TooLarge
    from symgrad.symbolic.local import local_derivative
    from symgrad.symbolic.named import named_function
    from symgrad.symbolic.reading import from_sympy, replay, write
    from symgrad.symbolic.shortening import Simplified, length, simplify
    from symgrad.symbolic.text import sympy_latex, sympy_text
    from symgrad.symbolic.trust import confirmed_rules
    from symgrad.symbolic.verify import verified

_WHERE = {
    "closed": ("ClosedForm", "closed_form"),
    "convert": ("to_sympy", "tree_size"),
    "guard": ("BUILD_LIMIT", "READABLE", "TooLarge"),
    "local": ("local_derivative",),
    "named": ("named_function",),
    "reading": ("from_sympy", "replay", "write"),
    "shortening": ("Simplified", "length", "simplify"),
    "text": ("sympy_latex", "sympy_text"),
    "trust": ("confirmed_rules",),
    "verify": ("verified",),
}

__all__ = [
    "BUILD_LIMIT", "READABLE", "ClosedForm", "Simplified", "TooLarge", "closed_form", "confirmed_rules", "from_sympy",
    "length",
    "local_derivative", "named_function", "replay", "simplify", "sympy_latex", "sympy_text", "to_sympy", "tree_size",
    "verified", "write",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    import importlib

    for module, names in _WHERE.items():
        if name in names:
            value = getattr(importlib.import_module(f"{__name__}.{module}"), name)
            globals()[name] = value
            return value
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
