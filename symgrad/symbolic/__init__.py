"""Graphs and SymPy: closed forms, their simplification within a budget, and SymPy as a witness of the rules."""

from symgrad.symbolic.closed import ClosedForm, closed_form
from symgrad.symbolic.convert import to_sympy, tree_size
from symgrad.symbolic.guard import BUILD_LIMIT, READABLE, TooLarge
from symgrad.symbolic.local import local_derivative
from symgrad.symbolic.named import named_function
from symgrad.symbolic.reading import from_sympy, replay, write
from symgrad.symbolic.simplify import Simplified, length, simplify
from symgrad.symbolic.text import sympy_latex, sympy_text
from symgrad.symbolic.trust import confirmed_rules
from symgrad.symbolic.verify import verified

__all__ = [
    "BUILD_LIMIT", "READABLE", "ClosedForm", "Simplified", "TooLarge", "closed_form", "confirmed_rules", "from_sympy",
    "length",
    "local_derivative", "named_function", "replay", "simplify", "sympy_latex", "sympy_text", "to_sympy", "tree_size",
    "verified", "write",
]  # fmt: skip
