"""Covariances and correlations, as NumPy and torch spell them."""

from __future__ import annotations

from typing import Any

from symgrad.errors import Unsupported
from symgrad.ops.library.spelling import spelled
from symgrad.ops.tensor import ShapeError, shape_of


def _rows(m: Any, x: Any, y: Any, rowvar: Any) -> Any:
    """One variable a row."""
    parts = []
    for part in (x, *(() if y is None else (y,))):
        shape = shape_of(part)
        if len(shape) > 2:
            raise ShapeError(f"cov of shape {shape}: it has more than two axes")
        if len(shape) < 2:
            parts.append(m.reshape(part, shape=(1, -1)))
        else:
            parts.append(part if rowvar else m.transpose(part))
    return parts[0] if len(parts) == 1 else m.concatenate(*parts, axis=0)


def _covariance(m: Any, rows: Any, ddof: Any) -> Any:
    centred = rows - m.mean(rows, axis=1, keepdims=True)
    found = m.matmul(centred, m.transpose(centred)) / (shape_of(rows)[1] - ddof)
    return m.reshape(found, shape=()) if shape_of(rows)[0] == 1 else found


@spelled("numpy.cov", rename={"m": "x"})
def cov(
    m: Any, x: Any, y: Any = None, rowvar: Any = True, bias: Any = False, ddof: Any = None, fweights: Any = None,
    aweights: Any = None,
) -> Any:  # fmt: skip
    """Of the rows with one another; divided by their length less one if nothing else is asked for."""
    if fweights is not None or aweights is not None:
        raise Unsupported("cov with weights")
    return _covariance(m, _rows(m, x, y, rowvar), int(ddof) if ddof is not None else 0 if bias else 1)


@spelled("torch.cov", "torch.Tensor.cov")
def torch_cov(m: Any, x: Any, *, correction: Any = 1, fweights: Any = None, aweights: Any = None) -> Any:
    if fweights is not None or aweights is not None:
        raise Unsupported("cov with weights")
    return _covariance(m, _rows(m, x, None, True), correction)


@spelled("numpy.corrcoef", "torch.corrcoef", "torch.Tensor.corrcoef")
def corrcoef(m: Any, x: Any, y: Any = None, rowvar: Any = True) -> Any:
    found = _covariance(m, _rows(m, x, y, rowvar), 1)
    if not shape_of(found):
        return found / found
    sizes = m.sqrt(m.diagonal(found))
    return found / m.reshape(sizes, shape=(-1, 1)) / sizes
