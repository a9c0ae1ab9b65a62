"""What NumPy's and torch's functions and methods do, in ops of the table: see :mod:`symgrad.ops.library.spelling`."""

from symgrad.ops.library import networks, products, reductions, shapes  # noqa: F401  (imported for their declarations)
from symgrad.ops.library.reductions import Extreme
from symgrad.ops.library.shapes import item
from symgrad.ops.library.spelling import LIBRARY

__all__ = ["LIBRARY", "Extreme", "item"]
