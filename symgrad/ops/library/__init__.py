"""What NumPy's and torch's functions and methods do, in ops of the table: see :mod:`symgrad.ops.library.spelling`."""

from symgrad.ops.library import (  # noqa: F401  (their declarations)
    activating,
    attending,
    estimating,
    joining,
    losses,
    moving,
    networks,
    normalising,
    picking,
    polynomials,
    products,
    reductions,
    running,
    shapes,
    special,
    triangular,
    windows,
)
from symgrad.ops.library.picking import item
from symgrad.ops.library.reductions import Extreme
from symgrad.ops.library.spelling import LIBRARY

__all__ = ["LIBRARY", "Extreme", "item"]
