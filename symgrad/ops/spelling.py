"""How products are spelled in NumPy and torch, as functions and as methods; they are read in texts that never ran."""

from __future__ import annotations

#: Products of matrices and vectors: ``np.dot(a, b)``, ``a.mm(b)``.
MATRIX_PRODUCTS = frozenset({"dot", "mm", "matmul", "mv", "bmm"})
#: Each entry of one vector with each of the other.
OUTER_PRODUCTS = frozenset({"outer", "ger"})


def outer_product(library: str, a: str, b: str) -> str:
    """The text of such a product; ``library`` is what NumPy or torch is called."""
    return f"{library}.outer({a}, {b})"
