"""Cholesky factors, and systems with a triangular matrix, composed of ops of the table."""

from __future__ import annotations

from typing import Any

from symgrad.errors import Unsupported
from symgrad.ops.library.picking import item
from symgrad.ops.library.spelling import spelled
from symgrad.ops.linalg import turned
from symgrad.ops.tensor import ShapeError, shape_of

#: A larger matrix would take thousands of steps.
MOST_ROWS = 60


@spelled("numpy.linalg.cholesky", "torch.linalg.cholesky", "torch.cholesky", "torch.Tensor.cholesky")
def cholesky(m: Any, x: Any, upper: Any = False) -> Any:
    """The lower factor of a positive definite matrix, column by column: of ``x`` the lower triangle is read.

    Raises:
        ShapeError: the matrix is not square.
        Unsupported: it is a stack of matrices, or has more than :data:`MOST_ROWS` rows.
    """
    shape = shape_of(x)
    if len(shape) != 2 or shape[0] != shape[1]:
        raise ShapeError(f"cholesky needs a square matrix; here is shape {shape}")
    count = shape[0]
    if count > MOST_ROWS:
        raise Unsupported(f"cholesky of a matrix of more than {MOST_ROWS} rows")
    columns: list[Any] = []
    for j in range(count):
        below = item(m, x, (slice(j, None), j))
        if columns:
            done = _side_by_side(m, columns)
            below = below - m.matmul(item(m, done, slice(j, None)), item(m, done, j))
        column = below / m.sqrt(item(m, below, 0))
        columns.append(m.pad(column, widths=((j, 0),)) if j else column)
    lower = _side_by_side(m, columns)
    return turned(m, lower) if upper else lower


def _side_by_side(m: Any, columns: list[Any]) -> Any:
    return m.concatenate(*(m.reshape(c, shape=(-1, 1)) for c in columns), axis=1)


@spelled("scipy.linalg.solve_triangular", rename={"a": "x", "b": "other"})
def solve_triangular(m: Any, x: Any, other: Any, trans: Any = 0, lower: Any = False, **options: Any) -> Any:
    """Of the matrix one triangle is read, whatever stands in the other one."""
    kept = m.tril(x) if lower else m.triu(x)
    return m.solve(turned(m, kept) if trans in (1, "T", 2, "C") else kept, other)


@spelled("torch.linalg.solve_triangular", rename={"A": "x", "B": "other"})
def solve_triangular_of_torch(m: Any, x: Any, other: Any, upper: Any, left: Any = True, **options: Any) -> Any:
    """``x @ Y = other``, or ``Y @ x = other``."""
    kept = m.triu(x) if upper else m.tril(x)
    return m.solve(kept, other) if left else turned(m, m.solve(turned(m, kept), turned(m, other)))


@spelled("scipy.linalg.cho_solve")
def cho_solve(m: Any, c_and_lower: Any, b: Any, **options: Any) -> Any:
    """The system of which ``(c, lower)`` is the Cholesky factor, as ``cho_factor`` gives it."""
    factor, lower = c_and_lower
    low = m.tril(factor) if lower else turned(m, m.triu(factor))
    return m.solve(turned(m, low), m.solve(low, b))


@spelled("torch.cholesky_solve", rename={"input": "b", "input2": "factor", "L": "factor", "B": "b"})
def cholesky_solve(m: Any, b: Any, factor: Any, upper: Any = False) -> Any:
    low = turned(m, m.triu(factor)) if upper else m.tril(factor)
    return m.solve(turned(m, low), m.solve(low, b))


@spelled("scipy.linalg.cho_factor")
def cho_factor(m: Any, x: Any, lower: Any = False, **options: Any) -> Any:
    return cholesky(m, x, upper=not lower), bool(lower)


@spelled("scipy.linalg.cholesky")
def cholesky_of_scipy(m: Any, x: Any, lower: Any = False, **options: Any) -> Any:
    """The upper factor, if the lower one is not asked for."""
    return cholesky(m, x, upper=not lower)
