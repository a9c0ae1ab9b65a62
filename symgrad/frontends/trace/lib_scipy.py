"""What hand-written passes use of SciPy: special functions, and the convolutions of pictures."""

# A handler has the signature of the function that it stands for, used or not.
# ruff: noqa: ARG001

from __future__ import annotations

from typing import Any

from symgrad.frontends.trace.arrays import Array
from symgrad.frontends.trace.registry import MODULES, SPELLED, as_array, elementwise, traced
from symgrad.frontends.trace.shaped import call
from symgrad.frontends.trace.tracer import Tracer

MODULES |= {"scipy", "scipy.special", "scipy.signal", "scipy.linalg"}


@traced("scipy.special.expit")
def _expit(tr: Tracer, x: Any, *args: Any, **options: Any) -> Any:
    op, run, _ = SPELLED["torch.sigmoid"]
    return elementwise(tr, "scipy.special.expit", op, run, SPELLED["numpy.tanh"][2], x)


def _correlated(tr: Tracer, picture: Any, kernel: Any, mode: str, *, flipped: bool) -> Any:
    """The sum over the places of a kernel, each times the picture moved by that place.

    Raises:
        ValueError: these are no matrices, or the mode is unknown.
    """
    a, k = as_array(tr, picture), as_array(tr, kernel)
    if not isinstance(a, Array) or not isinstance(k, Array) or a.data.ndim != 2 or k.data.ndim != 2:
        raise ValueError("correlate2d and convolve2d inputs must both be 2-D arrays")
    if mode not in ("valid", "same", "full"):
        raise ValueError("acceptable mode flags are 'valid', 'same', or 'full'")
    (rows, columns), (high, wide) = a.data.shape, k.data.shape
    if mode == "valid" and (high > rows or wide > columns):
        if high < rows or wide < columns:
            raise ValueError("For 'valid' mode, one must be at least as large as the other in every dimension")
        return _swapped(tr, a, k, flipped=flipped)
    if mode == "full":
        widths = ((high - 1, high - 1), (wide - 1, wide - 1))
    else:
        # Of the whole SciPy keeps the middle; of two middles the first of a convolution, the second of a correlation.
        top, left = (high - 1) // 2, (wide - 1) // 2
        widths = ((top, high - 1 - top), (left, wide - 1 - left))
        if flipped:
            widths = ((high - 1 - top, top), (wide - 1 - left, left))
    if mode != "valid":
        a = call(tr, "numpy.pad", a, widths)
    height, width = a.data.shape[0] - high + 1, a.data.shape[1] - wide + 1
    total: Any = None
    for i in range(high):
        for j in range(wide):
            weight = k[high - 1 - i, wide - 1 - j] if flipped else k[i, j]
            part = a[i : i + height, j : j + width] * weight
            total = part if total is None else total + part
    return total


def _swapped(tr: Tracer, a: Any, k: Any, *, flipped: bool) -> Any:
    """The same where the kernel is larger than the picture: they change places, and a correlation is turned round."""
    made = _correlated(tr, k, a, "valid", flipped=flipped)
    return made if flipped else made[::-1, ::-1]


@traced("scipy.signal.correlate2d")
def _correlate2d(tr: Tracer, in1: Any, in2: Any, mode: Any = "full", *args: Any, **options: Any) -> Any:
    _refuse(tr, args, options)
    return _correlated(tr, in1, in2, str(mode), flipped=False)


@traced("scipy.signal.convolve2d")
def _convolve2d(tr: Tracer, in1: Any, in2: Any, mode: Any = "full", *args: Any, **options: Any) -> Any:
    _refuse(tr, args, options)
    return _correlated(tr, in1, in2, str(mode), flipped=True)


def _refuse(tr: Tracer, args: Any, options: dict[str, Any]) -> None:
    boundary = (*args, options.get("boundary", "fill"))[0]
    if boundary != "fill":
        tr.unsupported(f"the boundary {boundary!r} of a convolution")


