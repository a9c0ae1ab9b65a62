"""Padding, turning and shifting arrays, as NumPy and torch spell it."""

from __future__ import annotations

import math
from typing import Any

from symgrad.errors import Unsupported
from symgrad.ops.library.shapes import rearranged, several, swapaxes
from symgrad.ops.library.spelling import spelled
from symgrad.ops.shapes import WHOLE, one_axis
from symgrad.ops.tensor import ShapeError, shape_of


@spelled("numpy.pad", rename={"array": "x"})
def pad(m: Any, x: Any, pad_width: Any, mode: Any = "constant", constant_values: Any = 0) -> Any:
    rank = len(shape_of(x))
    widths = _pairs(pad_width, rank)
    if mode != "constant":
        import numpy as np

        return rearranged(m, x, lambda places: np.pad(places, widths, mode=mode))
    if not isinstance(constant_values, tuple | list):
        return _padded(m, x, widths, constant_values)
    given = [list(c) if isinstance(c, tuple | list) else [c] for c in constant_values]
    flat = [c for part in given for c in part]
    if all(isinstance(c, int | float) and float(c) == float(flat[0]) for c in flat):
        return _padded(m, x, widths, flat[0])
    if all(len(part) == 1 for part in given):  # (before, after), the same for all axes
        given = [flat] * rank
    if len(given) not in (1, rank) or any(len(part) > 2 for part in given):
        raise ShapeError(f"pad of shape {shape_of(x)}: there are constants for {len(given)} axes")
    given = given * rank if len(given) == 1 else given
    for axis, (pair, (before, after)) in enumerate(zip(given, widths, strict=True)):
        # One side of one axis after the other: a corner belongs to the last axis, as in NumPy.
        for value, side in ((pair[0], (before, 0)), (pair[-1], (0, after))):
            if any(side):
                x = _padded(m, x, tuple(side if k == axis else (0, 0) for k in range(rank)), value)
    return x


def _padded(m: Any, x: Any, widths: Any, value: Any) -> Any:
    if isinstance(value, int | float) and float(value) == 0.0:
        return m.pad(x, widths=widths)
    if isinstance(value, float) and math.isinf(value):
        shape = tuple(a + n + b for n, (a, b) in zip(shape_of(x), widths, strict=True))
        inner = tuple(("slice", a, a + n, None) for n, (a, _) in zip(shape_of(x), widths, strict=True))
        return m.set(m.broadcast_to(value, shape=shape), x, spec=inner)
    return m.pad(x - value, widths=widths) + value


def _pairs(given: Any, rank: int) -> tuple[tuple[int, int], ...]:
    """NumPy's four ways to say how wide."""
    if isinstance(given, int):
        return ((int(given), int(given)),) * rank
    items: list[Any] = [tuple(g) if isinstance(g, tuple | list) else g for g in given]
    if all(isinstance(g, int) for g in items):
        before, after = (items * 2)[:2] if len(items) == 1 else items
        return ((int(before), int(after)),) * rank
    pairs = tuple((int(g[0]), int(g[-1])) for g in items)
    return pairs * rank if len(pairs) == 1 else pairs


@spelled("torch.nn.functional.pad")
def torch_pad(m: Any, x: Any, pad: Any, mode: Any = "constant", value: Any = 0) -> Any:
    """The last axis first: (left, right, top, bottom, ...)."""
    if mode != "constant":
        raise Unsupported(f"torch.nn.functional.pad with mode {mode}")
    pairs = [(int(a), int(b)) for a, b in zip(pad[::2], pad[1::2], strict=True)]
    rest = [(0, 0)] * (len(shape_of(x)) - len(pairs))
    return _padded(m, x, (*rest, *reversed(pairs)), 0 if value is None else value)


@spelled("numpy.flip", "torch.flip", "torch.Tensor.flip")
def flip(m: Any, x: Any, *axis: Any, **named: Any) -> Any:
    shape = shape_of(x)
    given = several((*axis, *named.values()))
    axes = range(len(shape)) if given in ((), (None,)) else given
    turn = [one_axis(a, len(shape), "flip", shape) for a in axes]
    return m.index(x, spec=tuple(("slice", None, None, -1) if a in turn else WHOLE for a in range(len(shape))))


@spelled("numpy.flipud", "torch.flipud", "torch.Tensor.flipud")
def flipud(m: Any, x: Any) -> Any:
    return flip(m, x, 0)


@spelled("numpy.fliplr", "torch.fliplr", "torch.Tensor.fliplr")
def fliplr(m: Any, x: Any) -> Any:
    return flip(m, x, 1)


@spelled("numpy.rot90", "torch.rot90", "torch.Tensor.rot90")
def rot90(m: Any, x: Any, k: Any = 1, axes: Any = (0, 1)) -> Any:
    """Quarter turns of the plane of two axes."""
    a, b = (one_axis(n, len(shape_of(x)), "rot90", shape_of(x)) for n in axes)
    turns = int(k) % 4
    if turns == 0:
        return x
    if turns == 2:
        return flip(m, x, (a, b))
    return flip(m, swapaxes(m, x, a, b), a) if turns == 1 else swapaxes(m, flip(m, x, a), a, b)


@spelled("numpy.roll", "torch.roll", "torch.Tensor.roll", rename={"shifts": "shift"})
def roll(m: Any, x: Any, shift: Any, axis: Any = None) -> Any:
    if axis is None:
        return m.reshape(roll(m, m.reshape(x, shape=(-1,)), shift, 0), shape=shape_of(x))
    shape = shape_of(x)
    shifts = shift if isinstance(shift, tuple | list) else (shift,)
    axes = axis if isinstance(axis, tuple | list) else (axis,)
    for by, along in zip(shifts, axes, strict=True):
        where = one_axis(along, len(shape), "roll", shape)
        at = int(by) % shape[where] if shape[where] else 0
        if at:
            before = (WHOLE,) * where
            end = m.index(x, spec=(*before, ("slice", shape[where] - at, None, None)))
            x = m.concatenate(end, m.index(x, spec=(*before, ("slice", None, shape[where] - at, None))), axis=where)
    return x
