"""Polynomials and convolutions of sequences, as NumPy spells them."""

from __future__ import annotations

from typing import Any

from symgrad.ops.library.moving import flip
from symgrad.ops.library.picking import item
from symgrad.ops.library.spelling import spelled
from symgrad.ops.library.windows import windows
from symgrad.ops.tensor import ShapeError, shape_of


@spelled("numpy.polyval", rename={"p": "coefficients"})
def polyval(m: Any, coefficients: Any, x: Any) -> Any:
    """By Horner's scheme, the highest power first."""
    if isinstance(coefficients, list | tuple):
        values = list(coefficients)
    else:
        values = [item(m, coefficients, k) for k in range(shape_of(coefficients)[0])]
    found = values[0]
    for value in values[1:]:
        found = found * x + value
    return found if len(values) > 1 or not shape_of(x) else m.broadcast_to(found, shape=shape_of(x))


@spelled("numpy.vander", "torch.vander")
def vander(m: Any, x: Any, N: Any = None, increasing: Any = False) -> Any:
    """A column for each power of ``x``, of shape (n,): the highest first."""
    count = shape_of(x)[0]
    columns = count if N is None else int(N)
    flat = m.reshape(x, shape=(-1, 1))
    powers = [m.broadcast_to(1.0, shape=(count, 1)), flat, *(flat**k for k in range(2, columns))][:columns]
    return m.concatenate(*(powers if increasing else powers[::-1]), axis=1)


def _slid(m: Any, x: Any, kernel: Any, mode: Any) -> Any:
    """The sum over a window of ``x`` times the kernel, which is no longer than ``x``."""
    n, size = shape_of(x)[0], shape_of(kernel)[0]
    if mode not in ("full", "same", "valid"):
        raise ValueError(f"mode '{mode}' is not supported: 'full', 'same' or 'valid'")
    before = {"full": size - 1, "same": size // 2, "valid": 0}[mode]
    after = {"full": size - 1, "same": size - 1 - size // 2, "valid": 0}[mode]
    wide = m.pad(x, widths=((before, after),)) if before or after else x
    assert shape_of(wide)[0] >= size, n
    return m.matmul(windows(m, wide, (size,), (1,)), kernel)


def _vectors(x: Any, other: Any, what: str) -> None:
    if len(shape_of(x)) != 1 or len(shape_of(other)) != 1 or 0 in (*shape_of(x), *shape_of(other)):
        raise ShapeError(f"{what} of shapes {shape_of(x)} and {shape_of(other)}: both must have one axis")


@spelled("numpy.convolve", rename={"v": "other"})
def convolve(m: Any, x: Any, other: Any, mode: Any = "full") -> Any:
    _vectors(x, other, "convolve")
    if shape_of(other)[0] > shape_of(x)[0]:
        x, other = other, x
    return _slid(m, x, flip(m, other, 0), mode)


@spelled("numpy.correlate", rename={"v": "other"})
def correlate(m: Any, x: Any, other: Any, mode: Any = "valid") -> Any:
    _vectors(x, other, "correlate")
    if shape_of(other)[0] > shape_of(x)[0]:
        return flip(m, _slid(m, other, x, mode), 0)
    return _slid(m, x, other, mode)
