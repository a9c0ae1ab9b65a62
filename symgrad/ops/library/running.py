"""Running sums and products, differences and areas, as NumPy and torch spell them."""

from __future__ import annotations

from typing import Any

from symgrad.errors import Unsupported
from symgrad.ops.library.spelling import both, spelled
from symgrad.ops.shapes import WHOLE, one_axis
from symgrad.ops.tensor import ShapeError, shape_of


@spelled(*both("cumsum"))
def cumsum(m: Any, x: Any, axis: Any = None) -> Any:
    if axis is None:
        return m.cumsum(m.reshape(x, shape=(-1,)), axis=0)
    return m.cumsum(x, axis=axis)


@spelled(*both("cumprod"))
def cumprod(m: Any, x: Any, axis: Any = None) -> Any:
    """By doubling: each entry is the product of ``reach`` of them, and is multiplied by what stands so far before."""
    if axis is None:
        return cumprod(m, m.reshape(x, shape=(-1,)), 0)
    shape = shape_of(x)
    along = one_axis(axis, len(shape), "cumprod", x)
    reach = 1
    while reach < shape[along]:
        before = m.index(x, spec=(*[("slice", None, None, None)] * along, ("slice", None, -reach, None)))
        ones = m.broadcast_to(1.0, shape=(*shape[:along], reach, *shape[along + 1 :]))
        x, reach = m.mul(x, m.concatenate(ones, before, axis=along)), 2 * reach
    return x


@spelled("numpy.add.accumulate")
def accumulated(m: Any, x: Any, axis: Any = 0) -> Any:
    return cumsum(m, x, axis)


@spelled("numpy.multiply.accumulate")
def products_so_far(m: Any, x: Any, axis: Any = 0) -> Any:
    return cumprod(m, x, axis)


@spelled("torch.logcumsumexp", "torch.Tensor.logcumsumexp", "numpy.logaddexp.accumulate")
def logcumsumexp(m: Any, x: Any, axis: Any = 0) -> Any:
    """By doubling, as :func:`cumprod`."""
    shape = shape_of(x)
    along = one_axis(axis, len(shape), "logcumsumexp", shape)
    reach = 1
    while reach < shape[along]:
        later, before = _from(m, x, along, reach, None), _from(m, x, along, None, -reach)
        x = m.concatenate(_from(m, x, along, None, reach), m.logaddexp(later, before), axis=along)
        reach *= 2
    return x


def _from(m: Any, x: Any, axis: int, start: Any, stop: Any) -> Any:
    return m.index(x, spec=(*(WHOLE,) * axis, ("slice", start, stop, None)))


@spelled("numpy.ediff1d", rename={"ary": "x"})
def ediff1d(m: Any, x: Any, to_end: Any = None, to_begin: Any = None) -> Any:
    if to_end is not None or to_begin is not None:
        raise Unsupported("ediff1d with to_end or to_begin")
    flat = m.reshape(x, shape=(-1,))
    return _from(m, flat, 0, 1, None) - _from(m, flat, 0, None, -1)


@spelled("numpy.trapz", "numpy.trapezoid", "torch.trapz", "torch.trapezoid", rename={"x": "at", "y": "x"})
def trapezoid(m: Any, x: Any, at: Any = None, dx: Any = None, axis: Any = -1) -> Any:
    """The area under the polygon through the points: at equal distances ``dx``, or at ``at``."""
    pieces, where = _pieces(m, x, at, dx, axis)
    return m.sum(pieces, axis=where)


@spelled("torch.cumulative_trapezoid", rename={"x": "at", "y": "x"})
def cumulative_trapezoid(m: Any, x: Any, at: Any = None, dx: Any = None, axis: Any = -1) -> Any:
    pieces, where = _pieces(m, x, at, dx, axis)
    return m.cumsum(pieces, axis=where)


def _pieces(m: Any, x: Any, at: Any, dx: Any, axis: Any) -> tuple[Any, int]:
    shape = shape_of(x)
    where = one_axis(axis, len(shape), "trapezoid", shape)
    sums = _from(m, x, where, 1, None) + _from(m, x, where, None, -1)
    if at is None:
        return sums / 2 * (1.0 if dx is None else dx), where
    places = shape_of(at)
    if len(places) > 1 and len(places) != len(shape):
        raise ShapeError(f"trapezoid of shape {shape} at places of shape {places}")
    along = 0 if len(places) == 1 else where
    widths = _from(m, at, along, 1, None) - _from(m, at, along, None, -1)
    if len(places) == 1:
        widths = m.reshape(widths, shape=(-1, *(1,) * (len(shape) - where - 1)))
    return widths * sums / 2, where


@spelled("numpy.gradient", rename={"f": "x"})
def gradient(m: Any, x: Any, *spacing: Any, axis: Any = None, edge_order: Any = 1) -> Any:
    """Central differences inside, one-sided ones at the ends, for points at equal distances.

    Raises:
        Unsupported: places of their own for the points, or parabolas at the ends.
    """
    shape = shape_of(x)
    given = range(len(shape)) if axis is None else axis if isinstance(axis, tuple | list) else (axis,)
    axes = [one_axis(a, len(shape), "gradient", shape) for a in given]
    if edge_order != 1 or any(shape_of(h) or isinstance(h, list | tuple) for h in spacing):
        raise Unsupported("gradient with edge_order, or with places of the points")
    steps = spacing * len(axes) if len(spacing) == 1 else spacing or (1.0,) * len(axes)
    found = [_slopes(m, x, a, h) for a, h in zip(axes, steps, strict=True)]
    return found[0] if len(found) == 1 else tuple(found)


def _slopes(m: Any, x: Any, axis: int, step: Any) -> Any:
    if shape_of(x)[axis] < 2:
        raise ShapeError(f"gradient of shape {shape_of(x)}: along axis {axis} are not two points")
    first = _from(m, x, axis, 1, 2) - _from(m, x, axis, 0, 1)
    last = _from(m, x, axis, -1, None) - _from(m, x, axis, -2, -1)
    inner = (_from(m, x, axis, 2, None) - _from(m, x, axis, None, -2)) / 2
    return m.concatenate(first, inner, last, axis=axis) / step
